//! Where TCP connections come in.

use super::{TcpOptions, TcpTransport};
use crate::{BoxFuture, Kind, Listener, Pool, Transport, TransportError};
use socket2::SockRef;
use std::{net::SocketAddr, time::Duration};
use tokio::net::TcpSocket;

const BACKLOG: u32 = 1024;
/// The pause after an error that would come again at once, such as no file descriptors left.
const PAUSE: Duration = Duration::from_millis(50);

/// Accepts TCP connections.
#[derive(Debug)]
pub struct TcpListener {
    listener: tokio::net::TcpListener,
    pool: Pool,
    options: TcpOptions,
}

impl TcpListener {
    /// Listens on `local`; connections receive into buffers of `pool`.
    pub fn bind(local: SocketAddr, pool: Pool, options: TcpOptions) -> Result<Self, TransportError> {
        let socket = if local.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // A server that starts again must not wait for its old connections to time out.
        #[cfg(unix)]
        socket.set_reuseaddr(true)?;
        options.apply_sizes(SockRef::from(&socket))?;
        socket.bind(local)?;
        Ok(Self { listener: socket.listen(BACKLOG)?, pool, options })
    }

    /// The address listened on, with the port the system chose where 0 was asked for.
    pub fn local_addr(&self) -> Result<SocketAddr, TransportError> {
        Ok(self.listener.local_addr()?)
    }

    /// The next connection. Cancel-safe.
    pub async fn accept(&self) -> Result<TcpTransport, TransportError> {
        loop {
            match self.listener.accept().await {
                // A peer that is gone before its options are set is no connection.
                Ok((stream, _)) => match TcpTransport::with_options(stream, self.pool.clone(), &self.options)
                {
                    Ok(transport) => return Ok(transport),
                    Err(_) => continue,
                },
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }
}

impl Listener for TcpListener {
    fn kind(&self) -> Kind {
        Kind::Tcp
    }

    fn local(&self) -> Option<SocketAddr> {
        self.listener.local_addr().ok()
    }

    fn accept(&mut self) -> BoxFuture<'_, Result<Box<dyn Transport>, TransportError>> {
        Box::pin(async move {
            let transport = TcpListener::accept(self).await?;
            let transport: Box<dyn Transport> = Box::new(transport);
            Ok(transport)
        })
    }
}
