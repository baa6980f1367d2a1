//! What the host's errors are called in the protocol.

use rustix::io::Errno;
use smb_proto::status::NtStatus;

/// The status for an error of the host ([MS-ERREF] 2.3).
pub(super) fn status(errno: Errno) -> NtStatus {
    match errno {
        // A symbolic link is as good as absent.
        Errno::NOENT | Errno::LOOP => NtStatus::OBJECT_NAME_NOT_FOUND,
        Errno::ACCESS | Errno::PERM | Errno::BADF => NtStatus::ACCESS_DENIED,
        Errno::EXIST => NtStatus::OBJECT_NAME_COLLISION,
        Errno::NOTDIR => NtStatus::NOT_A_DIRECTORY,
        Errno::ISDIR => NtStatus::FILE_IS_A_DIRECTORY,
        Errno::NOTEMPTY => NtStatus::DIRECTORY_NOT_EMPTY,
        Errno::NOSPC | Errno::DQUOT | Errno::FBIG => NtStatus::DISK_FULL,
        Errno::ROFS => NtStatus::MEDIA_WRITE_PROTECTED,
        Errno::MFILE => NtStatus::TOO_MANY_OPENED_FILES,
        Errno::NFILE | Errno::NOMEM | Errno::NOBUFS => NtStatus::INSUFFICIENT_RESOURCES,
        Errno::NAMETOOLONG | Errno::ILSEQ => NtStatus::OBJECT_NAME_INVALID,
        Errno::XDEV => NtStatus::NOT_SAME_DEVICE,
        Errno::BUSY | Errno::TXTBSY => NtStatus::SHARING_VIOLATION,
        Errno::INVAL => NtStatus::INVALID_PARAMETER,
        Errno::OPNOTSUPP | Errno::NOSYS => NtStatus::NOT_SUPPORTED,
        Errno::IO => NtStatus::IO_DEVICE_ERROR,
        Errno::STALE => NtStatus::FILE_CLOSED,
        Errno::TIMEDOUT => NtStatus::IO_TIMEOUT,
        Errno::NODEV | Errno::NXIO => NtStatus::NO_SUCH_DEVICE,
        _ => NtStatus::UNEXPECTED_IO_ERROR,
    }
}

/// The status for an error on the way to the last component: whatever is not there, or is not a directory, or is a
/// link, is a path that does not exist.
pub(super) fn path_status(errno: Errno) -> NtStatus {
    match errno {
        Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV => NtStatus::OBJECT_PATH_NOT_FOUND,
        other => status(other),
    }
}
