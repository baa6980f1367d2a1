//! The way to a server, to be gone again when a connection is lost.

use crate::{
    api::client::Config,
    core::backoff::Backoff,
    driver::connect::{Connected, Login, connect, random},
    error::{Error, UsageError},
};
use smb_transport::{BoxFuture, TcpTransport, Transport, TransportError};
use std::{fmt, net::SocketAddr, sync::Arc};
use tokio::time::Instant;

/// Makes connections to one server, as often as they are lost. Any function that returns such a future is one.
pub trait Connector: Send + Sync {
    /// A new connection. It is dropped, and with it what it has begun, when the attempt takes too long.
    fn connect(&self) -> BoxFuture<'static, Result<Box<dyn Transport>, TransportError>>;
}

impl<F> Connector for F
where
    F: Fn() -> BoxFuture<'static, Result<Box<dyn Transport>, TransportError>> + Send + Sync,
{
    fn connect(&self) -> BoxFuture<'static, Result<Box<dyn Transport>, TransportError>> {
        self()
    }
}

/// How the wire to the server comes about.
#[derive(Clone)]
pub(crate) enum Way {
    /// TCP to `host:port`, resolved anew each time.
    Tcp(String),
    /// The embedder's own.
    Own(Arc<dyn Connector>),
    /// A connection that was handed in once: there is no way back.
    Given,
}

/// The way to a server, and who goes it.
#[derive(Clone)]
pub(crate) struct Dial {
    pub config: Arc<Config>,
    pub way: Way,
    pub server_name: String,
    /// What the server knows this client by.
    pub client_guid: [u8; 16],
}

impl fmt::Debug for Dial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dial").field("server_name", &self.server_name).finish_non_exhaustive()
    }
}

impl Dial {
    pub fn new(config: Arc<Config>, way: Way, server_name: String) -> Result<Self, Error> {
        Ok(Self { config, way, server_name, client_guid: random()? })
    }

    /// Connects and logs on, in place of the session `previous` (0 for none).
    pub async fn dial(&self, previous: u64) -> Result<Connected, Error> {
        match &self.way {
            Way::Tcp(address) => {
                let mut last = Error::Usage(UsageError::Address);
                for address in resolve(address).await?.1 {
                    match self.tcp(address).await {
                        Ok(transport) => return self.log_on(Box::new(transport), previous).await,
                        Err(error) => last = error.into(),
                    }
                }
                Err(last)
            }
            Way::Own(connector) => {
                let transport = tokio::time::timeout(self.config.options.timeout, connector.connect()).await;
                self.log_on(transport.map_err(|_| TransportError::TimedOut)??, previous).await
            }
            Way::Given => Err(TransportError::Closed.into()),
        }
    }

    async fn tcp(&self, address: SocketAddr) -> Result<TcpTransport, TransportError> {
        let mut options = self.config.tcp.clone();
        options.connect_timeout = options.connect_timeout.min(self.config.options.timeout);
        TcpTransport::connect(address, None, self.config.pool.clone(), &options).await
    }

    /// Logs on over a connection.
    pub async fn log_on(&self, transport: Box<dyn Transport>, previous: u64) -> Result<Connected, Error> {
        let login = Login {
            options: &self.config.options,
            credentials: &self.config.credentials,
            server_name: &self.server_name,
            client_guid: self.client_guid,
            previous_session_id: previous,
        };
        connect(transport, login).await
    }

    /// Tries to come back for as long as the options say, with growing pauses. What is refused, rather than not
    /// reached, is not tried again.
    pub async fn come_back(&self, previous: u64, lost: Error) -> Result<Connected, Error> {
        let within = self.config.options.reconnect;
        if within.is_zero() || matches!(self.way, Way::Given) {
            return Err(Error::NotSent(Arc::new(lost)));
        }
        let (started, mut backoff) = (Instant::now(), Backoff::new(within));
        loop {
            let error = match self.dial(previous).await {
                Ok(connected) => return Ok(connected),
                Err(error) => error,
            };
            let pause = backoff.failed(started.elapsed()).filter(|_| may_pass(&error));
            let Some(pause) = pause else { return Err(Error::NotSent(Arc::new(error))) };
            tracing::debug!(%error, ?pause, "reconnect failed");
            tokio::time::sleep(pause).await;
        }
    }
}

/// Whether trying again may help.
fn may_pass(error: &Error) -> bool {
    match error {
        Error::Transport(_) | Error::Stalled { .. } | Error::Timeout { .. } => true,
        Error::Status(refused) => refused.status.advice() == smb_proto::status::Advice::Retry,
        _ => false,
    }
}

/// The host's name, and its addresses in the order to try.
pub(crate) async fn resolve(address: &str) -> Result<(String, Vec<SocketAddr>), Error> {
    if let Ok(address) = address.parse::<SocketAddr>() {
        return Ok((address.ip().to_string(), vec![address]));
    }
    let (host, port) = host_and_port(address)?;
    let found = tokio::net::lookup_host((host, port)).await.map_err(|_| UsageError::Address)?;
    Ok((host.to_owned(), found.collect()))
}

fn host_and_port(address: &str) -> Result<(&str, u16), Error> {
    const PORT: u16 = 445;
    Ok(match address.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') => (host, port.parse().map_err(|_| UsageError::Address)?),
        _ => (address.trim_matches(['[', ']']), PORT),
    })
}

/// What the server at `address` is called.
pub(crate) fn server_name(address: &str) -> Result<String, Error> {
    if let Ok(address) = address.parse::<SocketAddr>() {
        return Ok(address.ip().to_string());
    }
    Ok(host_and_port(address)?.0.to_owned())
}
