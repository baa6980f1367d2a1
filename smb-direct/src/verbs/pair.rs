//! A connection: queue pair, queues, and what the device may reach.

use super::{
    device::Device,
    error::NO_MEMORY,
    mr::{Mr, Rights},
    pool::{element, region_of},
    qp::{Element, Operation},
    queues::{Phase, Reads, Receive, State},
    windows,
};
use crate::rdma::{
    Completion, Opened, PairInfo, Piece, QueuePair, RdmaError, ReadRequest, SendRequest, WriteRequest,
};
use smb_transport::{Access, Buffers, IoBuf};
use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::{Duration, Instant},
};
use tokio::sync::Notify;

/// How long what was posted may take when we want to disconnect.
const DRAIN: Duration = Duration::from_secs(5);

/// What the handle of a connection, its task and the memory it has opened share. It may outlive the connection, by as
/// long as somebody keeps a handle; the task ends that, and leaves no object of the device here but registered buffers.
pub(super) struct Shared {
    state: Mutex<State>,
    device: Arc<Device>,
    info: PairInfo,
    pub(super) names: Names,
    /// Wakes the task.
    pub(super) kick: Notify,
}

/// What events of the device name a connection by.
pub(super) struct Names {
    pub(super) port: u8,
    /// Of the queue pair.
    pub(super) number: u32,
    /// The address of the completion queue.
    pub(super) completions: usize,
}

