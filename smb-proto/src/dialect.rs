//! What two peers agree on before anything else: dialects and algorithms — [MS-SMB2] 2.2.3, 2.2.3.1.

use crate::command::wire_enum;

wire_enum! {
    /// A dialect revision — [MS-SMB2] 2.2.3, 2.2.4. Ordered as the dialects are, but for the wildcard.
    Dialect: u16 {
        /// SMB 2.0.2.
        SMB_2_0_2 = 0x0202,
        /// SMB 2.1.
        SMB_2_1 = 0x0210,
        /// SMB 3.0.
        SMB_3_0 = 0x0300,
        /// SMB 3.0.2.
        SMB_3_0_2 = 0x0302,
        /// SMB 3.1.1.
        SMB_3_1_1 = 0x0311,
        /// "2.???": only in the answer to an SMB1 multi-protocol NEGOTIATE.
        WILDCARD = 0x02ff,
    }
}

impl Dialect {
    /// The dialects we speak, oldest first.
    pub const ALL: [Self; 5] =
        [Self::SMB_2_0_2, Self::SMB_2_1, Self::SMB_3_0, Self::SMB_3_0_2, Self::SMB_3_1_1];

    /// Whether it belongs to the SMB 3 family (encryption, multichannel, ChannelSequence).
    pub const fn is_smb3(self) -> bool {
        self.0 >= Self::SMB_3_0.0
    }

    /// Whether requests carry a CreditCharge and may span several credits (all but 2.0.2).
    pub const fn has_multi_credit(self) -> bool {
        self.0 >= Self::SMB_2_1.0 && self.0 != Self::WILDCARD.0
    }
}

impl std::fmt::Display for Dialect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Self::SMB_2_0_2 => f.write_str("2.0.2"),
            Self::SMB_2_1 => f.write_str("2.1"),
            Self::SMB_3_0 => f.write_str("3.0"),
            Self::SMB_3_0_2 => f.write_str("3.0.2"),
            Self::SMB_3_1_1 => f.write_str("3.1.1"),
            Self(other) => write!(f, "{other:#06x}"),
        }
    }
}

wire_enum! {
    /// A cipher of SMB2_ENCRYPTION_CAPABILITIES — [MS-SMB2] 2.2.3.1.2. 3.0 and 3.0.2 use AES-128-CCM.
    Cipher: u16 {
        /// No common cipher.
        NONE = 0x0000,
        /// AES-128-CCM.
        AES_128_CCM = 0x0001,
        /// AES-128-GCM.
        AES_128_GCM = 0x0002,
        /// AES-256-CCM.
        AES_256_CCM = 0x0003,
        /// AES-256-GCM.
        AES_256_GCM = 0x0004,
    }
}

impl Cipher {
    /// Bytes of the key.
    pub const fn key_len(self) -> usize {
        match self {
            Self::AES_256_CCM | Self::AES_256_GCM => 32,
            _ => 16,
        }
    }

    /// Bytes of the nonce that are used of the header's 16: 11 for CCM, 12 for GCM.
    pub const fn nonce_len(self) -> usize {
        match self {
            Self::AES_128_CCM | Self::AES_256_CCM => 11,
            _ => 12,
        }
    }
}

wire_enum! {
    /// An algorithm of SMB2_SIGNING_CAPABILITIES — [MS-SMB2] 2.2.3.1.7. Without that context 2.x signs by
    /// HMAC-SHA256 and 3.x by AES-CMAC.
    SigningAlgorithm: u16 {
        /// HMAC-SHA256, cut to 16 bytes.
        HMAC_SHA256 = 0x0000,
        /// AES-128-CMAC.
        AES_CMAC = 0x0001,
        /// AES-128-GMAC.
        AES_GMAC = 0x0002,
    }
}

wire_enum! {
    /// A hash of SMB2_PREAUTH_INTEGRITY_CAPABILITIES — [MS-SMB2] 2.2.3.1.1.
    HashAlgorithm: u16 {
        /// SHA-512, the only one there is.
        SHA_512 = 0x0001,
    }
}

wire_enum! {
    /// An algorithm of SMB2_COMPRESSION_CAPABILITIES — [MS-SMB2] 2.2.3.1.3.
    CompressionAlgorithm: u16 {
        /// No compression.
        NONE = 0x0000,
        /// LZNT1.
        LZNT1 = 0x0001,
        /// LZ77.
        LZ77 = 0x0002,
        /// LZ77 and Huffman.
        LZ77_HUFFMAN = 0x0003,
        /// Pattern scanning.
        PATTERN_V1 = 0x0004,
        /// LZ4.
        LZ4 = 0x0005,
    }
}
