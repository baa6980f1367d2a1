//! SMB over TCP: the direct transport of [MS-SMB2] 2.1, port 445.

mod align;
mod frame;
mod listener;
mod options;
mod recv;
mod send;

pub use listener::TcpListener;
pub use options::{KeepAlive, TcpOptions};

use crate::{Halves, Kind, LinkInfo, Pool, Transport, TransportError};
use socket2::SockRef;
use std::{fmt, net::SocketAddr, sync::Arc};
use tokio::net::{TcpSocket, TcpStream};

/// A TCP connection that carries SMB messages.
pub struct TcpTransport {
    stream: TcpStream,
    pool: Pool,
    info: LinkInfo,
}

impl TcpTransport {
    /// Takes over a connected stream, with the default options; messages are received into buffers of `pool`.
    pub fn new(stream: TcpStream, pool: Pool) -> Result<Self, TransportError> {
        Self::with_options(stream, pool, &TcpOptions::default())
    }

    /// Takes over a connected stream.
    pub fn with_options(stream: TcpStream, pool: Pool, options: &TcpOptions) -> Result<Self, TransportError> {
        options.apply(&stream)?;
        let info = LinkInfo {
            kind: Kind::Tcp,
            local: stream.local_addr().ok(),
            peer: stream.peer_addr().ok(),
            speed: None,
            max_message: frame::MAX_MESSAGE,
        };
        Ok(Self { stream, pool, info })
    }

    /// Connects to `peer`, from the address `local` where one is given (port 0 lets the system choose), within
    /// [`TcpOptions::connect_timeout`].
    pub async fn connect(
        peer: SocketAddr,
        local: Option<SocketAddr>,
        pool: Pool,
        options: &TcpOptions,
    ) -> Result<Self, TransportError> {
        let socket = if peer.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        options.apply_sizes(SockRef::from(&socket))?;
        if let Some(local) = local {
            socket.bind(local)?;
        }
        let stream = tokio::time::timeout(options.connect_timeout, socket.connect(peer)).await;
        Self::with_options(stream.map_err(|_| TransportError::TimedOut)??, pool, options)
    }

    /// States the speed of the NIC the connection leaves by, in bits per second, for [`LinkInfo::speed`].
    pub fn set_speed(&mut self, speed: Option<u64>) {
        self.info.speed = speed;
    }
}

impl Transport for TcpTransport {
    fn info(&self) -> &LinkInfo {
        &self.info
    }

    fn split(self: Box<Self>) -> Halves {
        let Self { stream, pool, info } = *self;
        let (reader, writer) = stream.into_split();
        let buffers = Arc::new(pool);
        Halves {
            info,
            sender: Box::new(send::TcpSender::new(writer)),
            receiver: Box::new(recv::TcpReceiver::new(reader, buffers.clone())),
            buffers,
            placement: None,
        }
    }
}

impl fmt::Debug for TcpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TcpTransport").field(&self.info).finish()
    }
}

#[cfg(test)]
pub(crate) mod tests;
