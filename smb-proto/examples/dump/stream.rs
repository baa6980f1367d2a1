//! From segments to frames: one direction of a TCP connection put in order, and cut where the four bytes of length say.

use super::net::Segment;
use smb_proto::frame::FrameKind;
use std::collections::HashMap;

/// Segments that wait for one that is missing: at most so many, then the missing one is given up.
const MAX_WAITING: usize = 4096;
/// Bytes before a frame: a zero (or a NetBIOS message type) and the length.
const PREFIX: usize = 4;

/// What a stream has yielded.
pub enum Found {
    /// A whole frame, without the length before it.
    Frame(Vec<u8>),
    /// Something the reader should know.
    Note(String),
}

/// What is known of a stream.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum State {
    /// Its beginning was not seen, or lost: the next frame must be looked for.
    #[default]
    Lost,
    /// The next byte is the first one of the connection.
    Start,
    /// The next byte begins a frame.
    Frames,
    /// Another protocol.
    Other,
}

/// One direction of a connection.
#[derive(Default)]
pub struct Stream {
    next: Option<u32>,
    waiting: HashMap<u32, Vec<u8>>,
    buffer: Vec<u8>,
    state: State,
}

impl Stream {
    /// Takes a segment; returns what it completed.
    pub fn feed(&mut self, segment: &Segment<'_>) -> Vec<Found> {
        let mut found = Vec::new();
        if segment.opens && !self.is_repeated(segment) {
            *self =
                Self { next: Some(segment.sequence.wrapping_add(1)), state: State::Start, ..Self::default() };
        }
        if segment.payload.is_empty() || self.state == State::Other {
            return found;
        }
        let first = segment.sequence.wrapping_add(u32::from(segment.opens));
        let next = *self.next.get_or_insert(first);
        if !self.accept(first, segment.payload) && behind(first, next).is_none() {
            self.waiting.entry(first).or_insert_with(|| segment.payload.to_vec());
            if self.waiting.len() > MAX_WAITING {
                self.give_up(&mut found);
            }
        }
        self.catch_up();
        self.frames(&mut found);
        found
    }

    /// Whether a SYN is the one that began this stream, sent again.
    pub fn is_repeated(&self, segment: &Segment<'_>) -> bool {
        self.state == State::Start && self.next == Some(segment.sequence.wrapping_add(1))
    }

    /// The capture is over: what still waits is read as well as it can be.
    pub fn end(&mut self) -> Vec<Found> {
        let mut found = Vec::new();
        while !self.waiting.is_empty() {
            self.give_up(&mut found);
            self.catch_up();
            self.frames(&mut found);
        }
        if self.state == State::Frames && !self.buffer.is_empty() {
            found.push(Found::Note(format!("ends within a frame, after {} bytes of it", self.buffer.len())));
        }
        found
    }

    /// Appends a segment that begins where the stream ends, or before that; says whether it did.
    fn accept(&mut self, first: u32, payload: &[u8]) -> bool {
        let Some(next) = self.next else { return false };
        let Some(fresh) = behind(first, next).and_then(|known| payload.get(known..)) else { return false };
        self.buffer.extend_from_slice(fresh);
        self.next = u32::try_from(fresh.len()).ok().map(|len| next.wrapping_add(len));
        true
    }

    /// Appends what waited and is due now.
    fn catch_up(&mut self) {
        while let Some(next) = self.next {
            let Some(first) = self.waiting.keys().copied().find(|first| behind(*first, next).is_some())
            else {
                break;
            };
            let payload = self.waiting.remove(&first).unwrap_or_default();
            self.accept(first, &payload);
        }
    }

    /// Goes on behind a gap, at the nearest segment that waits.
    fn give_up(&mut self, found: &mut Vec<Found>) {
        let next = self.next.unwrap_or_default();
        let Some(nearest) = self.waiting.keys().copied().min_by_key(|first| first.wrapping_sub(next)) else {
            return;
        };
        let missing = nearest.wrapping_sub(next);
        if self.state == State::Frames {
            found.push(Found::Note(format!("{missing} bytes are missing from the capture")));
        }
        self.next = Some(nearest);
        self.buffer.clear();
        self.state = State::Lost;
    }

    /// Cuts frames off the buffer.
    fn frames(&mut self, found: &mut Vec<Found>) {
        let mut at = 0;
        while let Some(rest) = self.buffer.get(at..) {
            match self.state {
                State::Other => at = self.buffer.len(),
                State::Start => match start(rest) {
                    Some((state, note)) => {
                        self.state = state;
                        found.extend(note.map(Found::Note));
                        continue;
                    }
                    None => break,
                },
                State::Lost => match rest.windows(PREFIX + 4).position(begins_frame) {
                    Some(skipped) => {
                        at += skipped;
                        self.state = State::Frames;
                        continue;
                    }
                    None => at += rest.len().saturating_sub(PREFIX + 3),
                },
                State::Frames => match cut(rest) {
                    Cut::Frame(frame) => {
                        found.push(Found::Frame(frame.to_vec()));
                        at += PREFIX + frame.len();
                        continue;
                    }
                    Cut::Skip(len) => {
                        at += len;
                        continue;
                    }
                    Cut::Short => {}
                    Cut::Wrong => {
                        found.push(Found::Note("no frame begins here: looking for the next".to_owned()));
                        self.state = State::Lost;
                        at += 1;
                        continue;
                    }
                },
            }
            break;
        }
        self.buffer.drain(..at.min(self.buffer.len()));
    }
}

/// How many bytes `first` lies before `next`, at most half the circle of sequence numbers.
fn behind(first: u32, next: u32) -> Option<usize> {
    let distance = next.wrapping_sub(first);
    if distance < 1 << 31 { usize::try_from(distance).ok() } else { None }
}

/// What a connection begins with; `None` while that cannot be told.
fn start(rest: &[u8]) -> Option<(State, Option<String>)> {
    let head = rest.get(..PREFIX + 4)?;
    Some(match head {
        b"MPA ID R" => {
            let note = "an iWARP stream (SMB Direct, perhaps): RDMA is not read here, skipped";
            let is_request = rest.get(..10)?.ends_with(b"q");
            (State::Other, is_request.then(|| note.to_owned()))
        }
        // NetBIOS session request and its answers come before the first frame.
        head if begins_frame(head) || matches!(head.first(), Some(0x81..=0x83)) => (State::Frames, None),
        _ => (State::Other, None),
    })
}

fn begins_frame(head: &[u8]) -> bool {
    head.first() == Some(&0) && head.get(PREFIX..).and_then(FrameKind::of).is_some()
}

enum Cut<'a> {
    Frame(&'a [u8]),
    /// A message of NetBIOS: so many bytes.
    Skip(usize),
    /// More bytes are needed.
    Short,
    /// Not a frame.
    Wrong,
}

fn cut(rest: &[u8]) -> Cut<'_> {
    let Some(([kind, len @ ..], behind)) = rest.split_first_chunk::<PREFIX>() else { return Cut::Short };
    let len = len.iter().fold(0, |len, byte| len << 8 | usize::from(*byte));
    match kind {
        0 if behind.len() >= 4 && FrameKind::of(behind).is_none() => Cut::Wrong,
        0 => behind.get(..len).map_or(Cut::Short, Cut::Frame),
        0x81..=0x85 if behind.len() >= len => Cut::Skip(PREFIX + len),
        0x81..=0x85 => Cut::Short,
        _ => Cut::Wrong,
    }
}
