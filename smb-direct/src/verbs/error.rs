//! What the libraries, the connection manager and completions say, as [`RdmaError`].

use crate::rdma::RdmaError;
use rdma_mummy_sys::{
    ibv_wc_status::{self, *},
    rdma_cm_event_type::{self, *},
};
use std::{io, path::Path, ptr::NonNull};

/// What the kernel's connection manager is reached by.
const MANAGER: &str = "/dev/infiniband/rdma_cm";
/// A reason for rejection of the InfiniBand connection manager: nobody listens.
const REJECTED_NO_SERVICE: i32 = 8;

/// The device takes no more memory. Registered memory stays where it is, which the system limits for each user.
pub(super) const NO_MEMORY: RdmaError = RdmaError::Limit(
    "memory for the device: that which may be locked (RLIMIT_MEMLOCK, `ulimit -l`), or its own",
);

/// The error a call left behind.
pub(super) fn last() -> RdmaError {
    io_error(&io::Error::last_os_error())
}

/// A result of 0, or an error that is left behind.
pub(super) fn checked(result: i32) -> Result<(), RdmaError> {
    if result == 0 { Ok(()) } else { Err(last()) }
}

/// Makes an object of a device, which is null on failure. Not every driver says why it fails.
pub(super) fn made<T>(make: impl FnOnce() -> *mut T) -> Result<NonNull<T>, RdmaError> {
    // SAFETY: the location is this thread's own.
    unsafe { *libc::__errno_location() = 0 };
    NonNull::new(make()).ok_or_else(|| match io::Error::last_os_error().raw_os_error() {
        None | Some(0) => NO_MEMORY,
        Some(number) => errno(number),
    })
}

pub(super) fn io_error(error: &io::Error) -> RdmaError {
    error.raw_os_error().map_or(RdmaError::from(error), errno)
}

/// The error of that number, which some calls return negated.
pub(super) fn errno(number: i32) -> RdmaError {
    match number.abs() {
        libc::ENODEV | libc::EADDRNOTAVAIL => RdmaError::NoDevice("none has or reaches that address"),
        libc::EIO => RdmaError::DeviceRemoved,
        libc::ETIMEDOUT => RdmaError::TimedOut,
        libc::ECONNREFUSED => RdmaError::Refused,
        libc::ENETUNREACH | libc::EHOSTUNREACH => RdmaError::Unreachable("no route"),
        libc::ENOMEM => NO_MEMORY,
        libc::ECONNRESET => RdmaError::Closed,
        number => RdmaError::from(&io::Error::from_raw_os_error(number)),
    }
}

/// Why the connection manager cannot be opened at all.
pub(super) fn missing() -> RdmaError {
    RdmaError::NoDevice(match io::Error::last_os_error().raw_os_error() {
        Some(libc::EOPNOTSUPP) => "librdmacm and libibverbs (rdma-core) are not installed",
        Some(libc::EACCES | libc::EPERM) => "no permission to open /dev/infiniband/rdma_cm",
        // The library will not start where it has no device to manage.
        _ if Path::new(MANAGER).exists() => "this machine has none",
        _ => "the kernel has no RDMA connection manager (modules rdma_ucm, ib_uverbs)",
    })
}

/// An event of the connection manager that ends something.
pub(super) fn event(kind: rdma_cm_event_type::Type, status: i32) -> RdmaError {
    match kind {
        RDMA_CM_EVENT_ADDR_ERROR => match errno(status) {
            error @ (RdmaError::NoDevice(_) | RdmaError::Unreachable(_)) => error,
            _ => RdmaError::Unreachable("the address does not resolve"),
        },
        RDMA_CM_EVENT_ROUTE_ERROR => RdmaError::Unreachable("no route"),
        RDMA_CM_EVENT_REJECTED if status == REJECTED_NO_SERVICE => RdmaError::Refused,
        RDMA_CM_EVENT_REJECTED if status == -libc::ETIMEDOUT => RdmaError::TimedOut,
        RDMA_CM_EVENT_REJECTED => RdmaError::Rejected,
        RDMA_CM_EVENT_UNREACHABLE | RDMA_CM_EVENT_CONNECT_ERROR if status < 0 => errno(status),
        RDMA_CM_EVENT_UNREACHABLE => RdmaError::Unreachable("no answer"),
        RDMA_CM_EVENT_DEVICE_REMOVAL => RdmaError::DeviceRemoved,
        RDMA_CM_EVENT_DISCONNECTED => RdmaError::Closed,
        _ => RdmaError::Failed("the connection could not be set up"),
    }
}

/// A work request that failed; `None` where it was only flushed, because of something else.
pub(super) fn completion(status: ibv_wc_status::Type) -> Option<RdmaError> {
    Some(match status {
        IBV_WC_WR_FLUSH_ERR => return None,
        IBV_WC_RNR_RETRY_EXC_ERR | IBV_WC_LOC_LEN_ERR => RdmaError::ReceiverNotReady,
        IBV_WC_REM_ACCESS_ERR => RdmaError::RemoteAccess("by the peer's device"),
        IBV_WC_RETRY_EXC_ERR | IBV_WC_RESP_TIMEOUT_ERR => RdmaError::TimedOut,
        IBV_WC_REM_INV_REQ_ERR => RdmaError::Failed("the peer's device calls a request invalid"),
        IBV_WC_REM_OP_ERR | IBV_WC_REM_ABORT_ERR => RdmaError::Failed("the peer's device failed"),
        IBV_WC_LOC_PROT_ERR | IBV_WC_LOC_ACCESS_ERR => RdmaError::Failed("a local buffer was not accessible"),
        IBV_WC_LOC_QP_OP_ERR => RdmaError::Failed("a request was not consistent"),
        IBV_WC_MW_BIND_ERR => RdmaError::Failed("a memory window could not be bound"),
        IBV_WC_BAD_RESP_ERR => RdmaError::Failed("the peer's device answered wrongly"),
        IBV_WC_FATAL_ERR => RdmaError::Failed("fatal"),
        _ => RdmaError::Failed("a request failed"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_end_has_its_error() {
        assert_eq!(event(RDMA_CM_EVENT_REJECTED, 8), RdmaError::Refused);
        assert_eq!(event(RDMA_CM_EVENT_REJECTED, 28), RdmaError::Rejected);
        assert_eq!(event(RDMA_CM_EVENT_REJECTED, -libc::ECONNREFUSED), RdmaError::Rejected);
        assert_eq!(event(RDMA_CM_EVENT_UNREACHABLE, -libc::ETIMEDOUT), RdmaError::TimedOut);
        assert_eq!(event(RDMA_CM_EVENT_CONNECT_ERROR, -libc::ECONNREFUSED), RdmaError::Refused);
        assert_eq!(event(RDMA_CM_EVENT_DEVICE_REMOVAL, 0), RdmaError::DeviceRemoved);
        assert!(matches!(event(RDMA_CM_EVENT_ADDR_ERROR, -libc::ENODEV), RdmaError::NoDevice(_)));
        assert!(matches!(event(RDMA_CM_EVENT_ADDR_ERROR, -libc::EINVAL), RdmaError::Unreachable(_)));
        assert_eq!(completion(IBV_WC_WR_FLUSH_ERR), None);
        assert_eq!(completion(IBV_WC_RETRY_EXC_ERR), Some(RdmaError::TimedOut));
        assert_eq!(errno(-libc::EIO), RdmaError::DeviceRemoved);
        assert_eq!(errno(-libc::EMFILE).to_string(), "Too many open files (os error 24)");
    }
}
