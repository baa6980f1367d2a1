//! A directory of the host as a share.
//!
//! ```text
//! path ─▶ sandbox (directory descriptor + one name, never above the root, no link followed)
//!      ─▶ open (regular files and directories only) ─▶ handle ─▶ io · meta · listing · places
//! ```
//! - Symbolic links are as good as absent, as in Samba with `follow symlinks = no`; fifos, sockets and devices are
//!   refused. Neither is listed.
//! - Names that are not UTF-8, or hold characters that no client can send ([MS-FSCC] 2.1.5), are not listed.
//! - READONLY of a file is "nobody may write" in the mode. Other attributes, the creation time, named streams, extended
//!   attributes and security descriptors are kept in extended attributes of the host: see `extended` and `dos`. On a
//!   file system without those there are none.
//! - Case: a name is tried as spelled first, then the directory is searched for another spelling, which is remembered:
//!   see `names`.
//! - What may wait for a disk is done on the runtime's blocking threads. A file system in memory (tmpfs, ramfs) does not wait, and
//!   a hop to another thread would take longer than the work: there, what is short is done in the request's own task.
//! - Between looking at a name and removing or replacing it, a process of the host may put another file there; nothing
//!   in the kernel's interface closes that gap. It is a gap between files of the share, never out of it.

mod dos;
mod errno;
mod extended;
mod handle;
mod io;
mod listing;
mod meta;
mod names;
mod open;
mod places;
mod ranges;
mod sandbox;
mod stream;
mod watch;
mod xattr;

use super::{Backend, Caller, Capabilities, OpenRequest, Opened, Result, Space};
use handle::{LocalHandle, Open};
use open::Wish;
use places::Places;
use sandbox::Root;
use smb_proto::status::NtStatus;
use smb_transport::BoxFuture;
use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use watch::Notifier;

/// How a directory is shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LocalOptions {
    /// Nothing can be changed.
    pub read_only: bool,
    /// Entries that this process, or the user who lists, may not read are not listed.
    pub hide_unreadable: bool,
    /// Names are taken as spelled only.
    pub case_sensitive: bool,
}

/// A directory of the host as a share. Needs a tokio runtime, whose blocking threads wait for the disk.
///
/// ```no_run
/// use smb_server::backend::{LocalOptions, LocalShare};
/// let share = LocalShare::open("/srv/images", LocalOptions::default())?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct LocalShare {
    share: Arc<Share>,
}

struct Share {
    root: Root,
    places: Places,
    read_only: bool,
    hide_unreadable: bool,
    /// What tells of changes beside the server; begun by the first who wants to know.
    notifier: Mutex<Option<Arc<Notifier>>>,
    /// Whether the file system lets files share clusters.
    extents: bool,
    /// Whether the file system has extended attributes.
    attributes: bool,
    /// Held while a named stream is read and written back.
    streams: Mutex<()>,
    /// The volume of the root, where that is a file system in memory.
    in_memory: Option<u64>,
}

impl LocalShare {
    /// Shares `directory`. Links on the way to it are followed; none below it ever is.
    pub fn open(directory: impl AsRef<Path>, options: LocalOptions) -> std::io::Result<Self> {
        let root = Root::open(directory.as_ref(), options.case_sensitive)?;
        let LocalOptions { read_only, hide_unreadable, .. } = options;
        let attributes = xattr::supported(root.fd());
        let extents = !read_only && ranges::shares_extents(root.fd());
        let (places, streams) = (Places::default(), Mutex::new(()));
        let in_memory = meta::volume_in_memory(root.fd());
        let share = Share {
            root,
            places,
            read_only,
            hide_unreadable,
            notifier: Mutex::new(None),
            extents,
            attributes,
            streams,
            in_memory,
        };
        Ok(Self { share: Arc::new(share) })
    }
}

/// Runs `work` where waiting is allowed.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(NtStatus::INTERNAL_ERROR))
}

impl Share {
    /// What tells of changes beside the server.
    fn notifier(&self) -> std::io::Result<Arc<Notifier>> {
        let mut notifier = self.notifier.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(notifier) = notifier.as_ref() {
            return Ok(notifier.clone());
        }
        Ok(notifier.insert(Notifier::start()?).clone())
    }

    fn open(self: &Arc<Self>, wish: &Wish) -> Result<Opened> {
        let mut got = wish.grant(self)?;
        let (created, stat, given) = (got.created, got.stat, got.given.take());
        let open = Open::new(Arc::clone(self), got)?;
        let (metadata, security) = match given {
            Some(given) => (open.told(&stat, &given.kept)?, given.security),
            None => (open.told(&stat, &open.kept()?)?, open.security()?),
        };
        Ok(Opened { handle: Arc::new(LocalHandle(Arc::new(open))), created, metadata, security })
    }

    fn streams(&self) -> MutexGuard<'_, ()> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn space(&self) -> Result<Space> {
        let stat = rustix::fs::fstatvfs(self.root.fd()).map_err(errno::status)?;
        let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
        Ok(Space { total: bytes(stat.f_blocks), available: bytes(stat.f_bavail) })
    }
}

impl Backend for LocalShare {
    fn capabilities(&self) -> Capabilities {
        let case_sensitive = self.share.root.is_case_sensitive();
        let attributes = self.share.attributes;
        Capabilities {
            writable: !self.share.read_only,
            case_sensitive,
            sparse: true,
            notifies: true,
            extents: self.share.extents,
            named_streams: attributes,
            extended_attributes: attributes,
            security: attributes,
            hard_links: true,
            hide_unreadable: self.share.hide_unreadable,
            ..Capabilities::default()
        }
    }

    fn open<'a>(&'a self, _: &'a Caller, request: OpenRequest<'a>) -> BoxFuture<'a, Result<Opened>> {
        let (share, wish) = (Arc::clone(&self.share), Wish::from(request));
        Box::pin(async move {
            match share.in_memory {
                Some(_) => share.open(&wish),
                None => blocking(move || share.open(&wish)).await,
            }
        })
    }

    fn space(&self) -> BoxFuture<'_, Result<Space>> {
        let share = Arc::clone(&self.share);
        Box::pin(blocking(move || share.space()))
    }
}

#[cfg(test)]
mod tests;
