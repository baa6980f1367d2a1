//! NEGOTIATE: what we offer, and whether the answer is one to it — [MS-SMB2] 3.2.4.2.2, 3.2.5.2.

use smb_proto::{
    crypto::sign::default_algorithm,
    dialect::{Cipher, Dialect, HashAlgorithm, SigningAlgorithm},
    error::PeerViolation,
    msg::{Capabilities, NegotiateContext, NegotiateRequest, NegotiateResponse, SecurityMode},
};
use std::ops::RangeInclusive;

/// What the client offers. Randomness comes in as values.
#[derive(Debug, Clone)]
pub(crate) struct Offer {
    pub dialects: RangeInclusive<Dialect>,
    /// By preference; empty to offer no encryption.
    pub ciphers: Vec<Cipher>,
    /// By preference.
    pub signing: Vec<SigningAlgorithm>,
    pub security_mode: SecurityMode,
    pub client_guid: [u8; 16],
    pub salt: [u8; 32],
    /// The server's name as the user gave it; empty for none.
    pub server_name: String,
}

/// What was agreed.
#[derive(Debug, Clone)]
pub(crate) struct Negotiated {
    pub dialect: Dialect,
    pub server_guid: [u8; 16],
    pub capabilities: Capabilities,
    pub security_mode: SecurityMode,
    pub max_transact: u32,
    pub max_read: u32,
    pub max_write: u32,
    /// [`Cipher::NONE`] where nothing can be sealed.
    pub cipher: Cipher,
    pub signing: SigningAlgorithm,
    /// Requests may span several credits.
    pub multi_credit: bool,
    /// The server's first authentication token.
    pub token: Vec<u8>,
}

/// The least a server may set its maxima to: a smaller one cannot carry its own error contexts.
const LEAST_MAXIMUM: u32 = 4096;
const ONE_CREDIT: u32 = 65_536;

impl Offer {
    fn speaks(&self, dialect: Dialect) -> bool {
        self.dialects.contains(&dialect)
    }

    /// The dialects offered, oldest first.
    pub fn dialects(&self) -> Vec<Dialect> {
        Dialect::ALL.into_iter().filter(|dialect| self.speaks(*dialect)).collect()
    }

    /// The newest offered is of the SMB 3 family.
    pub fn is_smb3(&self) -> bool {
        self.dialects().last().is_some_and(|dialect| dialect.is_smb3())
    }

