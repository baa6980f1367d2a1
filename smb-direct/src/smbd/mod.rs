//! The SMB Direct protocol, pure — [MS-SMBD].
pub mod wire;
