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
use std::{io::ErrorKind, sync::Arc};
use tokio::{io::AsyncReadExt, net::tcp::OwnedReadHalf};

/// Bytes read ahead at most. Of a large message no more than this is copied.
const STAGE: usize = 16 * 1024;

pub(super) struct TcpReceiver {
    stream: OwnedReadHalf,
    buffers: Arc<dyn Buffers>,
    limit: usize,
    stage: Stage,
    /// The message under way, and how much of it is there.
    body: Option<(IoBuf, usize)>,
    alignment: Alignment,
    /// How it ended.
    end: Option<Result<(), TransportError>>,
}

/// Bytes read and not used yet.
#[derive(Default)]
struct Stage {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Stage {
    fn ready(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or(&[])
    }

    fn consume(&mut self, count: usize) {
        self.start = self.start.saturating_add(count).min(self.end);
    }

    /// Gives the memory back until it is needed; nothing may be there.
    fn release(&mut self) {
        *self = Self::default();
    }

    /// Room behind what is there, all of the stage where nothing is.
    fn room(&mut self) -> &mut [u8] {
        if self.bytes.is_empty() {
            self.bytes = vec![0; STAGE].into_boxed_slice();
        }
        self.bytes.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        self.bytes.get_mut(self.end..).unwrap_or(&mut [])
    }
}

impl TcpReceiver {
    pub(super) fn new(stream: OwnedReadHalf, buffers: Arc<dyn Buffers>) -> Self {
        let stage = Stage::default();
        let alignment = Alignment::default();
        Self { stream, buffers, limit: INITIAL_LIMIT, stage, body: None, alignment, end: None }
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
        let count = if self.stage.ready().is_empty() {
            match self.stream.try_read(self.stage.room()) {
                // Many connections are idle most of the time: those hold no stage.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.stage.release();
                    return Ok(self.stream.readable().await?);
                }
                read => read?,
            }
        } else {
            self.stream.read(self.stage.room()).await?
        };
        match count {
            0 if self.stage.ready().is_empty() => self.end = Some(Ok(())),
            0 => return Err(TransportError::Cut),
            count => self.stage.end += count,
        }
        Ok(())
    }
}

impl RecvHalf for TcpReceiver {
    fn recv(&mut self) -> BoxFuture<'_, Result<Option<Received>, TransportError>> {
        Box::pin(self.next())
    }

    fn set_limit(&mut self, max_message: usize) {
        self.limit = max_message;
    }
}
