//! Signatures of messages — [MS-SMB2] 3.1.4.1, 3.1.5.1.

use super::provider::{CryptoError, GMAC_NONCE_LEN, Provider, Signer, TAG_LEN, Tag, default_provider};
use crate::{
    command::Command,
    dialect::{Dialect, SigningAlgorithm},
    header::{HEADER_LEN, SIGNATURE_RANGE},
};
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// A signature does not verify, or the message is too short to hold one.
///
/// What to do: drop the connection ([MS-SMB2] 3.2.5.1.3); a server answers STATUS_ACCESS_DENIED (3.3.5.2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not verify")]
pub struct BadSignature;

/// The key that signs and verifies the messages of one channel. Clones share the prepared key.
#[derive(Clone)]
pub struct SigningKey {
    algorithm: SigningAlgorithm,
    signer: Arc<dyn Signer>,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({:?})", self.algorithm)
    }
}

/// What a dialect signs with where SMB2_SIGNING_CAPABILITIES said nothing — [MS-SMB2] 3.1.4.1.
pub const fn default_algorithm(dialect: Dialect) -> SigningAlgorithm {
    if dialect.is_smb3() && dialect.0 != Dialect::WILDCARD.0 {
        SigningAlgorithm::AES_CMAC
    } else {
        SigningAlgorithm::HMAC_SHA256
    }
}

impl SigningKey {
    /// Prepares a key, by the fastest provider.
    pub fn new(algorithm: SigningAlgorithm, key: &[u8]) -> Result<Self, CryptoError> {
        Self::with_provider(default_provider(), algorithm, key)
    }

    /// As [`new`](Self::new), by a given provider.
    pub fn with_provider(
        provider: &dyn Provider,
        algorithm: SigningAlgorithm,
        key: &[u8],
    ) -> Result<Self, CryptoError> {
        Ok(Self { algorithm, signer: provider.new_signer(algorithm, key)?.into() })
    }

    /// The algorithm.
    pub fn algorithm(&self) -> SigningAlgorithm {
        self.algorithm
    }

    /// Signs one whole message, from its header on, with SMB2_FLAGS_SIGNED set already. In a compound: this
    /// message and the padding behind it.
    pub fn sign(&self, message: &mut [u8]) -> Result<(), CryptoError> {
        let nonce = nonce_of(message)?;
        *signature_of(message)? = Tag::default();
        let tag = self.signer.tag(&nonce, message)?;
        *signature_of(message)? = tag;
        Ok(())
    }

    /// Signs a message whose payload lies in another buffer than its head. `Ok(false)` where the algorithm takes
    /// contiguous messages only (AES-GMAC): nothing was done, use [`sign`](Self::sign).
    pub fn sign_parts(&self, head: &mut [u8], payload: &[u8]) -> Result<bool, CryptoError> {
        let old = std::mem::take(signature_of(head)?);
        let Some(tag) = self.signer.tag_parts(&[head, payload]) else {
            *signature_of(head)? = old;
            return Ok(false);
        };
        *signature_of(head)? = tag?;
        Ok(true)
    }

    /// Checks the signature of one whole message (in a compound: with its padding), and leaves the message as it
    /// was. It takes `&mut` since the signature counts as zero and the primitives want one piece.
    pub fn verify(&self, message: &mut [u8]) -> Result<(), BadSignature> {
        let nonce = nonce_of(message).map_err(|_| BadSignature)?;
        let field = signature_of(message).map_err(|_| BadSignature)?;
        let found = std::mem::take(field);
        let expected = self.signer.tag(&nonce, message);
        *signature_of(message).map_err(|_| BadSignature)? = found;
        let expected = expected.map_err(|_| BadSignature)?;
        if expected.ct_eq(&found).into() { Ok(()) } else { Err(BadSignature) }
    }
}

/// The Signature field.
fn signature_of(message: &mut [u8]) -> Result<&mut [u8; TAG_LEN], CryptoError> {
    let len = message.len();
    if len < HEADER_LEN {
        return Err(CryptoError::MessageLength(len));
    }
    let field = message.get_mut(SIGNATURE_RANGE).and_then(|field| field.try_into().ok());
    field.ok_or(CryptoError::MessageLength(len))
}

/// The nonce of AES-GMAC: MessageId, then 32 bits of which the lowest says that a server sends and the next that
/// the message is a CANCEL request — [MS-SMB2] 3.1.4.1.
fn nonce_of(message: &[u8]) -> Result<[u8; GMAC_NONCE_LEN], CryptoError> {
    let header: &[u8; HEADER_LEN] = message.first_chunk().ok_or(CryptoError::MessageLength(message.len()))?;
    let [.., c0, c1, _, _, f0, _, _, _, _, _, _, _, m0, m1, m2, m3, m4, m5, m6, m7] =
        *header.first_chunk::<32>().ok_or(CryptoError::MessageLength(0))?;
    let from_server = f0 & 1;
    let cancels = u16::from_le_bytes([c0, c1]) == Command::CANCEL.0 && from_server == 0;
    Ok([m0, m1, m2, m3, m4, m5, m6, m7, from_server | u8::from(cancels) << 1, 0, 0, 0])
}

#[cfg(test)]
mod tests;
