//! Sparse files, trimming and compression — [MS-FSA] 2.1.5.10, [MS-FSCC] 2.3.

use super::{answer, answer_with, buffer};
use crate::{
    backend::SetMetadata,
    core::{byte_lock, open::Open},
    driver::{Outcome, Request},
};
use smb_proto::{
    msg::{
        Access, FileAttributes, IoctlRequest, NotifyFilter,
        fsctl::ranges::{AllocatedRange, SetSparse, Trim, TrimOutput, ZeroData},
    },
    status::NtStatus,
};
use std::ops::Range;

/// Bytes of one range on the wire.
const RANGE: usize = 16;
/// Ranges of one answer, so that it is a small one; the client asks on behind the last.
const MOST_RANGES: usize = 4096;
/// COMPRESSION_FORMAT_NONE.
const UNCOMPRESSED: [u8; 2] = [0, 0];

async fn is_sparse(open: &Open) -> Result<bool, NtStatus> {
    Ok(open.handle.metadata().await?.attributes.contains(FileAttributes::SPARSE_FILE))
}

/// Marks the file as sparse, or not.
pub(super) async fn set_sparse(request: &Request, ioctl: &IoctlRequest) -> Outcome {
    let open = request.open(ioctl.file_id)?;
    open.require(Access::WRITE_DATA.with(Access::APPEND_DATA).with(Access::WRITE_ATTRIBUTES))?;
    if open.directory {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    if !open.share.backend().capabilities().sparse {
        return Err(NtStatus::INVALID_DEVICE_REQUEST);
    }
    let attributes = open.handle.metadata().await?.attributes;
    let wanted = match SetSparse::parse(&ioctl.input).sparse {
        true => attributes.with(FileAttributes::SPARSE_FILE),
        false => attributes.without(FileAttributes::SPARSE_FILE),
    };
    if wanted != attributes {
        let set = SetMetadata { attributes: Some(wanted), ..SetMetadata::default() };
        open.handle.set_metadata(set).await?;
        open.tell_modified(NotifyFilter::ATTRIBUTES);
    }
    answer(ioctl, open.id, Vec::new())
}

/// Zeroes a range; of a sparse file, it occupies no storage afterwards.
pub(super) async fn zero(request: &Request, ioctl: &IoctlRequest) -> Outcome {
    let open = request.open(ioctl.file_id)?;
    open.require(Access::WRITE_DATA)?;
    if open.directory {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    let ZeroData { from, beyond } = ZeroData::parse(&ioctl.input).map_err(|_| NtStatus::INVALID_PARAMETER)?;
    if from > beyond || i64::try_from(beyond).is_err() {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    open.locker.check(byte_lock::Range { offset: from, length: beyond - from }, true)?;
    let free = is_sparse(&open).await?;
    open.handle.zero(from..beyond, free).await?;
    open.tell_modified(NotifyFilter::LAST_WRITE);
    answer(ioctl, open.id, Vec::new())
}

/// Lists what occupies storage.
pub(super) async fn allocated(request: &Request, ioctl: &IoctlRequest) -> Outcome {
    let open = request.open(ioctl.file_id)?;
    open.require(Access::READ_DATA)?;
    if open.directory {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    let asked = AllocatedRange::parse(&ioctl.input).map_err(|_| NtStatus::INVALID_PARAMETER)?;
    let end = asked.offset.checked_add(asked.length).filter(|end| i64::try_from(*end).is_ok());
    let end = end.ok_or(NtStatus::INVALID_PARAMETER)?;
    let most = (buffer(ioctl.max_output_response) / RANGE).min(MOST_RANGES);
    let metadata = open.handle.metadata().await?;
    let range = asked.offset..end.min(metadata.end_of_file);
    let found = if range.is_empty() {
        Vec::new()
    } else if metadata.attributes.contains(FileAttributes::SPARSE_FILE) {
        open.handle.allocated(range, most.saturating_add(1)).await?
    } else {
        vec![range]
    };
    if most == 0 && !found.is_empty() {
        return Err(NtStatus::BUFFER_TOO_SMALL);
    }
    let status = if found.len() > most { NtStatus::BUFFER_OVERFLOW } else { NtStatus::SUCCESS };
    let wire = |range: &Range<u64>| AllocatedRange { offset: range.start, length: range.end - range.start };
    let ranges: Vec<_> = found.iter().take(most).map(wire).collect();
    answer_with(status, ioctl, open.id, AllocatedRange::all_to_bytes(&ranges))
}

/// Frees what a client says it does not need any more.
pub(super) async fn trim(request: &Request, ioctl: &IoctlRequest) -> Outcome {
    let open = request.open(ioctl.file_id)?;
    open.require(Access::WRITE_DATA)?;
    if open.directory || !open.share.backend().capabilities().sparse {
        return Err(NtStatus::INVALID_DEVICE_REQUEST);
    }
    let trim = Trim::parse(&ioctl.input).map_err(|_| NtStatus::INVALID_PARAMETER)?;
    for range in &trim.ranges {
        let end = range.offset.checked_add(range.length).filter(|end| i64::try_from(*end).is_ok());
        let end = end.ok_or(NtStatus::INVALID_PARAMETER)?;
        open.locker.check(byte_lock::Range { offset: range.offset, length: range.length }, true)?;
        open.handle.zero(range.offset..end, true).await?;
    }
    let processed = u32::try_from(trim.ranges.len()).unwrap_or(u32::MAX);
    let output = TrimOutput { ranges_processed: processed }.to_bytes();
    // The count is optional.
    let fits = output.len() <= buffer(ioctl.max_output_response);
    answer(ioctl, open.id, if fits { output } else { Vec::new() })
}

/// Nothing is compressed here.
pub(super) fn get_compression(request: &Request, ioctl: &IoctlRequest) -> Outcome {
    let open = request.open(ioctl.file_id)?;
    answer(ioctl, open.id, UNCOMPRESSED.to_vec())
}

/// Uncompressed is what everything is; anything else cannot be had.
pub(super) fn set_compression(request: &Request, ioctl: &IoctlRequest) -> Outcome {
    let open = request.open(ioctl.file_id)?;
    open.require(Access::WRITE_DATA)?;
    match ioctl.input.first_chunk::<2>() {
        None => Err(NtStatus::INVALID_PARAMETER),
        Some(&UNCOMPRESSED) => answer(ioctl, open.id, Vec::new()),
        Some(_) => Err(NtStatus::NOT_SUPPORTED),
    }
}
