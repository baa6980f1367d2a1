//! The server: what is configured, what all connections share, and where they come in.

use crate::{
    backend::stream::{StreamConsumer, StreamOptions, StreamShare},
    config::{Config, Interface, Limits, Policy},
    core::{
        byte_lock::ByteLocks, doorway::Doorway, quota::AllOpens, session::Sessions, share_mode::ShareModes,
        throttle::Throttle, watch::Watches,
    },
    driver::{self, Token, Traffic},
    entropy,
    keylog::KeyLog,
    listener,
    pipe::Pipes,
    share::Share,
    users::Users,
};
use smb_proto::{
    auth::{Accounts, MicPolicy},
    dialect::{Cipher, Dialect, SigningAlgorithm},
    rpc::srvsvc::ShareInfo,
};
use smb_transport::{Listener, Pool, TcpListener, TcpOptions, Transport, TransportError};
use std::{
    collections::HashMap,
    fmt, io,
    net::SocketAddr,
    ops::RangeInclusive,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{Semaphore, watch},
    time::Instant,
};

/// Addresses whose failed log-ons are remembered.
const MOST_THROTTLED: usize = 4096;

/// Why a server cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        error: TransportError,
    },
    /// Two shares have one name, or a share is called IPC$.
    #[error("share name used twice or reserved")]
    ShareName,
    /// The key log cannot be opened.
    #[error("cannot open the key log: {0}")]
    KeyLog(#[from] io::Error),
    /// What is required cannot be had.
    #[error("{0}")]
    Policy(&'static str),
}

/// What all connections of a server share.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) accounts: Box<dyn Accounts + Send + Sync>,
    pub(crate) sessions: Sessions,
    pub(crate) all_opens: Arc<AllOpens>,
    pub(crate) modes: Arc<ShareModes>,
    pub(crate) byte_locks: Arc<ByteLocks>,
    pub(crate) watches: Arc<Watches>,
    /// IPC$.
    pub(crate) pipes: Arc<Share>,
    /// The shares, as those are told who ask for them.
    pub(crate) share_list: Arc<[ShareInfo]>,
    pub(crate) throttle: Mutex<Throttle>,
    started: Instant,
    pub(crate) keylog: Option<KeyLog>,
    pub(crate) connections: Arc<Semaphore>,
    pub(crate) unauthenticated: Arc<Doorway<Token>>,
    pub(crate) counters: driver::Counters,
    shares: HashMap<String, Arc<Share>>,
    last_connection: AtomicU64,
}

impl Shared {
    /// The share called `name`, whatever its case.
    pub(crate) fn share(&self, name: &str) -> Option<Arc<Share>> {
        self.shares.get(&name.to_lowercase()).cloned()
    }

    /// The time since the server was built.
    pub(crate) fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    pub(crate) fn next_connection(&self) -> u64 {
        self.last_connection.fetch_add(1, Ordering::Relaxed)
    }
}

/// Builds a [`Server`].
#[derive(Default)]
#[must_use]
pub struct Builder {
    config: Config,
    users: Users,
    accounts: Option<Box<dyn Accounts + Send + Sync>>,
    shares: Vec<Share>,
    listen: Vec<SocketAddr>,
    tcp: TcpOptions,
    pool: Pool,
    keylog: Option<KeyLog>,
}

