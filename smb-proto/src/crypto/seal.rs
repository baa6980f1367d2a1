//! Sealed messages — [MS-SMB2] 3.1.4.3 — and the nonces that must never repeat.

use super::provider::{Aead, CryptoError, NotAuthentic, Provider, Tag, default_provider};
use crate::{
    dialect::Cipher,
    error::ParseError,
    transform::encryption::{AAD_START, TRANSFORM_HEADER_LEN, TransformHeader},
};
use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// A sealed message cannot be opened. What to do: drop the connection — [MS-SMB2] 3.2.5.1.1, 3.3.5.2.1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The transform header is unreadable.
    #[error(transparent)]
    Header(#[from] ParseError),
    /// OriginalMessageSize is not what follows the header.
    #[error("OriginalMessageSize is {stated}, but {found} bytes follow")]
    Size {
        /// OriginalMessageSize.
        stated: u32,
        /// Bytes behind the header.
        found: usize,
    },
    /// Wrong key, or the message was changed.
    #[error(transparent)]
    NotAuthentic(#[from] NotAuthentic),
}

/// Every nonce of a key was used. What to do: end the session and authenticate anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the session's nonces are used up")]
pub struct NonceExhausted;

/// A nonce that was not used before. It cannot be copied, and sealing consumes it.
#[derive(Debug)]
pub struct Nonce([u8; 16]);

#[cfg(test)]
impl Nonce {
    /// The nonce of a published vector.
    pub(super) fn fixed(nonce: [u8; 16]) -> Self {
        Self(nonce)
    }
}

/// The nonces of one sealing key, shared by all channels of its session.
///
/// A nonce is an eight-byte counter and a prefix: four bytes with GCM, three with CCM. The counter alone keeps them
/// apart; the prefix may be random or zero.
#[derive(Debug)]
pub struct NonceCounter {
    next: AtomicU64,
    prefix: [u8; 4],
}

impl NonceCounter {
    /// Starts at zero. `prefix` goes before the counter; CCM uses its first three bytes.
    pub const fn new(prefix: [u8; 4]) -> Self {
        Self { next: AtomicU64::new(0), prefix }
    }

    /// The next nonce for `cipher`; never the same twice. Refuses rather than to start over.
    pub fn next(&self, cipher: Cipher) -> Result<Nonce, NonceExhausted> {
        let count =
            self.next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| count.checked_add(1));
        let count = count.map_err(|_| NonceExhausted)?.to_le_bytes();
        let mut nonce = [0; 16];
        let prefix = self.prefix.iter().take(cipher.nonce_len().saturating_sub(count.len()));
        nonce.iter_mut().zip(prefix.chain(&count)).for_each(|(to, from)| *to = *from);
        Ok(Nonce(nonce))
    }
}

/// The key that seals, or opens, one direction of a session. Clones share the prepared key.
#[derive(Clone)]
pub struct SealingKey {
    cipher: Cipher,
    aead: Arc<dyn Aead>,
}

impl std::fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SealingKey({:?})", self.cipher)
    }
}

impl SealingKey {
    /// Prepares a key, by the fastest provider.
    pub fn new(cipher: Cipher, key: &[u8]) -> Result<Self, CryptoError> {
        Self::with_provider(default_provider(), cipher, key)
    }

    /// As [`new`](Self::new), by a given provider.
    pub fn with_provider(provider: &dyn Provider, cipher: Cipher, key: &[u8]) -> Result<Self, CryptoError> {
        Ok(Self { cipher, aead: provider.new_aead(cipher, key)?.into() })
    }

    /// The cipher.
    pub fn cipher(&self) -> Cipher {
        self.cipher
    }

    /// Seals in place. `buf` is [`TRANSFORM_HEADER_LEN`] bytes of room, which are overwritten, and the plaintext.
    pub fn seal(&self, nonce: Nonce, session_id: u64, buf: &mut [u8]) -> Result<(), CryptoError> {
        let len = buf.len();
        let too_short = CryptoError::MessageLength(len);
        let (room, text) = buf.split_first_chunk_mut::<TRANSFORM_HEADER_LEN>().ok_or(too_short)?;
        let size = u32::try_from(text.len()).map_err(|_| too_short)?;
        let mut header = TransformHeader {
            signature: Tag::default(),
            nonce: nonce.0,
            original_message_size: size,
            session_id,
        };
        header.emit(&mut &mut room[..]);
        header.signature = self.aead.seal(self.used(&header.nonce), aad(room), text)?;
        header.emit(&mut &mut room[..]);
        Ok(())
    }

    /// Opens a sealed message in place and returns where in `buf` the plaintext is. On failure `buf` must not be
    /// used any more.
    pub fn open(&self, buf: &mut [u8]) -> Result<Range<usize>, OpenError> {
        let (header, rest) = TransformHeader::parse(buf)?;
        let found = rest.len();
        if u32::try_from(found) != Ok(header.original_message_size) {
            return Err(OpenError::Size { stated: header.original_message_size, found });
        }
        let whole = TRANSFORM_HEADER_LEN..buf.len();
        let Some((head, text)) = buf.split_first_chunk_mut::<TRANSFORM_HEADER_LEN>() else {
            return Err(NotAuthentic.into());
        };
        self.aead.open(self.used(&header.nonce), aad(head), text, &header.signature)?;
        Ok(whole)
    }

    /// The part of the nonce field that the cipher takes.
    fn used<'a>(&self, nonce: &'a [u8; 16]) -> &'a [u8] {
        nonce.get(..self.cipher.nonce_len()).unwrap_or(nonce)
    }
}

/// The associated data: the header from its nonce on.
fn aad(header: &[u8; TRANSFORM_HEADER_LEN]) -> &[u8] {
    header.get(AAD_START..).unwrap_or_default()
}

#[cfg(test)]
mod tests;
