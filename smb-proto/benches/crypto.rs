//! Speed of every primitive by every provider, one core: `cargo bench -p smb-proto --bench crypto`.
//!
//! Each figure is the best of many short rounds, so that a busy machine spoils few, in decimal GB/s; a dash where the provider lacks the primitive.

use smb_proto::{
    crypto::provider::{CryptoError, Provider, default_provider, providers},
    dialect::{Cipher, SigningAlgorithm},
};
use std::{
    hint::black_box,
    time::{Duration, Instant},
};

const ROUND: Duration = Duration::from_millis(4);
const ROUNDS: u32 = 60;
const KEY: [u8; 32] = [0x5a; 32];
const NONCE: [u8; 12] = [7; 12];
const AAD: [u8; 32] = [9; 32];

/// Bytes per second of `work`, which handles `len` bytes a call.
fn best_rate(len: u32, mut work: impl FnMut()) -> f64 {
    let mut best = 0.0f64;
    for _ in 0..ROUNDS {
        let (begin, mut calls) = (Instant::now(), 0u32);
        while begin.elapsed() < ROUND {
            work();
            calls += 1;
        }
        best = best.max(f64::from(calls) * f64::from(len) / begin.elapsed().as_secs_f64());
    }
    best
}

fn signing(provider: &dyn Provider, algorithm: SigningAlgorithm, len: u32) -> Result<f64, CryptoError> {
    let signer = provider.new_signer(algorithm, KEY.get(..16).unwrap_or_default())?;
    let message = buffer(len);
    signer.tag(&NONCE, &message)?;
    Ok(best_rate(len, || _ = black_box(signer.tag(&NONCE, black_box(&message)))))
}

fn sealing(provider: &dyn Provider, cipher: Cipher, len: u32) -> Result<f64, CryptoError> {
    let aead = provider.new_aead(cipher, KEY.get(..cipher.key_len()).unwrap_or_default())?;
    let nonce = NONCE.get(..cipher.nonce_len()).unwrap_or_default();
    let mut data = buffer(len);
    aead.seal(nonce, &AAD, &mut data)?;
    Ok(best_rate(len, || _ = black_box(aead.seal(nonce, &AAD, black_box(&mut data)))))
}

fn opening(provider: &dyn Provider, cipher: Cipher, len: u32) -> Result<f64, CryptoError> {
    let aead = provider.new_aead(cipher, KEY.get(..cipher.key_len()).unwrap_or_default())?;
    let nonce = NONCE.get(..cipher.nonce_len()).unwrap_or_default();
    let mut sealed = buffer(len);
    let tag = aead.seal(nonce, &AAD, &mut sealed)?;
    let mut data = sealed.clone();
    Ok(best_rate(len, || {
        data.copy_from_slice(&sealed);
        assert!(aead.open(nonce, &AAD, black_box(&mut data), &tag).is_ok());
    }))
}

fn buffer(len: u32) -> Vec<u8> {
    vec![0xa5; usize::try_from(len).unwrap_or_default()]
}

/// One row: what, and how fast each provider does it.
fn row(what: &str, len: u32, speed: impl Fn(&dyn Provider) -> Result<f64, CryptoError>) {
    print!("{:<22}{:>8}", what, len);
    for provider in providers().into_iter().chain([default_provider()]) {
        match speed(provider) {
            Ok(rate) => print!("{:>12.2}", rate / 1e9),
            Err(_) => print!("{:>12}", "-"),
        }
    }
    println!();
}

fn main() {
    print!("{:<22}{:>8}", "GB/s", "bytes");
    providers()
        .into_iter()
        .chain([default_provider()])
        .for_each(|provider| print!("{:>12}", provider.name()));
    println!();
    for len in [1 << 20, 4096] {
        for algorithm in
            [SigningAlgorithm::HMAC_SHA256, SigningAlgorithm::AES_CMAC, SigningAlgorithm::AES_GMAC]
        {
            row(algorithm.name().unwrap_or_default(), len, |provider| signing(provider, algorithm, len));
        }
        for cipher in [Cipher::AES_128_CCM, Cipher::AES_128_GCM, Cipher::AES_256_CCM, Cipher::AES_256_GCM] {
            let name = cipher.name().unwrap_or_default();
            row(&format!("{name} seal"), len, |provider| sealing(provider, cipher, len));
            row(&format!("{name} open"), len, |provider| opening(provider, cipher, len));
        }
        row("SHA_512", len, |provider| {
            let data = buffer(len);
            Ok(best_rate(len, || _ = black_box(provider.sha512(&[black_box(&data)]))))
        });
    }
}
