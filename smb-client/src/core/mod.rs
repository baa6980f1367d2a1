//! Decisions: no tokio, no socket, no clock, no randomness.
//!
//! ```text
//!  negotiate ── Negotiated ──▶ session ── Established ──▶ protect   sign or seal what
//!                                                         request   charge, flags
//!  table      requests under way on one channel           placement inline or placed
//! ```
//!
//! The driving contract: the driver asks, the core answers with a value and never blocks; what must cross the
//! wire is returned, never sent.

pub(crate) mod backoff;
pub(crate) mod copy;
pub(crate) mod flow;
pub(crate) mod lost;
pub(crate) mod negotiate;
pub(crate) mod placement;
pub(crate) mod protect;
pub(crate) mod request;
pub(crate) mod session;
pub(crate) mod table;
pub(crate) mod validate;
