//! Uploads.

use super::{
    Level, Source, Summary, TransferOptions, Verify,
    checkpoint::{Keeper, Mark, Prefix},
    digest::Digest,
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
    upload_from(file, source, options, None).await
}

/// The same behind what the file has already; with checkpoints.
pub(super) async fn upload_from(
    file: &File,
    source: &mut dyn Source,
    options: &TransferOptions,
    resumed: Option<(Prefix, &Keeper)>,
) -> Result<Summary, Error> {
    let started = Instant::now();
    let (prefix, keeper) = resumed.unzip();
    let digests = options.verify == Verify::Readback || prefix.is_some();
    let Prefix { len, hasher } = prefix.unwrap_or_else(Prefix::empty);
    let mut writes = Writes::new(file.clone(), len, options.window);
    if digests {
        writes = writes.with_digest(hasher);
    }
    pump(source, &mut writes, options, keeper).await?;
    let bytes = writes.position();
    if file.opened().size > bytes {
        file.set_len(bytes).await?;
    }
    file.flush().await?;
    check_size(file, bytes).await?;
    let (mut level, mut digest) = (Level::SizeIntegrity, None);
    if let Some(running) = writes.take_digest() {
        let all = running.finish().await?;
        if options.verify == Verify::Readback {
            read_back(file, bytes, all, options).await?;
            level = Level::Readback;
        }
        digest = Some(all);
    }
    Ok(Summary { bytes, resumed_at: len, level, elapsed: started.elapsed(), digest })
}

/// Writes all of `source`; resolves when every write was answered. Returns how much that was.
pub(crate) async fn pump(
    source: &mut dyn Source,
    writes: &mut Writes,
    options: &TransferOptions,
    keeper: Option<&Keeper>,
) -> Result<u64, Error> {
    let expected = source.size();
    let start = writes.position();
    let mut kept_at = start;
    options.progress.begin(expected.map(|size| start.saturating_add(size)));
    let reached = |writes: &Writes| options.progress.reached(start.saturating_add(writes.completed()));
    loop {
        writes.room().await?;
        reached(writes);
        if let Some(keeper) = keeper
            && writes.position().saturating_sub(kept_at) >= options.every()
        {
            kept_at = writes.position();
            keep(writes, keeper).await?;
        }
        let (offset, chunk) = (writes.position(), writes.chunk());
        let buf = writes.file().session().buffer(chunk);
        let buf = fill(source, buf, offset).await?;
        if buf.is_empty() {
            break;
        }
        if let Some(limit) = &options.limit {
            limit.pass(buf.len()).await;
        }
        let last = buf.len() < chunk;
        writes.push(buf);
        if last {
            break;
        }
    }
    writes.done().await?;
    reached(writes);
    let found = writes.position().saturating_sub(start);
    match expected {
        Some(expected) if found < expected => Err(TransferError::SourceShrank { expected, found }.into()),
        _ => Ok(found),
    }
}

/// Keeps a checkpoint of what is written, once it is durable.
async fn keep(writes: &mut Writes, keeper: &Keeper) -> Result<(), Error> {
    writes.done().await?;
    writes.file().flush().await?;
    let digest = writes.digest_so_far().await?.ok_or(TransferError::Worker)?;
    keeper.keep(Mark { offset: writes.position(), digest }).await
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
async fn read_back(
    file: &File,
    size: u64,
    expected: [u8; 32],
    options: &TransferOptions,
) -> Result<(), Error> {
    let digest = Digest::new();
    let mut reads = Reads::new(file.clone(), 0, size, options.window);
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
