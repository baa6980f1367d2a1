//! What is posted, and what came of it.
//!
//! ```text
//!  submit ─▶ Request ─ room in the queue ─▶ device ─ Done ─▶ settle ─▶ Completion
//!               └─ none ─▶ waiting ──────────▲
//! ```
//! Buffers are in `receives`, `works` or `reads` from before they are posted until their request is done or the queue pair
//! is destroyed.

use super::{
    cq::Done,
    error,
    mr::Mr,
    pool::element,
    qp::{Element, Operation, Qp, Request},
    slots::{Heads, Slots},
    windows::Windows,
};
use crate::rdma::{Completion, Head, Piece, Queues, RdmaError, Remote, Slice};
use smb_transport::{IoBuf, Token};
use std::{
    collections::{HashMap, VecDeque},
    task::Waker,
    time::Instant,
};

/// Marks the numbers of receives; the send queue counts from zero.
const RECEIVE: u64 = 1 << 63;

/// How far the end of the connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Up,
    /// We want to disconnect, when what was posted is done or at that time.
    Draining(Instant),
    /// Requests were flushed. Why, an event will tell, or nothing until that time.
    Flushed(Instant),
    /// The peer has disconnected, or the device in its name. Which of them, an event will tell, or nothing until that time.
    Parted(Instant),
    /// We have disconnected, and wait for the peer to know it or for that time.
    Leaving(Instant),
    Over,
}

/// A receive that is posted.
pub(super) struct Receive {
    // Before the buffer it is over.
    pub(super) region: Option<Mr>,
    pub(super) buf: IoBuf,
}

/// A request of the send queue, with what it needs.
pub(super) enum Work {
    Send {
        head: Option<usize>,
        _pieces: [Option<Piece>; 2],
        _copies: Vec<IoBuf>,
    },
    Write {
        // Before what it is over.
        _region: Option<Mr>,
        _from: Slice,
    },
    /// Part of that group of reads.
    Read(u64),
    Bind,
    /// Ends what the key opens.
    Invalidate(u32),
    /// Something that makes the peer's device look at what has arrived.
    Nudge,
}

/// RDMA reads into one buffer.
pub(super) struct Reads {
    pub(super) id: u64,
    pub(super) left: usize,
    // Before the buffer it is over.
    pub(super) region: Option<Mr>,
    pub(super) into: IoBuf,
}

/// The queues of a connection.
pub(super) struct State {
    /// Until the connection is over. Before the buffers: when it is gone the device touches none of them.
    qp: Option<Qp>,
    pub(super) phase: Phase,
    limits: Queues,
    /// Requests the device's send queue takes.
    depth: usize,
    pub(super) receives: Slots<Receive>,
    works: Slots<Work>,
    posted: usize,
    waiting: VecDeque<Request>,
    heads: Heads,
    reads: HashMap<u64, Reads>,
    next_reads: u64,
    pub(super) windows: Windows,
    completions: VecDeque<Completion>,
    /// Sends and writes whose completion has not been taken.
    undone: usize,
    waker: Option<Waker>,
    /// The first thing that went wrong.
    pub(super) fault: Option<RdmaError>,
    /// Requests were flushed, or could not be posted.
    pub(super) flushed: bool,
    /// A message has arrived.
    pub(super) heard: bool,
    /// The end was told.
    pub(super) told: bool,
}

impl State {
    pub(super) fn new(qp: Qp, limits: Queues, depth: usize, heads: Heads) -> Self {
        Self {
            qp: Some(qp),
            phase: Phase::Up,
            limits,
            depth,
            receives: Slots::default(),
            works: Slots::default(),
            posted: 0,
            waiting: VecDeque::new(),
            heads,
            reads: HashMap::new(),
            next_reads: 0,
            windows: Windows::default(),
            completions: VecDeque::new(),
            undone: 0,
            waker: None,
            fault: None,
            flushed: false,
            heard: false,
            told: false,
        }
    }

    pub(super) fn is_up(&self) -> Result<(), RdmaError> {
        if self.phase == Phase::Up { Ok(()) } else { Err(RdmaError::Closed) }
    }

