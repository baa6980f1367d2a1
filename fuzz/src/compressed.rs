//! Compressed messages: the headers, the chain, and each algorithm by itself.

use crate::{bounded, bytes_of};
use smb_proto::{
    compress::{self, Negotiated},
    dialect::CompressionAlgorithm,
    transform::compression::CompressedMessage,
};

/// The most a message may yield here.
const LIMIT: usize = 256 * 1024;
/// What an algorithm may hold beside its input and its result: the decoding table of LZ77+Huffman, 2^15 entries of two bytes.
const WORKSPACE: usize = 64 * 1024;
/// The algorithms that compress a payload by themselves.
pub const ALONE: [CompressionAlgorithm; 4] = [
    CompressionAlgorithm::LZNT1,
    CompressionAlgorithm::LZ77,
    CompressionAlgorithm::LZ77_HUFFMAN,
    CompressionAlgorithm::LZ4,
];

fn negotiated(chained: bool) -> Negotiated {
    let mut algorithms = ALONE.to_vec();
    algorithms.push(CompressionAlgorithm::PATTERN_V1);
    Negotiated { algorithms, chained }
}

/// Frames, or the algorithms alone.
pub fn run(data: &[u8]) {
    crate::one_of(data, &[frames, algorithms]);
}

/// Any frame that claims to be compressed.
fn frames(data: &[u8]) {
    crate::fixed_point!(data, CompressedMessage::parse, |message: &CompressedMessage<'_>| {
        let wire = bytes_of(|out| message.emit(out));
        assert_eq!(wire.len(), message.wire_len());
        wire
    });
    for chained in [false, true] {
        let allowed = bounded::for_input(data.len()) + LIMIT + WORKSPACE;
        if let Ok(plain) = bounded::within(allowed, || negotiated(chained).decompress(data, LIMIT)) {
            assert!(plain.len() <= LIMIT);
            again(&negotiated(chained), &plain);
        }
    }
}

/// What we compress we decompress.
fn again(negotiated: &Negotiated, plain: &[u8]) {
    if let Some(frame) = negotiated.compress(plain, plain.len().min(64)) {
        assert!(frame.len() < plain.len());
        assert_eq!(negotiated.decompress(&frame, plain.len()).as_deref(), Ok(plain));
        assert!(negotiated.decompress(&frame, plain.len() - 1).is_err(), "the limit holds");
    }
}

/// Each algorithm: the first byte chooses it, two more the size of the result; the rest is read as compressed bytes and
/// compressed as plain ones.
fn algorithms(data: &[u8]) {
    let Some(([which, low, high], bytes)) = data.split_first_chunk() else { return };
    let Some(algorithm) = ALONE.get(usize::from(*which)).copied() else { return };
    let len = usize::from(u16::from_le_bytes([*low, *high]));
    let mut out = vec![0; len];
    let read = bounded::within(WORKSPACE, || compress::decompress_into(algorithm, bytes, &mut out));
    if read.is_ok() {
        round_trip(algorithm, &out);
    }
    round_trip(algorithm, bytes);
}

fn round_trip(algorithm: CompressionAlgorithm, plain: &[u8]) {
    if let Some(packed) = compress::compress(algorithm, plain) {
        assert!(packed.len() < plain.len());
        assert_eq!(compress::decompress(algorithm, &packed, plain.len()).as_deref(), Ok(plain));
    }
}
