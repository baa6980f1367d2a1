//! Little-endian fixed parts: nom inside, [`ParseError`] outside.

use crate::error::ParseError;
use nom::{IResult, Parser, error::ErrorKind};

/// Input and result of the crate's own nom parsers. nom's error carries nothing: what failed is named
/// by [`fixed`].
pub(crate) type Parsed<'a, T> = IResult<&'a [u8], T, (&'a [u8], ErrorKind)>;

pub(crate) use nom::{
    bytes::complete::take,
    number::complete::{le_u8, le_u16, le_u32, le_u64},
};

/// Runs `parser` over the fixed part of `what`; the only thing that can be wrong with a fixed part is that
/// it is cut short.
pub(crate) fn fixed<'a, T>(
    what: &'static str,
    input: &'a [u8],
    mut parser: impl Parser<&'a [u8], Output = T, Error = (&'a [u8], ErrorKind)>,
) -> Result<(&'a [u8], T), ParseError> {
    parser.parse(input).map_err(|_| ParseError::Truncated { what })
}

/// Exactly `N` bytes as an array.
pub(crate) fn array<const N: usize>(input: &[u8]) -> Parsed<'_, [u8; N]> {
    let (rest, bytes) = take(N).parse(input)?;
    match bytes.try_into() {
        Ok(array) => Ok((rest, array)),
        Err(_) => Err(nom::Err::Error((input, ErrorKind::Eof))),
    }
}

/// As nom's `count`, without the 64 KiB that it sets aside beforehand: `number` is whatever the peer wrote.
pub(crate) fn count<'a, T>(
    mut parser: impl Parser<&'a [u8], Output = T, Error = (&'a [u8], ErrorKind)>,
    number: usize,
) -> impl Parser<&'a [u8], Output = Vec<T>, Error = (&'a [u8], ErrorKind)> {
    move |mut input| {
        let mut list = Vec::new();
        for _ in 0..number {
            let (rest, item) = parser.parse(input)?;
            list.push(item);
            input = rest;
        }
        Ok((input, list))
    }
}

/// Checks a StructureSize field.
pub(crate) fn structure_size(what: &'static str, expected: u16, found: u16) -> Result<(), ParseError> {
    if found == expected {
        Ok(())
    } else {
        Err(ParseError::StructureSize { what, expected: expected.into(), found: found.into() })
    }
}

/// The length of something we emit as the wire's `u16`. Lengths over it are a caller's error that `emit` cannot
/// report: the value saturates, so the peer reads a part, or refuses the message. `Message::emit` says so.
pub(crate) fn len16(len: usize) -> u16 {
    u16::try_from(len).unwrap_or(u16::MAX)
}

/// As [`len16`] for 32 bits.
pub(crate) fn len32(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

/// `usize` of a wire length; on every supported target a `u32` fits.
pub(crate) fn size(len: u32) -> usize {
    usize::try_from(len).unwrap_or(usize::MAX)
}

/// Bytes needed to bring `len` to a multiple of eight.
pub(crate) fn pad8(len: usize) -> usize {
    len.wrapping_neg() & 7
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_holds_what_was_there() {
        assert_eq!(fixed("list", &[1, 0, 2, 0, 3], count(le_u16, 2)), Ok((&[3][..], vec![1, 2])));
        assert_eq!(fixed("list", &[1, 0, 2], count(le_u16, 2)), Err(ParseError::Truncated { what: "list" }));
    }

    #[test]
    fn no_room_is_made_for_a_list_that_is_not_there() {
        let (_, list) = fixed("list", &[1, 0], count(le_u16, 1)).unwrap();
        assert!(list.capacity() < 64, "{}", list.capacity());
    }
}
