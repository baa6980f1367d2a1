//! AV pairs — [MS-NLMP] 2.2.2.1.

use crate::{
    codec::{
        num::{Parsed, fixed, le_u16, len16, take},
        utf16,
    },
    error::ParseError,
};
use bytes::BufMut;
use nom::Parser;

/// AvId. Unknown ones survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AvId(pub u16);

impl AvId {
    /// The end of the list; never stored.
    pub const EOL: Self = Self(0);
    /// The server's NetBIOS name.
    pub const NB_COMPUTER_NAME: Self = Self(1);
    /// The server's NetBIOS domain name.
    pub const NB_DOMAIN_NAME: Self = Self(2);
    /// The server's DNS name.
    pub const DNS_COMPUTER_NAME: Self = Self(3);
    /// The server's DNS domain name.
    pub const DNS_DOMAIN_NAME: Self = Self(4);
    /// The DNS name of the forest.
    pub const DNS_TREE_NAME: Self = Self(5);
    /// Flags; see [`TargetInfo::flags`].
    pub const FLAGS: Self = Self(6);
    /// The server's time as a FILETIME.
    pub const TIMESTAMP: Self = Self(7);
    /// The client's machine identity.
    pub const SINGLE_HOST: Self = Self(8);
    /// The service principal name the client means to talk to.
    pub const TARGET_NAME: Self = Self(9);
    /// MD5 of the channel bindings, zeros for none.
    pub const CHANNEL_BINDINGS: Self = Self(10);
}

/// One AV pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AvPair {
    /// What it is.
    pub id: AvId,
    /// Its bytes.
    pub value: Vec<u8>,
}

/// A list of AV pairs, in the order they came, without the end mark.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TargetInfo(pub Vec<AvPair>);

/// More pairs than any peer sends.
const MAX_PAIRS: usize = 64;

/// Bit of MsvAvFlags: the message carries a MIC.
const FLAG_MIC: u32 = 0x2;

impl TargetInfo {
    /// Reads pairs up to the end mark, which must be there, and returns the bytes behind it.
    pub(super) fn parse_prefix(input: &[u8]) -> Result<(&[u8], Self), ParseError> {
        let mut pairs = Vec::new();
        let mut rest = input;
        loop {
            let (after, (id, value)) = fixed("AV_PAIR", rest, pair)?;
            rest = after;
            if id == AvId::EOL {
                return Ok((rest, Self(pairs)));
            }
            if pairs.len() == MAX_PAIRS {
                return Err(ParseError::TooLarge { what: "AV_PAIR list", len: 65, limit: 64 });
            }
            pairs.push(AvPair { id, value: value.to_vec() });
        }
    }

    /// Writes the pairs and the end mark.
    pub fn emit(&self, out: &mut impl BufMut) {
        for pair in &self.0 {
            out.put_u16_le(pair.id.0);
            out.put_u16_le(len16(pair.value.len()));
            out.put_slice(&pair.value);
        }
        out.put_u32_le(0);
    }

    /// The value of the first pair of that kind.
    pub fn get(&self, id: AvId) -> Option<&[u8]> {
        self.0.iter().find(|pair| pair.id == id).map(|pair| pair.value.as_slice())
    }

    /// The value of a pair that holds a name; `None` where there is none or it is no UTF-16.
    pub fn name(&self, id: AvId) -> Option<String> {
        utf16::decode("AV_PAIR name", self.get(id)?).ok()
    }

    /// Replaces the pairs of that kind with one, at the end.
    pub fn set(&mut self, id: AvId, value: Vec<u8>) {
        self.0.retain(|pair| pair.id != id);
        self.0.push(AvPair { id, value });
    }

    /// Adds a name.
    pub fn set_name(&mut self, id: AvId, name: &str) {
        self.set(id, utf16::to_bytes(name));
    }

    /// MsvAvTimestamp, a FILETIME.
    pub fn timestamp(&self) -> Option<u64> {
        Some(u64::from_le_bytes(self.get(AvId::TIMESTAMP)?.try_into().ok()?))
    }

    /// MsvAvFlags: 1 the account is constrained, 2 there is a MIC, 4 the target name is untrusted.
    pub fn flags(&self) -> u32 {
        let flags = || Some(u32::from_le_bytes(self.get(AvId::FLAGS)?.try_into().ok()?));
        flags().unwrap_or(0)
    }

    /// Whether the client says that its AUTHENTICATE message has a MIC.
    pub fn has_mic(&self) -> bool {
        self.flags() & FLAG_MIC != 0
    }

    /// Says that the AUTHENTICATE message has a MIC.
    pub fn announce_mic(&mut self) {
        let flags = self.flags() | FLAG_MIC;
        self.set(AvId::FLAGS, flags.to_le_bytes().to_vec());
    }

    /// The pairs with fixed sizes have them.
    pub(super) fn check(self) -> Result<Self, ParseError> {
        for pair in &self.0 {
            let len = match pair.id {
                AvId::FLAGS => 4,
                AvId::TIMESTAMP => 8,
                AvId::CHANNEL_BINDINGS => 16,
                _ => continue,
            };
            if pair.value.len() != len {
                return Err(ParseError::Value { what: "AV_PAIR AvLen", value: pair.id.0.into() });
            }
        }
        Ok(self)
    }
}

fn pair(input: &[u8]) -> Parsed<'_, (AvId, &[u8])> {
    let (input, id) = le_u16(input)?;
    let (input, len) = le_u16(input)?;
    let (input, value) = take(len).parse(input)?;
    Ok((input, (AvId(id), value)))
}
