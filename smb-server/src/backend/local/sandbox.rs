//! How a path is found without ever leaving the root.
//!
//! The kernel resolves the directories of a path in one step (`openat2` beneath the root, no link followed). Where it
//! cannot, or where a name is not there as spelled, we walk: one component at a time, each opened relative to the
//! descriptor of the one before with `O_NOFOLLOW`. Either way a descriptor, once held, stays what it is whatever
//! happens to the names, so there is nothing to race against. The last component is never resolved by the kernel
//! along a path: it is always a single name in an open directory.

use super::{
    errno::{path_status, status},
    meta::Stat,
    names::Names,
};
use crate::backend::{FileKey, Path, Result};
use rustix::{
    fd::{AsFd, BorrowedFd, OwnedFd},
    fs::{Dir, Mode, OFlags, ResolveFlags, openat, openat2},
    io::Errno,
};
use smb_proto::status::NtStatus;
use std::{
    ffi::CStr,
    io, path,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

/// An open directory, which stays what it is.
#[derive(Debug)]
pub(super) struct Directory {
    fd: OwnedFd,
    key: OnceLock<FileKey>,
}

impl Directory {
    fn new(fd: OwnedFd) -> Self {
        Self { fd, key: OnceLock::new() }
    }

    /// What it is, asked once.
    pub(super) fn key(&self) -> Result<FileKey> {
        match self.key.get() {
            Some(key) => Ok(*key),
            None => Stat::of(&self.fd).map(|stat| *self.key.get_or_init(|| stat.key())),
        }
    }
}

impl AsFd for Directory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The root of a share.
pub(super) struct Root {
    directory: Arc<Directory>,
    case_sensitive: bool,
    names: Names,
    /// Whether the kernel has `openat2` (Linux 5.6) and lets us use it.
    openat2: AtomicBool,
}

/// A name in an open directory.
#[derive(Debug, Clone)]
pub(super) struct Spot {
    pub(super) directory: Arc<Directory>,
    pub(super) name: String,
}

const DIRECTORY: OFlags =
    OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

impl Root {
    pub(super) fn open(at: &path::Path, case_sensitive: bool) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = Arc::new(Directory::new(rustix::fs::open(at, flags, Mode::empty())?));
        Ok(Self { directory, case_sensitive, names: Names::new(), openat2: AtomicBool::new(true) })
    }

    pub(super) fn fd(&self) -> &OwnedFd {
        &self.directory.fd
    }

    pub(super) fn is_case_sensitive(&self) -> bool {
        self.case_sensitive
    }

    #[cfg(test)]
    pub(super) fn without_openat2(&self) {
        self.openat2.store(false, Ordering::Relaxed);
    }

    /// Where the path's last component belongs; `None` for the root.
    pub(super) fn find(&self, path: &Path) -> Result<Option<Spot>> {
        let Some((name, directories)) = path.split_last() else { return Ok(None) };
        if !path.iter().all(|name| is_plain(name)) {
            return Err(NtStatus::OBJECT_NAME_INVALID);
        }
        let directory = self.directory(directories)?;
        Ok(Some(Spot { directory, name: name.clone() }))
    }

    fn directory(&self, path: &Path) -> Result<Arc<Directory>> {
        if path.is_empty() {
            return Ok(Arc::clone(&self.directory));
        }
        match self.resolve(path) {
            Some(Ok(fd)) => Ok(Arc::new(Directory::new(fd))),
            Some(Err(errno)) if errno != Errno::NOENT => Err(path_status(errno)),
            _ => self.walk(path),
        }
    }

    /// Lets the kernel find the directory; `None` where it has no call for that.
    fn resolve(&self, path: &Path) -> Option<rustix::io::Result<OwnedFd>> {
        if !self.openat2.load(Ordering::Relaxed) {
            return None;
        }
        let how = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        match openat2(self.fd(), path.join("/"), DIRECTORY, Mode::empty(), how) {
            Err(Errno::NOSYS | Errno::PERM | Errno::TOOBIG) => {
                self.openat2.store(false, Ordering::Relaxed);
                None
            }
            // The path is too long as one string, or the kernel wants it tried again.
            Err(Errno::NAMETOOLONG | Errno::AGAIN) => None,
            other => Some(other),
        }
    }

    fn walk(&self, path: &Path) -> Result<Arc<Directory>> {
        let mut at = Arc::clone(&self.directory);
        for name in path {
            at = Arc::new(Directory::new(self.step(&at, name)?));
        }
        Ok(at)
    }

    fn step(&self, at: &Directory, name: &str) -> Result<OwnedFd> {
        match openat(at, name, DIRECTORY, Mode::empty()) {
            Err(Errno::NOENT) => {
                let name = self.spelling(at, name)?.ok_or(NtStatus::OBJECT_PATH_NOT_FOUND)?;
                openat(at, name, DIRECTORY, Mode::empty()).map_err(path_status)
            }
            other => other.map_err(path_status),
        }
    }

    /// What the spot's name stands for now. Where nothing is there as spelled, another spelling is looked for and
    /// the spot corrected.
    pub(super) fn stat(&self, spot: &mut Spot) -> Result<Option<Stat>> {
        match Stat::of_name(&spot.directory, &spot.name) {
            Ok(stat) => return Ok(Some(stat)),
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(status(errno)),
        }
        let Some(name) = self.spelling(&spot.directory, &spot.name)? else { return Ok(None) };
        spot.name = name;
        match Stat::of_name(&spot.directory, &spot.name) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(status(errno)),
        }
    }

    /// How the directory spells the name.
    fn spelling(&self, directory: &Directory, name: &str) -> Result<Option<String>> {
        if self.case_sensitive {
            return Ok(None);
        }
        self.names.spelling(directory, name)
    }

    #[cfg(test)]
    pub(super) fn names(&self) -> &Names {
        &self.names
    }
}

/// Whether the name is one component and means itself.
pub(super) fn is_plain(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(['/', '\0'])
}

/// Calls `pick` for each name in the directory until it picks one. Names that are not UTF-8 are passed over.
pub(super) fn for_names<T>(
    directory: impl AsFd,
    mut pick: impl FnMut(&str) -> Option<T>,
) -> Result<Option<T>> {
    for_bytes(directory, |name| pick(name.to_str().ok()?))
}

/// Whether the directory holds nothing, however it is called.
pub(super) fn is_empty(directory: impl AsFd) -> Result<bool> {
    Ok(for_bytes(directory, |_| Some(()))?.is_none())
}

fn for_bytes<T>(directory: impl AsFd, mut pick: impl FnMut(&CStr) -> Option<T>) -> Result<Option<T>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let fd = openat(directory, ".", flags, Mode::empty()).map_err(status)?;
    for entry in Dir::new(fd).map_err(status)? {
        let entry = entry.map_err(status)?;
        let name = entry.file_name();
        if !matches!(name.to_bytes(), b"." | b"..")
            && let Some(picked) = pick(name)
        {
            return Ok(Some(picked));
        }
    }
    Ok(None)
}
