//! Compression — [MS-XCA] 2.1.

use super::{
    BLOCK, LONG, MATCH, SYMBOLS,
    code::{Codes, codes, lengths, pack},
};
use crate::compress::finder::{Finder, Sink};

/// 15 distance bits behind a one.
const MAX_DISTANCE: usize = 65_535;
/// Candidates tried per position.
const DEPTH: usize = 12;

/// Compresses `data`; `None` where that does not make it smaller.
pub fn compress(data: &[u8]) -> Option<Vec<u8>> {
    let mut finder = Finder::new(data, MAX_DISTANCE, DEPTH)?;
    let mut out = Vec::with_capacity(data.len() / 2 + 512);
    let mut tokens = Tokens { list: Vec::new(), counts: [0; SYMBOLS] };
    let mut start = 0;
    while start < data.len() {
        let end = start.saturating_add(BLOCK).min(data.len());
        tokens.clear();
        finder.tokens(start..end, 0, &mut tokens);
        if end == data.len() {
            tokens.push(Token::End, MATCH);
        }
        block(&tokens, &mut out);
        start = end;
        if out.len() >= data.len() {
            return None;
        }
    }
    (start > 0).then_some(out)
}

/// One block: code lengths and codes.
fn block(tokens: &Tokens, out: &mut Vec<u8>) {
    let lengths = lengths(&tokens.counts);
    out.extend_from_slice(&pack(&lengths));
    let mut writer = Writer::new(out, codes(&lengths));
    for token in &tokens.list {
        match *token {
            Token::Literal(byte) => writer.symbol(byte.into()),
            Token::Match { len, distance } => writer.matched(len, distance),
            Token::End => writer.symbol(MATCH),
        }
    }
    writer.finish();
}

#[derive(Clone, Copy)]
enum Token {
    Literal(u8),
    /// The length is kept less 3.
    Match {
        len: u16,
        distance: u16,
    },
    End,
}

/// What one block consists of, and how often each symbol occurs.
struct Tokens {
    list: Vec<Token>,
    counts: [u32; SYMBOLS],
}

impl Tokens {
    fn clear(&mut self) {
        self.list.clear();
        self.counts = [0; SYMBOLS];
    }

    #[inline]
    fn push(&mut self, token: Token, symbol: usize) {
        self.list.push(token);
        if let Some(count) = self.counts.get_mut(symbol) {
            *count += 1;
        }
    }
}

impl Sink for Tokens {
    fn literals(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.push(Token::Literal(*byte), usize::from(*byte));
        }
    }

    fn matched(&mut self, len: usize, distance: usize) {
        let len = u16::try_from(len.saturating_sub(3)).unwrap_or(u16::MAX);
        let distance = u16::try_from(distance).unwrap_or(u16::MAX);
        self.push(Token::Match { len, distance }, match_symbol(len, distance));
    }

    fn max_len(&self, _offset: usize) -> usize {
        BLOCK
    }
}

/// The number of bits that follow the leading one of a distance.
fn distance_bits(distance: u16) -> u32 {
    distance.checked_ilog2().unwrap_or(0)
}

fn match_symbol(len: u16, distance: u16) -> usize {
    let bits = usize::try_from(distance_bits(distance)).unwrap_or(0);
    MATCH + (bits << 4 | usize::from(len).min(LONG))
}

/// Writes the bit stream. The reader is always a word ahead, so places of two words are open all the time; bytes of
/// long lengths go behind them.
struct Writer<'a> {
    out: &'a mut Vec<u8>,
    codes: Codes,
    /// The bits of the word that is not full, and how many more it takes.
    word: u32,
    free: u32,
    /// Where this word goes, and the next.
    places: [usize; 2],
}

impl<'a> Writer<'a> {
    fn new(out: &'a mut Vec<u8>, codes: Codes) -> Self {
        let at = out.len();
        out.extend_from_slice(&[0; 4]);
        Self { out, codes, word: 0, free: 16, places: [at, at + 2] }
    }

    #[inline]
    fn symbol(&mut self, symbol: usize) {
        let (code, count) = self.codes.get(symbol).copied().unwrap_or_default();
        self.bits(code.into(), count.into());
    }

    fn matched(&mut self, len: u16, distance: u16) {
        self.symbol(match_symbol(len, distance));
        if let Some(longer) = usize::from(len).checked_sub(LONG) {
            match u8::try_from(longer) {
                Ok(byte) if byte < 255 => self.out.push(byte),
                _ => {
                    self.out.push(255);
                    self.out.extend_from_slice(&len.to_le_bytes());
                }
            }
        }
        let count = distance_bits(distance);
        self.bits(u32::from(distance) & ((1 << count) - 1), count);
    }

    /// The lower `count` bits, 15 at most. A word is written when a bit is due that it cannot take, not as soon
    /// as it is full: that is when the reader reads ahead.
    #[inline]
    fn bits(&mut self, bits: u32, count: u32) {
        match self.free.checked_sub(count) {
            Some(free) => {
                self.word = self.word << count | bits;
                self.free = free;
            }
            None => {
                let over = count - self.free;
                self.put(self.word << self.free | bits >> over);
                self.places = [self.places[1], self.out.len()];
                self.out.extend_from_slice(&[0; 2]);
                (self.word, self.free) = (bits & ((1 << over) - 1), 16 - over);
            }
        }
    }

    fn put(&mut self, word: u32) {
        let [low, high, ..] = word.to_le_bytes();
        if let Some(place) = self.out.get_mut(self.places[0]..).and_then(|out| out.first_chunk_mut()) {
            *place = [low, high];
        }
    }

    fn finish(mut self) {
        self.put(self.word << self.free);
    }
}
