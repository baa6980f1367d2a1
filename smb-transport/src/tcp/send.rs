//! The sending half: as many messages as there are in one vectored write.

use super::frame;
use crate::{BoxFuture, IoBuf, Msg, SendHalf, TransportError};
use bytes::{Buf, Bytes};
use std::{
    collections::VecDeque,
    future::poll_fn,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    net::tcp::OwnedWriteHalf,
};

/// Pieces per system call: well under every system's IOV_MAX.
const MAX_SLICES: usize = 64;

pub(super) struct TcpSender {
    stream: OwnedWriteHalf,
    /// What is not written yet. Reused from call to call.
    queue: VecDeque<Piece>,
    state: State,
}

#[derive(PartialEq, Eq)]
enum State {
    Ready,
    /// Some bytes of a call have left and some have not. A call that finds this was preceded by one that was
    /// dropped: the peer cannot make sense of what would follow.
    Midway,
    Closed,
}

enum Piece {
    Buf(IoBuf),
    Bytes(Bytes),
}

impl Piece {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Buf(buf) => buf,
            Self::Bytes(bytes) => bytes,
        }
    }

    fn advance(&mut self, count: usize) {
        match self {
            Self::Buf(buf) => buf.narrow(count..buf.len()),
            Self::Bytes(bytes) => bytes.advance(count.min(bytes.len())),
        }
    }
}

impl TcpSender {
    pub(super) fn new(stream: OwnedWriteHalf) -> Self {
        Self { stream, queue: VecDeque::new(), state: State::Ready }
    }

    /// Forgets what an earlier call left; fails where that broke the connection.
    fn begin(&mut self) -> Result<(), TransportError> {
        self.queue.clear();
        if self.state == State::Midway {
            self.state = State::Closed;
        }
        if self.state == State::Closed { Err(TransportError::Closed) } else { Ok(()) }
    }

    fn enqueue(&mut self, message: Msg) -> Result<(), TransportError> {
        if !message.pushes.is_empty() || message.invalidate.is_some() {
            return Err(TransportError::Placement("TCP has none"));
        }
        let prefix = frame::emit(message.len())?;
        let Msg { mut head, payload, .. } = message;
        if head.prepend(&prefix).is_err() {
            self.queue.push_back(Piece::Bytes(Bytes::copy_from_slice(&prefix)));
        }
        self.queue.push_back(Piece::Buf(head));
        if !payload.is_empty() {
            self.queue.push_back(Piece::Bytes(payload));
        }
        Ok(())
    }

    async fn write_all(&mut self, messages: impl Iterator<Item = Msg>) -> Result<(), TransportError> {
        self.begin()?;
        for message in messages {
            self.enqueue(message)?;
        }
        self.flush().await
    }

    async fn flush(&mut self) -> Result<(), TransportError> {
        while !self.queue.is_empty() {
            match poll_fn(|cx| poll_write(&mut self.stream, &self.queue, cx)).await {
                Ok(written) => self.advance(written),
                Err(error) => {
                    self.queue.clear();
                    self.state = State::Closed;
                    return Err(error.into());
                }
            }
        }
        self.state = State::Ready;
        Ok(())
    }

    /// Lets go of what is written, buffer by buffer.
    fn advance(&mut self, mut written: usize) {
        self.state = State::Midway;
        while let Some(piece) = self.queue.front_mut() {
            let len = piece.bytes().len();
            if written < len {
                return piece.advance(written);
            }
            written -= len;
            self.queue.pop_front();
        }
    }

    async fn shut_down(&mut self) {
        self.queue.clear();
        self.state = State::Closed;
        // The peer may be gone already, which is as closed as it gets.
        let _ = self.stream.shutdown().await;
    }
}

fn poll_write(
    stream: &mut OwnedWriteHalf,
    queue: &VecDeque<Piece>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    let mut slices = [IoSlice::new(&[]); MAX_SLICES];
    let mut count = 0;
    for (slice, piece) in slices.iter_mut().zip(queue) {
        *slice = IoSlice::new(piece.bytes());
        count += 1;
    }
    let slices = slices.get(..count).unwrap_or(&[]);
    match Pin::new(stream).poll_write_vectored(cx, slices) {
        Poll::Ready(Ok(0)) => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
        other => other,
    }
}

impl SendHalf for TcpSender {
    fn send(&mut self, message: Msg) -> BoxFuture<'_, Result<(), TransportError>> {
        Box::pin(self.write_all(std::iter::once(message)))
    }

    fn send_all(&mut self, messages: Vec<Msg>) -> BoxFuture<'_, Result<(), TransportError>> {
        Box::pin(self.write_all(messages.into_iter()))
    }

    fn close(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(self.shut_down())
    }

    fn sever(&mut self, message: Msg, keep: usize) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if self.begin().and_then(|()| self.enqueue(message)).is_ok() {
                let whole: usize = self.queue.iter().map(|piece| piece.bytes().len()).sum();
                cut(&mut self.queue, keep.saturating_add(frame::PREFIX).min(whole.saturating_sub(1)));
                let _ = self.flush().await;
            }
            self.shut_down().await;
        })
    }
}

/// Leaves the first `keep` bytes.
fn cut(queue: &mut VecDeque<Piece>, mut keep: usize) {
    for piece in queue {
        let len = piece.bytes().len().min(keep);
        keep -= len;
        match piece {
            Piece::Buf(buf) => buf.truncate(len),
            Piece::Bytes(bytes) => bytes.truncate(len),
        }
    }
}
