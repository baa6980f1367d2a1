//! One end's view of what the two ends share.

use super::pipe::{End, Pipe};
use crate::{
    Access, Token, TransportError,
    region::{Refusal, Regions, Segment},
};
use std::sync::Arc;
use tokio::sync::watch;

/// The connection, seen from one end. Clones are the same end.
#[derive(Clone)]
pub(super) struct Link {
    pub(super) outgoing: Arc<Pipe>,
    pub(super) incoming: Arc<Pipe>,
    /// What this end has advertised.
    pub(super) mine: Arc<Regions>,
    /// What the other end has.
    pub(super) theirs: Arc<Regions>,
    ended: Arc<watch::Sender<bool>>,
}

impl Link {
    /// The two ends of a connection.
    pub(super) fn pair(pipe: impl Fn() -> Pipe) -> (Self, Self) {
        let one = Self {
            outgoing: Arc::new(pipe()),
            incoming: Arc::new(pipe()),
            mine: Arc::default(),
            theirs: Arc::default(),
            ended: Arc::new(watch::Sender::new(false)),
        };
        let other = Self {
            outgoing: one.incoming.clone(),
            incoming: one.outgoing.clone(),
            mine: one.theirs.clone(),
            theirs: one.mine.clone(),
            ended: one.ended.clone(),
        };
        (one, other)
    }

    /// Writes one segment of `data` to the peer's memory.
    pub(super) fn write(&self, segment: &Segment, data: &[u8]) -> Result<(), TransportError> {
        let from = data.get(segment.local.clone()).unwrap_or(&[]);
        let copy = |bytes: &mut [u8]| bytes.copy_from_slice(from);
        self.theirs.access(segment, Access::RemoteWrite, copy).map_err(|why| self.refused(why))
    }

    /// Reads one segment of the peer's memory into `into`.
    pub(super) fn read(&self, segment: &Segment, into: &mut [u8]) -> Result<(), TransportError> {
        let to = into.get_mut(segment.local.clone()).unwrap_or(&mut []);
        let copy = |bytes: &mut [u8]| to.copy_from_slice(bytes);
        self.theirs.access(segment, Access::RemoteRead, copy).map_err(|why| self.refused(why))
    }

    /// Invalidates a token of the peer's.
    pub(super) fn invalidate(&self, token: Token) -> Result<(), TransportError> {
        self.theirs.invalidate(token).map_err(|why| self.refused(why))
    }

    /// A bad access ends the connection, as it does on RDMA.
    fn refused(&self, why: Refusal) -> TransportError {
        if self.is_ended() {
            return TransportError::Closed;
        }
        self.break_off(End::Reset);
        TransportError::Placement(why)
    }

    /// Ends the connection for both ends.
    pub(super) fn break_off(&self, end: End) {
        self.outgoing.end(end);
        self.incoming.end(end);
        self.finish();
    }

    /// No more access to advertised memory on either end.
    pub(super) fn finish(&self) {
        self.mine.end();
        self.theirs.end();
        self.ended.send_replace(true);
    }

    pub(super) fn is_ended(&self) -> bool {
        *self.ended.borrow()
    }

    /// Resolves when the connection is dead.
    pub(super) async fn ended(&self) {
        // The sender lives as long as `self`, so waiting cannot fail.
        let _ = self.ended.subscribe().wait_for(|ended| *ended).await;
    }
}

/// Held by both halves of an end: the connection ends with the second.
pub(super) struct Presence(pub(super) Link);

impl Drop for Presence {
    fn drop(&mut self) {
        self.0.outgoing.end(End::Orderly);
        self.0.incoming.end(End::Deaf);
        self.0.finish();
    }
}
