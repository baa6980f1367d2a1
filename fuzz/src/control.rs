//! What IOCTL carries: the structures of the FSCTLs; the extra data of errors; the transforms of data placed by RDMA. The
//! first byte chooses which.

use crate::bounded;
use smb_proto::{
    error::ParseError,
    msg::{
        ErrorResponse,
        error_data::ErrorStatement,
        fsctl::{
            copychunk::CopyChunkRequest,
            dfs::{ReferralRequest, ReferralResponse},
            network_interface::NetworkInterface,
            offload::{OffloadReadInput, OffloadReadOutput, OffloadWriteInput, OffloadWriteOutput},
            pipe::{PipePeek, PipeWait},
            ranges::{AllocatedRange, DuplicateExtents, SetSparse, Trim},
            reparse::ReparsePoint,
            snapshots::SnapshotArray,
            stream_commit::StreamCommit,
            validate_negotiate::{ValidateNegotiateRequest, ValidateNegotiateResponse},
        },
    },
    status::NtStatus,
    transform::rdma_transform::RdmaTransform,
};

/// How many structures there are to choose from.
pub const KINDS: u8 = 22;

macro_rules! check {
    ($bytes:expr, $type:ty) => {
        crate::fixed_point!($bytes, <$type>::parse, <$type>::to_bytes)
    };
}

/// Any structure.
pub fn run(data: &[u8]) {
    let Some((which, bytes)) = data.split_first() else { return };
    match which {
        0 => check!(bytes, ValidateNegotiateRequest),
        1 => check!(bytes, ValidateNegotiateResponse),
        2 => check!(bytes, StreamCommit),
        3 => check!(bytes, CopyChunkRequest),
        4 => check!(bytes, ReferralRequest),
        5 => referrals(bytes),
        6 => crate::fixed_point!(bytes, NetworkInterface::parse_all, |all: &Vec<_>| {
            NetworkInterface::to_bytes(all)
        }),
        7 => check!(bytes, OffloadReadInput),
        8 => check!(bytes, OffloadReadOutput),
        9 => check!(bytes, OffloadWriteInput),
        10 => check!(bytes, OffloadWriteOutput),
        11 => check!(bytes, PipeWait),
        12 => check!(bytes, PipePeek),
        13 => crate::fixed_point!(bytes, AllocatedRange::parse_all, |all: &Vec<_>| {
            AllocatedRange::all_to_bytes(all)
        }),
        14 => check!(bytes, DuplicateExtents),
        15 => crate::fixed_point!(bytes, DuplicateExtents::parse_ex, |(extents, flags): &(
            DuplicateExtents,
            u32
        )| extents.to_bytes_ex(*flags)),
        16 => check!(bytes, Trim),
        17 => check!(bytes, ReparsePoint),
        18 => check!(bytes, SnapshotArray),
        19 => check!(bytes, RdmaTransform),
        20 => errors(bytes),
        21 => assert_eq!(SetSparse::parse(&SetSparse::parse(bytes).to_bytes()), SetSparse::parse(bytes)),
        _ => {}
    }
}

/// Entries may share their strings. Each gets its own where they are written, and together they may not fit.
fn referrals(bytes: &[u8]) {
    let read = bounded::within(bounded::for_input(bytes.len()), || ReferralResponse::parse(bytes));
    if read.is_ok_and(|response| response.to_bytes().len() <= 0xffff) {
        check!(bytes, ReferralResponse);
    }
}

/// The statements of an error, by themselves (the first byte is 0) or in contexts.
fn errors(bytes: &[u8]) {
    let Some((count, data)) = bytes.split_first() else { return };
    for status in [NtStatus::STOPPED_ON_SYMLINK, NtStatus::BUFFER_TOO_SMALL, NtStatus::BAD_NETWORK_NAME] {
        let parse = |data: &[u8]| -> Result<Vec<ErrorStatement>, ParseError> {
            ErrorResponse { context_count: *count, data: data.to_vec() }.statements(status)
        };
        let contexts = *count != 0;
        crate::fixed_point!(data, parse, |statements: &Vec<ErrorStatement>| {
            ErrorResponse::with_statements(statements, contexts).data
        });
    }
}
