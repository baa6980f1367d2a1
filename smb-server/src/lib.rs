//! An embeddable SMB3 server.
pub mod backend;
