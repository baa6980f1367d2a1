//! What the example does, apart from its command line: the tests run it too.

pub mod capture;
pub mod conversation;
pub mod keys;
pub mod net;
pub mod show;
pub mod stream;
pub mod typed;

use capture::Packets;
use conversation::Conversation;
use keys::Keys;
use net::{Read, Segment};
use smb_proto::frame::FrameKind;
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Write},
    net::SocketAddr,
};
use stream::{Found, Stream};

/// Connections that are followed at a time; more are left out.
const MAX_CONNECTIONS: usize = 10_000;

/// One TCP connection of a capture.
struct Connection {
    number: usize,
    /// The end that was seen first to send, which `>` stands for.
    first: SocketAddr,
    streams: [Stream; 2],
    conversation: Conversation,
    /// Whether its line was printed.
    announced: bool,
}

/// The connections of a capture, by their ends.
#[derive(Default)]
struct Connections {
    open: BTreeMap<(SocketAddr, SocketAddr), Connection>,
    /// How many there were.
    count: usize,
}

/// Reads inputs and writes what they say.
pub struct Tool<'k> {
    keys: &'k Keys,
    verbose: bool,
    /// The conversation of messages that come one by one.
    alone: Conversation,
    messages: usize,
}

impl<'k> Tool<'k> {
    /// With the keys of sealed sessions; `verbose` for every field.
    pub fn new(keys: &'k Keys, verbose: bool) -> Self {
        Self { keys, verbose, alone: Conversation::default(), messages: 0 }
    }

    /// Shows a capture file or a message.
    pub fn dump(&mut self, input: &[u8], out: &mut dyn Write) -> io::Result<()> {
        match Packets::of(input) {
            Some(packets) => self.capture(packets, out),
            None => self.message(input, out),
        }
    }

    fn message(&mut self, input: &[u8], out: &mut dyn Write) -> io::Result<()> {
        let bytes = if starts_a_message(input) { input.to_vec() } else { unhex(input)? };
        let frame = match bytes.split_first_chunk::<4>() {
            Some((_, behind)) if FrameKind::of(&bytes).is_none() && FrameKind::of(behind).is_some() => behind,
            _ => bytes.as_slice(),
        };
        self.messages += 1;
        let lines = self.alone.frame(self.keys, self.verbose, frame);
        write_lines(out, &format!("#{}", self.messages), &lines)
    }

    fn capture(&self, mut packets: Packets<'_>, out: &mut dyn Write) -> io::Result<()> {
        let mut connections = Connections::default();
        let mut notes = BTreeSet::new();
        let mut number = 0;
        for packet in packets.by_ref() {
            number += 1;
            match net::segment(&packet) {
                Read::Tcp(segment) => self.segment(number, &segment, &mut connections, out)?,
                Read::Fragment => _ = notes.insert("IP fragments are not put together".to_owned()),
                Read::UnknownLink(link) => _ = notes.insert(format!("link type {link} is not known")),
                Read::Other => {}
            }
        }
        for connection in connections.open.values_mut() {
            for way in 0..2 {
                let found = connection.streams.get_mut(way).map(Stream::end).unwrap_or_default();
                self.show(number, connection, way, found, out)?;
            }
        }
        if packets.is_cut() {
            notes.insert("the file ends within a packet, or is broken from there on".to_owned());
        }
        notes.iter().try_for_each(|note| writeln!(out, "! {note}"))
    }

    fn segment(
        &self,
        number: usize,
        segment: &Segment<'_>,
        connections: &mut Connections,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let ends = (segment.from.min(segment.to), segment.from.max(segment.to));
        let known = connections.open.get(&ends).and_then(|known| known.streams.first());
        let is_new =
            segment.opens && !segment.acknowledges && !known.is_some_and(|known| known.is_repeated(segment));
        if is_new {
            connections.open.remove(&ends); // the ports are used again
        } else if known.is_none() && connections.open.len() >= MAX_CONNECTIONS {
            return Ok(());
        }
        let connection = connections.open.entry(ends).or_insert_with(|| {
            connections.count += 1;
            Connection {
                number: connections.count,
                first: segment.from,
                streams: Default::default(),
                conversation: Conversation::default(),
                announced: false,
            }
        });
        let way = usize::from(segment.from != connection.first);
        let found = connection.streams.get_mut(way).map(|stream| stream.feed(segment)).unwrap_or_default();
        if !connection.announced && !found.is_empty() {
            connection.announced = true;
            writeln!(out, "connection {}: {} > {}", connection.number, segment.from, segment.to)?;
        }
        self.show(number, connection, way, found, out)
    }

    fn show(
        &self,
        number: usize,
        connection: &mut Connection,
        way: usize,
        found: Vec<Found>,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let arrow = if way == 0 { '>' } else { '<' };
        let label = format!("#{number} {}{arrow}", connection.number);
        for item in found {
            match item {
                Found::Frame(frame) => {
                    let lines = connection.conversation.frame(self.keys, self.verbose, &frame);
                    write_lines(out, &label, &lines)?;
                }
                Found::Note(note) => writeln!(out, "{label} ! {note}")?,
            }
        }
        Ok(())
    }
}

/// The first line of each message behind its label, the tree below it indented.
fn write_lines(out: &mut dyn Write, label: &str, messages: &[String]) -> io::Result<()> {
    for message in messages {
        let mut lines = message.lines();
        writeln!(out, "{label} {}", lines.next().unwrap_or_default())?;
        lines.try_for_each(|line| writeln!(out, "    {line}"))?;
    }
    Ok(())
}

fn starts_a_message(input: &[u8]) -> bool {
    FrameKind::of(input).is_some() || input.get(4..).and_then(FrameKind::of).is_some()
}

/// Bytes of hexadecimal text; white space may stand anywhere.
pub fn unhex(text: &[u8]) -> io::Result<Vec<u8>> {
    let wrong = || io::Error::other("neither a capture file, nor a message, nor hexadecimal digits");
    let digit = |byte: &u8| u8::try_from(char::from(*byte).to_digit(16)?).ok();
    let digits = text.iter().filter(|byte| !byte.is_ascii_whitespace());
    let digits: Vec<u8> = digits.map(digit).collect::<Option<_>>().ok_or_else(wrong)?;
    let (pairs, rest) = digits.as_chunks::<2>();
    if pairs.is_empty() || !rest.is_empty() {
        return Err(wrong());
    }
    Ok(pairs.iter().map(|[high, low]| high << 4 | low).collect())
}
