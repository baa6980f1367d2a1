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

/// Numbers without a pattern, the same for the same seed (xorshift64*).
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Those of `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// The next number.
    #[allow(clippy::should_implement_trait, reason = "it never ends")]
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// One below `most`, which is not 0.
    pub fn below(&mut self, most: u64) -> u64 {
        (self.next() >> 16) % most.max(1)
    }

    /// One of `all`.
    pub fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        let count = u64::try_from(all.len()).unwrap();
        &all[usize::try_from(self.below(count)).unwrap()]
    }
}

/// Bytes without a pattern, the same for the same seed.
pub fn random_bytes(len: usize, seed: u64) -> Vec<u8> {
    let mut random = Random::new(seed);
    (0..len).map(|_| random.next().to_le_bytes()[7]).collect()
}
