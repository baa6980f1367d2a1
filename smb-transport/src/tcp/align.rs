//! Which byte of a received message goes to a page boundary.
//!
//! Storage that by-passes the page cache wants the data of a WRITE aligned, not its header. The transport does not
//! understand messages; it guesses from their first bytes, and a wrong guess costs nothing but the alignment.

use crate::{Buffers, IoBuf};

/// Header and fixed body in front of the data of a WRITE request — [MS-SMB2] 2.2.1.2, 2.2.21.
const WRITE_REQUEST: usize = 64 + 48;
/// Header and fixed body in front of the data of a READ response — [MS-SMB2] 2.2.20.
const READ_RESPONSE: usize = 64 + 16;
/// The header in front of an encrypted message — [MS-SMB2] 2.2.41.
const TRANSFORM: usize = 52;
/// SMB2_FLAGS_SERVER_TO_REDIR, in the lowest byte of Flags.
const FROM_SERVER: u8 = 0x01;
const FLAGS_AT: usize = 16;

/// Remembers which way plain messages go, for those that are encrypted.
#[derive(Default)]
pub(super) struct Alignment {
    from_server: bool,
}

impl Alignment {
    /// A buffer for a message of `len` bytes that begins with `start`.
    pub(super) fn buffer(&mut self, buffers: &dyn Buffers, len: usize, start: &[u8]) -> IoBuf {
        let ahead = self.ahead(start);
        let Some(data) = len.checked_sub(ahead).filter(|data| *data > 0) else { return buffers.buffer(len) };
        let mut buf = buffers.buffer(data);
        if buf.grow_front(ahead).is_err() { buffers.buffer(len) } else { buf }
    }

    /// Bytes of the message that likely come before its data.
    fn ahead(&mut self, start: &[u8]) -> usize {
        let transform = match start.get(..4) {
            Some(b"\xFESMB") => {
                self.from_server = start.get(FLAGS_AT).is_some_and(|flags| flags & FROM_SERVER != 0);
                0
            }
            Some(b"\xFDSMB") => TRANSFORM,
            _ => return 0,
        };
        transform + if self.from_server { READ_RESPONSE } else { WRITE_REQUEST }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Pool;

    fn message(start: &[u8], flags: u8) -> Vec<u8> {
        let mut bytes = start.to_vec();
        bytes.resize(1000, 0);
        bytes[FLAGS_AT] = flags;
        bytes
    }

    #[test]
    fn the_data_goes_to_the_page() {
        let pool = Pool::default();
        let mut alignment = Alignment::default();
        for (start, flags, data) in [
            (b"\xFESMB", 0, WRITE_REQUEST),
            (b"\xFDSMB", 0, TRANSFORM + WRITE_REQUEST),
            (b"\xFESMB", 1, READ_RESPONSE),
            (b"\xFDSMB", 0, TRANSFORM + READ_RESPONSE),
            (b"\xFFSMB", 0, 0),
        ] {
            let buf = alignment.buffer(&pool, 8192, &message(start, flags));
            assert_eq!(buf.len(), 8192);
            assert_eq!(buf[data..].as_ptr().addr() % 4096, 0, "{start:?}");
        }
    }

    #[test]
    fn short_messages_are_what_they_are() {
        for len in [0, 1, 111, 112, 113] {
            let start = message(b"\xFESMB", 0);
            let buf = Alignment::default().buffer(&Pool::default(), len, &start[..len]);
            assert_eq!(buf.len(), len);
        }
    }
}
