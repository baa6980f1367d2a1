//! Where the same bytes stood before: hash chains over a sliding window.

use std::ops::Range;

/// No position.
const NONE: u32 = u32::MAX;
/// A match this long is taken without looking for a longer one.
const GOOD_LEN: usize = 96;
/// Positions of a match up to this long are all remembered; of a longer one only the last of them, which keeps
/// runs of one byte cheap.
const REMEMBERED: usize = 32;
/// After this many bytes without a match the search begins to skip.
const PATIENCE_SHIFT: u32 = 6;
/// At most this many bytes are skipped.
const MAX_SKIP: usize = 32;

/// What takes the tokens: literal bytes and matches, in order, covering the range without a gap.
pub(super) trait Sink {
    /// The bytes stand as they are.
    fn literals(&mut self, bytes: &[u8]);
    /// `len` bytes equal those `distance` before them.
    fn matched(&mut self, len: usize, distance: usize);
    /// The longest match that can be told at `offset` bytes from the start of the range.
    fn max_len(&self, offset: usize) -> usize;
}

/// Finds matches of at least three bytes in `data`, at most `max_distance` back.
pub(super) struct Finder<'a> {
    data: &'a [u8],
    /// Newest position by hash.
    head: Vec<u32>,
    /// The position before a position with the same hash; a ring.
    previous: Vec<u32>,
    hash_shift: u32,
    max_distance: usize,
    depth: usize,
}

impl<'a> Finder<'a> {
    /// `depth`: how many candidates are tried. `None` where positions do not fit in 32 bits.
    pub(super) fn new(data: &'a [u8], max_distance: usize, depth: usize) -> Option<Self> {
        let len = u32::try_from(data.len()).ok().filter(|len| *len < NONE)?;
        let hash_bits = (u32::BITS - len.leading_zeros()).clamp(8, 15);
        let ring = max_distance.saturating_add(1).min(data.len().max(1)).checked_next_power_of_two()?;
        Some(Self {
            data,
            head: vec![NONE; 1 << hash_bits],
            previous: vec![NONE; ring],
            hash_shift: u32::BITS - hash_bits,
            max_distance,
            depth,
        })
    }

    /// Cuts `range` into tokens. Ranges follow one another; matches reach back to `floor` and end in the range.
    pub(super) fn tokens(&mut self, range: Range<usize>, floor: usize, sink: &mut impl Sink) {
        let (mut at, mut literals) = (range.start, range.start);
        while at < range.end {
            let max_len = sink.max_len(at - range.start).min(range.end - at);
            let Some((len, distance)) = self.find(at, floor, max_len) else {
                self.remember(at);
                at += 1 + ((at - literals) >> PATIENCE_SHIFT).min(MAX_SKIP);
                continue;
            };
            sink.literals(self.data.get(literals..at).unwrap_or_default());
            sink.matched(len, distance);
            self.remember(at);
            let end = at + len;
            ((at + 1).max(end.saturating_sub(REMEMBERED))..end).for_each(|at| self.remember(at));
            (at, literals) = (end, end);
        }
        sink.literals(self.data.get(literals..range.end).unwrap_or_default());
    }

    /// The longest match for the bytes at `at`: its length and distance.
    #[inline]
    fn find(&self, at: usize, floor: usize, max_len: usize) -> Option<(usize, usize)> {
        if max_len < 3 {
            return None;
        }
        let here = self.data.get(at..at + max_len)?;
        let floor = floor.max(at.saturating_sub(self.max_distance));
        let mut candidate = position(self.head.get(self.hash(at)?));
        let (mut best_len, mut best_distance) = (2, 0);
        for _ in 0..self.depth {
            if candidate < floor || candidate >= at {
                break;
            }
            let there = self.data.get(candidate..candidate + max_len)?;
            if there.get(best_len) == here.get(best_len) {
                let len = common(here, there);
                if len > best_len {
                    (best_len, best_distance) = (len, at - candidate);
                    if len >= GOOD_LEN.min(max_len) {
                        break;
                    }
                }
            }
            candidate = position(self.previous.get(candidate & (self.previous.len() - 1)));
        }
        (best_distance > 0).then_some((best_len, best_distance))
    }

