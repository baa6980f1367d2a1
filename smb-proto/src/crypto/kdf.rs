//! Session keys — [MS-SMB2] 3.1.4.2, 3.2.5.3, 3.3.5.5.

use super::provider::{Provider, default_provider};
use crate::dialect::{Cipher, Dialect};
use zeroize::Zeroizing;

/// Secret bytes: wiped when dropped, never printed.
#[derive(Clone)]
pub struct Key(Zeroizing<Vec<u8>>);

impl Key {
    /// Takes a copy of secret bytes.
    pub fn new(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.to_vec()))
    }

    /// The secret.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({} bytes)", self.0.len())
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        subtle::ConstantTimeEq::ct_eq(self.as_bytes(), other.as_bytes()).into()
    }
}

impl Eq for Key {}

/// The keys that seal a session, one per direction so that their nonces never meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CipherKeys {
    /// What the client seals with and the server opens with.
    pub client_to_server: Key,
    /// What the server seals with and the client opens with.
    pub server_to_client: Key,
}

/// All keys that an authentication yields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionKeys {
    /// Session.SigningKey, and Channel.SigningKey of the channel that was authenticated: 16 bytes.
    pub signing: Key,
    /// The sealing keys, `None` for 2.x and where no cipher was negotiated.
    pub cipher: Option<CipherKeys>,
    /// Session.ApplicationKey, for protocols above: 16 bytes.
    pub application: Key,
}

impl SessionKeys {
    /// Derives the keys of a session. `session_key` is what the authentication gave, in full: the first 16 bytes,
    /// padded with zeros, are Session.SessionKey, and the whole is Session.FullSessionKey, which the 256-bit
    /// ciphers derive from. `preauth` is the hash of the authentication's messages and is taken into account at
    /// 3.1.1 only; 3.0 and 3.0.2 always use AES-128-CCM, whatever `cipher` says, unless it is [`Cipher::NONE`].
    pub fn derive(dialect: Dialect, session_key: &[u8], preauth: Option<&[u8; 64]>, cipher: Cipher) -> Self {
        Self::derive_with(default_provider(), dialect, session_key, preauth, cipher)
    }

    /// As [`derive`](Self::derive), by a given provider.
    pub fn derive_with(
        provider: &dyn Provider,
        dialect: Dialect,
        session_key: &[u8],
        preauth: Option<&[u8; 64]>,
        cipher: Cipher,
    ) -> Self {
        let kdf = Derivation { provider, dialect, session_key, preauth };
        Self {
            signing: kdf.key(SIGNING, 16),
            cipher: kdf.cipher_keys(cipher),
            application: kdf.key(APPLICATION, 16),
        }
    }
}

/// Channel.SigningKey of a channel bound to a session: as the session's, from the session key that the binding
/// authentication gave and the preauthentication hash of its own messages — [MS-SMB2] 3.2.5.3.3, 3.3.5.5.2.
pub fn derive_channel_signing(dialect: Dialect, session_key: &[u8], preauth: Option<&[u8; 64]>) -> Key {
    Derivation { provider: default_provider(), dialect, session_key, preauth }.key(SIGNING, 16)
}

/// What a key is for: label and context at 3.0 and 3.0.2, label at 3.1.1. Each with its terminating zero.
struct Purpose {
    label_3_0: &'static [u8],
    context_3_0: &'static [u8],
    label_3_1_1: &'static [u8],
}

const SIGNING: Purpose =
    Purpose { label_3_0: b"SMB2AESCMAC\0", context_3_0: b"SmbSign\0", label_3_1_1: b"SMBSigningKey\0" };
const APPLICATION: Purpose =
    Purpose { label_3_0: b"SMB2APP\0", context_3_0: b"SmbRpc\0", label_3_1_1: b"SMBAppKey\0" };
const CLIENT_TO_SERVER: Purpose =
    Purpose { label_3_0: b"SMB2AESCCM\0", context_3_0: b"ServerIn \0", label_3_1_1: b"SMBC2SCipherKey\0" };
const SERVER_TO_CLIENT: Purpose =
    Purpose { label_3_0: b"SMB2AESCCM\0", context_3_0: b"ServerOut\0", label_3_1_1: b"SMBS2CCipherKey\0" };

