//! A request before it has a MessageId, and its answer.

use crate::{
    core::{protect::Need, request::Shape},
    error::Error,
};
use bytes::Bytes;
use smb_proto::{
    codec::{Body, Message},
    command::Command,
    error::StatusError,
    header::Header,
    status::NtStatus,
};
use smb_transport::{Advertised, IoBuf};

/// Bulk data behind a request's body.
#[derive(Debug, Default)]
pub(crate) enum Payload {
    #[default]
    None,
    /// The caller's; sent from where it lies unless it must be signed or sealed.
    Bytes(Bytes),
    /// A buffer with head-room, completed in place.
    Buf(IoBuf),
}

impl Payload {
    pub fn as_slice(&self) -> &[u8] {
        match self {
            Self::None => &[],
            Self::Bytes(bytes) => bytes,
            Self::Buf(buf) => buf,
        }
    }
}

/// A request.
pub(crate) struct Request {
    pub shape: Shape,
    pub need: Need,
    /// The body but for its payload.
    pub body: Vec<u8>,
    pub payload: Payload,
    /// Memory the peer may access until the answer.
    pub kept: Option<Box<dyn Advertised>>,
    /// What takes back what it brings about, where it succeeds when nobody waits for it any more.
    pub undo: Option<Box<Request>>,
}

impl Request {
    /// A request on the share connection `tree_id`.
    pub fn new<'a, M: Message<'a>>(message: &M, tree_id: u32) -> Self {
        let mut body = Vec::with_capacity(message.wire_len());
        message.emit(&mut body);
        Self::raw(M::COMMAND, tree_id, body)
    }

    /// A request whose body is written already.
    pub fn raw(command: Command, tree_id: u32, body: Vec<u8>) -> Self {
        let (shape, need) = (Shape::plain(command, tree_id), Need::default());
        Self { shape, need, body, payload: Payload::None, kept: None, undo: None }
    }

    /// With that protection.
    pub fn needing(mut self, need: Need) -> Self {
        self.need = need;
        self
    }

    /// Charged for so many bytes sent and expected.
    pub fn charged(mut self, sends: u32, expects: u32) -> Self {
        (self.shape.sends, self.shape.expects) = (sends, expects);
        self
    }

    /// With what takes it back where nobody waits for it any more.
    pub fn undone_by(mut self, undo: Request) -> Self {
        self.undo = Some(Box::new(undo));
        self
    }

    /// Whether it only asks.
    pub fn is_query(&self) -> bool {
        matches!(self.shape.command, Command::QUERY_INFO | Command::QUERY_DIRECTORY | Command::READ)
    }

    /// Related to the request before it in the compound.
    pub fn related(mut self) -> Self {
        self.shape.related = true;
        self
    }
}

/// A final answer.
pub(crate) struct Reply {
    pub header: Header,
    /// The whole message, from its header on.
    pub message: IoBuf,
    /// What the request kept.
    pub kept: Option<Box<dyn Advertised>>,
    /// What takes it back.
    pub undo: Option<Box<Request>>,
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reply").field("header", &self.header).finish_non_exhaustive()
    }
}

impl Reply {
    pub fn status(&self) -> NtStatus {
        self.header.status().unwrap_or_default()
    }

    /// The refusal, unless the status is success or a warning among `accepted`.
    pub fn accept(&self, accepted: &[NtStatus]) -> Result<(), Error> {
        let status = self.status();
        if status == NtStatus::SUCCESS || accepted.contains(&status) {
            return Ok(());
        }
        Err(StatusError { command: self.header.command, status }.into())
    }

    /// The response, where the status is success.
    pub fn parse<'a, M: Message<'a>>(&'a self) -> Result<M, Error> {
        self.accept(&[])?;
        Ok(M::parse(&self.body()?)?)
    }

    /// The response, whatever the status: some refusals say more than an ERROR response does.
    pub fn parse_any<'a, M: Message<'a>>(&'a self) -> Result<M, Error> {
        Ok(M::parse(&self.body()?)?)
    }

    /// The body, whatever the status.
    pub fn body(&self) -> Result<Body<'_>, Error> {
        Ok(Body::new(&self.message)?)
    }
}
