//! The `aws-lc-rs` provider. It has no CCM.

use super::{Aead, CryptoError, GMAC_NONCE_LEN, NotAuthentic, Provider, Signer, Tag, check_key, prefix};
use crate::dialect::{Cipher, SigningAlgorithm};
use aws_lc_rs::{
    aead::{AES_128_GCM, AES_256_GCM, Aad, Algorithm, LessSafeKey, Nonce, UnboundKey},
    cmac, digest, hmac,
};

#[derive(Debug)]
pub(super) struct AwsLc;

impl Provider for AwsLc {
    fn name(&self) -> &'static str {
        "aws-lc-rs"
    }

    fn new_signer(&self, algorithm: SigningAlgorithm, key: &[u8]) -> Result<Box<dyn Signer>, CryptoError> {
        Ok(match algorithm {
            SigningAlgorithm::HMAC_SHA256 => Box::new(HmacSigner(hmac::Key::new(hmac::HMAC_SHA256, key))),
            SigningAlgorithm::AES_CMAC => Box::new(CmacSigner(cmac_key(key)?)),
            SigningAlgorithm::AES_GMAC => Box::new(GmacSigner(aead_key(&AES_128_GCM, key)?)),
            _ => return Err(CryptoError::Unsupported),
        })
    }

    fn new_aead(&self, cipher: Cipher, key: &[u8]) -> Result<Box<dyn Aead>, CryptoError> {
        Ok(match cipher {
            Cipher::AES_128_GCM => Box::new(Gcm(aead_key(&AES_128_GCM, key)?)),
            Cipher::AES_256_GCM => Box::new(Gcm(aead_key(&AES_256_GCM, key)?)),
            _ => return Err(CryptoError::Unsupported),
        })
    }

    fn hmac_sha256(&self, key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
        prefix(hmac_of(&hmac::Key::new(hmac::HMAC_SHA256, key), parts).as_ref())
    }

    fn sha512(&self, parts: &[&[u8]]) -> [u8; 64] {
        let mut hash = digest::Context::new(&digest::SHA512);
        parts.iter().for_each(|part| hash.update(part));
        prefix(hash.finish().as_ref())
    }
}

fn aead_key(algorithm: &'static Algorithm, key: &[u8]) -> Result<LessSafeKey, CryptoError> {
    check_key(algorithm.key_len(), key)?;
    UnboundKey::new(algorithm, key).map(LessSafeKey::new).map_err(|_| CryptoError::Failed)
}

fn hmac_of(key: &hmac::Key, parts: &[&[u8]]) -> hmac::Tag {
    let mut mac = hmac::Context::with_key(key);
    parts.iter().for_each(|part| mac.update(part));
    mac.sign()
}

struct HmacSigner(hmac::Key);

impl Signer for HmacSigner {
    fn tag(&self, _nonce: &[u8; GMAC_NONCE_LEN], message: &[u8]) -> Result<Tag, CryptoError> {
        Ok(prefix(hmac::sign(&self.0, message).as_ref()))
    }

    fn tag_parts(&self, parts: &[&[u8]]) -> Option<Result<Tag, CryptoError>> {
        Some(Ok(prefix(hmac_of(&self.0, parts).as_ref())))
    }
}

fn cmac_key(key: &[u8]) -> Result<cmac::Key, CryptoError> {
    check_key(16, key)?;
    cmac::Key::new(cmac::AES_128, key).map_err(|_| CryptoError::Failed)
}

struct CmacSigner(cmac::Key);

impl CmacSigner {
    fn over(&self, parts: &[&[u8]]) -> Result<Tag, aws_lc_rs::error::Unspecified> {
        let mut mac = cmac::Context::with_key(&self.0);
        for part in parts {
            mac.update(part)?;
        }
        mac.sign().map(|tag| prefix(tag.as_ref()))
    }
}

impl Signer for CmacSigner {
    fn tag(&self, _nonce: &[u8; GMAC_NONCE_LEN], message: &[u8]) -> Result<Tag, CryptoError> {
        self.over(&[message]).map_err(|_| CryptoError::Failed)
    }

    fn tag_parts(&self, parts: &[&[u8]]) -> Option<Result<Tag, CryptoError>> {
        Some(self.over(parts).map_err(|_| CryptoError::Failed))
    }
}

/// AES-GMAC is AES-GCM that seals nothing, with the message as the associated data — RFC 4543.
struct GmacSigner(LessSafeKey);

impl Signer for GmacSigner {
    fn tag(&self, nonce: &[u8; GMAC_NONCE_LEN], message: &[u8]) -> Result<Tag, CryptoError> {
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let tag = self.0.seal_in_place_separate_tag(nonce, Aad::from(message), &mut []);
        tag.map(|tag| prefix(tag.as_ref())).map_err(|_| CryptoError::Failed)
    }

    fn tag_parts(&self, _parts: &[&[u8]]) -> Option<Result<Tag, CryptoError>> {
        None
    }
}

struct Gcm(LessSafeKey);

impl Aead for Gcm {
    fn seal(&self, nonce: &[u8], aad: &[u8], data: &mut [u8]) -> Result<Tag, CryptoError> {
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| CryptoError::NonceLength)?;
        let tag = self.0.seal_in_place_separate_tag(nonce, Aad::from(aad), data);
        tag.map(|tag| prefix(tag.as_ref())).map_err(|_| CryptoError::Failed)
    }

    fn open(&self, nonce: &[u8], aad: &[u8], data: &mut [u8], tag: &Tag) -> Result<(), NotAuthentic> {
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| NotAuthentic)?;
        let opened = self.0.open_in_place_separate_tag(nonce, Aad::from(aad), tag, data);
        opened.map(|_| ()).map_err(|_| NotAuthentic)
    }
}
