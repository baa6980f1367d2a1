//! Data to compress in tests: what memory, disks and documents look like.

use proptest::prelude::*;

/// Bytes of hexadecimal digits; white space is ignored.
pub(super) fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u32> = digits.chars().filter_map(|c| c.to_digit(16)).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] << 4 | pair[1]).unwrap()).collect()
}

/// The 26 lower-case letters.
pub(super) fn alphabet() -> Vec<u8> {
    (b'a'..=b'z').collect()
}

/// Bytes without any pattern, by xorshift.
pub(super) fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..len.div_ceil(8)).flat_map(|_| next()).take(len).collect()
}

/// Words of a small vocabulary.
pub(super) fn text(seed: u64, len: usize) -> Vec<u8> {
    const WORDS: [&str; 12] = [
        "the ", "server ", "MUST ", "return ", "a ", "credit ", "\r\n", "channel", ", ", "of ", "0x0000",
        "session ",
    ];
    noise(seed, len).iter().flat_map(|b| WORDS[usize::from(*b) % WORDS.len()].bytes()).take(len).collect()
}

/// As a guest's memory: pages of zeros, of counters and pointers, of text, of noise.
pub(super) fn pages(seed: u64, len: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(len + 4096);
    for kind in noise(seed, len.div_ceil(4096)) {
        let seed = seed.wrapping_add(out.len().try_into().unwrap());
        match kind % 5 {
            0 | 1 => out.extend([0; 4096]),
            2 => out.extend(
                (0..512u64).flat_map(|i| (0xffff_8880_0000_0000 | (seed << 12) | (i * 64)).to_le_bytes()),
            ),
            3 => out.extend(text(seed, 4096)),
            _ => out.extend(noise(seed, 4096)),
        }
    }
    out.truncate(len);
    out
}

/// Any of them, up to `max` bytes.
pub(super) fn data(max: usize) -> impl Strategy<Value = Vec<u8>> {
    let small_alphabet = proptest::collection::vec(0u8..3, 0..400.min(max));
    prop_oneof![
        1 => proptest::collection::vec(any::<u8>(), 0..200.min(max)),
        1 => small_alphabet,
        5 => (0u8..6, any::<u64>(), 0..=max, any::<u8>()).prop_map(|(kind, seed, len, byte)| match kind {
            0 => vec![byte; len],
            1 => text(seed, len),
            2 => noise(seed, len),
            3 => [text(seed, len / 2), vec![byte; len - len / 2]].concat(),
            _ => pages(seed, len),
        }),
    ]
}
