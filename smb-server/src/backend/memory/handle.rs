//! An open file, directory or stream in memory.

use super::{
    Share,
    data::Data,
    streams::Stream,
    tree::{Extra, Node},
};
use crate::backend::{Entry, Handle, Metadata, Path, Result, SetMetadata, Spelling, StreamInfo};
use smb_proto::{
    fscc::ea::ExtendedAttribute,
    msg::{FileAttributes, FileTime},
    status::NtStatus,
};
use smb_transport::{BoxFuture, IoBuf};
use std::{ops::Range, sync::Arc};

/// Bytes of all extended attributes of a file: what FileEaInformation can tell.
const MOST_EXTENDED: usize = 0xffff;

pub(super) struct Open {
    pub(super) share: Arc<Share>,
    pub(super) node: Arc<Node>,
    pub(super) stream: Option<Arc<Stream>>,
}

impl Open {
    fn data(&self) -> Result<&Data> {
        match &self.stream {
            Some(stream) => Ok(&stream.data),
            None => self.node.data.as_deref().ok_or(NtStatus::INVALID_DEVICE_REQUEST),
        }
    }

    fn now(&self) -> FileTime {
        (self.share.clock)()
    }

    fn changed(&self) {
        self.node.info().times.change = self.now();
    }

    pub(super) fn metadata(&self) -> Metadata {
        let metadata = self.share.metadata(&self.node);
        match &self.stream {
            None => metadata,
            Some(stream) => Metadata {
                end_of_file: stream.data.len(),
                allocation_size: stream.data.allocated(),
                // A stream of a directory is not one.
                attributes: metadata.attributes.without(FileAttributes::DIRECTORY),
                ..metadata
            },
        }
    }

    fn set(&self, set: SetMetadata) {
        let now = self.now();
        let mut info = self.node.info();
        let times = &mut info.times;
        times.creation = set.creation.unwrap_or(times.creation);
        times.last_access = set.last_access.unwrap_or(times.last_access);
        times.last_write = set.last_write.unwrap_or(times.last_write);
        times.change = set.change.unwrap_or(now);
        if let Some(attributes) = set.attributes {
            info.attributes = attributes.without(FileAttributes::DIRECTORY | FileAttributes::NORMAL);
        }
    }

    fn overwrite(&self, attributes: FileAttributes, extended: &[ExtendedAttribute]) -> Result<Metadata> {
        self.data()?.set_len(0)?;
        if self.stream.is_none() {
            let mut extra = self.node.extra();
            extra.streams.clear();
            extra.extended.clear();
            set_extended(&mut extra, extended)?;
            drop(extra);
            self.set(SetMetadata { attributes: Some(attributes), ..SetMetadata::default() });
        }
        self.node.written(self.now());
        Ok(self.metadata())
    }

    fn rename(&self, to: &Path, replace: bool) -> Result<()> {
        self.share.tree_mut().rename(self.node.number, to, replace, self.now())
    }

    fn rename_stream(&self, to: &str, replace: bool) -> Result<()> {
        let stream = self.stream.as_ref().ok_or(NtStatus::INVALID_PARAMETER)?;
        self.node.extra().streams.rename(stream, to, replace)?;
        self.changed();
        Ok(())
    }

    fn remove(&self) -> Result<()> {
        match &self.stream {
            Some(stream) => self.node.extra().streams.remove(stream),
            None => self.remove_file(),
        }
    }

    fn remove_file(&self) -> Result<()> {
        self.share.tree_mut().remove(self.node.number, self.now())
    }

    fn list(&self, after: Option<&str>, most: usize) -> Result<Vec<Entry>> {
        if !self.node.is_directory() || self.stream.is_some() {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        let nodes = self.share.tree().list(self.node.number, after, most)?;
        let entry = |(name, node): (String, Arc<Node>)| Entry {
            name,
            metadata: self.share.metadata(&node),
            security: None,
        };
        Ok(nodes.into_iter().map(entry).collect())
    }
}

/// Applies changes; see [`Handle::set_extended_attributes`]. All or none.
fn set_extended(extra: &mut Extra, changes: &[ExtendedAttribute]) -> Result<()> {
    let key = |attribute: &ExtendedAttribute| attribute.name.to_ascii_uppercase();
    let mut all = extra.extended.clone();
    for change in changes {
        let known = all.iter().position(|attribute| key(attribute) == key(change));
        match known.and_then(|at| all.get_mut(at)) {
            Some(attribute) => {
                attribute.value.clone_from(&change.value);
                attribute.need_ea = change.need_ea;
            }
            None => all.push(change.clone()),
        }
    }
    all.retain(|attribute| !attribute.value.is_empty());
    let bytes: usize = all.iter().map(|attribute| attribute.name.len() + attribute.value.len() + 5).sum();
    if bytes > MOST_EXTENDED {
        return Err(NtStatus::EA_TOO_LARGE);
    }
    extra.extended = all;
    Ok(())
}

impl Handle for Open {
    fn metadata(&self) -> BoxFuture<'_, Result<Metadata>> {
        Box::pin(async { Ok(self.metadata()) })
    }

