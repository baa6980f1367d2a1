//! What the three messages share: signature, type, payload descriptors, Version.

use crate::{
    codec::{
        Body,
        num::{Parsed, array, fixed, le_u8, le_u16, le_u32},
    },
    error::ParseError,
};
use bytes::BufMut;

const SIGNATURE: [u8; 8] = *b"NTLMSSP\0";
/// What every message begins with: the signature and MessageType.
const HEADER: usize = 12;

/// Whether a token is an NTLM message that stands alone, without SPNEGO around it.
pub fn is_ntlmssp(token: &[u8]) -> bool {
    token.starts_with(&SIGNATURE)
}

/// Version — [MS-NLMP] 2.2.2.10. For debugging only; nothing may depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Version {
    /// ProductMajorVersion.
    pub major: u8,
    /// ProductMinorVersion.
    pub minor: u8,
    /// ProductBuild.
    pub build: u16,
    /// NTLMRevisionCurrent.
    pub revision: u8,
}

impl Version {
    /// What we send: the version that Samba sends too, with the only NTLM revision there is.
    pub const OURS: Self = Self { major: 6, minor: 1, build: 0, revision: 15 };

    pub(super) fn parse(input: &[u8]) -> Parsed<'_, Self> {
        let (input, major) = le_u8(input)?;
        let (input, minor) = le_u8(input)?;
        let (input, build) = le_u16(input)?;
        let (input, _reserved) = array::<3>(input)?;
        let (input, revision) = le_u8(input)?;
        Ok((input, Self { major, minor, build, revision }))
    }

    pub(super) fn emit(&self, out: &mut impl BufMut) {
        out.put_u8(self.major);
        out.put_u8(self.minor);
        out.put_u16_le(self.build);
        out.put_bytes(0, 3);
        out.put_u8(self.revision);
    }
}

/// Checks signature and MessageType and returns what follows them.
pub(super) fn head<'a>(what: &'static str, kind: u32, input: &'a [u8]) -> Result<&'a [u8], ParseError> {
    let (input, signature) = fixed(what, input, array::<8>)?;
    if signature != SIGNATURE {
        return Err(ParseError::Value { what: "NTLM signature", value: u64::from_le_bytes(signature) });
    }
    let (input, found) = fixed(what, input, le_u32)?;
    if found == kind {
        Ok(input)
    } else {
        Err(ParseError::Value { what: "NTLM MessageType", value: found.into() })
    }
}

/// Where a payload field lies: Len, MaxLen (ignored, as the specification asks) and BufferOffset.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    pub(super) len: u16,
    pub(super) offset: u32,
}

impl Field {
    pub(super) fn parse(input: &[u8]) -> Parsed<'_, Self> {
        let (input, len) = le_u16(input)?;
        let (input, _max_len) = le_u16(input)?;
        let (input, offset) = le_u32(input)?;
        Ok((input, Self { len, offset }))
    }

    pub(super) fn bytes<'a>(&self, what: &'static str, message: &'a [u8]) -> Result<&'a [u8], ParseError> {
        Body::over(message, HEADER).slice_at(what, self.offset, self.len)
    }
}

/// Builds a message: the fixed part grows in `fixed`, the payload behind it.
pub(super) struct Writer {
    fixed: Vec<u8>,
    payload: Vec<u8>,
    fixed_len: usize,
}

impl Writer {
    /// A message of `kind` whose fixed part will be `fixed_len` bytes long.
    pub(super) fn new(kind: u32, fixed_len: usize) -> Self {
        let mut fixed = Vec::with_capacity(fixed_len);
        fixed.put_slice(&SIGNATURE);
        fixed.put_u32_le(kind);
        Self { fixed, payload: Vec::new(), fixed_len }
    }

    /// Adds a descriptor to the fixed part and its bytes to the payload.
    pub(super) fn field(&mut self, bytes: &[u8]) {
        // Longer fields cannot be described; what the peer then reads is refused there, not cut in silence.
        let len = crate::codec::num::len16(bytes.len());
        let offset = self.fixed_len.saturating_add(self.payload.len());
        self.fixed.put_u16_le(len);
        self.fixed.put_u16_le(len);
        self.fixed.put_u32_le(crate::codec::num::len32(offset));
        self.payload.extend_from_slice(bytes);
    }

    /// The fixed part, to be written to.
    pub(super) fn fixed(&mut self) -> &mut Vec<u8> {
        &mut self.fixed
    }

    /// The whole message.
    pub(super) fn finish(mut self) -> Vec<u8> {
        debug_assert_eq!(self.fixed.len(), self.fixed_len);
        self.fixed.append(&mut self.payload);
        self.fixed
    }
}

/// A string of a message whose UNICODE flag was checked.
pub(super) fn text(what: &'static str, field: Field, message: &[u8]) -> Result<String, ParseError> {
    crate::codec::utf16::decode(what, field.bytes(what, message)?)
}
