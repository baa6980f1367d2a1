//! An open file.

mod data;
mod lock;

pub use lock::Lock;

use crate::{
    api::{
        FileReader, FileWriter, Metadata, MetadataChange, Session, Tree,
        tree::attached::{Attached, queried},
    },
    core::{
        lost::{self, Loss},
        protect::Need,
    },
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
        CloseFlags, CloseRequest, CloseResponse, CreateResponse, CtlCode, FileId, FlushRequest, IoctlResponse,
    },
    status::NtStatus,
};
use smb_transport::IoBuf;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// An open file. Clones share it; the last one to go closes it, in the background. Reads and writes of one file run
/// side by side.
///
/// It ends with its connection: what comes later fails with [`Error::OpenLost`], and what was under way with what
/// [`Error::executed`] tells of. Dropping the future of a read or write leaves nothing behind; a write may have happened.
#[derive(Debug, Clone)]
pub struct File {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    tree: Tree,
    /// The share connection it was opened on: it ends with it.
    attached: Arc<Attached>,
    id: FileId,
    name: String,
    opened: Metadata,
    closed: AtomicBool,
}

impl File {
    pub(crate) fn new(tree: Tree, attached: Arc<Attached>, name: &str, response: &CreateResponse) -> Self {
        let name = name.to_owned();
        let (id, opened, closed) = (response.file_id, Metadata::of_create(response), AtomicBool::new(false));
        Self { inner: Arc::new(Inner { tree, attached, id, name, opened, closed }) }
    }

    /// What was known of it when it was opened.
    pub fn opened(&self) -> &Metadata {
        &self.inner.opened
    }

    pub(crate) fn id(&self) -> FileId {
        self.inner.id
    }

    /// Its path on the share when it was opened, with `\` between its components.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    pub(crate) fn attached(&self) -> &Attached {
        &self.inner.attached
    }

    pub(crate) fn tree_id(&self) -> u32 {
        self.inner.attached.id()
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

    /// Makes what was written durable — [MS-SMB2] 2.2.17.
    pub async fn flush(&self) -> Result<(), Error> {
        let flush = FlushRequest { file_id: self.inner.id };
        self.ask(Request::new(&flush, self.inner.attached.id())).await?.accept(&[])
    }

    /// Its size now, in bytes, as the server has it.
    pub async fn size(&self) -> Result<u64, Error> {
        Ok(self.query::<StandardInformation>(24).await?.end_of_file)
    }

    /// What is known of it now — [MS-FSCC] 2.4.29.
    pub async fn metadata(&self) -> Result<Metadata, Error> {
        Ok(Metadata::of_network_open(&self.query(56).await?))
    }

    /// An information class of [MS-FSCC] 2.4 or 2.5, of at most `max_output` bytes.
    pub async fn query<I: Information>(&self, max_output: u32) -> Result<I, Error> {
        queried(&self.ask(self.inner.attached.query::<I>(self.inner.id, max_output)).await?)
    }

    /// Sets an information class of [MS-FSCC] 2.4.
    pub async fn set<I: Information>(&self, information: &I) -> Result<(), Error> {
        self.ask(self.inner.attached.set(self.inner.id, information)).await?.accept(&[])
    }

    /// Cuts it to, or extends it with zeros to, `size` bytes.
    pub async fn set_len(&self, size: u64) -> Result<(), Error> {
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

    /// A file system control on it; returns its output of at most `max_output` bytes. [MS-SMB2] 2.2.31.
    pub async fn fsctl(&self, code: CtlCode, input: Vec<u8>, max_output: u32) -> Result<Vec<u8>, Error> {
        Ok(self.fsctl_reply(code, input, max_output).await?.parse::<IoctlResponse>()?.output)
    }

    /// The same, whatever the status.
    pub(crate) async fn fsctl_reply(
        &self,
        code: CtlCode,
        input: Vec<u8>,
        max_output: u32,
    ) -> Result<Reply, Error> {
        self.ask(self.inner.attached.fsctl(self.inner.id, code, input, max_output)).await
    }

    /// Closes it, whoever still holds a handle, and tells what became of it.
    pub async fn close(self) -> Result<Metadata, Error> {
        if self.inner.closed.load(Ordering::Acquire) {
            return Err(UsageError::Closed.into());
        }
        let (attached, channel) = (&self.inner.attached, self.channel());
        let close = CloseRequest { flags: CloseFlags::POSTQUERY_ATTRIB, file_id: self.inner.id };
        let close = attached.request(Request::new(&close, attached.id()));
        let sent = channel.submit_one(close).await.map_err(opens_lost)?;
        // Not before: dropped until here, it is still open, and closed as any other file that is dropped.
        self.inner.closed.store(true, Ordering::Release);
        let reply = self.judged(sent.answer().await?)?;
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

    pub(crate) async fn ask(&self, request: Request) -> Result<Reply, Error> {
        if self.inner.closed.load(Ordering::Acquire) {
            return Err(UsageError::Closed.into());
        }
        self.exchange(request).await
    }

    async fn exchange(&self, request: Request) -> Result<Reply, Error> {
        self.judged(self.inner.attached.ask(request).await.map_err(opens_lost)?)
    }

    /// The answer, unless it says that the open is no more.
    fn judged(&self, reply: Reply) -> Result<Reply, Error> {
        // Most answers are successes: the rest is looked at once.
        if reply.status() == NtStatus::SUCCESS {
            return Ok(reply);
        }
        let Err(refused) = reply.accept(&[]) else { return Ok(reply) };
        match lost::of(&refused) {
            Some(Loss::Session) => self.channel().retire(refused.clone()),
            Some(Loss::Share) => self.inner.attached.has_gone(),
            _ => return Ok(reply),
        }
        Err(Error::OpenLost(Arc::new(refused)))
    }

    fn channel(&self) -> &Arc<Channel> {
        self.inner.attached.channel()
    }

    fn need(&self) -> Need {
        self.inner.attached.need()
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
            let (tree_id, need) = (self.attached.id(), self.attached.need());
            self.attached.channel().chore(Chore::Close { tree_id, need, file_id: self.id });
        }
    }
}

/// Where the connection had ended before, the open has gone with it.
fn opens_lost(error: Error) -> Error {
    match error {
        Error::NotSent(reason) => Error::OpenLost(reason),
        error => error,
    }
}

fn advanced(offset: u64, by: usize) -> Result<u64, Error> {
    let by = u64::try_from(by).unwrap_or(u64::MAX);
    offset.checked_add(by).ok_or_else(|| UsageError::Option { option: "offset", rule: "beyond 2^64" }.into())
}
