//! SMB2/3 messages, crypto and authentication: what the bytes mean, with no I/O attached.
pub mod auth;
pub mod codec;
pub mod command;
pub mod crypto;
pub mod dialect;
pub mod error;
pub mod header;
pub mod status;
pub mod transform;
