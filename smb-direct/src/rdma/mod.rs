//! RDMA in the vocabulary of verbs: what a provider (hardware, iWARP in software, one process) must do.
mod work;

pub use work::{HEAD_LEN, Head, Piece, ReadRequest, Remote, SendRequest, Slice, Token, WriteRequest};
