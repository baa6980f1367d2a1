//! Ranges of a file: sparse files, trim and shared extents — [MS-FSCC] 2.3.

use crate::{
    codec::{
        field::{Field, plain_buffer, plain_structure},
        num::{count, fixed, le_u32, le_u64, len32, size},
    },
    error::ParseError,
    msg::types::FileId,
};
use bytes::BufMut;
use nom::{Parser, multi::many0};

/// FSCTL_SET_SPARSE: FILE_SET_SPARSE_BUFFER — [MS-FSCC] 2.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetSparse {
    /// Whether the file is to be sparse.
    pub sparse: bool,
}

impl SetSparse {
    /// Reads the IOCTL's input. An empty one means "sparse".
    pub fn parse(input: &[u8]) -> Self {
        Self { sparse: input.first().is_none_or(|byte| *byte != 0) }
    }

    /// The IOCTL's input.
    pub fn to_bytes(self) -> Vec<u8> {
        vec![self.sparse.into()]
    }
}

plain_buffer! {
    /// FSCTL_SET_ZERO_DATA: FILE_ZERO_DATA_INFORMATION — [MS-FSCC] 2.3.
    ZeroData {
        /// The first byte to zero.
        from: u64;
        /// The first byte behind them.
        beyond: u64;
    }
}

plain_buffer! {
    /// FILE_ALLOCATED_RANGE_BUFFER — [MS-FSCC] 2.3: the input of FSCTL_QUERY_ALLOCATED_RANGES, and one range of its output.
    AllocatedRange {
        /// Where it begins, in bytes.
        offset: u64;
        /// Its length in bytes.
        length: u64;
    }
}

impl AllocatedRange {
    /// Reads the output of FSCTL_QUERY_ALLOCATED_RANGES. A range that is cut short is not reported.
    pub fn parse_all(output: &[u8]) -> Result<Vec<Self>, ParseError> {
        fixed("allocated ranges", output, many0(Self::read)).map(|(_, ranges)| ranges)
    }

    /// The output of FSCTL_QUERY_ALLOCATED_RANGES.
    pub fn all_to_bytes(ranges: &[Self]) -> Vec<u8> {
        let mut out = Vec::with_capacity(16 * ranges.len());
        ranges.iter().for_each(|range| range.write(&mut out));
        out
    }
}

plain_structure! {
    /// FILE_LEVEL_TRIM_RANGE — [MS-FSCC] 2.3.
    TrimRange {
        /// Where it begins, in bytes.
        offset: u64;
        /// Its length in bytes.
        length: u64;
    }
}

/// FSCTL_FILE_LEVEL_TRIM: FILE_LEVEL_TRIM — [MS-FSCC] 2.3: ranges whose contents nobody needs any more.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trim {
    /// The ranges.
    pub ranges: Vec<TrimRange>,
}

impl Trim {
    /// Reads the IOCTL's input.
    pub fn parse(input: &[u8]) -> Result<Self, ParseError> {
        const WHAT: &str = "FILE_LEVEL_TRIM";
        let (rest, (_key, ranges)) = fixed(WHAT, input, (le_u32, le_u32))?;
        if size(ranges) > rest.len() / 16 {
            return Err(ParseError::Truncated { what: WHAT });
        }
        let (_, ranges) = fixed(WHAT, rest, count(TrimRange::read, size(ranges)))?;
        Ok(Self { ranges })
    }

    /// The IOCTL's input.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(8 + 16 * self.ranges.len());
        out.put_u32_le(0);
        out.put_u32_le(len32(self.ranges.len()));
        self.ranges.iter().for_each(|range| range.write(&mut out));
        out
    }
}

plain_buffer! {
    /// FILE_LEVEL_TRIM_OUTPUT — [MS-FSCC] 2.3.
    TrimOutput {
        /// Ranges that were trimmed.
        ranges_processed: u32;
    }
}

/// FSCTL_DUPLICATE_EXTENTS_TO_FILE: SMB2_DUPLICATE_EXTENTS_DATA — [MS-FSCC] 2.3; with flags,
/// FSCTL_DUPLICATE_EXTENTS_TO_FILE_EX: SMB2_DUPLICATE_EXTENTS_DATA_EX. Two files share the clusters of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DuplicateExtents {
    /// The open of the source. The target is the open of the IOCTL.
    pub source: FileId,
    /// Where from, in bytes.
    pub source_offset: u64,
    /// Where to, in bytes.
    pub target_offset: u64,
    /// Bytes to share.
    pub byte_count: u64,
}

