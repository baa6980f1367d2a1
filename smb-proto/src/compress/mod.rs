//! The compression algorithms of SMB 3.1.1, both directions — [MS-XCA], [MS-SMB2] 2.2.42, 3.1.4.4, 3.1.5.3.
//!
//! ```text
//!   whole messages      Negotiated ── chained.rs ── transform::compression (headers)
//!                           │
//!   one payload         compress / decompress_into
//!                           │
//!   algorithms          lznt1  lz77  lz77_huffman  lz4  (pattern: chained.rs only)
//!                           │
//!   shared              finder (hash chains)   copy (matches)   input (bounded reads)
//! ```
//!
//! A decompressor is told how long the result is and writes into a buffer of exactly that size, which the caller
//! has checked against its limit: nothing that a peer sends makes it allocate or loop beyond it. A stream that
//! yields less is an error; bytes behind the one that completed the result are ignored, as Windows does, except by
//! LZ4, which reads its input to the end.
//!
//! A compressor answers `None` where the result would not be smaller.

mod chained;
mod copy;
mod finder;
mod input;
pub mod lz4;
pub mod lz77;
pub mod lz77_huffman;
pub mod lznt1;
pub mod pattern;
#[cfg(test)]
mod samples;

pub use chained::Negotiated;

use crate::{dialect::CompressionAlgorithm, error::ParseError};

/// Compresses `data` alone; `None` where that does not make it smaller, or `algorithm` is none that can
/// compress a payload by itself.
pub fn compress(algorithm: CompressionAlgorithm, data: &[u8]) -> Option<Vec<u8>> {
    match algorithm {
        CompressionAlgorithm::LZNT1 => lznt1::compress(data),
        CompressionAlgorithm::LZ77 => lz77::compress(data),
        CompressionAlgorithm::LZ77_HUFFMAN => lz77_huffman::compress(data),
        CompressionAlgorithm::LZ4 => lz4::compress(data),
        _ => None,
    }
}

/// Decompresses `data` into the whole of `out`.
pub fn decompress_into(
    algorithm: CompressionAlgorithm,
    data: &[u8],
    out: &mut [u8],
) -> Result<(), ParseError> {
    match algorithm {
        CompressionAlgorithm::LZNT1 => lznt1::decompress_into(data, out),
        CompressionAlgorithm::LZ77 => lz77::decompress_into(data, out),
        CompressionAlgorithm::LZ77_HUFFMAN => lz77_huffman::decompress_into(data, out),
        CompressionAlgorithm::LZ4 => lz4::decompress_into(data, out),
        other => Err(ParseError::Value { what: "CompressionAlgorithm", value: other.0.into() }),
    }
}

/// Decompresses `data` to `original_len` bytes, which the caller has bounded.
pub fn decompress(
    algorithm: CompressionAlgorithm,
    data: &[u8],
    original_len: usize,
) -> Result<Vec<u8>, ParseError> {
    let mut out = vec![0; original_len];
    decompress_into(algorithm, data, &mut out)?;
    Ok(out)
}

#[cfg(test)]
mod tests;
