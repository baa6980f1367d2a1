//! A strict DER reader and writer for the handful of types that SPNEGO uses.
//!
//! Written by hand: SPNEGO needs definite lengths, six tags and one object identifier type, while the
//! usual crates bring a derive macro and a tree several times this file. Strict: lengths are minimal, of at
//! most three bytes, and may not leave their parent.

use super::AuthError;

/// INTEGER-like tag of negState.
pub(super) const ENUMERATED: u8 = 0x0a;
/// OBJECT IDENTIFIER.
pub(super) const OID: u8 = 0x06;
/// OCTET STRING.
pub(super) const OCTET_STRING: u8 = 0x04;
/// GeneralString, the type of the hint name.
pub(super) const GENERAL_STRING: u8 = 0x1b;
/// SEQUENCE and SEQUENCE OF.
pub(super) const SEQUENCE: u8 = 0x30;
/// The GSS-API InitialContextToken frame (RFC 2743 section 3.1).
pub(super) const APPLICATION_0: u8 = 0x60;

/// The tag of an explicitly tagged field.
pub(super) const fn context(number: u8) -> u8 {
    0xa0 | number
}

const SHORT: AuthError = AuthError::Token("DER value is cut short");
const LENGTH: AuthError = AuthError::Token("DER length is not in its shortest form");

/// A position in a series of DER values.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The tag of the next value, if there is one.
    pub(super) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// The next value, tag and content.
    pub(super) fn any(&mut self) -> Result<(u8, &'a [u8]), AuthError> {
        let (&tag, rest) = self.rest.split_first().ok_or(SHORT)?;
        if tag & 0x1f == 0x1f {
            return Err(AuthError::Token("DER tag of more than one byte"));
        }
        let (len, rest) = length(rest)?;
        let (content, rest) = rest.split_at_checked(len).ok_or(SHORT)?;
        self.rest = rest;
        Ok((tag, content))
    }

    /// The content of the next value, which must have `tag`.
    pub(super) fn expect(&mut self, tag: u8) -> Result<&'a [u8], AuthError> {
        match self.any()? {
            (found, content) if found == tag => Ok(content),
            _ => Err(AuthError::Token("unexpected DER tag")),
        }
    }

    /// As [`expect`](Self::expect), with the tag and length in front, for digests over the encoding.
    pub(super) fn expect_raw(&mut self, tag: u8) -> Result<(&'a [u8], &'a [u8]), AuthError> {
        let before = self.rest;
        let content = self.expect(tag)?;
        let used = before.len().saturating_sub(self.rest.len());
        Ok((before.get(..used).unwrap_or(before), content))
    }

    /// The content of an explicitly tagged field, if it comes next.
    pub(super) fn optional(&mut self, number: u8) -> Result<Option<Self>, AuthError> {
        if self.peek() != Some(context(number)) {
            return Ok(None);
        }
        self.any().map(|(_, content)| Some(Self::new(content)))
    }

    /// Checks that nothing is left.
    pub(super) fn finish(&self) -> Result<(), AuthError> {
        if self.rest.is_empty() { Ok(()) } else { Err(AuthError::Token("bytes behind a DER value")) }
    }
}

fn length(input: &[u8]) -> Result<(usize, &[u8]), AuthError> {
    let (&first, rest) = input.split_first().ok_or(SHORT)?;
    if first < 0x80 {
        return Ok((first.into(), rest));
    }
    let count = usize::from(first & 0x7f);
    if count == 0 || count > 3 {
        return Err(AuthError::Token("DER length is indefinite or too large"));
    }
    let (bytes, rest) = rest.split_at_checked(count).ok_or(SHORT)?;
    let len = bytes.iter().fold(0_usize, |len, &byte| (len << 8) | usize::from(byte));
    let shortest = len >= 0x80 && bytes.first() != Some(&0);
    if shortest { Ok((len, rest)) } else { Err(LENGTH) }
}

/// A value of `tag` around `content`.
pub(super) fn value(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len().saturating_add(5));
    out.push(tag);
    let bytes = content.len().to_be_bytes();
    let significant: Vec<u8> = bytes.iter().copied().skip_while(|&byte| byte == 0).collect();
    match significant.as_slice() {
        [] => out.push(0),
        [short] if *short < 0x80 => out.push(*short),
        long => {
            out.push(0x80 | u8::try_from(long.len()).unwrap_or(0x7f));
            out.extend_from_slice(long);
        }
    }
    out.extend_from_slice(content);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_both_ways() {
        for len in [0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x1_0000] {
            let encoded = value(OCTET_STRING, &vec![7; len]);
            let mut reader = Reader::new(&encoded);
            assert_eq!(reader.expect(OCTET_STRING).unwrap().len(), len);
            reader.finish().unwrap();
            for cut in [0, 1, encoded.len() - 1] {
                assert!(len == 0 && cut == encoded.len() || Reader::new(&encoded[..cut]).any().is_err());
            }
        }
    }

    #[test]
    fn refuses_what_der_forbids() {
        for bad in [
            &[0x04, 0x80][..],                     // indefinite
            &[0x04, 0x81, 0x01, 0xaa],             // not the shortest form
            &[0x04, 0x82, 0x00, 0x80],             // leading zero
            &[0x04, 0x84, 0, 0, 0, 1, 0xaa],       // too many length bytes
            &[0x04, 0x83, 0xff, 0xff, 0xff, 0x00], // leaves the input
            &[0x1f, 0x01, 0x00],                   // long tag
        ] {
            assert!(Reader::new(bad).any().is_err(), "{bad:x?}");
        }
    }
}