    fn spelling(&self) -> BoxFuture<'_, Result<Option<Spelling>>> {
        Box::pin(async {
            let path = self.share.tree().path(self.node.number);
            let stream = self.stream.as_ref().and_then(|stream| stream.name().clone());
            Ok(path.map(|path| Spelling { path, stream }))
        })
    }

    fn has_name(&self) -> BoxFuture<'_, Result<bool>> {
        Box::pin(async {
            let stream = self.stream.as_ref().is_none_or(|stream| stream.name().is_some());
            Ok(stream && self.share.tree().path(self.node.number).is_some())
        })
    }

    fn read(&self, offset: u64, mut buf: IoBuf) -> BoxFuture<'_, Result<IoBuf>> {
        Box::pin(async move {
            let len = self.data()?.read(offset, &mut buf);
            buf.truncate(len);
            Ok(buf)
        })
    }

    fn write(&self, offset: u64, buf: IoBuf, _replay: bool) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            self.data()?.write(offset, &buf)?;
            self.node.written(self.now());
            Ok(())
        })
    }

    fn set_len(&self, len: u64) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            self.data()?.set_len(len)?;
            self.node.written(self.now());
            Ok(())
        })
    }

    fn reserve(&self, size: u64) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            if size > self.share.quota.limit() {
                return Err(NtStatus::DISK_FULL);
            }
            self.data()?.reserve(size);
            Ok(())
        })
    }

    fn zero(&self, range: Range<u64>, free: bool) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            self.data()?.zero(range, free)?;
            self.node.written(self.now());
            Ok(())
        })
    }

    fn allocated(&self, range: Range<u64>, most: usize) -> BoxFuture<'_, Result<Vec<Range<u64>>>> {
        Box::pin(async move { Ok(self.data()?.allocated_ranges(range, most)) })
    }

    fn set_metadata(&self, set: SetMetadata) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            self.set(set);
            Ok(())
        })
    }

    fn overwrite<'a>(
        &'a self,
        attributes: FileAttributes,
        extended: &'a [ExtendedAttribute],
    ) -> BoxFuture<'a, Result<Metadata>> {
        Box::pin(async move { self.overwrite(attributes, extended) })
    }

    fn rename<'a>(&'a self, to: &'a Path, replace: bool) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move { self.rename(to, replace) })
    }

    fn rename_stream<'a>(&'a self, to: &'a str, replace: bool) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move { self.rename_stream(to, replace) })
    }

    fn remove(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async { self.remove() })
    }

    fn remove_file(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async { self.remove_file() })
    }

    fn list<'a>(&'a self, after: Option<&'a str>, most: usize) -> BoxFuture<'a, Result<Vec<Entry>>> {
        Box::pin(async move { self.list(after, most) })
    }

    fn named_streams(&self) -> BoxFuture<'_, Result<Vec<StreamInfo>>> {
        Box::pin(async { Ok(self.node.extra().streams.list()) })
    }

    fn extended_attributes(&self) -> BoxFuture<'_, Result<Vec<ExtendedAttribute>>> {
        Box::pin(async { Ok(self.node.extra().extended.clone()) })
    }

    fn set_extended_attributes<'a>(&'a self, changes: &'a [ExtendedAttribute]) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            set_extended(&mut self.node.extra(), changes)?;
            self.changed();
            Ok(())
        })
    }

    fn security(&self) -> BoxFuture<'_, Result<Option<Vec<u8>>>> {
        Box::pin(async { Ok(self.node.extra().security.clone()) })
    }

    fn set_security<'a>(&'a self, descriptor: &'a [u8]) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            self.node.extra().security = Some(descriptor.into());
            self.changed();
            Ok(())
        })
    }
}
