//! The 4 bytes in front of every message: the direct TCP prefix — [MS-SMB2] 2.1, and the NetBIOS session packet types
//! (RFC 1002 4.3.1) that old peers still send.

use crate::TransportError;

/// Bytes of the prefix.
pub(super) const PREFIX: usize = 4;
/// The longest message the 24 bits of the prefix can announce.
pub(super) const MAX_MESSAGE: usize = 0x00FF_FFFF;

const SESSION_MESSAGE: u8 = 0x00;
const SESSION_KEEP_ALIVE: u8 = 0x85;

/// What a prefix announces.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// A message of so many bytes.
    Message(usize),
    /// Nothing; the peer shows that it lives.
    KeepAlive,
}

/// Reads a prefix. A session request (0x81) is refused like any other type: it belongs to port 139, where a name is
/// called first.
pub(super) fn parse(prefix: [u8; PREFIX]) -> Result<Frame, TransportError> {
    let [kind, a, b, c] = prefix;
    let len = usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap_or(usize::MAX);
    match (kind, len) {
        (SESSION_MESSAGE, len) => Ok(Frame::Message(len)),
        (SESSION_KEEP_ALIVE, 0) => Ok(Frame::KeepAlive),
        (kind, _) => Err(TransportError::Framing(kind)),
    }
}

/// The prefix of a message of `len` bytes.
pub(super) fn emit(len: usize) -> Result<[u8; PREFIX], TransportError> {
    match u32::try_from(len) {
        Ok(short) if len <= MAX_MESSAGE => Ok(short.to_be_bytes()),
        _ => Err(TransportError::TooLong { len, limit: MAX_MESSAGE }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_24_bits_big_endian() {
        assert_eq!(parse([0, 1, 2, 3]), Ok(Frame::Message(0x01_02_03)));
        assert_eq!(emit(0x01_02_03), Ok([0, 1, 2, 3]));
        assert_eq!(emit(MAX_MESSAGE), Ok([0, 0xFF, 0xFF, 0xFF]));
        assert!(matches!(emit(MAX_MESSAGE + 1), Err(TransportError::TooLong { .. })));
    }

    #[test]
    fn only_empty_keep_alives_are_passed_over() {
        assert_eq!(parse([0x85, 0, 0, 0]), Ok(Frame::KeepAlive));
        assert_eq!(parse([0x85, 0, 0, 1]), Err(TransportError::Framing(0x85)));
        assert_eq!(parse([0x81, 0, 0, 68]), Err(TransportError::Framing(0x81)));
        assert_eq!(parse(*b"GET "), Err(TransportError::Framing(b'G')));
    }
}
