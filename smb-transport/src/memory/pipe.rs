//! One direction's queue, bounded in messages and bytes.

use crate::{Received, TransportError};
use std::{
    collections::VecDeque,
    io,
    sync::{Mutex, MutexGuard, PoisonError},
};
use tokio::sync::Notify;

/// One sender, one receiver.
pub(super) struct Pipe {
    max_messages: usize,
    max_bytes: usize,
    state: Mutex<State>,
    /// Wakes the sender.
    room: Notify,
    /// Wakes the receiver.
    ready: Notify,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Item>,
    /// Reserved or queued.
    messages: usize,
    bytes: usize,
    end: Option<End>,
}

struct Item {
    received: Received,
    cost: usize,
}

/// How a direction ended. What is queued is still received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The sender closed or went away between two messages.
    Orderly,
    /// In the middle of a message.
    Cut,
    /// The connection was broken, as RDMA does on a bad token.
    Reset,
    /// The receiver went away.
    Deaf,
}

impl Pipe {
    pub(super) fn new(max_messages: usize, max_bytes: usize) -> Self {
        let state = Mutex::default();
        Self { max_messages, max_bytes, state, room: Notify::new(), ready: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `cost` bytes may be queued.
    pub(super) async fn reserve(&self, cost: usize) -> Result<(), TransportError> {
        loop {
            if self.try_reserve(cost)? {
                return Ok(());
            }
            self.room.notified().await;
        }
    }

    fn try_reserve(&self, cost: usize) -> Result<bool, TransportError> {
        let mut state = self.lock();
        if state.end.is_some() {
            return Err(TransportError::Closed);
        }
        let bytes = state.bytes.saturating_add(cost);
        let fits = state.messages < self.max_messages && bytes <= self.max_bytes;
        if !fits && state.messages > 0 {
            return Ok(false);
        }
        state.messages += 1;
        state.bytes = bytes;
        Ok(true)
    }

    /// Queues what was reserved for. Nothing arrives after the end.
    pub(super) fn deliver(&self, received: Received, cost: usize) {
        let mut state = self.lock();
        if state.end.is_none() {
            state.queue.push_back(Item { received, cost });
            drop(state);
            self.ready.notify_one();
        }
    }

    /// Ends the direction; the first end counts. It is not orderly while messages are still on their way: a lost
    /// message must not look like one never sent.
    pub(super) fn end(&self, end: End) {
        let mut state = self.lock();
        let on_their_way = state.messages > state.queue.len();
        let end = if end == End::Orderly && on_their_way { End::Reset } else { end };
        state.end.get_or_insert(end);
        let unheard = if end == End::Deaf { std::mem::take(&mut state.queue) } else { VecDeque::new() };
        drop(state);
        // Buffers return to their pool without this lock.
        drop(unheard);
        self.room.notify_one();
        self.ready.notify_one();
    }

    /// The next message. Cancel-safe: nothing is taken before it is returned.
    pub(super) async fn next(&self) -> Result<Option<Received>, TransportError> {
        loop {
            if let Some(outcome) = self.try_next() {
                return outcome;
            }
            self.ready.notified().await;
        }
    }

    /// Resolves when nothing more is queued; for the receiver, in whose place it waits.
    pub(super) async fn ended(&self) {
        while self.lock().end.is_none() {
            self.ready.notified().await;
        }
    }

    fn try_next(&self) -> Option<Result<Option<Received>, TransportError>> {
        let mut state = self.lock();
        if let Some(item) = state.queue.pop_front() {
            state.messages = state.messages.saturating_sub(1);
            state.bytes = state.bytes.saturating_sub(item.cost);
            drop(state);
            self.room.notify_one();
            return Some(Ok(Some(item.received)));
        }
        match state.end? {
            End::Orderly => Some(Ok(None)),
            End::Cut => Some(Err(TransportError::Cut)),
            End::Deaf => Some(Err(TransportError::Closed)),
            End::Reset => {
                Some(Err(TransportError::Io { kind: io::ErrorKind::ConnectionReset, os_error: None }))
            }
        }
    }
}
