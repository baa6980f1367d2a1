//! Compresses or decompresses standard input, to compare with other implementations:
//! `compress lznt1|lz77|lz77_huffman|lz4 < DATA > STREAM`, and with the length of the data as a second argument back.

use smb_proto::{
    compress::{compress, decompress},
    dialect::CompressionAlgorithm,
};
use std::io::{Error, Read, Write, stdin, stdout};

fn main() -> Result<(), Error> {
    let usage = || Error::other("usage: compress lznt1|lz77|lz77_huffman|lz4 [LENGTH]");
    let mut arguments = std::env::args().skip(1);
    let algorithm = match arguments.next().as_deref() {
        Some("lznt1") => CompressionAlgorithm::LZNT1,
        Some("lz77") => CompressionAlgorithm::LZ77,
        Some("lz77_huffman") => CompressionAlgorithm::LZ77_HUFFMAN,
        Some("lz4") => CompressionAlgorithm::LZ4,
        _ => return Err(usage()),
    };
    let mut data = Vec::new();
    stdin().read_to_end(&mut data)?;
    let out = match arguments.next() {
        None => compress(algorithm, &data).ok_or_else(|| Error::other("does not shrink"))?,
        Some(len) => {
            let len = len.parse().map_err(|_| usage())?;
            decompress(algorithm, &data, len).map_err(Error::other)?
        }
    };
    stdout().write_all(&out)
}
