//! Drives connections: tasks, queues and buffers around the cores.
//!
//! ```text
//!             ┌ reader ── window, unseal small frames ──▶ job ──┐ polled once in place, else its own task:
//!   transport ┤                                                 │ verify/unseal · handler · sign/seal
//!             └ writer ◀── bounded queue of finished messages ◀─┘
//! ```
//!
//! What bounds a client: credits and `slots` bound its requests, the outbound budget its answers. All are held until the
//! answer has left, so a client that does not read stops being served; but who waits behind an interim response has given
//! credits and slot back, and a limit of its own.

mod cancel;
mod connection;
mod job;
mod reader;
mod request;
mod respond;
mod traffic;
mod unproven;
mod writer;

pub(crate) use connection::{Conn, close_open, end_session, give_up};
pub(crate) use job::poll_once;
pub(crate) use reader::run;
pub(crate) use request::{Answer, HashInto, Outcome, Payload, Request};
pub use traffic::Traffic;
pub(crate) use traffic::{Counters, Moved};
pub(crate) use unproven::{Token, Unproven};
