//! Copies within the server — [MS-SMB2] 3.3.5.15.5, 3.3.5.15.6, 3.3.5.15.16, [MS-FSA] 2.1.5.10.3.

use super::{answer, answer_with};
use crate::{
    core::{byte_lock::Range, copychunk, open::Open},
    driver::{Outcome, Request},
};
use smb_proto::{
    msg::{
        Access, FileAttributes, IoctlRequest, NotifyFilter,
        fsctl::{
            copychunk::{CopyChunk, CopyChunkRequest, CopyChunkResponse, ResumeKeyResponse},
            ranges::{DUPLICATE_SOURCE_ATOMIC, DuplicateExtents},
        },
    },
    status::NtStatus,
};
use std::sync::Arc;

/// Bytes of a SRV_COPYCHUNK_RESPONSE.
const RESPONSE: u32 = 12;
/// Ranges of files that share clusters begin and end at multiples of this.
const CLUSTER: u64 = 4096;

/// Names the open to a later copy.
pub(super) fn resume_key(request: &Request, ioctl: &IoctlRequest) -> Outcome {
    let open = request.open(ioctl.file_id)?;
    answer(ioctl, open.id, ResumeKeyResponse { key: copychunk::key_of(open.id) }.to_bytes())
}

/// FSCTL_SRV_COPYCHUNK and, where `write_only`, FSCTL_SRV_COPYCHUNK_WRITE.
pub(super) async fn chunks(request: &Request, ioctl: &IoctlRequest, write_only: bool) -> Outcome {
    let target = request.open(ioctl.file_id)?;
    if ioctl.max_output_response < RESPONSE {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    let copy = CopyChunkRequest::parse(&ioctl.input).map_err(|_| NtStatus::INVALID_PARAMETER)?;
    let source = copychunk::open_of(&copy.source_key).and_then(|id| request.session().ok()?.opens.get(id));
    let source = source.ok_or(NtStatus::OBJECT_NAME_NOT_FOUND)?;
    if !copychunk::within_limits(&copy.chunks) {
        let output = copychunk::LIMITS.to_bytes();
        return answer_with(NtStatus::INVALID_PARAMETER, ioctl, target.id, output);
    }
    source.require(Access::READ_DATA.with(Access::EXECUTE))?;
    target.require(Access::WRITE_DATA.with(Access::APPEND_DATA))?;
    if !write_only {
        target.require(Access::READ_DATA)?;
    }
    if source.directory || target.directory {
        return Err(NtStatus::INVALID_DEVICE_REQUEST);
    }
    // Not in the task that receives: the connection goes on meanwhile.
    tokio::task::yield_now().await;
    let mut copying = Copying { request, source, target, done: CopyChunkResponse::default() };
    let ended = copying.run(&copy.chunks).await;
    if copying.done.total_bytes_written > 0 {
        copying.target.tell_modified(NotifyFilter::SIZE | NotifyFilter::LAST_WRITE);
    }
    let status = ended.err().unwrap_or(NtStatus::SUCCESS);
    answer_with(status, ioctl, copying.target.id, copying.done.to_bytes())
}

struct Copying<'a> {
    request: &'a Request,
    source: Arc<Open>,
    target: Arc<Open>,
    done: CopyChunkResponse,
}

