//! An open file or directory of the host.

use super::{
    Share, blocking,
    io::{self, Now},
    listing::Listing,
    meta::{self, Kind, Stat},
    open::{Got, reopen},
    places::Place,
    sandbox::is_plain,
};
use crate::backend::{Entry, FileKey, Handle, Metadata, Path, Result, SetMetadata};
use rustix::{
    fd::OwnedFd,
    fs::{AtFlags, fsync, ftruncate},
};
use smb_proto::status::NtStatus;
use smb_transport::{BoxFuture, IoBuf};
use std::sync::Arc;

/// What the handle and its work on blocking threads share.
pub(super) struct Open {
    share: Arc<Share>,
    fd: OwnedFd,
    path_only: bool,
    directory: bool,
    key: FileKey,
    /// The root has none.
    place: Option<Arc<Place>>,
    listing: Listing,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.share.places.leave(self.key, self.place.take());
    }
}

impl Open {
    pub(super) fn new(share: Arc<Share>, got: Got) -> Result<Self> {
        let key = got.stat.key();
        let place = got.spot.map(|spot| share.places.enter(key, spot)).transpose()?;
        let directory = got.stat.kind() == Kind::Directory;
        let (fd, path_only) = (got.fd, got.path_only);
        Ok(Self { share, fd, path_only, directory, key, place, listing: Listing::default() })
    }

    fn place(&self) -> Result<&Place> {
        self.place.as_deref().ok_or(NtStatus::ACCESS_DENIED)
    }

    fn writable(&self) -> Result<()> {
        if self.share.read_only { Err(NtStatus::MEDIA_WRITE_PROTECTED) } else { Ok(()) }
    }

    /// Refuses data operations on what has no data.
    fn data(&self) -> Result<&OwnedFd> {
        match (self.directory, self.path_only) {
            (true, _) => Err(NtStatus::INVALID_DEVICE_REQUEST),
            (false, true) => Err(NtStatus::ACCESS_DENIED),
            (false, false) => Ok(&self.fd),
        }
    }

    fn set_metadata(&self, set: SetMetadata) -> Result<()> {
        self.writable()?;
        if !self.path_only {
            return meta::set(&self.fd, set);
        }
        let fd = reopen(&self.place()?.current(), &Stat::of(&self.fd)?)?;
        meta::set(fd, set)
    }

    fn rename(&self, to: &Path, replace: bool) -> Result<()> {
        self.writable()?;
        let place = self.place()?;
        let Some(to) = self.share.root.find(to)? else { return Err(NtStatus::OBJECT_NAME_COLLISION) };
        let mut there = to.clone();
        match self.share.root.stat(&mut there)? {
            Some(stat) if stat.key() != self.key => {
                if !replace {
                    return Err(NtStatus::OBJECT_NAME_COLLISION);
                }
                if stat.kind() != Kind::File || stat.is_readonly() {
                    return Err(NtStatus::ACCESS_DENIED);
                }
                place.replace(to, &there.name)
            }
            _ => place.rename(to),
        }
    }

    fn remove(&self) -> Result<()> {
        self.writable()?;
        self.place()?.remove(if self.directory { AtFlags::REMOVEDIR } else { AtFlags::empty() })
    }

    fn list(&self, after: Option<&str>, most: usize) -> Result<Vec<Entry>> {
        if !self.directory {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        if after.is_some_and(|after| !is_plain(after)) {
            return Err(NtStatus::OBJECT_NAME_INVALID);
        }
        self.listing.next(&self.fd, after, most, self.share.hide_unreadable)
    }
}

/// What the server's core holds.
pub(super) struct LocalHandle(pub(super) Arc<Open>);

impl LocalHandle {
    /// Runs `work` on a blocking thread; it runs to its end even where nobody waits for it any more.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Open) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let open = Arc::clone(&self.0);
        blocking(move || work(&open)).await
    }
}

impl Handle for LocalHandle {
    fn metadata(&self) -> BoxFuture<'_, Result<Metadata>> {
        Box::pin(self.run(|open| Ok(Stat::of(&open.fd)?.metadata())))
    }

    fn read(&self, offset: u64, mut buf: IoBuf) -> BoxFuture<'_, Result<IoBuf>> {
        Box::pin(async move {
            let done = match io::read_now(self.0.data()?, offset, &mut buf)? {
                Now::All(len) => {
                    buf.truncate(len);
                    return Ok(buf);
                }
                Now::Some(done) => done,
            };
            self.run(move |open| {
                let len = io::read(open.data()?, offset, done, &mut buf)?;
                buf.truncate(len);
                Ok(buf)
            })
            .await
        })
    }

    fn write(&self, offset: u64, buf: IoBuf, _replay: bool) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.run(move |open| io::write(open.data()?, offset, &buf)))
    }

    fn flush(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.run(|open| match open.path_only {
            true => Ok(()),
            false => fsync(&open.fd).map_err(super::errno::status),
        }))
    }

    fn set_len(&self, len: u64) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.run(move |open| match ftruncate(open.data()?, len) {
            // What the host says of a descriptor that may only read.
            Err(rustix::io::Errno::INVAL) if i64::try_from(len).is_ok() => Err(NtStatus::ACCESS_DENIED),
            other => other.map_err(super::errno::status),
        }))
    }

    fn set_metadata(&self, set: SetMetadata) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.run(move |open| open.set_metadata(set)))
    }

    fn rename<'a>(&'a self, to: &'a Path, replace: bool) -> BoxFuture<'a, Result<()>> {
        let to = to.to_vec();
        Box::pin(self.run(move |open| open.rename(&to, replace)))
    }

    fn remove(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.run(Open::remove))
    }

    fn list<'a>(&'a self, after: Option<&'a str>, most: usize) -> BoxFuture<'a, Result<Vec<Entry>>> {
        let after = after.map(str::to_owned);
        Box::pin(self.run(move |open| open.list(after.as_deref(), most)))
    }
}
