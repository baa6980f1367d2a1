//! Structures that IOCTL carries.
pub mod stream_commit;
pub mod validate_negotiate;
