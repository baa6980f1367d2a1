//! The server against a client that builds its messages by hand, over the in-memory transport and TCP.
#![allow(
    missing_docs,
    clippy::as_conversions,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod cancel;
mod compound;
mod files;
mod gated;
mod hostile;
mod ioctl;
mod locks;
mod logon;
#[cfg(target_os = "linux")]
mod names;
mod notify;
mod peer;
mod pipes;
mod placement;
#[cfg(target_os = "linux")]
mod races;
mod rights;
mod session;
mod stream;
