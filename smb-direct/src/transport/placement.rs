//! Direct placement over a queue pair.

use super::{
    connection::{Connection, count},
    error::lost,
};
use crate::{
    rdma::{Opened, RdmaError, ReadRequest, Remote},
    smbd::core::Limits,
};
use smb_transport::{
    Access, Advertised, BoxFuture, BufferDescriptor, IoBuf, Placement, PlacementLimits, TransportError,
    region::{Segment, segments},
};
use std::{ops::Range, sync::Arc};
use tokio::sync::Semaphore;

/// Cuts a transfer of `len` bytes along `descriptors` into parts of at most `most` bytes; `None` where those are too
/// short.
pub(super) fn parts(
    descriptors: &[BufferDescriptor],
    len: usize,
    most: usize,
) -> Option<Vec<(Remote, Range<usize>)>> {
    let part = |Segment { token, address, local }| (Remote { token, address }, local);
    Some(segments(descriptors, len, most)?.into_iter().map(part).collect())
}

pub(super) struct DirectPlacement {
    connection: Arc<Connection>,
    limits: PlacementLimits,
    /// RDMA reads that may be under way.
    depth: Arc<Semaphore>,
    reads: usize,
}

impl DirectPlacement {
    pub(super) fn new(connection: Arc<Connection>, limits: &Limits) -> Self {
        let info = connection.pair().info();
        let reach = info.max_transfer.saturating_mul(info.max_descriptors);
        let max_size = usize::try_from(limits.max_read_write_size).unwrap_or(usize::MAX).min(reach);
        let limits = PlacementLimits {
            max_size,
            max_descriptors: info.max_descriptors,
            remote_invalidate: info.remote_invalidate,
        };
        let reads = usize::from(info.reads.max(1));
        Self { connection, limits, depth: Arc::new(Semaphore::new(reads)), reads }
    }

    async fn pull_into(&self, from: Vec<BufferDescriptor>, mut into: IoBuf) -> Result<IoBuf, TransportError> {
        let most = self.connection.pair().info().max_transfer;
        let parts = parts(&from, into.len(), most)
            .ok_or(TransportError::Placement("the descriptors do not cover the buffer"))?;
        let len = into.len();
        for batch in parts.chunks(self.reads) {
            into = self.read(batch.to_vec(), into).await?;
        }
        count(&self.connection.traffic.pulled, len);
        Ok(into)
    }

    /// Reads some parts at once, when there is room in the read queue.
    async fn read(&self, parts: Vec<(Remote, Range<usize>)>, into: IoBuf) -> Result<IoBuf, TransportError> {
        let many = u32::try_from(parts.len()).unwrap_or(u32::MAX);
        let depth = self.depth.clone().acquire_many_owned(many);
        let depth = tokio::select! {
            () = self.connection.closed() => return Err(self.refused()),
            depth = depth => depth.map_err(|_| TransportError::Closed)?,
        };
        let (id, done) = self.connection.with(|inner| inner.await_read(depth));
        let posted = self.connection.pair().post_read(id, ReadRequest { into, parts });
        if let Err(error) = posted {
            self.connection.lock().forget_read(id);
            if error != RdmaError::Closed {
                return Err(lost(&error));
            }
            // The end is told in its own time, with the reason.
            self.connection.closed().await;
            return Err(self.refused());
        }
        done.await.map_err(|_| self.refused())
    }

    fn refused(&self) -> TransportError {
        let inner = self.connection.lock();
        match inner.fault() {
            Some(RdmaError::RemoteAccess(why)) => TransportError::Placement(why),
            _ => inner.error().unwrap_or(TransportError::Closed),
        }
    }
}

impl Placement for DirectPlacement {
    fn limits(&self) -> PlacementLimits {
        self.limits
    }

    fn advertise(&self, buf: IoBuf, access: Access) -> Result<Box<dyn Advertised>, (TransportError, IoBuf)> {
        if buf.is_empty() {
            return Err((TransportError::Placement("an empty buffer"), buf));
        }
        if buf.len() > self.limits.max_size {
            return Err((TransportError::Placement("more than the connection places at a time"), buf));
        }
        match self.connection.pair().open(buf, access) {
            Ok(opened) => Ok(Box::new(DirectAdvertised(opened))),
            Err((error, buf)) => Err((lost(&error), buf)),
        }
    }

    fn pull(&self, from: Vec<BufferDescriptor>, into: IoBuf) -> BoxFuture<'_, Result<IoBuf, TransportError>> {
        Box::pin(self.pull_into(from, into))
    }
}

struct DirectAdvertised(Box<dyn Opened>);

impl Advertised for DirectAdvertised {
    fn descriptors(&self) -> &[BufferDescriptor] {
        self.0.descriptors()
    }

    fn reclaim(self: Box<Self>) -> BoxFuture<'static, Result<IoBuf, TransportError>> {
        Box::pin(async move { self.0.reclaim().await.map_err(|error| lost(&error)) })
    }
}
