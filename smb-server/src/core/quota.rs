//! How many opens the server has, and what each user may have of them: what is left is as much as the greediest has, so
//! that nobody can take all of them away from others.

use super::lock;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicUsize, Ordering},
    },
};

/// The opens of all users.
#[derive(Debug)]
pub struct AllOpens {
    limit: usize,
    count: AtomicUsize,
    users: Mutex<HashMap<Arc<str>, Weak<UserOpens>>>,
}

/// The opens of one user, in however many sessions.
#[derive(Debug)]
pub struct UserOpens {
    name: Arc<str>,
    count: AtomicUsize,
    all: Arc<AllOpens>,
}

impl AllOpens {
    /// None yet, and never more than `limit`.
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, count: AtomicUsize::new(0), users: Mutex::default() })
    }

    /// Those of the user called `name`.
    pub fn of(self: &Arc<Self>, name: &Arc<str>) -> Arc<UserOpens> {
        let mut users = lock(&self.users);
        if let Some(user) = users.get(name).and_then(Weak::upgrade) {
            return user;
        }
        let user = Arc::new(UserOpens { name: name.clone(), count: AtomicUsize::new(0), all: self.clone() });
        users.insert(name.clone(), Arc::downgrade(&user));
        user
    }
}

impl UserOpens {
    /// Counts one more, where there is room for it: a user may have as many as are left for others.
    pub fn take(&self) -> bool {
        let own = self.count.fetch_add(1, Ordering::Relaxed);
        let more = |all: usize| {
            let left = self.all.limit.checked_sub(all)?;
            if own < left { all.checked_add(1) } else { None }
        };
        let taken = self.all.count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok();
        if !taken {
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
        taken
    }

    /// Counts so many less.
    pub fn give_back(&self, count: usize) {
        self.count.fetch_sub(count, Ordering::Relaxed);
        self.all.count.fetch_sub(count, Ordering::Relaxed);
    }
}

impl Drop for UserOpens {
    fn drop(&mut self) {
        let mut users = lock(&self.all.users);
        // There may be another of the same name by now.
        if users.get(&self.name).is_some_and(|user| user.strong_count() == 0) {
            users.remove(&self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_as_much_as_the_greediest_has() {
        let all = AllOpens::new(100);
        let (greedy, other) = (all.of(&"greedy".into()), all.of(&"other".into()));
        let again = all.of(&"greedy".into());
        assert!((0..50).all(|n| if n % 2 == 0 { greedy.take() } else { again.take() }));
        assert!(!greedy.take() && !again.take());
        assert!((0..25).all(|_| other.take()) && !other.take());
        other.give_back(25);
        greedy.give_back(1);
        assert!(greedy.take() && !greedy.take());
    }

    #[test]
    fn who_has_gone_is_forgotten() {
        let all = AllOpens::new(2);
        for _ in 0..10 {
            let user = all.of(&"user".into());
            assert!(user.take() && !user.take());
            user.give_back(1);
        }
        assert!(lock(&all.users).is_empty());
    }
}
