//! WRITE — [MS-SMB2] 3.3.5.13.

use super::times;
use crate::{
    core::{
        byte_lock,
        open::Open,
        placement::{self, Way},
    },
    driver::{Answer, Moved, Outcome, Request},
};
use smb_proto::{
    codec::{Body, Message},
    header::HeaderFlags,
    msg::{Access, NotifyFilter, WriteFlags, WriteRequest, WriteResponse},
    status::NtStatus,
};
use smb_transport::IoBuf;
use std::{ops::Range, sync::Arc};

/// A request without its data.
struct Write {
    open: Arc<Open>,
    offset: u64,
    length: u32,
    through: bool,
    way: Way,
    /// Where the data lies in the message.
    data: Range<usize>,
}

/// Writes to a file: the received buffer itself goes to the back end.
pub(crate) async fn handle(request: Request) -> Outcome {
    let write = examine(&request)?;
    let replay = request.header.flags.contains(HeaderFlags::REPLAY_OPERATION);
    let Request { conn, mut message, cancel, .. } = request;
    let data = match write.way {
        Way::Inline => {
            message.narrow(write.data);
            conn.count(Moved::WrittenInline, message.len());
            message
        }
        Way::Placed { descriptors, .. } => {
            drop(message);
            let placement = conn.placement.as_ref().ok_or(NtStatus::INVALID_PARAMETER)?;
            let length = usize::try_from(write.length).map_err(|_| NtStatus::INVALID_PARAMETER)?;
            let into: IoBuf = conn.buffers.buffer(length);
            let pulled = cancel.shielded(placement.pull(descriptors, into)).await?.map_err(|error| {
                tracing::warn!(conn = conn.id, %error, "pulling the data of a WRITE failed");
                NtStatus::INVALID_PARAMETER
            })?;
            conn.count(Moved::Pulled, length);
            pulled
        }
    };
    if !data.is_empty() {
        times::writing(&write.open).await?;
        write.open.handle.write(write.offset, data, replay).await?;
        write.open.tell_modified(NotifyFilter::SIZE | NotifyFilter::LAST_WRITE);
    }
    if write.through {
        write.open.handle.flush().await?;
        times::settle(&write.open).await?;
    }
    Ok(Answer::of(&WriteResponse { count: write.length }).on(write.open.id))
}

fn examine(request: &Request) -> Result<Write, NtStatus> {
    let body = Body::new(&request.message).map_err(|_| NtStatus::INVALID_PARAMETER)?;
    let write = WriteRequest::parse(&body).map_err(|_| NtStatus::INVALID_PARAMETER)?;
    let open = request.open(write.file_id)?;
    open.require(Access::WRITE_DATA.with(Access::APPEND_DATA))?;
    if open.directory {
        return Err(NtStatus::INVALID_DEVICE_REQUEST);
    }
    let inline = write.channel.kind() == 0;
    let length = if inline { u32::try_from(write.data.len()).ok() } else { Some(write.remaining_bytes) };
    let length = length.ok_or(NtStatus::INVALID_PARAMETER)?;
    let end = write.offset.checked_add(length.into());
    let too_far = end.is_none_or(|end| end > i64::MAX.cast_unsigned());
    // Data may come in the message or by RDMA, never both.
    if length > request.conn.agreed()?.max_io || too_far || (!inline && !write.data.is_empty()) {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    open.locker.check(byte_lock::Range { offset: write.offset, length: length.into() }, true)?;
    let sent = usize::try_from(length).unwrap_or(usize::MAX);
    request.covers(sent, 0)?;
    let limits = request.conn.placement.as_ref().map(|placement| placement.limits());
    let data = body.range_of(write.data).ok_or(NtStatus::INVALID_PARAMETER)?;
    let way = placement::way(write.channel, length, limits, request.protected())?;
    // On a stream a flush is the commit: writing through means nothing there.
    let through = (write.flags.contains(WriteFlags::WRITE_THROUGH) || open.writes_through())
        && !open.share.backend().capabilities().stream;
    Ok(Write { open, offset: write.offset, length, through, way, data })
}
