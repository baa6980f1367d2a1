//! How a connection comes up, on both sides.

use super::{
    cm::{Event, Id},
    cq::Cq,
    device::Device,
    error::NO_MEMORY,
    pair::{Names, Pair, Shared},
    pool::region_of,
    pump::Pump,
    qp::{Depth, GATHER, Qp},
    queues::{Receive, State},
    slots::Heads,
};
use crate::rdma::{Depths, HEAD_LEN, PairInfo, QueuePair, RdmaError, SetUp};
use rdma_mummy_sys::rdma_cm_event_type::{
    RDMA_CM_EVENT_ADDR_RESOLVED, RDMA_CM_EVENT_ESTABLISHED, RDMA_CM_EVENT_ROUTE_RESOLVED,
};
use smb_transport::Buffers;
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::time::timeout;

/// How long a connection may take to come up.
const CONNECT: Duration = Duration::from_secs(15);
/// How long a peer may take to confirm a connection we accepted.
const ACCEPT: Duration = Duration::from_secs(10);
/// Requests of our own that may be posted beside sends, writes and reads: binding and invalidating memory. More wait.
const LOCAL: usize = 64;
/// The longest transfer and the largest opened buffer, whatever the device says.
const LONGEST: usize = 1 << 30;
/// Bytes of read depths in private data.
const DEPTHS: usize = 8;

pub(super) async fn connect(to: SocketAddr, with: SetUp) -> Result<Box<dyn QueuePair>, RdmaError> {
    timeout(CONNECT, dial(to, with)).await.unwrap_or(Err(RdmaError::TimedOut))
}

async fn dial(to: SocketAddr, with: SetUp) -> Result<Box<dyn QueuePair>, RdmaError> {
    let id = Id::new()?;
    id.resolve_address(to)?;
    id.expect(RDMA_CM_EVENT_ADDR_RESOLVED).await?;
    id.hurry();
    id.resolve_route()?;
    id.expect(RDMA_CM_EVENT_ROUTE_RESOLVED).await?;
    let ready = Ready::new(id, &with)?;
    let can = ready.device.can;
    let depths = Depths {
        initiator: with.depths.initiator.min(can.reads.0),
        responder: with.depths.responder.min(can.reads.1),
    };
    ready.id.connect(depths, &private_data(can.iwarp, depths, &with.private_data))?;
    let event = ready.id.expect(RDMA_CM_EVENT_ESTABLISHED).await?;
    let peer = Peer::of(can.iwarp, event);
    ready.start(depths.reads_in_flight(&peer.depths), peer.private_data, true)
}

/// Accepts a connection request of `peer`'s.
pub(super) async fn accept(id: Id, peer: Peer, with: SetUp) -> Result<Box<dyn QueuePair>, RdmaError> {
    id.hurry();
    let ready = Ready::new(id, &with)?;
    let can = ready.device.can;
    let ours = with.depths;
    let asked = if peer.depths.initiator == 0 { u8::MAX } else { peer.depths.initiator };
    let depths = Depths {
        initiator: ours.reads_in_flight(&peer.depths).min(can.reads.0),
        responder: ours.responder.min(can.reads.1).min(asked),
    };
    ready.id.accept(depths, &private_data(can.iwarp, depths, &with.private_data))?;
    let established = ready.id.expect(RDMA_CM_EVENT_ESTABLISHED);
    timeout(ACCEPT, established).await.unwrap_or(Err(RdmaError::TimedOut))?;
    ready.start(depths.initiator, peer.private_data, false)
}

/// What goes into the private data: on iWARP, whose set-up need not carry them, the depths come first.
fn private_data(iwarp: bool, depths: Depths, more: &[u8]) -> Vec<u8> {
    let mut data = if iwarp { depths.private_data().to_vec() } else { Vec::new() };
    data.extend_from_slice(more);
    data
}

/// What the peer said of itself.
pub(super) struct Peer {
    pub(super) depths: Depths,
    pub(super) private_data: Vec<u8>,
}

impl Peer {
    pub(super) fn of(iwarp: bool, event: Event) -> Self {
        let (told, data) = (event.depths, event.private_data);
        let Some(depths) = iwarp.then(|| Depths::from_private_data(&data)).flatten() else {
            return Self { depths: told, private_data: data };
        };
        // The set-up may be of a kind that carries depths as well. Zero says nothing.
        let responder = if told.responder == 0 { u8::MAX } else { told.responder };
        let depths = Depths { responder: depths.responder.min(responder), ..depths };
        Self { depths, private_data: data.get(DEPTHS..).unwrap_or_default().to_vec() }
    }
}

