//! One connection to the server: what its tasks and its callers share.

use super::{
    counters::Counters,
    fate::Fate,
    janitor,
    janitor::Chore,
    keeper,
    keeper::Reserve,
    reader,
    request::{Reply, Request},
    writer,
};
use crate::{
    core::{
        negotiate::Negotiated,
        placement::{Inline, Placing},
        protect::{Need, Security},
        request::largest,
        table::Table,
    },
    error::{Error, Executed},
};
use smb_transport::{Advertised, Buffers, Kind, LinkInfo, Msg, Placement, Transport, TransportError};
use std::{
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{Semaphore, mpsc, oneshot, watch},
    time::Instant,
};

/// Requests of one compound over SMB Direct. ksmbd sends the answers of a compound as so many pieces, more than its queue
/// pair takes, from four on.
const MOST_OVER_RDMA: usize = 3;

/// How long the end of a connection that is closed may take to be told.
const END_TOLD: Duration = Duration::from_secs(3);

/// Messages that may wait for the writer.
const QUEUE: usize = 64;

/// How a channel behaves.
#[derive(Debug, Clone)]
pub(crate) struct ChannelOptions {
    /// A request without any answer, and a server without any word, are given up after this.
    pub timeout: Duration,
    /// Credits to strive for.
    pub credits: u16,
    /// Shorter reads and writes are not placed.
    pub placement_threshold: usize,
    /// A connection without traffic for so long is asked whether it is there; zero: never.
    pub keep_alive: Duration,
}

/// What is kept with a request under way.
pub(super) struct Slot {
    /// None once the caller was told that it has waited too long.
    pub answer: Option<oneshot::Sender<Result<Reply, Error>>>,
    /// Until when there must be some answer, and since when it is waited for.
    pub deadline: Instant,
    pub since: Instant,
    pub kept: Option<Box<dyn Advertised>>,
    pub undo: Option<Box<Request>>,
    pub tree_id: u32,
    pub need: Need,
}

/// One connection.
pub(crate) struct Channel {
    pub(super) table: Mutex<Table<Slot>>,
    /// One permit for each credit that can be spent: waiting is fair and safe to drop.
    pub(super) credits: Semaphore,
    pub(super) reserve: Reserve,
    pub(super) queue: mpsc::Sender<Msg>,
    pub(super) sender: writer::Sender,
    pub(super) chores: mpsc::UnboundedSender<Chore>,
    pub(super) fate: Fate,
    pub(super) options: ChannelOptions,
    security: OnceLock<Security>,
    agreed: OnceLock<Negotiated>,
    limit: watch::Sender<usize>,
    /// Why nothing new is to be asked here.
    retired: OnceLock<Error>,
    started: Instant,
    /// Milliseconds from `started` to the last sign of life.
    pulse: AtomicU64,
    pub(crate) buffers: Arc<dyn Buffers>,
    pub(crate) placement: Option<Arc<dyn Placement>>,
    pub(crate) info: LinkInfo,
    pub(crate) counters: Counters,
}

impl Channel {
    /// Starts the tasks of a connection.
    pub fn start(transport: Box<dyn Transport>, options: ChannelOptions) -> Owner {
        let halves = transport.split();
        let (queue, queued) = mpsc::channel(QUEUE);
        let (chores, chores_to_do) = mpsc::unbounded_channel();
        let (limit, limit_now) = watch::channel(smb_transport::INITIAL_LIMIT);
        let channel = Arc::new(Self {
            table: Mutex::new(Table::new(options.credits)),
            credits: Semaphore::new(1),
            reserve: Reserve::default(),
            queue,
            sender: Arc::new(tokio::sync::Mutex::new(Some(halves.sender))),
            chores,
            fate: Fate::new(),
            options,
            security: OnceLock::new(),
            agreed: OnceLock::new(),
            limit,
            retired: OnceLock::new(),
            started: Instant::now(),
            pulse: AtomicU64::new(0),
            buffers: halves.buffers,
            placement: halves.placement,
            info: halves.info,
            counters: Counters::default(),
        });
        tokio::spawn(reader::run(channel.clone(), halves.receiver, limit_now));
        tokio::spawn(writer::run(channel.clone(), channel.sender.clone(), queued));
        tokio::spawn(keeper::run(channel.clone()));
        tokio::spawn(janitor::run(channel.clone(), chores_to_do));
        Owner(channel)
    }

    pub(super) fn table(&self) -> MutexGuard<'_, Table<Slot>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session's keys, once there are any.
    pub fn security(&self) -> Option<&Security> {
        self.security.get()
    }

    /// What NEGOTIATE agreed on, once it has.
    pub fn agreed(&self) -> Option<&Negotiated> {
        self.agreed.get()
    }

    pub(super) fn set_agreed(&self, agreed: Negotiated) {
        // A channel negotiates once.
        let _ = self.agreed.set(agreed);
    }

    /// The session is established: from now on its keys count, and messages may be long. Resolves when the receiver
    /// knows: no answer to what is sent from then on is too long for it.
    pub(super) async fn set_security(&self, security: Security) {
        let _ = self.security.set(security);
        let largest = self.agreed().map_or(0, |agreed| agreed.max_read.max(agreed.max_transact));
        let room = usize::try_from(largest).unwrap_or(usize::MAX).saturating_add(64 * 1024);
        self.limit.send_replace(room.max(smb_transport::INITIAL_LIMIT));
        self.limit.closed().await;
    }

