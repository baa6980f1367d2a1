//! SMB2 NEGOTIATE_CONTEXT — [MS-SMB2] 2.2.3.1, 2.2.3.1.1–2.2.3.1.7; in a response 2.2.4.1, 2.2.4.1.1–2.2.4.1.7.

use crate::{
    codec::{
        num::{count, fixed, le_u16, le_u32, len16, pad8, size, take},
        utf16,
    },
    dialect::{Cipher, CompressionAlgorithm, HashAlgorithm, SigningAlgorithm},
    error::ParseError,
};
use bytes::BufMut;
use nom::Parser;

const PREAUTH: u16 = 1;
const ENCRYPTION: u16 = 2;
const COMPRESSION: u16 = 3;
const NETNAME: u16 = 5;
const TRANSPORT: u16 = 6;
const RDMA_TRANSFORM: u16 = 7;
const SIGNING: u16 = 8;
const CONTEXT_HEADER: usize = 8;

/// One negotiate context of dialect 3.1.1.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum NegotiateContext {
    /// SMB2_PREAUTH_INTEGRITY_CAPABILITIES — 2.2.3.1.1.
    Preauth {
        /// Hashes, by preference.
        hashes: Vec<HashAlgorithm>,
        /// Salt, so that no two connections hash alike.
        salt: Vec<u8>,
    },
    /// SMB2_ENCRYPTION_CAPABILITIES — 2.2.3.1.2.
    Encryption(
        /// Ciphers, by preference.
        Vec<Cipher>,
    ),
    /// SMB2_COMPRESSION_CAPABILITIES — 2.2.3.1.3.
    Compression {
        /// Whether compressed payloads may be chained.
        chained: bool,
        /// Algorithms, by preference.
        algorithms: Vec<CompressionAlgorithm>,
    },
    /// SMB2_NETNAME_NEGOTIATE_CONTEXT_ID — 2.2.3.1.4: the server's name as the client knows it.
    NetName(String),
    /// SMB2_TRANSPORT_CAPABILITIES — 2.2.3.1.5.
    Transport {
        /// SMB2_ACCEPT_TRANSPORT_LEVEL_SECURITY.
        accepts_transport_security: bool,
    },
    /// SMB2_RDMA_TRANSFORM_CAPABILITIES — 2.2.3.1.6: transform ids (none 0, encryption 1, signing 2).
    RdmaTransform(Vec<u16>),
    /// SMB2_SIGNING_CAPABILITIES — 2.2.3.1.7.
    Signing(
        /// Algorithms, by preference.
        Vec<SigningAlgorithm>,
    ),
    /// One that has no meaning here, as it came.
    Unknown {
        /// ContextType.
        kind: u16,
        /// Its data.
        data: Vec<u8>,
    },
}

impl NegotiateContext {
    /// ContextType.
    pub fn kind(&self) -> u16 {
        match self {
            Self::Preauth { .. } => PREAUTH,
            Self::Encryption(_) => ENCRYPTION,
            Self::Compression { .. } => COMPRESSION,
            Self::NetName(_) => NETNAME,
            Self::Transport { .. } => TRANSPORT,
            Self::RdmaTransform(_) => RDMA_TRANSFORM,
            Self::Signing(_) => SIGNING,
            Self::Unknown { kind, .. } => *kind,
        }
    }

    fn data_len(&self) -> usize {
        match self {
            Self::Preauth { hashes, salt } => 4 + 2 * hashes.len() + salt.len(),
            Self::Encryption(ciphers) => 2 + 2 * ciphers.len(),
            Self::Compression { algorithms, .. } => 8 + 2 * algorithms.len(),
            Self::NetName(name) => utf16::encoded_len(name),
            Self::Transport { .. } => 4,
            Self::RdmaTransform(ids) => 8 + 2 * ids.len(),
            Self::Signing(algorithms) => 2 + 2 * algorithms.len(),
            Self::Unknown { data, .. } => data.len(),
        }
    }

    fn emit(&self, out: &mut impl BufMut) {
        out.put_u16_le(self.kind());
        out.put_u16_le(len16(self.data_len()));
        out.put_u32_le(0);
        match self {
            Self::Preauth { hashes, salt } => {
                out.put_u16_le(len16(hashes.len()));
                out.put_u16_le(len16(salt.len()));
                hashes.iter().for_each(|hash| out.put_u16_le(hash.0));
                out.put_slice(salt);
            }
            Self::Encryption(ciphers) => {
                out.put_u16_le(len16(ciphers.len()));
                ciphers.iter().for_each(|cipher| out.put_u16_le(cipher.0));
            }
            Self::Compression { chained, algorithms } => {
                out.put_u16_le(len16(algorithms.len()));
                out.put_u16_le(0);
                out.put_u32_le((*chained).into());
                algorithms.iter().for_each(|algorithm| out.put_u16_le(algorithm.0));
            }
            Self::NetName(name) => utf16::encode(name, out),
            Self::Transport { accepts_transport_security } => {
                out.put_u32_le((*accepts_transport_security).into());
            }
            Self::RdmaTransform(ids) => {
                out.put_u16_le(len16(ids.len()));
                out.put_u16_le(0);
                out.put_u32_le(0);
                ids.iter().for_each(|id| out.put_u16_le(*id));
            }
            Self::Signing(algorithms) => {
                out.put_u16_le(len16(algorithms.len()));
                algorithms.iter().for_each(|algorithm| out.put_u16_le(algorithm.0));
            }
            Self::Unknown { data, .. } => out.put_slice(data),
        }
    }

