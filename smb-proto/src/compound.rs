//! Frames of several messages — [MS-SMB2] 2.2.1 (NextCommand), 3.2.4.1.4, 3.3.5.2.7.

use crate::{
    codec::{Body, Message, chain, num::len32},
    error::ParseError,
    header::{HEADER_LEN, Header},
};
use std::ops::Range;

/// Where NextCommand lies in a header.
const NEXT_COMMAND: Range<usize> = 20..24;

/// One message of a frame.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    /// Its header.
    pub header: Header,
    /// Its body, whose offsets are resolved within this message alone.
    pub body: Body<'a>,
    /// All its bytes, header and padding included: what its signature covers.
    pub bytes: &'a [u8],
}

/// The messages of a frame, in order. A header that cannot be read, or a NextCommand that is not a multiple of eight or
/// leaves the frame, ends the iteration with an error.
pub fn parts(frame: &[u8]) -> impl Iterator<Item = Result<Part<'_>, ParseError>> {
    ranges(frame).map(|range| {
        let bytes = frame.get(range?).unwrap_or(&[]);
        let (header, _) = Header::parse(bytes)?;
        Ok(Part { header, body: Body::new(bytes)?, bytes })
    })
}

/// Where the messages of a frame lie in it; for those who need the bytes mutable.
pub fn ranges(frame: &[u8]) -> impl Iterator<Item = Result<Range<usize>, ParseError>> {
    let mut at = 0;
    let records = chain::records("NextCommand", frame, HEADER_LEN, next_command);
    let records = records.chain(frame.is_empty().then_some(Err(ParseError::Truncated { what: "frame" })));
    records.map(move |record| {
        let start = at;
        at += record?.len();
        if start % 8 != 0 {
            return Err(ParseError::Value {
                what: "NextCommand",
                value: start.try_into().unwrap_or(u64::MAX),
            });
        }
        Ok(start..at)
    })
}

fn next_command(record: &[u8]) -> Option<u32> {
    Some(u32::from_le_bytes(record.get(NEXT_COMMAND)?.try_into().ok()?))
}

/// Builds a frame of one or more messages, each padded to a multiple of eight but the last.
#[derive(Debug, Default)]
pub struct Builder {
    frame: Vec<u8>,
    starts: Vec<usize>,
}

impl Builder {
    /// An empty frame.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a message.
    pub fn push<'a>(&mut self, header: &Header, body: &impl Message<'a>) -> &mut Self {
        self.push_raw(header, |out| body.emit(out))
    }

    /// Appends a message whose body `emit` writes.
    pub fn push_raw(&mut self, header: &Header, emit: impl FnOnce(&mut Vec<u8>)) -> &mut Self {
        self.pad();
        let start = self.frame.len();
        if let Some(previous) = self.starts.last() {
            let distance = len32(start - previous).to_le_bytes();
            let field = previous + NEXT_COMMAND.start..previous + NEXT_COMMAND.end;
            if let Some(field) = self.frame.get_mut(field) {
                field.copy_from_slice(&distance);
            }
        }
        self.starts.push(start);
        header.emit(0, &mut self.frame);
        emit(&mut self.frame);
        self
    }

    fn pad(&mut self) {
        self.frame.resize(self.frame.len().next_multiple_of(8), 0);
    }

    /// Where each message lies, padding included.
    pub fn ranges(&self) -> impl Iterator<Item = Range<usize>> {
        let ends = self.starts.iter().skip(1).copied().chain([self.frame.len()]);
        self.starts.iter().copied().zip(ends).map(|(start, end)| start..end)
    }

    /// The frame.
    pub fn finish(self) -> Vec<u8> {
        self.frame
    }
}

/// A frame of one message.
pub fn single<'a>(header: &Header, body: &impl Message<'a>) -> Vec<u8> {
    let mut frame = Vec::with_capacity(HEADER_LEN + body.wire_len());
    header.emit(0, &mut frame);
    body.emit(&mut frame);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        command::Command,
        msg::{CloseFlags, CloseRequest, EchoRequest, FileId},
    };

    fn compound() -> Builder {
        let close = CloseRequest { flags: CloseFlags::NONE, file_id: FileId::ANY };
        let mut builder = Builder::new();
        builder.push(&Header::request(Command::ECHO, 1), &EchoRequest);
        builder.push(&Header::request(Command::CLOSE, 2), &close);
        builder.push(&Header::request(Command::ECHO, 3), &EchoRequest);
        builder
    }

    #[test]
    fn splits_what_it_builds() {
        let builder = compound();
        let built: Vec<_> = builder.ranges().collect();
        let frame = builder.finish();
        assert_eq!(ranges(&frame).collect::<Result<Vec<_>, _>>().unwrap(), built);
        let parts: Vec<_> = parts(&frame).collect::<Result<_, _>>().unwrap();
        assert_eq!(parts.iter().map(|part| part.header.message_id).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(parts[0].bytes.len(), 72, "padded to eight");
        assert_eq!(parts[2].bytes.len(), 68, "the last one is not");
        assert!(CloseRequest::parse(&parts[1].body).is_ok());
    }

    #[test]
    fn next_command_must_be_aligned_and_inside() {
        for bad in [1, 63, 70, 4096, u32::MAX] {
            let mut frame = compound().finish();
            frame[NEXT_COMMAND].copy_from_slice(&bad.to_le_bytes());
            assert!(parts(&frame).any(|part| part.is_err()), "NextCommand {bad}");
        }
        assert!(parts(&[]).next().unwrap().is_err());
    }

    #[test]
    fn a_body_does_not_reach_into_the_next_message() {
        let mut frame = compound().finish();
        let first = frame.len();
        frame[NEXT_COMMAND].copy_from_slice(&0u32.to_le_bytes());
        assert_eq!(parts(&frame).next().unwrap().unwrap().bytes.len(), first);
        let frame = compound().finish();
        let part = parts(&frame).next().unwrap().unwrap();
        assert!(part.body.slice_at("test", 72u32, 1u32).is_err());
    }
}
