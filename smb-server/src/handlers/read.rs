//! READ — [MS-SMB2] 3.3.5.12.

use super::pipe;
use crate::{
    core::{
        byte_lock::Range,
        open::Open,
        placement::{self, Way},
    },
    driver::{Answer, Moved, Outcome, Payload, Request},
};
use smb_proto::{
    msg::{Access, ReadRequest, ReadResponse},
    status::NtStatus,
};
use smb_transport::{BufferDescriptor, IoBuf, Push};
use std::sync::atomic::Ordering;

/// Where DataOffset lies in the response.
const DATA_OFFSET: usize = 2;
/// Bytes in front of the data where smbtorture wants some.
const PADDING: u8 = 8;

/// Reads from a file.
pub(crate) async fn handle(request: &Request) -> Outcome {
    let read: ReadRequest = request.parse()?;
    let open = request.open(read.file_id)?;
    open.require(Access::READ_DATA.with(Access::EXECUTE))?;
    check(request, &read, &open)?;
    if let Some(pipe) = pipe::of(&open) {
        return pipe::read(&read, &open, pipe);
    }
    let limits = request.conn.placement.as_ref().map(|placement| placement.limits());
    open.locker.check(Range { offset: read.offset, length: read.length.into() }, false)?;
    let way = placement::way(read.channel, read.length, limits, request.protected())?;
    let room = request.reserve(read.length).await?;
    let wanted = usize::try_from(read.length).map_err(|_| NtStatus::INVALID_PARAMETER)?;
    let data = open.handle.read(read.offset, request.conn.buffers.buffer(wanted)).await?;
    let minimum = usize::try_from(read.minimum_count).unwrap_or(usize::MAX);
    if data.len() < minimum || (data.is_empty() && wanted > 0) {
        return Err(NtStatus::END_OF_FILE);
    }
    // Nothing in the protocol reads the position but FilePositionInformation.
    let length = u64::try_from(data.len()).unwrap_or(0);
    open.position.store(read.offset.saturating_add(length), Ordering::Relaxed);
    let answer = match way {
        Way::Inline => {
            request.conn.count(Moved::ReadInline, data.len());
            inline(data, request.conn.pads_reads())?
        }
        Way::Placed { descriptors, .. } => {
            request.conn.count(Moved::Pushed, data.len());
            placed(data, descriptors)?
        }
    };
    Ok(answer.on(open.id).within(room))
}

fn check(request: &Request, read: &ReadRequest, open: &Open) -> Result<(), NtStatus> {
    if open.directory {
        return Err(NtStatus::INVALID_DEVICE_REQUEST);
    }
    let end = read.offset.checked_add(read.length.into());
    let too_far = end.is_none_or(|end| end > i64::MAX.cast_unsigned());
    if read.length > request.conn.agreed()?.max_io || too_far {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    request.covers(0, read.length)
}

/// The data in the message: the fixed part goes in front of it where it lies.
fn inline(mut data: IoBuf, padded: bool) -> Result<Answer, NtStatus> {
    let length = u32::try_from(data.len()).map_err(|_| NtStatus::INTERNAL_ERROR)?;
    let mut head = Vec::new();
    ReadResponse::emit_head(length, 0, 0, &mut head);
    if padded && let Some(offset) = head.get_mut(DATA_OFFSET) {
        *offset = offset.saturating_add(PADDING);
        head.resize(head.len().saturating_add(PADDING.into()), 0);
    }
    if data.is_empty() {
        // At least one byte follows the fixed part.
        data.append(&[0]).map_err(|_| NtStatus::INTERNAL_ERROR)?;
    }
    data.prepend(&head).map_err(|_| NtStatus::INTERNAL_ERROR)?;
    Ok(Answer::raw(NtStatus::SUCCESS, Payload::Buffer(data)))
}

/// The data by RDMA, in front of the message.
fn placed(data: IoBuf, descriptors: Vec<BufferDescriptor>) -> Result<Answer, NtStatus> {
    let remaining = u32::try_from(data.len()).map_err(|_| NtStatus::INTERNAL_ERROR)?;
    let answer = Answer::of(&ReadResponse { data: &[], remaining, flags: 0 });
    let pushes = if data.is_empty() { Vec::new() } else { vec![Push { to: descriptors, data }] };
    Ok(Answer { pushes, ..answer })
}