impl Copying<'_> {
    async fn run(&mut self, chunks: &[CopyChunk]) -> Result<(), NtStatus> {
        for chunk in chunks {
            self.chunk(chunk).await?;
            self.done.chunks_written += 1;
            self.done.total_bytes_written = self.done.total_bytes_written.saturating_add(chunk.length);
        }
        Ok(())
    }

    async fn chunk(&self, chunk: &CopyChunk) -> Result<(), NtStatus> {
        let CopyChunk { source_offset: from, target_offset: to, length } = *chunk;
        let within =
            |offset: u64| offset.checked_add(length.into()).filter(|end| i64::try_from(*end).is_ok());
        let (end, _) = within(from).zip(within(to)).ok_or(NtStatus::INVALID_PARAMETER)?;
        if end > self.source.handle.metadata().await?.end_of_file {
            return Err(NtStatus::INVALID_VIEW_SIZE);
        }
        self.source.locker.check(Range { offset: from, length: length.into() }, false)?;
        self.target.locker.check(Range { offset: to, length: length.into() }, true)?;
        let within = self.target.handle.copy_from(&self.source.handle, from, to, length).await;
        match within {
            Err(NtStatus::NOT_SUPPORTED) => self.through_memory(from, to, length).await,
            done => done,
        }
    }

    /// Reads a chunk as a whole, then writes it: source and target may overlap.
    async fn through_memory(&self, from: u64, to: u64, length: u32) -> Result<(), NtStatus> {
        // What is held in memory counts as an answer's data does.
        let _room = self.request.reserve(length).await?;
        let wanted = usize::try_from(length).map_err(|_| NtStatus::INVALID_PARAMETER)?;
        let data = self.source.handle.read(from, self.request.conn.buffers.buffer(wanted)).await?;
        if data.len() < wanted {
            return Err(NtStatus::INVALID_VIEW_SIZE);
        }
        self.target.handle.write(to, data, false).await
    }
}

/// FSCTL_DUPLICATE_EXTENTS_TO_FILE and its extended form: two files share the clusters of a range.
pub(super) async fn duplicate(request: &Request, ioctl: &IoctlRequest, extended: bool) -> Outcome {
    let target = request.open(ioctl.file_id)?;
    if !target.share.backend().capabilities().extents {
        return Err(NtStatus::INVALID_DEVICE_REQUEST);
    }
    let (extents, flags) = if extended {
        DuplicateExtents::parse_ex(&ioctl.input)
    } else {
        DuplicateExtents::parse(&ioctl.input).map(|extents| (extents, 0))
    }
    .map_err(|_| NtStatus::INVALID_PARAMETER)?;
    if flags & !DUPLICATE_SOURCE_ATOMIC != 0 {
        return Err(NtStatus::NOT_SUPPORTED);
    }
    let source = request.session()?.opens.get(extents.source).ok_or(NtStatus::INVALID_HANDLE)?;
    source.require(Access::READ_DATA)?;
    target.require(Access::WRITE_DATA)?;
    check_extents(&source, &target, &extents).await?;
    let DuplicateExtents { source_offset: from, target_offset: to, byte_count, .. } = extents;
    if byte_count > 0 {
        source.locker.check(Range { offset: from, length: byte_count }, false)?;
        target.locker.check(Range { offset: to, length: byte_count }, true)?;
        target.handle.share_extents(&source.handle, from, to, byte_count).await?;
        target.tell_modified(NotifyFilter::LAST_WRITE);
    }
    answer(ioctl, target.id, Vec::new())
}

async fn check_extents(source: &Open, target: &Open, extents: &DuplicateExtents) -> Result<(), NtStatus> {
    let DuplicateExtents { source_offset: from, target_offset: to, byte_count, .. } = *extents;
    if source.directory || target.directory || source.share.number() != target.share.number() {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    let (source, target) = (source.handle.metadata().await?, target.handle.metadata().await?);
    let (from_end, to_end) =
        from.checked_add(byte_count).zip(to.checked_add(byte_count)).ok_or(NtStatus::INVALID_PARAMETER)?;
    // The last cluster of a file may be in part behind its end.
    let whole = |end: u64, file_end: u64| end.is_multiple_of(CLUSTER) || end == file_end;
    if !from.is_multiple_of(CLUSTER) || !to.is_multiple_of(CLUSTER) || !whole(from_end, source.end_of_file) {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    if from_end > source.end_of_file || to_end > target.end_of_file {
        return Err(NtStatus::NOT_SUPPORTED);
    }
    let overlap = source.key == target.key && from < to_end && to < from_end;
    let sparse = |attributes: FileAttributes| attributes.contains(FileAttributes::SPARSE_FILE);
    if overlap || (sparse(source.attributes) && !sparse(target.attributes)) {
        return Err(NtStatus::NOT_SUPPORTED);
    }
    Ok(())
}
