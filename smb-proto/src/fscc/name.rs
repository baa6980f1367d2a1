//! Names of files — [MS-FSCC] 2.1.7, 2.4.5, 2.4.31, 2.4.34, 2.4.44.

use super::{Information, class::FileInformationClass};
use crate::{
    codec::{
        num::{Parsed, fixed, le_u32, len32, size, take},
        utf16,
    },
    error::ParseError,
    msg::InfoType,
};
use bytes::BufMut;
use nom::Parser;
use std::fmt;

/// A name that somebody else chose: of a directory's entry or of a stream. File systems store 16-bit units that need not
/// be valid UTF-16; such a name must not end a listing, and must come back as it was when the file is opened by it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct WideName {
    text: String,
    /// The units, where `text` had to replace some.
    units: Option<Vec<u16>>,
}

impl WideName {
    /// From the wire's bytes; an odd last byte is dropped.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let (units, _) = bytes.as_chunks::<2>();
        Self::from_units(units.iter().map(|unit| u16::from_le_bytes(*unit)).collect())
    }

    /// From 16-bit units.
    pub fn from_units(units: Vec<u16>) -> Self {
        match String::from_utf16(&units) {
            Ok(text) => Self { text, units: None },
            Err(_) => Self { text: String::from_utf16_lossy(&units), units: Some(units) },
        }
    }

    /// The name as text, with U+FFFD for what is not valid UTF-16.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether [`as_str`](Self::as_str) is not the whole truth: no path made from it finds the file.
    pub fn is_lossy(&self) -> bool {
        self.units.is_some()
    }

    /// The 16-bit units.
    pub fn units(&self) -> Vec<u16> {
        self.units.clone().unwrap_or_else(|| self.text.encode_utf16().collect())
    }

    /// Bytes on the wire.
    pub fn wire_len(&self) -> usize {
        match &self.units {
            Some(units) => units.len().saturating_mul(2),
            None => utf16::encoded_len(&self.text),
        }
    }

    pub(crate) fn emit(&self, out: &mut impl BufMut) {
        match &self.units {
            Some(units) => units.iter().for_each(|unit| out.put_u16_le(*unit)),
            None => utf16::encode(&self.text, out),
        }
    }
}

impl From<&str> for WideName {
    fn from(text: &str) -> Self {
        Self { text: text.to_owned(), units: None }
    }
}

impl From<String> for WideName {
    fn from(text: String) -> Self {
        Self { text, units: None }
    }
}

impl fmt::Display for WideName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq<str> for WideName {
    fn eq(&self, other: &str) -> bool {
        !self.is_lossy() && self.text == other
    }
}

/// A length and a name of that many bytes.
pub(crate) fn counted(i: &[u8]) -> Parsed<'_, &[u8]> {
    let (i, len) = le_u32(i)?;
    take(size(len)).parse(i)
}

pub(crate) fn parse_counted(what: &'static str, bytes: &[u8]) -> Result<String, ParseError> {
    utf16::decode(what, fixed(what, bytes, counted)?.1)
}

/// `bytes` with the length at `len_at` lowered to what there is of the name at `name_at`; half a character is left out.
pub(crate) fn as_cut(bytes: &[u8], len_at: usize, name_at: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let (units, _) = bytes.get(name_at..).unwrap_or(&[]).as_chunks::<2>();
    let is_half = units.last().is_some_and(|unit| (0xd800..0xdc00).contains(&u16::from_le_bytes(*unit)));
    let there = len32(2 * (units.len() - usize::from(is_half)));
    if let Some(len) = bytes.get_mut(len_at..).and_then(|rest| rest.first_chunk_mut())
        && u32::from_le_bytes(*len) > there
    {
        *len = there.to_le_bytes();
    }
    bytes
}

pub(crate) fn emit_counted(name: &str, out: &mut impl BufMut) {
    out.put_u32_le(len32(utf16::encoded_len(name)));
    utf16::encode(name, out);
}

macro_rules! name_information {
    ($(#[$doc:meta])* $name:ident: $class:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Default)]
        pub struct $name {
            /// The name.
            pub name: String,
        }

        impl Information for $name {
            const INFO_TYPE: InfoType = InfoType::FILE;
            const CLASS: u8 = FileInformationClass::$class.0;

            fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
                Ok(Self { name: parse_counted(stringify!($name), bytes)? })
            }

            fn parse_cut(bytes: &[u8]) -> Result<Self, ParseError> {
                Self::parse(&as_cut(bytes, 0, 4))
            }

            fn emit(&self, out: &mut impl BufMut) {
                emit_counted(&self.name, out);
            }
        }
    };
}

name_information!(
    /// FileNameInformation — [MS-FSCC] 2.4.31: the path from the share's root, with a leading `\`.
    NameInformation: NAME
);
name_information!(
    /// FileAlternateNameInformation — [MS-FSCC] 2.4.5: the 8.3 name.
    AlternateNameInformation: ALTERNATE_NAME
);
name_information!(
    /// FileNormalizedNameInformation — [MS-FSCC] 2.4.34: the path with every component's long name.
    NormalizedNameInformation: NORMALIZED_NAME
);
name_information!(
    /// FileShortNameInformation — [MS-FSCC] 2.4.44: sets the 8.3 name.
    ShortNameInformation: SHORT_NAME
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::field::testing::{check, hex};
    use proptest::prelude::*;

    #[test]
    fn counted_names() {
        let wire = hex("06000000 5c00 6100 e900");
        check(&NameInformation { name: "\\aé".into() }, &wire);
        check(&AlternateNameInformation { name: "\\aé".into() }, &wire);
        check(&NormalizedNameInformation { name: "\\aé".into() }, &wire);
        check(&ShortNameInformation { name: "\\aé".into() }, &wire);
        check(&NameInformation { name: String::new() }, &hex("00000000"));
    }

    #[test]
    fn of_a_name_that_was_cut_there_is_what_was_sent() {
        let wire = hex("0a000000 5c00 6100 3dd8 00de 6200");
        let cut_to = |len: usize| NameInformation::parse_cut(&wire[..len]).map(|cut| cut.name);
        assert_eq!(cut_to(14).unwrap(), "\\a\u{1f600}b");
        assert_eq!(cut_to(13).unwrap(), "\\a\u{1f600}", "an odd byte");
        for len in [8, 9, 10, 11] {
            assert_eq!(cut_to(len).unwrap(), "\\a", "half a character");
        }
        assert_eq!(cut_to(4).unwrap(), "");
        assert!((0..4).all(|len| cut_to(len).is_err()), "no length");
        assert!((0..14).all(|len| NameInformation::parse(&wire[..len]).is_err()), "not said to be cut");
    }

    #[test]
    fn invalid_utf16_is_kept() {
        let name = WideName::from_bytes(&hex("6100 00d8 6200"));
        assert!(name.is_lossy());
        assert_eq!(name.as_str(), "a\u{fffd}b");
        assert_eq!(name.units(), [0x61, 0xd800, 0x62]);
        assert!(name != *"a\u{fffd}b", "no path made of the text finds the file");
    }

    proptest! {
        #[test]
        fn any_units_come_back(units: Vec<u16>) {
            let name = WideName::from_units(units.clone());
            let mut wire = Vec::new();
            name.emit(&mut wire);
            prop_assert_eq!(wire.len(), name.wire_len());
            prop_assert_eq!(&WideName::from_bytes(&wire), &name);
            prop_assert_eq!(name.units(), units);
        }
    }
}
