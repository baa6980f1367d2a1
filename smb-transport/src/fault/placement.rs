//! Direct placement, with faults: a pull asks on the way out and is answered on the way in. Pushes travel with their
//! messages.

use super::Faults;
use crate::{
    Access, Advertised, BoxFuture, BufferDescriptor, IoBuf, Placement, PlacementLimits, TransportError,
};
use std::sync::Arc;

pub(super) struct FaultPlacement {
    inner: Arc<dyn Placement>,
    faults: Faults,
}

impl FaultPlacement {
    pub(super) fn new(inner: Arc<dyn Placement>, faults: Faults) -> Self {
        Self { inner, faults }
    }
}

impl Placement for FaultPlacement {
    fn limits(&self) -> PlacementLimits {
        self.inner.limits()
    }

    fn advertise(&self, buf: IoBuf, access: Access) -> Result<Box<dyn Advertised>, (TransportError, IoBuf)> {
        if self.faults.is_cut() {
            return Err((TransportError::Closed, buf));
        }
        self.inner.advertise(buf, access)
    }

    fn pull(&self, from: Vec<BufferDescriptor>, into: IoBuf) -> BoxFuture<'_, Result<IoBuf, TransportError>> {
        Box::pin(async move {
            let pull = async {
                self.faults.outgoing.gate.until_open().await;
                let pulled = self.inner.pull(from, into).await;
                self.faults.incoming.gate.until_open().await;
                pulled
            };
            tokio::select! {
                biased;
                () = self.faults.line.until_cut() => Err(TransportError::Closed),
                pulled = pull => pulled,
            }
        })
    }
}
