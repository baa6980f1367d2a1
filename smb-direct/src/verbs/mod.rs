//! RDMA devices (RoCE, InfiniBand, iWARP; soft RoCE and soft iWARP too) through libibverbs and librdmacm.
//!
//! ```text
//!  Verbs (Provider) ── connect, accept ─▶ Pair ─ owns ─▶ queues ─▶ Qp ─▶ Cq ─▶ Device ─▶ Pd ─▶ Context
//!                                          ▲                        └──▶ Id ─▶ event channel
//!                       pump (a task) ─────┘ completions, connection events, device events, time-outs
//!                       a thread for each Context: the removal of the device
//! ```
//! The libraries are loaded when the program starts; where they are missing it starts all the same, and
//! [`Verbs::open`] says what is missing.
//!
//! The only place with `unsafe`. Each of `cm`, `context`, `device`, `cq`, `qp`, `mr`, `mw` wraps one kind of object: it owns what
//! it made, holds what that object needs, and destroys it when dropped, so that nothing is destroyed out of order.
//! What the device may still reach is kept in `queues` and `windows` until the device has let go of it.
#![allow(unsafe_code)]
#![deny(clippy::undocumented_unsafe_blocks, unsafe_op_in_unsafe_fn)]

mod cm;
mod connect;
mod context;
mod cq;
mod device;
mod error;
mod fd;
mod listen;
mod mr;
mod mw;
mod pair;
mod pool;
mod provider;
mod pump;
mod qp;
mod queues;
mod slots;
#[cfg(test)]
mod tests;
mod windows;

pub use provider::Verbs;
