//! Two ends in one process, with direct placement as RDMA has it.
//!
//! What a NIC would check is checked: tokens, access, bounds; and what it would do to the connection is done: a bad
//! token ends it. Clients and servers run their RDMA paths over it in ordinary tests.

mod engine;
mod halves;
mod link;
mod options;
mod pipe;
mod placement;

pub use options::{MemoryOptions, PlacementOptions};

use crate::{Halves, Kind, LinkInfo, Placement, Transport};
use link::{Link, Presence};
use pipe::Pipe;
use placement::MemoryPlacement;
use std::{fmt, sync::Arc};

/// One end of an in-memory connection.
pub struct MemoryTransport {
    link: Link,
    options: MemoryOptions,
    info: LinkInfo,
    presence: Arc<Presence>,
}

/// The two ends of a connection.
pub fn pair(options: MemoryOptions) -> (MemoryTransport, MemoryTransport) {
    let (one, other) = Link::pair(|| Pipe::new(options.queue_messages, options.queue_bytes));
    (MemoryTransport::new(one, options.clone()), MemoryTransport::new(other, options))
}

impl MemoryTransport {
    fn new(link: Link, options: MemoryOptions) -> Self {
        let max_message = options.max_message;
        let info = LinkInfo { kind: Kind::Memory, local: None, peer: None, speed: None, max_message };
        let presence = Arc::new(Presence(link.clone()));
        Self { link, options, info, presence }
    }
}

impl Transport for MemoryTransport {
    fn info(&self) -> &LinkInfo {
        &self.info
    }

    fn split(self: Box<Self>) -> Halves {
        let Self { link, options, info, presence } = *self;
        let placement = options.placement.clone().map(|placement| {
            let placement: Arc<dyn Placement> = Arc::new(MemoryPlacement::new(link.clone(), placement));
            placement
        });
        Halves {
            info,
            sender: Box::new(halves::MemorySender::new(link.clone(), &options, presence.clone())),
            receiver: Box::new(halves::MemoryReceiver::new(link, presence)),
            buffers: options.pool.into(),
            placement,
        }
    }
}

impl fmt::Debug for MemoryTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MemoryTransport").field(&self.info).finish()
    }
}

#[cfg(test)]
mod tests;
