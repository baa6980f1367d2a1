//! Who computes: the primitives behind signing and sealing, and the choice among their implementations.
//!
//! No one crate is fast at everything. One core of an x86-64 server with VAES and SHA extensions, decimal GB/s at
//! 1 MiB and at 4 KiB, by `cargo bench -p smb-proto --bench crypto`; the choice of [`default_provider`] in bold:
//!
//! | | rustcrypto | ring | aws-lc-rs |
//! |---|---|---|---|
//! | HMAC-SHA256 | 1.6, 1.5 | **1.6, 1.5** | 1.6, 1.4 |
//! | AES-128-CMAC | 0.65, 0.64 | - | **0.97, 0.97** |
//! | AES-128-GMAC | 4.1, 3.8 | 1.8, 1.8 | **7.7, 6.2** |
//! | AES-128-CCM seal | **0.76, 0.74** | - | - |
//! | AES-256-CCM seal | **0.60, 0.58** | - | - |
//! | AES-128-GCM seal | 1.8, 2.4 | **5.3, 6.7** | 2.8, 3.7 |
//! | AES-256-GCM seal | 1.7, 2.1 | **5.7, 5.9** | 2.9, 3.0 |
//! | SHA-512 | 0.53, 0.37 | **0.54, 0.52** | 0.54, 0.52 |
//!
//! The machine was busy with other work, so the figures compare columns rather than promise a speed.
//!
//! ```
//! use smb_proto::crypto::{SigningKey, provider};
//! use smb_proto::dialect::SigningAlgorithm;
//!
//! // By measurement, or by name: an audit may want one implementation only.
//! let fast = SigningKey::new(SigningAlgorithm::AES_GMAC, &[7; 16])?;
//! let portable = SigningKey::with_provider(provider::rustcrypto(), SigningAlgorithm::AES_GMAC, &[7; 16])?;
//! let (mut one, mut other) = ([0; 64], [0; 64]);
//! fast.sign(&mut one)?;
//! portable.sign(&mut other)?;
//! assert_eq!(one, other);
//! # Ok::<(), provider::CryptoError>(())
//! ```

#[cfg(feature = "aws-lc-rs")]
mod aws_lc;
#[cfg(feature = "ring")]
mod ring;
#[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
mod ring_like;
mod rustcrypto;
#[cfg(test)]
mod tests;

use crate::dialect::{Cipher, SigningAlgorithm};

/// A primitive could not do what was asked. Never the peer's fault: a wrong key length is the caller's, the
/// rest means a message over the primitive's own limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CryptoError {
    /// The provider does not implement the algorithm, or the protocol does not know it.
    #[error("the algorithm is not available")]
    Unsupported,
    /// The key has the wrong length.
    #[error("a key of {found} bytes, not {expected}")]
    KeyLength {
        /// Bytes the algorithm takes.
        expected: usize,
        /// Bytes given.
        found: usize,
    },
    /// The nonce has the wrong length.
    #[error("the nonce has the wrong length")]
    NonceLength,
    /// The buffer has no room for the header it must hold, or is over 4 GiB.
    #[error("a buffer of {0} bytes is no whole message")]
    MessageLength(usize),
    /// The primitive refused.
    #[error("the primitive refused")]
    Failed,
}

/// A sealed message that does not open: wrong key, or the bytes were changed on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the message does not authenticate")]
pub struct NotAuthentic;

/// Bytes of every signature and every AEAD tag.
pub const TAG_LEN: usize = 16;
/// A signature or an AEAD tag.
pub type Tag = [u8; TAG_LEN];
/// Bytes of the nonce of AES-GMAC.
pub const GMAC_NONCE_LEN: usize = 12;

/// One signing key, with its key schedule and precomputation done.
pub trait Signer: Send + Sync {
    /// The tag of `message`. HMAC-SHA256 is cut to 16 bytes. Only AES-GMAC uses the nonce.
    fn tag(&self, nonce: &[u8; GMAC_NONCE_LEN], message: &[u8]) -> Result<Tag, CryptoError>;

    /// The tag of the concatenation of `parts`, `None` where the primitive takes one contiguous message only
    /// (AES-GMAC does).
    fn tag_parts(&self, parts: &[&[u8]]) -> Option<Result<Tag, CryptoError>>;
}

/// One AEAD key, with its key schedule and precomputation done. Nonces are 12 bytes for GCM, 11 for CCM.
pub trait Aead: Send + Sync {
    /// Encrypts `data` in place and returns the tag.
    fn seal(&self, nonce: &[u8], aad: &[u8], data: &mut [u8]) -> Result<Tag, CryptoError>;

