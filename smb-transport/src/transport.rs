//! The transport trait: whole messages, ordered and reliable, and direct placement where there is any.

use crate::{IoBuf, error::TransportError};
use bytes::Bytes;
pub use smb_proto::transform::rdma::BufferDescriptor;
use std::{future::Future, net::SocketAddr, pin::Pin, sync::Arc};

/// A boxed future, as dyn-compatible traits need.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What carries the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// TCP with the 4-byte direct transport prefix.
    Tcp,
    /// Two ends in one process.
    Memory,
    /// SMB Direct.
    Rdma,
    /// An embedder's own.
    Other(&'static str),
}

/// What is known of a connection.
#[derive(Debug, Clone)]
pub struct LinkInfo {
    /// What carries the messages.
    pub kind: Kind,
    /// Our address, where the transport has such.
    pub local: Option<SocketAddr>,
    /// The peer's address, where the transport has such.
    pub peer: Option<SocketAddr>,
    /// Speed of the local NIC in bits per second, where known.
    pub speed: Option<u64>,
    /// The longest message that may be sent, in bytes.
    pub max_message: usize,
}

/// One connection, before its halves go to the tasks that drive them.
///
/// An embedder brings its own wire (vsock, a pipe) by implementing the two halves and
/// [`Buffers`], and returning them as [`Halves`].
pub trait Transport: Send {
    /// What is known of the connection.
    fn info(&self) -> &LinkInfo;

    /// The halves.
    fn split(self: Box<Self>) -> Halves;
}

impl<T: Transport + ?Sized> Transport for Box<T> {
    fn info(&self) -> &LinkInfo {
        (**self).info()
    }

    fn split(self: Box<Self>) -> Halves {
        (*self).split()
    }
}

/// Where connections come in.
pub trait Listener: Send {
    /// What carries the messages of the connections that come in here.
    fn kind(&self) -> Kind;

    /// The address listened on, where the transport has such.
    fn local(&self) -> Option<SocketAddr>;

    /// The next connection. Cancel-safe. An error is of the listener itself; a peer that fails in its handshake is
    /// none, and does not hold up the others.
    fn accept(&mut self) -> BoxFuture<'_, Result<Box<dyn Transport>, TransportError>>;
}

/// A connection taken apart.
///
/// The connection ends when both halves are dropped, whoever still holds `buffers` or `placement`. Dropping only the
/// sender ends our direction as [`SendHalf::close`] does, without waiting for anything.
pub struct Halves {
    /// What is known of the connection.
    pub info: LinkInfo,
    /// Sends.
    pub sender: Box<dyn SendHalf>,
    /// Receives.
    pub receiver: Box<dyn RecvHalf>,
    /// Allocates buffers this connection carries without a copy.
    pub buffers: Arc<dyn Buffers>,
    /// Direct placement, where the transport has it.
    pub placement: Option<Arc<dyn Placement>>,
}

/// The sending half.
pub trait SendHalf: Send {
    /// Posts the message's RDMA writes, then the message, in order and without waiting in between; resolves when the
    /// transport has taken all of it, which is the moment its buffers return to their pools (a transport
    /// that needs them longer keeps them).
    ///
    /// A transport that cannot carry empty messages (SMB Direct) refuses one with [`TransportError::Empty`].
    ///
    /// Dropping the future midway may leave part of a message sent: the connection is then unusable and
    /// the next call fails with [`TransportError::Closed`].
    fn send(&mut self, message: Msg) -> BoxFuture<'_, Result<(), TransportError>>;

    /// Sends all of `messages` in order; the same as one [`send`](Self::send) after another, but a
    /// transport may spend one system call on several.
    fn send_all(&mut self, messages: Vec<Msg>) -> BoxFuture<'_, Result<(), TransportError>> {
        Box::pin(async move {
            for message in messages {
                self.send(message).await?;
            }
            Ok(())
        })
    }

    /// Ends the connection in an orderly way: what was sent before still arrives. Go on receiving until
    /// `None` (with a time limit) before dropping the halves: what the peer still has under way may otherwise reset
    /// the connection under the last messages.
    fn close(&mut self) -> BoxFuture<'_, ()>;

    /// Breaks the connection in the middle of `message`, when at most `keep` bytes of it have left. For
    /// fault injection; a transport that cannot do it closes.
    fn sever(&mut self, message: Msg, keep: usize) -> BoxFuture<'_, ()> {
        drop((message, keep));
        self.close()
    }
}

/// The longest message a receiver accepts before [`RecvHalf::set_limit`]: enough for NEGOTIATE and for SESSION_SETUP
/// with a large ticket.
pub const INITIAL_LIMIT: usize = 128 * 1024;

