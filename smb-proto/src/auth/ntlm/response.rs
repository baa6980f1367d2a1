//! The NTLMv2 response — [MS-NLMP] 2.2.2.7, 2.2.2.8, 3.3.2.

use super::{TargetInfo, keys::hmac_md5};
use crate::{
    auth::{AuthError, NtHash, SessionKey, secret},
    codec::{
        num::{Parsed, array, fixed, le_u8, le_u64},
        utf16,
    },
    error::ParseError,
};
use bytes::BufMut;
use zeroize::Zeroizing;

/// NTLMv2_CLIENT_CHALLENGE, "temp" in the specification's formulas — [MS-NLMP] 2.2.2.7.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientChallenge {
    /// The server's timestamp where it sent one, else the client's, as a FILETIME.
    pub time: u64,
    /// Eight random bytes.
    pub challenge: [u8; 8],
    /// The server's AV pairs with the client's additions.
    pub target_info: TargetInfo,
}

impl ClientChallenge {
    /// Reads the structure; bytes behind the list are allowed.
    pub fn parse(input: &[u8]) -> Result<Self, ParseError> {
        const WHAT: &str = "NTLMv2_CLIENT_CHALLENGE";
        let (input, kind) = fixed(WHAT, input, le_u8)?;
        let (input, highest) = fixed(WHAT, input, le_u8)?;
        if (kind, highest) != (1, 1) {
            return Err(ParseError::Value { what: "RespType", value: kind.into() });
        }
        let (input, (time, challenge)) = fixed(WHAT, input, client_challenge)?;
        let (_, target_info) = TargetInfo::parse_prefix(input)?;
        Ok(Self { time, challenge, target_info: target_info.check()? })
    }

    /// Writes the structure with the four zero bytes that section 3.3.2 puts behind it.
    pub fn emit(&self) -> Vec<u8> {
        let mut out = vec![1, 1, 0, 0, 0, 0, 0, 0];
        out.put_u64_le(self.time);
        out.put_slice(&self.challenge);
        out.put_u32_le(0);
        self.target_info.emit(&mut out);
        out.put_u32_le(0);
        out
    }
}

fn client_challenge(input: &[u8]) -> Parsed<'_, (u64, [u8; 8])> {
    let (input, _reserved1_and_2) = array::<6>(input)?;
    let (input, time) = le_u64(input)?;
    let (input, challenge) = array(input)?;
    let (input, _reserved3) = array::<4>(input)?;
    Ok((input, (time, challenge)))
}

/// NTLMv2_RESPONSE — [MS-NLMP] 2.2.2.8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ntlmv2Response {
    /// NTProofStr.
    pub proof: [u8; 16],
    /// What the proof covers, as it was sent.
    pub temp: Vec<u8>,
}

impl Ntlmv2Response {
    /// Splits an NtChallengeResponse. Its length is all that tells the versions apart.
    pub fn parse(nt_response: &[u8]) -> Result<Self, AuthError> {
        if nt_response.len() <= 24 {
            return Err(AuthError::Ntlmv1);
        }
        let (temp, proof) = fixed("NTLMv2_RESPONSE", nt_response, array::<16>)?;
        Ok(Self { proof, temp: temp.to_vec() })
    }

    /// Writes it.
    pub fn emit(&self) -> Vec<u8> {
        [self.proof.as_slice(), &self.temp].concat()
    }

    /// Computes the response to `server_challenge`.
    pub(super) fn compute(key: &[u8; 16], server_challenge: [u8; 8], temp: Vec<u8>) -> Self {
        Self { proof: hmac_md5(key, &[&server_challenge, &temp]), temp }
    }

    /// Whether the response was made with `key`.
    pub(super) fn verify(&self, key: &[u8; 16], server_challenge: [u8; 8]) -> bool {
        let expected = hmac_md5(key, &[&server_challenge, &self.temp]);
        secret::same(&expected, &self.proof)
    }

    /// SessionBaseKey, which is the KeyExchangeKey too with NTLMv2 (3.4.5.1).
    pub(super) fn session_base_key(&self, key: &[u8; 16]) -> SessionKey {
        SessionKey::from_bytes(hmac_md5(key, &[&self.proof]))
    }
}

/// NTOWFv2, which is LMOWFv2 too: the key of the response.
pub(super) fn ntowf_v2(hash: &NtHash, user: &str, domain: &str) -> Zeroizing<[u8; 16]> {
    let name = utf16::to_bytes(&upper(user));
    Zeroizing::new(hmac_md5(hash.as_bytes(), &[&name, &utf16::to_bytes(domain)]))
}

/// Upper case as Windows does it: unit by unit. What would become several characters, and what lies
/// beyond the first plane, stays.
fn upper(name: &str) -> String {
    name.chars()
        .map(|c| {
            let mut upper = c.to_uppercase();
            match (upper.next(), upper.next()) {
                (Some(single), None) if c.len_utf16() == 1 && single.len_utf16() == 1 => single,
                _ => c,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::upper;

    #[test]
    fn upper_case_keeps_the_number_of_units() {
        assert_eq!(upper("Straße-élan-ж"), "STRAßE-ÉLAN-Ж");
        assert_eq!(upper("\u{10428}"), "\u{10428}");
    }
}
