//! The private FSCTL by which our client tells a stream share what the stream must have been when FLUSH commits it.
//!
//! [`CtlCode::STREAM_COMMIT`](crate::msg::ioctl::CtlCode::STREAM_COMMIT) lies in the range that [MS-FSCC] 2.3 leaves to
//! vendors (function 0x900 of the network file system device, any other server answers
//! STATUS_INVALID_DEVICE_REQUEST or STATUS_NOT_SUPPORTED). There is no output.
//!
//! ```text
//!  0        2           4          8         16
//!  ├ version ┼ algorithm ┼ reserved ┼  length ┼ digest (32) ┤ 48
//! ```

use crate::{
    codec::num::{array, fixed, le_u16, le_u32, le_u64},
    command::wire_enum,
    error::ParseError,
};

wire_enum! {
    /// The digest of a stream.
    DigestAlgorithm: u16 {
        /// BLAKE3, 32 bytes.
        BLAKE3 = 0x0001,
    }
}

/// The private stream-commit FSCTL's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamCommit {
    /// What computed `digest`.
    pub algorithm: DigestAlgorithm,
    /// Bytes of the whole stream.
    pub length: u64,
    /// Digest of the whole stream.
    pub digest: [u8; 32],
}

const VERSION: u16 = 1;

impl StreamCommit {
    /// Reads the IOCTL's input.
    pub fn parse(input: &[u8]) -> Result<Self, ParseError> {
        const WHAT: &str = "stream commit";
        let (_, (version, algorithm, _, length, digest)) =
            fixed(WHAT, input, (le_u16, le_u16, le_u32, le_u64, array::<32>))?;
        if version != VERSION {
            return Err(ParseError::Value { what: "stream commit version", value: version.into() });
        }
        Ok(Self { algorithm: DigestAlgorithm(algorithm), length, digest })
    }

    /// The IOCTL's input.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(48);
        out.extend(VERSION.to_le_bytes());
        out.extend(self.algorithm.0.to_le_bytes());
        out.extend([0; 4]);
        out.extend(self.length.to_le_bytes());
        out.extend(self.digest);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_truncations() {
        let commit = StreamCommit { algorithm: DigestAlgorithm::BLAKE3, length: 1 << 40, digest: [0xab; 32] };
        let wire = commit.to_bytes();
        assert_eq!(wire.len(), 48);
        assert_eq!(StreamCommit::parse(&wire).unwrap(), commit);
        assert!((0..wire.len()).all(|cut| StreamCommit::parse(&wire[..cut]).is_err()));
    }
}
