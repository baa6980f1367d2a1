use super::*;
use crate::compress::{pattern::PatternV1, samples};
use proptest::prelude::*;

const ALONE: [CompressionAlgorithm; 4] = [
    CompressionAlgorithm::LZNT1,
    CompressionAlgorithm::LZ77,
    CompressionAlgorithm::LZ77_HUFFMAN,
    CompressionAlgorithm::LZ4,
];

fn with_pattern(algorithm: CompressionAlgorithm) -> Negotiated {
    Negotiated { algorithms: vec![CompressionAlgorithm::PATTERN_V1, algorithm], chained: true }
}

fn unchained(algorithm: CompressionAlgorithm) -> Negotiated {
    Negotiated { algorithms: vec![algorithm], chained: false }
}

fn chain(frame: &[u8]) -> Chained<'_> {
    match CompressedMessage::parse(frame) {
        Ok(CompressedMessage::Chained(chained)) => chained,
        other => panic!("{other:?}"),
    }
}

fn run(pattern: u8, repetitions: u32) -> Payload<'static> {
    Payload::Pattern(PatternV1 { pattern, repetitions })
}

#[test]
fn runs_and_middle_become_payloads() {
    let text = samples::text(1, 3000);
    let message = [&[1, 2, 3][..], &[0; 4096], &text, &[0xff; 70]].concat();
    for algorithm in ALONE {
        let negotiated = with_pattern(algorithm);
        let frame = negotiated.compress(&message, 3).unwrap();
        let chained = chain(&frame);
        assert_eq!(chained.original_size, 3 + 4096 + 3000 + 70);
        let [
            Payload::Plain([1, 2, 3]),
            front,
            Payload::Compressed { algorithm: used, original_size, .. },
            back,
        ] = chained.payloads[..]
        else {
            panic!("{:?}", chained.payloads)
        };
        assert_eq!((front, used, original_size, back), (run(0, 4096), algorithm, 3000, run(0xff, 70)));
        assert_eq!(negotiated.decompress(&frame, message.len()), Ok(message.clone()));
    }
}

#[test]
fn a_page_of_zeros_is_one_payload() {
    let frame = with_pattern(CompressionAlgorithm::LZ4).compress(&[0; 4096], 0).unwrap();
    assert_eq!(chain(&frame).payloads, [run(0, 4096)]);
    assert_eq!(frame.len(), 24);
}

#[test]
fn a_middle_that_does_not_shrink_stays_plain() {
    let noise = samples::noise(1, 500);
    let message = [&[9; 500][..], &noise].concat();
    let negotiated = with_pattern(CompressionAlgorithm::LZ77);
    let frame = negotiated.compress(&message, 0).unwrap();
    assert_eq!(chain(&frame).payloads, [run(9, 500), Payload::Plain(&noise)]);
    assert_eq!(negotiated.decompress(&frame, 1000), Ok(message));
}

#[test]
fn pattern_alone_needs_no_other_algorithm() {
    let negotiated = Negotiated { algorithms: vec![CompressionAlgorithm::PATTERN_V1], chained: true };
    let message = [vec![7; 100], samples::alphabet()].concat();
    let frame = negotiated.compress(&message, 0).unwrap();
    assert_eq!(negotiated.decompress(&frame, 1000), Ok(message));
    assert_eq!(negotiated.compress(&samples::text(1, 1000), 0), None);
}

#[test]
fn what_does_not_shrink_is_not_compressed() {
    let noise = samples::noise(1, 5000);
    for algorithm in ALONE {
        assert_eq!(with_pattern(algorithm).compress(&noise, 64), None);
        assert_eq!(unchained(algorithm).compress(&noise, 64), None);
        assert_eq!(unchained(algorithm).compress(&noise, 5001), None, "more plain bytes than bytes");
        assert_eq!(unchained(algorithm).compress(&[0; 17], 0), None, "not with the header");
    }
    assert_eq!(Negotiated::default().compress(&[0; 4096], 0), None);
}