/// A queue pair that is not connected yet, with the first receive posted.
struct Ready {
    // Before what it is made of.
    state: State,
    names: Names,
    cq: Arc<Cq>,
    id: Arc<Id>,
    device: Arc<Device>,
    max_transfer: usize,
    speed: Option<u64>,
}

impl Ready {
    fn new(id: Id, with: &SetUp) -> Result<Self, RdmaError> {
        let device = Device::of(&id)?;
        let port = device.port(id.port())?;
        let queues = with.queues;
        let reads = usize::from(with.depths.initiator.min(device.can.reads.0));
        let send = queues.sends.saturating_add(reads).saturating_add(LOCAL).min(device.can.queue);
        let depth = Depth { send, receive: queues.receives.max(1) };
        if depth.receive > device.can.queue || send < queues.sends || device.can.gather < GATHER {
            return Err(RdmaError::Limit("the queues"));
        }
        // So large that it cannot overrun.
        let completions = depth.send + depth.receive;
        if completions > device.can.completions {
            return Err(RdmaError::Limit("completions"));
        }
        let cq = Cq::new(device.pd().context(), completions, device.can.invalidation_flag())?;
        let (id, cq) = (Arc::new(id), Arc::new(cq));
        let qp = Qp::new(id.clone(), cq.clone(), device.pd().clone(), depth)?;
        let names = Names { port: id.port(), number: qp.number(), completions: cq.as_ptr().addr() };
        let mut state = State::new(qp, queues, depth.send, heads(&device, queues.sends)?);
        first_receive(&mut state, &device, with.first_receive)?;
        let max_transfer = port.message.min(device.can.region).min(LONGEST);
        Ok(Self { state, names, cq, id, device, max_transfer, speed: port.speed })
    }

    fn start(self, reads: u8, private_data: Vec<u8>, first: bool) -> Result<Box<dyn QueuePair>, RdmaError> {
        let Self { state, names, cq, id, device, max_transfer, speed } = self;
        let can = device.can;
        let info = PairInfo {
            local: id.local(),
            peer: id.peer(),
            speed,
            private_data,
            reads,
            max_transfer,
            max_descriptors: 1,
            remote_invalidate: can.windows,
            quirks: can.quirks(),
        };
        let bell = device.bell()?;
        let shared = Shared::new(state, device, info, names);
        tokio::spawn(Pump::new(shared.clone(), cq, id, bell, first).run());
        Ok(Box::new(Pair(shared)))
    }
}

fn heads(device: &Device, sends: usize) -> Result<Heads, RdmaError> {
    let memory = device.pool().buffer(sends.saturating_mul(HEAD_LEN));
    let region = region_of(&memory, device.pd()).cloned();
    Ok(Heads::new(memory, region.ok_or(NO_MEMORY)?))
}

fn first_receive(state: &mut State, device: &Device, len: usize) -> Result<(), RdmaError> {
    if len == 0 {
        return Ok(());
    }
    let buf = device.pool().buffer(len);
    let key = region_of(&buf, device.pd()).map(|region| region.local_key());
    let key = key.ok_or(NO_MEMORY)?;
    state.receive(Receive { region: None, buf }, key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(iwarp: bool, told: Depths, data: &[u8]) -> (Depths, Vec<u8>) {
        let event = Event { kind: 0, status: 0, request: None, private_data: data.to_vec(), depths: told };
        let peer = Peer::of(iwarp, event);
        (peer.depths, peer.private_data)
    }

    #[test]
    fn depths_are_taken_from_where_they_are() {
        let depths = |initiator, responder| Depths { initiator, responder };
        let data = private_data(true, depths(9, 3), b"more");
        assert_eq!(said(true, depths(0, 0), &data), (depths(9, 3), b"more".to_vec()));
        assert_eq!(said(true, depths(0, 2), &data), (depths(9, 2), b"more".to_vec()), "the lesser");
        assert_eq!(said(true, depths(1, 2), b"short"), (depths(1, 2), b"short".to_vec()));
        // What the Linux client sends: 32 reads served, in its own byte order, and no depth of its own in the set-up.
        assert_eq!(said(true, depths(0, 32), &[32, 0, 0, 0, 1, 0, 0, 0]), (depths(1, 32), Vec::new()));
        let data = private_data(false, depths(9, 3), b"more");
        assert_eq!(said(false, depths(1, 2), &data), (depths(1, 2), b"more".to_vec()));
    }
}
