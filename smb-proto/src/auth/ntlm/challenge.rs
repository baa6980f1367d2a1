//! CHALLENGE_MESSAGE — [MS-NLMP] 2.2.1.2.

use super::{
    NegotiateFlags, TargetInfo, Version,
    message::{Field, Writer, head, text},
};
use crate::{
    codec::{
        num::{Parsed, array, fixed, le_u32},
        utf16,
    },
    error::ParseError,
};
use bytes::BufMut;

const KIND: u32 = 2;
const WHAT: &str = "NTLM CHALLENGE";

/// The server's message: what it agrees to, its challenge, and who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// What the server agrees to. VERSION and TARGET_INFO are set by `emit`. UNICODE must be set.
    pub flags: NegotiateFlags,
    /// The domain or server that the client authenticates to.
    pub target_name: String,
    /// ServerChallenge.
    pub challenge: [u8; 8],
    /// Names and time of the server.
    pub target_info: Option<TargetInfo>,
    /// For debugging.
    pub version: Option<Version>,
}

fn fixed_part(input: &[u8]) -> Parsed<'_, (Field, NegotiateFlags, [u8; 8], Field)> {
    let (input, target_name) = Field::parse(input)?;
    let (input, flags) = le_u32(input)?;
    let (input, challenge) = array(input)?;
    let (input, _reserved) = array::<8>(input)?;
    let (input, target_info) = Field::parse(input)?;
    Ok((input, (target_name, NegotiateFlags(flags), challenge, target_info)))
}

impl Challenge {
    /// Reads a message. One without UNICODE is refused: none of our time sends it.
    pub fn parse(message: &[u8]) -> Result<Self, ParseError> {
        let input = head(WHAT, KIND, message)?;
        let (input, (target_name, flags, challenge, target_info)) = fixed(WHAT, input, fixed_part)?;
        if !flags.contains(NegotiateFlags::UNICODE) {
            return Err(ParseError::Value { what: "NegotiateFlags", value: flags.0.into() });
        }
        let version = match flags.contains(NegotiateFlags::VERSION) {
            true => Some(fixed(WHAT, input, Version::parse)?.1),
            false => None,
        };
        let target_info = match flags.contains(NegotiateFlags::TARGET_INFO) {
            true => Some(TargetInfo::parse_prefix(target_info.bytes("TargetInfo", message)?)?.1.check()?),
            false => None,
        };
        let target_name = text("TargetName", target_name, message)?;
        Ok(Self { flags, target_name, challenge, target_info, version })
    }

    /// Writes the message.
    pub fn emit(&self) -> Vec<u8> {
        let flags = self
            .flags
            .with(NegotiateFlags::VERSION, self.version.is_some())
            .with(NegotiateFlags::TARGET_INFO, self.target_info.is_some());
        let mut info = Vec::new();
        if let Some(target_info) = &self.target_info {
            target_info.emit(&mut info);
        }
        let mut out = Writer::new(KIND, if self.version.is_some() { 56 } else { 48 });
        out.field(&utf16::to_bytes(&self.target_name));
        out.fixed().put_u32_le(flags.0);
        out.fixed().put_slice(&self.challenge);
        out.fixed().put_bytes(0, 8);
        out.field(&info);
        if let Some(version) = self.version {
            version.emit(out.fixed());
        }
        out.finish()
    }
}
