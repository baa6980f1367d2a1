//! An open file or directory of the host.

use super::{
    Share, blocking,
    dos::Kept,
    extended,
    io::{self, Now},
    listing::Listing,
    meta::{self, Kind, Stat},
    open::{Got, reopen},
    places::Place,
    ranges,
    sandbox::{Spot, is_empty, is_plain},
    stream::Stream,
};
use crate::backend::{
    Entry, FileKey, Handle, Metadata, Path, Report, Result, SetMetadata, Spelling, StreamInfo,
};
use rustix::{
    fd::{AsRawFd, BorrowedFd, OwnedFd},
    fs::{AtFlags, FallocateFlags, fallocate, fsync, ftruncate, readlink},
    io::Errno,
};
use smb_proto::{fscc::ea::ExtendedAttribute, msg::FileAttributes, status::NtStatus};
use smb_transport::{BoxFuture, IoBuf};
use std::{
    any::Any,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::Mutex;

/// The kernel lets one write to a file at a time. Where writes are done in the requests' own tasks, those as long as this take
/// turns: who waits for his does something else meanwhile, and does not spin in the kernel.
const LARGE: usize = 64 * 1024;

/// What is reserved is told in units of this.
const CLUSTER: u64 = 4096;

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
    /// The named stream that is open instead of the file itself.
    stream: Option<Stream>,
    /// What this handle asked to be kept free; shown of an empty file, whose blocks may be for its attributes only.
    reserved: AtomicU64,
    /// Nothing has to wait for a disk.
    in_memory: bool,
    /// Held by the large write under way that does not wait for a disk.
    turn: Mutex<()>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.share.places.leave(self.key, self.place.take());
    }
}

impl Open {
    pub(super) fn new(share: Arc<Share>, got: Got) -> Result<Self> {
        let key = got.stat.key();
        let fold = !share.root.is_case_sensitive();
        let place = got.spot.map(|spot| share.places.enter(&got.stat, spot, fold)).transpose()?;
        let directory = got.stat.kind() == Kind::Directory;
        let in_memory = share.in_memory == Some(key.volume);
        let (fd, path_only, stream) = (got.fd, got.path_only, got.stream.map(Stream::new));
        Ok(Self {
            share,
            fd,
            path_only,
            directory,
            key,
            place,
            listing: Listing::default(),
            stream,
            reserved: AtomicU64::new(0),
            in_memory,
            turn: Mutex::new(()),
        })
    }

    pub(super) fn metadata(&self) -> Result<Metadata> {
        self.told(&Stat::of(&self.fd)?, &self.kept()?)
    }

    pub(super) fn kept(&self) -> Result<Kept> {
        Kept::of(&self.fd)
    }

    /// What is known of it, where the host just said `stat`, and `kept` is kept of it.
    pub(super) fn told(&self, stat: &Stat, kept: &Kept) -> Result<Metadata> {
        let metadata = stat.metadata(kept);
        match &self.stream {
            Some(stream) => stream.metadata(&self.fd, metadata),
            None if metadata.end_of_file == 0 && !self.directory => {
                let allocation_size = self.reserved.load(Ordering::Relaxed);
                Ok(Metadata { allocation_size, ..metadata })
            }
            None => Ok(metadata),
        }
    }

    /// By the descriptor: the kernel knows the path, however the file was asked for.
    fn spelling(&self) -> Result<Option<Spelling>> {
        let path = |fd: &OwnedFd| readlink(format!("/proc/self/fd/{}", fd.as_raw_fd()), Vec::new());
        let (Ok(own), Ok(root)) = (path(&self.fd), path(self.share.root.fd())) else { return Ok(None) };
        let (Ok(own), Ok(root)) = (own.to_str(), root.to_str()) else { return Ok(None) };
        let below = own.strip_prefix(root.trim_end_matches('/'));
        // The kernel marks names that are gone; a file that is called so is still found.
        let Some(below) = below.filter(|_| Stat::of(&self.fd).is_ok_and(|stat| stat.is_linked())) else {
            return Ok(None);
        };
        let path = below.split('/').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        Ok(Some(Spelling { path, stream: self.stream.as_ref().map(|stream| stream.name().clone()) }))
    }

