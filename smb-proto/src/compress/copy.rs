//! Matches: copies from what was already decompressed.

use crate::error::ParseError;

/// Bytes moved at once where source and target do not overlap within them.
const STEP: usize = 8;

/// Writes at `at` the `len` bytes that lie `distance` before it, repeating them where `len` is longer; returns
/// where the next byte goes.
#[inline]
pub(super) fn copy_match(
    out: &mut [u8],
    at: usize,
    distance: usize,
    len: usize,
) -> Result<usize, ParseError> {
    let (Some(from), Some(end)) = (at.checked_sub(distance), at.checked_add(len)) else {
        return Err(bad("match distance", distance));
    };
    if end > out.len() || distance == 0 {
        return Err(bad("match length", len));
    }
    if distance >= STEP && end.saturating_add(STEP) <= out.len() {
        copy_steps(out, from, at, end);
    } else {
        copy_growing(out, from, at, end);
    }
    Ok(end)
}

/// Whole steps; may write up to a step too far, where later output overwrites it.
#[inline]
fn copy_steps(out: &mut [u8], mut from: usize, mut at: usize, end: usize) {
    while at < end {
        let Some(step) = out.get(from..).and_then(|source| source.first_chunk::<STEP>()).copied() else {
            return;
        };
        let Some(target) = out.get_mut(at..).and_then(|target| target.first_chunk_mut::<STEP>()) else {
            return;
        };
        *target = step;
        from += STEP;
        at += STEP;
    }
}

/// Runs that double: all that stands between `from` and `at` may be copied at once.
fn copy_growing(out: &mut [u8], from: usize, mut at: usize, end: usize) {
    if at - from == 1 {
        let Some(byte) = out.get(from).copied() else { return };
        if let Some(target) = out.get_mut(at..end) {
            target.fill(byte);
        }
        return;
    }
    while at < end {
        let run = (at - from).min(end - at);
        out.copy_within(from..from + run, at);
        at += run;
    }
}

fn bad(what: &'static str, value: usize) -> ParseError {
    ParseError::Value { what, value: u64::try_from(value).unwrap_or(u64::MAX) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Against the definition: one byte after the other.
        #[test]
        fn as_byte_by_byte(start in proptest::collection::vec(any::<u8>(), 1..40), distance in 1usize..40, len in 0usize..90, room in 0usize..20) {
            let (at, distance) = (start.len(), distance.min(start.len()));
            let mut expected = start.clone();
            for i in 0..len {
                expected.push(expected[at + i - distance]);
            }
            let mut out = start;
            out.resize(at + len + room, 0xee);
            prop_assert_eq!(copy_match(&mut out, at, distance, len), Ok(at + len));
            prop_assert_eq!(&out[..at + len], &expected[..]);
        }
    }

    #[test]
    fn refuses_what_leaves_the_buffer() {
        let mut out = [1, 2, 3, 0, 0];
        assert_eq!(copy_match(&mut out, 3, 4, 1), Err(bad("match distance", 4)));
        assert_eq!(copy_match(&mut out, 3, 0, 1), Err(bad("match length", 1)));
        assert_eq!(copy_match(&mut out, 3, 1, 3), Err(bad("match length", 3)));
        assert_eq!(copy_match(&mut out, 3, 1, usize::MAX), Err(bad("match distance", 1)));
        assert_eq!(out, [1, 2, 3, 0, 0]);
    }
}
