//! What a back end is asked with, and answers with.

use super::{Handle, Path, Result};
use smb_proto::{
    fscc::ea::ExtendedAttribute,
    msg::{FileAttributes, FileTime, FileTimes},
};
use std::{fmt, sync::Arc};

/// What the back end can do beyond reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Capabilities {
    /// Files and directories can be created, written, renamed and removed.
    pub writable: bool,
    /// Names differ by case (`a` and `A` are two files).
    pub case_sensitive: bool,
    /// Ranges can be deallocated and queried.
    pub sparse: bool,
    /// Files can share clusters.
    pub extents: bool,
    /// Files have named streams.
    pub named_streams: bool,
    /// Files have extended attributes.
    pub extended_attributes: bool,
    /// Security descriptors are kept.
    pub security: bool,
    /// A file can have several names.
    pub hard_links: bool,
    /// Listings leave out what whoever lists may not read; they tell the security descriptors for that.
    pub hide_unreadable: bool,
    /// Directories can be [watched](super::Handle::watch).
    pub notifies: bool,
    /// Files are streams into a consumer: see [`stream`](super::stream).
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
    /// The security descriptor kept for it, where the share leaves out what cannot be read.
    pub security: Option<Vec<u8>>,
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

/// Decides what a new file begins with, once it is known which directory it goes into.
pub trait Maker: Send + Sync {
    /// Asked right before a file or directory is created; an error keeps it from being created.
    fn make(&self, parent: Parent<'_>, kind: Type) -> Result<Initial>;
}

/// The directory that a new file goes into.
#[derive(Debug, Clone, Copy)]
pub struct Parent<'a> {
    /// Which it is.
    pub key: FileKey,
    /// The security descriptor kept for it.
    pub security: Option<&'a [u8]>,
}

/// Takes whatever there is.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlainMaker;

impl Maker for PlainMaker {
    fn make(&self, _: Parent<'_>, _: Type) -> Result<Initial> {
        Ok(Initial::default())
    }
}

/// What a new file begins with beside its attributes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Initial {
    /// Its security descriptor, self-relative ([MS-DTYP] 2.4.6); `None` keeps none.
    pub security: Option<Vec<u8>>,
    /// Its extended attributes.
    pub extended: Vec<ExtendedAttribute>,
}

/// How something is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spelling {
    /// The path from the share's root.
    pub path: Vec<String>,
    /// The named stream.
    pub stream: Option<String>,
}

/// A named stream of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamInfo {
    /// Its name, without colons and type.
    pub name: String,
    /// Bytes in it.
    pub size: u64,
    /// Bytes it occupies.
    pub allocation_size: u64,
}

/// An open the core asks for.
#[derive(Clone, Copy)]
pub struct OpenRequest<'a> {
    /// Where.
    pub path: &'a Path,
    /// A named stream of what is there; `None` for the file or directory itself. `existing` and `created` are then
    /// about the stream: where it is created, so is a file that is not there yet. Case matters as in names of files.
    pub stream: Option<&'a str>,
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
    /// What else a new file gets.
    pub maker: &'a Arc<dyn Maker>,
}

impl fmt::Debug for OpenRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenRequest")
            .field("path", &self.path)
            .field("stream", &self.stream)
            .field("wanted", &self.wanted)
            .field("existing", &self.existing)
            .finish_non_exhaustive()
    }
}

/// An open the back end granted.
pub struct Opened {
    /// The handle.
    pub handle: Arc<dyn Handle>,
    /// Whether the file was created by this open.
    pub created: bool,
    /// What is known of it; of a stream, the file's with the stream's size.
    pub metadata: Metadata,
    /// The security descriptor kept for the file.
    pub security: Option<Vec<u8>>,
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

/// A change that was made beside the server, or by it: the storage cannot tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beside {
    /// Where, from the directory watched.
    pub path: Vec<String>,
    /// Whether it is a directory.
    pub directory: bool,
    /// What.
    pub happened: Happened,
}

impl Beside {
    /// Nobody knows what has changed.
    pub fn lost() -> Self {
        Self { path: Vec::new(), directory: false, happened: Happened::Lost }
    }
}

/// What happened to a file or directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happened {
    /// It was created, linked, or moved from where nobody watches.
    Created,
    /// It was removed, or moved to where nobody watches.
    Removed,
    /// It was renamed.
    Renamed {
        /// Its path before.
        from: Vec<String>,
    },
    /// Its bytes have changed.
    Written,
    /// Something about it has changed: times, attributes, access.
    Described,
    /// Changes were lost: anything may have happened.
    Lost,
}

/// Takes changes, in order. Must not wait.
pub type Report = std::sync::Arc<dyn Fn(Vec<Beside>) + Send + Sync>;
