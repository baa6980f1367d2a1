//! One frame's requests: run in order, answered in one frame.
//!
//! ```text
//!   frame ─ open seal ─▶ parts ─▶ for each: chain · session · signature · share ─▶ handler ─▶ draft ─┐
//!                                              still waiting after a while: interim response,        │
//!                                              together with the answers so far                      │
//!                                              CANCEL, connection gone: given up                     ▼
//!                                                                                    one frame of answers
//! ```

use super::{
    cancel::Cancel,
    connection::{Conn, Slot},
    request::{Answer, Outcome, Request},
    respond::{self, Draft, Terms, failure},
    writer::Held,
};
use crate::{
    config::OVERHEAD,
    core::{
        channel::Channel,
        dispatch::{self, Chain, Needs, Protection, Wait},
        lock,
        pending::Target,
        session::Session,
    },
    entropy, handlers,
};
use smb_proto::{
    command::Command,
    credit,
    error::PeerViolation,
    header::{Header, HeaderFlags, Route},
    status::NtStatus,
};
use smb_transport::IoBuf;
use std::{
    future::{Future, poll_fn},
    ops::Range,
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
};

/// A request that was taken in: its MessageIds are out of the window, and until this is dropped CANCEL finds it.
pub(super) struct Taken {
    pub(super) header: Header,
    /// Where it lies in its frame.
    pub(super) range: Range<usize>,
    cancel: Arc<Cancel>,
    conn: Arc<Conn>,
}

impl Taken {
    /// Takes note of it.
    pub(super) fn new(conn: &Arc<Conn>, header: Header, range: Range<usize>) -> Self {
        let taken = Self { header, range, cancel: Arc::default(), conn: conn.clone() };
        let idle = taken.wait() == Wait::Idle;
        if taken.is_pending()
            && lock(&conn.pending).begin(header.message_id, taken.range.len(), idle, taken.cancel.clone())
        {
            taken.cancel.cancel();
        }
        taken
    }

    fn wait(&self) -> Wait {
        dispatch::needs(self.header.command).map_or(Wait::Brief, |needs| needs.wait)
    }

    /// Whether an interim response or a CANCEL may ask for it.
    fn is_pending(&self) -> bool {
        self.wait() > Wait::Brief
    }

    /// Whether its credits are worth its bytes, of whatever they are made: a client that could have long requests wait for
    /// a credit each would fill the memory.
    fn paid(&self) -> bool {
        let payload = u32::try_from(self.range.len().saturating_sub(OVERHEAD));
        payload.is_ok_and(|payload| credit::covers(self.header.credit_charge, payload, 0))
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if self.is_pending() {
            lock(&self.conn.pending).finish(self.header.message_id);
        }
    }
}

/// A frame that was taken in.
pub(super) struct Job {
    pub(super) frame: IoBuf,
    pub(super) parts: Vec<Taken>,
    /// The session whose seal it had.
    pub(super) sealed: Option<Arc<Session>>,
    pub(super) slot: Slot,
}

/// Runs a frame's requests and sends their answers.
pub(super) async fn run(conn: Arc<Conn>, job: Job) {
    let Job { frame, parts, sealed, mut slot } = job;
    let count = parts.len();
    let compound = count > 1;
    // One frame, one memory: none of its requests holds what another has not paid for.
    let paid = parts.iter().all(Taken::paid);
    let mut frame = Some(frame);
    let mut chain = Chain::default();
    let mut drafts = Vec::with_capacity(parts.len());
    for (index, taken) in parts.into_iter().enumerate() {
        let last = index + 1 == count;
        let range = taken.range.clone();
        let whole = if last { frame.take() } else { None };
        let message = match (whole, &frame) {
            (Some(mut whole), _) => {
                whole.narrow(range);
                whole
            }
            (None, Some(frame)) => part_of(&conn, frame, range),
            (None, None) => return,
        };
        let header = taken.header;
        let (conn, sealed) = (&conn, sealed.as_ref());
        let (drafts, slot) = (&mut drafts, &mut slot);
        let mut part = Part { conn, header, taken, sealed, paid, compound, last, drafts, slot };
        if let Some(draft) = part.run(message, &mut chain).await {
            part.drafts.push(draft);
        }
        if conn.is_gone() {
            return;
        }
    }
    respond::send(&conn, drafts, sealed, Held(slot.into_held())).await;
}

