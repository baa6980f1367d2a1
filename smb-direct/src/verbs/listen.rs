//! Where connections come in.

use super::{
    cm::Id,
    connect::{Peer, accept},
    device::Device,
};
use crate::rdma::{Acceptor, Depths, Incoming, QueuePair, RdmaError, SetUp};
use rdma_mummy_sys::rdma_cm_event_type::{RDMA_CM_EVENT_CONNECT_REQUEST, RDMA_CM_EVENT_DEVICE_REMOVAL};
use smb_transport::BoxFuture;
use std::net::SocketAddr;

/// Connections waiting to be looked at.
const BACKLOG: i32 = 64;

pub(super) struct VerbsAcceptor {
    id: Id,
    local: Option<SocketAddr>,
}

impl VerbsAcceptor {
    pub(super) fn bind(at: SocketAddr) -> Result<Self, RdmaError> {
        let id = Id::new()?;
        id.listen(at, BACKLOG)?;
        let local = id.local();
        Ok(Self { id, local })
    }

    async fn next(&mut self) -> Result<Box<dyn Incoming>, RdmaError> {
        loop {
            let mut event = self.id.event().await?;
            match (event.kind, event.request.take()) {
                (RDMA_CM_EVENT_CONNECT_REQUEST, Some(request)) => {
                    // One that cannot be taken (no descriptor is left, the device is gone) is dropped, and so rejected.
                    let Ok(id) = Id::adopt(request) else { continue };
                    let Ok(device) = Device::of(&id) else { continue };
                    let peer = Peer::of(device.can.iwarp, event);
                    return Ok(Box::new(VerbsIncoming { id: Some(id), peer }));
                }
                (RDMA_CM_EVENT_DEVICE_REMOVAL, _) => return Err(RdmaError::DeviceRemoved),
                _ => {}
            }
        }
    }
}

impl Acceptor for VerbsAcceptor {
    fn local(&self) -> Option<SocketAddr> {
        self.local
    }

    fn incoming(&mut self) -> BoxFuture<'_, Result<Box<dyn Incoming>, RdmaError>> {
        Box::pin(self.next())
    }
}

struct VerbsIncoming {
    /// There until it is accepted or rejected.
    id: Option<Id>,
    peer: Peer,
}

impl VerbsIncoming {
    fn answer(&mut self) -> Option<(Id, Peer)> {
        let said =
            Peer { depths: self.peer.depths, private_data: std::mem::take(&mut self.peer.private_data) };
        Some((self.id.take()?, said))
    }
}

impl Incoming for VerbsIncoming {
    fn private_data(&self) -> &[u8] {
        &self.peer.private_data
    }

    fn depths(&self) -> Depths {
        self.peer.depths
    }

    fn accept(mut self: Box<Self>, with: SetUp) -> BoxFuture<'static, Result<Box<dyn QueuePair>, RdmaError>> {
        Box::pin(async move {
            let (id, peer) = self.answer().ok_or(RdmaError::Closed)?;
            accept(id, peer, with).await
        })
    }

    fn reject(mut self: Box<Self>, private_data: Vec<u8>) {
        if let Some((id, _)) = self.answer() {
            id.reject(&private_data);
        }
    }
}

impl Drop for VerbsIncoming {
    fn drop(&mut self) {
        if let Some(id) = &self.id {
            id.reject(&[]);
        }
    }
}
