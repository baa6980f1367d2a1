//! LZ77+Huffman — [MS-XCA] 2.1, 2.2.
//!
//! ```text
//! blocks of 65536 bytes (the last may be shorter; a match may carry a block past its end):
//!   256 bytes       512 code lengths of 4 bits: symbols 0-255 are literals, 256-511 are matches
//!   16-bit words    the codes, most significant bit first, in between them whole bytes that tell long lengths
//! match symbol - 256: number of distance bits that follow << 4 | length - 3; a length code of 15 goes on in a
//! byte, then in 16 or 32 bits, which stand where the reader, always a word ahead, reads next
//! the last block ends with symbol 256, which is a match only where more output is due
//! ```

mod code;
mod decode;
mod encode;

pub use decode::{decompress, decompress_into};
pub use encode::compress;

const WHAT: &str = "LZ77+Huffman stream";
/// Bytes of a whole block before compression.
const BLOCK: usize = 65_536;
/// Literals and matches.
const SYMBOLS: usize = 512;
/// Bytes of the code lengths in front of each block.
const LENGTHS: usize = SYMBOLS / 2;
/// The first symbol that is a match; also ends the stream.
const MATCH: usize = 256;
/// The length code that goes on in further bytes.
const LONG: usize = 15;

#[cfg(test)]
mod tests;
