//! The named pipe `srvsvc` behind IPC$: clients ask it which shares there are — [MS-SRVS].

use crate::{
    backend::{Backend, Caller, Capabilities, FileKey, Handle, Metadata, OpenRequest, Opened, Result},
    core::lock,
};
use smb_proto::{
    msg::{FileAttributes, FileTimes, fsctl::pipe::PipePeek},
    rpc::{self, srvsvc::ShareInfo},
    status::NtStatus,
};
use smb_transport::{BoxFuture, IoBuf};
use std::sync::{Arc, Mutex};

/// FILE_PIPE_CONNECTED_STATE.
const CONNECTED: u32 = 3;

/// IPC$ as a share: a place for opens of pipes, without files.
pub(crate) struct Pipes;

impl Backend for Pipes {
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    fn open<'a>(&'a self, _: &'a Caller, _: OpenRequest<'a>) -> BoxFuture<'a, Result<Opened>> {
        Box::pin(async { Err(NtStatus::OBJECT_NAME_NOT_FOUND) })
    }
}

/// One open of the pipe.
pub(crate) struct Pipe {
    /// Tells it apart from other opens.
    key: FileKey,
    server: Mutex<rpc::Server>,
    shares: Arc<[ShareInfo]>,
}

impl Pipe {
    /// The pipe called `name`; there is but one.
    pub(crate) fn open(name: &str, number: u64, shares: Arc<[ShareInfo]>) -> Result<Self> {
        if !Self::exists(name) {
            return Err(NtStatus::OBJECT_NAME_NOT_FOUND);
        }
        // Any number but 0.
        let group = u32::try_from(number & 0x7fff_ffff).unwrap_or(0) | 1;
        let server = Mutex::new(rpc::Server::new(group));
        Ok(Self { key: FileKey { volume: 0, file: number }, server, shares })
    }

    /// Whether there is a pipe called `name`.
    pub(crate) fn exists(name: &str) -> bool {
        name.trim_start_matches('\\').eq_ignore_ascii_case(rpc::srvsvc::PIPE)
    }

    /// What tells this open apart from others.
    pub(crate) fn key(&self) -> FileKey {
        self.key
    }

    /// Takes what the client writes.
    pub(crate) fn take(&self, bytes: &[u8]) -> Result<()> {
        lock(&self.server).write(bytes, &self.shares).map_err(|error| {
            tracing::debug!(%error, "a pipe is broken");
            NtStatus::PIPE_DISCONNECTED
        })
    }

    /// The next message, or at most `most` bytes of it, and whether that is all of it.
    pub(crate) fn next(&self, most: usize) -> Result<(Vec<u8>, bool)> {
        let answer = lock(&self.server).read(most).ok_or(NtStatus::PIPE_EMPTY)?;
        Ok((answer.bytes, !answer.more))
    }

    /// What could be read.
    pub(crate) fn peek(&self) -> PipePeek {
        let (messages, first) = lock(&self.server).unread();
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        PipePeek {
            state: CONNECTED,
            read_data_available: number(first),
            number_of_messages: number(messages),
            message_length: number(first),
            data: Vec::new(),
        }
    }
}

impl Handle for Pipe {
    fn metadata(&self) -> BoxFuture<'_, Result<Metadata>> {
        let metadata = Metadata {
            key: self.key,
            attributes: FileAttributes::NORMAL,
            times: FileTimes::default(),
            end_of_file: 0,
            allocation_size: 4096,
            links: 1,
        };
        Box::pin(async move { Ok(metadata) })
    }

    fn write(&self, _offset: u64, buf: IoBuf, _replay: bool) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move { self.take(&buf) })
    }
}
