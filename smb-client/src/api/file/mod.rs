//! An open file.

mod data;

use crate::{
    api::{FileReader, FileWriter, Metadata, MetadataChange, Session, Tree},
    core::protect::Need,
    driver::{
        channel::Channel,
        janitor::Chore,
        request::{Payload, Reply, Request},
    },
    error::{Error, UsageError},
};
use bytes::{Bytes, BytesMut};
use smb_proto::{
    command::Command,
    error::PeerViolation,
    fscc::{DispositionInformation, EndOfFileInformation, Information, StandardInformation},
    msg::{
        CloseFlags, CloseRequest, CloseResponse, CreateResponse, CtlCode, FileId, FlushRequest, IoctlRequest,
        IoctlResponse, QueryInfoRequest, QueryInfoResponse,
    },
};
use smb_transport::IoBuf;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// An open file. Clones share it; the last one to go closes it, in the background. Reads and writes of one file run
/// side by side.
#[derive(Debug, Clone)]
pub struct File {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    tree: Tree,
    id: FileId,
    opened: Metadata,
    closed: AtomicBool,
}

impl File {
    pub(crate) fn new(tree: Tree, response: &CreateResponse) -> Self {
        let (id, opened, closed) = (response.file_id, Metadata::of_create(response), AtomicBool::new(false));
        Self { inner: Arc::new(Inner { tree, id, opened, closed }) }
    }

    /// What was known of it when it was opened.
    pub fn opened(&self) -> &Metadata {
        &self.inner.opened
    }

    pub(crate) fn id(&self) -> FileId {
        self.inner.id
    }

    /// The share it is on.
    pub fn tree(&self) -> &Tree {
        &self.inner.tree
    }

    /// The session it is of.
    pub fn session(&self) -> &Session {
        self.inner.tree.session()
    }

    /// `len` bytes from `offset`; fewer only where the file ends. Without a copy where one READ is enough, which it is
    /// up to [`max_read`](crate::ChannelInfo::max_read).
    pub async fn read_at(&self, offset: u64, len: usize) -> Result<Bytes, Error> {
        let first = self.read_once(offset, len).await?;
        if first.len() == len || first.is_empty() {
            return Ok(first);
        }
        let mut all = BytesMut::with_capacity(len);
        all.extend_from_slice(&first);
        while all.len() < len {
            let next = self.read_once(advanced(offset, all.len())?, len.saturating_sub(all.len())).await?;
            if next.is_empty() {
                break;
            }
            all.extend_from_slice(&next);
        }
        Ok(all.freeze())
    }

    /// Fills the window of `buf` from `offset`, and cuts it where the file ends.
    pub async fn read_into(&self, offset: u64, mut buf: IoBuf) -> Result<IoBuf, Error> {
        let mut filled = 0;
        while filled < buf.len() {
            let next = self.read_once(advanced(offset, filled)?, buf.len().saturating_sub(filled)).await?;
            let Some(to) = buf.get_mut(filled..).and_then(|rest| rest.get_mut(..next.len())) else { break };
            if next.is_empty() {
                break;
            }
            to.copy_from_slice(&next);
            filled = filled.saturating_add(next.len());
        }
        buf.truncate(filled);
        Ok(buf)
    }

    /// One READ: what the server gives of at most `len` bytes, nothing at the end of the file.
    pub(crate) async fn read_once(&self, offset: u64, len: usize) -> Result<Bytes, Error> {
        let channel = self.channel();
        if len == 0 {
            return Ok(Bytes::new());
        }
        match channel.placing(len, self.need()) {
            Ok(most) => self.read_placed(channel, offset, len.min(most).min(channel.max_read())).await,
            Err(_) => self.read_inline(channel, offset, len.min(channel.max_read())).await,
        }
    }

    /// Writes all of `data` at `offset`. Sent from where it lies, unless it must be signed or sealed beside its header.
    pub async fn write_at(&self, offset: u64, data: impl Into<Bytes>) -> Result<(), Error> {
        let mut data = data.into();
        let mut offset = offset;
        while !data.is_empty() {
            let next = data.split_to(data.len().min(self.max_write()));
            let len = next.len();
            self.write_once(offset, Payload::Bytes(next)).await?;
            offset = advanced(offset, len)?;
        }
        Ok(())
    }

    /// Writes all of `buf` at `offset`, without a copy where one WRITE is enough; up to
    /// [`max_write`](crate::ChannelInfo::max_write).
    pub async fn write_buf_at(&self, offset: u64, buf: IoBuf) -> Result<(), Error> {
        if buf.len() > self.max_write() {
            return self.write_at(offset, buf.into_bytes()).await;
        }
        if buf.is_empty() {
            return Ok(());
        }
        self.write_once(offset, Payload::Buf(buf)).await
    }

    /// The most bytes one WRITE may carry now.
    pub(crate) fn max_read(&self) -> usize {
        let channel = self.channel();
        let max = channel.max_read();
        channel.placing(max, self.need()).map_or(max, |most| most.min(max))
    }

    /// The most bytes one WRITE may carry now.
    pub(crate) fn max_write(&self) -> usize {
        let channel = self.channel();
        let max = channel.max_write();
        channel.placing(max, self.need()).map_or(max, |most| most.min(max))
    }

