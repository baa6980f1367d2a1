//! Reads and writes under way: a file, a position, and a bounded number of bytes in flight.

use super::digest::Digest;
use crate::{
    api::File,
    error::{Error, TransferError},
};
use bytes::Bytes;
use smb_transport::IoBuf;
use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::task::{JoinHandle, JoinSet};

/// How much is under way at a time, and in which pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flow {
    /// Bytes of one piece.
    pub chunk: usize,
    /// Pieces under way at a time.
    pub depth: usize,
}

/// The most that is useful in one piece: larger ones leave the processor's cache between socket and digest.
const LARGEST: usize = 1 << 20;
/// Bytes under way on one channel.
const WINDOW: usize = 16 << 20;

impl Flow {
    /// For a channel that takes `max` bytes at a time.
    pub fn of(max: usize) -> Self {
        let chunk = max.clamp(1, LARGEST);
        Self { chunk, depth: (WINDOW / chunk).clamp(2, 64) }
    }
}

/// Writes under way. Each runs on a task of its own, so that signing and sealing use all processors; dropping the
/// pipeline ends them.
#[derive(Debug)]
pub(crate) struct Writes {
    file: File,
    next: u64,
    flow: Flow,
    under_way: JoinSet<Result<usize, Error>>,
    completed: u64,
    failed: Option<Error>,
    digest: Option<Digest>,
}

impl Writes {
    /// From `offset` on.
    pub fn new(file: File, offset: u64) -> Self {
        let flow = Flow::of(file.max_write());
        let under_way = JoinSet::new();
        Self { file, next: offset, flow, under_way, completed: 0, failed: None, digest: None }
    }

    /// With a digest of all that is written.
    pub fn with_digest(mut self) -> Self {
        self.digest = Some(Digest::new());
        self
    }

    /// The digest of what was written until now.
    pub fn take_digest(&mut self) -> Option<Digest> {
        self.digest.take()
    }

    /// Bytes that the server has said it wrote.
    pub fn completed(&self) -> u64 {
        self.completed
    }

    pub fn file(&self) -> &File {
        &self.file
    }

    /// The position of the next write.
    pub fn position(&self) -> u64 {
        self.next
    }

    /// Bytes to write at a time.
    pub fn chunk(&self) -> usize {
        self.flow.chunk
    }

