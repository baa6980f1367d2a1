//! FSCTL_SRV_ENUMERATE_SNAPSHOTS — [MS-SMB2] 2.2.32.2: SRV_SNAPSHOT_ARRAY.

use crate::{
    codec::{
        num::{fixed, le_u32, len32, size, take},
        utf16,
    },
    error::ParseError,
};
use bytes::BufMut;

/// SRV_SNAPSHOT_ARRAY — [MS-SMB2] 2.2.32.2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotArray {
    /// Snapshots there are. Where the buffer was too small for all of them, `snapshots` is empty.
    pub total: u32,
    /// Bytes that all of them need.
    pub array_size: u32,
    /// Their names, `@GMT-YYYY.MM.DD-HH.MM.SS`.
    pub snapshots: Vec<String>,
}

const WHAT: &str = "SRV_SNAPSHOT_ARRAY";

/// Bytes of the array that holds these names.
fn needed(snapshots: &[String]) -> usize {
    snapshots.iter().map(|name| utf16::encoded_len(name) + 2).sum::<usize>() + 2
}

impl SnapshotArray {
    /// All of `snapshots`, or none of them where they do not fit into `max_output` bytes.
    pub fn new(snapshots: Vec<String>, max_output: usize) -> Self {
        let array_size = needed(&snapshots);
        let total = len32(snapshots.len());
        let snapshots = if 12 + array_size <= max_output { snapshots } else { Vec::new() };
        Self { total, array_size: len32(array_size), snapshots }
    }

    /// Reads the IOCTL's output.
    pub fn parse(output: &[u8]) -> Result<Self, ParseError> {
        let (rest, (total, returned, array_size)) = fixed(WHAT, output, (le_u32, le_u32, le_u32))?;
        if returned == 0 {
            return Ok(Self { total, array_size, snapshots: Vec::new() });
        }
        let (_, array) = fixed(WHAT, rest, take(size(array_size)))?;
        let text = utf16::decode(WHAT, array)?;
        let snapshots: Vec<_> =
            text.split('\0').take_while(|name| !name.is_empty()).map(str::to_owned).collect();
        if snapshots.len() != size(returned) {
            return Err(ParseError::Value { what: WHAT, value: returned.into() });
        }
        // What stands behind the end of the array is no part of it.
        Ok(Self { total, array_size: len32(needed(&snapshots)), snapshots })
    }

    /// The IOCTL's output.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.put_u32_le(self.total);
        out.put_u32_le(len32(self.snapshots.len()));
        out.put_u32_le(self.array_size);
        for name in &self.snapshots {
            utf16::encode(name, &mut out);
            out.put_u16_le(0);
        }
        // The end of the array; servers that return no names still send it.
        out.put_u16_le(0);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Vec<String> {
        ["@GMT-2026.01.02-03.04.05", "@GMT-2026.02.03-04.05.06"].map(String::from).into()
    }

    #[test]
    fn all_or_none() {
        let all = SnapshotArray::new(names(), 4096);
        assert_eq!((all.total, all.array_size), (2, 102));
        let wire = all.to_bytes();
        assert_eq!(wire.len(), 12 + 102);
        assert_eq!(SnapshotArray::parse(&wire).unwrap(), all);
        assert!((0..wire.len()).all(|cut| SnapshotArray::parse(&wire[..cut]).is_err()));
        let none = SnapshotArray::new(names(), 16);
        assert_eq!((none.total, none.array_size, none.snapshots.len()), (2, 102, 0));
        assert_eq!(SnapshotArray::parse(&none.to_bytes()).unwrap(), none);
    }

    #[test]
    fn what_stands_behind_the_array_is_no_part_of_it() {
        let all = SnapshotArray::new(names(), 4096);
        let mut wire = all.to_bytes();
        wire.extend([0xAB; 6]);
        wire[8] += 6;
        assert_eq!(SnapshotArray::parse(&wire).unwrap(), all);
    }

    #[test]
    fn a_count_that_does_not_fit_the_names_is_refused() {
        let mut wire = SnapshotArray::new(names(), 4096).to_bytes();
        wire[4] = 3;
        assert!(SnapshotArray::parse(&wire).is_err());
    }
}
