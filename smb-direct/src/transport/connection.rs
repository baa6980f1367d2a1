//! What the halves, the placement and the task of a connection share.

use super::{DirectError, task};
use crate::{
    rdma::{Completion, QueuePair, RdmaError},
    smbd::{
        CloseReason, Config,
        core::{Engine, Limits, Output, Role},
    },
};
use smb_transport::{IoBuf, Received, TransportError};
use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::{Notify, OwnedSemaphorePermit, oneshot, watch};

/// How long what was queued may take to leave when nobody holds the connection any more.
const LINGER: Duration = Duration::from_secs(5);

pub(super) struct Connection {
    pair: Arc<dyn QueuePair>,
    inner: Mutex<Inner>,
    /// Wakes the receiver.
    pub(super) ready: Notify,
    /// Wakes the sender.
    pub(super) room: Notify,
    /// Wakes the task, for a deadline has moved closer.
    pub(super) timer: Notify,
    phase: watch::Sender<Phase>,
    pub(super) traffic: Traffic,
}

/// Bytes so far.
#[derive(Default)]
pub(super) struct Traffic {
    pub(super) sent: AtomicU64,
    pub(super) received: AtomicU64,
    pub(super) pushed: AtomicU64,
    pub(super) pulled: AtomicU64,
}

pub(super) fn count(counter: &AtomicU64, bytes: usize) {
    counter.fetch_add(u64::try_from(bytes).unwrap_or(u64::MAX), Ordering::Relaxed);
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Negotiating,
    Established(Limits),
    Closed,
}

/// An RDMA read under way. Its place in the queue is kept until it is done, whether or not anybody still waits for it.
struct Read {
    done: oneshot::Sender<IoBuf>,
    _depth: OwnedSemaphorePermit,
}

pub(super) struct Inner {
    pub(super) engine: Engine,
    inbox: VecDeque<Received>,
    /// The receiver is gone; what arrives is thrown away.
    deaf: bool,
    closed: Option<CloseReason>,
    /// What the provider said at the end.
    fault: Option<RdmaError>,
    reads: HashMap<u64, Read>,
    next_read: u64,
    /// When the connection ends whatever is still queued.
    linger: Option<Instant>,
    /// What the task has armed its timer for.
    pub(super) armed: Option<Instant>,
}

/// The time, which is tokio's, so that tests may stop it.
pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

impl Connection {
    pub(super) fn start(pair: Arc<dyn QueuePair>, role: Role, config: Config) -> Arc<Self> {
        let engine = Engine::new(role, config, pair.buffers(), now());
        let inner = Inner {
            engine,
            inbox: VecDeque::new(),
            deaf: false,
            closed: None,
            fault: None,
            reads: HashMap::new(),
            next_read: 0,
            linger: None,
            armed: None,
        };
        let connection = Arc::new(Self {
            pair,
            inner: Mutex::new(inner),
            ready: Notify::new(),
            room: Notify::new(),
            timer: Notify::new(),
            phase: watch::Sender::new(Phase::Negotiating),
            traffic: Traffic::default(),
        });
        connection.with(|_| ());
        tokio::spawn(task::run(connection.clone()));
        connection
    }

