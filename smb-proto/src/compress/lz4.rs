//! LZ4 blocks, without a frame or a length in front — [MS-SMB2] 2.2.3.1.3, 3.1.4.4. The work is `lz4_flex`'s.

use crate::error::ParseError;
use lz4_flex::block;

/// Compresses `data`; `None` where that does not make it smaller.
pub fn compress(data: &[u8]) -> Option<Vec<u8>> {
    let out = block::compress(data);
    (out.len() < data.len()).then_some(out)
}

/// Decompresses `data` to exactly `original_len` bytes, which the caller has bounded.
pub fn decompress(data: &[u8], original_len: usize) -> Result<Vec<u8>, ParseError> {
    let mut out = vec![0; original_len];
    decompress_into(data, &mut out)?;
    Ok(out)
}

/// Decompresses `data` into the whole of `out`.
pub fn decompress_into(data: &[u8], out: &mut [u8]) -> Result<(), ParseError> {
    match block::decompress_into(data, out) {
        Ok(len) if len == out.len() => Ok(()),
        Ok(_) => Err(ParseError::Truncated { what: "LZ4 block" }),
        Err(_) => {
            Err(ParseError::Value { what: "LZ4 block", value: u64::try_from(out.len()).unwrap_or(u64::MAX) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compress::samples::hex;

    /// Written by hand from the block format: token, literals, offset; the last sequence is literals only.
    #[test]
    fn block_by_hand() {
        let block = hex("32 616263 0300 50 6162636162");
        assert_eq!(decompress(&block, 14), Ok(b"abcabcabcabcab".to_vec()));
    }

    #[test]
    fn length_must_be_exact() {
        let block = compress(&[7; 1000]).unwrap();
        assert_eq!(decompress(&block, 1000), Ok(vec![7; 1000]));
        assert_eq!(decompress(&block, 1001), Err(ParseError::Truncated { what: "LZ4 block" }));
        assert!(decompress(&block, 999).is_err());
        assert!(decompress(&[], 1).is_err());
        assert!(decompress(&[&block[..], &[0x10, 7]].concat(), 1000).is_err(), "bytes behind the result");
    }
}
