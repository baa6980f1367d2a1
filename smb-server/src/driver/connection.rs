//! What the tasks of one connection share.

use super::{
    cancel::Cancel,
    traffic::{Counters, Moved},
    writer::Outgoing,
};
use crate::{
    core::{
        channel::Channel,
        connection::Connection,
        lock,
        negotiate::Agreed,
        open::Open,
        pending::{AsyncLimits, Pending},
        session::Session,
        share_mode::{Claim, Released},
    },
    handlers::times,
    server::Shared,
};
use smb_proto::{error::PeerViolation, status::NtStatus};
use smb_transport::{Buffers, LinkInfo, Placement};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

/// One connection.
pub(crate) struct Conn {
    pub(crate) id: u64,
    pub(crate) shared: Arc<Shared>,
    pub(crate) info: LinkInfo,
    pub(crate) buffers: Arc<dyn Buffers>,
    pub(crate) placement: Option<Arc<dyn Placement>>,
    pub(crate) core: Mutex<Connection>,
    pub(crate) pending: Mutex<Pending<Arc<Cancel>>>,
    pub(super) queue: mpsc::Sender<Box<Outgoing>>,
    slots: Arc<Semaphore>,
    /// A permit is with every request, also while it rests.
    under_way: Arc<Semaphore>,
    agreed: OnceLock<Arc<Agreed>>,
    /// `None` once the connection is over.
    channels: Mutex<Option<HashMap<u64, Arc<Channel>>>>,
    budget: Arc<Semaphore>,
    authenticated: AtomicBool,
    pub(super) counters: Counters,
    padded_reads: AtomicBool,
    gone: watch::Sender<bool>,
}

/// A request's place among those under way.
pub(super) struct Slot {
    /// `None` while it waits behind an interim response: the limit on those bounds it then.
    place: Option<OwnedSemaphorePermit>,
    under_way: OwnedSemaphorePermit,
}

impl Slot {
    /// Lets another in, so that who waits keeps nobody's CANCEL out.
    pub(super) fn rest(&mut self) {
        self.place = None;
    }

    /// Takes a place again, for the answer; without one where the connection ends first.
    pub(super) async fn resume(&mut self, conn: &Conn) {
        if self.place.is_none() {
            self.place = conn.place().await;
        }
    }

    /// What is held until the answer has left.
    pub(super) fn into_held(self) -> Vec<OwnedSemaphorePermit> {
        self.place.into_iter().chain([self.under_way]).collect()
    }
}

/// Where a connection's messages go.
const QUEUE: usize = 64;
/// More than any limits let in.
const MOST_UNDER_WAY: usize = 1 << 28;

impl Conn {
    pub(super) fn new(
        shared: Arc<Shared>,
        info: LinkInfo,
        buffers: Arc<dyn Buffers>,
        placement: Option<Arc<dyn Placement>>,
    ) -> (Arc<Self>, mpsc::Receiver<Box<Outgoing>>) {
        let (queue, outgoing) = mpsc::channel(QUEUE);
        let limits = &shared.config.limits;
        let waiting = AsyncLimits { bytes: limits.async_bytes, count: limits.max_pending / 2 };
        let conn = Self {
            id: shared.next_connection(),
            core: Mutex::new(Connection::new(limits.max_credits)),
            pending: Mutex::new(Pending::new(waiting)),
            slots: Arc::new(Semaphore::new(limits.max_pending.max(1))),
            under_way: Arc::new(Semaphore::new(MOST_UNDER_WAY)),
            budget: Arc::new(Semaphore::new(budget(limits.outbound_bytes))),
            agreed: OnceLock::new(),
            channels: Mutex::new(Some(HashMap::new())),
            authenticated: AtomicBool::new(false),
            counters: Counters::default(),
            padded_reads: AtomicBool::new(false),
            gone: watch::Sender::new(false),
            shared,
            info,
            buffers,
            placement,
            queue,
        };
        (Arc::new(conn), outgoing)
    }

    /// What was negotiated.
    pub(crate) fn agreed(&self) -> Result<Arc<Agreed>, NtStatus> {
        self.agreed.get().cloned().ok_or(NtStatus::INVALID_PARAMETER)
    }

    /// The NEGOTIATE succeeded.
    pub(crate) fn set_agreed(&self, agreed: Arc<Agreed>) {
        lock(&self.core).negotiated(agreed.multi_credit());
        // There is one NEGOTIATE only: the core sees to that.
        let _ = self.agreed.set(agreed);
    }

