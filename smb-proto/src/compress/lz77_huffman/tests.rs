use super::{BLOCK, compress, decompress};
use crate::{
    compress::samples::{alphabet, hex, noise, pages, text},
    error::ParseError,
};

/// A table that is zero but for some bytes.
fn table(of: &[(usize, &str)]) -> Vec<u8> {
    let mut table = vec![0; 256];
    for (at, digits) in of {
        let bytes = hex(digits);
        table[*at..*at + bytes.len()].copy_from_slice(&bytes);
    }
    table
}

/// [MS-XCA] 3.2: literals only.
#[test]
fn published_literals() {
    let table = table(&[(48, "50555555555555555555554544 04"), (128, "04")]);
    let stream = [table, hex("d8523ed794115be9195ff9d67cdf8d0400000000")].concat();
    assert_eq!((stream.len(), decompress(&stream, 26)), (276, Ok(alphabet())));
    assert_eq!(compress(&alphabet()), None, "does not shrink");
}

/// [MS-XCA] 3.2: a hundred times "abc".
#[test]
fn published_match() {
    let table = table(&[(48, "3023"), (128, "02"), (143, "20")]);
    let stream = [table, hex("a8dc0000ff2601")].concat();
    assert_eq!(decompress(&stream, 300), Ok(b"abc".repeat(100)));
    let ours = compress(&b"abc".repeat(100)).unwrap();
    assert_eq!(ours.len(), stream.len());
    assert_eq!(decompress(&ours, 300), Ok(b"abc".repeat(100)));
}

#[test]
fn blocks_follow_one_another() {
    for len in [BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 3 * BLOCK + 5] {
        for data in [vec![0; len], text(1, len), pages(2, len)] {
            let stream = compress(&data).unwrap();
            assert!(decompress(&stream, len).unwrap() == data, "{len}");
        }
    }
}

/// A block of zeros behind another is one match: 256 bytes of lengths, two words, three bytes of length.
#[test]
fn block_of_one_symbol() {
    let stream = compress(&vec![0; 3 * BLOCK]).unwrap();
    assert_eq!(stream.len(), 3 * (256 + 4 + 3));
}

/// What a match adds beyond the end of its block belongs to the block; the next is counted from there.
#[test]
fn match_may_cross_the_end_of_a_block() {
    // 'a' (1 bit), end (2 bits), long match at distance 1 (2 bits): "a", then 69999 more.
    let first = [table(&[(48, "10"), (128, "02"), (135, "20")]), hex("0060 0000 ff 0000 6c110100")].concat();
    let second = [table(&[(49, "01"), (128, "01")]), hex("0040 0000")].concat();
    let stream = [first, second].concat();
    let expected = [vec![b'a'; 70_000], b"b".to_vec()].concat();
    assert!(decompress(&stream, 70_001).unwrap() == expected);
}

#[test]
fn refuses_bad_streams() {
    let truncated = Err(ParseError::Truncated { what: super::WHAT });
    assert_eq!(decompress(&[], 1), truncated);
    assert_eq!(decompress(&[0; 255], 1), truncated);
    let lengths = Err(ParseError::Value { what: "Huffman code lengths", value: 0 });
    assert_eq!(decompress(&[0; 300], 1), lengths);
    let ends = table(&[(48, "10"), (128, "01")]);
    assert_eq!(decompress(&[ends.clone(), vec![0; 3]].concat(), 1), truncated);
    let before_start = Err(ParseError::Value { what: "match distance", value: 1 });
    assert_eq!(decompress(&[ends.clone(), vec![0xff; 4]].concat(), 3), before_start);
    assert_eq!(
        decompress(&[ends, hex("0040 0000")].concat(), 2),
        Err(ParseError::Value { what: "match length", value: 3 })
    );
}

#[test]
fn noise_does_not_shrink() {
    assert_eq!(compress(&noise(3, 100_000)), None);
    assert_eq!(compress(&[]), None);
}
