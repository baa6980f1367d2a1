//! What a share stores its files in: the [`Backend`] trait, and the back ends that come with the server.
//!
//! A back end answers for *one share*. It knows names, bytes and metadata; it knows nothing of SMB sessions, share
//! modes, access masks, oplocks or delete-on-close: the server's core does those, keyed by
//! [`FileKey`]. It must be safe against hostile names only as far as its own storage goes: the core has
//! already split the path, refused `.`, `..`, empty and over-long components and reserved characters.

pub(crate) mod case;
#[cfg(target_os = "linux")]
mod local;
mod memory;
pub mod stream;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod types;

#[cfg(target_os = "linux")]
pub use local::{LocalOptions, LocalShare};
pub use memory::{Clock, MemoryShare};
pub use stream::StreamShare;
pub use types::*;

use smb_proto::{fscc::ea::ExtendedAttribute, msg::FileAttributes, status::NtStatus};
use smb_transport::{BoxFuture, IoBuf};
use std::{any::Any, ops::Range, sync::Arc};

/// A path inside a share: its components, none of them empty, `.` or `..`, without separators. The root has none.
pub type Path = [String];

/// What goes wrong. The status is what the client gets.
pub type Result<T> = std::result::Result<T, NtStatus>;

/// The storage behind one share.
pub trait Backend: Send + Sync + 'static {
    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// Opens, and creates where asked to. `STATUS_OBJECT_NAME_NOT_FOUND`: the last component is missing;
    /// `STATUS_OBJECT_PATH_NOT_FOUND`: an earlier one is; `STATUS_OBJECT_NAME_COLLISION`: it exists and must not;
    /// `STATUS_FILE_IS_A_DIRECTORY` and `STATUS_NOT_A_DIRECTORY`: the wrong type. Where the share takes
    /// [streams](Capabilities::stream), the future may be dropped before it is done, and must leave nothing behind then.
    fn open<'a>(&'a self, caller: &'a Caller, request: OpenRequest<'a>) -> BoxFuture<'a, Result<Opened>>;

    /// Space on the volume.
    fn space(&self) -> BoxFuture<'_, Result<Space>> {
        Box::pin(async { Ok(Space { total: 1 << 40, available: 1 << 40 }) })
    }
}

/// An open file or directory. Methods run concurrently. Dropping the last reference closes it;
/// [`close`](Self::close) comes before that on an orderly end.
pub trait Handle: Any + Send + Sync {
    /// What is known of the file.
    fn metadata(&self) -> BoxFuture<'_, Result<Metadata>>;

