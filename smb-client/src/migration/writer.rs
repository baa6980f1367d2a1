//! A stream to a migration share, or to a file where the server has no such share.
//!
//! ```text
//!   Open ── write ──▶ Open ── commit: last bytes, STREAM_COMMIT{length, digest}, FLUSH, CLOSE ──▶ Committed
//!     └── dropped: CLOSE without FLUSH ──▶ aborted: a stream share hands its consumer an error
//! ```

use crate::{
    api::{OpenOptions, Tree},
    error::Error,
    transfer::{
        Level, Source, Summary, TransferOptions,
        pipeline::{Gathered, Writes},
        pump, upload_check_size,
    },
};
use smb_proto::{
    msg::{
        CtlCode,
        fsctl::stream_commit::{DigestAlgorithm, StreamCommit},
    },
    status::NtStatus,
};
use smb_transport::IoBuf;
use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::{io::AsyncWrite, time::Instant};

/// Writes a stream, many pieces under way at a time, with a digest over all of it. Only [`commit`](Self::commit) makes it
/// count.
#[derive(Debug)]
pub struct StreamWriter {
    gathered: Gathered,
    started: Instant,
}

impl StreamWriter {
    /// Begins the stream `path` on `tree`.
    pub async fn create(tree: &Tree, path: &str) -> Result<Self, Error> {
        let file = OpenOptions::write().open(tree, path).await?;
        let writes = Writes::new(file, 0, None).with_digest(blake3::Hasher::new());
        Ok(Self { gathered: Gathered::new(writes), started: Instant::now() })
    }

    /// A buffer for [`write_buf`](Self::write_buf), of the best size.
    pub fn buffer(&mut self) -> IoBuf {
        let writes = self.gathered.writes();
        writes.file().session().buffer(writes.chunk())
    }

    /// Writes `buf`, without a copy. Resolves when it is under way: the window may hold it up.
    pub async fn write_buf(&mut self, buf: IoBuf) -> Result<(), Error> {
        std::future::poll_fn(|cx| self.gathered.poll_cut(cx)).await?;
        let writes = self.gathered.writes();
        writes.room().await?;
        if !buf.is_empty() {
            writes.push(buf);
        }
        Ok(())
    }

    /// Writes all of `source`.
    pub async fn send(&mut self, source: &mut dyn Source, options: &TransferOptions) -> Result<u64, Error> {
        std::future::poll_fn(|cx| self.gathered.poll_cut(cx)).await?;
        pump(source, self.gathered.writes(), options, None).await
    }

    /// Ends the stream: all bytes are written, the server compares length and digest where it can, and makes them
    /// durable. An error means that nothing was committed to a stream share; a plain file may be incomplete.
    pub async fn commit(mut self) -> Result<Summary, Error> {
        std::future::poll_fn(|cx| self.gathered.poll_done(cx)).await?;
        let writes = self.gathered.writes();
        let (file, bytes) = (writes.file().clone(), writes.position());
        let digest = match writes.take_digest() {
            Some(digest) => digest.finish().await?,
            None => *blake3::hash(&[]).as_bytes(),
        };
        let commit = StreamCommit { algorithm: DigestAlgorithm::BLAKE3, length: bytes, digest };
        let level = match file.fsctl(CtlCode::STREAM_COMMIT, commit.to_bytes(), 0).await {
            Ok(_) => Level::Digest,
            Err(error) if is_foreign(&error) => Level::SizeIntegrity,
            Err(error) => return Err(error),
        };
        file.flush().await?;
        if level == Level::SizeIntegrity {
            upload_check_size(&file, bytes).await?;
        }
        drop(self.gathered);
        file.close().await?;
        Ok(Summary { bytes, resumed_at: 0, level, elapsed: self.started.elapsed(), digest: Some(digest) })
    }
}

/// Whether the refusal only means that the server does not know the request, which is ours.
fn is_foreign(error: &Error) -> bool {
    matches!(
        error.status(),
        Some(NtStatus::NOT_SUPPORTED | NtStatus::INVALID_DEVICE_REQUEST | NtStatus::NOT_IMPLEMENTED)
    )
}

impl AsyncWrite for StreamWriter {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().gathered.poll_write(cx, data).map_err(Into::into)
    }

    /// Resolves when the server has all that was written; it does not commit the stream.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().gathered.poll_done(cx).map_err(Into::into)
    }

    /// As `flush`; committing takes [`StreamWriter::commit`].
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}
