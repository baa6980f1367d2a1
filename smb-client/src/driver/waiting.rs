//! Waiting for an answer, and giving up on it.

use super::{channel::Channel, janitor::Chore, request::Reply};
use crate::{
    core::{protect::Need, request::Shape},
    error::Error,
};
use smb_proto::{
    codec::Message,
    command::Command,
    msg::{CreateResponse, TreeConnectResponse},
    status::NtStatus,
};
use std::{sync::Arc, time::Duration};
use tokio::{sync::oneshot, time::Instant};

/// The slowest link that is waited for: what is under way already delays a request.
const SLOWEST_BYTES_PER_SECOND: u64 = 64 * 1024;

/// A request that was sent. Dropped, it leaves the answer to the channel: its credits are taken, an open it brings is
/// closed, memory it uses is kept until it has come; and the server is told once, where that helps.
pub(crate) struct Waiting {
    channel: Arc<Channel>,
    answer: oneshot::Receiver<Result<Reply, Error>>,
    tree_id: u32,
    need: Need,
    message_id: u64,
    /// The message as it went out, where the preauthentication hash takes it.
    pub sent: Vec<u8>,
    done: bool,
}

impl Waiting {
    pub(super) fn new(
        channel: Arc<Channel>,
        answer: oneshot::Receiver<Result<Reply, Error>>,
        shape: &Shape,
        need: Need,
        message_id: u64,
    ) -> Self {
        let tree_id = shape.tree_id;
        Self { channel, answer, tree_id, need, message_id, sent: Vec::new(), done: false }
    }

    /// The final answer, whatever its status. A request that the server has said it works on is waited for as long
    /// as the server lives; one that it has said nothing about, until the keeper gives it up.
    pub async fn answer(mut self) -> Result<Reply, Error> {
        let answer = (&mut self.answer).await;
        // Given up, the request goes on: its answer may yet come, and is taken care of then.
        self.done = !matches!(answer, Ok(Err(Error::Timeout { .. })));
        answer.unwrap_or_else(|_| Err(self.channel.error()))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        self.answer.close();
        match self.answer.try_recv() {
            Ok(Ok(reply)) => self.channel.orphaned(reply, self.tree_id, self.need),
            Ok(Err(_)) if !self.channel.table().is_waiting(self.message_id) => (),
            _ => self.channel.chore(Chore::Cancel { message_id: self.message_id }),
        }
    }
}

impl Channel {
    /// How long some answer to a request may take: what is under way already delays it.
    pub(super) fn patience(&self, shape: &Shape) -> Duration {
        let bytes = u64::from(shape.sends.max(shape.expects)).saturating_add(self.in_flight());
        self.options.timeout.saturating_add(Duration::from_secs(bytes / SLOWEST_BYTES_PER_SECOND))
    }

    /// Tells those who have waited too long for any word on their request.
    pub(super) fn give_up(&self) {
        let now = Instant::now();
        let mut told = Vec::new();
        self.table().for_each_sync(|command, slot| {
            if slot.deadline <= now
                && let Some(answer) = slot.answer.take()
            {
                let after = now.saturating_duration_since(slot.since);
                told.push((answer, Error::Timeout { command, after }));
            }
        });
        for (answer, error) in told {
            // Who has gone already needs no word.
            let _ = answer.send(Err(error));
        }
    }

    /// An upper bound of the payload bytes under way, from the credits that pay for them.
    fn in_flight(&self) -> u64 {
        let spent = u64::from(self.largest_charge())
            .saturating_sub(self.credits.available_permits().try_into().unwrap_or(0));
        if self.multi_credit() { spent.saturating_mul(smb_proto::credit::max_payload(1).into()) } else { 0 }
    }

    /// Tidies up after an answer that nobody waits for any more.
    pub(super) fn orphaned(&self, reply: Reply, tree_id: u32, need: Need) {
        let Reply { header, message, kept, undo } = reply;
        if let Some(kept) = kept {
            self.chore(Chore::Reclaim(kept));
        }
        if header.status() != Some(NtStatus::SUCCESS) {
            return;
        }
        if let Some(undo) = undo {
            self.chore(Chore::Undo(undo));
        }
        let Ok(body) = smb_proto::codec::Body::new(&message) else { return };
        if header.command == Command::CREATE
            && let Ok(created) = CreateResponse::parse(&body)
        {
            self.chore(Chore::Close { tree_id, need, file_id: created.file_id });
        }
        if header.command == Command::TREE_CONNECT && TreeConnectResponse::parse(&body).is_ok() {
            self.chore(Chore::LeaveTree { tree_id: header.tree_id(), need });
        }
    }
}