    /// The channel of a session here; not of one that has ended.
    pub(crate) fn channel(&self, session_id: u64) -> Option<Arc<Channel>> {
        let channels = lock(&self.channels);
        channels.as_ref()?.get(&session_id).filter(|channel| !channel.session.ended()).cloned()
    }

    /// Sessions here.
    pub(crate) fn sessions(&self) -> usize {
        lock(&self.channels).as_ref().map_or(0, HashMap::len)
    }

    /// A session is valid here from now on; false where the connection is over.
    pub(crate) fn add_channel(&self, channel: Channel) -> bool {
        let mut channels = lock(&self.channels);
        let Some(here) = channels.as_mut() else { return false };
        here.insert(channel.session.id, Arc::new(channel));
        self.authenticated.store(true, Ordering::Release);
        // One lock at a time: in whatever order others take them, nobody waits for somebody who waits.
        drop(channels);
        lock(&self.core).authenticated();
        true
    }

    /// A session is not valid here any more.
    pub(crate) fn remove_channel(&self, session_id: u64) {
        if let Some(channels) = lock(&self.channels).as_mut() {
            channels.remove(&session_id);
            self.authenticated.store(!channels.is_empty(), Ordering::Release);
        }
    }

    /// The sessions here, to end; there will be no others.
    pub(super) fn take_channels(&self) -> Vec<Arc<Channel>> {
        lock(&self.channels).take().into_iter().flat_map(HashMap::into_values).collect()
    }

    /// Whether somebody has authenticated.
    pub(super) fn is_authenticated(&self) -> bool {
        self.authenticated.load(Ordering::Acquire)
    }

    /// Counts data that has taken that way, here and for the whole server.
    pub(crate) fn count(&self, moved: Moved, bytes: usize) {
        self.counters.add(moved, bytes);
        self.shared.counters.add(moved, bytes);
    }

    /// READs are to be answered with room between the fixed part and the data: smbtorture asks for that.
    pub(crate) fn pad_reads(&self) {
        self.padded_reads.store(true, Ordering::Relaxed);
    }

    /// Whether they are.
    pub(crate) fn pads_reads(&self) -> bool {
        self.padded_reads.load(Ordering::Relaxed)
    }

    /// Ends the connection because of what the peer did.
    pub(crate) fn violated(&self, violation: PeerViolation) {
        tracing::warn!(conn = self.id, %violation, "dropping the connection");
        self.end();
    }

    /// Ends the connection.
    pub(crate) fn end(&self) {
        self.gone.send_replace(true);
    }

    /// Whether the connection is over.
    pub(super) fn is_gone(&self) -> bool {
        *self.gone.borrow()
    }

    /// Resolves when the connection is over.
    pub(super) async fn gone(&self) {
        ended(&mut self.watch()).await;
    }

    /// Tells whoever waits more than once when the connection is over.
    pub(super) fn watch(&self) -> watch::Receiver<bool> {
        self.gone.subscribe()
    }

    async fn place(&self) -> Option<OwnedSemaphorePermit> {
        tokio::select! {
            place = self.slots.clone().acquire_owned() => place.ok(),
            () = self.gone() => None,
        }
    }

    /// A place among the requests under way; `None` when the connection ends first.
    pub(super) async fn slot(&self) -> Option<Slot> {
        let place = Some(self.place().await?);
        Some(Slot { place, under_way: self.under_way.clone().try_acquire_owned().ok()? })
    }

    /// Resolves when no request is under way.
    pub(super) async fn idle(&self) {
        // An error says that the connection is no more.
        let _ = self.under_way.acquire_many(u32::try_from(MOST_UNDER_WAY).unwrap_or(u32::MAX)).await;
    }

    /// Waits for `bytes` of room for an answer.
    pub(super) async fn reserve(&self, bytes: u32) -> Result<OwnedSemaphorePermit, NtStatus> {
        let permits = self.budget.clone().acquire_many_owned(self.permits(bytes));
        permits.await.map_err(|_| NtStatus::CONNECTION_DISCONNECTED)
    }

    /// Takes `bytes` of room for an answer, if there is any now.
    pub(super) fn try_reserve(&self, bytes: u32) -> Result<OwnedSemaphorePermit, NtStatus> {
        let permits = self.budget.clone().try_acquire_many_owned(self.permits(bytes));
        permits.map_err(|_| NtStatus::INSUFFICIENT_RESOURCES)
    }

