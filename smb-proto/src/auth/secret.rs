//! Secrets: wiped when dropped, never printed, compared in constant time.

use md4::{Digest, Md4};
use std::fmt;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// The NT one-way function of a password, NTOWFv1 — [MS-NLMP] 3.3.1. Worth as much as the password itself.
#[derive(Clone)]
pub struct NtHash(Zeroizing<[u8; 16]>);

impl NtHash {
    /// MD4 over the password in UTF-16LE.
    pub fn from_password(password: &str) -> Self {
        let mut md4 = Md4::new();
        for unit in password.encode_utf16() {
            let bytes = Zeroizing::new(unit.to_le_bytes());
            md4.update(bytes.as_slice());
        }
        Self(Zeroizing::new(md4.finalize().into()))
    }

    /// A hash kept by an account store.
    pub fn from_bytes(hash: [u8; 16]) -> Self {
        Self(Zeroizing::new(hash))
    }

    /// The bytes, for key derivation and account stores.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for NtHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NtHash(..)")
    }
}

/// The key that both sides hold after an exchange; SMB2 calls it Session.SessionKey, NTLM
/// ExportedSessionKey — [MS-NLMP] 3.1.1.1.
#[derive(Clone)]
pub struct SessionKey(Zeroizing<[u8; 16]>);

impl SessionKey {
    /// Wraps key bytes.
    pub fn from_bytes(key: [u8; 16]) -> Self {
        Self(Zeroizing::new(key))
    }

    /// The bytes, for the key derivations of SMB2.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKey(..)")
    }
}

impl PartialEq for SessionKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(other.0.as_slice()).into()
    }
}

impl Eq for SessionKey {}

/// Whether two digests are the same, in time that tells nothing of where they differ.
pub(crate) fn same(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}
