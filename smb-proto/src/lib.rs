//! SMB2/3 messages, crypto and authentication: what the bytes mean, with no I/O attached.
pub mod auth;
pub mod codec;
pub mod command;
pub mod compound;
pub mod compress;
pub mod credit;
pub mod crypto;
pub mod dialect;
pub mod error;
pub mod frame;
pub mod fscc;
pub mod header;
pub mod msg;
pub mod status;
pub mod transform;
