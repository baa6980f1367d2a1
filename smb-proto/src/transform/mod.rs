//! What wraps or accompanies messages: encryption, compression, RDMA buffer descriptors.
pub mod compression;
pub mod encryption;
pub mod rdma;
