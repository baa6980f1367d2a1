//! An embeddable SMB3 server.
//!
//! ```text
//!  listener ─▶ driver (tasks, buffers) ─▶ handlers ─▶ backend: memory, local directory, stream, yours
//!                        │
//!                        └ core (negotiation, sessions, channels, trees, opens, share modes): pure
//! ```
//!
//! ```no_run
//! use smb_server::{Policy, Server};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let server = Server::builder()
//!     .listen("127.0.0.1:4450".parse()?)
//!     .user("alice", "Passw0rd")
//!     .memory_share("scratch")
//!     .signing(Policy::Required)
//!     .build()?;
//! println!("listening on {:?}", server.local_addrs());
//! server.run(async { tokio::signal::ctrl_c().await.unwrap_or(()) }).await;
//! # Ok(())
//! # }
//! ```
//!
//! Storage of your own is an implementation of [`backend::Backend`]; `examples/tiny_backend.rs` has one. Connections that
//! come over something else than TCP go to [`Handle::serve`].

pub mod backend;
mod config;
mod core;
mod driver;
mod entropy;
mod handlers;
mod keylog;
mod listener;
#[cfg(feature = "lock-times")]
mod lock_times;
mod pipe;
mod server;
mod share;
mod users;

/// Of use to the fuzzers alone.
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing {
    pub use crate::entropy::repeatable::begin_again;
}

pub use config::{Config, Interface, Limits, Policy};
pub use driver::Traffic;
#[cfg(feature = "lock-times")]
pub use lock_times::lock_times;
pub use server::{BuildError, Builder, Handle, Server};
pub use share::Share;
pub use users::Users;
