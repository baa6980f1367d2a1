//! How one whole SMB message crosses a wire.
//!
//! ```text
//!  client/server driver ── Msg{head, payload, pushes, invalidate} ──▶ SendHalf ─┐
//!                       ◀── Received{message, invalidated} ────────── RecvHalf ─┤ one connection
//!                       ── advertise / pull ─────────────────────────▶ Placement ┘ (where there is any)
//! ```
mod error;
pub mod fault;
mod gate;
mod iobuf;
pub mod memory;
mod pool;
mod tcp;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod transport;

pub use error::TransportError;
pub use gate::Gate;
pub use iobuf::{HEAD_ROOM, IoBuf, Memory, NoRoom};
pub use pool::Pool;
pub use tcp::{KeepAlive, TcpListener, TcpOptions, TcpTransport};
pub use transport::*;
