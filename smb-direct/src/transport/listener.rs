//! Where SMB Direct connections come in.

use super::{DirectError, SmbDirect, set_up};
use crate::{
    rdma::{Acceptor, Incoming, Provider},
    smbd::{Config, core::Role},
};
use smb_transport::{BoxFuture, Kind, Listener, Transport, TransportError};
use std::{fmt, net::SocketAddr};
use tokio::task::JoinSet;

/// Negotiations that may be under way; more peers wait.
const HANDSHAKES: usize = 64;

/// Accepts connections and negotiates with each in its own task, so that a slow peer holds up nobody.
pub struct DirectListener {
    acceptor: Box<dyn Acceptor>,
    config: Config,
    handshakes: JoinSet<Result<SmbDirect, DirectError>>,
}

impl DirectListener {
    /// Listens.
    pub async fn bind(provider: &dyn Provider, at: SocketAddr, config: Config) -> Result<Self, DirectError> {
        let acceptor = provider.listen(at).await?;
        Ok(Self { acceptor, config, handshakes: JoinSet::new() })
    }

    /// The next connection that is negotiated. Cancel-safe.
    pub async fn accept_direct(&mut self) -> Result<SmbDirect, DirectError> {
        loop {
            let may_accept = self.handshakes.len() < HANDSHAKES;
            tokio::select! {
                Some(outcome) = self.handshakes.join_next() => {
                    // A peer that fails in its handshake is no error of the listener.
                    match outcome {
                        Ok(Ok(transport)) => return Ok(transport),
                        Ok(Err(error)) => tracing::info!(%error, "a peer that wanted to connect failed"),
                        Err(_) => (),
                    }
                }
                incoming = self.acceptor.incoming(), if may_accept => {
                    let incoming = incoming?;
                    self.handshakes.spawn(handshake(incoming, self.config.clone()));
                }
            }
        }
    }
}

async fn handshake(incoming: Box<dyn Incoming>, config: Config) -> Result<SmbDirect, DirectError> {
    let pair = incoming.accept(set_up(&config)).await?;
    SmbDirect::negotiate(pair, Role::Responder, config).await
}

impl Listener for DirectListener {
    fn kind(&self) -> Kind {
        Kind::Rdma
    }

    fn local(&self) -> Option<SocketAddr> {
        self.acceptor.local()
    }

    fn accept(&mut self) -> BoxFuture<'_, Result<Box<dyn Transport>, TransportError>> {
        Box::pin(async move {
            let transport: Box<dyn Transport> = Box::new(self.accept_direct().await?);
            Ok(transport)
        })
    }
}

impl fmt::Debug for DirectListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirectListener").field("local", &self.acceptor.local()).finish_non_exhaustive()
    }
}