impl Builder {
    /// Listens on a TCP address; port 0 takes a free one, which [`Server::local_addrs`] tells.
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen.push(address);
        self
    }

    /// Lets a user in.
    pub fn user(mut self, name: &str, password: &str) -> Self {
        self.users.add(name, password);
        self
    }

    /// Asks somebody else who may log on, instead of the users given here.
    pub fn accounts(mut self, accounts: impl Accounts + Send + Sync + 'static) -> Self {
        self.accounts = Some(Box::new(accounts));
        self
    }

    /// Lets in unknown users, and clients without a name, as guests. They can neither sign nor seal.
    pub fn guest(mut self, allowed: bool) -> Self {
        self.config.guest = allowed;
        self
    }

    /// Offers a share.
    pub fn share(mut self, share: Share) -> Self {
        self.shares.push(share);
        self
    }

    /// Offers a share that lives in memory.
    pub fn memory_share(self, name: &str) -> Self {
        self.share(Share::new(name, crate::backend::MemoryShare::new()))
    }

    /// Offers a share whose files are streams into `consumer`: the migration share.
    pub fn stream_share(self, name: &str, consumer: impl StreamConsumer, options: StreamOptions) -> Self {
        self.share(Share::new(name, StreamShare::new(consumer, options)))
    }

    /// Whether messages are signed.
    pub fn signing(mut self, policy: Policy) -> Self {
        self.config.signing = policy;
        self
    }

    /// Signing algorithms of 3.1.1, the preferred first.
    pub fn signing_algorithms(mut self, algorithms: impl Into<Vec<SigningAlgorithm>>) -> Self {
        self.config.signing_algorithms = algorithms.into();
        self
    }

    /// Whether messages are sealed. Required, it shuts out dialects below 3.0.
    pub fn encryption(mut self, policy: Policy) -> Self {
        self.config.encryption = policy;
        self
    }

    /// Ciphers of 3.1.1, the preferred first.
    pub fn ciphers(mut self, ciphers: impl Into<Vec<Cipher>>) -> Self {
        self.config.ciphers = ciphers.into();
        self
    }

    /// Dialects that may be chosen.
    pub fn dialects(mut self, dialects: RangeInclusive<Dialect>) -> Self {
        self.config.dialects = dialects;
        self
    }

    /// Whether NTLM clients must send a MIC.
    pub fn mic(mut self, policy: MicPolicy) -> Self {
        self.config.mic = policy;
        self
    }

    /// Offers the private control codes by which smbtorture disturbs a server. For conformance suites only.
    pub fn torture_fsctl(mut self, offered: bool) -> Self {
        self.config.torture_fsctl = offered;
        self
    }

    /// Tells clients of an address, instead of those that the host has.
    pub fn interface(mut self, interface: Interface) -> Self {
        self.config.interfaces.push(interface);
        self
    }

    /// The most bytes of one READ or WRITE.
    pub fn max_io(mut self, bytes: u32) -> Self {
        self.config.limits.max_io = bytes;
        self
    }

    /// The most credits one connection holds; each is worth 64 KiB of a READ or WRITE.
    pub fn max_credits(mut self, credits: u16) -> Self {
        self.config.limits.max_credits = credits;
        self
    }

    /// Changes the other limits.
    pub fn limits(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        change(&mut self.config.limits);
        self
    }

    /// The server's NetBIOS name.
    pub fn name(mut self, name: &str) -> Self {
        self.config.name = name.to_owned();
        self
    }

    /// How accepted TCP connections are set up.
    pub fn tcp_options(mut self, options: TcpOptions) -> Self {
        self.tcp = options;
        self
    }

    /// Writes the keys of every session to a file, for Wireshark. Whoever reads it can read the sessions.
    pub fn keylog(mut self, path: &Path) -> io::Result<Self> {
        self.keylog = Some(KeyLog::open(path)?);
        Ok(self)
    }

    /// Binds the listeners. Needs a tokio runtime with I/O and time.
    pub fn build(mut self) -> Result<Server, BuildError> {
        self.check()?;
        self.config.guid = entropy::random();
        self.users.set_guest(self.config.guest);
        let listeners = self.bind()?;
        let limits = &self.config.limits;
        let permits = |count: usize| Arc::new(Semaphore::new(count.clamp(1, Semaphore::MAX_PERMITS)));
        let connections = permits(limits.max_connections);
        let unauthenticated = Doorway::new(limits.max_unauthenticated);
        let all_opens = AllOpens::new(limits.max_all_opens);
        let shares = by_name(self.shares)?;
        let started = Instant::now();
        let share_list = share_list(&shares);
        let shared = Shared {
            config: self.config,
            accounts: self.accounts.unwrap_or_else(|| Box::new(self.users)),
            sessions: Sessions::default(),
            all_opens,
            modes: Arc::default(),
            byte_locks: Arc::default(),
            watches: Arc::new(Watches::new(Arc::new(move || started.elapsed()))),
            pipes: Arc::new(Share::new("IPC$", Pipes)),
            share_list,
            throttle: Mutex::new(Throttle::new(MOST_THROTTLED)),
            started,
            keylog: self.keylog,
            connections,
            unauthenticated,
            counters: driver::Counters::default(),
            shares,
            last_connection: AtomicU64::new(0),
        };
        let drain = watch::Sender::new(false);
        Ok(Server { handle: Handle { shared: Arc::new(shared), drain: Arc::new(drain) }, listeners })
    }

    fn check(&self) -> Result<(), BuildError> {
        let config = &self.config;
        if config.dialects.is_empty() {
            return Err(BuildError::Policy("no dialect is left"));
        }
        if config.encryption == Policy::Required
            && (config.ciphers.is_empty() || !config.dialects.end().is_smb3())
        {
            return Err(BuildError::Policy(
                "encryption is required, but no dialect and cipher is left for it",
            ));
        }
        if config.signing_algorithms.is_empty() {
            return Err(BuildError::Policy("no signing algorithm is left"));
        }
        Ok(())
    }

    fn bind(&self) -> Result<Vec<Box<dyn Listener>>, BuildError> {
        let bind = |address: &SocketAddr| {
            let listener = TcpListener::bind(*address, self.pool.clone(), self.tcp.clone());
            let listener = listener.map_err(|error| BuildError::Listen { address: *address, error })?;
            let listener: Box<dyn Listener> = Box::new(listener);
            Ok(listener)
        };
        self.listen.iter().map(bind).collect()
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("config", &self.config).finish_non_exhaustive()
    }
}

