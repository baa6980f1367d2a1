//! What both programs share: how they are called, the sizes they move, bytes that show a misplaced block.

/// `ADDR:PORT USER PASSWORD SHARE`, and what comes behind.
pub struct Called {
    /// Address and port.
    pub address: String,
    /// User name.
    pub user: String,
    /// Password.
    pub password: String,
    /// Share name.
    pub share: String,
    /// Further words.
    pub rest: Vec<String>,
}

impl Called {
    /// Reads the command line.
    pub fn from_arguments() -> Self {
        let mut words = std::env::args().skip(1);
        let mut next = |what| words.next().unwrap_or_else(|| panic!("missing: {what}"));
        let (address, user) = (next("ADDR:PORT"), next("USER"));
        let (password, share) = (next("PASSWORD"), next("SHARE"));
        Self { address, user, password, share, rest: words.collect() }
    }
}

/// The sizes that are moved.
pub const SIZES: [usize; 6] = [0, 1, 65_535, 65_536, 65_537, 9_000_001];

/// `len` bytes that differ from place to place and from file to file.
pub fn bytes(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        })
        .collect()
}
