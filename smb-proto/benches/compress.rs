//! Speed and ratio of every compression algorithm, one core: `cargo bench -p smb-proto --bench compress`.
//!
//! Decimal MB/s of uncompressed data, the best of many short rounds; the ratio is compressed to uncompressed size. "-" where
//! the data does not shrink.

use smb_proto::{
    compress::{Negotiated, compress, decompress_into},
    dialect::CompressionAlgorithm,
};
use std::{
    hint::black_box,
    time::{Duration, Instant},
};

const ROUND: Duration = Duration::from_millis(10);
const ROUNDS: u32 = 20;
const LEN: usize = 1 << 20;

/// Bytes per second of `work`, which handles `len` bytes a call.
fn best_rate(len: usize, mut work: impl FnMut()) -> f64 {
    let len = f64::from(u32::try_from(len).unwrap_or(u32::MAX));
    let mut best = 0.0f64;
    for _ in 0..ROUNDS {
        let (begin, mut calls) = (Instant::now(), 0u32);
        while calls == 0 || begin.elapsed() < ROUND {
            work();
            calls += 1;
        }
        best = best.max(f64::from(calls) * len / begin.elapsed().as_secs_f64());
    }
    best
}

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

fn text(seed: u64, len: usize) -> Vec<u8> {
    const WORDS: [&str; 8] =
        ["the ", "server ", "MUST ", "return ", "credit ", "\r\n", "channel", "session "];
    let word = |byte: u8| WORDS.get(usize::from(byte & 7)).copied().unwrap_or_default().bytes();
    noise(seed, len).into_iter().flat_map(word).take(len).collect()
}

/// As a guest's memory: of five pages two are zeros, one holds pointers, one text, one noise.
fn pages(len: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(len + 5 * 4096);
    for seed in (0u64..).take_while(|seed| usize::try_from(seed * 5 * 4096).is_ok_and(|at| at < len)) {
        out.extend([0; 2 * 4096]);
        out.extend((0..512u64).flat_map(|i| (0xffff_8880_0000_0000 | (seed << 12) | (i * 64)).to_le_bytes()));
        out.extend(text(seed, 4096));
        out.extend(noise(seed, 4096));
    }
    out.truncate(len);
    out
}

fn row(what: &str, name: &str, data: &[u8], compressed: Option<usize>, squeeze: f64, open: Option<f64>) {
    let ratio = compressed.map(|len| {
        let of = |len| f64::from(u32::try_from(len).unwrap_or(u32::MAX));
        format!("{:.3}", of(len) / of(data.len()))
    });
    let open = open.map(|rate| format!("{:.0}", rate / 1e6));
    let dash = || "-".to_owned();
    println!(
        "{what:<8}{name:<16}{:>12.0}{:>12}{:>10}",
        squeeze / 1e6,
        open.unwrap_or_else(dash),
        ratio.unwrap_or_else(dash)
    );
}

fn alone(what: &str, data: &[u8], algorithm: CompressionAlgorithm) {
    let compressed = compress(algorithm, data);
    let squeeze = best_rate(data.len(), || _ = black_box(compress(algorithm, black_box(data))));
    let open = compressed.as_ref().map(|stream| {
        let mut out = vec![0; data.len()];
        best_rate(data.len(), || assert!(decompress_into(algorithm, black_box(stream), &mut out).is_ok()))
    });
    row(
        what,
        algorithm.name().unwrap_or_default(),
        data,
        compressed.map(|stream| stream.len()),
        squeeze,
        open,
    );
}

/// A whole message: runs at the ends by Pattern_V1, the middle by LZ4.
fn chained(what: &str, data: &[u8]) {
    let algorithms = vec![CompressionAlgorithm::PATTERN_V1, CompressionAlgorithm::LZ4];
    let negotiated = Negotiated { algorithms, chained: true };
    let frame = negotiated.compress(data, 0);
    let squeeze = best_rate(data.len(), || _ = black_box(negotiated.compress(black_box(data), 0)));
    let open = frame.as_ref().map(|frame| {
        best_rate(data.len(), || assert!(negotiated.decompress(black_box(frame), data.len()).is_ok()))
    });
    row(what, "chain, LZ4", data, frame.map(|frame| frame.len()), squeeze, open);
}

fn main() {
    println!("{:<8}{:<16}{:>12}{:>12}{:>10}", "MB/s", "", "compress", "decompress", "ratio");
    let kinds =
        [("zeros", vec![0; LEN]), ("text", text(1, LEN)), ("pages", pages(LEN)), ("noise", noise(1, LEN))];
    for (what, data) in &kinds {
        for algorithm in [
            CompressionAlgorithm::LZNT1,
            CompressionAlgorithm::LZ77,
            CompressionAlgorithm::LZ77_HUFFMAN,
            CompressionAlgorithm::LZ4,
        ] {
            alone(what, data, algorithm);
        }
        chained(what, data);
    }
}
