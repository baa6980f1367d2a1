//! The named streams of a file — [MS-FSCC] 2.4.47.

use super::{Information, class::FileInformationClass, name::WideName};
use crate::{
    codec::{
        chain,
        num::{fixed, le_u32, le_u64, len32, pad8, size, take},
    },
    error::ParseError,
    msg::InfoType,
};
use bytes::BufMut;

/// One stream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StreamEntry {
    /// Its name with its type: `::$DATA`, `:name:$DATA`.
    pub name: WideName,
    /// Bytes it holds.
    pub size: u64,
    /// Bytes it occupies.
    pub allocation_size: u64,
}

/// FileStreamInformation — [MS-FSCC] 2.4.47.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StreamInformation {
    /// The streams; empty for a directory without any.
    pub streams: Vec<StreamEntry>,
}

const FIXED: usize = 24;
const WHAT: &str = "FileStreamInformation";

impl StreamEntry {
    fn parse(record: &[u8]) -> Result<Self, ParseError> {
        let (rest, (_, name_len, stream, allocation)) =
            fixed(WHAT, record, (le_u32, le_u32, le_u64, le_u64))?;
        let (_, name) = fixed(WHAT, rest, take(size(name_len)))?;
        Ok(Self { name: WideName::from_bytes(name), size: stream, allocation_size: allocation })
    }
}

impl Information for StreamInformation {
    const INFO_TYPE: InfoType = InfoType::FILE;
    const CLASS: u8 = FileInformationClass::STREAM.0;

    fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let records = chain::records(WHAT, bytes, FIXED, chain::leading_u32);
        Ok(Self { streams: records.map(|record| StreamEntry::parse(record?)).collect::<Result<_, _>>()? })
    }

    fn emit(&self, out: &mut impl BufMut) {
        for (index, stream) in self.streams.iter().enumerate() {
            let name_len = stream.name.wire_len();
            let last = index + 1 == self.streams.len();
            let padding = if last { 0 } else { pad8(FIXED + name_len) };
            out.put_u32_le(if last { 0 } else { len32(FIXED + name_len + padding) });
            out.put_u32_le(len32(name_len));
            out.put_u64_le(stream.size);
            out.put_u64_le(stream.allocation_size);
            stream.name.emit(out);
            out.put_bytes(0, padding);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::field::testing::hex;

    #[test]
    fn two_streams() {
        let entry = |name: &str, size| StreamEntry { name: name.into(), size, allocation_size: 4096 };
        let information = StreamInformation { streams: vec![entry("::$", 5), entry(":a", 6)] };
        let wire = hex("20000000 06000000 0500000000000000 0010000000000000 3a00 3a00 2400 0000
             00000000 04000000 0600000000000000 0010000000000000 3a00 6100");
        assert_eq!(information.to_bytes(), wire);
        assert_eq!(StreamInformation::parse(&wire).unwrap(), information);
        for cut in 1..wire.len() {
            assert!(StreamInformation::parse(&wire[..cut]).is_err(), "cut to {cut} bytes");
        }
        assert_eq!(StreamInformation::parse(&[]).unwrap(), StreamInformation::default());
    }
}
