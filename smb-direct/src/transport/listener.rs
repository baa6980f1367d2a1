//! Where SMB Direct connections come in.

use super::{DirectError, SmbDirect, set_up};
use crate::{
    rdma::{Acceptor, Incoming, Provider, RdmaError},
    smbd::{Config, core::Role},
};
use smb_transport::{BoxFuture, Kind, Listener, Transport, TransportError};
use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};

/// Negotiations that may be under way; more peers wait.
const HANDSHAKES: usize = 64;
/// The pause before a listener that was lost is tried to be made anew.
const PAUSE: Duration = Duration::from_secs(1);

/// Accepts connections and negotiates with each in its own task, so that a slow peer holds up nobody.
///
/// A device that is removed takes its listener with it; once it is back, there is another one.
pub struct DirectListener {
    provider: Arc<dyn Provider>,
    at: SocketAddr,
    config: Config,
    place: Place,
    handshakes: JoinSet<Result<SmbDirect, DirectError>>,
}

enum Place {
    Listening(Box<dyn Acceptor>),
    /// It was lost, and is looked for at that time.
    Lost(Instant),
}

impl DirectListener {
    /// Listens.
    pub async fn bind(
        provider: Arc<dyn Provider>,
        at: SocketAddr,
        config: Config,
    ) -> Result<Self, DirectError> {
        let acceptor = provider.listen(at).await?;
        let at = acceptor.local().unwrap_or(at);
        Ok(Self { provider, at, config, place: Place::Listening(acceptor), handshakes: JoinSet::new() })
    }

    /// The next connection that is negotiated. Cancel-safe.
    pub async fn accept_direct(&mut self) -> SmbDirect {
        loop {
            let may_accept = self.handshakes.len() < HANDSHAKES;
            tokio::select! {
                Some(outcome) = self.handshakes.join_next() => match outcome {
                    Ok(Ok(transport)) => return transport,
                    // A peer that fails in its handshake is no error of the listener.
                    Ok(Err(error)) => tracing::info!(%error, "a peer that wanted to connect failed"),
                    Err(_) => (),
                },
                event = next(&mut self.place, self.provider.as_ref(), self.at), if may_accept => match event {
                    Event::Incoming(incoming) => {
                        self.handshakes.spawn(handshake(incoming, self.config.clone()));
                    }
                    Event::Found(acceptor) => {
                        tracing::info!(at = %self.at, "listening for RDMA again");
                        self.place = Place::Listening(acceptor);
                    }
                    Event::Lost(error) => {
                        tracing::warn!(at = %self.at, %error, "the RDMA listener is gone; it is tried again");
                        self.place = Place::Lost(Instant::now() + PAUSE);
                    }
                    Event::NotFound => self.place = Place::Lost(Instant::now() + PAUSE),
                },
            }
        }
    }
}

enum Event {
    Incoming(Box<dyn Incoming>),
    Lost(RdmaError),
    Found(Box<dyn Acceptor>),
    NotFound,
}

async fn next(place: &mut Place, provider: &dyn Provider, at: SocketAddr) -> Event {
    match place {
        Place::Listening(acceptor) => match acceptor.incoming().await {
            Ok(incoming) => Event::Incoming(incoming),
            Err(error) => Event::Lost(error),
        },
        Place::Lost(until) => {
            sleep_until(*until).await;
            provider.listen(at).await.map_or(Event::NotFound, Event::Found)
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
        Some(self.at)
    }

    fn accept(&mut self) -> BoxFuture<'_, Result<Box<dyn Transport>, TransportError>> {
        Box::pin(async move {
            let transport: Box<dyn Transport> = Box::new(self.accept_direct().await);
            Ok(transport)
        })
    }
}

impl fmt::Debug for DirectListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirectListener").field("at", &self.at).finish_non_exhaustive()
    }
}