#[test]
fn only_what_was_negotiated_is_accepted() {
    let message = [samples::text(1, 3000), vec![0; 100]].concat();
    let lz77 = with_pattern(CompressionAlgorithm::LZ77).compress(&message, 0).unwrap();
    let value = |what, value| Err(ParseError::Value { what, value });
    let not_chained = Negotiated { chained: false, ..with_pattern(CompressionAlgorithm::LZ77) };
    assert_eq!(not_chained.decompress(&lz77, 4096), value("compression Flags", 1));
    assert_eq!(
        with_pattern(CompressionAlgorithm::LZ4).decompress(&lz77, 4096),
        value("CompressionAlgorithm", 2)
    );
    let no_pattern = Negotiated { chained: true, ..unchained(CompressionAlgorithm::LZ77) };
    assert_eq!(no_pattern.decompress(&lz77, 4096), value("CompressionAlgorithm", 4));
    let single = unchained(CompressionAlgorithm::LZ77).compress(&message, 64).unwrap();
    assert_eq!(
        unchained(CompressionAlgorithm::LZ4).decompress(&single, 4096),
        value("CompressionAlgorithm", 2)
    );
    assert_eq!(with_pattern(CompressionAlgorithm::LZ77).decompress(&single, 4096), Ok(message));
}

/// Four gigabytes announced by a few bytes are refused by their number.
#[test]
fn bombs_are_refused_before_they_are_opened() {
    let too_large = |len| Err(ParseError::TooLarge { what: WHAT, len, limit: 8 << 20 });
    let negotiated = with_pattern(CompressionAlgorithm::LZ4);
    let frame =
        |payloads, original_size| emitted(&CompressedMessage::Chained(Chained { original_size, payloads }));
    let bomb = frame(vec![run(0, u32::MAX)], u32::MAX);
    assert_eq!(negotiated.decompress(&bomb, 8 << 20), too_large(u32::MAX.into()));
    let sum = frame(vec![run(0, u32::MAX); 3], 100);
    let value = 3 * u64::from(u32::MAX);
    assert_eq!(
        negotiated.decompress(&sum, 8 << 20),
        Err(ParseError::Value { what: "sum of the payloads", value })
    );
    let single = emitted(&CompressedMessage::Unchained(Unchained {
        original_size: u32::MAX,
        algorithm: CompressionAlgorithm::LZ4,
        plain: b"head",
        compressed: &[],
    }));
    assert_eq!(negotiated.decompress(&single, 8 << 20), too_large(u64::from(u32::MAX) + 4));
}

#[test]
fn payloads_must_yield_what_they_announce() {
    let negotiated = with_pattern(CompressionAlgorithm::LZ4);
    let data = crate::compress::lz4::compress(&[7; 1000]).unwrap();
    for (original_size, fits) in [(999, false), (1000, true), (1001, false)] {
        let payload =
            Payload::Compressed { algorithm: CompressionAlgorithm::LZ4, original_size, data: &data };
        let frame = emitted(&CompressedMessage::Chained(Chained { original_size, payloads: vec![payload] }));
        assert_eq!(negotiated.decompress(&frame, 4096).is_ok(), fits, "{original_size}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn messages_return(data in samples::data(20_000), plain in 0usize..200, algorithm in prop::sample::select(ALONE.to_vec()), chained: bool, front in 0usize..100, back in 0usize..100) {
        let message = [vec![1; front], data, vec![2; back]].concat();
        let negotiated = Negotiated { chained, ..with_pattern(algorithm) };
        if let Some(frame) = negotiated.compress(&message, plain) {
            prop_assert!(frame.len() < message.len());
            prop_assert_eq!(negotiated.decompress(&frame, message.len()), Ok(message.clone()));
            prop_assert!(negotiated.decompress(&frame, message.len() - 1).is_err());
        }
    }

    /// Damage anywhere: an error or some message of the right length, never a panic.
    #[test]
    fn damage_is_survived(data in samples::data(9000), algorithm in prop::sample::select(ALONE.to_vec()), chained: bool, hits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let negotiated = Negotiated { chained, ..with_pattern(algorithm) };
        if let Some(mut frame) = negotiated.compress(&data, 0) {
            for (at, byte) in hits {
                let at = at.index(frame.len());
                frame[at] = byte;
            }
            if let Ok(message) = negotiated.decompress(&frame, 1 << 16) {
                prop_assert!(message.len() <= 1 << 16);
            }
        }
    }
}
