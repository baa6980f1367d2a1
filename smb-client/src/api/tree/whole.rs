//! Whole small files in one round trip.

use super::Tree;
use crate::{
    api::{File, OpenOptions},
    driver::request::{Payload, Reply, Request},
    error::{Error, TransferError, UsageError},
};
use bytes::Bytes;
use smb_proto::{
    codec::Message,
    command::Command,
    error::PeerViolation,
    msg::{
        Channel as DataChannel, CloseFlags, CloseRequest, CloseResponse, CreateRequest, CreateResponse,
        FileId, FlushRequest, ReadFlags, ReadRequest, ReadResponse, WriteFlags, WriteRequest, WriteResponse,
    },
    status::NtStatus,
};
use std::sync::Arc;

/// The most that travels with the requests around it: one credit's worth.
pub(crate) const SMALL: u32 = 64 * 1024;
const BYTES: usize = 64 * 1024;
/// What is set aside at most for a file before its data comes: its size is only what the server says.
const MOST_ROOM: usize = 8 << 20;

impl Tree {
    /// All of a file. Up to 64 KiB in one round trip; larger files are read pipelined. The file is closed when it resolves: it
    /// can be removed, and made anew.
    pub async fn read(&self, path: &str) -> Result<Bytes, Error> {
        if let Some(all) = self.read_small(path).await? {
            return Ok(all);
        }
        let file = self.open(path).await?;
        let size = usize::try_from(file.opened().size).unwrap_or(usize::MAX);
        let mut all = Vec::with_capacity(size.min(MOST_ROOM));
        let mut reads = crate::transfer::Reads::new(file.clone(), 0, u64::MAX, None);
        while let Some(piece) = reads.next().await {
            all.extend_from_slice(&piece?.1);
        }
        drop(reads);
        file.close().await?;
        Ok(all.into())
    }

    /// All of a file, where one READ is enough and can go with the requests around it.
    async fn read_small(&self, path: &str) -> Result<Option<Bytes>, Error> {
        let create = OpenOptions::read().request(path)?;
        let create = &create;
        self.run(true, |attached| async move {
            let id = attached.id();
            let close = CloseRequest { flags: CloseFlags::NONE, file_id: FileId::ANY };
            let compound = vec![
                attached.request(Request::new(create, id)),
                attached.request(read_request(id)).related(),
                attached.request(Request::new(&close, id)).related(),
            ];
            if attached.channel().placing(BYTES, attached.need()).is_ok()
                || attached.channel().is_stingy(&compound)
            {
                return Ok(None);
            }
            let mut replies = Vec::with_capacity(compound.len());
            for waiting in attached.channel().submit(compound).await? {
                replies.push(waiting.answer().await?);
            }
            let mut replies = replies.into_iter();
            let (Some(created), Some(first), Some(closed)) = (replies.next(), replies.next(), replies.next())
            else {
                return Err(attached.channel().error());
            };
            let size = created.parse::<CreateResponse>()?.end_of_file;
            let first = read_data(first)?;
            closed.accept(&[])?;
            attached.channel().counters.inline(first.len());
            let have = u64::try_from(first.len()).unwrap_or(u64::MAX);
            Ok(Some(first).filter(|first| first.len() < BYTES && have >= size))
        })
        .await
    }

    /// Opens a file for reading, and reads its first 64 KiB, in one round trip.
    pub(crate) async fn open_and_read(&self, path: &str) -> Result<(File, Bytes), Error> {
        let create = OpenOptions::read().request(path)?;
        let create = &create;
        self.run(true, |attached| async move {
            let read = attached.request(read_request(attached.id())).related();
            let compound = vec![attached.request(Request::new(create, attached.id())), read];
            // What can be placed does not go in the message of a compound.
            let placed = attached.channel().placing(BYTES, attached.need()).is_ok();
            if placed || attached.channel().is_stingy(&compound) {
                let file = self.open_as(create).await?;
                let first = file.read_at(0, BYTES).await?;
                return Ok((file, first));
            }
            let mut waiting = attached.channel().submit(compound).await?.into_iter();
            let (Some(created), Some(first)) = (waiting.next(), waiting.next()) else {
                return Err(attached.channel().error());
            };
            let created = created.answer().await?;
            let file = File::new(self.clone(), Arc::clone(&attached), &create.name, &created.parse()?);
            let first = read_data(first.answer().await?)?;
            attached.channel().counters.inline(first.len());
            Ok((file, first))
        })
        .await
    }

    /// Writes `data` as the whole of the file at `path`, which is created, or replaced where it is there, and makes it durable,
    /// unless there is none.
    /// Up to 64 KiB in one round trip. The size afterwards is checked.
    ///
    /// On failure the file may be there in part.
    pub async fn write(&self, path: &str, data: impl Into<Bytes>) -> Result<(), Error> {
        let data = data.into();
        let create = OpenOptions::write().request(path)?;
        if data.len() > BYTES {
            let file = self.open_as(&create).await?;
            let mut writes = crate::transfer::Writes::new(file.clone(), 0, None);
            let mut rest = data;
            while !rest.is_empty() {
                writes.room().await?;
                let len = rest.len().min(writes.chunk());
                writes.push(rest.split_to(len));
            }
            writes.done().await?;
            file.flush().await?;
            crate::transfer::upload_check_size(&file, writes.position()).await?;
            return file.close().await.map(drop);
        }
        self.write_small(&create, data).await
    }

