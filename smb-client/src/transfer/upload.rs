//! Uploads.

use super::{
    Level, Source, Summary, TransferOptions, Verify,
    digest::Digest,
    limit::Limit,
    pipeline::{Reads, Writes},
};
use crate::{
    api::File,
    error::{Error, TransferError},
};
use smb_transport::IoBuf;
use std::sync::Arc;
use tokio::time::Instant;

/// Writes all of `source` to `file` from its start, makes it durable and checks it. The file must have been opened for
/// writing, for reading too where it is to be read back, and what it holds beyond the end is cut off.
///
/// On failure the remote file is incomplete, and stays.
pub async fn upload(
    file: &File,
    source: &mut dyn Source,
    options: &TransferOptions,
) -> Result<Summary, Error> {
    let started = Instant::now();
    let mut writes = Writes::new(file.clone(), 0);
    if options.verify == Verify::Readback {
        writes = writes.with_digest();
    }
    let bytes = pump(source, &mut writes, options).await?;
    if file.opened().size > bytes {
        file.set_len(bytes).await?;
    }
    file.flush().await?;
    check_size(file, bytes).await?;
    let mut level = Level::SizeIntegrity;
    let mut digest = None;
    if let Some(running) = writes.take_digest() {
        let expected = running.finish().await?;
        read_back(file, bytes, expected).await?;
        (level, digest) = (Level::Readback, Some(expected));
    }
    Ok(Summary { bytes, level, elapsed: started.elapsed(), digest })
}

/// Writes all of `source`; resolves when every write was answered.
pub(crate) async fn pump(
    source: &mut dyn Source,
    writes: &mut Writes,
    options: &TransferOptions,
) -> Result<u64, Error> {
    let expected = source.size();
    let started = Instant::now();
    let mut limit = options.limit.map(Limit::new);
    let start = writes.position();
    options.progress.begin(expected);
    loop {
        writes.room().await?;
        options.progress.reached(writes.completed());
        let (offset, chunk) = (writes.position(), writes.chunk());
        let buf = writes.file().session().buffer(chunk);
        let buf = fill(source, buf, offset).await?;
        if buf.is_empty() {
            break;
        }
        if let Some(limit) = &mut limit {
            tokio::time::sleep(limit.pass(started.elapsed(), buf.len())).await;
        }
        let last = buf.len() < chunk;
        writes.push(buf);
        if last {
            break;
        }
    }
    writes.done().await?;
    options.progress.reached(writes.completed());
    let found = writes.position().saturating_sub(start);
    match expected {
        Some(expected) if found < expected => Err(TransferError::SourceShrank { expected, found }.into()),
        _ => Ok(found),
    }
}

async fn fill(source: &mut dyn Source, buf: IoBuf, offset: u64) -> Result<IoBuf, Error> {
    let filled = source.read(buf).await;
    filled.map_err(|error| TransferError::Source { offset, error: Arc::new(error) }.into())
}

/// Whether the server has the file as long as it was written.
pub(crate) async fn check_size(file: &File, expected: u64) -> Result<(), Error> {
    let found = file.size().await?;
    if found == expected { Ok(()) } else { Err(TransferError::Size { expected, found }.into()) }
}

/// Whether the server's bytes have that digest.
async fn read_back(file: &File, size: u64, expected: [u8; 32]) -> Result<(), Error> {
    let digest = Digest::new();
    let mut reads = Reads::new(file.clone(), 0, size);
    let mut found = 0u64;
    while let Some(piece) = reads.next().await {
        let (_, bytes) = piece?;
        found = found.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        digest.take_up(bytes).await?;
    }
    if found != size {
        return Err(TransferError::Size { expected: size, found }.into());
    }
    if digest.finish().await? != expected {
        return Err(TransferError::Differs("the digest of what was read back").into());
    }
    Ok(())
}