    fn parse(kind: u16, data: &[u8]) -> Result<Self, ParseError> {
        match kind {
            PREAUTH => preauth(data),
            ENCRYPTION => counted(data, 0).map(|ids| Self::Encryption(ids.into_iter().map(Cipher).collect())),
            COMPRESSION => compression(data),
            NETNAME => Ok(Self::NetName(utf16::decode("NetName", data)?)),
            TRANSPORT => {
                let (_, flags) = fixed("transport capabilities", data, le_u32)?;
                Ok(Self::Transport { accepts_transport_security: flags & 1 != 0 })
            }
            RDMA_TRANSFORM => counted(data, 6).map(Self::RdmaTransform),
            SIGNING => {
                counted(data, 0).map(|ids| Self::Signing(ids.into_iter().map(SigningAlgorithm).collect()))
            }
            _ => Ok(Self::Unknown { kind, data: data.to_vec() }),
        }
    }
}

/// A count, `skip` bytes, and that many ids.
fn counted(data: &[u8], skip: usize) -> Result<Vec<u16>, ParseError> {
    const WHAT: &str = "algorithm list";
    let (rest, (number, _)) = fixed(WHAT, data, (le_u16, take(skip)))?;
    let (_, ids) = fixed(WHAT, rest, count(le_u16, number.into()))?;
    Ok(ids)
}

fn preauth(data: &[u8]) -> Result<NegotiateContext, ParseError> {
    const WHAT: &str = "preauth integrity capabilities";
    let (rest, (hashes, salt)) = fixed(WHAT, data, (le_u16, le_u16))?;
    let (_, (hashes, salt)) =
        fixed(WHAT, rest, (count(le_u16.map(HashAlgorithm), hashes.into()), take(salt)))?;
    Ok(NegotiateContext::Preauth { hashes, salt: salt.to_vec() })
}

fn compression(data: &[u8]) -> Result<NegotiateContext, ParseError> {
    const WHAT: &str = "compression capabilities";
    let (rest, (number, _, flags)) = fixed(WHAT, data, (le_u16, le_u16, le_u32))?;
    let (_, algorithms) = fixed(WHAT, rest, count(le_u16.map(CompressionAlgorithm), number.into()))?;
    Ok(NegotiateContext::Compression { chained: flags & 1 != 0, algorithms })
}

/// Bytes [`emit_all`] writes.
pub(crate) fn all_len(contexts: &[NegotiateContext]) -> usize {
    contexts.iter().fold(0, |len, context| len + pad8(len) + CONTEXT_HEADER + context.data_len())
}

/// Writes the contexts, each at a multiple of eight bytes from the first.
pub(crate) fn emit_all(contexts: &[NegotiateContext], out: &mut impl BufMut) {
    let mut len = 0;
    for context in contexts {
        out.put_bytes(0, pad8(len));
        len += pad8(len) + CONTEXT_HEADER + context.data_len();
        context.emit(out);
    }
}

/// Reads `number` contexts from `bytes`, which begins at the first.
pub(crate) fn parse_all(bytes: &[u8], number: u16) -> Result<Vec<NegotiateContext>, ParseError> {
    const WHAT: &str = "negotiate context";
    let mut contexts = Vec::new();
    let mut rest = bytes;
    for _ in 0..number {
        rest = rest.get(pad8(bytes.len() - rest.len())..).ok_or(ParseError::Truncated { what: WHAT })?;
        let (after, (kind, len, _)) = fixed(WHAT, rest, (le_u16, le_u16, le_u32))?;
        let (after, data) = fixed(WHAT, after, take(size(len.into())))?;
        contexts.push(NegotiateContext::parse(kind, data)?);
        rest = after;
    }
    Ok(contexts)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(crate) fn context() -> impl Strategy<Value = NegotiateContext> {
        let ids = || prop::collection::vec(any::<u16>(), 0..5);
        prop_oneof![
            (ids(), prop::collection::vec(any::<u8>(), 0..40)).prop_map(|(ids, salt)| {
                NegotiateContext::Preauth { hashes: ids.into_iter().map(HashAlgorithm).collect(), salt }
            }),
            ids().prop_map(|ids| NegotiateContext::Encryption(ids.into_iter().map(Cipher).collect())),
            (any::<bool>(), ids()).prop_map(|(chained, ids)| NegotiateContext::Compression {
                chained,
                algorithms: ids.into_iter().map(CompressionAlgorithm).collect()
            }),
            "[a-zé-]{0,12}".prop_map(NegotiateContext::NetName),
            any::<bool>()
                .prop_map(|accepts| NegotiateContext::Transport { accepts_transport_security: accepts }),
            ids().prop_map(NegotiateContext::RdmaTransform),
            ids().prop_map(|ids| NegotiateContext::Signing(ids.into_iter().map(SigningAlgorithm).collect())),
            (100..u16::MAX, prop::collection::vec(any::<u8>(), 0..20))
                .prop_map(|(kind, data)| NegotiateContext::Unknown { kind, data }),
        ]
    }
}
