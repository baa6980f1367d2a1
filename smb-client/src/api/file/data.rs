//! READ and WRITE: in the message or placed, and what their answers may say.

use super::File;
use crate::{
    driver::{
        channel::Channel,
        request::{Payload, Reply, Request},
    },
    error::{Error, TransferError},
};
use bytes::Bytes;
use smb_proto::{
    command::Command,
    msg::{
        Channel as DataChannel, ReadFlags, ReadRequest, ReadResponse, WriteFlags, WriteRequest, WriteResponse,
    },
    status::NtStatus,
};
use smb_transport::{Access, Advertised, IoBuf, TransportError};
use std::sync::Arc;

impl File {
    pub(super) async fn read_inline(
        &self,
        channel: &Arc<Channel>,
        offset: u64,
        len: usize,
    ) -> Result<Bytes, Error> {
        let request = self.read_request(offset, len, DataChannel::Inline);
        let reply = self.exchange(request).await?;
        if reply.status() == NtStatus::END_OF_FILE {
            return Ok(Bytes::new());
        }
        reply.accept(&[NtStatus::BUFFER_OVERFLOW])?;
        let body = reply.body()?;
        let data = <ReadResponse<'_> as smb_proto::codec::Message>::parse(&body)?.data;
        if data.len() > len {
            return Err(self.violated(channel, Command::READ, "more data than asked for"));
        }
        let range = body.range_of(data).unwrap_or_default();
        channel.counters.inline(range.len());
        let mut message = reply.message;
        message.narrow(range);
        Ok(message.into_bytes())
    }

    pub(super) async fn read_placed(
        &self,
        channel: &Arc<Channel>,
        offset: u64,
        len: usize,
    ) -> Result<Bytes, Error> {
        let (advertised, described) =
            advertise(channel, channel.buffers.buffer(len), Access::RemoteWrite).await?;
        let mut request = self.read_request(offset, len, described);
        request.kept = Some(advertised);
        let mut reply = self.exchange(request).await?;
        let kept = reply.kept.take().ok_or(TransportError::Closed)?;
        let mut buf = match kept.reclaim().await {
            Ok(buf) => buf,
            Err(error) => return Err(channel.because(error).await),
        };
        if reply.status() == NtStatus::END_OF_FILE {
            return Ok(Bytes::new());
        }
        reply.accept(&[])?;
        let response: ReadResponse<'_> = reply.parse()?;
        let placed = usize::try_from(response.remaining).unwrap_or(usize::MAX);
        if placed > len || !response.data.is_empty() {
            return Err(self.violated(channel, Command::READ, "placed data does not match the request"));
        }
        channel.counters.pushed(placed);
        buf.truncate(placed);
        Ok(buf.into_bytes())
    }

    fn read_request(&self, offset: u64, len: usize, channel: DataChannel) -> Request {
        let length = u32::try_from(len).unwrap_or(u32::MAX);
        let read = ReadRequest {
            padding: ReadResponse::DATA_OFFSET,
            flags: ReadFlags::NONE,
            length,
            offset,
            file_id: self.inner.id,
            minimum_count: 0,
            channel,
            remaining_bytes: 0,
        };
        Request::new(&read, self.inner.attached.id()).charged(0, length)
    }

    pub(super) async fn write_once(&self, offset: u64, payload: Payload) -> Result<(), Error> {
        let channel = self.channel();
        let len = payload.as_slice().len();
        let size = u32::try_from(len).unwrap_or(u32::MAX);
        let reply = match channel.placing(len, self.need()) {
            Ok(_) => self.write_placed(channel, offset, payload).await?,
            Err(_) => {
                channel.counters.inline(len);
                let mut request = self.write_request(offset, size, DataChannel::Inline);
                request.payload = payload;
                self.exchange(request).await?
            }
        };
        let count = reply.parse::<WriteResponse>()?.count;
        if count > size {
            return Err(self.violated(channel, Command::WRITE, "more was written than sent"));
        }
        if count < size {
            let (expected, found) = (size.into(), count.into());
            return Err(TransferError::ShortWrite { offset, expected, found }.into());
        }
        Ok(())
    }

    async fn write_placed(
        &self,
        channel: &Arc<Channel>,
        offset: u64,
        payload: Payload,
    ) -> Result<Reply, Error> {
        let buf = match payload {
            Payload::Buf(buf) => buf,
            other => {
                let data = other.as_slice();
                channel.counters.copied(data.len());
                let mut buf = channel.buffers.buffer(data.len());
                buf.copy_from_slice(data);
                buf
            }
        };
        let len = buf.len();
        let size = u32::try_from(len).unwrap_or(u32::MAX);
        let (advertised, described) = advertise(channel, buf, Access::RemoteRead).await?;
        let mut request = self.write_request(offset, size, described);
        request.kept = Some(advertised);
        let mut reply = self.exchange(request).await?;
        channel.counters.pulled(len);
        if let Some(kept) = reply.kept.take()
            && let Err(error) = kept.reclaim().await
        {
            return Err(channel.because(error).await);
        }
        Ok(reply)
    }

    fn write_request(&self, offset: u64, size: u32, channel: DataChannel) -> Request {
        let placed = channel != DataChannel::Inline;
        let write = WriteRequest {
            offset,
            file_id: self.inner.id,
            channel,
            remaining_bytes: if placed { size } else { 0 },
            flags: WriteFlags::NONE,
            data: &[],
        };
        let mut body = Vec::with_capacity(64);
        write.emit_head(if placed { 0 } else { size }, &mut body);
        Request::raw(Command::WRITE, self.inner.attached.id(), body).charged(size, 0)
    }
}

/// Opens `buf` to the server, and says how the request names it.
async fn advertise(
    channel: &Channel,
    buf: IoBuf,
    access: Access,
) -> Result<(Box<dyn Advertised>, DataChannel), Error> {
    let placement =
        channel.placement.as_ref().ok_or(TransportError::Placement("this connection has none"))?;
    let advertised = match placement.advertise(buf, access) {
        Ok(advertised) => advertised,
        Err((error, _)) => return Err(channel.because(error).await),
    };
    let descriptors = advertised.descriptors().to_vec();
    Ok((advertised, DataChannel::Rdma { descriptors, invalidate: channel.invalidates() }))
}
