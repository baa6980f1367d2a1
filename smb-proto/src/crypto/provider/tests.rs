//! Every provider against published vectors, and against the portable one.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::{super::vectors::all_providers, super::vectors::hex, *};
use proptest::prelude::*;

const CIPHERS: [Cipher; 4] =
    [Cipher::AES_128_CCM, Cipher::AES_128_GCM, Cipher::AES_256_CCM, Cipher::AES_256_GCM];
const SIGNINGS: [SigningAlgorithm; 3] =
    [SigningAlgorithm::HMAC_SHA256, SigningAlgorithm::AES_CMAC, SigningAlgorithm::AES_GMAC];

/// Runs `check` over each provider's key for `algorithm`; at least the portable and the default one have it.
fn each_signer(algorithm: SigningAlgorithm, key: &[u8], check: impl Fn(&str, &dyn Signer)) {
    let mut had = 0;
    for provider in all_providers() {
        match provider.new_signer(algorithm, key) {
            Ok(signer) => check(provider.name(), &*signer),
            Err(error) => {
                assert_eq!(error, CryptoError::Unsupported);
                continue;
            }
        }
        had += 1;
    }
    assert!(had >= 2);
}

/// As [`each_signer`] for sealing.
fn each_aead(cipher: Cipher, key: &[u8], check: impl Fn(&str, &dyn Aead)) {
    let mut had = 0;
    for provider in all_providers() {
        match provider.new_aead(cipher, key) {
            Ok(aead) => check(provider.name(), &*aead),
            Err(error) => {
                assert_eq!(error, CryptoError::Unsupported);
                continue;
            }
        }
        had += 1;
    }
    assert!(had >= 2);
}

fn expect_tag(algorithm: SigningAlgorithm, key: &str, nonce: &str, message: &[u8], tag: &str) {
    let nonce: [u8; 12] = hex(nonce).try_into().unwrap();
    each_signer(algorithm, &hex(key), |name, signer| {
        assert_eq!(signer.tag(&nonce, message).unwrap()[..], hex(tag), "{name} {algorithm:?}");
    });
}

const NO_NONCE: &str = "000000000000000000000000";

/// RFC 4493, section 4.
#[test]
fn cmac_rfc_4493() {
    let message = hex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51
        30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710");
    for (len, tag) in [
        (0, "bb1d6929e95937287fa37d129b756746"),
        (16, "070a16b46b4d4144f79bdd9dd04a287c"),
        (40, "dfa66747de9ae63030ca32611497c827"),
        (64, "51f0bebf7e3b9d92fc49741779363cfe"),
    ] {
        let key = "2b7e151628aed2a6abf7158809cf4f3c";
        expect_tag(SigningAlgorithm::AES_CMAC, key, NO_NONCE, &message[..len], tag);
    }
}

