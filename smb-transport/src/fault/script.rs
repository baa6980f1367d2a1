//! What happens to which message of one direction.

use crate::{Gate, IoBuf};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// What to do to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// Lose it, with what it pushes. Its sender is told that it went.
    Drop,
    /// Change a byte by exclusive or: the one at `offset`, or the last where the message is shorter.
    Corrupt {
        /// Where.
        offset: usize,
        /// With what.
        xor: u8,
    },
    /// Hold it, and what comes behind it, for so long.
    Delay(Duration),
    /// End the connection in front of it, between two messages.
    Close,
    /// Cut the connection in the midst of it.
    Cut {
        /// Bytes of it that still pass.
        keep: usize,
    },
}

/// One direction of a connection. Clones are the same.
#[derive(Debug, Clone)]
pub struct Direction {
    pub(super) gate: Gate,
    script: Arc<Mutex<Script>>,
}

#[derive(Debug, Default)]
struct Script {
    seen: usize,
    delay: Duration,
    actions: BTreeMap<usize, Vec<Action>>,
}

impl Default for Direction {
    fn default() -> Self {
        Self { gate: Gate::opened(), script: Arc::default() }
    }
}

impl Direction {
    fn lock(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Delays every message from now on. Incoming messages are delayed side by side, as on a long line; an outgoing
    /// one holds up its sender, as on a slow one.
    pub fn delay(&self, delay: Duration) {
        self.lock().delay = delay;
    }

    /// Lets nothing through, though the connection stays open, until [`resume`](Self::resume).
    pub fn stall(&self) {
        self.gate.close();
    }

    /// Lets through what was stalled, and what follows.
    pub fn resume(&self) {
        self.gate.open();
    }

    /// Lets `count` messages through although the direction is stalled. With one stalled connection per channel a
    /// test orders messages across channels.
    pub fn let_through(&self, count: usize) {
        self.gate.let_through(count);
    }

    /// Resolves once a message is held by [`stall`](Self::stall).
    pub async fn held(&self) {
        self.gate.waiting(1).await;
    }

    /// Does `action` to the `n`-th message from now; 0 is the next. Several to one message are done in order.
    pub fn on(&self, n: usize, action: Action) {
        let mut script = self.lock();
        let n = script.seen.saturating_add(n);
        script.actions.entry(n).or_default().push(action);
    }

    /// Messages that have passed here so far, whatever became of them.
    pub fn seen(&self) -> usize {
        self.lock().seen
    }

    /// What happens to the message that passes now.
    pub(super) fn next(&self) -> Fate {
        let mut script = self.lock();
        let n = script.seen;
        script.seen = n.saturating_add(1);
        let mut fate = Fate { delay: script.delay, corrupt: Vec::new(), end: Ending::Passes };
        for action in script.actions.remove(&n).unwrap_or_default() {
            match action {
                Action::Drop => fate.end = Ending::Drop,
                Action::Corrupt { offset, xor } => fate.corrupt.push((offset, xor)),
                Action::Delay(more) => fate.delay += more,
                Action::Close => fate.end = Ending::Close,
                Action::Cut { keep } => fate.end = Ending::Cut { keep },
            }
        }
        fate
    }
}

/// What becomes of one message.
pub(super) struct Fate {
    pub(super) delay: Duration,
    corrupt: Vec<(usize, u8)>,
    pub(super) end: Ending,
}

pub(super) enum Ending {
    Passes,
    Drop,
    Close,
    Cut { keep: usize },
}

impl Fate {
    pub(super) fn corrupts(&self) -> bool {
        !self.corrupt.is_empty()
    }

    pub(super) fn apply(&self, message: &mut IoBuf) {
        let last = message.len().saturating_sub(1);
        for (offset, xor) in &self.corrupt {
            if let Some(byte) = message.get_mut(last.min(*offset)) {
                *byte ^= xor;
            }
        }
    }
}
