//! NEGOTIATE_MESSAGE — [MS-NLMP] 2.2.1.1.

use super::{
    NegotiateFlags, Version,
    message::{Field, Writer, head},
};
use crate::{
    codec::num::{fixed, le_u32},
    error::ParseError,
};
use bytes::BufMut;

const KIND: u32 = 1;
const WHAT: &str = "NTLM NEGOTIATE";

/// The client's first message: what it can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Negotiate {
    /// What the client asks for. The flags of VERSION, DOMAIN_SUPPLIED and WORKSTATION_SUPPLIED say what the other fields
    /// hold: `emit` sets them.
    pub flags: NegotiateFlags,
    /// The client's domain in the OEM character set, empty where it does not say.
    pub domain: Vec<u8>,
    /// The client's name in the OEM character set, empty where it does not say.
    pub workstation: Vec<u8>,
    /// For debugging.
    pub version: Option<Version>,
}

impl Negotiate {
    /// Reads a message.
    pub fn parse(message: &[u8]) -> Result<Self, ParseError> {
        let input = head(WHAT, KIND, message)?;
        let (input, flags) = fixed(WHAT, input, le_u32)?;
        let flags = NegotiateFlags(flags);
        let (input, domain) = fixed(WHAT, input, Field::parse)?;
        let (input, workstation) = fixed(WHAT, input, Field::parse)?;
        let version = match flags.contains(NegotiateFlags::VERSION) {
            true => Some(fixed(WHAT, input, Version::parse)?.1),
            false => None,
        };
        let domain = supplied(flags, NegotiateFlags::DOMAIN_SUPPLIED, domain, message)?;
        let workstation = supplied(flags, NegotiateFlags::WORKSTATION_SUPPLIED, workstation, message)?;
        Ok(Self { flags: describing(flags, &domain, &workstation), domain, workstation, version })
    }

    /// Writes the message.
    pub fn emit(&self) -> Vec<u8> {
        let fixed_len = if self.version.is_some() { 40 } else { 32 };
        let flags = describing(self.flags, &self.domain, &self.workstation)
            .with(NegotiateFlags::VERSION, self.version.is_some());
        let mut out = Writer::new(KIND, fixed_len);
        out.fixed().put_u32_le(flags.0);
        out.field(&self.domain);
        out.field(&self.workstation);
        if let Some(version) = self.version {
            version.emit(out.fixed());
        }
        out.finish()
    }
}

/// A name that is supplied and empty is none.
fn describing(flags: NegotiateFlags, domain: &[u8], workstation: &[u8]) -> NegotiateFlags {
    flags
        .with(NegotiateFlags::DOMAIN_SUPPLIED, !domain.is_empty())
        .with(NegotiateFlags::WORKSTATION_SUPPLIED, !workstation.is_empty())
}

/// The fields of a name that is not supplied hold anything and are not looked at.
fn supplied(
    flags: NegotiateFlags,
    flag: NegotiateFlags,
    field: Field,
    message: &[u8],
) -> Result<Vec<u8>, ParseError> {
    if flags.contains(flag) { field.bytes(WHAT, message).map(<[u8]>::to_vec) } else { Ok(Vec::new()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_name_is_not_supplied() {
        let plain = Negotiate {
            flags: NegotiateFlags::UNICODE,
            domain: Vec::new(),
            workstation: Vec::new(),
            version: None,
        };
        let mut wire = plain.emit();
        wire[13] |= 0x30;
        assert_eq!(Negotiate::parse(&wire).unwrap(), plain);
    }
}
