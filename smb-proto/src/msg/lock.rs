//! SMB2 LOCK — [MS-SMB2] 2.2.26, 2.2.27.

use crate::{
    codec::{
        Body, Message,
        num::{Parsed, count, fixed, le_u16, le_u32, le_u64, len16, structure_size},
    },
    command::{Command, wire_flags},
    error::ParseError,
    msg::types::FileId,
};
use bytes::BufMut;

wire_flags! {
    /// Flags of one lock.
    LockFlags: u32 {
        /// SMB2_LOCKFLAG_SHARED_LOCK.
        SHARED_LOCK = 0x01,
        /// SMB2_LOCKFLAG_EXCLUSIVE_LOCK.
        EXCLUSIVE_LOCK = 0x02,
        /// SMB2_LOCKFLAG_UNLOCK.
        UNLOCK = 0x04,
        /// SMB2_LOCKFLAG_FAIL_IMMEDIATELY: do not wait for the range.
        FAIL_IMMEDIATELY = 0x10,
    }
}

/// SMB2_LOCK_ELEMENT — [MS-SMB2] 2.2.26.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockElement {
    /// Where the range begins, in bytes.
    pub offset: u64,
    /// Its length in bytes; 0 is legal.
    pub length: u64,
    /// Lock or unlock, and how.
    pub flags: LockFlags,
}

impl LockElement {
    fn parse(i: &[u8]) -> Parsed<'_, Self> {
        let (i, offset) = le_u64(i)?;
        let (i, length) = le_u64(i)?;
        let (i, flags) = le_u32(i)?;
        let (i, _reserved) = le_u32(i)?;
        Ok((i, Self { offset, length, flags: LockFlags(flags) }))
    }
}

/// Tells a replayed LOCK from a new one — [MS-SMB2] 2.2.26, 3.3.5.14. All zero where it is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LockSequence {
    /// LockSequenceNumber, 4 bits: changes each time the index is used again.
    pub number: u8,
    /// LockSequenceIndex, 28 bits: 1 to 64 names a slot of the open; 0 is not used.
    pub index: u32,
}

/// SMB2 LOCK Request — [MS-SMB2] 2.2.26.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockRequest {
    /// Tells a replay from a new request.
    pub sequence: LockSequence,
    /// The open.
    pub file_id: FileId,
    /// The ranges; all locks, or all unlocks. None at all is refused by servers; of more than 65,535, that
    /// many are told, and the others are not locked.
    pub locks: Vec<LockElement>,
}

const FIXED: usize = 24;
const ELEMENT: usize = 24;

impl<'a> Message<'a> for LockRequest {
    const COMMAND: Command = Command::LOCK;

    fn parse(body: &Body<'a>) -> Result<Self, ParseError> {
        const WHAT: &str = "LOCK request";
        let (rest, (size, number, sequence, file_id)) =
            fixed(WHAT, body.fixed(), (le_u16, le_u16, le_u32, FileId::parse))?;
        structure_size(WHAT, 48, size)?;
        let (_, locks) = fixed(WHAT, rest, count(LockElement::parse, number.into()))?;
        let [low, ..] = sequence.to_le_bytes();
        let sequence = LockSequence { number: low & 0x0f, index: sequence >> 4 };
        Ok(Self { sequence, file_id, locks })
    }

    fn wire_len(&self) -> usize {
        FIXED + ELEMENT * self.locks.len()
    }

    fn emit(&self, out: &mut impl BufMut) {
        out.put_u16_le(48);
        out.put_u16_le(len16(self.locks.len()));
        out.put_u32_le(self.sequence.index << 4 | u32::from(self.sequence.number & 0x0f));
        self.file_id.emit(out);
        for lock in &self.locks {
            out.put_u64_le(lock.offset);
            out.put_u64_le(lock.length);
            out.put_u32_le(lock.flags.0);
            out.put_u32_le(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::testing::message_tests;
    use proptest::prelude::*;

    fn request() -> impl Strategy<Value = LockRequest> {
        let lock = any::<(u64, u64, u32)>().prop_map(|(offset, length, flags)| LockElement {
            offset,
            length,
            flags: LockFlags(flags),
        });
        let head = (0u8..16, 0u32..1 << 28, any::<(u64, u64)>());
        (head, prop::collection::vec(lock, 0..4)).prop_map(
            |((number, index, (persistent, volatile)), locks)| LockRequest {
                sequence: LockSequence { number, index },
                file_id: FileId { persistent, volatile },
                locks,
            },
        )
    }

    message_tests!(lock_request, LockRequest, request());
}
