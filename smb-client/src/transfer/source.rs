//! Where an upload comes from.

use super::lent::Lent;
use bytes::Bytes;
use smb_transport::{BoxFuture, IoBuf};
use std::{
    fs::File,
    io,
    io::{Read, Seek},
};
use tokio::io::{AsyncRead, AsyncReadExt};

/// Where an upload comes from. It fills buffers of the transport, so that nothing is copied on the way.
pub trait Source: Send {
    /// Bytes it has, where that is known. A source that then gives fewer fails the transfer.
    fn size(&self) -> Option<u64>;

    /// Fills the window of `buf` with what comes next; cuts it only where the source ends.
    fn read(&mut self, buf: IoBuf) -> BoxFuture<'_, io::Result<IoBuf>>;
}

/// A local file, read from its current position on.
#[derive(Debug)]
pub struct FileSource {
    file: Lent<File>,
    size: Option<u64>,
}

impl FileSource {
    /// Its size is what it has now from there on, where it is a regular file.
    pub fn new(mut file: File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        let size = match metadata.is_file() {
            true => Some(metadata.len().saturating_sub(file.stream_position()?)),
            false => None,
        };
        Ok(Self { size, file: Lent::new(file) })
    }
}

impl Source for FileSource {
    fn size(&self) -> Option<u64> {
        self.size
    }

    fn read(&mut self, mut buf: IoBuf) -> BoxFuture<'_, io::Result<IoBuf>> {
        Box::pin(self.file.with(move |file| fill(file, &mut buf).map(|()| buf)))
    }
}

fn fill(reader: &mut impl Read, buf: &mut IoBuf) -> io::Result<()> {
    let mut filled = 0;
    while let Some(space) = buf.get_mut(filled..).filter(|space| !space.is_empty()) {
        match reader.read(space) {
            Ok(0) => break,
            Ok(read) => filled = filled.saturating_add(read),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
            Err(error) => return Err(error),
        }
    }
    buf.truncate(filled);
    Ok(())
}

/// Any asynchronous reader, to its end.
#[derive(Debug)]
pub struct ReaderSource<R> {
    reader: R,
    size: Option<u64>,
}

impl<R> ReaderSource<R> {
    /// `size` is what it must give, where that is known.
    pub fn new(reader: R, size: Option<u64>) -> Self {
        Self { reader, size }
    }
}

impl<R: AsyncRead + Send + Unpin> Source for ReaderSource<R> {
    fn size(&self) -> Option<u64> {
        self.size
    }

    fn read(&mut self, mut buf: IoBuf) -> BoxFuture<'_, io::Result<IoBuf>> {
        Box::pin(async move {
            let mut filled = 0;
            while let Some(space) = buf.get_mut(filled..).filter(|space| !space.is_empty()) {
                match self.reader.read(space).await? {
                    0 => break,
                    read => filled = filled.saturating_add(read),
                }
            }
            buf.truncate(filled);
            Ok(buf)
        })
    }
}

/// A piece of memory, over and over until `size` bytes are given.
#[derive(Debug, Clone)]
pub struct MemorySource {
    pattern: Bytes,
    size: u64,
    given: u64,
}

impl MemorySource {
    /// An empty pattern gives nothing.
    pub fn new(pattern: Bytes, size: u64) -> Self {
        let size = if pattern.is_empty() { 0 } else { size };
        Self { pattern, size, given: 0 }
    }

    fn give(&mut self, buf: &mut IoBuf) {
        let left = usize::try_from(self.size.saturating_sub(self.given)).unwrap_or(usize::MAX);
        buf.truncate(left);
        let mut filled = 0;
        while let Some(space) = buf.get_mut(filled..).filter(|space| !space.is_empty()) {
            let period = u64::try_from(self.pattern.len()).unwrap_or(u64::MAX).max(1);
            let at = usize::try_from(self.given % period).unwrap_or(0);
            let piece = self.pattern.get(at..).unwrap_or(&[]);
            let len = piece.len().min(space.len());
            if let (Some(to), Some(from)) = (space.get_mut(..len), piece.get(..len)) {
                to.copy_from_slice(from);
            }
            filled = filled.saturating_add(len);
            self.given = self.given.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
        }
    }
}

impl Source for MemorySource {
    fn size(&self) -> Option<u64> {
        Some(self.size)
    }

    fn read(&mut self, mut buf: IoBuf) -> BoxFuture<'_, io::Result<IoBuf>> {
        self.give(&mut buf);
        Box::pin(std::future::ready(Ok(buf)))
    }
}