    /// How what is open is called now, spelled as it is kept; `None` where that is not known.
    fn spelling(&self) -> BoxFuture<'_, Result<Option<Spelling>>> {
        Box::pin(async { Ok(None) })
    }

    /// Tells the names of one file apart: a number that all opens by one name share while one of them is there, also
    /// when the name changes.
    fn link_id(&self) -> u64 {
        0
    }

    /// Whether what is open still has the name it was opened by. The core asks once it keeps others from removing it.
    fn has_name(&self) -> BoxFuture<'_, Result<bool>> {
        Box::pin(async { Ok(true) })
    }

    /// Reads at `offset` into `buf`, whose length is how much is wanted, and returns it cut to what there was:
    /// shorter only at the end of the file, empty at or behind it.
    fn read(&self, offset: u64, buf: IoBuf) -> BoxFuture<'_, Result<IoBuf>> {
        let _ = (offset, buf);
        Box::pin(async { Err(NtStatus::INVALID_DEVICE_REQUEST) })
    }

    /// Writes all of `buf` at `offset`, growing the file as needed. `replay` says that the client may have sent
    /// the same write before (SMB2_FLAGS_REPLAY_OPERATION).
    fn write(&self, offset: u64, buf: IoBuf, replay: bool) -> BoxFuture<'_, Result<()>> {
        let _ = (offset, buf, replay);
        Box::pin(async { Err(NtStatus::INVALID_DEVICE_REQUEST) })
    }

    /// Makes what was written durable: for a file on disk, `fsync`; for a stream, the commit.
    fn flush(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async { Ok(()) })
    }

    /// Cuts or extends the file.
    fn set_len(&self, len: u64) -> BoxFuture<'_, Result<()>> {
        let _ = len;
        Box::pin(async { Err(NtStatus::INVALID_DEVICE_REQUEST) })
    }

    /// Reserves space so that the file can grow to `size` bytes; its end stays. A hint.
    fn reserve(&self, size: u64) -> BoxFuture<'_, Result<()>> {
        let _ = size;
        Box::pin(async { Ok(()) })
    }

    /// Sets times and attributes.
    fn set_metadata(&self, set: SetMetadata) -> BoxFuture<'_, Result<()>> {
        let _ = set;
        Box::pin(async { Err(NtStatus::NOT_SUPPORTED) })
    }

    /// Empties the file to make a new one of it: the data goes, and so do named streams and extended attributes. Of a
    /// named stream only its own data goes.
    fn overwrite<'a>(
        &'a self,
        attributes: FileAttributes,
        extended: &'a [ExtendedAttribute],
    ) -> BoxFuture<'a, Result<Metadata>> {
        Box::pin(async move {
            self.set_len(0).await?;
            let set = SetMetadata { attributes: Some(attributes), ..SetMetadata::default() };
            // A back end that keeps no attributes has none to replace.
            match self.set_metadata(set).await {
                Ok(()) | Err(NtStatus::NOT_SUPPORTED) => {}
                Err(status) => return Err(status),
            }
            if !extended.is_empty() {
                self.set_extended_attributes(extended).await?;
            }
            self.metadata().await
        })
    }

    /// Renames the file. `replace` lets it take the place of an existing *file*.
    fn rename<'a>(&'a self, to: &'a Path, replace: bool) -> BoxFuture<'a, Result<()>> {
        let _ = (to, replace);
        Box::pin(async { Err(NtStatus::NOT_SUPPORTED) })
    }

    /// Renames the named stream that is open. `replace` lets it take the place of another.
    fn rename_stream<'a>(&'a self, to: &'a str, replace: bool) -> BoxFuture<'a, Result<()>> {
        let _ = (to, replace);
        Box::pin(async { Err(NtStatus::NOT_SUPPORTED) })
    }

    /// Gives the file a further name. `replace` lets it take the place of an existing *file*.
    fn link<'a>(&'a self, to: &'a Path, replace: bool) -> BoxFuture<'a, Result<()>> {
        let _ = (to, replace);
        Box::pin(async { Err(NtStatus::NOT_SUPPORTED) })
    }

    /// Removes the file's name, or the named stream that is open; a directory must be empty
    /// (`STATUS_DIRECTORY_NOT_EMPTY`). READONLY does not keep it: the core has decided. The handle stays usable.
    fn remove(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async { Err(NtStatus::NOT_SUPPORTED) })
    }

    /// Removes the name of the file whose named stream is open, and the file with all its streams.
    fn remove_file(&self) -> BoxFuture<'_, Result<()>> {
        self.remove()
    }

    /// Lists a directory: up to `most` entries after the one called `after` (`None`: from the beginning), in an
    /// order that is stable for this handle, without `.` and `..`. Empty: the end.
    fn list<'a>(&'a self, after: Option<&'a str>, most: usize) -> BoxFuture<'a, Result<Vec<Entry>>> {
        let _ = (after, most);
        Box::pin(async { Err(NtStatus::INVALID_DEVICE_REQUEST) })
    }

    /// Whether nothing at all is in the directory, nor anything that listings leave out: else it cannot be removed.
    fn is_empty(&self) -> BoxFuture<'_, Result<bool>> {
        Box::pin(async { Ok(self.list(None, 1).await?.is_empty()) })
    }

    /// The file's named streams.
    fn named_streams(&self) -> BoxFuture<'_, Result<Vec<StreamInfo>>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    /// The file's extended attributes.
    fn extended_attributes(&self) -> BoxFuture<'_, Result<Vec<ExtendedAttribute>>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    /// Sets extended attributes; one without a value is removed, whether it is there or not. Case does not matter in
    /// their names, and is preserved.
    fn set_extended_attributes<'a>(&'a self, changes: &'a [ExtendedAttribute]) -> BoxFuture<'a, Result<()>> {
        let _ = changes;
        Box::pin(async { Err(NtStatus::EAS_NOT_SUPPORTED) })
    }

    /// The security descriptor kept for the file.
    fn security(&self) -> BoxFuture<'_, Result<Option<Vec<u8>>>> {
        Box::pin(async { Ok(None) })
    }

    /// Keeps a security descriptor, self-relative ([MS-DTYP] 2.4.6).
    fn set_security<'a>(&'a self, descriptor: &'a [u8]) -> BoxFuture<'a, Result<()>> {
        let _ = descriptor;
        Box::pin(async { Err(NtStatus::NOT_SUPPORTED) })
    }

    /// What the client says the stream must have been when [`flush`](Self::flush) commits it.
    fn expect(
        &self,
        commit: smb_proto::msg::fsctl::stream_commit::StreamCommit,
    ) -> BoxFuture<'_, Result<()>> {
        let _ = commit;
        Box::pin(async { Err(NtStatus::INVALID_DEVICE_REQUEST) })
    }

    /// Zeroes a range; nothing beyond the end of the file changes. Where `free`, the range occupies no storage
    /// afterwards, as far as the storage can.
    fn zero(&self, range: Range<u64>, free: bool) -> BoxFuture<'_, Result<()>> {
        let _ = (range, free);
        Box::pin(async { Err(NtStatus::INVALID_DEVICE_REQUEST) })
    }

    /// What occupies storage within a range that ends at the end of the file at most: up to `most` ranges, in order.
    fn allocated(&self, range: Range<u64>, most: usize) -> BoxFuture<'_, Result<Vec<Range<u64>>>> {
        let _ = (range, most);
        Box::pin(async { Err(NtStatus::INVALID_DEVICE_REQUEST) })
    }

    /// Copies all of `length` bytes at `from` of another file of this back end to `to`, without their passing through
    /// the server's memory. STATUS_NOT_SUPPORTED where that cannot be: nothing was copied.
    fn copy_from<'a>(
        &'a self,
        source: &'a Arc<dyn Handle>,
        from: u64,
        to: u64,
        length: u32,
    ) -> BoxFuture<'a, Result<()>> {
        let _ = (source, from, to, length);
        Box::pin(async { Err(NtStatus::NOT_SUPPORTED) })
    }

    /// Lets a range share its clusters with a range of another file of this back end.
    fn share_extents<'a>(
        &'a self,
        source: &'a Arc<dyn Handle>,
        from: u64,
        to: u64,
        length: u64,
    ) -> BoxFuture<'a, Result<()>> {
        let _ = (source, from, to, length);
        Box::pin(async { Err(NtStatus::NOT_SUPPORTED) })
    }

    /// Tells of changes in the directory, of a `tree` also below it, until what is returned is dropped.
    fn watch(&self, tree: bool, report: Report) -> BoxFuture<'_, Result<Box<dyn Any + Send + Sync>>> {
        let _ = (tree, report);
        Box::pin(async { Err(NtStatus::NOT_SUPPORTED) })
    }

    /// The open ends. `orderly` says that the client closed it over a live session; else the session or connection was
    /// lost. Where that happens while an orderly close waits, its future is dropped and a disorderly one follows.
    fn close(&self, orderly: bool) -> BoxFuture<'_, Result<()>> {
        let _ = orderly;
        Box::pin(async { Ok(()) })
    }
}
