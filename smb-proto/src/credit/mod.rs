//! Credits and MessageIds: who may send how much, and in what order — [MS-SMB2] 3.1.5.2, 3.2.4.1.2, 3.3.1.1, 3.3.1.2.
//!
//! ```text
//!            client                                      server
//!  ClientWindow::reserve ── request (MessageId, CreditCharge, asked) ──▶ ServerWindow::accept
//!  ClientWindow::answered ◀── response (credits) ────────────────────── ServerWindow::grant
//! ```
//!
//! Nothing here waits: a driver queues what cannot be sent yet and tries again after the next answer.

pub mod channel_sequence;
pub mod charge;
pub mod client_window;
pub mod server_window;

pub use channel_sequence::{ChannelCounter, OpenSequence, Outstanding};
pub use charge::{covers, credit_charge, max_payload};
pub use client_window::{ClientWindow, MessageIdRange};
pub use server_window::{Load, ServerWindow};
