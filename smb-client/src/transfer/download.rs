//! Downloads.

use super::{
    Level, RandomSink, Sink, Summary, TransferOptions, Verify,
    checkpoint::{Keeper, Mark, Prefix, sink_error},
    digest::Digest,
    pipeline::Reads,
};
use crate::{
    api::File,
    error::{Error, TransferError},
};
use std::sync::Arc;
use tokio::{task::JoinSet, time::Instant};

/// Local writes under way at a time.
const SINK_DEPTH: usize = 4;

/// Reads all of `file` into `sink`, in order. The file's size is what it was when opened: one that has become shorter
/// fails, what was appended since is left out. A size of 0 means "to the end", as pipes and the like have none.
///
/// On failure the sink has the beginning of the file.
pub async fn download(file: &File, sink: &mut dyn Sink, options: &TransferOptions) -> Result<Summary, Error> {
    let mut pieces = Pieces::new(file, options, None);
    while let Some((offset, bytes)) = pieces.next().await? {
        sink.write(bytes).await.map_err(|error| sink_error(offset, error))?;
    }
    sink.finish().await.map_err(|error| sink_error(pieces.reached, error))?;
    pieces.summary().await
}

/// Reads all of `file` into `sink`, several pieces at a time; else as [`download`].
///
/// On failure the sink has some pieces of the file.
pub async fn download_at(
    file: &File,
    sink: Arc<dyn RandomSink>,
    options: &TransferOptions,
) -> Result<Summary, Error> {
    download_from(file, sink, options, None).await
}

/// The same behind what the sink has already; with checkpoints.
pub(super) async fn download_from(
    file: &File,
    sink: Arc<dyn RandomSink>,
    options: &TransferOptions,
    resumed: Option<(Prefix, &Keeper)>,
) -> Result<Summary, Error> {
    let (prefix, keeper) = resumed.unzip();
    let mut pieces = Pieces::new(file, options, prefix);
    let mut kept_at = pieces.reached;
    let mut under_way: JoinSet<Result<(), Error>> = JoinSet::new();
    while let Some((offset, bytes)) = pieces.next().await? {
        while under_way.len() >= SINK_DEPTH {
            finished(under_way.join_next().await)?;
        }
        let writing = sink.clone();
        under_way.spawn(async move {
            writing.write_at(offset, bytes).await.map_err(|error| sink_error(offset, error))
        });
        if let Some(keeper) = keeper
            && pieces.reached.saturating_sub(kept_at) >= options.every()
        {
            drain(&mut under_way).await?;
            kept_at = pieces.reached;
            sink.finish().await.map_err(|error| sink_error(kept_at, error))?;
            keeper.keep(pieces.mark().await?).await?;
        }
    }
    drain(&mut under_way).await?;
    sink.finish().await.map_err(|error| sink_error(pieces.reached, error))?;
    pieces.summary().await
}

async fn drain(under_way: &mut JoinSet<Result<(), Error>>) -> Result<(), Error> {
    while !under_way.is_empty() {
        finished(under_way.join_next().await)?;
    }
    Ok(())
}

fn finished(outcome: Option<Result<Result<(), Error>, tokio::task::JoinError>>) -> Result<(), Error> {
    outcome.map_or(Ok(()), |outcome| outcome.unwrap_or(Err(TransferError::Worker.into())))
}

/// The pieces of a file as they come, limited and counted.
struct Pieces<'a> {
    reads: Reads,
    options: &'a TransferOptions,
    size: u64,
    reached: u64,
    started: Instant,
    digest: Option<Digest>,
}

impl<'a> Pieces<'a> {
    /// Behind `prefix`, where that is there.
    fn new(file: &File, options: &'a TransferOptions, prefix: Option<Prefix>) -> Self {
        let size = file.opened().size;
        let end = if size == 0 { u64::MAX } else { size };
        options.progress.begin((size != 0).then_some(size));
        let digests = options.verify == Verify::Readback || prefix.is_some();
        let Prefix { len, hasher } = prefix.unwrap_or_else(Prefix::empty);
        options.progress.reached(len);
        let reads = Reads::new(file.clone(), len, end, options.window);
        let digest = digests.then(|| Digest::after(hasher));
        Self { reads, options, size, reached: len, started: Instant::now(), digest }
    }

    async fn next(&mut self) -> Result<Option<(u64, bytes::Bytes)>, Error> {
        let Some(piece) = self.reads.next().await else { return Ok(None) };
        let (offset, bytes) = piece?;
        if let Some(limit) = &self.options.limit {
            limit.pass(bytes.len()).await;
        }
        self.reached = self.reached.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        self.options.progress.reached(self.reached);
        if let Some(digest) = &self.digest {
            digest.take_up(bytes.clone()).await?;
        }
        Ok((!bytes.is_empty()).then_some((offset, bytes)))
    }

    /// What has come until now.
    async fn mark(&self) -> Result<Mark, Error> {
        let digest = self.digest.as_ref().ok_or(TransferError::Worker)?.so_far().await?;
        Ok(Mark { offset: self.reached, digest })
    }

    async fn summary(self) -> Result<Summary, Error> {
        let (bytes, elapsed) = (self.reached, self.started.elapsed());
        if bytes < self.size {
            return Err(TransferError::RemoteShrank { expected: self.size, found: bytes }.into());
        }
        let digest = match self.digest {
            Some(digest) => Some(digest.finish().await?),
            None => None,
        };
        Ok(Summary { bytes, resumed_at: 0, level: Level::SizeIntegrity, elapsed, digest })
    }
}