    pub(super) fn security(&self) -> Result<Option<Vec<u8>>> {
        extended::security(&self.fd)
    }

    fn has_name(&self) -> Result<bool> {
        if let Some(stream) = &self.stream
            && !stream.is_there(&self.fd)?
        {
            return Ok(false);
        }
        self.place.as_ref().map_or(Ok(true), |place| place.is_there())
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

    /// As [`data`](Self::data), where no named stream is meant: those are not files of the host.
    fn plain_data(&self) -> Result<&OwnedFd> {
        if self.stream.is_some() { Err(NtStatus::NOT_SUPPORTED) } else { self.data() }
    }

    /// Runs `work` on a descriptor that can do more than name the file.
    fn with_file<T>(&self, work: impl FnOnce(BorrowedFd<'_>) -> Result<T>) -> Result<T> {
        use rustix::fd::AsFd;
        self.writable()?;
        if !self.path_only {
            return work(self.fd.as_fd());
        }
        let fd = reopen(&self.place()?.current(), &Stat::of(&self.fd)?)?;
        work(fd.as_fd())
    }

    /// What gives way to a rename or link to `to`: nothing, or another file, spelled as returned.
    fn make_way(&self, to: &Spot, replace: bool) -> Result<Option<Spot>> {
        let mut there = to.clone();
        match self.share.root.stat(&mut there)? {
            Some(stat) if stat.key() != self.key => {
                if !replace {
                    return Err(NtStatus::OBJECT_NAME_COLLISION);
                }
                if stat.kind() != Kind::File || stat.is_readonly() {
                    return Err(NtStatus::ACCESS_DENIED);
                }
                Ok(Some(there))
            }
            _ => Ok(None),
        }
    }

    fn rename(&self, to: &Path, replace: bool) -> Result<()> {
        self.writable()?;
        let place = self.place()?;
        let Some(to) = self.share.root.find(to)? else { return Err(NtStatus::OBJECT_NAME_COLLISION) };
        match self.make_way(&to, replace)? {
            Some(there) => place.replace(to, &there.name),
            None => place.rename(to),
        }
    }

    fn link(&self, to: &Path, replace: bool) -> Result<()> {
        self.writable()?;
        let place = self.place()?;
        if self.directory {
            return Err(NtStatus::FILE_IS_A_DIRECTORY);
        }
        let Some(to) = self.share.root.find(to)? else { return Err(NtStatus::OBJECT_NAME_COLLISION) };
        match self.make_way(&to, replace)? {
            Some(there) => place.link(&there, true),
            None => place.link(&to, false),
        }
    }

    fn remove(&self) -> Result<()> {
        self.writable()?;
        match &self.stream {
            Some(stream) => stream.remove(&self.share, &self.fd),
            None => self.remove_file(),
        }
    }

    fn remove_file(&self) -> Result<()> {
        self.writable()?;
        self.place()?.remove(if self.directory { AtFlags::REMOVEDIR } else { AtFlags::empty() })
    }

    fn set_len(&self, len: u64) -> Result<()> {
        if let Some(stream) = &self.stream {
            return stream.set_len(&self.share, &self.fd, len);
        }
        self.reserved.store(0, Ordering::Relaxed);
        match ftruncate(self.data()?, len) {
            // What the host says of a descriptor that may only read.
            Err(Errno::INVAL) if i64::try_from(len).is_ok() => Err(NtStatus::ACCESS_DENIED),
            other => other.map_err(super::errno::status),
        }
    }

    fn reserve(&self, size: u64) -> Result<()> {
        if size == 0 || self.stream.is_some() {
            return Ok(());
        }
        self.reserved.store(size.checked_next_multiple_of(CLUSTER).unwrap_or(size), Ordering::Relaxed);
        match fallocate(self.data()?, FallocateFlags::KEEP_SIZE, 0, size) {
            // What the file system cannot promise will be seen when it is written.
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
            other => other.map_err(super::errno::status),
        }
    }

    fn overwrite(&self, attributes: FileAttributes, extended: &[ExtendedAttribute]) -> Result<Metadata> {
        self.set_len(0)?;
        if self.stream.is_none() {
            if self.share.attributes {
                let _changing = self.share.streams();
                extended::clear(&self.fd)?;
            }
            if !extended.is_empty() {
                extended::set_attributes(&self.fd, extended)?;
            }
            let set = SetMetadata { attributes: Some(attributes), ..SetMetadata::default() };
            meta::set(&self.fd, set)?;
        }
        self.metadata()
    }

    fn list(&self, after: Option<&str>, most: usize) -> Result<Vec<Entry>> {
        if !self.directory || self.stream.is_some() {
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

    /// Runs `work`, which is short: here, where nothing has to wait for a disk.
    async fn brief<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Open) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        if self.0.in_memory { work(&self.0) } else { self.run(work).await }
    }

    /// Runs `work` on two files of the host.
    async fn with_other<T: Send + 'static>(
        &self,
        other: &Arc<dyn Handle>,
        work: impl FnOnce(&Open, &Open) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let other: &dyn Any = other.as_ref();
        let other = other.downcast_ref::<Self>().ok_or(NtStatus::NOT_SUPPORTED)?;
        let other = Arc::clone(&other.0);
        self.run(move |open| work(open, &other)).await
    }
}

impl Handle for LocalHandle {
    /// What the kernel has in memory for an open file: nothing to wait for.
    fn metadata(&self) -> BoxFuture<'_, Result<Metadata>> {
        Box::pin(async { self.0.metadata() })
    }

