//! SMB Direct: SMB messages over RDMA.
//!
//! ```text
//!  smb_transport::Transport ◀── transport/ (the only part that knows tokio)
//!                                 │ feeds, drains, arms the timer       │ posts, waits for completions
//!                                 ▼                                     ▼
//!                               smbd::core  (pure, [MS-SMBD])         rdma:: provider traits ── rdma::mem
//! ```
pub mod rdma;
pub mod smbd;
mod transport;

pub use transport::{Counters, DirectListener, Monitor, SmbDirect};
