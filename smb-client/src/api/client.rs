//! The client: options and a way in.

use crate::{
    api::{
        Session,
        dial::{Connector, Dial, Way, server_name},
    },
    error::Error,
    options::{Encryption, Options, Signing},
};
use smb_proto::{
    auth::Credentials,
    dialect::{Cipher, Dialect, SigningAlgorithm},
};
use smb_transport::{Pool, TcpOptions, Transport};
use std::{ops::RangeInclusive, path::PathBuf, sync::Arc, time::Duration};

/// Options and credentials with which sessions are opened. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    config: Arc<Config>,
}

#[derive(Debug)]
pub(crate) struct Config {
    pub options: Options,
    pub credentials: Credentials,
    pub tcp: TcpOptions,
    pub pool: Pool,
}

impl Client {
    /// A client to be set up.
    pub fn builder() -> ClientBuilder {
        ClientBuilder {
            options: Options::default(),
            credentials: Credentials::Anonymous,
            tcp: TcpOptions::default(),
            pool: None,
        }
    }

    /// Connects by TCP to `host:port` or `host` (port 445) and logs on. When the connection is lost, the session comes
    /// back by itself with the next operation: [`ClientBuilder::reconnect`].
    pub async fn connect(&self, address: &str) -> Result<Session, Error> {
        let way = Way::Tcp(address.to_owned());
        self.dial(Dial::new(self.config.clone(), way, server_name(address)?)?).await
    }

    /// Connects by a wire of the caller's own and logs on; when the connection is lost, `connector` is asked for another.
    /// `server_name` is what the server is called: it goes into the share's path and is covered by the password's
    /// proof.
    pub async fn connect_by(
        &self,
        connector: impl Connector + 'static,
        server_name: &str,
    ) -> Result<Session, Error> {
        let way = Way::Own(Arc::new(connector));
        self.dial(Dial::new(self.config.clone(), way, server_name.to_owned())?).await
    }

    /// Logs on over a connection that is there already. When it is lost, so is the session: there is no way to make
    /// another. `server_name` as for [`connect_by`](Self::connect_by).
    pub async fn connect_over(
        &self,
        transport: Box<dyn Transport>,
        server_name: &str,
    ) -> Result<Session, Error> {
        let dial = Dial::new(self.config.clone(), Way::Given, server_name.to_owned())?;
        let connected = dial.log_on(transport, 0).await?;
        Ok(Session::new(connected, dial))
    }

    async fn dial(&self, dial: Dial) -> Result<Session, Error> {
        let connected = dial.dial(0).await?;
        Ok(Session::new(connected, dial))
    }
}

/// Sets up a [`Client`].
#[derive(Debug, Clone)]
pub struct ClientBuilder {
    options: Options,
    credentials: Credentials,
    tcp: TcpOptions,
    pool: Option<Pool>,
}

impl ClientBuilder {
    /// Logs on by name and password. `DOMAIN\user` names a domain. Without it: anonymously.
    #[must_use]
    pub fn user(mut self, user: &str, password: &str) -> Self {
        self.credentials = Credentials::password(user, "", password);
        self
    }

    /// Logs on with credentials made elsewhere.
    #[must_use]
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = credentials;
        self
    }

    /// Dialects to offer; all from 2.0.2 to 3.1.1 by default.
    #[must_use]
    pub fn dialects(mut self, dialects: RangeInclusive<Dialect>) -> Self {
        self.options.dialects = dialects;
        self
    }

    /// Ciphers to offer, by preference; empty for none. 3.0 and 3.0.2 know AES-128-CCM only.
    #[must_use]
    pub fn ciphers(mut self, ciphers: &[Cipher]) -> Self {
        self.options.ciphers = ciphers.to_vec();
        self
    }

    /// Signing algorithms to offer, by preference; before 3.1.1 the dialect decides.
    #[must_use]
    pub fn signing_algorithms(mut self, algorithms: &[SigningAlgorithm]) -> Self {
        self.options.signing_algorithms = algorithms.to_vec();
        self
    }

    /// Whether requests are signed; required by default.
    #[must_use]
    pub fn signing(mut self, signing: Signing) -> Self {
        self.options.signing = signing;
        self
    }

    /// Whether requests are sealed; where the server asks for it by default.
    #[must_use]
    pub fn encryption(mut self, encryption: Encryption) -> Self {
        self.options.encryption = encryption;
        self
    }

    /// How long a request may go without any answer, and a server with requests to answer without any word; 60 s by
    /// default. Requests that the server says it works on are waited for as long as it lives.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = timeout;
        self
    }

    /// Credits to strive for, each worth 64 KiB under way; by default what [`window`](Self::window) needs, 8192 at most, and some
    /// more.
    #[must_use]
    pub fn credits(mut self, credits: u16) -> Self {
        self.options.credits = Some(credits);
        self
    }

    /// Shorter reads and writes travel in the message even where the transport could place them; 8 KiB by default.
    #[must_use]
    pub fn placement_threshold(mut self, bytes: usize) -> Self {
        self.options.placement_threshold = bytes;
        self
    }

    /// A connection without traffic for so long is asked by an ECHO whether it is still there, which keeps it known to what
    /// lies between; zero turns that off; 60 s by default. [MS-SMB2] 3.2.4.1.4.
    #[must_use]
    pub fn keep_alive(mut self, time: Duration) -> Self {
        self.options.keep_alive = time;
        self
    }

    /// For how long an operation that finds its connection gone tries to come back, with pauses that grow to 2 s; zero
    /// for not at all; 10 s by default. Session and share connections are set up anew; files that were open are lost,
    /// and their operations fail with [`Error::OpenLost`].
    #[must_use]
    pub fn reconnect(mut self, within: Duration) -> Self {
        self.options.reconnect = within;
        self
    }

    /// The most bytes one transfer keeps under way, and so the memory it takes; 64 MiB by default, which is enough
    /// for 10 Gbit/s over 50 ms. Within that what is under way follows the measured bandwidth and delay, as far as the server
    /// grants credits for it.
    #[must_use]
    pub fn window(mut self, bytes: usize) -> Self {
        self.options.window = bytes;
        self
    }

    /// Appends the keys of every session to this file, for Wireshark.
    #[must_use]
    pub fn keylog(mut self, path: impl Into<PathBuf>) -> Self {
        self.options.keylog = Some(path.into());
        self
    }

    /// How TCP connections are set up.
    #[must_use]
    pub fn tcp(mut self, tcp: TcpOptions) -> Self {
        self.tcp = tcp;
        self
    }

    /// Where buffers come from; a pool of its own by default.
    #[must_use]
    pub fn pool(mut self, pool: Pool) -> Self {
        self.pool = Some(pool);
        self
    }

    /// The client.
    pub fn build(self) -> Result<Client, Error> {
        self.options.check()?;
        let Self { options, credentials, tcp, pool } = self;
        let config = Config { options, credentials, tcp, pool: pool.unwrap_or_default() };
        Ok(Client { config: Arc::new(config) })
    }

    /// Builds the client and connects it: [`Client::connect`].
    pub async fn connect(self, address: &str) -> Result<Session, Error> {
        self.build()?.connect(address).await
    }

    /// Builds the client and logs on over `transport`: [`Client::connect_over`].
    pub async fn connect_over(
        self,
        transport: Box<dyn Transport>,
        server_name: &str,
    ) -> Result<Session, Error> {
        self.build()?.connect_over(transport, server_name).await
    }
}
