//! Numbered places: of what is posted, and of registered memory for the heads of sends.

use super::{mr::Mr, pool::element, qp::Element};
use crate::rdma::{HEAD_LEN, Head};
use smb_transport::IoBuf;
use std::sync::Arc;

/// Numbered places.
pub(super) struct Slots<T> {
    places: Vec<Option<T>>,
    free: Vec<usize>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { places: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slots<T> {
    pub(super) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    pub(super) fn insert(&mut self, value: T) -> u64 {
        let at = self.free.pop().unwrap_or(self.places.len());
        match self.places.get_mut(at) {
            Some(place) => *place = Some(value),
            None => self.places.push(Some(value)),
        }
        u64::try_from(at).unwrap_or(u64::MAX)
    }

    pub(super) fn remove(&mut self, at: u64) -> Option<T> {
        let at = usize::try_from(at).ok()?;
        let value = self.places.get_mut(at)?.take()?;
        self.free.push(at);
        Some(value)
    }
}

/// Registered memory for the heads of sends, a place for each.
pub(super) struct Heads {
    memory: IoBuf,
    region: Arc<Mr>,
    free: Vec<usize>,
}

impl Heads {
    pub(super) fn new(memory: IoBuf, region: Arc<Mr>) -> Self {
        let free = (0..memory.len() / HEAD_LEN).rev().collect();
        Self { memory, region, free }
    }

    /// Writes a head to a place of its own.
    pub(super) fn place(&mut self, head: &Head) -> Option<(usize, Element)> {
        let at = self.free.pop()?;
        let range = at * HEAD_LEN..at * HEAD_LEN + head.len();
        self.memory.get_mut(range.clone())?.copy_from_slice(head);
        Some((at, element(&self.memory, range, self.region.local_key())?))
    }

    /// Frees a place.
    pub(super) fn free(&mut self, place: Option<usize>) {
        self.free.extend(place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_used_again() {
        let mut slots = Slots::default();
        let (a, b) = (slots.insert('a'), slots.insert('b'));
        assert_eq!((slots.remove(a), slots.remove(a), slots.len()), (Some('a'), None, 1));
        let c = slots.insert('c');
        assert_eq!((c, slots.remove(b), slots.remove(c), slots.len()), (a, Some('b'), Some('c'), 0));
        assert_eq!(slots.remove(77), None);
    }
}
