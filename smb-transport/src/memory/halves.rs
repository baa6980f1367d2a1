//! The sending and the receiving half.

use super::{
    engine::{Engine, Job},
    link::{Link, Presence},
    options::{MemoryOptions, PlacementOptions},
    pipe::End,
};
use crate::{
    BoxFuture, Buffers, INITIAL_LIMIT, IoBuf, Msg, Pool, Received, RecvHalf, SendHalf, TransportError,
    region::segments,
};
use bytes::Bytes;
use std::sync::Arc;

pub(super) struct MemorySender {
    link: Link,
    engine: Engine,
    max_message: usize,
    placement: Option<PlacementOptions>,
    pool: Pool,
    closed: bool,
    _presence: Arc<Presence>,
}

impl MemorySender {
    pub(super) fn new(link: Link, options: &MemoryOptions, presence: Arc<Presence>) -> Self {
        let gate = options.placement.as_ref().and_then(|placement| placement.push_gate.clone());
        Self {
            engine: Engine::new(link.clone(), gate),
            link,
            max_message: options.max_message,
            placement: options.placement.clone(),
            pool: options.pool.clone(),
            closed: false,
            _presence: presence,
        }
    }

    async fn post(&mut self, message: Msg) -> Result<(), TransportError> {
        if self.closed {
            return Err(TransportError::Closed);
        }
        let job = self.job(message)?;
        self.link.outgoing.reserve(job.cost).await?;
        self.engine.post(job)
    }

    /// Checks a message and makes it ready, before any of it leaves.
    fn job(&self, message: Msg) -> Result<Job, TransportError> {
        let len = message.len();
        if len > self.max_message {
            return Err(TransportError::TooLong { len, limit: self.max_message });
        }
        let Msg { head, payload, pushes, invalidate } = message;
        let mut job = Job { cost: len, pushes: Vec::new(), invalidate, message: self.join(head, payload) };
        if self.placement.is_none() && (!pushes.is_empty() || invalidate.is_some()) {
            return Err(TransportError::Placement("this connection has none"));
        }
        let piece = self.placement.as_ref().map_or(usize::MAX, PlacementOptions::piece_pushed);
        for push in pushes {
            let segments = segments(&push.to, push.data.len(), piece)
                .ok_or(TransportError::Placement("more data than the descriptors hold"))?;
            job.cost = job.cost.saturating_add(push.data.len());
            job.pushes.push((segments, push.data));
        }
        Ok(job)
    }

    /// The message as the receiver sees it: in one buffer.
    fn join(&self, head: IoBuf, payload: Bytes) -> IoBuf {
        if payload.is_empty() {
            return head;
        }
        let mut whole = self.pool.buffer(head.len().saturating_add(payload.len()));
        if let Some((front, back)) = whole.split_at_mut_checked(head.len()) {
            front.copy_from_slice(&head);
            back.copy_from_slice(&payload);
        }
        whole
    }
}

impl SendHalf for MemorySender {
    fn send(&mut self, message: Msg) -> BoxFuture<'_, Result<(), TransportError>> {
        Box::pin(self.post(message))
    }

    fn close(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.closed = true;
            self.engine.drain().await;
            self.link.outgoing.end(End::Orderly);
        })
    }

    fn sever(&mut self, _message: Msg, _keep: usize) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.closed = true;
            self.engine.drain().await;
            self.link.break_off(End::Cut);
        })
    }
}

impl Drop for MemorySender {
    fn drop(&mut self) {
        self.engine.close();
    }
}

pub(super) struct MemoryReceiver {
    link: Link,
    limit: usize,
    /// Why nothing is received any more.
    refused: Option<TransportError>,
    _presence: Arc<Presence>,
}

impl MemoryReceiver {
    pub(super) fn new(link: Link, presence: Arc<Presence>) -> Self {
        Self { link, limit: INITIAL_LIMIT, refused: None, _presence: presence }
    }

    async fn next(&mut self) -> Result<Option<Received>, TransportError> {
        if let Some(error) = &self.refused {
            return Err(error.clone());
        }
        let next = self.link.incoming.next().await?;
        match next.as_ref().map(|received| received.message.len()) {
            Some(len) if len > self.limit => Err(self.refuse(len)),
            _ => Ok(next),
        }
    }

    fn refuse(&mut self, len: usize) -> TransportError {
        self.link.break_off(End::Reset);
        let error = TransportError::TooLong { len, limit: self.limit };
        self.refused.insert(error).clone()
    }
}

impl RecvHalf for MemoryReceiver {
    fn recv(&mut self) -> BoxFuture<'_, Result<Option<Received>, TransportError>> {
        Box::pin(self.next())
    }

    fn peer_left(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(self.link.incoming.ended())
    }

    fn set_limit(&mut self, max_message: usize) {
        self.limit = max_message;
    }
}

impl Drop for MemoryReceiver {
    fn drop(&mut self) {
        self.link.incoming.end(End::Deaf);
    }
}
