//! Direct placement between the two ends.

use super::{link::Link, options::PlacementOptions};
use crate::{
    Access, Advertised, BoxFuture, BufferDescriptor, Gate, IoBuf, Placement, PlacementLimits, TransportError,
    region::{Region, Segment, segments},
};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

pub(super) struct MemoryPlacement {
    link: Link,
    options: PlacementOptions,
    depth: Arc<Semaphore>,
}

impl PlacementOptions {
    /// Bytes per piece of a push.
    pub(super) fn piece_pushed(&self) -> usize {
        if self.push_gate.is_some() { self.gated_piece } else { usize::MAX }
    }

    fn piece_pulled(&self) -> usize {
        if self.pull_gate.is_some() { self.gated_piece } else { usize::MAX }
    }
}

impl MemoryPlacement {
    pub(super) fn new(link: Link, options: PlacementOptions) -> Self {
        let depth = Arc::new(Semaphore::new(options.read_depth.max(1)));
        Self { link, options, depth }
    }

    async fn pull_into(&self, from: Vec<BufferDescriptor>, mut into: IoBuf) -> Result<IoBuf, TransportError> {
        let segments = segments(&from, into.len(), self.options.piece_pulled())
            .ok_or(TransportError::Placement("the descriptors do not cover the buffer"))?;
        let depth = self.depth.clone().acquire_owned();
        let depth = tokio::select! {
            () = self.link.ended() => return Err(TransportError::Closed),
            depth = depth => depth.map_err(|_| TransportError::Closed)?,
        };
        if let Some(gate) = &self.options.pull_gate {
            return pull_gated(self.link.clone(), gate.clone(), segments, into, depth).await;
        }
        for segment in &segments {
            self.link.read(segment, &mut into)?;
        }
        Ok(into)
    }
}

/// Reads behind the caller's back: once posted, a read lands whether or not anybody waits for it, and `into` is not
/// let go before.
async fn pull_gated(
    link: Link,
    gate: Gate,
    segments: Vec<Segment>,
    mut into: IoBuf,
    depth: OwnedSemaphorePermit,
) -> Result<IoBuf, TransportError> {
    let (done, is_done) = oneshot::channel();
    tokio::spawn(async move {
        let mut outcome = Ok(());
        for segment in &segments {
            tokio::select! {
                biased;
                () = link.ended() => outcome = Err(TransportError::Closed),
                () = gate.pass() => outcome = link.read(segment, &mut into),
            }
            if outcome.is_err() {
                break;
            }
        }
        drop(depth);
        // Nobody may be waiting any more; `into` goes back to its pool then.
        let _ = done.send(outcome.map(|()| into));
    });
    is_done.await.unwrap_or(Err(TransportError::Closed))
}

impl Placement for MemoryPlacement {
    fn limits(&self) -> PlacementLimits {
        let PlacementOptions { max_size, max_descriptors, max_descriptor_len, .. } = self.options;
        let reach = max_descriptors.saturating_mul(max_descriptor_len);
        PlacementLimits { max_size: max_size.min(reach), max_descriptors, remote_invalidate: true }
    }

    fn advertise(&self, buf: IoBuf, access: Access) -> Result<Box<dyn Advertised>, (TransportError, IoBuf)> {
        if buf.is_empty() {
            return Err((TransportError::Placement("an empty buffer"), buf));
        }
        if buf.len() > self.limits().max_size {
            return Err((TransportError::Placement("more than the connection places at a time"), buf));
        }
        let opened = self.link.mine.open(buf, access, self.options.max_descriptor_len);
        let (region, descriptors) = opened.map_err(|buf| (TransportError::Closed, buf))?;
        Ok(Box::new(MemoryAdvertised { link: self.link.clone(), region, descriptors }))
    }

    fn pull(&self, from: Vec<BufferDescriptor>, into: IoBuf) -> BoxFuture<'_, Result<IoBuf, TransportError>> {
        Box::pin(self.pull_into(from, into))
    }
}

/// Dropped, it leaves the region to the table, which lets go of it when no token of it is valid any more: at the
/// latest when the connection ends.
struct MemoryAdvertised {
    link: Link,
    region: Arc<Region>,
    descriptors: Vec<BufferDescriptor>,
}

impl Advertised for MemoryAdvertised {
    fn descriptors(&self) -> &[BufferDescriptor] {
        &self.descriptors
    }

    fn reclaim(self: Box<Self>) -> BoxFuture<'static, Result<IoBuf, TransportError>> {
        Box::pin(async move { self.link.mine.take_back(&self.region).ok_or(TransportError::Closed) })
    }
}
