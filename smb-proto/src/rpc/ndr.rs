//! Network data representation, NDR 2.0 — C706 chapter 14, [MS-RPCE] 2.2.5: numbers, pointers, strings and arrays, as
//! srvsvc needs them.

use crate::{
    codec::{
        num::{len32, size},
        utf16,
    },
    error::ParseError,
};
use bytes::BufMut;

/// The longest string that is read, in UTF-16 units with its terminator.
const LONGEST_STRING: usize = 32 * 1024;

/// What was read of a stub: alignment counts from its first byte.
pub(super) struct Reader<'a> {
    what: &'static str,
    stub: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(what: &'static str, stub: &'a [u8]) -> Self {
        Self { what, stub, at: 0 }
    }

    pub(super) fn bytes(&mut self, len: usize) -> Result<&'a [u8], ParseError> {
        let end = self.at.checked_add(len);
        let bytes = end.and_then(|end| self.stub.get(self.at..end));
        let bytes = bytes.ok_or(ParseError::Truncated { what: self.what })?;
        self.at += len;
        Ok(bytes)
    }

    fn align4(&mut self) {
        self.at = self.at.next_multiple_of(4);
    }

    pub(super) fn u32(&mut self) -> Result<u32, ParseError> {
        self.align4();
        let what = self.what;
        let bytes = self.bytes(4)?.first_chunk().ok_or(ParseError::Truncated { what })?;
        Ok(u32::from_le_bytes(*bytes))
    }

    /// A unique pointer: whether it points to something, which follows later.
    pub(super) fn pointer(&mut self) -> Result<bool, ParseError> {
        Ok(self.u32()? != 0)
    }

    fn wrong(&self, value: u32) -> ParseError {
        ParseError::Value { what: self.what, value: value.into() }
    }

    /// A conformant array of bytes.
    pub(super) fn byte_array(&mut self) -> Result<&'a [u8], ParseError> {
        let len = self.u32()?;
        self.bytes(size(len))
    }

    /// A conformant and varying string of UTF-16, with or without its terminator.
    pub(super) fn string(&mut self) -> Result<String, ParseError> {
        let (most, offset, count) = (self.u32()?, self.u32()?, self.u32()?);
        if offset != 0 || count > most || size(count) > LONGEST_STRING {
            return Err(self.wrong(count));
        }
        let units = self.bytes(2 * size(count))?;
        utf16::decode(self.what, units.strip_suffix(&[0, 0]).filter(|_| count > 0).unwrap_or(units))
    }

    /// The string a pointer read before points to.
    pub(super) fn string_if(&mut self, is_there: bool) -> Result<Option<String>, ParseError> {
        if is_there { self.string().map(Some) } else { Ok(None) }
    }
}

/// Writes a stub. Referents are numbered as Samba does, upwards from 0x20000.
pub(super) struct Writer {
    stub: Vec<u8>,
    referents: u32,
}

impl Writer {
    /// The first pointer is the `referents`th of the call, counted from zero.
    pub(super) const fn new(referents: u32) -> Self {
        Self { stub: Vec::new(), referents }
    }

    pub(super) fn u32(&mut self, value: u32) {
        let padding = self.stub.len().wrapping_neg() & 3;
        self.stub.put_bytes(0, padding);
        self.stub.put_u32_le(value);
    }

    pub(super) fn pointer(&mut self, is_there: bool) {
        if !is_there {
            return self.u32(0);
        }
        self.u32(0x0002_0000 | self.referents.wrapping_mul(4));
        self.referents = self.referents.wrapping_add(1);
    }

    pub(super) fn byte_array(&mut self, bytes: &[u8]) {
        self.u32(len32(bytes.len()));
        self.stub.put_slice(bytes);
    }

    pub(super) fn string(&mut self, text: &str) {
        let units = len32(utf16::encoded_len(text) / 2 + 1);
        [units, 0, units].into_iter().for_each(|number| self.u32(number));
        utf16::encode(text, &mut self.stub);
        self.stub.put_u16_le(0);
    }

    pub(super) fn string_if(&mut self, text: Option<&str>) {
        if let Some(text) = text {
            self.string(text);
        }
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.stub
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::field::testing::hex;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn round_trip(text in any::<String>(), bytes in prop::collection::vec(any::<u8>(), 0..9), number: u32) {
            let mut writer = Writer::new(0);
            writer.pointer(true);
            writer.string(&text);
            writer.byte_array(&bytes);
            writer.u32(number);
            let stub = writer.finish();
            let read = |stub| {
                let mut reader = Reader::new("test", stub);
                Ok::<_, ParseError>((reader.pointer()?, reader.string()?, reader.byte_array()?, reader.u32()?))
            };
            prop_assert_eq!(read(&stub).unwrap(), (true, text, &bytes[..], number));
            prop_assert!((0..stub.len()).all(|cut| read(&stub[..cut]).is_err()));
        }
    }

    #[test]
    fn strings_as_samba_writes_them() {
        let mut writer = Writer::new(2);
        writer.pointer(false);
        writer.pointer(true);
        writer.string("IPC$");
        writer.u32(7);
        let stub = writer.finish();
        assert_eq!(
            stub,
            hex("00000000 08000200 05000000 00000000 05000000 4900 5000 4300 2400 0000 0000 07000000")
        );
    }

    #[test]
    fn counts_that_cannot_be_are_refused() {
        for (stub, why) in [
            ("01000000 00000000 02000000 4100 0000", "more than announced"),
            ("02000000 01000000 01000000 0000", "an offset"),
            ("ffffffff 00000000 ffffffff 4100 0000", "huge"),
            ("02000000 00000000 02000000 4100", "cut"),
            ("01000000 00000000 01000000 00d8", "half a character"),
        ] {
            assert!(Reader::new("test", &hex(stub)).string().is_err(), "{why}");
        }
        let unterminated = hex("04000000 00000000 01000000 4100");
        assert_eq!(Reader::new("test", &unterminated).string().unwrap(), "A");
        let empty = hex("00000000 00000000 00000000");
        assert_eq!(Reader::new("test", &empty).string().unwrap(), "");
    }
}