    /// Checks the tag and decrypts `data` in place. On failure the content of `data` is unspecified and
    /// must not be used.
    fn open(&self, nonce: &[u8], aad: &[u8], data: &mut [u8], tag: &Tag) -> Result<(), NotAuthentic>;
}

/// An implementation of the primitives. Where it lacks one it says [`CryptoError::Unsupported`].
pub trait Provider: Send + Sync + std::fmt::Debug {
    /// Its name, for logs and benchmarks.
    fn name(&self) -> &'static str;

    /// Prepares a signing key of 16 bytes (HMAC takes any length).
    fn new_signer(&self, algorithm: SigningAlgorithm, key: &[u8]) -> Result<Box<dyn Signer>, CryptoError>;

    /// Prepares an AEAD key of [`Cipher::key_len`] bytes.
    fn new_aead(&self, cipher: Cipher, key: &[u8]) -> Result<Box<dyn Aead>, CryptoError>;

    /// HMAC-SHA256 over the concatenation of `parts`, whole.
    fn hmac_sha256(&self, key: &[u8], parts: &[&[u8]]) -> [u8; 32];

    /// SHA-512 over the concatenation of `parts`.
    fn sha512(&self, parts: &[&[u8]]) -> [u8; 64];
}

/// The portable implementation in pure Rust: every primitive, on every target. The others are tested against it.
pub fn rustcrypto() -> &'static dyn Provider {
    &rustcrypto::RustCrypto
}

/// `ring`: AES-GCM, HMAC-SHA256, SHA-512, and AES-GMAC as GCM of nothing.
#[cfg(feature = "ring")]
pub fn ring() -> &'static dyn Provider {
    &self::ring::Ring
}

/// `aws-lc-rs`: all but AES-CCM.
#[cfg(feature = "aws-lc-rs")]
pub fn aws_lc_rs() -> &'static dyn Provider {
    &aws_lc::AwsLc
}

/// Every implementation compiled in, the portable one first.
pub fn providers() -> Vec<&'static dyn Provider> {
    vec![
        rustcrypto(),
        #[cfg(feature = "ring")]
        ring(),
        #[cfg(feature = "aws-lc-rs")]
        aws_lc_rs(),
    ]
}

/// The fastest implementation of each primitive among those compiled in, by the table above.
pub fn default_provider() -> &'static dyn Provider {
    &Fastest
}

#[derive(Debug)]
struct Fastest;

/// The best at sealing, hashing and HMAC.
fn sealer() -> &'static dyn Provider {
    #[cfg(feature = "ring")]
    return ring();
    #[cfg(all(feature = "aws-lc-rs", not(feature = "ring")))]
    return aws_lc_rs();
    #[cfg(not(any(feature = "aws-lc-rs", feature = "ring")))]
    return rustcrypto();
}

/// The best at AES-GMAC and AES-CMAC.
fn authenticator() -> &'static dyn Provider {
    #[cfg(feature = "aws-lc-rs")]
    return aws_lc_rs();
    #[cfg(not(feature = "aws-lc-rs"))]
    return rustcrypto();
}

/// `first`, or the portable implementation where it lacks the primitive.
fn or_portable<T>(
    first: Result<T, CryptoError>,
    portable: impl FnOnce() -> Result<T, CryptoError>,
) -> Result<T, CryptoError> {
    match first {
        Err(CryptoError::Unsupported) => portable(),
        other => other,
    }
}

impl Provider for Fastest {
    fn name(&self) -> &'static str {
        "fastest"
    }

    fn new_signer(&self, algorithm: SigningAlgorithm, key: &[u8]) -> Result<Box<dyn Signer>, CryptoError> {
        let first = match algorithm {
            SigningAlgorithm::HMAC_SHA256 => sealer(),
            _ => authenticator(),
        };
        or_portable(first.new_signer(algorithm, key), || rustcrypto().new_signer(algorithm, key))
    }

    fn new_aead(&self, cipher: Cipher, key: &[u8]) -> Result<Box<dyn Aead>, CryptoError> {
        or_portable(sealer().new_aead(cipher, key), || rustcrypto().new_aead(cipher, key))
    }

    fn hmac_sha256(&self, key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
        sealer().hmac_sha256(key, parts)
    }

    fn sha512(&self, parts: &[&[u8]]) -> [u8; 64] {
        sealer().sha512(parts)
    }
}

/// The first `N` bytes of a digest that is at least that long.
#[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
fn prefix<const N: usize>(digest: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    out.iter_mut().zip(digest).for_each(|(to, from)| *to = *from);
    out
}

/// Whether a key has the length its algorithm takes.
fn check_key(expected: usize, key: &[u8]) -> Result<(), CryptoError> {
    if key.len() == expected { Ok(()) } else { Err(CryptoError::KeyLength { expected, found: key.len() }) }
}
