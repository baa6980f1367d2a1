//! Where a download goes.

use super::{checkpoint::blocking, lent::Lent};
use bytes::Bytes;
use smb_transport::BoxFuture;
use std::{
    fs::File,
    io::{self, Write},
    sync::Arc,
};
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

/// Any blocking writer: a pipe, a device, standard output. It is written to where threads may block, and nothing is copied
/// on the way there. One whose write was given up fails from then on.
#[derive(Debug)]
pub struct BlockingSink<W> {
    writer: Lent<W>,
}

impl<W: Write + Send + 'static> BlockingSink<W> {
    /// Writes to `writer`.
    pub fn new(writer: W) -> Self {
        Self { writer: Lent::new(writer) }
    }
}

impl<W: Write + Send + 'static> Sink for BlockingSink<W> {
    fn write(&mut self, data: Bytes) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(self.writer.with(move |writer| writer.write_all(&data)))
    }

    fn finish(&mut self) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(self.writer.with(W::flush))
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

#[cfg(unix)]
fn write_all_at(file: &File, data: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, data, offset)
}

#[cfg(not(unix))]
fn write_all_at(mut file: &File, data: &[u8], offset: u64) -> io::Result<()> {
    use std::io::{Seek, SeekFrom};
    static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock();
    file.seek(SeekFrom::Start(offset))?;
    file.write_all(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes three bytes at a time, and no more than it has room for.
    struct Narrow(Arc<std::sync::Mutex<Vec<u8>>>, usize);

    impl Write for Narrow {
        fn write(&mut self, data: &[u8]) -> io::Result<usize> {
            let mut taken = self.0.lock().unwrap();
            if taken.len() == self.1 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            let len = data.len().min(3).min(self.1 - taken.len());
            taken.extend_from_slice(&data[..len]);
            Ok(len)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_blocking_writer_gets_all_in_order_or_says_why_not() {
        let taken = Arc::default();
        let mut sink = BlockingSink::new(Narrow(Arc::clone(&taken), 12));
        for data in ["01234567", "89"] {
            sink.write(Bytes::from_static(data.as_bytes())).await.unwrap();
        }
        sink.finish().await.unwrap();
        assert_eq!(*taken.lock().unwrap(), b"0123456789");
        for _ in 0..2 {
            let error = sink.write(Bytes::from_static(b"abcd")).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        }
        assert_eq!(*taken.lock().unwrap(), b"0123456789ab");
    }
}
