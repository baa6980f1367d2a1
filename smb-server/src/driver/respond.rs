//! Turns answers into messages: header, credits, signature or seal, all in the request's own task.

use super::{
    connection::Conn,
    request::{Answer, HashInto, Payload},
    writer::{Held, Outgoing},
};
use crate::core::{
    channel::Channel,
    dispatch::Protection,
    lock,
    session::{Sealing, Session},
};
use smb_proto::{
    codec::Message,
    compound::Builder,
    crypto::sign::SigningKey,
    header::{HEADER_LEN, Header, HeaderFlags, Route},
    msg::ErrorResponse,
    status::NtStatus,
    transform::encryption::TRANSFORM_HEADER_LEN,
};
use smb_transport::{IoBuf, Msg};
use std::sync::Arc;

/// An answer with its header, credits included.
pub(super) struct Draft {
    header: Header,
    answer: Answer,
    signing: Option<SigningKey>,
}

impl Draft {
    /// Whether it holds room in the outbound budget.
    pub(super) fn holds_room(&self) -> bool {
        self.answer.room.is_some()
    }
}

/// How a request came, which decides how its answer goes.
#[derive(Clone)]
pub(super) struct Terms {
    /// The request's header.
    pub(super) header: Header,
    /// How the request was protected.
    pub(super) protection: Protection,
    /// Its session's channel, where it is known.
    pub(super) channel: Option<Arc<Channel>>,
}

/// The answer to a request that failed.
pub(super) fn failure(status: NtStatus) -> Answer {
    Answer::with_status(status, &ErrorResponse::default())
}

impl Terms {
    /// The response's header, granting credits unless an interim response did.
    fn reply(&self, conn: &Conn, status: NtStatus, async_id: Option<u64>, grants: bool) -> Header {
        let mut header = self.header.response(status);
        if grants {
            header.credits = lock(&conn.core).grant(self.header.credits);
        }
        if let Some(async_id) = async_id {
            header.route = Route::Async { async_id };
        }
        header
    }

    /// What signs the answer: nothing where it is sealed.
    fn signing(&self, answer: &Answer) -> Option<SigningKey> {
        if answer.sign.is_some() {
            return answer.sign.clone();
        }
        let channel = self.channel.as_ref().filter(|_| !self.protection.sealed)?;
        let wanted = self.protection.signed || channel.session.signing_required;
        channel.signing.clone().filter(|_| wanted)
    }

    /// The final answer; `async_id` where there was an interim response.
    pub(super) fn draft(&self, conn: &Conn, answer: Answer, async_id: Option<u64>) -> Draft {
        let mut header = self.reply(conn, answer.status, async_id, async_id.is_none());
        if let Some(session_id) = answer.session_id {
            header.session_id = session_id;
        }
        if let (Some(tree), Route::Sync { tree_id, .. }) = (answer.tree_id, &mut header.route) {
            *tree_id = tree;
        }
        Draft { header, signing: self.signing(&answer), answer }
    }

    /// The interim response: it grants the credits and is never signed, since its MessageId is the final's too.
    pub(super) fn interim(&self, conn: &Conn, async_id: u64) -> Draft {
        let answer = failure(NtStatus::PENDING);
        let header = self.reply(conn, answer.status, Some(async_id), true);
        Draft { header, answer, signing: None }
    }
}

/// Makes one message of the answers to a frame and queues it. `sealed` is the session whose seal the frame had.
pub(super) async fn send(conn: &Conn, drafts: Vec<Draft>, sealed: Option<Arc<Session>>, mut held: Held) {
    let Some(mut message) = assemble(conn, drafts, &mut held) else { return };
    if let Some(sealing) =
        sealed.as_ref().and_then(|session| session.sealing.as_ref().map(|s| (session.id, s)))
        && !seal(&mut message.head, sealing.0, sealing.1)
    {
        tracing::error!(conn = conn.id, "an answer cannot be sealed; dropping the connection");
        return conn.end();
    }
    // Nobody receives any more where the connection is over.
    let _ = conn.queue.send(Box::new(Outgoing { message, held })).await;
}

