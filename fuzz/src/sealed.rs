//! Sealed messages: the header, and that nothing opens but what was sealed.

use crate::{bounded, bytes_of};
use smb_proto::{
    crypto::seal::{NonceCounter, SealingKey},
    dialect::Cipher,
    transform::encryption::{TRANSFORM_HEADER_LEN, TransformHeader},
};
use std::sync::LazyLock;

static KEYS: LazyLock<Vec<SealingKey>> = LazyLock::new(|| {
    let ciphers = [Cipher::AES_128_CCM, Cipher::AES_128_GCM, Cipher::AES_256_CCM, Cipher::AES_256_GCM];
    ciphers.map(|cipher| SealingKey::new(cipher, &[7; 32][..cipher.key_len()]).expect("a key")).into()
});

/// The first byte chooses the cipher and the bit to be changed.
pub fn run(data: &[u8]) {
    let Some((choice, bytes)) = data.split_first() else { return };
    let parse = |bytes| TransformHeader::parse(bytes).map(|(header, _)| header);
    crate::fixed_point!(bytes, parse, |header: &TransformHeader| bytes_of(|out| header.emit(out)));
    let Some(key) = KEYS.get(usize::from(choice & 3)) else { return };
    let mut frame = bytes.to_vec();
    let opened = bounded::within(bounded::for_input(bytes.len()), || key.open(&mut frame));
    assert!(opened.is_err(), "nobody sealed this");
    sealed_opens_once(key, bytes, usize::from(choice >> 2));
}

fn sealed_opens_once(key: &SealingKey, text: &[u8], which: usize) {
    let mut sealed = vec![0; TRANSFORM_HEADER_LEN];
    sealed.extend(text);
    let nonce = NonceCounter::new([1, 2, 3, 4]).next(key.cipher()).expect("the first");
    key.seal(nonce, 9, &mut sealed).expect("seals");
    let mut tampered = sealed.clone();
    let range = key.open(&mut sealed).expect("opens");
    assert_eq!(sealed.get(range), Some(text));
    // Anywhere but in the reserved bytes of the nonce field, which are authenticated too, so: anywhere.
    let at = which * 7 % tampered.len();
    if let Some(byte) = tampered.get_mut(at) {
        *byte ^= 1 << (which % 8);
    }
    assert!(key.open(&mut tampered).is_err(), "byte {at} was changed");
}
