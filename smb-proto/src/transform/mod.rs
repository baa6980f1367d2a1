//! What wraps or accompanies messages: encryption, compression, RDMA buffer descriptors.
pub mod encryption;
pub mod rdma;