    /// What an answer of `bytes` takes: all there is where it is more than that.
    fn permits(&self, bytes: u32) -> u32 {
        let most = u32::try_from(budget(self.shared.config.limits.outbound_bytes)).unwrap_or(u32::MAX);
        bytes.min(most)
    }
}

/// Resolves when the connection watched is over.
pub(super) async fn ended(watch: &mut watch::Receiver<bool>) {
    // An error says that there is no connection any more at all.
    let _ = watch.wait_for(|gone| *gone).await;
}

/// Permits of the outbound budget.
fn budget(bytes: usize) -> usize {
    bytes.clamp(1, Semaphore::MAX_PERMITS)
}

/// Ends an open: gives its place up, with what that removes, and tells the back end. `client` is the connection over
/// which the client closed it; none where it was lost.
pub(crate) async fn close_open(open: &Open, client: Option<&Conn>) -> Result<(), NtStatus> {
    times::closing(open).await;
    let Some(claim) = open.take_claim() else { return Err(NtStatus::FILE_CLOSED) };
    open.locker.end();
    open.end_watch();
    if open.delete_on_close {
        claim.set_delete_pending(true);
        open.tell_doomed();
    }
    give_up(open, claim).await;
    match client {
        None => open.handle.close(false).await,
        // It may wait for the consumer of a stream, who is to know that there is nobody any more to hear of it.
        Some(conn) => tokio::select! {
            biased;
            closed = open.handle.close(true) => closed,
            () = conn.gone() => open.handle.close(false).await,
        },
    }
}

/// Gives an open's place among the file's opens up, and removes what was to go with it.
pub(crate) async fn give_up(open: &Open, claim: Claim) {
    let removed = match claim.release() {
        Released::Kept => Ok(()),
        Released::DeleteStream => open.handle.remove().await,
        Released::Delete { name: _name, stream } => {
            let stream = if stream { open.handle.remove().await } else { Ok(()) };
            open.handle.remove_file().await.inspect(|()| open.tell_removed()).and(stream)
        }
    };
    if let Err(status) = removed {
        tracing::info!(%status, "a file that was to be deleted stays");
    }
}

/// Ends a session and all it has open.
pub(crate) async fn end_session(shared: &Shared, session: &Session) {
    if !session.end() {
        return;
    }
    shared.sessions.remove(session.id);
    for open in session.opens.close() {
        let _ = close_open(&open, None).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Server,
        core::session::{NewSession, Owner},
    };
    use smb_proto::auth::Identity;
    use smb_transport::{
        Halves, Transport,
        memory::{MemoryOptions, pair},
    };
    use std::{sync::mpsc, thread, time::Duration};

    fn connection() -> Arc<Conn> {
        let shared = Server::builder().build().unwrap().handle().shared;
        let Halves { info, buffers, placement, .. } = Box::new(pair(MemoryOptions::plain()).0).split();
        Conn::new(shared, info, buffers, placement).0
    }

    fn channel(conn: &Conn, id: u64) -> Channel {
        let owner = Owner::of(&Identity::Anonymous);
        let user_opens = conn.shared.all_opens.of(&owner.user);
        let session = Session::new(NewSession {
            id,
            owner,
            signing_required: false,
            encrypt: false,
            sealing: None,
            expires: None,
            max_trees: 1,
            max_opens: 1,
            user_opens,
        });
        Channel { session: Arc::new(session), signing: None }
    }

    /// A log-on that begins while another ends asks for the sessions.
    #[tokio::test]
    async fn sessions_can_be_counted_while_one_is_added() {
        let conn = connection();
        let core = lock(&conn.core);
        let (told, counted) = mpsc::channel();
        thread::scope(|scope| {
            let adding = scope.spawn(|| conn.add_channel(channel(&conn, 7)));
            let counting = conn.clone();
            // Not of the scope: it never ends where the two wait for each other.
            thread::spawn(move || {
                while counting.sessions() == 0 {
                    thread::yield_now();
                }
                told.send(())
            });
            let counted = counted.recv_timeout(Duration::from_secs(60));
            drop(core);
            assert!(adding.join().unwrap());
            counted.expect("the sessions wait for the core");
        });
    }
}
