//! Streams for the embedding program: an ordered reader with an explicit end.

use super::{AbortReason, Sink, StreamConsumer};
use crate::backend::{Caller, Result};
use bytes::Bytes;
use smb_proto::status::NtStatus;
use smb_transport::BoxFuture;
use std::{
    io,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
};
use tokio::{
    io::{AsyncRead, ReadBuf},
    sync::{mpsc, oneshot},
};

/// Buffers between the share and a reader, beside the share's window.
const DEPTH: usize = 2;
/// Streams that wait to be taken; beyond that, the CREATE waits, for as long as its client does.
const BACKLOG: usize = 16;

/// Hands streams to the embedding program, which takes them from [`Incomings`].
#[derive(Debug)]
pub struct ReaderConsumer {
    streams: mpsc::Sender<Incoming>,
}

/// The streams that came in.
#[derive(Debug)]
pub struct Incomings {
    streams: mpsc::Receiver<Incoming>,
}

/// A stream as the embedding program sees it: bytes in order by [`chunk`](Self::chunk) or [`AsyncRead`], then, at their
/// end, [`confirm`](Self::confirm) or [`refuse`](Self::refuse). The sender's FLUSH waits for that. The end is reached
/// only when the sender committed; a stream that was broken off is an error, never an end. Dropping it refuses it.
#[derive(Debug)]
pub struct Incoming {
    name: String,
    caller: Caller,
    items: mpsc::Receiver<Item>,
    aborted: Arc<OnceLock<AbortReason>>,
    /// What a reader asked too little for.
    rest: Bytes,
    /// Where the end was reached: how to answer.
    end: Option<oneshot::Sender<Result<()>>>,
}

/// Why a stream cannot be read or confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// It was broken off: what came is not the whole.
    #[error("the stream was broken off: {0}")]
    Aborted(AbortReason),
    /// It can be confirmed only after all of it was read.
    #[error("the stream was not read to its end")]
    NotAtEnd,
}

#[derive(Debug)]
enum Item {
    Data(Bytes),
    End(oneshot::Sender<Result<()>>),
}

impl ReaderConsumer {
    /// A consumer and where its streams come out.
    pub fn new() -> (Self, Incomings) {
        let (sender, streams) = mpsc::channel(BACKLOG);
        (Self { streams: sender }, Incomings { streams })
    }
}

impl Incomings {
    /// The next stream; `None` once the share is gone. Cancel-safe.
    pub async fn next(&mut self) -> Option<Incoming> {
        self.streams.recv().await
    }
}

impl Incoming {
    /// The name it was created under.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Who sends it.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The next bytes; `None` at the end. Cancel-safe.
    pub async fn chunk(&mut self) -> std::result::Result<Option<Bytes>, StreamError> {
        std::future::poll_fn(|cx| self.poll_chunk(cx)).await
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<std::result::Result<Option<Bytes>, StreamError>> {
        if let Some(reason) = self.aborted.get() {
            return Poll::Ready(Err(StreamError::Aborted(*reason)));
        }
        if !self.rest.is_empty() {
            return Poll::Ready(Ok(Some(std::mem::take(&mut self.rest))));
        }
        if self.end.is_some() {
            return Poll::Ready(Ok(None));
        }
        Poll::Ready(match ready!(self.items.poll_recv(cx)) {
            Some(Item::Data(bytes)) => Ok(Some(bytes)),
            Some(Item::End(answer)) => {
                self.end = Some(answer);
                Ok(None)
            }
            None => Err(self.broken_off()),
        })
    }

    fn broken_off(&self) -> StreamError {
        StreamError::Aborted(self.aborted.get().copied().unwrap_or(AbortReason::Lost))
    }

    /// Confirms the stream: the sender's FLUSH succeeds. An error says that it was too late for that.
    pub fn confirm(self) -> std::result::Result<(), StreamError> {
        self.answer(Ok(()))
    }

    /// Refuses the stream: the sender's FLUSH fails with `status`.
    pub fn refuse(self, status: NtStatus) -> std::result::Result<(), StreamError> {
        self.answer(Err(status))
    }

    fn answer(mut self, answer: Result<()>) -> std::result::Result<(), StreamError> {
        match self.end.take() {
            Some(_) if !self.rest.is_empty() => Err(StreamError::NotAtEnd),
            Some(end) => end.send(answer).map_err(|_| self.broken_off()),
            None if self.aborted.get().is_some() => Err(self.broken_off()),
            None => Err(StreamError::NotAtEnd),
        }
    }
}

impl AsyncRead for Incoming {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match ready!(self.poll_chunk(cx)) {
            Ok(Some(mut bytes)) => {
                let now = bytes.split_to(bytes.len().min(out.remaining()));
                out.put_slice(&now);
                self.rest = bytes;
                Poll::Ready(Ok(()))
            }
            Ok(None) => Poll::Ready(Ok(())),
            Err(error) => Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionAborted, error))),
        }
    }
}

impl StreamConsumer for ReaderConsumer {
    fn begin<'a>(&'a self, name: &'a str, caller: &'a Caller) -> BoxFuture<'a, Result<Box<dyn Sink>>> {
        Box::pin(async move {
            let (sender, items) = mpsc::channel(DEPTH);
            let aborted = Arc::new(OnceLock::new());
            let sink: Box<dyn Sink> =
                Box::new(ReaderSink { items: Some(sender), aborted: Arc::clone(&aborted) });
            let (name, caller) = (name.to_owned(), caller.clone());
            let incoming = Incoming { name, caller, items, aborted, rest: Bytes::new(), end: None };
            self.streams.send(incoming).await.map_err(|_| NtStatus::DEVICE_NOT_READY)?;
            Ok(sink)
        })
    }
}

struct ReaderSink {
    items: Option<mpsc::Sender<Item>>,
    aborted: Arc<OnceLock<AbortReason>>,
}

/// What the sender is told when the reader was dropped.
const GONE: NtStatus = NtStatus::PIPE_BROKEN;

impl ReaderSink {
    async fn hand_over(&self, item: Item) -> Result<()> {
        let items = self.items.as_ref().ok_or(GONE)?;
        items.send(item).await.map_err(|_| GONE)
    }
}

impl Sink for ReaderSink {
    fn data(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.hand_over(Item::Data(bytes)))
    }

    fn commit(&mut self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async {
            let (sender, answer) = oneshot::channel();
            self.hand_over(Item::End(sender)).await?;
            answer.await.unwrap_or(Err(GONE))
        })
    }

    fn abort(mut self: Box<Self>, reason: AbortReason) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let _ = self.aborted.set(reason);
            // Wakes the reader.
            self.items = None;
        })
    }
}
