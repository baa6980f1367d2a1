//! The receiving half: several small messages per system call, large ones straight into their buffer.
//!
//! ```text
//!        ┌── prefix staged ──▶ limit checked, buffer taken, staged part copied ──┐
//!   socket                                                                      ├─▶ message
//!        └── rest of a large message, read into its buffer ──────────────────────┘
//! ```
//! All progress is kept in the half, never in the future: dropping `recv` loses nothing.

use super::{align::Alignment, frame};
use crate::{BoxFuture, Buffers, INITIAL_LIMIT, IoBuf, Received, RecvHalf, TransportError};
use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, Interest},
    net::tcp::OwnedReadHalf,
};

/// Bytes read ahead at most, where messages are small: many of them come with one system call.
const MANY: usize = 64 * 1024;
/// Bytes read ahead at most behind a large message, of the next one no more than this is copied; and before the peer has
/// authenticated.
const FEW: usize = 16 * 1024;
/// How often to look for the end behind data that nobody reads.
const LOOK: Duration = Duration::from_millis(500);

pub(super) struct TcpReceiver {
    stream: OwnedReadHalf,
    buffers: Arc<dyn Buffers>,
    limit: usize,
    stage: Stage,
    /// How much is read ahead.
    ahead: usize,
    /// The message under way, and how much of it is there.
    body: Option<(IoBuf, usize)>,
    alignment: Alignment,
    /// How it ended.
    end: Option<Result<(), TransportError>>,
}

/// Bytes read and not used yet, in a buffer of the pool.
#[derive(Default)]
struct Stage {
    bytes: Option<IoBuf>,
    start: usize,
    end: usize,
}

impl Stage {
    fn ready(&self) -> &[u8] {
        self.bytes.as_ref().and_then(|bytes| bytes.get(self.start..self.end)).unwrap_or(&[])
    }

    fn consume(&mut self, count: usize) {
        self.start = self.start.saturating_add(count).min(self.end);
    }

    /// Gives the memory back until it is needed; nothing may be there.
    fn release(&mut self) {
        *self = Self::default();
    }

    /// Room for up to `size` bytes, with what is there; all of it where nothing is.
    fn room(&mut self, buffers: &dyn Buffers, size: usize) -> &mut [u8] {
        if self.ready().is_empty() && self.bytes.as_ref().is_some_and(|bytes| bytes.len() < size) {
            self.release();
        }
        let bytes = self.bytes.get_or_insert_with(|| buffers.buffer(size));
        let size = size.min(bytes.len());
        bytes.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        bytes.get_mut(self.end..size.max(self.end)).unwrap_or(&mut [])
    }
}

impl TcpReceiver {
    pub(super) fn new(stream: OwnedReadHalf, buffers: Arc<dyn Buffers>) -> Self {
        let stage = Stage::default();
        let alignment = Alignment::default();
        Self { stream, buffers, limit: INITIAL_LIMIT, stage, ahead: FEW, body: None, alignment, end: None }
    }

    async fn next(&mut self) -> Result<Option<Received>, TransportError> {
        loop {
            if let Some(end) = &self.end {
                return end.clone().map(|()| None);
            }
            match self.step().await {
                Ok(Some(message)) => return Ok(Some(Received { message, invalidated: None })),
                Ok(None) => {}
                Err(error) => self.end = Some(Err(error)),
            }
        }
    }

    /// One step forward: a message, or what brings it nearer.
    async fn step(&mut self) -> Result<Option<IoBuf>, TransportError> {
        if let Some(message) = self.take_complete() {
            return Ok(Some(message));
        }
        if self.body.is_some() {
            return self.read_body().await.map(|()| None);
        }
        match self.stage.ready().first_chunk() {
            Some(prefix) => self.begin(*prefix).map(|()| None),
            None => self.read_stage().await.map(|()| None),
        }
    }

    fn take_complete(&mut self) -> Option<IoBuf> {
        let complete = self.body.as_ref().is_some_and(|(body, filled)| *filled >= body.len());
        if complete { self.body.take().map(|(body, _)| body) } else { None }
    }

    /// Takes a message's prefix from the stage, and what is there of the message.
    fn begin(&mut self, prefix: [u8; frame::PREFIX]) -> Result<(), TransportError> {
        let frame::Frame::Message(len) = frame::parse(prefix)? else {
            self.stage.consume(frame::PREFIX);
            return Ok(());
        };
        if len > self.limit {
            return Err(TransportError::TooLong { len, limit: self.limit });
        }
        self.ahead = if len > FEW || self.limit <= INITIAL_LIMIT { FEW } else { MANY };
        self.stage.consume(frame::PREFIX);
        let ready = self.stage.ready();
        let ready = ready.get(..len).unwrap_or(ready);
        let mut body = self.alignment.buffer(self.buffers.as_ref(), len, ready);
        let filled = ready.len();
        if let Some(part) = body.get_mut(..filled) {
            part.copy_from_slice(ready);
        }
        self.stage.consume(filled);
        self.body = Some((body, filled));
        Ok(())
    }

    async fn read_body(&mut self) -> Result<(), TransportError> {
        if self.stage.ready().is_empty() {
            // Whoever sends a message slowly holds no more than that message.
            self.stage.release();
        }
        let Some((body, filled)) = &mut self.body else { return Ok(()) };
        let rest = body.get_mut(*filled..).unwrap_or(&mut []);
        match self.stream.read(rest).await? {
            0 => Err(TransportError::Cut),
            count => {
                *filled += count;
                Ok(())
            }
        }
    }

    async fn read_stage(&mut self) -> Result<(), TransportError> {
        if self.stage.ready().is_empty() && !self.is_readable().await? {
            // Many connections are idle most of the time: those hold no stage.
            self.stage.release();
            self.stream.readable().await?;
        }
        let count = self.stream.read(self.stage.room(self.buffers.as_ref(), self.ahead)).await?;
        match count {
            0 if self.stage.ready().is_empty() => self.end = Some(Ok(())),
            0 => return Err(TransportError::Cut),
            count => self.stage.end += count,
        }
        Ok(())
    }

    /// Resolves when the socket says that nothing more comes. It has no event of its own for that beside data that wait.
    async fn read_closed(&self) {
        while self.end.is_none() {
            match self.stream.ready(Interest::READABLE).await {
                Ok(ready) if !ready.is_read_closed() => tokio::time::sleep(LOOK).await,
                _ => return,
            }
        }
    }

    /// Whether there may be something to read, as far as is known without a system call: a read that did not fill its
    /// buffer has emptied the socket.
    async fn is_readable(&self) -> Result<bool, TransportError> {
        let mut readable = pin!(self.stream.readable());
        poll_fn(|cx| match readable.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(done.map(|()| true)),
            Poll::Pending => Poll::Ready(Ok(false)),
        })
        .await
        .map_err(TransportError::from)
    }
}

impl RecvHalf for TcpReceiver {
    fn recv(&mut self) -> BoxFuture<'_, Result<Option<Received>, TransportError>> {
        Box::pin(self.next())
    }

    fn peer_left(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(self.read_closed())
    }

    fn set_limit(&mut self, max_message: usize) {
        self.limit = max_message;
    }
}