/// RFC 4231, cases 1, 2, 3 and 6 (a key longer than a block); the signature is the first half.
#[test]
fn hmac_rfc_4231() {
    let cases: [(Vec<u8>, &[u8], &str); 4] = [
        (vec![0x0b; 20], b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        (
            b"Jefe".to_vec(),
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (vec![0xaa; 20], &[0xdd; 50], "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
        (
            vec![0xaa; 131],
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
    ];
    for (key, message, mac) in cases {
        let mac = hex(mac);
        for provider in all_providers() {
            let (head, tail) = message.split_at(3);
            assert_eq!(provider.hmac_sha256(&key, &[head, tail])[..], mac, "{}", provider.name());
        }
        each_signer(SigningAlgorithm::HMAC_SHA256, &key, |name, signer| {
            assert_eq!(signer.tag(&[0; 12], message).unwrap()[..], mac[..16], "{name}");
        });
    }
}

/// FIPS 180-4's example "abc", in one part and in several.
#[test]
fn sha512_fips_180() {
    let expected = hex("ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a
        2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
    for provider in all_providers() {
        assert_eq!(provider.sha512(&[b"abc"])[..], expected);
        assert_eq!(provider.sha512(&[b"a", b"", b"bc"])[..], expected);
    }
}

/// NIST's GCM vectors with nothing to encrypt (gcmEncryptExtIV128), and the same tag with no AAD either.
#[test]
fn gmac_nist() {
    let key = "77be63708971c4e240d1cb79e8d77feb";
    let aad = hex("7a43ec1d9c0a5a78a0b16533a6213cab");
    let tag = "209fcc8d3675ed938e9c7166709dd946";
    expect_tag(SigningAlgorithm::AES_GMAC, key, "e0e00f19fed7ba0136a797f3", &aad, tag);
    let zero = "00000000000000000000000000000000";
    expect_tag(SigningAlgorithm::AES_GMAC, zero, NO_NONCE, b"", "58e2fccefa7e3061367f1d57a4e7455a");
}

/// One AEAD vector, sealed and opened by every provider.
struct Vector<'a> {
    cipher: Cipher,
    key: &'a str,
    nonce: &'a str,
    aad: &'a str,
    plain: &'a str,
    sealed: &'a str,
    tag: &'a str,
}

impl Vector<'_> {
    fn check(&self) {
        let (nonce, aad, plain, sealed) = (hex(self.nonce), hex(self.aad), hex(self.plain), hex(self.sealed));
        let tag: Tag = hex(self.tag).try_into().unwrap();
        each_aead(self.cipher, &hex(self.key), |name, aead| {
            let mut data = plain.clone();
            assert_eq!(aead.seal(&nonce, &aad, &mut data), Ok(tag), "{name} {:?}", self.cipher);
            assert_eq!(data, sealed, "{name}");
            assert_eq!(aead.open(&nonce, &aad, &mut data, &tag), Ok(()), "{name}");
            assert_eq!(data, plain, "{name}");
        });
    }
}

/// "The Galois/Counter Mode of Operation", test cases 4 and 16.
#[test]
fn gcm_mcgrew_viega() {
    let shared = Vector {
        cipher: Cipher::AES_128_GCM,
        key: "feffe9928665731c6d6a8f9467308308",
        nonce: "cafebabefacedbaddecaf888",
        aad: "feedfacedeadbeeffeedfacedeadbeefabaddad2",
        plain: "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72
            1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
        sealed: "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e
            21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091",
        tag: "5bc94fbc3221a5db94fae95ae7121a47",
    };
    shared.check();
    let long = Vector {
        cipher: Cipher::AES_256_GCM,
        key: "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
        sealed: "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa
            8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
        tag: "76fc6ece0f4e1768cddf8853bb2d551b",
        ..shared
    };
    long.check();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// All providers compute the same tags as the portable one, whole or in parts.
    #[test]
    fn signers_agree(key: [u8; 16], nonce: [u8; 12], message in proptest::collection::vec(any::<u8>(), 0..300), cut: prop::sample::Index) {
        for algorithm in SIGNINGS {
            let expected = rustcrypto().new_signer(algorithm, &key).unwrap().tag(&nonce, &message).unwrap();
            let (head, tail) = message.split_at(cut.index(message.len() + 1));
            each_signer(algorithm, &key, |name, signer| {
                assert_eq!(signer.tag(&nonce, &message), Ok(expected), "{name} {algorithm:?}");
                if let Some(tag) = signer.tag_parts(&[head, tail]) {
                    assert_eq!(tag, Ok(expected), "{name} {algorithm:?} in parts");
                }
            });
        }
    }

    /// All providers seal as the portable one does, and open what it sealed.
    #[test]
    fn aeads_agree(key: [u8; 32], nonce: [u8; 12], aad in proptest::collection::vec(any::<u8>(), 0..80), plain in proptest::collection::vec(any::<u8>(), 0..300)) {
        for cipher in CIPHERS {
            agree(cipher, &key, &nonce, &aad, &plain);
        }
    }

    #[test]
    fn digests_agree(key in proptest::collection::vec(any::<u8>(), 0..150), message in proptest::collection::vec(any::<u8>(), 0..300)) {
        for provider in all_providers() {
            prop_assert_eq!(provider.sha512(&[&message]), rustcrypto().sha512(&[&message]));
            prop_assert_eq!(provider.hmac_sha256(&key, &[&message]), rustcrypto().hmac_sha256(&key, &[&message]));
        }
    }
}

fn agree(cipher: Cipher, key: &[u8; 32], nonce: &[u8; 12], aad: &[u8], plain: &[u8]) {
    let (key, nonce) = (&key[..cipher.key_len()], &nonce[..cipher.nonce_len()]);
    let mut sealed = plain.to_vec();
    let tag = rustcrypto().new_aead(cipher, key).unwrap().seal(nonce, aad, &mut sealed).unwrap();
    each_aead(cipher, key, |name, aead| {
        let mut data = plain.to_vec();
        assert_eq!(aead.seal(nonce, aad, &mut data), Ok(tag), "{name} {cipher:?} {}", plain.len());
        assert!(data == sealed, "{name} {cipher:?} {}", plain.len());
        assert_eq!(aead.open(nonce, aad, &mut data, &tag), Ok(()), "{name} {cipher:?}");
        assert!(data == plain, "{name} {cipher:?} {}", plain.len());
    });
}

/// Where vectorised code changes its path: every length to 300, and around 4 KiB, 64 KiB and 1 MiB.
#[test]
fn providers_agree_at_every_length() {
    let bytes: Vec<u8> =
        (0..(1u32 << 20) + 64).map(|i| i.wrapping_mul(0x9e37_79b1).to_be_bytes()[0]).collect();
    let near = [4095, 4096, 4097, 65536 - 17, 65536 + 33, (1 << 20) + 1];
    for len in (0..=300).chain(near) {
        let message = &bytes[..len];
        for cipher in CIPHERS {
            agree(cipher, &[0x42; 32], &[0x17; 12], &bytes[..32], message);
        }
        for algorithm in SIGNINGS {
            let expected = rustcrypto().new_signer(algorithm, &[0x42; 16]).unwrap().tag(&[3; 12], message);
            each_signer(algorithm, &[0x42; 16], |name, signer| {
                assert_eq!(signer.tag(&[3; 12], message), expected, "{name} {algorithm:?} {len}");
            });
        }
        all_providers()
            .iter()
            .for_each(|p| assert_eq!(p.sha512(&[message]), rustcrypto().sha512(&[message])));
    }
}

#[test]
fn wrong_keys_and_nonces_are_refused() {
    for provider in all_providers() {
        for cipher in CIPHERS {
            let supported = provider.new_aead(cipher, &vec![1; cipher.key_len()]);
            let Ok(aead) = supported else { continue };
            let wrong = provider.new_aead(cipher, &[1; 15]).err();
            assert_eq!(wrong, Some(CryptoError::KeyLength { expected: cipher.key_len(), found: 15 }));
            assert_eq!(aead.seal(&[0; 8], b"", &mut []), Err(CryptoError::NonceLength));
            assert_eq!(aead.open(&[0; 8], b"", &mut [], &[0; 16]), Err(NotAuthentic));
        }
        for algorithm in [SigningAlgorithm::AES_CMAC, SigningAlgorithm::AES_GMAC] {
            let wrong = provider.new_signer(algorithm, &[1; 32]).err();
            let length = CryptoError::KeyLength { expected: 16, found: 32 };
            assert!(wrong == Some(length) || wrong == Some(CryptoError::Unsupported));
        }
        assert_eq!(provider.new_aead(Cipher::NONE, &[0; 16]).err(), Some(CryptoError::Unsupported));
        assert_eq!(provider.new_signer(SigningAlgorithm(9), &[0; 16]).err(), Some(CryptoError::Unsupported));
    }
}