    /// Whether there is a place for a send or a write.
    pub(super) fn may_send(&self) -> Result<(), RdmaError> {
        self.is_up()?;
        if self.undone < self.limits.sends { Ok(()) } else { Err(RdmaError::Limit("the send queue is full")) }
    }

    /// Whether all that was posted to the send queue is done.
    pub(super) fn is_drained(&self) -> bool {
        self.works.len() == 0
    }

    pub(super) fn receive(&mut self, receive: Receive, key: u32) -> Result<(), RdmaError> {
        self.is_up()?;
        let qp = self.qp.as_ref().ok_or(RdmaError::Closed)?;
        if self.receives.len() >= self.limits.receives {
            return Err(RdmaError::Limit("the receive queue is full"));
        }
        let into = element(&receive.buf, 0..receive.buf.len(), key).ok_or(RdmaError::Limit("one receive"))?;
        let id = self.receives.insert(receive);
        // SAFETY: the buffer is in the table until the receive is done or the queue pair is gone.
        let posted = unsafe { qp.post_receive(id | RECEIVE, into) };
        if posted.is_err() {
            self.receives.remove(id);
            self.flushed = true;
            return Err(RdmaError::Closed);
        }
        Ok(())
    }

    pub(super) fn send(
        &mut self,
        head: &Head,
        elements: [Option<Element>; 2],
        pieces: [Option<Piece>; 2],
        copies: Vec<IoBuf>,
        invalidate: Option<u32>,
    ) -> Result<(), RdmaError> {
        self.may_send()?;
        let (at, head) = if head.is_empty() { (None, None) } else { self.heads.place(head).unzip() };
        let work = Work::Send { head: at, _pieces: pieces, _copies: copies };
        let elements = head.into_iter().chain(elements.into_iter().flatten());
        self.undone += 1;
        self.submit(work, elements, Operation::Send { invalidate })
    }

    pub(super) fn write(
        &mut self,
        from: Slice,
        region: Option<Mr>,
        element: Element,
        operation: Operation,
    ) -> Result<(), RdmaError> {
        self.may_send()?;
        self.undone += 1;
        self.submit(Work::Write { _region: region, _from: from }, [element], operation)
    }

    /// Posts reads into the elements.
    pub(super) fn read(&mut self, reads: Reads, parts: Vec<(Element, Operation)>) -> Result<(), RdmaError> {
        self.is_up()?;
        if parts.is_empty() {
            self.complete(Completion::Read { id: reads.id, into: reads.into });
            return Ok(());
        }
        let group = self.next_reads;
        self.next_reads = group.wrapping_add(1);
        self.reads.insert(group, reads);
        for (element, operation) in parts {
            self.submit(Work::Read(group), [element], operation)?;
        }
        Ok(())
    }

    pub(super) fn bind(&mut self, operation: Operation) -> Result<(), RdmaError> {
        self.submit(Work::Bind, [], operation)
    }

    pub(super) fn invalidate(&mut self, key: u32) -> Result<(), RdmaError> {
        self.submit(Work::Invalidate(key), [], Operation::Invalidate(key))
    }

    /// Writes nothing, so that something arrives at the peer's device.
    pub(super) fn nudge(&mut self) -> Result<(), RdmaError> {
        self.is_up()?;
        self.submit(Work::Nudge, [], Operation::Write(Remote { token: Token(0), address: 0 }))
    }

    /// Posts a request, or lets it wait for room.
    fn submit(
        &mut self,
        work: Work,
        elements: impl IntoIterator<Item = Element>,
        operation: Operation,
    ) -> Result<(), RdmaError> {
        let id = self.works.insert(work);
        self.waiting.push_back(Request::new(id, elements, operation));
        self.post_waiting();
        Ok(())
    }

