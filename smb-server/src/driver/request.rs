//! One request on its way through a handler, and what comes of it.

use super::{cancel::Cancel, connection::Conn, job};
use crate::core::{
    channel::Channel,
    dispatch::{Chain, Protection},
    open::Open,
    placement,
    session::Session,
    tree::{Target, Tree},
};
use crate::share::Share;
use smb_proto::{
    codec::{Body, Message},
    command::Command,
    credit,
    crypto::sign::SigningKey,
    header::Header,
    msg::{FileId, ReadRequest, WriteRequest},
    status::NtStatus,
};
use smb_transport::{IoBuf, Push, Token};
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;

/// A request whose session, share connection and signature were checked as far as its command needs them.
pub(crate) struct Request {
    pub(crate) conn: Arc<Conn>,
    pub(crate) header: Header,
    /// The message, header included.
    pub(crate) message: IoBuf,
    pub(crate) protection: Protection,
    pub(crate) channel: Option<Arc<Channel>>,
    pub(crate) tree: Option<Arc<Tree>>,
    pub(crate) chain: Chain,
    /// It is one of several in its frame.
    pub(crate) compound: bool,
    /// None follows it in its frame.
    pub(crate) last: bool,
    /// One before it in its frame holds room for its answer, until all of the frame is answered.
    pub(crate) holds_room: bool,
    /// How it is given up while it waits.
    pub(crate) cancel: Arc<Cancel>,
}

/// What a handler gives back; the error is answered with an ERROR response.
pub(crate) type Outcome = Result<Answer, NtStatus>;

impl Request {
    /// The body.
    pub(crate) fn parse<'a, M: Message<'a>>(&'a self) -> Result<M, NtStatus> {
        parse(&self.message)
    }

    /// The session.
    pub(crate) fn session(&self) -> Result<&Arc<Session>, NtStatus> {
        self.channel.as_ref().map(|channel| &channel.session).ok_or(NtStatus::USER_SESSION_DELETED)
    }

    /// The share connection.
    pub(crate) fn tree(&self) -> Result<&Arc<Tree>, NtStatus> {
        self.tree.as_ref().ok_or(NtStatus::NETWORK_NAME_DELETED)
    }

    /// The share with files behind the share connection.
    pub(crate) fn disk(&self) -> Option<&Arc<Share>> {
        match &self.tree.as_ref()?.target {
            Target::Disk(share) => Some(share),
            Target::Pipes => None,
        }
    }

    /// The open that a file id means here.
    pub(crate) fn open(&self, file_id: FileId) -> Result<Arc<Open>, NtStatus> {
        let file_id = self.chain.file(&self.header, file_id)?;
        let open = self.session()?.opens.get(file_id).ok_or(NtStatus::FILE_CLOSED)?;
        if open.tree_id == self.header.tree_id() { Ok(open) } else { Err(NtStatus::FILE_CLOSED) }
    }

    /// Whether the CreditCharge pays for these sizes — [MS-SMB2] 3.3.5.2.5.
    pub(crate) fn covers(&self, sent: usize, expected: u32) -> Result<(), NtStatus> {
        let sent = u32::try_from(sent).unwrap_or(u32::MAX);
        if credit::covers(self.header.credit_charge, sent, expected) {
            Ok(())
        } else {
            Err(NtStatus::INVALID_PARAMETER)
        }
    }

    /// Waits for `bytes` of room for the answer. Not where its frame holds some already: it would wait for itself.
    pub(crate) async fn reserve(&self, bytes: u32) -> Result<OwnedSemaphorePermit, NtStatus> {
        if self.holds_room { self.conn.try_reserve(bytes) } else { self.conn.reserve(bytes).await }
    }

    /// Resolves when nobody waits for the answer any more: for handlers that know where they may be dropped.
    pub(crate) async fn given_up(&self) -> NtStatus {
        job::given_up(&self.conn, &self.cancel).await
    }

    /// What its answer must invalidate, whatever that answer is: a client that asked for it takes its memory for
    /// invalidated then, and uses the token anew — [MS-SMB2] 3.3.5.12, 3.3.5.13.
    pub(super) fn invalidates(&self) -> Option<Token> {
        let limits = self.conn.placement.as_ref()?.limits();
        let (channel, length) = match self.header.command {
            Command::READ => {
                let read: ReadRequest = self.parse().ok()?;
                (read.channel, read.length)
            }
            Command::WRITE => {
                let write: WriteRequest<'_> = self.parse().ok()?;
                (write.channel, write.remaining_bytes)
            }
            _ => return None,
        };
        placement::way(channel, length, Some(limits), self.protected()).ok()?.invalidates()
    }

    /// Whether its data must not leave the message: it came signed or sealed.
    pub(crate) fn protected(&self) -> bool {
        self.protection.signed || self.protection.sealed
    }
}

/// The body of a message.
pub(crate) fn parse<'a, M: Message<'a>>(message: &'a [u8]) -> Result<M, NtStatus> {
    let body = Body::new(message).and_then(|body| M::parse(&body));
    body.map_err(|error| {
        tracing::debug!(%error, "unreadable request");
        NtStatus::INVALID_PARAMETER
    })
}

/// Which preauthentication hash an answer goes into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HashInto {
    /// The connection's.
    Connection,
    /// That of the authentication of this session.
    Exchange(u64),
}

/// An answer on its way out.
pub(crate) struct Answer {
    pub(crate) status: NtStatus,
    pub(crate) body: Payload,
    /// The session or share connection that the request made.
    pub(crate) session_id: Option<u64>,
    pub(crate) tree_id: Option<u32>,
    /// The file it opened or was about.
    pub(crate) file_id: Option<FileId>,
    pub(crate) pushes: Vec<Push>,
    pub(crate) invalidate: Option<Token>,
    /// Its share of the outbound budget.
    pub(crate) room: Option<OwnedSemaphorePermit>,
    /// Signs it whatever the request was: the end of an authentication.
    pub(crate) sign: Option<SigningKey>,
    pub(crate) hash: Option<HashInto>,
}

/// A response's body.
pub(crate) enum Payload {
    /// Small.
    Bytes(Vec<u8>),
    /// In a buffer with head-room.
    Buffer(IoBuf),
}

impl Payload {
    /// Its bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Buffer(buffer) => buffer,
        }
    }
}

impl Answer {
    /// Success, with this body.
    pub(crate) fn of<'a>(message: &impl Message<'a>) -> Self {
        Self::with_status(NtStatus::SUCCESS, message)
    }

    /// This status, with this body.
    pub(crate) fn with_status<'a>(status: NtStatus, message: &impl Message<'a>) -> Self {
        let mut bytes = Vec::with_capacity(message.wire_len());
        message.emit(&mut bytes);
        Self::raw(status, Payload::Bytes(bytes))
    }

    /// This status, with this body.
    pub(crate) fn raw(status: NtStatus, body: Payload) -> Self {
        Self {
            status,
            body,
            session_id: None,
            tree_id: None,
            file_id: None,
            pushes: Vec::new(),
            invalidate: None,
            room: None,
            sign: None,
            hash: None,
        }
    }

    /// About this file.
    pub(crate) fn on(mut self, file_id: FileId) -> Self {
        self.file_id = Some(file_id);
        self
    }

    /// With its room in the outbound budget.
    pub(crate) fn within(mut self, room: OwnedSemaphorePermit) -> Self {
        self.room = Some(room);
        self
    }
}
