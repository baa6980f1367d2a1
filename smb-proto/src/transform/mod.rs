//! What wraps or accompanies messages: encryption, compression, RDMA buffer descriptors and
//! what protects the data that they lead to.
pub mod compression;
pub mod encryption;
pub mod rdma;
pub mod rdma_transform;