/// DUPLICATE_EXTENTS_DATA_EX_SOURCE_ATOMIC: all or nothing.
pub const DUPLICATE_SOURCE_ATOMIC: u32 = 1;
/// StructureSize of the extended form; it counts a local handle instead of a FileId.
const EX_SIZE: u64 = 0x30;

impl DuplicateExtents {
    fn read(i: &[u8]) -> crate::codec::num::Parsed<'_, Self> {
        let (i, (source, source_offset, target_offset, byte_count)) =
            (FileId::parse, le_u64, le_u64, le_u64).parse(i)?;
        Ok((i, Self { source, source_offset, target_offset, byte_count }))
    }

    fn write(&self, out: &mut Vec<u8>) {
        self.source.emit(out);
        out.put_u64_le(self.source_offset);
        out.put_u64_le(self.target_offset);
        out.put_u64_le(self.byte_count);
    }

    /// Reads the IOCTL's input.
    pub fn parse(input: &[u8]) -> Result<Self, ParseError> {
        fixed("DUPLICATE_EXTENTS_DATA", input, Self::read).map(|(_, extents)| extents)
    }

    /// The IOCTL's input.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(40);
        self.write(&mut out);
        out
    }

    /// Reads the input of the extended form: also its flags.
    pub fn parse_ex(input: &[u8]) -> Result<(Self, u32), ParseError> {
        const WHAT: &str = "DUPLICATE_EXTENTS_DATA_EX";
        let (_, (structure, extents, flags, _)) = fixed(WHAT, input, (le_u64, Self::read, le_u32, le_u32))?;
        if structure != EX_SIZE {
            return Err(ParseError::Value { what: WHAT, value: structure });
        }
        Ok((extents, flags))
    }

    /// The input of the extended form.
    pub fn to_bytes_ex(&self, flags: u32) -> Vec<u8> {
        let mut out = Vec::with_capacity(56);
        out.put_u64_le(EX_SIZE);
        self.write(&mut out);
        out.put_u32_le(flags);
        out.put_u32_le(0);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::field::testing::{check_buffer, hex};

    #[test]
    fn sparse_zero_and_allocated() {
        assert!(
            SetSparse::parse(&[]).sparse && SetSparse::parse(&[1]).sparse && !SetSparse::parse(&[0]).sparse
        );
        assert_eq!(SetSparse { sparse: true }.to_bytes(), [1]);
        check_buffer!(ZeroData, ZeroData { from: 1, beyond: 2 }, hex("0100000000000000 0200000000000000"));
        let ranges = vec![AllocatedRange { offset: 0, length: 5 }, AllocatedRange { offset: 9, length: 1 }];
        let wire = hex("0000000000000000 0500000000000000 0900000000000000 0100000000000000");
        assert_eq!(AllocatedRange::all_to_bytes(&ranges), wire);
        assert_eq!(AllocatedRange::parse_all(&wire).unwrap(), ranges);
        assert_eq!(AllocatedRange::parse_all(&wire[..31]).unwrap(), ranges[..1]);
        check_buffer!(AllocatedRange, ranges[0], wire[..16].to_vec());
    }

    #[test]
    fn trim() {
        let trim = Trim { ranges: vec![TrimRange { offset: 3, length: 4 }] };
        check_buffer!(Trim, trim, hex("00000000 01000000 0300000000000000 0400000000000000"));
        assert!(Trim::parse(&hex("00000000 ffffffff")).is_err());
        check_buffer!(TrimOutput, TrimOutput { ranges_processed: 1 }, hex("01000000"));
    }

    #[test]
    fn shared_extents() {
        let source = FileId { persistent: 1, volatile: 2 };
        let extents = DuplicateExtents { source, source_offset: 3, target_offset: 4, byte_count: 5 };
        let plain = "0100000000000000 0200000000000000 0300000000000000 0400000000000000 0500000000000000";
        check_buffer!(DuplicateExtents, extents, hex(plain));
        let wire = hex(&format!("3000000000000000 {plain} 01000000 00000000"));
        assert_eq!(extents.to_bytes_ex(DUPLICATE_SOURCE_ATOMIC), wire);
        assert_eq!(DuplicateExtents::parse_ex(&wire).unwrap(), (extents, 1));
        assert!((0..wire.len()).all(|cut| DuplicateExtents::parse_ex(&wire[..cut]).is_err()));
    }
}
