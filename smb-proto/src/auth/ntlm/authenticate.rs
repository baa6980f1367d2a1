//! AUTHENTICATE_MESSAGE — [MS-NLMP] 2.2.1.3.

use super::{
    NegotiateFlags, Version,
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

const KIND: u32 = 3;
const WHAT: &str = "NTLM AUTHENTICATE";
/// Where Version stands, and where the payload begins if it does not.
const VERSION_OFFSET: u32 = 64;
/// Where the MIC stands, and where the payload begins if it does not.
pub(super) const MIC_OFFSET: usize = 72;
/// Where the payload begins behind a MIC.
const PAYLOAD_OFFSET: usize = 88;

/// The client's second message: who it is, and its answer to the challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authenticate {
    /// What was agreed on.
    pub flags: NegotiateFlags,
    /// LmChallengeResponse.
    pub lm_response: Vec<u8>,
    /// NtChallengeResponse; see [`Ntlmv2Response`](super::Ntlmv2Response).
    pub nt_response: Vec<u8>,
    /// The domain of the user.
    pub domain: String,
    /// The user's name.
    pub user: String,
    /// The client's name.
    pub workstation: String,
    /// EncryptedRandomSessionKey; empty without a key exchange.
    pub encrypted_session_key: Vec<u8>,
    /// For debugging; zeros where the sender left it out.
    pub version: Version,
    /// The MIC field, where there is room for one. Whether it means anything, the AV pairs of the response say.
    pub mic: Option<[u8; 16]>,
}

fn fixed_part(input: &[u8]) -> Parsed<'_, ([Field; 6], NegotiateFlags)> {
    let (input, lm) = Field::parse(input)?;
    let (input, nt) = Field::parse(input)?;
    let (input, domain) = Field::parse(input)?;
    let (input, user) = Field::parse(input)?;
    let (input, workstation) = Field::parse(input)?;
    let (input, key) = Field::parse(input)?;
    let (input, flags) = le_u32(input)?;
    Ok((input, ([lm, nt, domain, user, workstation, key], NegotiateFlags(flags))))
}

impl Authenticate {
    /// Reads a message. One without UNICODE is refused: none of our time sends it.
    pub fn parse(message: &[u8]) -> Result<Self, ParseError> {
        let input = head(WHAT, KIND, message)?;
        let (input, (fields, flags)) = fixed(WHAT, input, fixed_part)?;
        let [lm, nt, domain, user, workstation, key] = fields;
        if !flags.contains(NegotiateFlags::UNICODE) {
            return Err(ParseError::Value { what: "NegotiateFlags", value: flags.0.into() });
        }
        let (version, mic) = optional_part(input, payload_start(&fields))?;
        Ok(Self {
            flags,
            lm_response: lm.bytes("LmChallengeResponse", message)?.to_vec(),
            nt_response: nt.bytes("NtChallengeResponse", message)?.to_vec(),
            domain: text("DomainName", domain, message)?,
            user: text("UserName", user, message)?,
            workstation: text("Workstation", workstation, message)?,
            encrypted_session_key: key.bytes("EncryptedRandomSessionKey", message)?.to_vec(),
            version,
            mic,
        })
    }

    /// Writes the message.
    pub fn emit(&self) -> Vec<u8> {
        let fixed_len = if self.mic.is_some() { PAYLOAD_OFFSET } else { MIC_OFFSET };
        let mut out = Writer::new(KIND, fixed_len);
        // Descriptors are written in the order of the fixed part, payloads in the same order.
        out.field(&self.lm_response);
        out.field(&self.nt_response);
        out.field(&utf16::to_bytes(&self.domain));
        out.field(&utf16::to_bytes(&self.user));
        out.field(&utf16::to_bytes(&self.workstation));
        out.field(&self.encrypted_session_key);
        out.fixed().put_u32_le(self.flags.0);
        self.version.emit(out.fixed());
        if let Some(mic) = self.mic {
            out.fixed().put_slice(&mic);
        }
        out.finish()
    }
}

/// Where the payload begins: nothing else tells whether Version and MIC are there.
fn payload_start(fields: &[Field; 6]) -> u32 {
    let used = fields.iter().filter(|field| field.len != 0);
    used.map(|field| field.offset).min().unwrap_or(VERSION_OFFSET)
}

fn optional_part(input: &[u8], payload: u32) -> Result<(Version, Option<[u8; 16]>), ParseError> {
    let payload = usize::try_from(payload).unwrap_or(usize::MAX);
    if payload < MIC_OFFSET {
        return Ok((Version::default(), None));
    }
    let (input, version) = fixed(WHAT, input, Version::parse)?;
    if payload < PAYLOAD_OFFSET {
        return Ok((version, None));
    }
    let (_, mic) = fixed(WHAT, input, array::<16>)?;
    Ok((version, Some(mic)))
}
