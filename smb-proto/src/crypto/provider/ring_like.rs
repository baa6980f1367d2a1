//! What `ring` and `aws-lc-rs` do alike: the second took over the API of the first.

/// Implements [`Provider`](super::Provider) over the crate `$api`. `$cmac` prepares an AES-CMAC key; `$open` checks and
/// opens in place, the one call in which the two differ.
macro_rules! ring_like_provider {
    ($provider:ident, $name:literal, $api:ident, cmac: $cmac:expr, open: $open:expr) => {
        use super::{
            Aead, CryptoError, GMAC_NONCE_LEN, NotAuthentic, Provider, Signer, Tag, check_key, prefix,
        };
        use crate::dialect::{Cipher, SigningAlgorithm};
        use $api::{
            aead::{AES_128_GCM, AES_256_GCM, Aad, Algorithm, LessSafeKey, Nonce, UnboundKey},
            digest, error, hmac,
        };

        #[derive(Debug)]
        pub(super) struct $provider;

        impl Provider for $provider {
            fn name(&self) -> &'static str {
                $name
            }

            fn new_signer(
                &self,
                algorithm: SigningAlgorithm,
                key: &[u8],
            ) -> Result<Box<dyn Signer>, CryptoError> {
                Ok(match algorithm {
                    SigningAlgorithm::HMAC_SHA256 => {
                        Box::new(HmacSigner(hmac::Key::new(hmac::HMAC_SHA256, key)))
                    }
                    SigningAlgorithm::AES_GMAC => Box::new(GmacSigner(aead_key(&AES_128_GCM, key)?)),
                    SigningAlgorithm::AES_CMAC => return $cmac(key),
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
                let open: fn(&LessSafeKey, Nonce, &[u8], &mut [u8], &Tag) -> Result<(), error::Unspecified> =
                    $open;
                let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| NotAuthentic)?;
                open(&self.0, nonce, aad, data, tag).map_err(|_| NotAuthentic)
            }
        }
    };
}

pub(super) use ring_like_provider;
