//! What an embedder decides: names, policies, limits.

use smb_proto::{
    auth::MicPolicy,
    dialect::{Cipher, Dialect, SigningAlgorithm},
};
use std::{net::IpAddr, ops::RangeInclusive, time::Duration};

/// How much of a protection is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// Not offered.
    Off,
    /// Used where the client wants it.
    #[default]
    Allowed,
    /// Clients without it are refused.
    Required,
}

/// An address that clients are told of, for further connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interface {
    /// The address.
    pub address: IpAddr,
    /// Bits per second, where they are not to be asked of the host.
    pub speed: Option<u64>,
    /// Several connections to it pay, since its NIC spreads them over processors.
    pub rss: bool,
    /// It can be reached by RDMA, too.
    pub rdma: bool,
}

/// Bounds on what clients can make the server hold.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Limits {
    /// The most bytes of one READ or WRITE.
    pub max_io: u32,
    /// The most bytes of a QUERY_INFO, QUERY_DIRECTORY, SET_INFO or IOCTL buffer.
    pub max_transact: u32,
    /// The most credits one connection holds.
    pub max_credits: u16,
    /// Connections at a time.
    pub max_connections: usize,
    /// Connections at a time on which nobody has authenticated yet. One more takes the place of the one that has been
    /// silent or busy authenticating for longest, so that nobody can shut the server by connecting to it.
    pub max_unauthenticated: usize,
    /// How long a connection may stay without an authenticated session.
    pub auth_timeout: Duration,
    /// How long a log-on lasts before the client must authenticate again; `None`: for ever.
    pub session_lifetime: Option<Duration>,
    /// Sessions of one connection, those under way included.
    pub max_sessions: usize,
    /// Share connections of one session.
    pub max_trees: usize,
    /// Opens of one session.
    pub max_opens: usize,
    /// Bytes of answers one connection may have waiting; a READ waits for its share before it is begun.
    pub outbound_bytes: usize,
    /// Requests of one connection that may be under way; half as many may wait behind an interim response besides. Beyond
    /// them nothing more is read, not even a CANCEL, until an answer has left.
    pub max_pending: usize,
    /// Bytes of requests that one connection may have under way behind an interim response; beyond it requests
    /// keep their credits until they are done.
    pub async_bytes: usize,
    /// After how long a request that still waits gets an interim response.
    pub interim_after: Duration,
    /// How long a shutdown waits for requests under way.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_io: 8 << 20,
            max_transact: 8 << 20,
            max_credits: 8192,
            max_connections: 4096,
            max_unauthenticated: 256,
            auth_timeout: Duration::from_secs(30),
            session_lifetime: None,
            max_sessions: 64,
            max_trees: 256,
            max_opens: 16_384,
            outbound_bytes: 64 << 20,
            max_pending: 2048,
            async_bytes: 64 << 20,
            interim_after: Duration::from_millis(10),
            drain: Duration::from_secs(10),
        }
    }
}

/// All that the protocol's decisions depend on.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// The server's NetBIOS name.
    pub name: String,
    /// ServerGuid.
    pub guid: [u8; 16],
    /// Dialects that may be chosen.
    pub dialects: RangeInclusive<Dialect>,
    /// Whether messages are signed.
    pub signing: Policy,
    /// Signing algorithms of 3.1.1, the preferred first.
    pub signing_algorithms: Vec<SigningAlgorithm>,
    /// Whether messages are sealed.
    pub encryption: Policy,
    /// Ciphers of 3.1.1, the preferred first; 3.0 and 3.0.2 use AES-128-CCM, if it is among them.
    pub ciphers: Vec<Cipher>,
    /// Whether unknown users and clients without a name are let in as guests.
    pub guest: bool,
    /// Whether NTLM clients must send a MIC. The Linux kernel's client never does.
    pub mic: MicPolicy,
    /// Whether smbtorture's private control codes are offered.
    pub torture_fsctl: bool,
    /// The addresses that clients are told of; none: those that the host has.
    pub interfaces: Vec<Interface>,
    /// Bounds.
    pub limits: Limits,
}

impl Default for Config {
    fn default() -> Self {
        use SigningAlgorithm as Sign;
        Self {
            name: "SMBSERVER".into(),
            guid: [0; 16],
            dialects: Dialect::SMB_2_0_2..=Dialect::SMB_3_1_1,
            signing: Policy::Allowed,
            signing_algorithms: vec![Sign::AES_GMAC, Sign::AES_CMAC, Sign::HMAC_SHA256],
            encryption: Policy::Allowed,
            ciphers: vec![Cipher::AES_128_GCM, Cipher::AES_256_GCM, Cipher::AES_128_CCM, Cipher::AES_256_CCM],
            guest: false,
            mic: MicPolicy::WhenAnnounced,
            torture_fsctl: false,
            interfaces: Vec::new(),
            limits: Limits::default(),
        }
    }
}