    pub(super) fn multi_credit(&self) -> bool {
        self.agreed().is_some_and(|agreed| agreed.multi_credit)
    }

    /// Ends the connection: all that waits fails, now; with `error`, unless that says that nothing was executed, which nobody
    /// knows of what is under way.
    pub fn end(&self, error: Error) {
        if self.fate.end(error.clone()) {
            tracing::debug!(%error, "channel ended");
        }
        let error = match error.executed() {
            Executed::Maybe => error,
            Executed::No => TransportError::Closed.into(),
        };
        self.credits.close();
        let slots = self.table().fail();
        for slot in slots {
            // Dropping the kept memory parks it with the connection, which is what it needs.
            if let Some(answer) = slot.answer {
                // Who has gone already needs no word.
                let _ = answer.send(Err(error.clone()));
            }
        }
    }

    /// The server says that the session is over: nothing new is asked here. What is under way is still answered, each request
    /// by a word of its own; the last ends the connection.
    pub fn retire(&self, error: Error) {
        tracing::debug!(%error, "channel retired");
        // The first reason is as good as any other.
        let _ = self.retired.set(error);
        self.end_retired();
    }

    pub(super) fn end_retired(&self) {
        if let Some(error) = self.retired.get()
            && self.table().outstanding() == 0
        {
            self.end(error.clone());
        }
    }

    /// Whether it can be used, as far as is known.
    pub fn is_sound(&self) -> bool {
        !self.has_ended() && self.retired.get().is_none()
    }

    /// Why the connection ended, or is no longer used.
    pub fn error(&self) -> Error {
        let why = self.fate.error().or_else(|| self.retired.get().cloned());
        why.unwrap_or(Error::Transport(TransportError::Closed))
    }

    /// What `error`, met aside of the messages, comes from: where the connection is closed, its end is about to be told with
    /// the reason.
    pub async fn because(&self, error: TransportError) -> Error {
        if error != TransportError::Closed || tokio::time::timeout(END_TOLD, self.fate.ended()).await.is_err()
        {
            return error.into();
        }
        self.error()
    }

    /// Whether the connection has ended.
    pub fn has_ended(&self) -> bool {
        self.fate.has_ended()
    }

    /// A sign of life from the server.
    pub(super) fn heard(&self) {
        let now = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.pulse.fetch_max(now, Ordering::Relaxed);
    }

    /// When the server last gave a sign of life.
    pub(super) fn last_heard(&self) -> Instant {
        let after = Duration::from_millis(self.pulse.load(Ordering::Relaxed));
        self.started.checked_add(after).unwrap_or(self.started)
    }

    /// Whether these do not go as one compound: the server grants too few credits for them, or would have to answer more of
    /// them over SMB Direct than ksmbd can.
    pub fn is_stingy(&self, compound: &[Request]) -> bool {
        let too_many = self.info.kind == Kind::Rdma && compound.len() > MOST_OVER_RDMA;
        too_many || u32::from(self.largest_charge()) < self.cost(compound)
    }

    /// The credits that requests take.
    pub(super) fn cost(&self, requests: &[Request]) -> u32 {
        let multi_credit = self.multi_credit();
        requests.iter().map(|request| u32::from(request.shape.cost(multi_credit))).sum()
    }

    /// The most bytes one READ may ask for.
    pub fn max_read(&self) -> usize {
        self.largest(|agreed| agreed.max_read)
    }

    /// The most bytes one WRITE may carry.
    pub fn max_write(&self) -> usize {
        self.largest(|agreed| agreed.max_write)
    }

    /// The most bytes that any other answer may have.
    pub fn max_transact(&self) -> usize {
        self.largest(|agreed| agreed.max_transact)
    }

    fn largest(&self, of: impl Fn(&Negotiated) -> u32) -> usize {
        let charge = self.largest_charge();
        let max = u32::try_from(self.info.max_message).unwrap_or(u32::MAX).saturating_sub(64 * 1024);
        let size = self.agreed().map_or(1, |agreed| largest(of(agreed), agreed, charge, max));
        usize::try_from(size).unwrap_or(usize::MAX)
    }

    /// How `len` bytes of a READ or WRITE with that need travel.
    pub fn placing(&self, len: usize, need: Need) -> Result<usize, Inline> {
        let (Some(agreed), Some(security)) = (self.agreed(), self.security()) else {
            return Err(Inline::NoPlacement);
        };
        self.placing_of(agreed).decide(len, security.may_place(need))
    }

    fn placing_of(&self, agreed: &Negotiated) -> Placing {
        let limits = self.placement.as_ref().map(|placement| placement.limits());
        Placing { limits, dialect: agreed.dialect, threshold: self.options.placement_threshold }
    }

    /// Whether the server is asked to invalidate placed memory with its answer.
    pub fn invalidates(&self) -> bool {
        self.agreed().is_some_and(|agreed| self.placing_of(agreed).invalidates())
    }

    /// Leaves something to be done when nobody waits for it.
    pub fn chore(&self, chore: Chore) {
        // After the channel's end there is nothing left to tidy up.
        let _ = self.chores.send(chore);
    }
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Channel").field("info", &self.info).finish_non_exhaustive()
    }
}

/// Who drops this ends the connection.
#[derive(Debug)]
pub(crate) struct Owner(Arc<Channel>);

impl std::ops::Deref for Owner {
    type Target = Arc<Channel>;
    fn deref(&self) -> &Arc<Channel> {
        &self.0
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.chore(Chore::Leave);
    }
}
