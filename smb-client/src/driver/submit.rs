//! From a request to bytes in the writer's queue: credits, MessageId, header, signature or seal.
//!
//! Everything that waits comes first (credits, a place in the queue); from the MessageId on nothing does, so that
//! a dropped future leaves neither a hole in the MessageIds nor a lost credit.

use super::{
    channel::{Channel, Slot},
    janitor::Chore,
    keeper::Aside,
    request::{Payload, Request},
    waiting::Waiting,
};
use crate::{
    core::protect::{Need, Protection, Security},
    error::{Error, UsageError},
};
use bytes::Bytes;
use smb_proto::{
    command::Command,
    error::PeerViolation,
    header::{HEADER_LEN, Header},
    transform::encryption::TRANSFORM_HEADER_LEN,
};
use smb_transport::{Advertised, IoBuf, Msg};
use std::sync::Arc;
use tokio::{
    sync::{SemaphorePermit, mpsc::Permit, oneshot},
    time::Instant,
};

/// A request with its header.
struct Part {
    header: Header,
    body: Vec<u8>,
    payload: Payload,
}

impl Channel {
    /// Sends one request; resolves when it is in the writer's queue, or sent.
    pub async fn submit_one(self: &Arc<Self>, request: Request) -> Result<Waiting, Error> {
        let submitted = self.try_submit_one(request, None).await;
        submitted.map_err(|error| self.not_sent(error))
    }

    /// The same for a request of one credit, which was set aside.
    pub(super) async fn submit_with(
        self: &Arc<Self>,
        aside: Option<Aside<'_>>,
        request: Request,
    ) -> Result<Waiting, Error> {
        let submitted = self.try_submit_one(request, aside).await;
        submitted.map_err(|error| self.not_sent(error))
    }

    async fn try_submit_one(
        self: &Arc<Self>,
        mut request: Request,
        aside: Option<Aside<'_>>,
    ) -> Result<Waiting, Error> {
        let mut unseen = Unseen { channel: self, kept: request.kept.take() };
        let credits = match aside {
            Some(_) => None,
            None => Some(self.spend(request.shape.cost(self.multi_credit()).into()).await?),
        };
        let place = self.place().await?;
        credits.into_iter().for_each(SemaphorePermit::forget);
        aside.into_iter().for_each(Aside::spend);
        request.kept = unseen.kept.take();
        let protection = self.protection(request.need);
        let (part, waiting) = self.enter(request, protection)?;
        self.post(place, self.single(part, protection))?;
        Ok(waiting)
    }

    /// Sends requests as one compound; resolves when they are in the writer's queue.
    pub async fn submit(self: &Arc<Self>, requests: Vec<Request>) -> Result<Vec<Waiting>, Error> {
        let submitted = self.try_submit(requests).await;
        submitted.map_err(|error| self.not_sent(error))
    }

    async fn try_submit(self: &Arc<Self>, requests: Vec<Request>) -> Result<Vec<Waiting>, Error> {
        let credits = self.spend(self.cost(&requests)).await?;
        let place = self.place().await?;
        credits.forget();
        let need = requests.iter().fold(Need::default(), |need, request| Need {
            sign: need.sign || request.need.sign,
            seal: need.seal || request.need.seal,
        });
        let protection = self.protection(need);
        let mut parts = Vec::with_capacity(requests.len());
        let mut waiting = Vec::with_capacity(requests.len());
        for request in requests {
            let (part, wait) = self.enter(request, protection)?;
            parts.push(part);
            waiting.push(wait);
        }
        self.post(place, self.compound_message(&parts, protection))?;
        Ok(waiting)
    }

    fn protection(&self, need: Need) -> Protection {
        self.security().map_or(Protection::Plain, |security| security.protection(need))
    }

    /// Whatever it was: nothing of the request has left.
    fn not_sent(&self, error: Error) -> Error {
        if self.has_ended() { Error::NotSent(Arc::new(error)) } else { error }
    }