    pub(super) fn pair(&self) -> &dyn QueuePair {
        &*self.pair
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Feeds the engine, then does what it says.
    pub(super) fn with<T>(&self, feed: impl FnOnce(&mut Inner) -> T) -> T {
        let mut inner = self.lock();
        let result = feed(&mut inner);
        while let Some(output) = inner.engine.poll() {
            if let Err(error) = self.act(&mut inner, output)
                && error != RdmaError::Closed
            {
                inner.fault.get_or_insert(error);
                inner.engine.link_down();
            }
        }
        if inner.armed.is_some() && inner.deadline() < inner.armed {
            self.timer.notify_one();
        }
        if inner.engine.has_room() {
            self.room.notify_one();
        }
        result
    }

    /// A link that is gone says so by itself, after what it still has; until then posting to it does nothing.
    fn act(&self, inner: &mut Inner, output: Output) -> Result<(), RdmaError> {
        match output {
            Output::PostReceives { count, size } => {
                let buffers = self.pair.buffers();
                for _ in 0..count {
                    self.pair.post_receive(buffers.buffer(size))?;
                }
            }
            Output::Send(request) => self.pair.post_send(request)?,
            Output::Write(request) => {
                count(&self.traffic.pushed, request.from.len());
                self.pair.post_write(request)?;
            }
            Output::Established(limits) => {
                self.phase.send_replace(Phase::Established(limits));
            }
            Output::Deliver(received) => self.deliver(inner, received),
            Output::Close(reason) => self.finish(inner, reason),
        }
        Ok(())
    }

    fn deliver(&self, inner: &mut Inner, received: Received) {
        count(&self.traffic.received, received.message.len());
        if inner.deaf {
            inner.engine.consumed(now(), Engine::memory(&received.message));
            return;
        }
        inner.inbox.push_back(received);
        self.ready.notify_one();
    }

    fn finish(&self, inner: &mut Inner, reason: CloseReason) {
        inner.closed = Some(reason);
        inner.reads.clear();
        self.phase.send_replace(Phase::Closed);
        self.pair.disconnect();
        self.ready.notify_one();
        self.room.notify_one();
        self.timer.notify_one();
    }

    /// Takes what the provider has done. All of it before the engine is asked what to do: one message may then grant the
    /// credits of many.
    pub(super) fn complete(&self, batch: &mut Vec<Completion>) {
        let now = now();
        self.with(|inner| {
            for completion in batch.drain(..) {
                inner.complete(now, completion);
            }
        });
    }

    /// Resolves once the negotiation is over.
    pub(super) async fn established(&self) -> Result<Limits, DirectError> {
        let mut phase = self.phase.subscribe();
        // The sender lives as long as `self`, so waiting cannot fail.
        let _ = phase.wait_for(|phase| *phase != Phase::Negotiating).await;
        match *phase.borrow() {
            Phase::Established(limits) => Ok(limits),
            Phase::Negotiating | Phase::Closed => {
                Err(self.lock().ended().unwrap_or(RdmaError::Closed.into()))
            }
        }
    }

    /// Resolves once the connection is over.
    pub(super) async fn closed(&self) {
        let _ = self.phase.subscribe().wait_for(|phase| *phase == Phase::Closed).await;
    }
}

impl Inner {
    fn complete(&mut self, now: Instant, completion: Completion) {
        match completion {
            Completion::Received { message, invalidated } => self.engine.received(now, message, invalidated),
            Completion::Sent => self.engine.sends_done(now, 1),
            // Nobody may wait for it any more; the buffer goes back to its pool then.
            Completion::Read { id, into } => drop(self.reads.remove(&id).map(|read| read.done.send(into))),
            Completion::Disconnected(fault) => {
                self.fault = self.fault.or(fault);
                self.engine.link_down();
            }
        }
    }

    /// When the task has something to do at the latest.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let engine = self.engine.deadline()?;
        Some(self.linger.map_or(engine, |linger| linger.min(engine)))
    }

    /// It is `now`.
    pub(super) fn expired(&mut self, now: Instant) {
        if self.linger.is_some_and(|linger| linger <= now) {
            self.engine.abort();
        }
        self.engine.expired(now);
    }

    pub(super) fn closed(&self) -> Option<CloseReason> {
        self.closed
    }

    /// The next message, or the end.
    pub(super) fn take(&mut self) -> Option<Result<Option<Received>, TransportError>> {
        if let Some(received) = self.inbox.pop_front() {
            self.engine.consumed(now(), Engine::memory(&received.message));
            return Some(Ok(Some(received)));
        }
        self.closed?;
        Some(self.error().map_or(Ok(None), Err))
    }

    /// Nobody receives any more.
    pub(super) fn make_deaf(&mut self) {
        self.deaf = true;
        for received in std::mem::take(&mut self.inbox) {
            self.engine.consumed(now(), Engine::memory(&received.message));
        }
    }

    /// Registers somebody who waits for an RDMA read.
    pub(super) fn await_read(&mut self, depth: OwnedSemaphorePermit) -> (u64, oneshot::Receiver<IoBuf>) {
        let (done, is_done) = oneshot::channel();
        let id = self.next_read;
        self.next_read = id.wrapping_add(1);
        self.reads.insert(id, Read { done, _depth: depth });
        (id, is_done)
    }

    /// A read that could not be posted.
    pub(super) fn forget_read(&mut self, id: u64) {
        self.reads.remove(&id);
    }

    /// Why the connection ended, where that was not in an orderly way.
    pub(super) fn error(&self) -> Option<TransportError> {
        match self.ended()? {
            DirectError::Ended { reason: CloseReason::Closed, .. } => None,
            DirectError::Ended { reason: CloseReason::Disconnected, fault: None } => {
                self.engine.is_midway().then_some(TransportError::Cut)
            }
            error => Some(error.into()),
        }
    }

    /// Why the connection ended, if it has.
    pub(super) fn ended(&self) -> Option<DirectError> {
        Some(DirectError::Ended { reason: self.closed?, fault: self.fault })
    }

    /// What the provider said when the connection broke.
    pub(super) fn fault(&self) -> Option<RdmaError> {
        self.fault
    }
}

/// Held by both halves: with the second the connection ends, when what was queued has left or after [`LINGER`].
pub(super) struct Presence(pub(super) Arc<Connection>);

impl Drop for Presence {
    fn drop(&mut self) {
        let now = now();
        self.0.with(|inner| {
            inner.make_deaf();
            inner.linger = Some(now + LINGER);
            inner.engine.close(now);
        });
    }
}
