//! RDMA in the vocabulary of verbs: what a provider (hardware, iWARP in software, one process) must do.
//!
//! ```text
//!  Provider ── connect ───────────────▶ QueuePair ── post_receive, post_send, post_write, post_read ──▶
//!     └────── listen ▶ Acceptor ▶ Incoming ─ accept ─▶ │        ◀── poll_completions: buffers come back ──
//!                                                      └─ open ▶ Opened: memory the peer may reach
//! ```
//! Buffers are owned: what is posted belongs to the provider until its completion brings it back (or, after the
//! connection's end, until nothing can land in it any more). What is posted is done in order, and completes in order;
//! RDMA reads complete when they do.

mod depths;
mod error;
pub mod mem;
mod pair;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod work;

pub use depths::Depths;
pub use error::RdmaError;
pub use pair::{
    Acceptor, Completion, Incoming, Opened, PairInfo, Provider, QueuePair, Queues, Quirks, SetUp,
};
pub use work::{HEAD_LEN, Head, Piece, ReadRequest, Remote, SendRequest, Slice, Token, WriteRequest};
