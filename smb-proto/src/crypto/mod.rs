//! Signing, sealing, key derivation and the preauthentication hash: bytes in, bytes out.
//!
//! ```text
//!  session key ─ kdf ─┬─ SigningKey   (per channel)   sign, verify
//!  preauth hash ──────┴─ SealingKey   (per session)   seal, open  ── NonceCounter
//!                              │
//!                           Provider: rustcrypto · ring · aws-lc-rs, or the fastest of each
//! ```
//!
//! Keys take `&self` and hold no lock, so any number of tasks use one at once.

pub mod kdf;
pub mod preauth;
pub mod provider;
pub mod seal;
pub mod sign;
#[cfg(test)]
mod vectors;

pub use kdf::{CipherKeys, Key, SessionKeys};
pub use preauth::PreauthHash;
pub use provider::{CryptoError, Provider, default_provider};
pub use seal::{Nonce, NonceCounter, NonceExhausted, OpenError, SealingKey};
pub use sign::{BadSignature, SigningKey};