    /// Sends a message, from here where nothing else is under way.
    fn post(self: &Arc<Self>, place: Permit<'_, Msg>, message: Result<Msg, Error>) -> Result<(), Error> {
        let message = message.inspect_err(|error| {
            // The MessageIds are used up, and nothing was sent with them.
            self.end(error.clone());
        })?;
        // More may come in a moment from others who wait: those the writer gathers.
        let alone = self.table().outstanding() == 1;
        let left = if alone { self.send_directly(message) } else { Err(message) };
        if let Err(message) = left {
            place.send(message);
        }
        Ok(())
    }

    /// Waits for `cost` credits.
    async fn spend(&self, cost: u32) -> Result<SemaphorePermit<'_>, Error> {
        match self.credits.try_acquire_many(cost) {
            Ok(credits) => Ok(credits),
            Err(_) => self.acquire(cost).await,
        }
    }

    /// Waits for a place in the writer's queue.
    async fn place(&self) -> Result<Permit<'_, Msg>, Error> {
        if let Ok(place) = self.queue.try_reserve() {
            return Ok(place);
        }
        tokio::select! {
            biased;
            place = self.queue.reserve() => place.map_err(|_| self.error()),
            () = self.fate.ended() => Err(self.error()),
        }
    }

    /// Waits for credits, as long as somebody else's answer may bring them.
    async fn acquire(&self, cost: u32) -> Result<SemaphorePermit<'_>, Error> {
        let acquire = self.credits.acquire_many(cost);
        tokio::pin!(acquire);
        loop {
            tokio::select! {
                biased;
                permit = &mut acquire => return permit.map_err(|_| self.error()),
                () = tokio::time::sleep(self.options.timeout) => {
                    if self.table().outstanding() == 0 {
                        let charge = u16::try_from(cost).unwrap_or(u16::MAX);
                        return Err(PeerViolation::Credits { charge, payload: 0 }.into());
                    }
                }
            }
        }
    }

    fn enter(self: &Arc<Self>, request: Request, protection: Protection) -> Result<(Part, Waiting), Error> {
        let Request { shape, need, body, payload, kept, undo } = request;
        let multi_credit = self.multi_credit();
        let session_id = self.security().map_or(0, |security| security.session_id);
        let session_id = shape.session_id.unwrap_or(session_id);
        let (answer, answered) = oneshot::channel();
        let since = Instant::now();
        let deadline = since.checked_add(self.patience(&shape)).unwrap_or(since);
        let slot = Slot { answer: Some(answer), deadline, since, kept, undo, tree_id: shape.tree_id, need };
        let mut table = self.table();
        if table.outstanding() == 0 {
            self.heard();
        }
        // The channel may have ended after the credits were there; its table is not looked at again.
        if self.has_ended() {
            return Err(self.error());
        }
        let ids = table.begin(shape.command, shape.cost(multi_credit), session_id, protection, slot);
        drop(table);
        let Ok(ids) = ids else {
            self.end(PeerViolation::MessageId(u64::MAX).into());
            return Err(self.error());
        };
        let header = shape.header(ids, multi_credit, session_id, protection);
        let mut waiting = Waiting::new(self.clone(), answered, &shape, need, ids.first);
        if matches!(shape.command, Command::NEGOTIATE | Command::SESSION_SETUP) {
            waiting.sent = [&header_bytes(&header, 0), body.as_slice()].concat();
        }
        Ok((Part { header, body, payload }, waiting))
    }

    fn single(&self, part: Part, protection: Protection) -> Result<Msg, Error> {
        let header = header_bytes(&part.header, 0);
        match part.payload {
            Payload::None => self.finish(self.head(&header, &part.body, &[]), protection),
            Payload::Buf(mut buf) => {
                if buf.prepend(&part.body).and_then(|()| buf.prepend(&header)).is_err() {
                    let whole = self.head(&header, &part.body, &buf);
                    return self.finish(whole, protection);
                }
                self.finish(buf, protection)
            }
            Payload::Bytes(payload) => self.vectored(&header, &part.body, payload, protection),
        }
    }

    /// A message whose payload stays where it is, if the protection allows.
    fn vectored(
        &self,
        header: &[u8],
        body: &[u8],
        payload: Bytes,
        protection: Protection,
    ) -> Result<Msg, Error> {
        let key = self.security().and_then(|security| security.signing.as_ref());
        let in_place = match (protection, key) {
            (Protection::Plain, _) => Some(self.head(header, body, &[])),
            (Protection::Signed, Some(key)) => {
                let mut head = self.head(header, body, &[]);
                key.sign_parts(&mut head, &payload).map_err(|_| no_key())?.then_some(head)
            }
            _ => None,
        };
        if let Some(head) = in_place {
            return Ok(Msg { payload, ..Msg::inline(head) });
        }
        self.counters.copied(payload.len());
        self.finish(self.head(header, body, &payload), protection)
    }

    /// Header, body and payload in one buffer.
    fn head(&self, header: &[u8], body: &[u8], payload: &[u8]) -> IoBuf {
        let mut head = self.buffers.buffer(0);
        let len = header.len().saturating_add(body.len()).saturating_add(payload.len());
        if head.tail_room() < len {
            head = self.buffers.buffer(len);
            head.truncate(0);
        }
        for part in [header, body, payload] {
            // The buffer was chosen for it.
            let _ = head.append(part);
        }
        head
    }

    fn compound_message(&self, parts: &[Part], protection: Protection) -> Result<Msg, Error> {
        let mut frame = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            let start = frame.len();
            let len = HEADER_LEN + part.body.len() + part.payload.as_slice().len();
            let last = index + 1 == parts.len();
            let padded = if last { len } else { len.next_multiple_of(8) };
            let next = if last { 0 } else { u32::try_from(padded).unwrap_or(u32::MAX) };
            frame.extend_from_slice(&header_bytes(&part.header, next));
            frame.extend_from_slice(&part.body);
            frame.extend_from_slice(part.payload.as_slice());
            frame.resize(start + padded, 0);
            if let (Protection::Signed, Some(message)) = (protection, frame.get_mut(start..)) {
                self.sign(message)?;
            }
        }
        let frame = self.head(&frame, &[], &[]);
        let rest = if protection == Protection::Signed { Protection::Plain } else { protection };
        self.finish(frame, rest)
    }

    fn sign(&self, message: &mut [u8]) -> Result<(), Error> {
        let key = self.security().and_then(|security| security.signing.as_ref()).ok_or_else(no_key)?;
        key.sign(message).map_err(|_| no_key())
    }

    /// Protects a whole message.
    pub(super) fn finish(&self, mut message: IoBuf, protection: Protection) -> Result<Msg, Error> {
        match (protection, self.security()) {
            (Protection::Plain, _) => (),
            (Protection::Signed, _) => self.sign(&mut message)?,
            (Protection::Sealed, Some(security)) => seal(security, &mut message)?,
            (Protection::Sealed, None) => return Err(no_key()),
        }
        Ok(Msg::inline(message))
    }
}

