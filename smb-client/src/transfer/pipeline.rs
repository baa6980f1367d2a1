//! Reads and writes under way: a file, a position, and as many bytes in flight as [`Flow`] says.

use super::digest::Digest;
use crate::{
    api::File,
    core::flow::Flow,
    error::{Error, TransferError},
};
use bytes::Bytes;
use smb_transport::IoBuf;
use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    task::{JoinHandle, JoinSet},
    time::Instant,
};

/// What is written at a time.
#[derive(Debug)]
pub(crate) enum Piece {
    /// With room for headers in front: not copied.
    Buf(IoBuf),
    /// Copied where it must be signed or sealed.
    Bytes(Bytes),
}

impl From<IoBuf> for Piece {
    fn from(buf: IoBuf) -> Self {
        Self::Buf(buf)
    }
}

impl From<Bytes> for Piece {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(bytes)
    }
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Buf(buf) => buf,
            Self::Bytes(bytes) => bytes,
        }
    }
}

/// A piece that was written: its length, and how long it took.
type Written = Result<(usize, Duration), Error>;

/// Writes under way. Each runs on a task of its own, so that signing and sealing use all processors; dropping the
/// pipeline ends them.
#[derive(Debug)]
pub(crate) struct Writes {
    file: File,
    next: u64,
    flow: Flow,
    started: Instant,
    under_way: JoinSet<Written>,
    completed: u64,
    failed: Option<Error>,
    digest: Option<Digest>,
}

impl Writes {
    /// From `offset` on, with at most `window` bytes under way.
    pub fn new(file: File, offset: u64, window: Option<usize>) -> Self {
        let window = window.unwrap_or_else(|| file.session().window());
        let flow = Flow::bulk(file.max_write(), window);
        let (started, under_way) = (Instant::now(), JoinSet::new());
        Self { file, next: offset, flow, started, under_way, completed: 0, failed: None, digest: None }
    }

    /// With a digest of all that is written, behind what `hasher` has taken up.
    pub fn with_digest(mut self, hasher: blake3::Hasher) -> Self {
        self.digest = Some(Digest::after(hasher));
        self
    }

    /// The digest of what was handed in until now; `None` without one.
    pub async fn digest_so_far(&self) -> Result<Option<[u8; 32]>, Error> {
        match &self.digest {
            Some(digest) => digest.so_far().await.map(Some),
            None => Ok(None),
        }
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

    /// Bytes to write at a time now.
    pub fn chunk(&self) -> usize {
        self.flow.chunk()
    }

    /// Resolves when another write may begin.
    pub fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_until(Flow::has_room, cx)
    }

    /// Resolves when no write is under way.
    pub fn poll_done(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_until(|_| false, cx)
    }

    /// Resolves when `enough` holds, or nothing is under way.
    fn poll_until(
        &mut self,
        enough: impl Fn(&Flow) -> bool,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
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
                Poll::Pending if enough(&self.flow) => return Poll::Ready(Ok(())),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn finished(&mut self, outcome: Written) {
        match outcome {
            Ok((len, took)) => {
                self.flow.end(self.started.elapsed(), len, took);
                self.completed = self.completed.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
            }
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
    pub fn push(&mut self, piece: impl Into<Piece>) {
        let piece = piece.into();
        let (file, offset, len) = (self.file.clone(), self.next, piece.as_ref().len());
        self.next = self.next.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
        self.flow.begin(len);
        let hashed = match &self.digest {
            Some(digest) => Ok(digest.take_up(piece)),
            None => Err(piece),
        };
        self.under_way.spawn(async move {
            let piece = match hashed {
                Ok(hashing) => hashing.await?,
                Err(piece) => piece,
            };
            let began = Instant::now();
            match piece {
                Piece::Buf(buf) => file.write_buf_at(offset, buf).await?,
                Piece::Bytes(bytes) => file.write_at(offset, bytes).await?,
            }
            Ok((len, began.elapsed()))
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
        if let (Some(to), Some(from)) = (space.get_mut(..taken), data.get(..taken)) {
            to.copy_from_slice(from);
        }
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
struct Reading {
    offset: u64,
    len: usize,
    task: Task<Result<(Bytes, Duration), Error>>,
}

/// Reads under way, handed out in order; dropping it ends them.
#[derive(Debug)]
pub(crate) struct Reads {
    file: File,
    next: u64,
    end: u64,
    flow: Flow,
    started: Instant,
    under_way: VecDeque<Reading>,
    failed: Option<Error>,
}

impl Reads {
    /// From `offset` to `end`, or to where the file ends before, with at most `window` bytes under way.
    pub fn new(file: File, offset: u64, end: u64, window: Option<usize>) -> Self {
        let window = window.unwrap_or_else(|| file.session().window());
        let flow = Flow::bulk(file.max_read(), window);
        let (started, under_way) = (Instant::now(), VecDeque::new());
        Self { file, next: offset, end, flow, started, under_way, failed: None }
    }

    /// Whether there is nothing more to come but the error.
    pub fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    /// For a caller who may not want much: little at first.
    pub fn gentle(file: File, offset: u64) -> Self {
        let flow = Flow::gentle(file.max_read(), file.session().window());
        Self { flow, ..Self::new(file, offset, u64::MAX, None) }
    }

    /// Begins as many reads as may be under way.
    fn fill(&mut self) {
        while self.next < self.end && self.flow.has_room() {
            let left = usize::try_from(self.end.saturating_sub(self.next)).unwrap_or(usize::MAX);
            let (file, offset, len) = (self.file.clone(), self.next, left.min(self.flow.chunk()));
            self.next = self.next.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
            self.flow.begin(len);
            let task = Task(tokio::spawn(async move {
                let began = Instant::now();
                let bytes = file.read_at(offset, len).await?;
                Ok((bytes, began.elapsed()))
            }));
            self.under_way.push_back(Reading { offset, len, task });
        }
    }

    /// The next piece and where it belongs; `None` at the end. A piece that is short is the last. After an error there is
    /// only that error.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<(u64, Bytes), Error>>> {
        if let Some(error) = &self.failed {
            return Poll::Ready(Some(Err(error.clone())));
        }
        self.fill();
        let Some(first) = self.under_way.front_mut() else { return Poll::Ready(None) };
        let outcome = ready!(Pin::new(&mut first.task.0).poll(cx));
        let (offset, len) = (first.offset, first.len);
        self.under_way.pop_front();
        let outcome = outcome.unwrap_or(Err(TransferError::Worker.into())).map(|(bytes, took)| {
            self.flow.end(self.started.elapsed(), len, took);
            bytes
        });
        if outcome.as_ref().map_or(true, |bytes| bytes.len() < len) {
            self.end = 0;
            self.under_way.clear();
        }
        self.failed = outcome.as_ref().err().cloned();
        Poll::Ready(Some(outcome.map(|bytes| (offset, bytes))))
    }

    /// The next piece and where it belongs.
    pub async fn next(&mut self) -> Option<Result<(u64, Bytes), Error>> {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }
}
