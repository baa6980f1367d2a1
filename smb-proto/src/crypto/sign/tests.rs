#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::{
    super::vectors::{all_providers, hex},
    *,
};
use crate::header::{Header, HeaderFlags};
use crate::status::NtStatus;
use proptest::prelude::*;

const ALGORITHMS: [SigningAlgorithm; 3] =
    [SigningAlgorithm::HMAC_SHA256, SigningAlgorithm::AES_CMAC, SigningAlgorithm::AES_GMAC];
const KEY: [u8; 16] = *b"sixteen bytes ok";

fn message(header: &Header, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    header.emit(0, &mut out);
    out.extend(body);
    out
}

fn write_request() -> Vec<u8> {
    let mut header = Header::request(Command::WRITE, 0x0102_0304_0506_0708);
    header.flags = HeaderFlags::SIGNED;
    header.signature = [0xee; 16];
    message(&header, b"a body that is no multiple of sixteen bytes")
}

#[test]
fn gmac_nonce_has_message_role_and_cancel() {
    let id = [8, 7, 6, 5, 4, 3, 2, 1];
    let nonce = |header: &Header| nonce_of(&message(header, b"")).unwrap();
    let request = Header::request(Command::WRITE, 0x0102_0304_0506_0708);
    let cancel = Header { command: Command::CANCEL, ..request };
    let response = request.response(NtStatus(0));
    for (header, bits) in [(request, 0), (response, 1), (cancel, 2)] {
        let nonce = nonce(&header);
        assert_eq!(nonce[..8], id);
        assert_eq!(nonce[8..], [bits, 0, 0, 0], "{header:?}");
    }
}

/// A CANCEL request of smbtorture to smbd (both Samba 4.17), signed by AES-GMAC: the one message whose nonce has
/// the second bit set.
#[test]
fn cancel_of_a_real_client() {
    let mut cancel = hex("fe534d4240000000000000000c0000001a000000000000000a000000000000000a00000000000000
        a27b5dda00000000c7bcfa5780d3543e7cd09ecedbc0a1e404000000");
    for provider in all_providers() {
        let key = hex("4757747d39d7ed4f9f056afb1f644bb6");
        if let Ok(key) = SigningKey::with_provider(provider, SigningAlgorithm::AES_GMAC, &key) {
            assert_eq!(key.verify(&mut cancel), Ok(()), "{}", provider.name());
        }
    }
}

#[test]
fn signs_what_it_verifies_and_leaves_the_message_alone() {
    for algorithm in ALGORITHMS {
        let key = SigningKey::new(algorithm, &KEY).unwrap();
        let unsigned = write_request();
        let mut signed = unsigned.clone();
        key.sign(&mut signed).unwrap();
        assert_ne!(signed[SIGNATURE_RANGE], unsigned[SIGNATURE_RANGE]);
        assert_eq!((&signed[..48], &signed[64..]), (&unsigned[..48], &unsigned[64..]));
        let before = signed.clone();
        assert_eq!(key.verify(&mut signed), Ok(()));
        assert_eq!(signed, before);
        // The old content of the field must not count: signing again gives the same.
        key.sign(&mut signed).unwrap();
        assert_eq!(signed, before, "{algorithm:?}");
    }
}

#[test]
fn every_flipped_bit_is_refused() {
    for algorithm in ALGORITHMS {
        let key = SigningKey::new(algorithm, &KEY).unwrap();
        let mut signed = write_request();
        key.sign(&mut signed).unwrap();
        for bit in 0..signed.len() * 8 {
            signed[bit / 8] ^= 1 << (bit % 8);
            let before = signed.clone();
            assert_eq!(key.verify(&mut signed), Err(BadSignature), "{algorithm:?} bit {bit}");
            assert_eq!(signed, before);
            signed[bit / 8] ^= 1 << (bit % 8);
        }
        assert_eq!(key.verify(&mut signed), Ok(()));
        signed.push(0);
        assert_eq!(key.verify(&mut signed), Err(BadSignature));
        let other = SigningKey::new(algorithm, &[0; 16]).unwrap();
        signed.pop();
        assert_eq!(other.verify(&mut signed), Err(BadSignature));
    }
}

#[test]
fn too_short_for_a_header() {
    for algorithm in ALGORITHMS {
        let key = SigningKey::new(algorithm, &KEY).unwrap();
        for len in 0..HEADER_LEN {
            let mut short = vec![0; len];
            assert_eq!(key.sign(&mut short), Err(CryptoError::MessageLength(len)));
            assert_eq!(key.sign_parts(&mut short, b"payload"), Err(CryptoError::MessageLength(len)));
            assert_eq!(key.verify(&mut short), Err(BadSignature));
        }
    }
}

#[test]
fn one_key_serves_several_threads() {
    let key = SigningKey::new(SigningAlgorithm::AES_GMAC, &KEY).unwrap();
    let mut expected = write_request();
    key.sign(&mut expected).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let (key, expected) = (key.clone(), &expected);
            scope.spawn(move || {
                for _ in 0..200 {
                    let mut message = write_request();
                    key.sign(&mut message).unwrap();
                    assert_eq!(&message, expected);
                }
            });
        }
    });
}

#[test]
fn debug_shows_no_key() {
    let key = SigningKey::new(SigningAlgorithm::AES_CMAC, &KEY).unwrap();
    assert_eq!(format!("{key:?}"), "SigningKey(AES_CMAC)");
}

proptest! {
    /// A head and a payload sign as the message they make up.
    #[test]
    fn parts_sign_as_the_whole(payload in proptest::collection::vec(any::<u8>(), 0..300)) {
        for algorithm in ALGORITHMS {
            let key = SigningKey::new(algorithm, &KEY).unwrap();
            let mut head = write_request();
            let untouched = head.clone();
            let mut whole = [&head[..], &payload[..]].concat();
            key.sign(&mut whole).unwrap();
            let done = key.sign_parts(&mut head, &payload).unwrap();
            prop_assert_eq!(done, algorithm != SigningAlgorithm::AES_GMAC);
            let expected = if done { &whole[..head.len()] } else { &untouched[..] };
            prop_assert_eq!(&head[..], expected);
        }
    }
}
