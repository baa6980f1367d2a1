//! The tests every message has (design rule 5): `message_tests!`.

use super::{Body, Message};
use crate::{
    command::Command,
    error::ParseError,
    header::{HEADER_LEN, Header},
};

/// One variable part of a body, as an independent reader finds it: the fields that describe it, counted from
/// the body's first byte, and the bytes that must lie there.
pub(crate) struct Part {
    pub offset_at: usize,
    pub offset_width: usize,
    pub len_at: usize,
    pub len_width: usize,
    pub bytes: Vec<u8>,
}

impl Part {
    pub(crate) fn new(offset: (usize, usize), len: (usize, usize), bytes: impl Into<Vec<u8>>) -> Self {
        let ((offset_at, offset_width), (len_at, len_width)) = (offset, len);
        Self { offset_at, offset_width, len_at, len_width, bytes: bytes.into() }
    }
}

/// A whole message: a header with nothing in it, and the body.
pub(crate) fn whole<'a, M: Message<'a>>(message: &M) -> Vec<u8> {
    let mut wire = Vec::new();
    Header::request(Command(0), 0).emit(0, &mut wire);
    message.emit(&mut wire);
    wire
}

pub(crate) fn parse<'a, M: Message<'a>>(wire: &'a [u8]) -> Result<M, ParseError> {
    M::parse(&Body::new(wire)?)
}

fn number(wire: &[u8], at: usize, width: usize) -> usize {
    let field = &wire[HEADER_LEN + at..][..width];
    field.iter().rev().fold(0, |value, byte| value << 8 | usize::from(*byte))
}

fn put_number(wire: &mut [u8], at: usize, width: usize, value: usize) {
    wire[HEADER_LEN + at..][..width].copy_from_slice(&value.to_le_bytes()[..width]);
}

/// Where a part's bytes lie according to its own fields.
pub(crate) fn check_parts(wire: &[u8], parts: &[Part]) {
    for part in parts {
        let len = number(wire, part.len_at, part.len_width);
        assert_eq!(len, part.bytes.len(), "length field at {}", part.len_at);
        if len > 0 {
            let offset = number(wire, part.offset_at, part.offset_width);
            assert_eq!(&wire[offset..offset + len], part.bytes, "part at {offset}");
        }
    }
}

/// The same message with one part moved behind everything else, its old place overwritten.
pub(crate) fn moved(wire: &[u8], part: &Part) -> Option<Vec<u8>> {
    let len = part.bytes.len();
    let to = wire.len().next_multiple_of(8) + 8;
    if len == 0 || to >= 1 << (8 * part.offset_width) {
        return None;
    }
    let mut wire = wire.to_vec();
    let from = number(&wire, part.offset_at, part.offset_width);
    wire[from..from + len].fill(0xee);
    wire.resize(to, 0xdd);
    wire.extend_from_slice(&part.bytes);
    put_number(&mut wire, part.offset_at, part.offset_width, to);
    Some(wire)
}

/// The same message with one part's offset pointing into its fixed part.
pub(crate) fn overlapping(wire: &[u8], part: &Part) -> Option<Vec<u8>> {
    let mut wire = wire.to_vec();
    put_number(&mut wire, part.offset_at, part.offset_width, 64);
    (!part.bytes.is_empty()).then_some(wire)
}

/// Writes the tests of one message: a module name, the type, a proptest strategy for it, and a function that
/// lists its variable parts.
macro_rules! message_tests {
    ($name:ident, $message:ty, $strategy:expr $(, $parts:expr)?) => {
        mod $name {
            #[allow(unused_imports)]
            use super::*;
            #[allow(unused_imports)]
            use crate::codec::{Message as _, testing};
            #[allow(unused_imports)]
            use proptest::prelude::*;

            fn parts(_message: &$message) -> Vec<testing::Part> {
                $(return ($parts)(_message);)?
                #[allow(unreachable_code)]
                Vec::new()
            }

            proptest! {
                #[test]
                fn round_trip(message in $strategy) {
                    let wire = testing::whole(&message);
                    prop_assert_eq!(wire.len(), 64 + message.wire_len());
                    prop_assert_eq!(&testing::parse::<$message>(&wire).unwrap(), &message);
                }

                #[test]
                fn truncations_error(message in $strategy) {
                    let wire = testing::whole(&message);
                    for cut in 0..wire.len() {
                        if let Ok(parsed) = testing::parse::<$message>(&wire[..cut]) {
                            prop_assert_eq!(cut, wire.len() - 1, "only a padding byte may be missing");
                            prop_assert_eq!(wire[cut], 0);
                            prop_assert_eq!(&parsed, &message);
                        }
                    }
                }

                #[test]
                fn parts_lie_at_their_offsets(message in $strategy) {
                    testing::check_parts(&testing::whole(&message), &parts(&message));
                }

                #[test]
                fn parts_do_not_lie_in_the_fixed_part(message in $strategy) {
                    let wire = testing::whole(&message);
                    for part in parts(&message) {
                        if let Some(overlapping) = testing::overlapping(&wire, &part) {
                            prop_assert!(testing::parse::<$message>(&overlapping).is_err());
                        }
                    }
                }

                #[test]
                fn moved_parts_are_followed(message in $strategy) {
                    let wire = testing::whole(&message);
                    for part in parts(&message) {
                        if let Some(moved) = testing::moved(&wire, &part) {
                            prop_assert_eq!(&testing::parse::<$message>(&moved).unwrap(), &message);
                        }
                    }
                }
            }
        }
    };
}

pub(crate) use message_tests;
