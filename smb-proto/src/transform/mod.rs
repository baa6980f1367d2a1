//! What wraps or accompanies messages: RDMA buffer descriptors here; encryption and compression beside.
pub mod rdma;
