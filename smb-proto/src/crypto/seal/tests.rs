#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use std::collections::HashSet;

const CIPHERS: [Cipher; 4] =
    [Cipher::AES_128_CCM, Cipher::AES_128_GCM, Cipher::AES_256_CCM, Cipher::AES_256_GCM];
const SESSION: u64 = 0x1122_3344_5566_7788;

fn key(cipher: Cipher) -> SealingKey {
    SealingKey::new(cipher, &vec![0x33; cipher.key_len()]).unwrap()
}

fn sealed(cipher: Cipher, plain: &[u8]) -> Vec<u8> {
    let mut buf = [&[0xcc; TRANSFORM_HEADER_LEN], plain].concat();
    let nonce = NonceCounter::new(*b"abcd").next(cipher).unwrap();
    key(cipher).seal(nonce, SESSION, &mut buf).unwrap();
    buf
}

#[test]
fn seals_and_opens_in_place() {
    for cipher in CIPHERS {
        for plain in [&b""[..], b"x", b"some message of no particular length"] {
            let mut buf = sealed(cipher, plain);
            let (header, rest) = TransformHeader::parse(&buf).unwrap();
            assert_eq!(header.session_id, SESSION);
            assert_eq!(usize::try_from(header.original_message_size), Ok(plain.len()));
            assert!(plain.is_empty() || rest != plain, "sealed text must differ");
            assert!(header.nonce[cipher.nonce_len()..].iter().all(|byte| *byte == 0));
            let range = key(cipher).open(&mut buf).unwrap();
            assert_eq!(&buf[range], plain);
        }
    }
}

#[test]
fn every_flipped_bit_is_refused() {
    for cipher in CIPHERS {
        let good = sealed(cipher, b"four and twenty blackbirds baked in a pie");
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let error = key(cipher).open(&mut bad).unwrap_err();
            match bit / 8 {
                0..4 | 42..44 => assert!(matches!(error, OpenError::Header(_)), "{cipher:?} {bit} {error}"),
                36..40 => assert!(matches!(error, OpenError::Size { .. }), "{cipher:?} {bit} {error}"),
                _ => assert_eq!(error, OpenError::NotAuthentic(NotAuthentic), "{cipher:?} {bit}"),
            }
        }
    }
}

#[test]
fn cut_short_grown_or_with_another_key() {
    for cipher in CIPHERS {
        let good = sealed(cipher, b"plain");
        for len in 0..good.len() {
            assert!(key(cipher).open(&mut good[..len].to_vec()).is_err(), "{len}");
        }
        let mut grown = [&good[..], &[0]].concat();
        assert_eq!(key(cipher).open(&mut grown), Err(OpenError::Size { stated: 5, found: 6 }));
        let other = SealingKey::new(cipher, &vec![0x34; cipher.key_len()]).unwrap();
        assert_eq!(other.open(&mut good.clone()), Err(OpenError::NotAuthentic(NotAuthentic)));
    }
}

#[test]
fn no_room_for_the_header() {
    for len in 0..TRANSFORM_HEADER_LEN {
        let nonce = NonceCounter::new([0; 4]).next(Cipher::AES_128_GCM).unwrap();
        let refused = key(Cipher::AES_128_GCM).seal(nonce, SESSION, &mut vec![0; len]);
        assert_eq!(refused, Err(CryptoError::MessageLength(len)));
    }
}

#[test]
fn nonces_hold_prefix_and_counter() {
    let counter = NonceCounter::new(*b"abcd");
    let gcm: Vec<[u8; 16]> = (0..2).map(|_| counter.next(Cipher::AES_128_GCM).unwrap().0).collect();
    assert_eq!(gcm, [*b"abcd\0\0\0\0\0\0\0\0\0\0\0\0", *b"abcd\x01\0\0\0\0\0\0\0\0\0\0\0"]);
    assert_eq!(counter.next(Cipher::AES_256_CCM).unwrap().0, *b"abc\x02\0\0\0\0\0\0\0\0\0\0\0\0");
}

#[test]
fn nonces_never_repeat_across_threads() {
    for cipher in [Cipher::AES_128_CCM, Cipher::AES_256_GCM] {
        let counter = NonceCounter::new([0xff; 4]);
        let batches: Vec<Vec<[u8; 16]>> = std::thread::scope(|scope| {
            let take = || (0..2000).map(|_| counter.next(cipher).unwrap().0).collect::<Vec<_>>();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(take)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let used: HashSet<&[u8]> =
            batches.iter().flatten().map(|nonce| &nonce[..cipher.nonce_len()]).collect();
        assert_eq!(used.len(), 8000, "the part the cipher takes must be unique by itself");
    }
}

#[test]
fn the_counter_refuses_to_wrap() {
    let counter = NonceCounter { next: AtomicU64::new(u64::MAX - 1), prefix: [0; 4] };
    assert!(counter.next(Cipher::AES_128_GCM).is_ok());
    for _ in 0..3 {
        assert_eq!(counter.next(Cipher::AES_128_GCM).err(), Some(NonceExhausted));
    }
}
