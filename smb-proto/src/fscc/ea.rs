//! Extended attributes — [MS-FSCC] 2.4.15, 2.4.15.1.

use super::{Information, class::FileInformationClass};
use crate::{
    codec::{
        chain,
        num::{fixed, le_u8, le_u16, le_u32, len16, len32, take},
    },
    error::ParseError,
    msg::InfoType,
};
use bytes::BufMut;
use nom::Parser;

/// One extended attribute.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExtendedAttribute {
    /// FILE_NEED_EA: a client that does not understand it must not use the file.
    pub need_ea: bool,
    /// Its name, ASCII, at most 254 bytes.
    pub name: Vec<u8>,
    /// Its value, at most 65,535 bytes, behind which it would be cut; empty to delete it.
    pub value: Vec<u8>,
}

/// FileFullEaInformation — [MS-FSCC] 2.4.15; also the data of SMB2_CREATE_EA_BUFFER.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FullEaInformation {
    /// The attributes.
    pub attributes: Vec<ExtendedAttribute>,
}

const WHAT: &str = "FileFullEaInformation";
const FIXED: usize = 8;
const FILE_NEED_EA: u8 = 0x80;

fn pad4(len: usize) -> usize {
    len.wrapping_neg() & 3
}

fn len8(len: usize) -> u8 {
    u8::try_from(len).unwrap_or(u8::MAX)
}

impl ExtendedAttribute {
    fn parse(record: &[u8]) -> Result<Self, ParseError> {
        let (rest, (_, flags, name_len, value_len)) = fixed(WHAT, record, (le_u32, le_u8, le_u8, le_u16))?;
        let (_, (name, _, value)) = fixed(WHAT, rest, (take(name_len), le_u8, take(value_len)))?;
        Ok(Self { need_ea: flags & FILE_NEED_EA != 0, name: name.to_vec(), value: value.to_vec() })
    }

    fn len(&self) -> usize {
        FIXED + self.name.len() + 1 + self.value.len()
    }

    fn emit(&self, next: usize, out: &mut impl BufMut) {
        out.put_u32_le(len32(next));
        out.put_u8(if self.need_ea { FILE_NEED_EA } else { 0 });
        out.put_u8(len8(self.name.len()));
        out.put_u16_le(len16(self.value.len()));
        out.put_slice(&self.name);
        out.put_u8(0);
        out.put_slice(&self.value);
    }
}

impl Information for FullEaInformation {
    const INFO_TYPE: InfoType = InfoType::FILE;
    const CLASS: u8 = FileInformationClass::FULL_EA.0;

    fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let records = chain::records(WHAT, bytes, FIXED, chain::leading_u32);
        let attributes = records.map(|record| ExtendedAttribute::parse(record?)).collect::<Result<_, _>>()?;
        Ok(Self { attributes })
    }

    fn emit(&self, out: &mut impl BufMut) {
        for (index, attribute) in self.attributes.iter().enumerate() {
            let last = index + 1 == self.attributes.len();
            let padding = if last { 0 } else { pad4(attribute.len()) };
            attribute.emit(if last { 0 } else { attribute.len() + padding }, out);
            out.put_bytes(0, padding);
        }
    }
}

/// FILE_GET_EA_INFORMATION — [MS-FSCC] 2.4.15.1: the names wanted, as the input of a QUERY_INFO.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GetEaList {
    /// The names, ASCII.
    pub names: Vec<Vec<u8>>,
}

impl GetEaList {
    /// Reads the input of a QUERY_INFO.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        const WHAT: &str = "FILE_GET_EA_INFORMATION";
        let name = |record| {
            let (rest, (_, len)) = fixed(WHAT, record, (le_u32, le_u8))?;
            fixed(WHAT, rest, (take(len), le_u8).map(|(name, _): (&[u8], u8)| name.to_vec()))
                .map(|(_, name)| name)
        };
        let records = chain::records(WHAT, bytes, 6, chain::leading_u32);
        Ok(Self { names: records.map(|record| name(record?)).collect::<Result<_, _>>()? })
    }

    /// The input of a QUERY_INFO.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (index, name) in self.names.iter().enumerate() {
            let last = index + 1 == self.names.len();
            let len = 6 + name.len();
            let padding = if last { 0 } else { pad4(len) };
            out.put_u32_le(if last { 0 } else { len32(len + padding) });
            out.put_u8(len8(name.len()));
            out.put_slice(name);
            out.put_bytes(0, 1 + padding);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::field::testing::hex;

    #[test]
    fn attributes() {
        let attribute = |need_ea, name: &[u8], value: &[u8]| ExtendedAttribute {
            need_ea,
            name: name.into(),
            value: value.into(),
        };
        let information = FullEaInformation {
            attributes: vec![attribute(true, b"AB", b"xyz"), attribute(false, b"C", b"")],
        };
        let wire = hex("10000000 80 02 0300 4142 00 78797a 0000  00000000 00 01 0000 43 00");
        assert_eq!(information.to_bytes(), wire);
        assert_eq!(FullEaInformation::parse(&wire).unwrap(), information);
        assert!((1..wire.len()).all(|cut| FullEaInformation::parse(&wire[..cut]).is_err()));
    }

    #[test]
    fn names_wanted() {
        let list = GetEaList { names: vec![b"AB".into(), b"C".into()] };
        let wire = hex("08000000 02 4142 00  00000000 01 43 00");
        assert_eq!(list.to_bytes(), wire);
        assert_eq!(GetEaList::parse(&wire).unwrap(), list);
        assert!((1..wire.len()).all(|cut| GetEaList::parse(&wire[..cut]).is_err()));
    }
}