impl Shared {
    pub(super) fn new(state: State, device: Arc<Device>, info: PairInfo, names: Names) -> Arc<Self> {
        let shared = Self { state: Mutex::new(state), device, info, names, kick: Notify::new() };
        let shared = Arc::new(shared);
        shared.device.watch(&shared);
        shared
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn info(&self) -> &PairInfo {
        &self.info
    }

    pub(super) fn device(&self) -> &Device {
        &self.device
    }

    /// The connection ends for this reason, unless there was one before.
    pub(super) fn fail(&self, why: RdmaError) {
        self.lock().fault.get_or_insert(why);
        self.kick.notify_one();
    }

    fn disconnect(&self) {
        let mut state = self.lock();
        if state.phase == Phase::Up {
            state.phase = Phase::Draining(Instant::now() + DRAIN);
        }
        drop(state);
        self.kick.notify_one();
    }

    /// A piece of a message as an element; in a registered copy where the device does not know it.
    fn gather(&self, piece: &Piece, copies: &mut Vec<IoBuf>) -> Result<Element, RdmaError> {
        let pd = self.device.pd();
        let known = match piece {
            Piece::Buffer(slice) => region_of(slice.buf(), pd)
                .and_then(|region| element(slice.buf(), slice.range(), region.local_key())),
            Piece::Foreign(_) => None,
        };
        if let Some(known) = known {
            return Ok(known);
        }
        let mut copy = self.device.pool().buffer(piece.len());
        copy.copy_from_slice(piece);
        let element =
            region_of(&copy, pd).and_then(|region| element(&copy, 0..copy.len(), region.local_key()));
        copies.push(copy);
        element.ok_or(NO_MEMORY)
    }

    /// The key to name `buf` by, with a registration of its own where it has none.
    ///
    /// # Safety
    /// As [`Mr::of_window`].
    unsafe fn key(&self, buf: &IoBuf, rights: Rights) -> Result<(u32, Option<Mr>), RdmaError> {
        if let Some(region) = region_of(buf, self.device.pd()) {
            return Ok((region.local_key(), None));
        }
        if buf.is_empty() {
            return Ok((0, None));
        }
        // SAFETY: the caller promises what is needed.
        let region = unsafe { Mr::of_window(self.device.pd(), buf, rights)? };
        Ok((region.local_key(), Some(region)))
    }

    fn receive(&self, buf: IoBuf) -> Result<(), RdmaError> {
        self.lock().is_up()?;
        // SAFETY: region and buffer go into the table of receives together, and leave it region first.
        let (key, region) = unsafe { self.key(&buf, Rights::LOCAL_WRITE)? };
        self.lock().receive(Receive { region, buf }, key)
    }

    fn send(&self, request: SendRequest) -> Result<(), RdmaError> {
        self.lock().may_send()?;
        let mut copies = Vec::new();
        let mut elements = [None, None];
        for (element, piece) in elements.iter_mut().zip(&request.pieces) {
            if let Some(piece) = piece.as_ref().filter(|piece| !piece.is_empty()) {
                *element = Some(self.gather(piece, &mut copies)?);
            }
        }
        let SendRequest { head, pieces, invalidate } = request;
        // A peer that is not helped invalidates by itself.
        let invalidate = invalidate.filter(|_| self.device.can.invalidates).map(|token| token.0);
        self.lock().send(&head, elements, pieces, copies, invalidate)
    }

    fn write(&self, request: WriteRequest) -> Result<(), RdmaError> {
        self.lock().may_send()?;
        let WriteRequest { from, to } = request;
        if from.len() > self.info.max_transfer {
            return Err(RdmaError::Limit("one transfer"));
        }
        // SAFETY: region and buffer go into the table of works together, and leave it region first; the device only reads.
        let (key, region) = unsafe { self.key(from.buf(), Rights::NONE)? };
        let part = element(from.buf(), from.range(), key).ok_or(RdmaError::Limit("one transfer"))?;
        self.lock().write(from, region, part, Operation::Write(to))
    }

    fn read(&self, id: u64, request: ReadRequest) -> Result<(), RdmaError> {
        self.lock().is_up()?;
        let ReadRequest { into, parts } = request;
        if parts.len() > usize::from(self.info.reads) {
            return Err(RdmaError::Limit("reads under way"));
        }
        // SAFETY: region and buffer go into the table of reads together, and leave it region first.
        let (key, region) = unsafe { self.sink(&into)? };
        let mut reads = Vec::with_capacity(parts.len());
        for (from, range) in parts {
            if range.end.saturating_sub(range.start) > self.info.max_transfer {
                return Err(RdmaError::Limit("one transfer"));
            }
            let part = element(&into, range, key).ok_or(RdmaError::Limit("outside the buffer"))?;
            reads.push((part, Operation::Read(from)));
        }
        self.lock().read(Reads { id, left: reads.len(), region, into }, reads)
    }

    /// The key of a buffer that is read into. On iWARP the answer to a read is a write of the peer's, which needs the
    /// right; it is given for this one use.
    ///
    /// # Safety
    /// As [`Mr::of_window`].
    unsafe fn sink(&self, into: &IoBuf) -> Result<(u32, Option<Mr>), RdmaError> {
        if !self.device.can.iwarp || into.is_empty() {
            // SAFETY: the caller promises what is needed.
            return unsafe { self.key(into, Rights::LOCAL_WRITE) };
        }
        let rights = Rights::LOCAL_WRITE | Rights::REMOTE_WRITE;
        // SAFETY: the caller promises what is needed.
        let region = unsafe { Mr::of_window(self.device.pd(), into, rights)? };
        Ok((region.local_key(), Some(region)))
    }
}

/// A handle of a connection.
pub(super) struct Pair(pub(super) Arc<Shared>);

impl QueuePair for Pair {
    fn info(&self) -> &PairInfo {
        &self.0.info
    }

    fn buffers(&self) -> Arc<dyn Buffers> {
        Arc::new(self.0.device.pool().clone())
    }

    fn post_receive(&self, buf: IoBuf) -> Result<(), RdmaError> {
        self.0.receive(buf)
    }

    fn post_send(&self, request: SendRequest) -> Result<(), RdmaError> {
        self.0.send(request)
    }

    fn post_write(&self, request: WriteRequest) -> Result<(), RdmaError> {
        self.0.write(request)
    }

    fn post_read(&self, id: u64, request: ReadRequest) -> Result<(), RdmaError> {
        self.0.read(id, request)
    }

    fn open(&self, buf: IoBuf, access: Access) -> Result<Box<dyn Opened>, (RdmaError, IoBuf)> {
        windows::open(&self.0, buf, access)
    }

    fn poll_completions(&self, cx: &mut Context<'_>, into: &mut Vec<Completion>) -> Poll<()> {
        if self.0.lock().take_completions(cx.waker(), into) { Poll::Ready(()) } else { Poll::Pending }
    }

    fn disconnect(&self) {
        self.0.disconnect();
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.0.disconnect();
    }
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pair").field(&self.0.info).finish()
    }
}
