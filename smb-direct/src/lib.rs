//! SMB Direct: SMB messages over RDMA.
//!
//! ```text
//!  smb_transport::Transport ◀── transport/ (the only part that knows tokio)
//!                                 │ feeds, drains, arms the timer       │ posts, waits for completions
//!                                 ▼                                     ▼
//!                               smbd::core  (pure, [MS-SMBD])         rdma:: provider traits ── rdma::mem
//! ```
//!
//! [`smbd`] parses, builds and decides, with no I/O attached; [`rdma`] is what a device must do, in the vocabulary of
//! verbs; [`SmbDirect`] and [`DirectListener`] make transports of the two:
//!
//! ```
//! use smb_direct::{DirectListener, SmbDirect, rdma::mem::MemNetwork, smbd::Config};
//! use smb_transport::{IoBuf, Msg, Transport};
//! use std::sync::Arc;
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (network, at) = (MemNetwork::default(), ([127, 0, 0, 1], 5445).into());
//! let mut listener = DirectListener::bind(Arc::new(network.clone()), at, Config::default()).await?;
//! let connecting = SmbDirect::connect(&network, at, Config::default());
//! let (client, server) = tokio::join!(connecting, listener.accept_direct());
//! let (mut client, mut server) = (Box::new(client?).split(), Box::new(server).split());
//! client.sender.send(Msg::inline(IoBuf::copied(b"hello"))).await?;
//! assert_eq!(server.receiver.recv().await?.unwrap().message[..], *b"hello");
//! # Ok(())
//! # }
//! ```
//! Another provider runs the suite in `rdma::testing` (feature `testing`) and needs nothing else.
pub mod rdma;
pub mod smbd;
mod transport;
#[cfg(feature = "verbs")]
pub mod verbs;

pub use transport::{Counters, DirectError, DirectListener, Monitor, SmbDirect};
