//! Incoming fragments, joined — [MS-SMBD] 3.1.5.8.
//!
//! A message that came in one piece is handed on in the receive buffer itself. One of several is copied together, for
//! its receive buffers are wanted back before all of it is there.

use super::violation::{CloseReason, Violation};
use smb_transport::{Buffers, IoBuf, Received, Token};
use std::{ops::Range, sync::Arc};

/// Connection.FragmentReassemblyBuffer and FragmentReassemblyRemaining.
pub(super) struct Reassembler {
    buffers: Arc<dyn Buffers>,
    /// What the peer was told.
    max: u32,
    /// What this side takes at present.
    limit: usize,
    partial: Option<Partial>,
    invalidated: Option<Token>,
}

struct Partial {
    whole: IoBuf,
    filled: usize,
}

impl Reassembler {
    pub(super) fn new(buffers: Arc<dyn Buffers>, max: u32, limit: usize) -> Self {
        Self { buffers, max, limit, partial: None, invalidated: None }
    }

    pub(super) fn is_midway(&self) -> bool {
        self.partial.is_some()
    }

    pub(super) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Takes a message whose upper-layer data lies at `data`, with `remaining` bytes to follow. Returns the whole
    /// upper-layer message with its last fragment.
    pub(super) fn take(
        &mut self,
        mut buf: IoBuf,
        data: Range<usize>,
        remaining: u32,
        invalidated: Option<Token>,
    ) -> Result<Option<Received>, CloseReason> {
        self.invalidated = invalidated.or(self.invalidated);
        if data.is_empty() {
            return Ok(None);
        }
        let announced = size(data.len()).saturating_add(remaining.into());
        if announced > self.max.into() {
            return Err(Violation::TooLong(announced).into());
        }
        let len = usize::try_from(announced).unwrap_or(usize::MAX);
        let mut partial = match self.partial.take() {
            Some(partial) => partial.continued_by(announced)?,
            None if len > self.limit => return Err(CloseReason::TooLong { len, limit: self.limit }),
            None if remaining == 0 => {
                buf.narrow(data);
                return Ok(Some(self.deliver(buf)));
            }
            None => Partial { whole: self.buffers.buffer(len), filled: 0 },
        };
        partial.append(buf.get(data).unwrap_or(&[]));
        if remaining == 0 {
            return Ok(Some(self.deliver(partial.whole)));
        }
        self.partial = Some(partial);
        Ok(None)
    }

    fn deliver(&mut self, message: IoBuf) -> Received {
        Received { message, invalidated: self.invalidated.take() }
    }
}

impl Partial {
    /// Checks that a fragment with `announced` bytes in it and behind it is the next of this message.
    fn continued_by(self, announced: u64) -> Result<Self, Violation> {
        let expected = size(self.whole.len().saturating_sub(self.filled));
        if announced == expected { Ok(self) } else { Err(Violation::Fragment { expected, found: announced }) }
    }

    fn append(&mut self, data: &[u8]) {
        let end = self.filled.saturating_add(data.len());
        // In bounds, for what is announced never exceeds what is missing.
        if let Some(part) = self.whole.get_mut(self.filled..end) {
            part.copy_from_slice(data);
        }
        self.filled = end;
    }
}

fn size(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