/// The shares by name, and IPC$.
fn share_list(shares: &HashMap<String, Arc<Share>>) -> Arc<[ShareInfo]> {
    let mut list: Vec<_> = shares.values().map(|share| ShareInfo::disk(share.name(), "")).collect();
    list.sort_by(|one, other| one.name.cmp(&other.name));
    list.push(ShareInfo::ipc("Named pipes"));
    list.into()
}

fn by_name(shares: Vec<Share>) -> Result<HashMap<String, Arc<Share>>, BuildError> {
    let mut named = HashMap::new();
    for share in shares {
        let name = share.name().to_lowercase();
        if name.is_empty() || name == "ipc$" || name.contains(['\\', '/']) {
            return Err(BuildError::ShareName);
        }
        if named.insert(name, Arc::new(share)).is_some() {
            return Err(BuildError::ShareName);
        }
    }
    Ok(named)
}

/// A server, ready to [`run`](Self::run).
pub struct Server {
    handle: Handle,
    listeners: Vec<Box<dyn Listener>>,
}

impl Server {
    /// Begins to build one.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The addresses it listens on, in the order they were given.
    pub fn local_addrs(&self) -> Vec<SocketAddr> {
        self.listeners.iter().filter_map(|listener| listener.local()).collect()
    }

    /// Also accepts the connections of another kind of listener.
    pub fn add_listener(&mut self, listener: Box<dyn Listener>) {
        self.listeners.push(listener);
    }

    /// To serve single connections and to stop the server from elsewhere.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Accepts connections until `shutdown` resolves or [`Handle::stop`] is called; then lets requests under way end,
    /// for [`Limits::drain`] at most, and closes all connections.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let Self { handle, listeners } = self;
        let accepting: Vec<_> = listeners
            .into_iter()
            .map(|listener| tokio::spawn(listener::accept(handle.clone(), listener)))
            .collect();
        tokio::select! {
            () = shutdown => {}
            () = handle.stopped() => {}
        }
        handle.stop();
        for task in accepting {
            let _ = task.await;
        }
        handle.idle().await;
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("listening", &self.local_addrs()).finish_non_exhaustive()
    }
}

/// A running server, from the side.
#[derive(Clone)]
pub struct Handle {
    pub(crate) shared: Arc<Shared>,
    pub(crate) drain: Arc<watch::Sender<bool>>,
}

impl Handle {
    /// Serves one connection to its end, whatever carries it.
    pub async fn serve(&self, transport: impl Transport + 'static) {
        let Ok(place) = self.shared.connections.clone().try_acquire_owned() else { return };
        driver::run(self.shared.clone(), Box::new(transport), self.drain.subscribe(), None).await;
        drop(place);
    }

    /// Stops accepting, lets requests under way end, closes.
    pub fn stop(&self) {
        self.drain.send_replace(true);
    }

    /// Resolves once [`stop`](Self::stop) was called.
    pub(crate) async fn stopped(&self) {
        let _ = self.drain.subscribe().wait_for(|stop| *stop).await;
    }

    /// Resolves when there is no connection.
    pub(crate) async fn idle(&self) {
        let all = self.shared.config.limits.max_connections.clamp(1, Semaphore::MAX_PERMITS);
        let _ = self.shared.connections.acquire_many(u32::try_from(all).unwrap_or(u32::MAX)).await;
    }

    /// Connections at present, those on which nobody has authenticated included.
    pub fn connections(&self) -> usize {
        let all = self.shared.config.limits.max_connections.clamp(1, Semaphore::MAX_PERMITS);
        all.saturating_sub(self.shared.connections.available_permits())
    }

    /// Sessions at present.
    pub fn sessions(&self) -> usize {
        self.shared.sessions.len()
    }

    /// Data that READs and WRITEs have moved so far, over all connections, by the way it travelled.
    pub fn traffic(&self) -> Traffic {
        self.shared.counters.read()
    }

    /// Files that are open at present.
    pub fn open_files(&self) -> usize {
        self.shared.modes.len()
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("sessions", &self.sessions()).finish_non_exhaustive()
    }
}