/// A request of a compound in a buffer of its own.
fn part_of(conn: &Conn, frame: &IoBuf, range: Range<usize>) -> IoBuf {
    let part = frame.get(range).unwrap_or(&[]);
    let mut message = conn.buffers.buffer(part.len());
    message.copy_from_slice(part);
    message
}

/// One request of a frame.
struct Part<'a> {
    conn: &'a Arc<Conn>,
    /// As its compound completes it.
    header: Header,
    taken: Taken,
    sealed: Option<&'a Arc<Session>>,
    /// Its frame's credits are worth its bytes.
    paid: bool,
    compound: bool,
    last: bool,
    /// The answers to those before it that were not sent yet.
    drafts: &'a mut Vec<Draft>,
    slot: &'a mut Slot,
}

impl Part<'_> {
    /// Runs it; `None` where there is no answer.
    async fn run(&mut self, mut message: IoBuf, chain: &mut Chain) -> Option<Draft> {
        let protection = Protection { signed: false, sealed: self.sealed.is_some() };
        let entered = chain.enter(&mut self.header);
        let channel = self.conn.channel(self.header.session_id);
        let mut terms = Terms { header: self.header, protection, channel };
        let ready = match entered {
            Err(status) if self.sealed.is_some() => Err(status),
            // What has no place in its compound is verified all the same: its answer is signed as it was.
            entered => {
                let admitted = self.admit(&mut message, &mut terms);
                entered.and(admitted)
            }
        };
        let needs = match ready {
            Ok(needs) => needs,
            Err(_) if self.header.command == Command::CANCEL => return None,
            Err(status) => {
                chain.refuse(self.header.command, status);
                return Some(terms.draft(self.conn, failure(status), None));
            }
        };
        if self.header.command == Command::CANCEL {
            self.cancel();
            return None;
        }
        let request = match self.request(message, &terms, needs, *chain) {
            Ok(request) => request,
            Err(status) => {
                chain.refuse(self.header.command, status);
                return Some(terms.draft(self.conn, failure(status), None));
            }
        };
        let invalidate = request.invalidates();
        let (outcome, async_id) = self.drive(request, needs, &terms).await;
        let answer = Answer { invalidate, ..outcome.unwrap_or_else(failure) };
        chain.leave(self.header.command, answer.status, answer.file_id, answer.tree_id);
        Some(terms.draft(self.conn, answer, async_id))
    }

    /// Checks the signature, and whether session and protection are what the command and the session need.
    fn admit(&self, message: &mut IoBuf, terms: &mut Terms) -> Result<Needs, NtStatus> {
        let needs = dispatch::needs(self.header.command).ok_or(NtStatus::INVALID_PARAMETER);
        if let Some(session) = self.sealed
            && session.id != self.header.session_id
        {
            self.conn.violated(PeerViolation::BadSeal);
            return Err(NtStatus::USER_SESSION_DELETED);
        }
        let Some(channel) = terms.channel.clone() else {
            return match needs {
                Ok(Needs { session: true, .. }) => Err(NtStatus::USER_SESSION_DELETED),
                needs => needs,
            };
        };
        if self.header.flags.contains(HeaderFlags::SIGNED) && self.sealed.is_none() {
            verify(&channel, message)?;
            terms.protection.signed = channel.signing.is_some();
        }
        // Only now: what is wrong with a signed request is told in a signed answer.
        let needs = needs?;
        if needs.session || self.header.command == Command::CANCEL {
            dispatch::admit(&channel.session, terms.protection)?;
        }
        if !needs.even_expired && channel.session.expired(entropy::now()) {
            return Err(NtStatus::NETWORK_SESSION_EXPIRED);
        }
        Ok(needs)
    }

    fn request(
        &self,
        message: IoBuf,
        terms: &Terms,
        needs: Needs,
        chain: Chain,
    ) -> Result<Request, NtStatus> {
        if !self.paid {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        let session = terms.channel.as_ref().map(|channel| &channel.session);
        let tree = session.and_then(|session| session.trees.get(self.header.tree_id()));
        if needs.tree && tree.is_none() {
            return Err(NtStatus::NETWORK_NAME_DELETED);
        }
        Ok(Request {
            conn: self.conn.clone(),
            header: self.header,
            message,
            protection: terms.protection,
            channel: terms.channel.clone(),
            tree,
            chain,
            compound: self.compound,
            last: self.last,
            holds_room: self.drafts.iter().any(Draft::holds_room),
            cancel: self.taken.cancel.clone(),
        })
    }

    /// Cancels the request that a CANCEL names.
    fn cancel(&self) {
        let target = match self.header.route {
            Route::Async { async_id } => Target::Async(async_id),
            Route::Sync { .. } => Target::Message(self.header.message_id),
        };
        if let Some(cancel) = lock(&self.conn.pending).cancel(target) {
            cancel.cancel();
        }
    }

    /// Runs the handler; one that has to wait gets an interim response after a while — [MS-SMB2] 3.3.4.2 — and can
    /// mostly be cancelled. What may wait for ever is refused where too many do.
    async fn drive(&mut self, request: Request, needs: Needs, terms: &Terms) -> (Outcome, Option<u64>) {
        let cancel = request.cancel.clone();
        if cancel.asked() {
            return (Err(NtStatus::CANCELLED), None);
        }
        let mut handler = pin!(handlers::handle(request));
        if let Some(outcome) = poll_once(&mut handler).await {
            return (outcome, None);
        }
        if needs.wait == Wait::Brief {
            return (handler.await, None);
        }
        let conn = self.conn;
        let given_up = async {
            if needs.wait == Wait::Long {
                return std::future::pending().await;
            }
            given_up(conn, &cancel).await
        };
        let mut given_up = pin!(given_up);
        let later = tokio::time::sleep(conn.shared.config.limits.interim_after);
        tokio::select! {
            biased;
            outcome = &mut handler => return (outcome, None),
            status = &mut given_up => return (Err(status), None),
            () = later => {}
        }
        let async_id = lock(&conn.pending).go_async(self.taken.header.message_id);
        match async_id {
            None if needs.wait == Wait::Idle => return (Err(NtStatus::INSUFFICIENT_RESOURCES), None),
            None => {}
            Some(async_id) => self.tell(async_id, terms).await,
        }
        let outcome = tokio::select! {
            biased;
            outcome = &mut handler => outcome,
            status = &mut given_up => Err(status),
        };
        self.slot.resume(conn).await;
        (outcome, async_id)
    }

    /// Sends the interim response.
    async fn tell(&mut self, async_id: u64, terms: &Terms) {
        // What its compound has answered so far does not wait for it.
        let mut drafts = std::mem::take(self.drafts);
        drafts.push(terms.interim(self.conn, async_id));
        respond::send(self.conn, drafts, self.sealed.cloned(), Held::default()).await;
        self.slot.rest();
    }
}

/// Resolves when nobody waits for the request any more, with what it comes to then.
pub(super) async fn given_up(conn: &Conn, cancel: &Cancel) -> NtStatus {
    tokio::select! {
        () = cancel.cancelled() => NtStatus::CANCELLED,
        () = conn.gone() => NtStatus::CONNECTION_DISCONNECTED,
    }
}

/// Checks the signature of a request. A guest has no key to check with, and nothing that a signature could protect.
fn verify(channel: &Channel, message: &mut IoBuf) -> Result<(), NtStatus> {
    let Some(key) = &channel.signing else { return Ok(()) };
    key.verify(message).map_err(|_| {
        tracing::warn!(session = channel.session.id, "a signature does not verify");
        NtStatus::ACCESS_DENIED
    })
}

/// What `future` comes to without waiting.
pub(crate) async fn poll_once<F: Future>(future: &mut Pin<&mut F>) -> Option<F::Output> {
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}
