//! The migration share: whoever writes a file here feeds a stream, whose consumer sees the bytes in order and decides
//! on its commit.
//!
//! ```text
//! WRITEs ─▶ Stream (window, phases; pure) ─▶ pump (a task per stream) ─▶ Sink (reader in process, or COMMAND)
//! ```
//! - WRITEs may come in any order within a bounded window. One that finds no room stays unanswered until there is.
//! - *FLUSH commits*: it succeeds once the consumer took all bytes from 0 on without a gap and confirmed them, and
//!   length and digest are as the sender announced, if it did.
//! - CLOSE without a FLUSH commits only where [`StreamOptions::commit_on_close`] says so, over a live session and
//!   without a gap. Everything else aborts, and the consumer is told.
//! - A stream is there while it is open: it cannot be read, renamed or opened twice, and nothing is left of it after.

#[cfg(unix)]
mod command;
mod commit;
mod discard;
mod handle;
mod names;
mod pump;
mod reader;
mod root;
mod window;

#[cfg(unix)]
pub use command::CommandConsumer;
pub use commit::AbortReason;
pub use discard::Discard;
pub use reader::{Incoming, Incomings, ReaderConsumer, StreamError};

use super::{
    Backend, Caller, Capabilities, Existing, FileKey, OpenRequest, Opened, Result, Type, memory::system_time,
};
use bytes::Bytes;
use handle::StreamHandle;
use names::{Live, Names};
use smb_proto::status::NtStatus;
use smb_transport::BoxFuture;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Takes the streams of a share.
pub trait StreamConsumer: Send + Sync + 'static {
    /// A stream begins. An error refuses it, with that status. The future may be dropped before it is done: the sender
    /// gave up.
    fn begin<'a>(&'a self, name: &'a str, caller: &'a Caller) -> BoxFuture<'a, Result<Box<dyn Sink>>>;
}

/// Takes one stream. The last call is either a [`commit`](Self::commit) that succeeds or [`abort`](Self::abort);
/// a sink dropped without either (the runtime stops) must treat that as an abort.
pub trait Sink: Send + 'static {
    /// The next bytes, in order. Not answering slows the sender down; an error aborts the stream. The future may be
    /// dropped before it is done; then `abort` follows.
    fn data(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<()>>;

    /// All bytes came. `Ok` confirms the stream; an error refuses it. The future may be dropped before it is done; then
    /// `abort` follows.
    fn commit(&mut self) -> BoxFuture<'_, Result<()>>;

    /// The stream ends without a commit: nothing that came may be taken for the whole.
    fn abort(self: Box<Self>, reason: AbortReason) -> BoxFuture<'static, ()>;
}

/// How a stream share behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamOptions {
    /// Bytes a WRITE may lie ahead of what the consumer took; also what is held for it at most. Default 64 MiB.
    pub window: u64,
    /// An orderly CLOSE without a FLUSH commits (for clients that never flush). Default no.
    pub commit_on_close: bool,
    /// How long the sender may be silent. Default 5 minutes.
    pub idle: Duration,
    /// Streams at a time. Default 64.
    pub streams: usize,
}

impl Default for StreamOptions {
    fn default() -> Self {
        Self { window: 64 << 20, commit_on_close: false, idle: Duration::from_secs(300), streams: 64 }
    }
}

/// A share whose files are streams into a consumer. Needs a tokio runtime.
///
/// ```no_run
/// # async fn f() -> Result<(), smb_server::backend::stream::StreamError> {
/// use smb_server::backend::stream::{ReaderConsumer, StreamOptions, StreamShare};
/// use tokio::io::AsyncReadExt as _;
///
/// let (consumer, mut streams) = ReaderConsumer::new();
/// let share = StreamShare::new(consumer, StreamOptions::default());
/// // ... hand `share` to a server; then, for each stream:
/// while let Some(mut stream) = streams.next().await {
///     while let Some(bytes) = stream.chunk().await? {
///         println!("{}: {} bytes", stream.name(), bytes.len());
///     }
///     stream.confirm()?;
/// }
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct StreamShare {
    share: Arc<Share>,
}

