//! Where a download goes.

use bytes::Bytes;
use smb_transport::BoxFuture;
use std::{fs::File, io, sync::Arc};
use tokio::io::{AsyncWrite, AsyncWriteExt};

/// Takes bytes in order.
pub trait Sink: Send {
    /// Takes all of `data`, which follows what came before.
    fn write(&mut self, data: Bytes) -> BoxFuture<'_, io::Result<()>>;

    /// All was given: makes it durable, as far as that has a meaning here.
    fn finish(&mut self) -> BoxFuture<'_, io::Result<()>>;
}

/// Takes bytes anywhere, several at a time.
pub trait RandomSink: Send + Sync {
    /// Takes all of `data`, which belongs at `offset`.
    fn write_at(&self, offset: u64, data: Bytes) -> BoxFuture<'_, io::Result<()>>;

    /// All was given: makes it durable, as far as that has a meaning here.
    fn finish(&self) -> BoxFuture<'_, io::Result<()>>;
}

/// Any asynchronous writer.
#[derive(Debug)]
pub struct WriterSink<W>(
    /// The writer.
    pub W,
);

impl<W: AsyncWrite + Send + Unpin> Sink for WriterSink<W> {
    fn write(&mut self, data: Bytes) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(async move { self.0.write_all(&data).await })
    }

    fn finish(&mut self) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(async move { self.0.flush().await })
    }
}

/// Forgets what it takes.
#[derive(Debug, Clone, Copy, Default)]
pub struct NullSink;

impl Sink for NullSink {
    fn write(&mut self, data: Bytes) -> BoxFuture<'_, io::Result<()>> {
        drop(data);
        Box::pin(std::future::ready(Ok(())))
    }

    fn finish(&mut self) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// A local file, written by position.
#[derive(Debug, Clone)]
pub struct FileSink {
    file: Arc<File>,
}

impl FileSink {
    /// The file must be open for writing; what it holds beyond the download is left alone.
    pub fn new(file: File) -> Self {
        Self { file: Arc::new(file) }
    }
}

impl RandomSink for FileSink {
    fn write_at(&self, offset: u64, data: Bytes) -> BoxFuture<'_, io::Result<()>> {
        let file = self.file.clone();
        Box::pin(async move { blocking(move || write_all_at(&file, &data, offset)).await })
    }

    fn finish(&self) -> BoxFuture<'_, io::Result<()>> {
        let file = self.file.clone();
        Box::pin(async move { blocking(move || file.sync_all()).await })
    }
}

async fn blocking(work: impl FnOnce() -> io::Result<()> + Send + 'static) -> io::Result<()> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

#[cfg(unix)]
fn write_all_at(file: &File, data: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, data, offset)
}

#[cfg(not(unix))]
fn write_all_at(mut file: &File, data: &[u8], offset: u64) -> io::Result<()> {
    use std::io::{Seek, SeekFrom, Write};
    static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock();
    file.seek(SeekFrom::Start(offset))?;
    file.write_all(data)
}
