//! Which changes that the storage tells of are the server's own, and known already.

use super::Named;
use std::{
    collections::VecDeque,
    hash::{BuildHasher, RandomState},
    time::Duration,
};

/// Changes that are remembered.
const MOST: usize = 1024;
/// How long a change of a name may take to come back.
const NAMES: Duration = Duration::from_secs(10);
/// How long after the server has changed a file's bytes or attributes such a change is taken for that one: one write may
/// come back as several.
const CONTENTS: Duration = Duration::from_secs(1);

/// What happened to a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It is there now.
    Came,
    /// It is not there any more.
    Gone,
    /// What it names has changed.
    Changed,
}

/// The server's own changes in one watched directory.
#[derive(Debug, Default)]
pub(super) struct Echoes {
    /// Names are hashed: they may be long.
    own: VecDeque<(Kind, u64, Duration)>,
    names: RandomState,
}

impl Echoes {
    /// The server has made a change.
    pub(super) fn own(&mut self, kind: Kind, name: &[String], now: Duration) {
        if self.own.len() >= MOST {
            self.own.pop_front();
        }
        self.own.push_back((kind, self.names.hash_one(name), now));
    }

    /// Whether a change that the storage tells of is one of these. A name comes or goes once for each.
    pub(super) fn is_echo(&mut self, kind: Kind, name: &Named, now: Duration) -> bool {
        self.own.retain(|(_, _, then)| now.saturating_sub(*then) <= NAMES);
        let name = self.names.hash_one(name.as_slice());
        if kind == Kind::Changed {
            // A file that the server has just made it has also described.
            return self.own.iter().any(|(own, about, then)| {
                *own != Kind::Gone && *about == name && now.saturating_sub(*then) <= CONTENTS
            });
        }
        let Some(index) = self.own.iter().position(|(own, about, _)| *own == kind && *about == name) else {
            return false;
        };
        match self.own.get_mut(index) {
            // Its description is still to come.
            Some((own, ..)) if *own == Kind::Came => *own = Kind::Changed,
            _ => drop(self.own.remove(index)),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Named {
        vec![text.to_owned()]
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn each_change_of_a_name_comes_back_once() {
        let mut echoes = Echoes::default();
        echoes.own(Kind::Came, &name("a"), at(0));
        assert!(!echoes.is_echo(Kind::Gone, &name("a"), at(0)));
        assert!(!echoes.is_echo(Kind::Came, &name("b"), at(0)));
        assert!(echoes.is_echo(Kind::Came, &name("a"), at(1)));
        assert!(!echoes.is_echo(Kind::Came, &name("a"), at(1)), "somebody else's");
        assert!(echoes.is_echo(Kind::Changed, &name("a"), at(1)), "what is made is also described");
    }

    #[test]
    fn contents_come_back_any_number_of_times_for_a_moment() {
        let mut echoes = Echoes::default();
        echoes.own(Kind::Changed, &name("a"), at(5));
        assert!(echoes.is_echo(Kind::Changed, &name("a"), at(5)));
        assert!(echoes.is_echo(Kind::Changed, &name("a"), at(6)));
        assert!(!echoes.is_echo(Kind::Changed, &name("a"), at(7)));
    }

    #[test]
    fn memory_ends() {
        let mut echoes = Echoes::default();
        echoes.own(Kind::Came, &name("a"), at(0));
        assert!(!echoes.is_echo(Kind::Came, &name("a"), at(11)));
        for number in 0..2 * MOST {
            echoes.own(Kind::Came, &name(&number.to_string()), at(11));
        }
        assert_eq!(echoes.own.len(), MOST);
        // Nothing else hangs on what is remembered, however long the name was.
        fn is_flat(_: &VecDeque<impl Copy>) {}
        is_flat(&echoes.own);
    }
}
