//! Tasks and sockets around the cores; decides nothing.
//!
//! ```text
//!  callers ── submit: credits, MessageId, sign/seal ──▶ queue ──▶ writer ──▶ SendHalf
//!     ▲                                                                        (per channel)
//!     └── oneshot ◀── reader: unseal, split, verify, match ◀── RecvHalf
//!                     keeper: ECHO to a silent server      janitor: CANCEL, CLOSE of what was dropped
//! ```

pub(crate) mod channel;
pub(crate) mod connect;
mod counters;
mod fate;
pub(crate) mod janitor;
mod keeper;
mod reader;
pub(crate) mod request;
mod submit;
mod waiting;
mod writer;

pub use counters::Traffic;
