//! The traits.

use super::{Depths, RdmaError, ReadRequest, SendRequest, WriteRequest};
use smb_transport::{Access, BoxFuture, BufferDescriptor, Buffers, IoBuf, Token};
use std::{
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll},
};

/// What sets a connection up.
#[derive(Debug, Clone, Default)]
pub struct SetUp {
    /// Bytes for the peer to see before it decides. A provider whose wire carries no depths adds them as its peers
    /// expect.
    pub private_data: Vec<u8>,
    /// Read depths we can do; the device may lower them.
    pub depths: Depths,
    /// What the queues must hold.
    pub queues: Queues,
    /// Bytes of the one receive the provider posts itself, before the connection can carry anything: the first message
    /// meets it.
    pub first_receive: usize,
}

/// Sizes of the queues; no more is taken, even where the device has room. A place is free again when its completion has
/// been taken from [`QueuePair::poll_completions`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queues {
    /// Sends and writes that may be posted and not done. Reads are not among them: [`Depths`] bounds those.
    pub sends: usize,
    /// Receives that may be posted.
    pub receives: usize,
}

impl Default for Queues {
    /// 256 each.
    fn default() -> Self {
        Self { sends: 256, receives: 256 }
    }
}

/// A device, or software that does as one.
pub trait Provider: Send + Sync {
    /// What to call it, in logs and explanations.
    fn name(&self) -> &'static str;

    /// Connects.
    fn connect(&self, to: SocketAddr, with: SetUp) -> BoxFuture<'_, Result<Box<dyn QueuePair>, RdmaError>>;

    /// Listens.
    fn listen(&self, at: SocketAddr) -> BoxFuture<'_, Result<Box<dyn Acceptor>, RdmaError>>;
}

/// Where connections come in.
pub trait Acceptor: Send {
    /// The address listened on.
    fn local(&self) -> Option<SocketAddr>;

    /// The next peer that wants to connect. Cancel-safe.
    fn incoming(&mut self) -> BoxFuture<'_, Result<Box<dyn Incoming>, RdmaError>>;
}

/// A peer that wants to connect. Dropped, it is rejected.
pub trait Incoming: Send {
    /// What the peer put into the private data.
    fn private_data(&self) -> &[u8];

    /// The peer's read depths.
    fn depths(&self) -> Depths;

    /// Takes the connection.
    fn accept(self: Box<Self>, with: SetUp) -> BoxFuture<'static, Result<Box<dyn QueuePair>, RdmaError>>;

    /// Turns it down.
    fn reject(self: Box<Self>, private_data: Vec<u8>);
}

/// What is known of a connection.
#[derive(Debug, Clone)]
pub struct PairInfo {
    /// Our address.
    pub local: Option<SocketAddr>,
    /// The peer's.
    pub peer: Option<SocketAddr>,
    /// Speed of the port in bits per second, where known.
    pub speed: Option<u64>,
    /// What the peer put into the private data.
    pub private_data: Vec<u8>,
    /// RDMA reads we may have under way.
    pub reads: u8,
    /// The most bytes one RDMA read or write moves.
    pub max_transfer: usize,
    /// The most descriptors a buffer of the largest size opened here needs.
    pub max_descriptors: usize,
    /// Whether the peer may invalidate what is opened here with a message of its.
    pub remote_invalidate: bool,
    /// Where the device falls short of what it should do.
    pub quirks: Quirks,
}

/// Ways in which a device falls short of what it should do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Quirks {
    /// Who reached for memory in vain cannot tell that from an orderly end.
    pub silent_refusals: bool,
    /// Memory that is open to be written can be read as well.
    pub unchecked_reads: bool,
}

/// What came of something posted.
#[derive(Debug)]
pub enum Completion {
    /// A message arrived.
    Received {
        /// The message: a posted receive, cut to it.
        message: IoBuf,
        /// The token of ours that was invalidated with it. Nothing reaches that memory through it any more.
        invalidated: Option<Token>,
    },
    /// A send or a write is done; its buffers are let go.
    Sent,
    /// An RDMA read is done.
    Read {
        /// As it was posted.
        id: u64,
        /// The buffer.
        into: IoBuf,
    },
    /// The connection is over: in an orderly way, or for this reason. The last completion; nothing else that was posted
    /// completes any more.
    Disconnected(Option<RdmaError>),
}

/// One reliable connection. Dropping it disconnects.
///
/// Posting never blocks. Where it fails with anything but [`RdmaError::Closed`], the caller broke a rule and nothing was
/// posted.
pub trait QueuePair: Send + Sync {
    /// What is known of it.
    fn info(&self) -> &PairInfo;

    /// Buffers the device knows.
    fn buffers(&self) -> Arc<dyn Buffers>;

    /// Lets the window of `buf` receive one message.
    fn post_receive(&self, buf: IoBuf) -> Result<(), RdmaError>;

    /// Sends one message into a receive of the peer's.
    fn post_send(&self, request: SendRequest) -> Result<(), RdmaError>;

    /// Writes to memory of the peer's.
    fn post_write(&self, request: WriteRequest) -> Result<(), RdmaError>;

    /// Reads memory of the peer's; `id` comes back with the completion. The caller keeps at most
    /// [`PairInfo::reads`] parts under way.
    fn post_read(&self, id: u64, request: ReadRequest) -> Result<(), RdmaError>;

    /// Opens `buf`'s window to the peer.
    fn open(&self, buf: IoBuf, access: Access) -> Result<Box<dyn Opened>, (RdmaError, IoBuf)>;

    /// Moves completions that are there to the end of `into`, or remembers to wake the one task that asks.
    fn poll_completions(&self, cx: &mut Context<'_>, into: &mut Vec<Completion>) -> Poll<()>;

    /// Ends the connection, after what has been posted.
    fn disconnect(&self);
}

/// Memory the peer may reach. Dropped, it stays with the connection until nothing can reach it.
pub trait Opened: Send + Sync {
    /// What the peer needs to know.
    fn descriptors(&self) -> &[BufferDescriptor];

    /// Invalidates what the peer has not, and takes the memory back; also when the connection is dead.
    fn reclaim(self: Box<Self>) -> BoxFuture<'static, Result<IoBuf, RdmaError>>;
}
