//! What IOCTL carries: the structures of the FSCTLs. The first byte chooses which.

use smb_proto::msg::fsctl::{
    stream_commit::StreamCommit,
    validate_negotiate::{ValidateNegotiateRequest, ValidateNegotiateResponse},
};

/// How many structures there are to choose from.
pub const KINDS: u8 = 3;

/// Any structure.
pub fn run(data: &[u8]) {
    let Some((which, bytes)) = data.split_first() else { return };
    match which {
        0 => crate::fixed_point!(bytes, ValidateNegotiateRequest::parse, ValidateNegotiateRequest::to_bytes),
        1 => {
            crate::fixed_point!(bytes, ValidateNegotiateResponse::parse, ValidateNegotiateResponse::to_bytes)
        }
        2 => crate::fixed_point!(bytes, StreamCommit::parse, StreamCommit::to_bytes),
        _ => {}
    }
}
