//! Downloads.

use super::{
    Level, RandomSink, Sink, Summary, TransferOptions, Verify, digest::Digest, limit::Limit, pipeline::Reads,
};
use crate::{
    api::File,
    error::{Error, TransferError},
};
use std::{io, sync::Arc};
use tokio::{task::JoinSet, time::Instant};

/// Local writes under way at a time.
const SINK_DEPTH: usize = 4;

/// Reads all of `file` into `sink`, in order. The file's size is what it was when opened: one that has become shorter
/// fails, what was appended since is left out. A size of 0 means "to the end", as pipes and the like have none.
///
/// On failure the sink has the beginning of the file.
pub async fn download(file: &File, sink: &mut dyn Sink, options: &TransferOptions) -> Result<Summary, Error> {
    let mut pieces = Pieces::new(file, options);
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
    let mut pieces = Pieces::new(file, options);
    let mut under_way: JoinSet<Result<(), Error>> = JoinSet::new();
    while let Some((offset, bytes)) = pieces.next().await? {
        while under_way.len() >= SINK_DEPTH {
            finished(under_way.join_next().await)?;
        }
        let sink = sink.clone();
        under_way.spawn(async move {
            sink.write_at(offset, bytes).await.map_err(|error| sink_error(offset, error))
        });
    }
    while !under_way.is_empty() {
        finished(under_way.join_next().await)?;
    }
    sink.finish().await.map_err(|error| sink_error(pieces.reached, error))?;
    pieces.summary().await
}

fn finished(outcome: Option<Result<Result<(), Error>, tokio::task::JoinError>>) -> Result<(), Error> {
    outcome.map_or(Ok(()), |outcome| outcome.unwrap_or(Err(TransferError::Worker.into())))
}

fn sink_error(offset: u64, error: io::Error) -> Error {
    TransferError::Sink { offset, error: Arc::new(error) }.into()
}

/// The pieces of a file as they come, limited and counted.
struct Pieces<'a> {
    reads: Reads,
    limit: Option<Limit>,
    options: &'a TransferOptions,
    size: u64,
    reached: u64,
    started: Instant,
    digest: Option<Digest>,
}

impl<'a> Pieces<'a> {
    fn new(file: &File, options: &'a TransferOptions) -> Self {
        let size = file.opened().size;
        let end = if size == 0 { u64::MAX } else { size };
        options.progress.begin((size != 0).then_some(size));
        let (reads, limit) = (Reads::new(file.clone(), 0, end), options.limit.map(Limit::new));
        let digest = (options.verify == Verify::Readback).then(Digest::new);
        Self { reads, limit, options, size, reached: 0, started: Instant::now(), digest }
    }

    async fn next(&mut self) -> Result<Option<(u64, bytes::Bytes)>, Error> {
        let Some(piece) = self.reads.next().await else { return Ok(None) };
        let (offset, bytes) = piece?;
        if let Some(limit) = &mut self.limit {
            tokio::time::sleep(limit.pass(self.started.elapsed(), bytes.len())).await;
        }
        self.reached = self.reached.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        self.options.progress.reached(self.reached);
        if let Some(digest) = &self.digest {
            digest.take_up(bytes.clone()).await?;
        }
        Ok((!bytes.is_empty()).then_some((offset, bytes)))
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
        Ok(Summary { bytes, level: Level::SizeIntegrity, elapsed, digest })
    }
}
