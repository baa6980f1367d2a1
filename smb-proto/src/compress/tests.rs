//! What holds for all algorithms.

use super::{compress, decompress, decompress_into, samples};
use crate::dialect::CompressionAlgorithm;
use proptest::prelude::*;

const ALL: [CompressionAlgorithm; 4] = [
    CompressionAlgorithm::LZNT1,
    CompressionAlgorithm::LZ77,
    CompressionAlgorithm::LZ77_HUFFMAN,
    CompressionAlgorithm::LZ4,
];

fn algorithm() -> impl Strategy<Value = CompressionAlgorithm> {
    prop::sample::select(ALL.to_vec())
}

#[test]
fn what_must_shrink_shrinks() {
    for algorithm in ALL {
        for (data, most) in [
            (vec![0; 65_536], 1600),
            (samples::text(1, 65_536), 40_000),
            (samples::pages(3, 1 << 18), 200_000),
            (b"abc".repeat(1000), 300),
        ] {
            let len = compress(algorithm, &data).unwrap().len();
            assert!(len <= most, "{algorithm:?}: {} to {len}", data.len());
        }
    }
}

#[test]
fn sizes_around_the_blocks_return() {
    let (text, pages) = (samples::text(5, 140_000), samples::pages(6, 140_000));
    for algorithm in ALL {
        for len in [1, 2, 3, 4, 5, 63, 4095, 4096, 4097, 65_535, 65_536, 65_537, 131_071, 131_073, 140_000] {
            for data in [&text[..len], &pages[..len]] {
                if let Some(smaller) = compress(algorithm, data) {
                    assert!(smaller.len() < len);
                    assert!(decompress(algorithm, &smaller, len).unwrap() == data, "{algorithm:?} {len}");
                }
            }
        }
    }
}

#[test]
fn others_do_not_compress_alone() {
    for algorithm in [CompressionAlgorithm::NONE, CompressionAlgorithm::PATTERN_V1, CompressionAlgorithm(9)] {
        assert_eq!(compress(algorithm, &[0; 1000]), None);
        assert!(decompress(algorithm, &[0; 1000], 1000).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn data_returns(data in samples::data(70_000), algorithm in algorithm()) {
        if let Some(smaller) = compress(algorithm, &data) {
            prop_assert!(smaller.len() < data.len());
            prop_assert_eq!(decompress(algorithm, &smaller, data.len()).unwrap(), data);
        }
    }

    /// Cut short: an error, or nothing was lost.
    #[test]
    fn truncations_do_not_pass_unseen(data in samples::data(3000), algorithm in algorithm(), cut in any::<prop::sample::Index>()) {
        if let Some(smaller) = compress(algorithm, &data)
            && let Ok(out) = decompress(algorithm, &smaller[..cut.index(smaller.len())], data.len())
        {
            prop_assert_eq!(out, data);
        }
    }

    #[test]
    fn noise_never_panics(noise: Vec<u8>, algorithm in algorithm(), len in 0usize..5000) {
        let mut out = vec![0; len];
        let _ = decompress_into(algorithm, &noise, &mut out);
    }

    /// As above, past the code lengths.
    #[test]
    fn noise_behind_a_valid_table_never_panics(noise: Vec<u8>, len in 0usize..5000) {
        let stream = [vec![0x99; 256], noise].concat();
        let mut out = vec![0; len];
        let _ = decompress_into(CompressionAlgorithm::LZ77_HUFFMAN, &stream, &mut out);
    }
}