struct Derivation<'a> {
    provider: &'a dyn Provider,
    dialect: Dialect,
    session_key: &'a [u8],
    preauth: Option<&'a [u8; 64]>,
}

impl Derivation<'_> {
    fn cipher_keys(&self, cipher: Cipher) -> Option<CipherKeys> {
        if !self.dialect.is_smb3() || cipher == Cipher::NONE {
            return None;
        }
        let len = if self.dialect == Dialect::SMB_3_1_1 { cipher.key_len() } else { 16 };
        Some(CipherKeys {
            client_to_server: self.key(CLIENT_TO_SERVER, len),
            server_to_client: self.key(SERVER_TO_CLIENT, len),
        })
    }

    fn key(&self, purpose: Purpose, len: usize) -> Key {
        let full = len == 32;
        let short = Zeroizing::new(first_16(self.session_key));
        if !self.dialect.is_smb3() {
            return Key::new(&*short);
        }
        let from = if full { self.session_key } else { &*short };
        match (self.dialect, self.preauth) {
            (Dialect::SMB_3_1_1, hash) => {
                let context = hash.map_or(&[][..], |hash| hash);
                counter_mode(self.provider, from, purpose.label_3_1_1, context, len)
            }
            _ => counter_mode(self.provider, from, purpose.label_3_0, purpose.context_3_0, len),
        }
    }
}

/// Session.SessionKey: cut or padded with zeros to 16 bytes.
fn first_16(key: &[u8]) -> [u8; 16] {
    let mut out = [0; 16];
    out.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    out
}

/// SP 800-108 in counter mode with HMAC-SHA256 and 32-bit counter and length, for up to 32 bytes: one block.
fn counter_mode(provider: &dyn Provider, key: &[u8], label: &[u8], context: &[u8], len: usize) -> Key {
    let bits = u32::try_from(len.saturating_mul(8)).unwrap_or(u32::MAX).to_be_bytes();
    let block =
        Zeroizing::new(provider.hmac_sha256(key, &[&1u32.to_be_bytes(), label, &[0], context, &bits]));
    Key::new(block.get(..len).unwrap_or(&*block))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = *b"0123456789abcdefghijklmnopqrstuv";

    #[test]
    fn dialects_before_3_sign_with_the_session_key() {
        let keys = SessionKeys::derive(Dialect::SMB_2_1, &KEY, Some(&[1; 64]), Cipher::AES_128_GCM);
        assert_eq!(keys.signing.as_bytes(), b"0123456789abcdef");
        assert_eq!(keys.cipher, None);
        let short = SessionKeys::derive(Dialect::SMB_2_0_2, b"short", None, Cipher::NONE);
        assert_eq!(short.signing.as_bytes(), b"short\0\0\0\0\0\0\0\0\0\0\0");
    }

    #[test]
    fn only_the_256_bit_ciphers_use_the_full_key() {
        let derive =
            |key: &[u8], cipher| SessionKeys::derive(Dialect::SMB_3_1_1, key, Some(&[1; 64]), cipher);
        let cut = KEY.first_chunk::<16>().map(|key| &key[..]).unwrap_or_default();
        assert_eq!(derive(&KEY, Cipher::AES_128_GCM), derive(cut, Cipher::AES_128_GCM));
        let (full, half) = (derive(&KEY, Cipher::AES_256_GCM), derive(cut, Cipher::AES_256_GCM));
        assert_eq!(full.signing, half.signing);
        assert_ne!(full.cipher, half.cipher);
        assert!(full.cipher.is_some_and(|keys| keys.client_to_server.as_bytes().len() == 32));
    }

    #[test]
    fn a_bound_channel_signs_with_its_own_hash() {
        let session = SessionKeys::derive(Dialect::SMB_3_1_1, &KEY, Some(&[1; 64]), Cipher::NONE);
        assert_eq!(derive_channel_signing(Dialect::SMB_3_1_1, &KEY, Some(&[1; 64])), session.signing);
        assert_ne!(derive_channel_signing(Dialect::SMB_3_1_1, &KEY, Some(&[2; 64])), session.signing);
    }

    #[test]
    fn keys_are_not_printed() {
        let keys = SessionKeys::derive(Dialect::SMB_2_1, b"AAAAAAAAAAAAAAAA", None, Cipher::NONE);
        assert!(!format!("{keys:?}").contains("65") && !format!("{keys:?}").contains("AAAA"));
    }
}