    /// Our capabilities; 2.x clients have none.
    pub fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::NONE;
        if self.is_smb3() {
            capabilities = capabilities | Capabilities::LARGE_MTU;
            if !self.ciphers.is_empty() {
                capabilities = capabilities | Capabilities::ENCRYPTION;
            }
        }
        capabilities
    }

    /// The GUID as it is sent: none from a client of 2.0.2 alone.
    pub fn guid(&self) -> [u8; 16] {
        if *self.dialects.end() == Dialect::SMB_2_0_2 { [0; 16] } else { self.client_guid }
    }

    /// The request.
    pub fn request(&self) -> NegotiateRequest {
        let contexts = if self.speaks(Dialect::SMB_3_1_1) { self.contexts() } else { Vec::new() };
        NegotiateRequest {
            security_mode: self.security_mode,
            capabilities: self.capabilities(),
            client_guid: self.guid(),
            dialects: self.dialects(),
            contexts,
        }
    }

    fn contexts(&self) -> Vec<NegotiateContext> {
        let salt = self.salt.to_vec();
        let mut contexts = vec![NegotiateContext::Preauth { hashes: vec![HashAlgorithm::SHA_512], salt }];
        if !self.ciphers.is_empty() {
            contexts.push(NegotiateContext::Encryption(self.ciphers.clone()));
        }
        if !self.signing.is_empty() {
            contexts.push(NegotiateContext::Signing(self.signing.clone()));
        }
        if !self.server_name.is_empty() {
            contexts.push(NegotiateContext::NetName(self.server_name.clone()));
        }
        contexts
    }

    /// Whether `answer` is one to this offer, and what follows from it.
    pub fn check(&self, answer: &NegotiateResponse) -> Result<Negotiated, PeerViolation> {
        let dialect = answer.dialect;
        if !Dialect::ALL.contains(&dialect) || !self.speaks(dialect) {
            return Err(PeerViolation::Negotiate("the dialect was not offered"));
        }
        let least = answer.max_transact_size.min(answer.max_read_size).min(answer.max_write_size);
        if least < LEAST_MAXIMUM {
            return Err(PeerViolation::Negotiate("a maximum size is under 4096 bytes"));
        }
        let (cipher, signing) = self.algorithms(answer)?;
        let multi_credit =
            dialect.has_multi_credit() && answer.capabilities.contains(Capabilities::LARGE_MTU);
        let cap = |size: u32| if multi_credit { size } else { size.min(ONE_CREDIT) };
        Ok(Negotiated {
            dialect,
            server_guid: answer.server_guid,
            capabilities: answer.capabilities,
            security_mode: answer.security_mode,
            max_transact: cap(answer.max_transact_size),
            max_read: cap(answer.max_read_size),
            max_write: cap(answer.max_write_size),
            cipher,
            signing,
            multi_credit,
            token: answer.token.clone(),
        })
    }

    fn algorithms(&self, answer: &NegotiateResponse) -> Result<(Cipher, SigningAlgorithm), PeerViolation> {
        let dialect = answer.dialect;
        if dialect == Dialect::SMB_3_1_1 {
            check_preauth(&answer.contexts)?;
            return Ok((self.cipher(&answer.contexts)?, self.algorithm(&answer.contexts)?));
        }
        let seals = dialect.is_smb3()
            && answer.capabilities.contains(Capabilities::ENCRYPTION)
            && self.ciphers.contains(&Cipher::AES_128_CCM);
        let cipher = if seals { Cipher::AES_128_CCM } else { Cipher::NONE };
        Ok((cipher, default_algorithm(dialect)))
    }

    fn cipher(&self, contexts: &[NegotiateContext]) -> Result<Cipher, PeerViolation> {
        let chosen = only(contexts, |context| match context {
            NegotiateContext::Encryption(ciphers) => Some(ciphers.as_slice()),
            _ => None,
        })?;
        match chosen {
            None | Some([Cipher::NONE]) => Ok(Cipher::NONE),
            Some([cipher]) if self.ciphers.contains(cipher) => Ok(*cipher),
            Some([_]) => Err(PeerViolation::Negotiate("the cipher was not offered")),
            Some(_) => Err(PeerViolation::Negotiate("not exactly one cipher was chosen")),
        }
    }

    fn algorithm(&self, contexts: &[NegotiateContext]) -> Result<SigningAlgorithm, PeerViolation> {
        let chosen = only(contexts, |context| match context {
            NegotiateContext::Signing(algorithms) => Some(algorithms.as_slice()),
            _ => None,
        })?;
        match chosen {
            None => Ok(default_algorithm(Dialect::SMB_3_1_1)),
            Some([algorithm]) if self.signing.contains(algorithm) => Ok(*algorithm),
            Some([_]) => Err(PeerViolation::Negotiate("the signing algorithm was not offered")),
            Some(_) => Err(PeerViolation::Negotiate("not exactly one signing algorithm was chosen")),
        }
    }
}

fn check_preauth(contexts: &[NegotiateContext]) -> Result<(), PeerViolation> {
    let chosen = only(contexts, |context| match context {
        NegotiateContext::Preauth { hashes, .. } => Some(hashes.as_slice()),
        _ => None,
    })?;
    match chosen {
        Some([HashAlgorithm::SHA_512]) => Ok(()),
        Some(_) => Err(PeerViolation::Negotiate("the preauthentication hash was not offered")),
        None => Err(PeerViolation::Negotiate("no preauthentication hash was chosen")),
    }
}

/// The one context that `pick` knows; two of a kind are a violation.
fn only<'a, T: ?Sized>(
    contexts: &'a [NegotiateContext],
    pick: impl Fn(&'a NegotiateContext) -> Option<&'a T>,
) -> Result<Option<&'a T>, PeerViolation> {
    let mut found = contexts.iter().filter_map(pick);
    let first = found.next();
    match found.next() {
        None => Ok(first),
        Some(_) => Err(PeerViolation::Negotiate("a negotiate context came twice")),
    }
}

#[cfg(test)]
#[path = "negotiate_tests.rs"]
pub(crate) mod tests;
