//! The SMB Direct protocol, pure — [MS-SMBD].
//!
//! [`core::Engine`] is the state machine of one connection; its module says how to drive it.
mod config;
pub mod core;
mod fragment;
mod reassemble;
mod violation;
pub mod wire;

pub use config::Config;
pub use violation::{CloseReason, Violation};
