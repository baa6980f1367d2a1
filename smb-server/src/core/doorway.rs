//! Connections on which nobody has authenticated yet: how many there may be, and who goes when there are more.
//!
//! A server that turned newcomers away while the doorway is full could be shut by anybody who connects and says nothing.
//! So whoever has stood there longest makes room: someone who means to log on is through in a moment.

use super::lock;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

/// Those who have not authenticated yet, each with a token that is dropped when it must go.
#[derive(Debug)]
pub struct Doorway<T> {
    most: usize,
    state: Mutex<State<T>>,
}

#[derive(Debug)]
struct State<T> {
    /// The longest there first.
    standing: VecDeque<(u64, T)>,
    last: u64,
}

impl<T> Doorway<T> {
    /// Nobody yet, and never more than `most`, which is one at least.
    pub fn new(most: usize) -> Arc<Self> {
        let state = Mutex::new(State { standing: VecDeque::new(), last: 0 });
        Arc::new(Self { most: most.max(1), state })
    }

    /// Somebody comes in. Where it is full, the token of the one who has been there longest is dropped.
    pub fn enter(self: &Arc<Self>, token: T) -> Place<T> {
        let mut state = lock(&self.state);
        state.last = state.last.wrapping_add(1);
        let id = state.last;
        let goes = if state.standing.len() < self.most { None } else { state.standing.pop_front() };
        state.standing.push_back((id, token));
        drop(state);
        drop(goes);
        Place { doorway: self.clone(), id }
    }
}

/// A place in the doorway, given up by dropping it.
#[derive(Debug)]
pub struct Place<T> {
    doorway: Arc<Doorway<T>>,
    id: u64,
}

impl<T> Drop for Place<T> {
    fn drop(&mut self) {
        lock(&self.doorway.state).standing.retain(|(id, _)| *id != self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_there_longest_makes_room() {
        let doorway = Doorway::new(2);
        let tokens: Vec<_> = (0..4).map(Arc::new).collect();
        let stands = |n: usize| Arc::strong_count(&tokens[n]) == 2;
        let mut places: Vec<_> = tokens[..2].iter().map(|token| doorway.enter(token.clone())).collect();
        assert!(stands(0) && stands(1));
        places.push(doorway.enter(tokens[2].clone()));
        assert!(!stands(0) && stands(1) && stands(2));
        // One who has left, logged on or not, is in nobody's way.
        drop(places.remove(1));
        places.push(doorway.enter(tokens[3].clone()));
        assert!(stands(2) && stands(3));
        // The place of one who had to go means nothing any more.
        drop(places.remove(0));
        assert!(stands(2) && stands(3));
        drop(places);
        assert!((0..4).all(|n| !stands(n)));
    }
}
