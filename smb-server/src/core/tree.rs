//! Share connections of a session — [MS-SMB2] 3.3.1.9.

use super::lock;
use crate::share::Share;
use smb_proto::{msg::Access, status::NtStatus};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

/// What a tree is connected to.
#[derive(Debug, Clone)]
pub enum Target {
    /// A share with files.
    Disk(Arc<Share>),
    /// IPC$, which has named pipes.
    Pipes,
}

/// A share connection.
#[derive(Debug)]
pub struct Tree {
    /// Its TreeId.
    pub id: u32,
    /// What it leads to.
    pub target: Target,
    /// The most its opens may be granted.
    pub maximal: Access,
}

impl Tree {
    /// Whether anything can be changed through it.
    pub fn writable(&self) -> bool {
        self.maximal.intersects(Access::WRITE_DATA)
    }
}

/// The share connections of one session.
#[derive(Debug)]
pub struct Trees {
    limit: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    trees: HashMap<u32, Arc<Tree>>,
    last: u32,
}

impl Trees {
    /// None yet, and never more than `limit`.
    pub fn new(limit: usize) -> Self {
        Self { limit, state: Mutex::default() }
    }

    /// Connects. Ids are never used again while the session lives, short of 2^32 connects.
    pub fn connect(&self, target: Target, maximal: Access) -> Result<Arc<Tree>, NtStatus> {
        let mut state = lock(&self.state);
        if state.trees.len() >= self.limit {
            return Err(NtStatus::INSUFFICIENT_RESOURCES);
        }
        loop {
            state.last = state.last.wrapping_add(1);
            let id = state.last;
            if id != 0 && id != u32::MAX && !state.trees.contains_key(&id) {
                let tree = Arc::new(Tree { id, target, maximal });
                state.trees.insert(id, tree.clone());
                return Ok(tree);
            }
        }
    }

    /// The share connection called `id`.
    pub fn get(&self, id: u32) -> Option<Arc<Tree>> {
        lock(&self.state).trees.get(&id).cloned()
    }

    /// Ends a share connection.
    pub fn disconnect(&self, id: u32) -> Option<Arc<Tree>> {
        lock(&self.state).trees.remove(&id)
    }

    /// Ends them all.
    pub fn clear(&self) {
        lock(&self.state).trees.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_not_used_again_and_bounded() {
        let trees = Trees::new(2);
        let one = trees.connect(Target::Pipes, Access::NONE).unwrap();
        let two = trees.connect(Target::Pipes, Access::NONE).unwrap();
        assert_ne!(one.id, two.id);
        assert_eq!(trees.connect(Target::Pipes, Access::NONE).unwrap_err(), NtStatus::INSUFFICIENT_RESOURCES);
        assert!(trees.disconnect(one.id).is_some());
        assert!(trees.get(one.id).is_none() && trees.disconnect(one.id).is_none());
        let three = trees.connect(Target::Pipes, Access::NONE).unwrap();
        assert!(three.id != one.id && three.id != two.id);
    }
}