/// Memory that is advertised for a request that is not sent yet. Where it never is, no peer has seen it: it is ours again.
struct Unseen<'a> {
    channel: &'a Channel,
    kept: Option<Box<dyn Advertised>>,
}

impl Drop for Unseen<'_> {
    fn drop(&mut self) {
        if let Some(kept) = self.kept.take() {
            self.channel.chore(Chore::Reclaim(kept));
        }
    }
}

fn seal(security: &Security, message: &mut IoBuf) -> Result<(), Error> {
    let sealer = security.sealer.as_ref().ok_or_else(no_key)?;
    let nonce = sealer.nonces.next(sealer.seal.cipher());
    let nonce =
        nonce.map_err(|_| UsageError::Option { option: "session", rule: "its nonces are used up" })?;
    message.grow_front(TRANSFORM_HEADER_LEN).map_err(|_| no_key())?;
    sealer.seal.seal(nonce, security.session_id, message).map_err(|_| no_key())
}

fn header_bytes(header: &Header, next: u32) -> [u8; HEADER_LEN] {
    let mut bytes = [0; HEADER_LEN];
    header.emit(next, &mut bytes.as_mut_slice());
    bytes
}

/// A message was to be protected without a key, or could not be: nothing that a caller can bring about.
fn no_key() -> Error {
    UsageError::Option { option: "session", rule: "it has no key for this message" }.into()
}
