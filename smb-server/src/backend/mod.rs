//! What a share stores its files in: the [`Backend`] trait, and the back ends that come with the server.
//!
//! A back end answers for *one share*. It knows names, bytes and metadata; it knows nothing of SMB sessions, share
//! modes, access masks, oplocks or delete-on-close: the server's core does those, keyed by
//! [`FileKey`]. It must be safe against hostile names only as far as its own storage goes: the core has
//! already split the path, refused `.`, `..`, empty and over-long components and reserved characters.

mod case;
#[cfg(target_os = "linux")]
mod local;
mod memory;
pub mod stream;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

#[cfg(target_os = "linux")]
pub use local::{LocalOptions, LocalShare};
pub use memory::{Clock, MemoryShare};
pub use stream::StreamShare;

use smb_proto::{
    msg::{FileAttributes, FileTime, FileTimes},
    status::NtStatus,
};
use smb_transport::{BoxFuture, IoBuf};
use std::sync::Arc;

/// A path inside a share: its components, none of them empty, `.` or `..`, without separators. The root has none.
pub type Path = [String];

/// What the back end can do beyond reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Capabilities {
    /// Files and directories can be created, written, renamed and removed.
    pub writable: bool,
    /// Names differ by case (`a` and `A` are two files).
    pub case_sensitive: bool,
    /// Ranges can be deallocated and queried.
    pub sparse: bool,
    /// Files are streams into a consumer: see [`stream`](Backend::capabilities).
    pub stream: bool,
}

/// Identifies a file over all its names and opens, for share modes and delete-on-close. Stable while the file exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileKey {
    /// The volume.
    pub volume: u64,
    /// The file on the volume.
    pub file: u64,
}

/// What is known of a file or directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metadata {
    /// Which file it is.
    pub key: FileKey,
    /// Attributes; DIRECTORY says which of the two it is.
    pub attributes: FileAttributes,
    /// Times.
    pub times: FileTimes,
    /// Bytes in the file.
    pub end_of_file: u64,
    /// Bytes it occupies; 0 for an empty file.
    pub allocation_size: u64,
    /// Names it has.
    pub links: u32,
}

impl Metadata {
    /// Whether it is a directory.
    pub fn is_directory(&self) -> bool {
        self.attributes.contains(FileAttributes::DIRECTORY)
    }
}

/// A directory entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// What is known of it.
    pub metadata: Metadata,
}

/// What may be there already when a file is opened. The core maps the six CreateDispositions to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// It must exist.
    Required,
    /// It must not exist; it is created.
    Forbidden,
    /// It is created unless it exists.
    Welcome,
}

/// File or directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// A file.
    File,
    /// A directory.
    Directory,
    /// Whichever exists; a file is created.
    Any,
}

/// An open the core asks for.
#[derive(Debug, Clone, Copy)]
pub struct OpenRequest<'a> {
    /// Where.
    pub path: &'a Path,
    /// File or directory.
    pub wanted: Type,
    /// Whether it may, must or must not exist.
    pub existing: Existing,
    /// The handle will read data.
    pub read: bool,
    /// The handle will write data.
    pub write: bool,
    /// Attributes of a new file.
    pub attributes: FileAttributes,
}

/// An open the back end granted.
pub struct Opened {
    /// The handle.
    pub handle: Arc<dyn Handle>,
    /// Whether the file was created by this open.
    pub created: bool,
    /// What is known of it.
    pub metadata: Metadata,
}

/// Times and attributes to set; `None` leaves one as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SetMetadata {
    /// Creation time.
    pub creation: Option<FileTime>,
    /// Last access time.
    pub last_access: Option<FileTime>,
    /// Last write time.
    pub last_write: Option<FileTime>,
    /// Change time.
    pub change: Option<FileTime>,
    /// Attributes.
    pub attributes: Option<FileAttributes>,
}

/// Space on the volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Bytes in all.
    pub total: u64,
    /// Bytes free for this user.
    pub available: u64,
}

/// What the core knows of who asks.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The user's name.
    pub user: Arc<str>,
}

/// What goes wrong. The status is what the client gets.
pub type Result<T> = std::result::Result<T, NtStatus>;

/// The storage behind one share.
pub trait Backend: Send + Sync + 'static {
    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// Opens, and creates where asked to. `STATUS_OBJECT_NAME_NOT_FOUND`: the last component is missing;
    /// `STATUS_OBJECT_PATH_NOT_FOUND`: an earlier one is; `STATUS_OBJECT_NAME_COLLISION`: it exists and must not;
    /// `STATUS_FILE_IS_A_DIRECTORY` and `STATUS_NOT_A_DIRECTORY`: the wrong type.
    fn open<'a>(&'a self, caller: &'a Caller, request: OpenRequest<'a>) -> BoxFuture<'a, Result<Opened>>;

    /// Space on the volume.
    fn space(&self) -> BoxFuture<'_, Result<Space>> {
        Box::pin(async { Ok(Space { total: 1 << 40, available: 1 << 40 }) })
    }
}

/// An open file or directory. Methods run concurrently. Dropping the last reference closes it;
/// [`close`](Self::close) comes before that on an orderly end.
pub trait Handle: Send + Sync + 'static {
    /// What is known of the file.
    fn metadata(&self) -> BoxFuture<'_, Result<Metadata>>;

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

    /// Sets times and attributes.
    fn set_metadata(&self, set: SetMetadata) -> BoxFuture<'_, Result<()>> {
        let _ = set;
        Box::pin(async { Err(NtStatus::NOT_SUPPORTED) })
    }

    /// Renames the file. `replace` lets it take the place of an existing *file*.
    fn rename<'a>(&'a self, to: &'a Path, replace: bool) -> BoxFuture<'a, Result<()>> {
        let _ = (to, replace);
        Box::pin(async { Err(NtStatus::NOT_SUPPORTED) })
    }

    /// Removes the file's name; a directory must be empty (`STATUS_DIRECTORY_NOT_EMPTY`). The handle stays usable.
    fn remove(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async { Err(NtStatus::NOT_SUPPORTED) })
    }

    /// Lists a directory: up to `most` entries after the one called `after` (`None`: from the beginning), in an
    /// order that is stable for this handle, without `.` and `..`. Empty: the end.
    fn list<'a>(&'a self, after: Option<&'a str>, most: usize) -> BoxFuture<'a, Result<Vec<Entry>>> {
        let _ = (after, most);
        Box::pin(async { Err(NtStatus::INVALID_DEVICE_REQUEST) })
    }

    /// What the client says the stream must have been when [`flush`](Self::flush) commits it.
    fn expect(
        &self,
        commit: smb_proto::msg::fsctl::stream_commit::StreamCommit,
    ) -> BoxFuture<'_, Result<()>> {
        let _ = commit;
        Box::pin(async { Err(NtStatus::INVALID_DEVICE_REQUEST) })
    }

    /// The open ends. `orderly` says that the client closed it over a live session; else the session or
    /// connection was lost.
    fn close(&self, orderly: bool) -> BoxFuture<'_, Result<()>> {
        let _ = orderly;
        Box::pin(async { Ok(()) })
    }
}
