//! Structures that IOCTL carries.
pub mod copychunk;
pub mod dfs;
pub mod network_interface;
pub mod offload;
pub mod pipe;
pub mod ranges;
pub mod reparse;
pub mod snapshots;
pub mod stream_commit;
pub mod validate_negotiate;