    /// Makes what was written durable.
    pub async fn flush(&self) -> Result<(), Error> {
        let flush = FlushRequest { file_id: self.inner.id };
        self.ask(Request::new(&flush, self.inner.tree.id())).await?.accept(&[])
    }

    /// Its size now, in bytes, as the server has it.
    pub async fn size(&self) -> Result<u64, Error> {
        Ok(self.query::<StandardInformation>(24).await?.end_of_file)
    }

    /// An information class of [MS-FSCC] 2.4 or 2.5, of at most `max_output` bytes.
    pub async fn query<I: Information>(&self, max_output: u32) -> Result<I, Error> {
        let query = QueryInfoRequest {
            info_type: I::INFO_TYPE,
            class: I::CLASS,
            output_len: max_output,
            additional_information: 0,
            flags: 0,
            file_id: self.inner.id,
            input: Vec::new(),
        };
        let request = Request::new(&query, self.inner.tree.id()).charged(0, max_output);
        let reply = self.ask(request).await?;
        Ok(I::parse(&reply.parse::<QueryInfoResponse>()?.output)?)
    }

    /// Sets an information class of [MS-FSCC] 2.4.
    pub async fn set<I: Information>(&self, information: &I) -> Result<(), Error> {
        self.ask(self.inner.tree.set_info(self.inner.id, information)).await?.accept(&[])
    }

    /// Cuts it to, or extends it with zeros to, `size` bytes.
    pub async fn set_size(&self, size: u64) -> Result<(), Error> {
        self.set(&EndOfFileInformation { end_of_file: size }).await
    }

    /// Changes times and attributes.
    pub async fn set_metadata(&self, change: &MetadataChange) -> Result<(), Error> {
        self.set(&change.information()).await
    }

    /// Marks it to be removed when its last handle is closed, or takes the mark back. It must have been opened with
    /// the right to delete.
    pub async fn set_delete_on_close(&self, delete: bool) -> Result<(), Error> {
        self.set(&DispositionInformation { delete_pending: delete }).await
    }

    /// A file system control on it; returns its output of at most `max_output` bytes.
    pub async fn fsctl(&self, code: CtlCode, input: Vec<u8>, max_output: u32) -> Result<Vec<u8>, Error> {
        let sends = u32::try_from(input.len()).unwrap_or(u32::MAX);
        let request = IoctlRequest {
            ctl_code: code,
            file_id: self.inner.id,
            input,
            max_input_response: 0,
            max_output_response: max_output,
            is_fsctl: true,
        };
        let reply = self.ask(Request::new(&request, self.inner.tree.id()).charged(sends, max_output)).await?;
        Ok(reply.parse::<IoctlResponse>()?.output)
    }

    /// Closes it, whoever still holds a handle, and tells what became of it.
    pub async fn close(self) -> Result<Metadata, Error> {
        if self.inner.closed.swap(true, Ordering::AcqRel) {
            return Err(UsageError::Closed.into());
        }
        let close = CloseRequest { flags: CloseFlags::POSTQUERY_ATTRIB, file_id: self.inner.id };
        let request = self.inner.tree.request(Request::new(&close, self.inner.tree.id()));
        let reply = self.exchange(self.channel(), request).await?;
        let response: CloseResponse = reply.parse()?;
        if !response.flags.contains(CloseFlags::POSTQUERY_ATTRIB) {
            return Ok(self.inner.opened);
        }
        Ok(Metadata {
            size: response.end_of_file,
            allocated: response.allocation_size,
            attributes: response.file_attributes,
            times: response.times,
        })
    }

    /// Reads it as a stream, from `offset` on.
    pub fn reader(&self, offset: u64) -> FileReader {
        FileReader::new(self.clone(), offset)
    }

    /// Writes it as a stream, from `offset` on.
    pub fn writer(&self, offset: u64) -> FileWriter {
        FileWriter::new(self.clone(), offset)
    }

    async fn ask(&self, request: Request) -> Result<Reply, Error> {
        if self.inner.closed.load(Ordering::Acquire) {
            return Err(UsageError::Closed.into());
        }
        self.exchange(self.channel(), request).await
    }

    async fn exchange(&self, channel: &Arc<Channel>, request: Request) -> Result<Reply, Error> {
        let request = self.inner.tree.request(request);
        channel.submit_one(request).await?.answer().await
    }

    fn channel(&self) -> &Arc<Channel> {
        self.inner.tree.channel()
    }

    fn need(&self) -> Need {
        self.inner.tree.need()
    }

    /// The server cannot be trusted any more.
    fn violated(&self, channel: &Channel, command: Command, rule: &'static str) -> Error {
        let violation = PeerViolation::Response { command, rule };
        channel.end(violation.into());
        violation.into()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if !*self.closed.get_mut() {
            let (tree_id, need) = (self.tree.id(), self.tree.need());
            self.tree.channel().chore(Chore::Close { tree_id, need, file_id: self.id });
        }
    }
}

fn advanced(offset: u64, by: usize) -> Result<u64, Error> {
    let by = u64::try_from(by).unwrap_or(u64::MAX);
    offset.checked_add(by).ok_or_else(|| UsageError::Option { option: "offset", rule: "beyond 2^64" }.into())
}
