//! A file as tokio's streams.

use crate::{
    api::File,
    transfer::pipeline::{Gathered, Reads, Writes},
};
use bytes::{Buf, Bytes};
use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncSeek, AsyncWrite, ReadBuf, SeekFrom};

/// Reads a file as a stream, ahead of the caller: 256 KiB at first, and then as much as bandwidth and delay call for, within
/// [`ClientBuilder::window`](crate::ClientBuilder::window). Seeks too, which begins anew. An error stays: reading on gives it
/// again, until a seek.
#[derive(Debug)]
pub struct FileReader {
    file: File,
    reads: Reads,
    current: Bytes,
    /// Where the caller is.
    position: u64,
}

impl FileReader {
    pub(crate) fn new(file: File, offset: u64) -> Self {
        let reads = Reads::gentle(file.clone(), offset);
        Self { file, reads, current: Bytes::new(), position: offset }
    }
}

impl AsyncRead for FileReader {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.current.is_empty() {
            match ready!(this.reads.poll_next(cx)) {
                Some(piece) => this.current = piece?.1,
                None => return Poll::Ready(Ok(())),
            }
        }
        let len = this.current.len().min(buf.remaining());
        buf.put_slice(this.current.get(..len).unwrap_or(&[]));
        this.current.advance(len);
        this.position = this.position.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
        Poll::Ready(Ok(()))
    }
}

impl AsyncSeek for FileReader {
    /// From the start or from here; where the end is, only the server knows: see [`File::size`].
    fn start_seek(self: Pin<&mut Self>, to: SeekFrom) -> io::Result<()> {
        let this = self.get_mut();
        let target = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::Current(by) => this.position.checked_add_signed(by),
            SeekFrom::End(by) => this.file.opened().size.checked_add_signed(by),
        };
        let target = target.ok_or(io::ErrorKind::InvalidInput)?;
        if target != this.position || this.reads.has_failed() {
            *this = Self::new(this.file.clone(), target);
        }
        Ok(())
    }

    fn poll_complete(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        Poll::Ready(Ok(self.position))
    }
}

/// Writes a file as a stream, many pieces under way at a time. `flush` waits until the server has written all of them
/// and made them durable; `shutdown` does too. Dropped before, it may leave some unwritten.
#[derive(Debug)]
pub struct FileWriter {
    gathered: Gathered,
    flush: Option<Flushing>,
}

struct Flushing(Pin<Box<dyn Future<Output = io::Result<()>> + Send>>);

impl std::fmt::Debug for Flushing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Flushing")
    }
}

impl FileWriter {
    pub(crate) fn new(file: File, offset: u64) -> Self {
        Self { gathered: Gathered::new(Writes::new(file, offset, None)), flush: None }
    }
}

impl AsyncWrite for FileWriter {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        // A FLUSH under way does not speak for what comes after it.
        this.flush = None;
        this.gathered.poll_write(cx, data).map_err(Into::into)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.flush.is_none() {
            ready!(this.gathered.poll_done(cx))?;
        }
        let file = this.gathered.writes().file().clone();
        let flush = this.flush.get_or_insert_with(|| {
            Flushing(Box::pin(async move { file.flush().await.map_err(io::Error::from) }))
        });
        let outcome = ready!(flush.0.as_mut().poll(cx));
        this.flush = None;
        Poll::Ready(outcome)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}