    async fn write_small(&self, create: &CreateRequest, data: Bytes) -> Result<(), Error> {
        let size = u32::try_from(data.len()).unwrap_or(u32::MAX);
        let data = &data;
        // The last answer but CLOSE's, which `with_open` keeps to itself, is not the one wanted here.
        self.run(false, |attached| async move {
            let id = attached.id();
            let mut compound = vec![attached.request(Request::new(create, id))];
            if size > 0 {
                compound.push(attached.request(write_request(id, data.clone(), size)).related());
                let flush = FlushRequest { file_id: FileId::ANY };
                compound.push(attached.request(Request::new(&flush, id)).related());
            }
            let close = CloseRequest { flags: CloseFlags::POSTQUERY_ATTRIB, file_id: FileId::ANY };
            compound.push(attached.request(Request::new(&close, id)).related());
            let placed = attached.channel().placing(data.len(), attached.need()).is_ok();
            if placed || attached.channel().is_stingy(&compound) {
                return self.write_in_steps(create, data.clone()).await;
            }
            let mut replies = Vec::with_capacity(compound.len());
            for waiting in attached.channel().submit(compound).await? {
                replies.push(waiting.answer().await?);
            }
            // Some servers (impacket) find no file for a FLUSH within a compound: the whole again, one by one.
            let astray = [NtStatus::INVALID_HANDLE, NtStatus::FILE_CLOSED];
            if size > 0 && replies.get(2).is_some_and(|flush| astray.contains(&flush.status())) {
                return self.write_in_steps(create, data.clone()).await;
            }
            for reply in &replies {
                reply.accept(&[])?;
            }
            attached.channel().counters.inline(data.len());
            check_small(&replies, size)
        })
        .await
    }

    async fn write_in_steps(&self, create: &CreateRequest, data: Bytes) -> Result<(), Error> {
        let size = u64::try_from(data.len()).unwrap_or(u64::MAX);
        let file = self.open_as(create).await?;
        file.write_at(0, data).await?;
        file.flush().await?;
        crate::transfer::upload_check_size(&file, size).await?;
        file.close().await.map(drop)
    }
}

/// A READ of the first [`SMALL`] bytes of what its compound opens.
fn read_request(tree_id: u32) -> Request {
    let read = ReadRequest {
        padding: ReadResponse::DATA_OFFSET,
        flags: ReadFlags::NONE,
        length: SMALL,
        offset: 0,
        file_id: FileId::ANY,
        minimum_count: 0,
        channel: DataChannel::Inline,
        remaining_bytes: 0,
    };
    Request::new(&read, tree_id).charged(0, SMALL)
}

fn write_request(tree_id: u32, data: Bytes, size: u32) -> Request {
    let write = WriteRequest {
        offset: 0,
        file_id: FileId::ANY,
        channel: DataChannel::Inline,
        remaining_bytes: 0,
        flags: WriteFlags::NONE,
        data: &[],
    };
    let mut body = Vec::with_capacity(64);
    write.emit_head(size, &mut body);
    let mut request = Request::raw(Command::WRITE, tree_id, body).charged(size, 0);
    request.payload = Payload::Bytes(data);
    request
}

/// Whether every byte was written, and no more is there.
fn check_small(replies: &[Reply], size: u32) -> Result<(), Error> {
    if let (true, Some(written)) = (size > 0, replies.get(1)) {
        let count = written.parse::<WriteResponse>()?.count;
        if count != size {
            let (expected, found) = (size.into(), count.into());
            return Err(TransferError::ShortWrite { offset: 0, expected, found }.into());
        }
    }
    let closed: CloseResponse = replies.last().ok_or(UsageError::Closed)?.parse()?;
    let found = closed.end_of_file;
    if closed.flags.contains(CloseFlags::POSTQUERY_ATTRIB) && found != u64::from(size) {
        return Err(TransferError::Size { expected: size.into(), found }.into());
    }
    Ok(())
}

/// The data of an answer to a READ of at most [`SMALL`] bytes.
fn read_data(reply: Reply) -> Result<Bytes, Error> {
    if reply.status() == NtStatus::END_OF_FILE {
        return Ok(Bytes::new());
    }
    reply.accept(&[NtStatus::BUFFER_OVERFLOW])?;
    let body = reply.body()?;
    let data = ReadResponse::parse(&body)?.data;
    if data.len() > BYTES {
        let rule = "more data than asked for";
        return Err(PeerViolation::Response { command: Command::READ, rule }.into());
    }
    let range = body.range_of(data).unwrap_or_default();
    let mut message = reply.message;
    message.narrow(range);
    Ok(message.into_bytes())
}
