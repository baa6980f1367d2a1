//! One connection: what is posted at one end is done at the other before the call returns.

use super::MemOptions;
use crate::rdma::{
    Completion, Opened, PairInfo, QueuePair, Queues, Quirks, RdmaError, ReadRequest, Remote, SendRequest,
    SetUp, WriteRequest,
};
use smb_transport::{
    Access, BoxFuture, BufferDescriptor, Buffers, IoBuf, Pool,
    region::{Region, Regions, Segment},
};
use std::{
    collections::VecDeque,
    fmt,
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

/// One end of a connection.
pub struct MemPair {
    info: PairInfo,
    queues: Queues,
    pool: Pool,
    mine: Arc<Side>,
    theirs: Arc<Side>,
}

/// What an end's device knows.
#[derive(Default)]
struct Side {
    queues: Mutex<State>,
    regions: Regions,
}

#[derive(Default)]
struct State {
    receives: VecDeque<IoBuf>,
    completions: VecDeque<Completion>,
    /// Sends and writes whose completion has not been taken.
    undone: usize,
    ended: bool,
    waker: Option<Waker>,
}

/// A connection whose ends were set up so.
pub(super) fn pair(options: &MemOptions, one: &SetUp, other: &SetUp) -> (MemPair, MemPair) {
    let (a, b) = (Arc::new(Side::default()), Arc::new(Side::default()));
    (end(options, one, other, a.clone(), b.clone()), end(options, other, one, b, a))
}

fn end(options: &MemOptions, ours: &SetUp, other: &SetUp, mine: Arc<Side>, theirs: Arc<Side>) -> MemPair {
    mine.lock().receives.push_back(options.pool.buffer(ours.first_receive));
    let info = PairInfo {
        local: None,
        peer: None,
        speed: None,
        private_data: other.private_data.clone(),
        reads: ours.depths.reads_in_flight(&other.depths),
        max_transfer: options.max_transfer,
        max_descriptors: options.max_descriptors,
        remote_invalidate: true,
        quirks: Quirks::default(),
    };
    MemPair { info, queues: ours.queues, pool: options.pool.clone(), mine, theirs }
}

impl Side {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn complete(&self, completion: Completion) {
        let mut state = self.lock();
        if state.ended {
            return;
        }
        state.ended = matches!(completion, Completion::Disconnected(_));
        state.completions.push_back(completion);
        let unused = if state.ended { std::mem::take(&mut state.receives) } else { VecDeque::new() };
        let waker = state.waker.take();
        drop(state);
        // Buffers return to their pool, and others are woken, without this lock.
        drop(unused);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// A message arrives.
    fn arrive(&self, request: &SendRequest) -> Result<(), RdmaError> {
        let mut state = self.lock();
        if state.ended {
            return Err(RdmaError::Closed);
        }
        let mut message = state.receives.pop_front().ok_or(RdmaError::ReceiverNotReady)?;
        drop(state);
        if request.len() > message.len() {
            return Err(RdmaError::ReceiverNotReady);
        }
        message.truncate(request.len());
        let mut rest: &mut [u8] = &mut message;
        let parts =
            std::iter::once(&*request.head).chain(request.pieces.iter().flatten().map(|piece| &**piece));
        for part in parts {
            // In bounds, for the parts are as long as the message together.
            let Some((to, behind)) = rest.split_at_mut_checked(part.len()) else { break };
            to.copy_from_slice(part);
            rest = behind;
        }
        if let Some(token) = request.invalidate {
            self.regions.invalidate(token).map_err(RdmaError::RemoteAccess)?;
        }
        self.complete(Completion::Received { message, invalidated: request.invalidate });
        Ok(())
    }
}

impl MemPair {
    /// Ends the connection for both ends.
    fn end(&self, why: Option<RdmaError>) {
        for side in [&self.mine, &self.theirs] {
            side.complete(Completion::Disconnected(why));
            side.regions.end();
        }
    }

    /// Takes a place in the send queue.
    fn begin(&self) -> Result<(), RdmaError> {
        let mut state = self.mine.lock();
        if state.ended {
            return Err(RdmaError::Closed);
        }
        if state.undone >= self.queues.sends {
            return Err(RdmaError::Limit("the send queue is full"));
        }
        state.undone += 1;
        Ok(())
    }

    /// What the peer's device refuses ends the connection.
    fn settle(&self, outcome: Result<(), RdmaError>, completion: Completion) {
        match outcome {
            Ok(()) => self.mine.complete(completion),
            // It ended meanwhile, which is what this end will learn.
            Err(_) if self.theirs.lock().ended => {}
            Err(why) => self.end(Some(why)),
        }
    }

    fn write(&self, request: &WriteRequest) -> Result<(), RdmaError> {
        let from: &[u8] = &request.from;
        let copy = |to: &mut [u8]| to.copy_from_slice(from);
        self.reach(request.to, 0..from.len(), Access::RemoteWrite, copy)
    }

    fn read(&self, request: &mut ReadRequest) -> Result<(), RdmaError> {
        for (remote, range) in &request.parts {
            let to = request.into.get_mut(range.clone()).ok_or(RdmaError::Limit("outside the buffer"))?;
            let copy = |from: &mut [u8]| to.copy_from_slice(from);
            self.reach(*remote, range.clone(), Access::RemoteRead, copy)?;
        }
        Ok(())
    }

    /// Lets `work` at memory of the peer's.
    fn reach(
        &self,
        remote: Remote,
        local: Range<usize>,
        access: Access,
        work: impl FnOnce(&mut [u8]),
    ) -> Result<(), RdmaError> {
        let segment = Segment { token: remote.token, address: remote.address, local };
        self.theirs.regions.access(&segment, access, work).map_err(RdmaError::RemoteAccess)
    }
}

impl QueuePair for MemPair {
    fn info(&self) -> &PairInfo {
        &self.info
    }

    fn buffers(&self) -> Arc<dyn Buffers> {
        self.pool.clone().into()
    }

    fn post_receive(&self, buf: IoBuf) -> Result<(), RdmaError> {
        let mut state = self.mine.lock();
        if state.ended {
            return Err(RdmaError::Closed);
        }
        if state.receives.len() >= self.queues.receives {
            return Err(RdmaError::Limit("the receive queue is full"));
        }
        state.receives.push_back(buf);
        Ok(())
    }

    fn post_send(&self, request: SendRequest) -> Result<(), RdmaError> {
        self.begin()?;
        self.settle(self.theirs.arrive(&request), Completion::Sent);
        Ok(())
    }

    fn post_write(&self, request: WriteRequest) -> Result<(), RdmaError> {
        if request.from.len() > self.info.max_transfer {
            return Err(RdmaError::Limit("one transfer"));
        }
        self.begin()?;
        self.settle(self.write(&request), Completion::Sent);
        Ok(())
    }

    fn post_read(&self, id: u64, mut request: ReadRequest) -> Result<(), RdmaError> {
        if request.parts.len() > usize::from(self.info.reads) {
            return Err(RdmaError::Limit("reads under way"));
        }
        if self.mine.lock().ended {
            return Err(RdmaError::Closed);
        }
        let outcome = self.read(&mut request);
        self.settle(outcome, Completion::Read { id, into: request.into });
        Ok(())
    }

    fn open(&self, buf: IoBuf, access: Access) -> Result<Box<dyn Opened>, (RdmaError, IoBuf)> {
        if buf.len() > self.info.max_transfer.saturating_mul(self.info.max_descriptors) {
            return Err((RdmaError::Limit("one buffer"), buf));
        }
        let opened = self.mine.regions.open(buf, access, self.info.max_transfer);
        let (region, descriptors) = opened.map_err(|buf| (RdmaError::Closed, buf))?;
        Ok(Box::new(MemOpened { side: self.mine.clone(), region, descriptors }))
    }

    fn poll_completions(&self, cx: &mut Context<'_>, into: &mut Vec<Completion>) -> Poll<()> {
        let mut state = self.mine.lock();
        if state.completions.is_empty() {
            state.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let before = into.len();
        into.extend(state.completions.drain(..));
        let sent = into.iter().skip(before).filter(|done| matches!(done, Completion::Sent)).count();
        state.undone = state.undone.saturating_sub(sent);
        Poll::Ready(())
    }

    fn disconnect(&self) {
        self.end(None);
    }
}

impl Drop for MemPair {
    fn drop(&mut self) {
        self.end(None);
    }
}

impl fmt::Debug for MemPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MemPair").field(&self.info).finish()
    }
}

/// Dropped, it leaves the region to its end of the connection, which lets go of it with its last token.
struct MemOpened {
    side: Arc<Side>,
    region: Arc<Region>,
    descriptors: Vec<BufferDescriptor>,
}

impl Opened for MemOpened {
    fn descriptors(&self) -> &[BufferDescriptor] {
        &self.descriptors
    }

    fn reclaim(self: Box<Self>) -> BoxFuture<'static, Result<IoBuf, RdmaError>> {
        Box::pin(async move { self.side.regions.take_back(&self.region).ok_or(RdmaError::Closed) })
    }
}
