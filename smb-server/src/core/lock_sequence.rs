//! LOCK requests that come twice — [MS-SMB2] 3.3.1.10 (Open.LockSequenceArray), 3.3.5.14.

use smb_proto::msg::LockSequence;

const SLOTS: usize = 64;

/// What was last done under each LockSequenceIndex of an open.
#[derive(Debug, Default)]
pub struct LockSequences {
    /// By index less one; nothing until the client uses one.
    slots: Option<Box<[Option<u8>; SLOTS]>>,
}

impl LockSequences {
    fn slot(&mut self, sequence: LockSequence) -> Option<&mut Option<u8>> {
        let index = usize::try_from(sequence.index).ok()?.checked_sub(1).filter(|index| *index < SLOTS)?;
        self.slots.get_or_insert_with(|| Box::new([None; SLOTS])).get_mut(index)
    }

    /// Whether the request was done before; if it was not, what was known of its index is forgotten.
    pub fn replayed(&mut self, sequence: LockSequence) -> bool {
        match self.slot(sequence) {
            Some(slot) if *slot == Some(sequence.number) => true,
            Some(slot) => {
                *slot = None;
                false
            }
            None => false,
        }
    }

    /// The request is done.
    pub fn done(&mut self, sequence: LockSequence) {
        if let Some(slot) = self.slot(sequence) {
            *slot = Some(sequence.number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequence(index: u32, number: u8) -> LockSequence {
        LockSequence { number, index }
    }

    #[test]
    fn known_once_it_is_done() {
        let mut sequences = LockSequences::default();
        assert!(!sequences.replayed(sequence(1, 5)));
        assert!(!sequences.replayed(sequence(1, 5)), "looked at is not done");
        sequences.done(sequence(1, 5));
        assert!(sequences.replayed(sequence(1, 5)));
        assert!(!sequences.replayed(sequence(2, 5)));
        assert!(!sequences.replayed(sequence(1, 6)));
        assert!(!sequences.replayed(sequence(1, 5)), "another number has taken its place");
    }

    #[test]
    fn indexes_beyond_the_array_are_not_remembered() {
        let mut sequences = LockSequences::default();
        for index in [0, 65, u32::MAX] {
            sequences.done(sequence(index, 1));
            assert!(!sequences.replayed(sequence(index, 1)));
        }
        sequences.done(sequence(64, 1));
        assert!(sequences.replayed(sequence(64, 1)));
    }
}