struct Share {
    volume: u64,
    next: AtomicU64,
    consumer: Box<dyn StreamConsumer>,
    options: StreamOptions,
    names: Arc<Names>,
}

/// The root's number.
const ROOT: u64 = 1;

impl StreamShare {
    /// A share that gives its streams to `consumer`.
    pub fn new(consumer: impl StreamConsumer, options: StreamOptions) -> Self {
        static VOLUMES: AtomicU64 = AtomicU64::new(1 << 63);
        let volume = VOLUMES.fetch_add(1, Ordering::Relaxed);
        let names = Arc::new(Names::new(options.streams));
        let consumer = Box::new(consumer);
        Self { share: Arc::new(Share { volume, next: AtomicU64::new(ROOT + 1), consumer, options, names }) }
    }
}

impl Share {
    async fn open(&self, caller: &Caller, request: OpenRequest<'_>) -> Result<Opened> {
        match request.path {
            [] => self.open_root(&request),
            [name] => match self.names.get(name) {
                Some(live) => open_live(&live, &request),
                None => self.begin(name, caller, &request).await,
            },
            _ => Err(NtStatus::OBJECT_PATH_NOT_FOUND),
        }
    }

    fn open_root(&self, request: &OpenRequest<'_>) -> Result<Opened> {
        match (request.existing, request.wanted) {
            (Existing::Forbidden, _) => Err(NtStatus::OBJECT_NAME_COLLISION),
            (_, Type::File) => Err(NtStatus::FILE_IS_A_DIRECTORY),
            _ => {
                let key = FileKey { volume: self.volume, file: ROOT };
                let root = root::Root::new(key, system_time(), Arc::clone(&self.names));
                let metadata = root.what_is_known();
                Ok(Opened { handle: Arc::new(root), created: false, metadata, security: None })
            }
        }
    }

    async fn begin(&self, name: &str, caller: &Caller, request: &OpenRequest<'_>) -> Result<Opened> {
        if request.existing == Existing::Required {
            return Err(NtStatus::OBJECT_NAME_NOT_FOUND);
        }
        if request.wanted == Type::Directory || !request.write {
            return Err(NtStatus::ACCESS_DENIED);
        }
        let file = self.next.fetch_add(1, Ordering::Relaxed);
        let key = FileKey { volume: self.volume, file };
        // The name is taken before the consumer is asked, and given back where it refuses.
        let live = self.names.enter(name, Live::new(name, key, system_time(), &self.options))?;
        let sink = self.consumer.begin(name, caller).await?;
        tokio::spawn(pump::run(live.clone(), sink, self.options.idle));
        let metadata = live.what_is_known();
        Ok(Opened { handle: Arc::new(StreamHandle::sender(live)), created: true, metadata, security: None })
    }
}

/// Who only asks what is known of a stream may do so; nobody else may open it again.
fn open_live(live: &names::Ticket, request: &OpenRequest<'_>) -> Result<Opened> {
    match (request.existing, request.wanted) {
        (Existing::Forbidden, _) => Err(NtStatus::OBJECT_NAME_COLLISION),
        (_, Type::Directory) => Err(NtStatus::NOT_A_DIRECTORY),
        _ if request.read || request.write => Err(NtStatus::SHARING_VIOLATION),
        _ => {
            let metadata = live.what_is_known();
            Ok(Opened {
                handle: Arc::new(StreamHandle::observer(live.clone())),
                created: false,
                metadata,
                security: None,
            })
        }
    }
}

impl Backend for StreamShare {
    fn capabilities(&self) -> Capabilities {
        Capabilities { writable: true, stream: true, ..Capabilities::default() }
    }

    fn open<'a>(&'a self, caller: &'a Caller, request: OpenRequest<'a>) -> BoxFuture<'a, Result<Opened>> {
        Box::pin(self.share.open(caller, request))
    }
}

#[cfg(test)]
mod tests;
