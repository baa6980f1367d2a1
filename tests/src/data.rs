//! Bytes to send.

/// Bytes that differ from place to place and from seed to seed: their period of 251 is prime to every size in use.
pub fn pattern(len: usize, seed: usize) -> Vec<u8> {
    const PERIOD: usize = 251;
    let period: Vec<u8> =
        (0..PERIOD).map(|at| u8::try_from((at * 31 + seed * 7) % PERIOD).unwrap()).collect();
    let mut bytes = period.repeat(len / PERIOD + 1);
    bytes.truncate(len);
    bytes
}

/// Bytes without a pattern, the same for the same seed (xorshift64*).
pub fn random_bytes(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        state.wrapping_mul(0x2545_F491_4F6C_DD1D).to_le_bytes()[7]
    };
    (0..len).map(|_| next()).collect()
}
