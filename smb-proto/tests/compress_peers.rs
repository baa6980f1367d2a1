//! Streams of other implementations, decompressed: `data/compress/README.md` says whose.
#![allow(clippy::unwrap_used, clippy::panic)]

use smb_proto::{
    compress::{Negotiated, decompress},
    dialect::CompressionAlgorithm,
};
use std::{fs, path::Path};

/// Xorshift, as in `oracle.py`.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..len.div_ceil(8)).flat_map(|_| next()).take(len).collect()
}

/// What all fixtures hold: pages of zeros, of pointers and of words, and some noise.
fn memory() -> Vec<u8> {
    const WORDS: [&str; 8] =
        ["the ", "server ", "MUST ", "return ", "credit ", "\r\n", "channel", "session "];
    let mut out = vec![0; 4096];
    out.extend((0..512u64).flat_map(|i| (0xffff_8880_0000_7000 | (i * 64)).to_le_bytes()));
    let words = noise(1, 4096).into_iter().flat_map(|b| WORDS.get(usize::from(b & 7)).unwrap().bytes());
    out.extend(words.take(4096));
    out.extend(noise(2, 512));
    out
}

fn stream(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/compress").join(name);
    let digits: Vec<u32> =
        fs::read_to_string(path).unwrap().trim().chars().map(|c| c.to_digit(16).unwrap()).collect();
    digits.as_chunks::<2>().0.iter().map(|[high, low]| u8::try_from(high << 4 | low).unwrap()).collect()
}

#[track_caller]
fn check(algorithm: CompressionAlgorithm, name: &str) {
    let (memory, stream) = (memory(), stream(name));
    assert!(decompress(algorithm, &stream, memory.len()).unwrap() == memory, "{name}");
    for cut in [stream.len() / 2, stream.len() - 600] {
        assert!(
            decompress(algorithm, stream.get(..cut).unwrap(), memory.len()).is_err(),
            "{name} cut at {cut}"
        );
    }
    assert!(decompress(algorithm, &stream, memory.len() + 4).is_err(), "{name}: nothing stands behind it");
}

#[test]
fn lz77_of_samba() {
    check(CompressionAlgorithm::LZ77, "lz77-samba.hex");
}

#[test]
fn lz77_huffman_of_wimlib() {
    check(CompressionAlgorithm::LZ77_HUFFMAN, "lz77_huffman-wimlib.hex");
}

#[test]
fn lz4_of_the_reference() {
    check(CompressionAlgorithm::LZ4, "lz4-lz4.hex");
}

/// Ends with a header of zero, which is not needed where the length is known.
#[test]
fn lznt1_of_compcol() {
    check(CompressionAlgorithm::LZNT1, "lznt1-compcol.hex");
}

/// A WRITE of [`memory`] and a run: SMB2 header, fixed part, data.
fn write_request() -> Vec<u8> {
    let data = [memory(), vec![0x55; 100]].concat();
    let mut out = b"\xfeSMB\x40\0\x01\0\0\0\0\0\x09\0\x01\0".to_vec();
    out.extend([0; 8]);
    out.extend(7u64.to_le_bytes());
    out.extend([0; 32]);
    out.extend([49, 0, 112, 0]);
    out.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
    out.extend([0; 8]);
    out.extend([0xab; 16]);
    out.extend([0; 16]);
    out.extend(data);
    out
}

/// Frames of ours that Wireshark decompresses to the same WRITE: a chain with runs at both ends, and one without chain.
#[test]
fn frames_that_wireshark_reads() {
    for (name, chained) in [("frame-chained-lz77.hex", true), ("frame-unchained-lznt1.hex", false)] {
        let algorithms =
            vec![CompressionAlgorithm::PATTERN_V1, CompressionAlgorithm::LZ77, CompressionAlgorithm::LZNT1];
        let negotiated = Negotiated { algorithms, chained };
        let message = write_request();
        assert!(negotiated.decompress(&stream(name), message.len()).unwrap() == message, "{name}");
    }
}