    /// Posts what waits, as far as there is room. A device that takes a request no more has ended the connection, which
    /// is found out in its own time; the request waits until then.
    pub(super) fn post_waiting(&mut self) {
        while !self.flushed && self.posted < self.depth {
            let (Some(qp), Some(request)) = (&self.qp, self.waiting.front()) else { return };
            // SAFETY: what the elements name is in `works` or `reads` until the request is done or the queue pair gone.
            if unsafe { qp.post(request) }.is_err() {
                self.flushed = true;
                return;
            }
            self.waiting.pop_front();
            self.posted += 1;
        }
    }

    /// A request is done.
    pub(super) fn settle(&mut self, done: Done) {
        if !done.succeeded() {
            match error::completion(done.status) {
                Some(error) => drop(self.fault.get_or_insert(error)),
                None => self.flushed = true,
            }
        }
        if done.id & RECEIVE != 0 {
            self.settle_receive(done);
        } else {
            self.settle_work(done);
        }
    }

    fn settle_receive(&mut self, done: Done) {
        let Some(Receive { region, buf: mut message }) = self.receives.remove(done.id & !RECEIVE) else {
            return;
        };
        drop(region);
        if !done.succeeded() {
            return;
        }
        self.heard = true;
        message.truncate(done.len);
        let invalidated = done.invalidated.map(Token);
        if let Some(token) = invalidated {
            self.windows.invalidated(token.0);
        }
        self.complete(Completion::Received { message, invalidated });
    }

    fn settle_work(&mut self, done: Done) {
        self.posted = self.posted.saturating_sub(1);
        let Some(work) = self.works.remove(done.id) else { return };
        match work {
            Work::Send { head, .. } => {
                self.heads.free(head);
                self.complete_if(done, Completion::Sent);
            }
            Work::Write { .. } => self.complete_if(done, Completion::Sent),
            Work::Read(group) => self.settle_read(done, group),
            Work::Bind | Work::Nudge => {}
            Work::Invalidate(key) => {
                if done.succeeded() {
                    self.windows.invalidated(key);
                }
            }
        }
    }

    fn settle_read(&mut self, done: Done, group: u64) {
        let Some(reads) = self.reads.get_mut(&group) else { return };
        reads.left = reads.left.saturating_sub(1);
        if reads.left > 0 {
            return;
        }
        let Some(Reads { id, region, into, .. }) = self.reads.remove(&group) else { return };
        // The device is done with it before anybody gets the buffer.
        drop(region);
        if self.fault.is_none() && !self.flushed {
            self.complete_if(done, Completion::Read { id, into });
        }
    }

    fn complete_if(&mut self, done: Done, completion: Completion) {
        if done.succeeded() {
            self.complete(completion);
        }
    }

    fn complete(&mut self, completion: Completion) {
        if !self.told {
            self.completions.push_back(completion);
        }
    }

    /// Tells the end, once: nothing completes after it. Whoever waits for opened memory gets it.
    pub(super) fn tell_end(&mut self, why: Option<RdmaError>) {
        if self.told {
            return;
        }
        self.complete(Completion::Disconnected(why));
        self.told = true;
        self.waiting.clear();
        self.windows.end();
    }

    /// It is over. In this order: windows, for a queue pair is not gone while one is bound to it; the queue pair, and with
    /// it the device's reach; then what it could reach.
    pub(super) fn over(&mut self) {
        self.phase = Phase::Over;
        self.waiting.clear();
        self.windows.unbind();
        self.qp = None;
        self.receives = Slots::default();
        self.works = Slots::default();
        self.reads.clear();
        self.windows.shut();
    }

    /// The waker of whoever asks for completions, if there are any.
    pub(super) fn take_waker(&mut self) -> Option<Waker> {
        if self.completions.is_empty() { None } else { self.waker.take() }
    }

    /// Moves completions that are there to `into`, or remembers whom to wake.
    pub(super) fn take_completions(&mut self, waker: &Waker, into: &mut Vec<Completion>) -> bool {
        if self.completions.is_empty() {
            self.waker = Some(waker.clone());
            return false;
        }
        let sent = self.completions.iter().filter(|done| matches!(done, Completion::Sent)).count();
        self.undone = self.undone.saturating_sub(sent);
        into.extend(self.completions.drain(..));
        true
    }
}
