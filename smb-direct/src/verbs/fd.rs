//! Descriptors of the libraries in tokio.

use std::{
    io,
    os::fd::{AsRawFd, OwnedFd, RawFd},
};
use tokio::io::{Interest, unix::AsyncFd};

/// What has one descriptor for all its life.
///
/// # Safety
/// `as_raw_fd` always returns the same descriptor, which stays open until the value is dropped.
pub(super) unsafe trait Steady: AsRawFd {}

// SAFETY: it owns its descriptor.
unsafe impl Steady for OwnedFd {}

/// Lets tokio tell when `inner` is readable. Within a runtime with I/O.
pub(super) fn watch<T: Steady>(inner: T) -> Result<AsyncFd<T>, (T, io::Error)> {
    // SAFETY: what is asked for is what `Steady` promises.
    unsafe { AsyncFd::register_with_interest(inner, Interest::READABLE) }
        .map_err(|failed| failed.into_parts())
}

/// Lets reads of `fd` return when there is nothing.
pub(super) fn set_nonblocking(fd: RawFd) -> io::Result<()> {
    // SAFETY: F_GETFL reads the flags of a descriptor and touches no memory of ours.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFL) };
    if flags < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: F_SETFL takes an integer and touches no memory of ours.
    match unsafe { libc::fcntl(fd, libc::F_SETFL, flags | libc::O_NONBLOCK) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