/// The receiving half.
pub trait RecvHalf: Send {
    /// The next message; `None` when the peer has closed the connection between two messages.
    ///
    /// Cancel-safe: dropping the future loses nothing.
    fn recv(&mut self) -> BoxFuture<'_, Result<Option<Received>, TransportError>>;

    /// Resolves once the peer will send nothing more, for it has closed or the connection is lost; some transports
    /// take a second to tell. Receives nothing: what the peer sent before still comes. For whoever leaves messages
    /// unreceived for a while, and is to learn of the end even so.
    ///
    /// Cancel-safe.
    fn peer_left(&mut self) -> BoxFuture<'_, ()>;

    /// Sets the longest message to accept from now on, in bytes ([`INITIAL_LIMIT`] until then). A longer one ends the connection with
    /// [`TransportError::TooLong`] before any of it is buffered. The driver starts small and widens it once the peer
    /// has authenticated.
    fn set_limit(&mut self, max_message: usize);
}

/// A message to send: `head`, then `payload`, as one.
#[derive(Debug)]
pub struct Msg {
    /// The message, or its beginning.
    pub head: IoBuf,
    /// What follows the head on the wire; empty where `head` is all.
    pub payload: Bytes,
    /// RDMA writes to do before the message. A transport without placement refuses a message that has any.
    pub pushes: Vec<Push>,
    /// Invalidate this token of the peer's as the message arrives there.
    pub invalidate: Option<Token>,
}

impl Msg {
    /// A message without placement, all in `head`.
    pub fn inline(head: IoBuf) -> Self {
        Self { head, payload: Bytes::new(), pushes: Vec::new(), invalidate: None }
    }

    /// Bytes of the message, without what is pushed.
    pub fn len(&self) -> usize {
        self.head.len().saturating_add(self.payload.len())
    }

    /// Whether the message is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// An RDMA write into memory the peer has advertised.
#[derive(Debug)]
pub struct Push {
    /// Where to: filled in order.
    pub to: Vec<BufferDescriptor>,
    /// What: at most as long as the descriptors together.
    pub data: IoBuf,
}

/// A received message.
#[derive(Debug)]
pub struct Received {
    /// The whole message.
    pub message: IoBuf,
    /// The token of ours that the peer invalidated with it.
    pub invalidated: Option<Token>,
}

/// Names a piece of advertised memory to the peer (an STag or rkey).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(pub u32);

/// What a peer may do with advertised memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// The peer reads it (our WRITE).
    RemoteRead,
    /// The peer writes it (our READ).
    RemoteWrite,
}

/// Allocates buffers.
pub trait Buffers: Send + Sync {
    /// A buffer with a window of `len` bytes of unspecified content, page-aligned, with
    /// [`HEAD_ROOM`](crate::HEAD_ROOM) in front.
    fn buffer(&self, len: usize) -> IoBuf;
}

/// What direct placement can do on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlacementLimits {
    /// The most bytes one READ or WRITE may place.
    pub max_size: usize,
    /// The most descriptors one request may name.
    pub max_descriptors: usize,
    /// Whether the peer may invalidate what is advertised here with its answer.
    pub remote_invalidate: bool,
}

/// Direct data placement, the requester's half ([`advertise`](Self::advertise)) and the responder's
/// ([`pull`](Self::pull); pushes travel with [`Msg`]).
pub trait Placement: Send + Sync {
    /// What the connection can place.
    fn limits(&self) -> PlacementLimits;

    /// Opens `buf` to the peer. The memory comes back only from [`Advertised::reclaim`].
    fn advertise(&self, buf: IoBuf, access: Access) -> Result<Box<dyn Advertised>, (TransportError, IoBuf)>;

    /// Reads from memory the peer has advertised until `into`'s window is full, and resolves when all of it is
    /// there. Queues behind the negotiated read depth.
    ///
    /// Descriptors that do not cover `into`, or that the peer's memory refuses, fail with
    /// [`TransportError::Placement`]; the connection may be dead then, as RDMA ends it on a bad token. Dropping the
    /// future leaves `into` with the transport until the read can no longer land.
    fn pull(&self, from: Vec<BufferDescriptor>, into: IoBuf) -> BoxFuture<'_, Result<IoBuf, TransportError>>;
}

/// Memory the peer may access. Dropping it parks the buffer with the connection: it is not used again while the
/// peer might still reach it.
pub trait Advertised: Send + Sync {
    /// What goes into the request.
    fn descriptors(&self) -> &[BufferDescriptor];

    /// Takes the memory back, once every token of it is invalidated (by the peer or by us) or the connection is
    /// dead. Call it when the answer has arrived or the connection has failed, not before: a peer that still writes to
    /// a token we invalidate loses the connection.
    ///
    /// Dropping the future parks the buffer with the connection.
    fn reclaim(self: Box<Self>) -> BoxFuture<'static, Result<IoBuf, TransportError>>;
}