fn assemble(conn: &Conn, drafts: Vec<Draft>, held: &mut Held) -> Option<Msg> {
    let built = match <[Draft; 1]>::try_from(drafts) {
        Ok([draft]) => single(conn, draft, held),
        Err(drafts) if drafts.is_empty() => return None,
        Err(drafts) => compound(conn, drafts, held),
    };
    if built.is_none() {
        tracing::error!(conn = conn.id, "an answer cannot be built; dropping the connection");
        conn.end();
    }
    built
}

/// Puts the header in front of the body where it lies.
fn single(conn: &Conn, draft: Draft, held: &mut Held) -> Option<Msg> {
    let Draft { mut header, answer, signing } = draft;
    let mut head = match answer.body {
        Payload::Buffer(buffer) => buffer,
        Payload::Bytes(bytes) => {
            let mut buffer = conn.buffers.buffer(bytes.len());
            buffer.copy_from_slice(&bytes);
            buffer
        }
    };
    if signing.is_some() {
        header.flags = header.flags.with(HeaderFlags::SIGNED);
    }
    let mut wire = Vec::with_capacity(HEADER_LEN);
    header.emit(0, &mut wire);
    head.prepend(&wire).ok()?;
    if let Some(key) = signing {
        key.sign(&mut head).ok()?;
    }
    match answer.hash {
        Some(HashInto::Connection) => lock(&conn.core).hash(&head),
        Some(HashInto::Exchange(session_id)) => lock(&conn.core).hash_exchange(session_id, &head),
        None => {}
    }
    held.0.extend(answer.room);
    Some(Msg { pushes: answer.pushes, invalidate: answer.invalidate, ..Msg::inline(head) })
}

/// Copies the answers of a compound into one frame.
fn compound(conn: &Conn, drafts: Vec<Draft>, held: &mut Held) -> Option<Msg> {
    let mut builder = Builder::new();
    let mut keys = Vec::with_capacity(drafts.len());
    let (mut pushes, mut invalidate) = (Vec::new(), None);
    for Draft { mut header, answer, signing } in drafts {
        if signing.is_some() {
            header.flags = header.flags.with(HeaderFlags::SIGNED);
        }
        // Padded behind the last, too, as by Windows: clients that know only it count on that.
        builder.push_raw(&header, |out| {
            out.extend_from_slice(answer.body.bytes());
            out.resize(out.len().next_multiple_of(8), 0);
        });
        keys.push(signing);
        pushes.extend(answer.pushes);
        invalidate = invalidate.or(answer.invalidate);
        held.0.extend(answer.room);
    }
    let ranges: Vec<_> = builder.ranges().collect();
    let frame = builder.finish();
    let mut head = conn.buffers.buffer(frame.len());
    head.copy_from_slice(&frame);
    for (range, key) in ranges.into_iter().zip(keys) {
        if let Some(key) = key {
            key.sign(head.get_mut(range)?).ok()?;
        }
    }
    Some(Msg { pushes, invalidate, ..Msg::inline(head) })
}

fn seal(message: &mut IoBuf, session_id: u64, sealing: &Sealing) -> bool {
    let nonce = sealing.nonces.next(sealing.seal.cipher());
    message.grow_front(TRANSFORM_HEADER_LEN).is_ok()
        && nonce.is_ok_and(|nonce| sealing.seal.seal(nonce, session_id, message).is_ok())
}

/// An unprotected message of ours that answers no SMB2 request.
pub(super) async fn send_plain<'a>(conn: &Conn, header: &Header, body: &impl Message<'a>) {
    let frame = smb_proto::compound::single(header, body);
    let mut head = conn.buffers.buffer(frame.len());
    head.copy_from_slice(&frame);
    let _ = conn.queue.send(Box::new(Outgoing { message: Msg::inline(head), held: Held::default() })).await;
}
