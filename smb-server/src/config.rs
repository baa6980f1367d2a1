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
    /// Opens of all sessions together; no user has more than are left for others. Those of a directory each take a file
    /// descriptor or two of the process: where it may have few, `smb-server` lowers this, so that connections can always be
    /// accepted.
    pub max_all_opens: usize,
    /// Bytes of answers one connection may have waiting; a READ waits for its share before it is begun.
    pub outbound_bytes: usize,
    /// Requests of one connection that may be under way; half as many may wait behind an interim response besides. Beyond
    /// them nothing more is read, not even a CANCEL, until an answer has left or the client itself: FLUSHes and WRITEs of a stream
    /// whose consumer does not read can bring a client there.
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
            max_all_opens: 262_144,
            outbound_bytes: 64 << 20,
            max_pending: 2048,
            async_bytes: 64 << 20,
            interim_after: Duration::from_millis(10),
            drain: Duration::from_secs(10),
        }
    }
}

const KIB: u64 = 1 << 10;
/// What a frame may hold beyond what its credits pay for, or beyond its payload: headers, descriptors, names.
pub(crate) const OVERHEAD: usize = 64 << 10;
/// What one request takes beyond its data and answer: its task, its buffers' head-room and slack.
const REQUEST: u64 = 16 * KIB;
/// What one open takes: tables, names, the storage's handle, a listing that has begun.
const OPEN: u64 = 8 * KIB;
/// What a connection takes that does nothing: tasks, queues, a staged read.
const CONNECTION: u64 = 64 * KIB;
/// Free memory that a pool keeps ([`smb_transport::Pool`]), and what else is there once.
const ONCE: u64 = (256 + 64) << 20;

impl Limits {
    /// A bound on the server's memory, in bytes, while so many connections are there on which nobody has authenticated,
    /// so many on which somebody has, and so many opens, whatever all of them do. Files in a memory share, watched
    /// directories (less than 1 MiB each: 64 KiB of changes, as they are sent, and 1024 of the server's own), what the host
    /// tells of them (16 MiB of paths in a share) and byte-range locks (8192 of a file) come on top.
    ///
    /// ```text
    ///   once          256 MiB of free buffers in the pool, 64 MiB for all that is fixed
    ///   unproven      32 requests of INITIAL_LIMIT bytes
    ///   authenticated received: max_credits × 64 KiB + async_bytes + one frame of max(max_io, max_transact)
    ///                 to send:  outbound_bytes
    ///                 requests: max_pending × 1.5 × (64 KiB + 16 KiB), which needs no credits: overhead, small answers
    ///   open          8 KiB
    /// ```
    /// Received and sent bytes count twice: buffers come in powers of two, and the parts of a compound are copied.
    pub fn memory_bound(&self, unproven: usize, authenticated: usize, opens: usize) -> u64 {
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let unproven = number(unproven.min(self.max_unauthenticated));
        let authenticated = number(authenticated.min(self.max_connections));
        let opens = number(opens.min(self.max_all_opens));
        let early = number(crate::core::connection::EARLY_CREDITS.into());
        let stranger = early * 2 * (number(smb_transport::INITIAL_LIMIT) + REQUEST);
        let frame = u64::from(self.max_io.max(self.max_transact)) + number(OVERHEAD);
        let received = u64::from(self.max_credits) * 64 * KIB + number(self.async_bytes) + frame;
        let moved = received.saturating_add(number(self.outbound_bytes)).saturating_mul(2);
        let requests = number(self.max_pending.saturating_add(self.max_pending / 2));
        let requests = requests.saturating_mul(number(OVERHEAD) + REQUEST);
        let client = moved.saturating_add(requests).saturating_add(CONNECTION);
        ONCE.saturating_add(unproven.saturating_mul(stranger + CONNECTION))
            .saturating_add(authenticated.saturating_mul(client))
            .saturating_add(opens.saturating_mul(OPEN))
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
