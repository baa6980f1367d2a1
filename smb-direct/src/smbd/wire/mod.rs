//! The messages of SMB Direct — [MS-SMBD] 2.2. (The buffer descriptor of 2.2.3.1 is
//! [`BufferDescriptor`](smb_proto::transform::rdma::BufferDescriptor).)

mod data;
mod negotiate;
#[cfg(test)]
mod tests;

pub use data::{DATA_OFFSET, DataHeader, DataTransfer, EMPTY_LEN, Flags};
pub use negotiate::{NegotiateOutcome, NegotiateRequest, NegotiateResponse, Negotiated};

use nom::{Parser, error::ErrorKind};
use smb_proto::error::ParseError;

/// A protocol version — [MS-SMBD] 1.7.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u16);

impl Version {
    /// The only one there is.
    pub const V1: Self = Self(0x0100);
}

/// Runs `parser` over the fixed part of `what`, which can only be cut short.
fn fixed<'a, T>(
    what: &'static str,
    input: &'a [u8],
    mut parser: impl Parser<&'a [u8], Output = T, Error = (&'a [u8], ErrorKind)>,
) -> Result<T, ParseError> {
    parser.parse(input).map(|(_, value)| value).map_err(|_| ParseError::Truncated { what })
}