    fn spelling(&self) -> BoxFuture<'_, Result<Option<Spelling>>> {
        Box::pin(async { self.0.spelling() })
    }

    fn has_name(&self) -> BoxFuture<'_, Result<bool>> {
        Box::pin(self.brief(Open::has_name))
    }

    fn link_id(&self) -> u64 {
        self.0.place.as_ref().map_or(0, |place| place.number())
    }

    fn read(&self, offset: u64, mut buf: IoBuf) -> BoxFuture<'_, Result<IoBuf>> {
        Box::pin(async move {
            if let Some(stream) = &self.0.stream {
                return stream.read(&self.0.fd, offset, buf);
            }
            let done = if self.0.in_memory {
                0
            } else {
                match io::read_now(self.0.data()?, offset, &mut buf)? {
                    Now::All(len) => {
                        buf.truncate(len);
                        return Ok(buf);
                    }
                    Now::Some(done) => done,
                }
            };
            self.brief(move |open| {
                let len = io::read(open.data()?, offset, done, &mut buf)?;
                buf.truncate(len);
                Ok(buf)
            })
            .await
        })
    }

    fn write(&self, offset: u64, buf: IoBuf, _replay: bool) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            let in_turn = self.0.in_memory && buf.len() >= LARGE;
            let _turn = if in_turn { Some(self.0.turn.lock().await) } else { None };
            let done = match &self.0.stream {
                None if !self.0.in_memory => io::write_now(self.0.data()?, offset, &buf)?,
                _ => 0,
            };
            if done > 0 && done == buf.len() {
                return Ok(());
            }
            self.brief(move |open| match &open.stream {
                Some(stream) => stream.write(&open.share, &open.fd, offset, &buf),
                None => io::write(open.data()?, offset, done, &buf),
            })
            .await
        })
    }

    fn flush(&self) -> BoxFuture<'_, Result<()>> {
        // What only names its file has written nothing, unless it is one of the file's streams.
        Box::pin(self.brief(|open| match open.path_only && open.stream.is_none() {
            true => Ok(()),
            false => open.with_file(|fd| fsync(fd).map_err(super::errno::status)),
        }))
    }

    fn set_len(&self, len: u64) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.run(move |open| open.set_len(len)))
    }

    fn reserve(&self, size: u64) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.run(move |open| open.reserve(size)))
    }

    fn zero(&self, range: Range<u64>, free: bool) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.run(move |open| ranges::zero(open.plain_data()?, range, free)))
    }

    fn allocated(&self, range: Range<u64>, most: usize) -> BoxFuture<'_, Result<Vec<Range<u64>>>> {
        Box::pin(self.run(move |open| ranges::allocated(open.plain_data()?, range, most)))
    }

    fn copy_from<'a>(
        &'a self,
        source: &'a Arc<dyn Handle>,
        from: u64,
        to: u64,
        length: u32,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(self.with_other(source, move |open, source| {
            ranges::copy(source.plain_data()?, open.plain_data()?, from, to, length.into())
        }))
    }

    fn share_extents<'a>(
        &'a self,
        source: &'a Arc<dyn Handle>,
        from: u64,
        to: u64,
        length: u64,
    ) -> BoxFuture<'a, Result<()>> {
        // The kernel shares what it can before it copies.
        Box::pin(self.with_other(source, move |open, source| {
            ranges::copy(source.plain_data()?, open.plain_data()?, from, to, length)
        }))
    }

    fn watch(&self, tree: bool, report: Report) -> BoxFuture<'_, Result<Box<dyn Any + Send + Sync>>> {
        Box::pin(async move {
            let notifier = self.0.share.notifier().map_err(|_| NtStatus::INSUFFICIENT_RESOURCES)?;
            self.run(move |open| {
                let root = open.fd.try_clone().map_err(|_| NtStatus::INSUFFICIENT_RESOURCES)?;
                let source: Box<dyn Any + Send + Sync> = Box::new(notifier.register(root, tree, report)?);
                Ok(source)
            })
            .await
        })
    }

    fn set_metadata(&self, set: SetMetadata) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.brief(move |open| open.with_file(|fd| meta::set(fd, set))))
    }

    fn overwrite<'a>(
        &'a self,
        attributes: FileAttributes,
        extended: &'a [ExtendedAttribute],
    ) -> BoxFuture<'a, Result<Metadata>> {
        let extended = extended.to_vec();
        Box::pin(self.run(move |open| open.overwrite(attributes, &extended)))
    }

    fn rename<'a>(&'a self, to: &'a Path, replace: bool) -> BoxFuture<'a, Result<()>> {
        let to = to.to_vec();
        Box::pin(self.brief(move |open| open.rename(&to, replace)))
    }

    fn rename_stream<'a>(&'a self, to: &'a str, replace: bool) -> BoxFuture<'a, Result<()>> {
        let to = to.to_owned();
        Box::pin(self.brief(move |open| {
            open.writable()?;
            let stream = open.stream.as_ref().ok_or(NtStatus::INVALID_PARAMETER)?;
            stream.rename(&open.share, &open.fd, &to, replace)
        }))
    }

    fn link<'a>(&'a self, to: &'a Path, replace: bool) -> BoxFuture<'a, Result<()>> {
        let to = to.to_vec();
        Box::pin(self.brief(move |open| open.link(&to, replace)))
    }

    fn remove(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.brief(Open::remove))
    }

    fn remove_file(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.brief(Open::remove_file))
    }

    fn list<'a>(&'a self, after: Option<&'a str>, most: usize) -> BoxFuture<'a, Result<Vec<Entry>>> {
        let after = after.map(str::to_owned);
        Box::pin(self.run(move |open| open.list(after.as_deref(), most)))
    }

    fn is_empty(&self) -> BoxFuture<'_, Result<bool>> {
        Box::pin(self.run(|open| is_empty(&open.fd)))
    }

    fn named_streams(&self) -> BoxFuture<'_, Result<Vec<StreamInfo>>> {
        Box::pin(self.brief(|open| extended::streams(&open.fd)))
    }

    fn extended_attributes(&self) -> BoxFuture<'_, Result<Vec<ExtendedAttribute>>> {
        Box::pin(self.brief(|open| extended::attributes(&open.fd)))
    }

    fn set_extended_attributes<'a>(&'a self, changes: &'a [ExtendedAttribute]) -> BoxFuture<'a, Result<()>> {
        let changes = changes.to_vec();
        Box::pin(self.brief(move |open| open.with_file(|fd| extended::set_attributes(fd, &changes))))
    }

    fn security(&self) -> BoxFuture<'_, Result<Option<Vec<u8>>>> {
        Box::pin(self.brief(Open::security))
    }

    fn set_security<'a>(&'a self, descriptor: &'a [u8]) -> BoxFuture<'a, Result<()>> {
        let descriptor = descriptor.to_vec();
        Box::pin(self.brief(move |open| open.with_file(|fd| extended::set_security(fd, &descriptor))))
    }
}
