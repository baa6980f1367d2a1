//! A share held in memory.
//!
//! ```text
//! MemoryShare ─▶ Tree (names; one lock, held for look-ups only) ─▶ Node ─▶ Data (blocks, a lock each)
//! ```
//! Nothing here waits: every answer is ready at once, and no lock outlives the call.

mod data;
mod handle;
mod quota;
mod streams;
mod tree;

use super::{
    Backend, Caller, Capabilities, Existing, FileKey, Metadata, OpenRequest, Opened, Result, Space, Type,
};
use handle::Open;
use quota::Quota;
use smb_proto::{
    msg::{FileAttributes, FileTime},
    status::NtStatus,
};
use smb_transport::BoxFuture;
use std::{
    sync::{
        Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};
use tree::{Node, Tree};

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> FileTime + Send + Sync>;

/// A share held in memory; all of it is gone with the last clone.
///
/// ```
/// use smb_server::backend::{Backend, MemoryShare};
/// let share = MemoryShare::with_limit(1 << 30);
/// assert!(share.capabilities().writable);
/// ```
#[derive(Clone)]
pub struct MemoryShare {
    share: Arc<Share>,
}

struct Share {
    volume: u64,
    tree: RwLock<Tree>,
    quota: Arc<Quota>,
    clock: Clock,
}

impl Share {
    fn tree(&self) -> RwLockReadGuard<'_, Tree> {
        self.tree.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn tree_mut(&self) -> RwLockWriteGuard<'_, Tree> {
        self.tree.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn metadata(&self, node: &Node) -> Metadata {
        let info = *node.info();
        let kind = match (node.is_directory(), info.attributes) {
            (true, _) => FileAttributes::DIRECTORY,
            (false, FileAttributes::NONE) => FileAttributes::NORMAL,
            (false, _) => FileAttributes::NONE,
        };
        Metadata {
            key: FileKey { volume: self.volume, file: node.number },
            attributes: info.attributes | kind,
            times: info.times,
            end_of_file: node.data.as_deref().map_or(0, data::Data::len),
            allocation_size: node.data.as_deref().map_or(0, data::Data::allocated),
            links: 1,
        }
    }

    fn open(self: &Arc<Self>, request: OpenRequest<'_>) -> Result<Opened> {
        // What carries a stream is there already, or made as a file.
        let carrier = match request.stream {
            Some(_) if request.wanted == Type::Directory => return Err(NtStatus::NOT_A_DIRECTORY),
            Some(_) if request.existing != Existing::Required => {
                OpenRequest { existing: Existing::Welcome, ..request }
            }
            _ => request,
        };
        let found = self.tree().find(&carrier)?;
        let (node, mut created) = match found {
            Some(node) => (node, false),
            None => self.create(&carrier)?,
        };
        if request.write && !created && node.info().attributes.contains(FileAttributes::READONLY) {
            return Err(NtStatus::ACCESS_DENIED);
        }
        let stream = match request.stream {
            Some(name) => {
                let new = || data::Data::new(Arc::clone(&self.quota));
                let (stream, made) = node.extra().streams.open(name, request.existing, new)?;
                created = made;
                Some(stream)
            }
            None => None,
        };
        let security = node.extra().security.clone();
        let open = Open { share: Arc::clone(self), node, stream };
        let metadata = open.metadata();
        Ok(Opened { handle: Arc::new(open), created, metadata, security })
    }

    /// Somebody may have created it since it was not found.
    fn create(&self, request: &OpenRequest<'_>) -> Result<(Arc<Node>, bool)> {
        let mut tree = self.tree_mut();
        match tree.find(request)? {
            Some(node) => Ok((node, false)),
            None => Ok((tree.create(request, self.volume, (self.clock)())?, true)),
        }
    }
}

impl MemoryShare {
    /// An empty share without a limit of its own.
    pub fn new() -> Self {
        Self::with_limit(u64::MAX >> 1)
    }

    /// An empty share whose files hold at most `bytes`; beyond that, writes fail with STATUS_DISK_FULL.
    pub fn with_limit(bytes: u64) -> Self {
        Self::with_clock(bytes, Arc::new(system_time))
    }

    /// The same, with the clock its times come from.
    pub fn with_clock(bytes: u64, clock: Clock) -> Self {
        static VOLUMES: AtomicU64 = AtomicU64::new(1);
        let volume = VOLUMES.fetch_add(1, Ordering::Relaxed);
        let quota = Arc::new(Quota::new(bytes));
        let tree = RwLock::new(Tree::new(Arc::clone(&quota), clock()));
        Self { share: Arc::new(Share { volume, tree, quota, clock }) }
    }
}

impl Default for MemoryShare {
    fn default() -> Self {
        Self::new()
    }
}

/// The system's clock.
pub(super) fn system_time() -> FileTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    FileTime::from_unix(i64::try_from(since.as_secs()).unwrap_or(i64::MAX), since.subsec_nanos())
}

impl Backend for MemoryShare {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            writable: true,
            sparse: true,
            named_streams: true,
            extended_attributes: true,
            security: true,
            ..Capabilities::default()
        }
    }

    fn open<'a>(&'a self, _: &'a Caller, request: OpenRequest<'a>) -> BoxFuture<'a, Result<Opened>> {
        Box::pin(async move { self.share.open(request) })
    }

    fn space(&self) -> BoxFuture<'_, Result<Space>> {
        Box::pin(async { Ok(self.share.quota.space()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::testing::{self, Share as Client, buf};

    #[tokio::test]
    async fn every_behaviour() {
        testing::all(|| Arc::new(MemoryShare::new())).await;
    }

    #[tokio::test]
    async fn a_full_share_says_so_and_recovers() {
        let share = Client::new(Arc::new(MemoryShare::with_limit(10)));
        let file = share.file_of("f", &[1; 8]).await;
        assert_eq!(file.write(8, buf(&[1; 3]), false).await, Err(NtStatus::DISK_FULL));
        assert_eq!(share.backend().space().await, Ok(Space { total: 10, available: 2 }));
        file.remove().await.unwrap();
        drop(file);
        assert_eq!(share.backend().space().await, Ok(Space { total: 10, available: 10 }));
    }

    #[tokio::test]
    async fn times_come_from_the_clock() {
        let now = Arc::new(AtomicU64::new(100));
        let clock = Arc::clone(&now);
        let clock: Clock = Arc::new(move || FileTime(clock.load(Ordering::Relaxed)));
        let share = Client::new(Arc::new(MemoryShare::with_clock(1 << 20, clock)));
        let file = share.file("f").await;
        now.store(200, Ordering::Relaxed);
        file.write(0, buf(b"x"), false).await.unwrap();
        let times = file.metadata().await.unwrap().times;
        assert_eq!((times.creation, times.last_write), (FileTime(100), FileTime(200)));
    }
}