    /// Resolves when another write may begin.
    pub fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_below(self.flow.depth, cx)
    }

    /// Resolves when no write is under way.
    pub fn poll_done(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_below(1, cx)
    }

    fn poll_below(&mut self, limit: usize, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            if let Some(error) = &self.failed {
                return Poll::Ready(Err(error.clone()));
            }
            // Take what is finished even where there is room: a failure must not wait.
            match self.under_way.poll_join_next(cx) {
                Poll::Ready(Some(outcome)) => {
                    self.finished(outcome.unwrap_or(Err(TransferError::Worker.into())))
                }
                Poll::Ready(None) => return Poll::Ready(Ok(())),
                Poll::Pending if self.under_way.len() < limit => return Poll::Ready(Ok(())),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn finished(&mut self, outcome: Result<usize, Error>) {
        match outcome {
            Ok(len) => self.completed = self.completed.saturating_add(u64::try_from(len).unwrap_or(u64::MAX)),
            Err(error) => {
                self.under_way.abort_all();
                self.failed.get_or_insert(error);
            }
        }
    }

    /// Resolves when another write may begin.
    pub async fn room(&mut self) -> Result<(), Error> {
        std::future::poll_fn(|cx| self.poll_room(cx)).await
    }

    /// Resolves when no write is under way.
    pub async fn done(&mut self) -> Result<(), Error> {
        std::future::poll_fn(|cx| self.poll_done(cx)).await
    }

    /// Begins a write behind the last one. Call it when there is room.
    pub fn push(&mut self, buf: IoBuf) {
        let (file, offset, len) = (self.file.clone(), self.next, buf.len());
        self.next = self.next.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
        let hashed = match &self.digest {
            Some(digest) => Ok(digest.buf(buf)),
            None => Err(buf),
        };
        self.under_way.spawn(async move {
            let buf = match hashed {
                Ok(hashing) => hashing.await?,
                Err(buf) => buf,
            };
            file.write_buf_at(offset, buf).await.map(|()| len)
        });
    }
}

/// Gathers small writes to whole pieces.
#[derive(Debug)]
pub(crate) struct Gathered {
    writes: Writes,
    buf: Option<(IoBuf, usize)>,
}

impl Gathered {
    pub fn new(writes: Writes) -> Self {
        Self { writes, buf: None }
    }

    pub fn writes(&mut self) -> &mut Writes {
        &mut self.writes
    }

    /// Takes as many bytes as fit.
    pub fn poll_write(&mut self, cx: &mut Context<'_>, data: &[u8]) -> Poll<Result<usize, Error>> {
        if data.is_empty() {
            return Poll::Ready(Ok(0));
        }
        ready!(self.writes.poll_room(cx))?;
        let chunk = self.writes.chunk();
        let (mut buf, filled) =
            self.buf.take().unwrap_or_else(|| (self.writes.file.session().buffer(chunk), 0));
        let space = buf.get_mut(filled..).unwrap_or(&mut []);
        let taken = data.len().min(space.len());
        space.iter_mut().zip(data).for_each(|(to, from)| *to = *from);
        let filled = filled.saturating_add(taken);
        if filled == buf.len() {
            self.writes.push(buf);
        } else {
            self.buf = Some((buf, filled));
        }
        Poll::Ready(Ok(taken))
    }

    /// Begins the write of what was gathered, and resolves when nothing is under way.
    pub fn poll_done(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        ready!(self.poll_cut(cx))?;
        self.writes.poll_done(cx)
    }

    /// Begins the write of what was gathered.
    pub fn poll_cut(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if self.buf.is_some() {
            ready!(self.writes.poll_room(cx))?;
            if let Some((mut buf, filled)) = self.buf.take() {
                buf.truncate(filled);
                self.writes.push(buf);
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// A task that ends with its handle.
#[derive(Debug)]
struct Task<T>(JoinHandle<T>);

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A piece that is being read: where it begins, how long it is to be.
#[derive(Debug)]
struct Piece {
    offset: u64,
    len: usize,
    task: Task<Result<Bytes, Error>>,
}

/// Reads under way, handed out in order; dropping it ends them.
#[derive(Debug)]
pub(crate) struct Reads {
    file: File,
    next: u64,
    end: u64,
    flow: Flow,
    under_way: VecDeque<Piece>,
}

impl Reads {
    /// From `offset` to `end`, or to where the file ends before.
    pub fn new(file: File, offset: u64, end: u64) -> Self {
        let flow = Flow::of(file.max_read());
        Self { file, next: offset, end, flow, under_way: VecDeque::new() }
    }

    /// With at most `depth` pieces under way.
    pub fn with_depth(mut self, depth: usize) -> Self {
        self.flow.depth = depth.max(1);
        self
    }

    /// Begins as many reads as may be under way.
    fn fill(&mut self) {
        while self.under_way.len() < self.flow.depth && self.next < self.end {
            let left = usize::try_from(self.end.saturating_sub(self.next)).unwrap_or(usize::MAX);
            let (file, offset, len) = (self.file.clone(), self.next, left.min(self.flow.chunk));
            self.next = self.next.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
            let task = Task(tokio::spawn(async move { file.read_at(offset, len).await }));
            self.under_way.push_back(Piece { offset, len, task });
        }
    }

    /// The next piece and where it belongs; `None` at the end. A piece that is short is the last.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<(u64, Bytes), Error>>> {
        self.fill();
        let Some(first) = self.under_way.front_mut() else { return Poll::Ready(None) };
        let outcome = ready!(Pin::new(&mut first.task.0).poll(cx));
        let (offset, len) = (first.offset, first.len);
        self.under_way.pop_front();
        let outcome = outcome.unwrap_or(Err(TransferError::Worker.into()));
        if outcome.as_ref().map_or(true, |bytes| bytes.len() < len) {
            self.end = 0;
            self.under_way.clear();
        }
        Poll::Ready(Some(outcome.map(|bytes| (offset, bytes))))
    }

    /// The next piece and where it belongs.
    pub async fn next(&mut self) -> Option<Result<(u64, Bytes), Error>> {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }
}
