//! The portable provider: the RustCrypto crates.

use super::{Aead, CryptoError, GMAC_NONCE_LEN, NotAuthentic, Provider, Signer, Tag, check_key};
use crate::dialect::{Cipher, SigningAlgorithm};
use aes_gcm::{
    AeadInOut, Aes128Gcm, Aes256Gcm, Nonce as GcmNonce,
    aead::{
        KeyInit,
        array::typenum::{U11, U16},
    },
    aes::{Aes128, Aes256},
};
use ccm::Ccm;
use cmac::{Cmac, Mac};
use hmac::Hmac;
use sha2::{Digest, Sha256, Sha512};

#[derive(Debug)]
pub(super) struct RustCrypto;

impl Provider for RustCrypto {
    fn name(&self) -> &'static str {
        "rustcrypto"
    }

    fn new_signer(&self, algorithm: SigningAlgorithm, key: &[u8]) -> Result<Box<dyn Signer>, CryptoError> {
        Ok(match algorithm {
            SigningAlgorithm::HMAC_SHA256 => Box::new(MacSigner(keyed_hmac(key))),
            SigningAlgorithm::AES_CMAC => Box::new(MacSigner(keyed::<Cmac<Aes128>>(16, key)?)),
            SigningAlgorithm::AES_GMAC => Box::new(GmacSigner(keyed::<Aes128Gcm>(16, key)?)),
            _ => return Err(CryptoError::Unsupported),
        })
    }

    fn new_aead(&self, cipher: Cipher, key: &[u8]) -> Result<Box<dyn Aead>, CryptoError> {
        Ok(match cipher {
            Cipher::AES_128_GCM => Box::new(Cipherer(keyed::<Aes128Gcm>(16, key)?)),
            Cipher::AES_256_GCM => Box::new(Cipherer(keyed::<Aes256Gcm>(32, key)?)),
            Cipher::AES_128_CCM => Box::new(Cipherer(keyed::<Ccm<Aes128, U16, U11>>(16, key)?)),
            Cipher::AES_256_CCM => Box::new(Cipherer(keyed::<Ccm<Aes256, U16, U11>>(32, key)?)),
            _ => return Err(CryptoError::Unsupported),
        })
    }

    fn hmac_sha256(&self, key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = keyed_hmac(key);
        parts.iter().for_each(|part| Mac::update(&mut mac, part));
        mac.finalize().into_bytes().into()
    }

    fn sha512(&self, parts: &[&[u8]]) -> [u8; 64] {
        let mut hash = Sha512::new();
        parts.iter().for_each(|part| Digest::update(&mut hash, part));
        hash.finalize().into()
    }
}

fn keyed<K: KeyInit>(expected: usize, key: &[u8]) -> Result<K, CryptoError> {
    check_key(expected, key)?;
    K::new_from_slice(key).map_err(|_| CryptoError::KeyLength { expected, found: key.len() })
}

/// HMAC keys are padded to a block, or hashed where they are longer — RFC 2104. Doing so here makes it infallible.
fn keyed_hmac(key: &[u8]) -> Hmac<Sha256> {
    let mut block = zeroize::Zeroizing::new([0; 64]);
    if key.len() > block.len() {
        block.iter_mut().zip(Sha256::digest(key)).for_each(|(to, from)| *to = from);
    } else {
        block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    }
    Hmac::new(&(*block).into())
}

struct MacSigner<M>(M);

impl<M: Mac + Clone + Send + Sync> MacSigner<M> {
    fn over(&self, parts: &[&[u8]]) -> Tag {
        let mut mac = self.0.clone();
        parts.iter().for_each(|part| mac.update(part));
        let mut tag = Tag::default();
        tag.iter_mut().zip(mac.finalize().into_bytes()).for_each(|(to, from)| *to = from);
        tag
    }
}

impl<M: Mac + Clone + Send + Sync> Signer for MacSigner<M> {
    fn tag(&self, _nonce: &[u8; GMAC_NONCE_LEN], message: &[u8]) -> Result<Tag, CryptoError> {
        Ok(self.over(&[message]))
    }

    fn tag_parts(&self, parts: &[&[u8]]) -> Option<Result<Tag, CryptoError>> {
        Some(Ok(self.over(parts)))
    }
}

/// AES-GMAC is AES-GCM that seals nothing, with the message as the associated data — RFC 4543.
struct GmacSigner(Aes128Gcm);

impl Signer for GmacSigner {
    fn tag(&self, nonce: &[u8; GMAC_NONCE_LEN], message: &[u8]) -> Result<Tag, CryptoError> {
        let nonce = GcmNonce::from(*nonce);
        let tag = self.0.encrypt_inout_detached(&nonce, message, (&mut [][..]).into());
        tag.map(Into::into).map_err(|_| CryptoError::Failed)
    }

    fn tag_parts(&self, _parts: &[&[u8]]) -> Option<Result<Tag, CryptoError>> {
        None
    }
}

struct Cipherer<C>(C);

impl<C: AeadInOut<TagSize = U16> + Send + Sync> Aead for Cipherer<C> {
    fn seal(&self, nonce: &[u8], aad: &[u8], data: &mut [u8]) -> Result<Tag, CryptoError> {
        let nonce = nonce.try_into().map_err(|_| CryptoError::NonceLength)?;
        let tag = self.0.encrypt_inout_detached(nonce, aad, data.into());
        tag.map(Into::into).map_err(|_| CryptoError::Failed)
    }

    fn open(&self, nonce: &[u8], aad: &[u8], data: &mut [u8], tag: &Tag) -> Result<(), NotAuthentic> {
        let nonce = nonce.try_into().map_err(|_| NotAuthentic)?;
        self.0.decrypt_inout_detached(nonce, aad, data.into(), tag.into()).map_err(|_| NotAuthentic)
    }
}
