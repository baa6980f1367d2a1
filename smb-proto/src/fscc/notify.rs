//! Records of changes in a directory: FILE_NOTIFY_INFORMATION — [MS-FSCC] 2.7.1.

use super::name::WideName;
use crate::{
    codec::{
        chain,
        num::{fixed, le_u32, len32, size, take},
    },
    command::wire_enum,
    error::ParseError,
};
use bytes::BufMut;

wire_enum! {
    /// Action: what changed.
    NotifyAction: u32 {
        /// FILE_ACTION_ADDED.
        ADDED = 0x0000_0001,
        /// FILE_ACTION_REMOVED.
        REMOVED = 0x0000_0002,
        /// FILE_ACTION_MODIFIED.
        MODIFIED = 0x0000_0003,
        /// FILE_ACTION_RENAMED_OLD_NAME: the name before; the new one is in the next record.
        RENAMED_OLD_NAME = 0x0000_0004,
        /// FILE_ACTION_RENAMED_NEW_NAME.
        RENAMED_NEW_NAME = 0x0000_0005,
        /// FILE_ACTION_ADDED_STREAM.
        ADDED_STREAM = 0x0000_0006,
        /// FILE_ACTION_REMOVED_STREAM.
        REMOVED_STREAM = 0x0000_0007,
        /// FILE_ACTION_MODIFIED_STREAM.
        MODIFIED_STREAM = 0x0000_0008,
        /// FILE_ACTION_REMOVED_BY_DELETE.
        REMOVED_BY_DELETE = 0x0000_0009,
    }
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotifyRecord {
    /// What changed.
    pub action: NotifyAction,
    /// The path, from the directory watched.
    pub name: WideName,
}

const WHAT: &str = "FILE_NOTIFY_INFORMATION";
const FIXED: usize = 12;

/// The records in the output of a CHANGE_NOTIFY, in order.
pub fn records(output: &[u8]) -> impl Iterator<Item = Result<NotifyRecord, ParseError>> {
    chain::records(WHAT, output, FIXED, chain::leading_u32).map(|record| {
        let (rest, (_, action, len)) = fixed(WHAT, record?, (le_u32, le_u32, le_u32))?;
        let (_, name) = fixed(WHAT, rest, take(size(len)))?;
        Ok(NotifyRecord { action: NotifyAction(action), name: WideName::from_bytes(name) })
    })
}

/// The output of a CHANGE_NOTIFY: each record begins at a multiple of four.
pub fn to_bytes(records: &[NotifyRecord]) -> Vec<u8> {
    let mut out = Vec::new();
    for (index, record) in records.iter().enumerate() {
        let len = FIXED + record.name.wire_len();
        let last = index + 1 == records.len();
        let next = if last { 0 } else { len.next_multiple_of(4) };
        out.put_u32_le(len32(next));
        out.put_u32_le(record.action.0);
        out.put_u32_le(len32(record.name.wire_len()));
        record.name.emit(&mut out);
        out.put_bytes(0, next.saturating_sub(len));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::field::testing::hex;

    #[test]
    fn a_rename() {
        let record = |action, name: &str| NotifyRecord { action, name: name.into() };
        let list =
            [record(NotifyAction::RENAMED_OLD_NAME, "a"), record(NotifyAction::RENAMED_NEW_NAME, "bc")];
        let wire = hex("10000000 04000000 02000000 6100 0000  00000000 05000000 04000000 6200 6300");
        assert_eq!(to_bytes(&list), wire);
        assert_eq!(records(&wire).collect::<Result<Vec<_>, _>>().unwrap(), list);
        assert!((1..wire.len()).all(|cut| records(&wire[..cut]).any(|record| record.is_err())));
        assert_eq!(records(&[]).count(), 0);
    }
}
