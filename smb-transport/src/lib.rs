//! How one whole SMB message crosses a wire.
//!
//! ```text
//!  client/server driver ── Msg{head, payload, pushes, invalidate} ──▶ SendHalf ─┐
//!                       ◀── Received{message, invalidated} ────────── RecvHalf ─┤ one connection
//!                       ── advertise / pull ─────────────────────────▶ Placement ┘ (where there is any)
//! ```
//!
//! | where | what |
//! |---|---|
//! | [`Transport`], [`Listener`] | the traits: whole messages, ordered and reliable, and direct placement |
//! | [`IoBuf`], [`Pool`] | the buffers bulk data lives in from the wire to the storage |
//! | [`TcpTransport`], [`TcpListener`] | SMB over TCP, port 445 |
//! | [`memory`] | two ends in one process, with placement checked as a NIC checks it |
//! | [`fault`] | any transport, made late, deaf, forgetful or broken |
//! | [`region`] | the table of opened memory for wires that place data in software |
//! | [`nics`] | the network interfaces of this host |
//! | `testing` | the conformance suite for transports (feature `testing`) |
//!
//! # Example
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), smb_transport::TransportError> {
//! use smb_transport::{IoBuf, Msg, Pool, TcpListener, TcpOptions, TcpTransport, Transport};
//!
//! let (pool, options) = (Pool::default(), TcpOptions::default());
//! let listener = TcpListener::bind(([127, 0, 0, 1], 0).into(), pool.clone(), options.clone())?;
//! let mut client = Box::new(TcpTransport::connect(listener.local_addr()?, None, pool, &options).await?).split();
//! let mut server = Box::new(listener.accept().await?).split();
//!
//! client.sender.send(Msg { payload: "payload".into(), ..Msg::inline(IoBuf::copied(b"head, ")) }).await?;
//! let received = server.receiver.recv().await?.expect("a message");
//! assert_eq!(received.message[..], *b"head, payload");
//! # Ok(())
//! # }
//! ```
//!
//! # Speed
//!
//! Over TCP a message is one `writev` with its prefix; small ones go out and come in several per system call; a large
//! one is read into its own pooled buffer, the data of a WRITE or a READ on a page boundary. `cargo bench -p
//! smb-transport` compares with bare sockets.
mod error;
pub mod fault;
mod gate;
mod iobuf;
pub mod memory;
mod nic;
mod pool;
pub mod region;
mod tcp;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod transport;

pub use error::TransportError;
pub use fault::{Fault, Faults};
pub use gate::Gate;
pub use iobuf::{HEAD_ROOM, IoBuf, Memory, NoRoom};
pub use memory::{MemoryOptions, MemoryTransport};
pub use nic::{Nic, nics, with_address};
pub use pool::{Pool, Shelves, SizeClass};
pub use tcp::{KeepAlive, TcpListener, TcpOptions, TcpTransport};
pub use transport::*;