    #[inline]
    fn remember(&mut self, at: usize) {
        let Some(head) = self.hash(at).and_then(|hash| self.head.get_mut(hash)) else { return };
        let slot = at & (self.previous.len() - 1);
        if let Some(previous) = self.previous.get_mut(slot) {
            *previous = *head;
        }
        *head = u32::try_from(at).unwrap_or(NONE);
    }

    /// Of the three bytes at `at`; `None` at the very end, where a fourth is missing.
    #[inline]
    fn hash(&self, at: usize) -> Option<usize> {
        let bytes = self.data.get(at..)?.first_chunk::<4>()?;
        let three = u32::from_le_bytes(*bytes) << 8;
        usize::try_from(three.wrapping_mul(0x9e37_79b1) >> self.hash_shift).ok()
    }
}

fn position(entry: Option<&u32>) -> usize {
    match entry {
        Some(&at) if at != NONE => usize::try_from(at).unwrap_or(usize::MAX),
        _ => usize::MAX,
    }
}

/// How many first bytes are equal; both slices are equally long.
#[inline]
fn common(a: &[u8], b: &[u8]) -> usize {
    let ((a_words, a_rest), (b_words, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut len = 0;
    for (a, b) in a_words.iter().zip(b_words) {
        let difference = u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b);
        if difference != 0 {
            return len + usize::try_from(difference.trailing_zeros() / 8).unwrap_or(0);
        }
        len += 8;
    }
    len + a_rest.iter().zip(b_rest).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compress::samples;
    use proptest::prelude::*;

    /// Rebuilds the data from the tokens, one byte after the other.
    struct Rebuilt {
        bytes: Vec<u8>,
        max_distance: usize,
        longest: usize,
    }

    impl Sink for Rebuilt {
        fn literals(&mut self, bytes: &[u8]) {
            self.bytes.extend_from_slice(bytes);
        }
        fn matched(&mut self, len: usize, distance: usize) {
            assert!((3..=self.longest).contains(&len) && (1..=self.max_distance).contains(&distance));
            for _ in 0..len {
                self.bytes.push(self.bytes[self.bytes.len() - distance]);
            }
        }
        fn max_len(&self, _offset: usize) -> usize {
            self.longest
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn tokens_are_the_data(data in samples::data(9000), max_distance in 1usize..5000, longest in 3usize..300, cut in any::<prop::sample::Index>()) {
            let mut finder = Finder::new(&data, max_distance, 8).unwrap();
            let mut rebuilt = Rebuilt { bytes: Vec::new(), max_distance, longest };
            let cut = cut.index(data.len() + 1);
            finder.tokens(0..cut, 0, &mut rebuilt);
            prop_assert_eq!(rebuilt.bytes.len(), cut);
            finder.tokens(cut..data.len(), 0, &mut rebuilt);
            prop_assert_eq!(rebuilt.bytes, data);
        }
    }

    #[test]
    fn finds_what_is_there() {
        let mut lens = Vec::new();
        struct Lens<'a>(&'a mut Vec<(usize, usize)>);
        impl Sink for Lens<'_> {
            fn literals(&mut self, _bytes: &[u8]) {}
            fn matched(&mut self, len: usize, distance: usize) {
                self.0.push((len, distance));
            }
            fn max_len(&self, _offset: usize) -> usize {
                usize::MAX
            }
        }
        let data = b"one two three one two four, one two three";
        Finder::new(data, 100, 8).unwrap().tokens(0..data.len(), 0, &mut Lens(&mut lens));
        assert_eq!(lens, [(8, 14), (9, 14), (5, 28)]);
    }
}
