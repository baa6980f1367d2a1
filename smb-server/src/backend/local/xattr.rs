//! Extended attributes of the host, in the `user.` namespace.
//!
//! Where a descriptor only names its file (`O_PATH`), the kernel takes no attribute call on it; such calls go by the
//! descriptor's name in `/proc/self/fd`, which is the file itself and not a path to it.

use super::errno::status;
use crate::backend::Result;
use rustix::{
    fd::{AsFd, AsRawFd},
    fs::{
        XattrFlags, fgetxattr, fgetxattr_query, flistxattr, fremovexattr, fsetxattr, getxattr,
        getxattr_query, lgetxattr, listxattr, removexattr, setxattr,
    },
    io::{self, Errno},
};
use smb_proto::status::NtStatus;

/// What most values fit in.
const SMALL: usize = 256;
/// XATTR_SIZE_MAX and XATTR_LIST_MAX of Linux.
const LARGE: usize = 65_536;

fn by_name(fd: impl AsFd) -> String {
    format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd())
}

/// Calls with a small buffer, and with a large one where that does not do.
fn filled(call: impl Fn(&mut [u8]) -> io::Result<usize>) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; SMALL];
    let len = match call(&mut buffer) {
        Err(Errno::RANGE) => {
            buffer.resize(LARGE, 0);
            call(&mut buffer)?
        }
        other => other?,
    };
    buffer.truncate(len);
    Ok(buffer)
}

/// No such attribute, or a file system that has none at all.
fn absent(errno: Errno) -> bool {
    matches!(errno, Errno::NODATA | Errno::OPNOTSUPP | Errno::PERM | Errno::NOENT)
}

fn found<T>(result: io::Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(errno) if absent(errno) => Ok(None),
        Err(errno) => Err(status(errno)),
    }
}

/// The value of an attribute.
pub(super) fn get(fd: impl AsFd, name: &str) -> Result<Option<Vec<u8>>> {
    match filled(|buffer| fgetxattr(&fd, name, buffer)) {
        Err(Errno::BADF) => found(filled(|buffer| getxattr(by_name(&fd), name, buffer))),
        other => found(other),
    }
}

/// How long the value of an attribute is.
pub(super) fn len(fd: impl AsFd, name: &str) -> Result<Option<usize>> {
    match fgetxattr_query(&fd, name) {
        Err(Errno::BADF) => found(getxattr_query(by_name(&fd), name)),
        other => found(other),
    }
}

/// The value of an attribute of a name in a directory; a link is not followed.
pub(super) fn get_of_name(directory: impl AsFd, file: &str, name: &str) -> Result<Option<Vec<u8>>> {
    found(filled(|buffer| lgetxattr(format!("{}/{file}", by_name(&directory)), name, buffer)))
}

/// Whether the file system has such attributes.
pub(super) fn supported(fd: impl AsFd) -> bool {
    !matches!(getxattr(by_name(fd), "user.smb.sd", &mut [0_u8; 0]), Err(Errno::OPNOTSUPP | Errno::NOENT))
}

/// What keeps a value from being set.
fn set_status(errno: Errno) -> NtStatus {
    match errno {
        Errno::TOOBIG | Errno::RANGE | Errno::NOSPC => NtStatus::DISK_FULL,
        other => status(other),
    }
}

/// Sets an attribute, whether it is there or not.
pub(super) fn set(fd: impl AsFd, name: &str, value: &[u8]) -> Result<()> {
    let done = match fsetxattr(&fd, name, value, XattrFlags::empty()) {
        Err(Errno::BADF) => setxattr(by_name(&fd), name, value, XattrFlags::empty()),
        other => other,
    };
    done.map_err(set_status)
}

/// Removes an attribute that may be there.
pub(super) fn remove(fd: impl AsFd, name: &str) -> Result<()> {
    let done = match fremovexattr(&fd, name) {
        Err(Errno::BADF) => removexattr(by_name(&fd), name),
        other => other,
    };
    match done {
        Err(errno) if !absent(errno) => Err(status(errno)),
        _ => Ok(()),
    }
}

/// The names of all attributes that are UTF-8.
pub(super) fn list(fd: impl AsFd) -> Result<Vec<String>> {
    let names = match filled(|buffer| flistxattr(&fd, buffer)) {
        Err(Errno::BADF) => filled(|buffer| listxattr(by_name(&fd), buffer)),
        other => other,
    };
    let names = found(names)?.unwrap_or_default();
    let text =
        |name: &[u8]| std::str::from_utf8(name).ok().filter(|name| !name.is_empty()).map(str::to_owned);
    Ok(names.split(|byte| *byte == 0).filter_map(text).collect())
}
