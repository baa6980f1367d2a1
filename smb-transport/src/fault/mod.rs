//! Faults on demand: any transport, made late, deaf, forgetful or broken.
//!
//! [`Fault`] wraps a transport; its [`Faults`] is the handle a test keeps. All time is tokio's, so that tests on paused
//! time work.
//!
//! ```
//! # use smb_transport::{Transport, fault::{Action, Fault, Faults}, memory};
//! # use std::time::Duration;
//! let (ours, _theirs) = memory::pair(memory::MemoryOptions::default());
//! let faults = Faults::default();
//! let flaky: Box<dyn Transport> = Box::new(Fault::new(ours, faults.clone()));
//! faults.incoming.delay(Duration::from_millis(20)); // a long line
//! faults.outgoing.on(3, Action::Cut { keep: 100 }); // the fourth message breaks off
//! faults.incoming.stall(); // until resume() or let_through(n)
//! # drop(flaky);
//! ```

mod halves;
mod placement;
mod script;
mod slot;

pub use script::{Action, Direction};

use crate::{Halves, LinkInfo, Placement, Transport};
use slot::{ReceiverSlot, SenderSlot, Slot};
use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError, Weak},
};
use tokio::sync::watch;

/// What goes wrong on a connection. Clones are the same; keep one while the connection runs.
#[derive(Clone, Default)]
pub struct Faults {
    /// What we send.
    pub outgoing: Direction,
    /// What we receive.
    pub incoming: Direction,
    line: Arc<Line>,
}

/// The connection, as far as it can be cut.
#[derive(Default)]
struct Line {
    cut: watch::Sender<bool>,
    halves: Mutex<Vec<(Weak<SenderSlot>, Weak<ReceiverSlot>)>>,
}

impl Faults {
    /// Cuts the connection now, in both directions: the transport underneath is dropped.
    pub fn cut(&self) {
        self.line.cut();
    }

    /// Whether the connection was cut, by [`cut`](Self::cut) or by an [`Action`].
    pub fn is_cut(&self) -> bool {
        self.line.is_cut()
    }
}

impl Line {
    fn cut(&self) {
        self.cut.send_replace(true);
        let halves = std::mem::take(&mut *self.halves.lock().unwrap_or_else(PoisonError::into_inner));
        for (sender, receiver) in halves {
            // A half that is in use sees the cut itself.
            drop(sender.upgrade().and_then(|slot| slot.take()));
            drop(receiver.upgrade().and_then(|slot| slot.take()));
        }
    }

    fn is_cut(&self) -> bool {
        *self.cut.borrow()
    }

    /// Resolves when the connection is cut.
    async fn until_cut(&self) {
        // The sender lives as long as `self`, so waiting cannot fail.
        let _ = self.cut.subscribe().wait_for(|cut| *cut).await;
    }

    fn watch(&self, sender: &Arc<SenderSlot>, receiver: &Arc<ReceiverSlot>) {
        let pair = (Arc::downgrade(sender), Arc::downgrade(receiver));
        self.halves.lock().unwrap_or_else(PoisonError::into_inner).push(pair);
        if self.is_cut() {
            self.cut();
        }
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faults")
            .field("outgoing", &self.outgoing)
            .field("incoming", &self.incoming)
            .field("cut", &self.is_cut())
            .finish()
    }
}

/// A transport with faults.
#[derive(Debug)]
pub struct Fault<T> {
    inner: T,
    faults: Faults,
}

impl<T: Transport> Fault<T> {
    /// Makes `inner` suffer from `faults`.
    pub fn new(inner: T, faults: Faults) -> Self {
        Self { inner, faults }
    }
}

impl<T: Transport> Transport for Fault<T> {
    fn info(&self) -> &LinkInfo {
        self.inner.info()
    }

    fn split(self: Box<Self>) -> Halves {
        let Self { inner, faults } = *self;
        let Halves { info, sender, receiver, buffers, placement } = Box::new(inner).split();
        let (sender, receiver) = (Slot::holding(sender), Slot::holding(receiver));
        faults.line.watch(&sender, &receiver);
        let placement = placement.map(|inner| {
            let placement: Arc<dyn Placement> =
                Arc::new(placement::FaultPlacement::new(inner, faults.clone()));
            placement
        });
        Halves {
            info,
            sender: Box::new(halves::FaultSender::new(sender, faults.clone())),
            receiver: Box::new(halves::FaultReceiver::new(receiver, faults)),
            buffers,
            placement,
        }
    }
}

#[cfg(test)]
mod tests;
