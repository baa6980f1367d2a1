//! What a frame is, by its first four bytes — [MS-SMB2] 2.2.1, 2.2.41, 2.2.42; [MS-CIFS] 2.2.3.1.

use crate::header::PROTOCOL_ID;

/// The kinds of frame that share a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrameKind {
    /// One or more plain SMB2 messages.
    Smb2,
    /// SMB2 TRANSFORM_HEADER: sealed.
    Sealed,
    /// SMB2 COMPRESSION_TRANSFORM_HEADER.
    Compressed,
    /// SMB1: only a multi-protocol NEGOTIATE is of use.
    Smb1,
}

impl FrameKind {
    /// The kind of `frame`; `None` where its first bytes are none of the protocol's.
    pub fn of(frame: &[u8]) -> Option<Self> {
        match *frame.first_chunk::<4>()? {
            PROTOCOL_ID => Some(Self::Smb2),
            [0xfd, b'S', b'M', b'B'] => Some(Self::Sealed),
            [0xfc, b'S', b'M', b'B'] => Some(Self::Compressed),
            [0xff, b'S', b'M', b'B'] => Some(Self::Smb1),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds() {
        assert_eq!(FrameKind::of(b"\xfeSMB..."), Some(FrameKind::Smb2));
        assert_eq!(FrameKind::of(b"\xfdSMB"), Some(FrameKind::Sealed));
        assert_eq!(FrameKind::of(b"GET / HTTP/1.1"), None);
        assert_eq!(FrameKind::of(b"\xfeSM"), None);
    }
}
