//! Requests under way, for CANCEL and interim responses — [MS-SMB2] 3.3.4.2, 3.3.5.16.
//!
//! ```text
//!   opening ──▶ (in a sealed frame) ── opened ──┐ cancel by MessageId: remembered until all frames are opened
//!                                               ▼
//!                                    begin ──▶ Sync ── go_async ──▶ Async ── finish ──▶ (gone)
//!                                               │                    │ cancel by AsyncId or MessageId
//!                                               └──── finish ────────┴──────▶ (gone)
//! ```

use std::collections::{HashMap, HashSet};

/// Which request a CANCEL means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// By MessageId: a request that has no interim response yet.
    Message(u64),
    /// By AsyncId.
    Async(u64),
}

/// The requests under way on one connection, each with what cancels it.
#[derive(Debug)]
pub struct Pending<C> {
    requests: HashMap<u64, Entry<C>>,
    by_async: HashMap<u64, u64>,
    last_async: u64,
    async_bytes: usize,
    /// Frames that are being opened: nobody knows yet which requests are in them.
    opening: usize,
    /// MessageIds that were cancelled meanwhile and belong to no request that is known.
    early: HashSet<u64>,
    limits: AsyncLimits,
}

/// What may wait behind interim responses, which give the client its credits back.
#[derive(Debug, Clone, Copy)]
pub struct AsyncLimits {
    /// Bytes of the requests.
    pub bytes: usize,
    /// Their number.
    pub count: usize,
}

#[derive(Debug)]
struct Entry<C> {
    cancel: C,
    bytes: usize,
    /// It waits for what somebody else may do, perhaps for ever.
    idle: bool,
    async_id: Option<u64>,
}

impl<C> Pending<C> {
    /// None under way.
    pub fn new(limits: AsyncLimits) -> Self {
        Self {
            requests: HashMap::new(),
            by_async: HashMap::new(),
            last_async: 0,
            async_bytes: 0,
            opening: 0,
            early: HashSet::new(),
            limits,
        }
    }

    /// A frame is being opened: a CANCEL may overtake the requests in it.
    pub fn opening(&mut self) {
        self.opening += 1;
    }

    /// A frame was opened, and its requests have begun.
    pub fn opened(&mut self) {
        self.opening = self.opening.saturating_sub(1);
        if self.opening == 0 {
            self.early.clear();
        }
    }

    /// A request of `bytes` was taken in; an `idle` one waits for what others do. True where a CANCEL came before it.
    pub fn begin(&mut self, message_id: u64, bytes: usize, idle: bool, cancel: C) -> bool {
        self.requests.insert(message_id, Entry { cancel, bytes, idle, async_id: None });
        self.early.remove(&message_id)
    }

    /// Gives a request an AsyncId. `None` where too much waits already: the request goes on synchronously and
    /// keeps its credits, which is what bounds a client that fills a stream nobody reads.
    pub fn go_async(&mut self, message_id: u64) -> Option<u64> {
        let entry = self.requests.get_mut(&message_id)?;
        let bytes = self.async_bytes.saturating_add(entry.bytes);
        let full = bytes > self.limits.bytes || self.by_async.len() >= self.limits.count;
        if full || entry.async_id.is_some() {
            return None;
        }
        self.async_bytes = bytes;
        self.last_async += 1;
        entry.async_id = Some(self.last_async);
        self.by_async.insert(self.last_async, message_id);
        entry.async_id
    }

    /// A request is done.
    pub fn finish(&mut self, message_id: u64) {
        if let Some(entry) = self.requests.remove(&message_id)
            && let Some(async_id) = entry.async_id
        {
            self.by_async.remove(&async_id);
            self.async_bytes = self.async_bytes.saturating_sub(entry.bytes);
        }
    }

    /// What cancels the request that `target` names. One that may be in a frame not yet opened is cancelled as it
    /// [begins](Self::begin).
    pub fn cancel(&mut self, target: Target) -> Option<&C> {
        let message_id = match target {
            Target::Message(id) => id,
            Target::Async(id) => *self.by_async.get(&id)?,
        };
        let found = self.requests.get(&message_id).map(|entry| &entry.cancel);
        if found.is_none() && self.opening > 0 && self.early.len() < self.limits.count {
            self.early.insert(message_id);
        }
        found
    }

    /// What cancels the idle requests, for which nobody need wait.
    pub fn idle(&self) -> impl Iterator<Item = &C> {
        self.requests.values().filter(|entry| entry.idle).map(|entry| &entry.cancel)
    }

    /// Whether none waits.
    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn found_by_both_names_until_finished() {
        let mut pending = Pending::new(AsyncLimits { bytes: 100, count: 5 });
        assert!(!pending.begin(7, 10, false, "seven"));
        assert_eq!(pending.cancel(Target::Message(7)), Some(&"seven"));
        let id = pending.go_async(7).unwrap();
        assert_eq!(pending.cancel(Target::Async(id)), Some(&"seven"));
        assert_eq!(pending.go_async(7), None, "one interim response only");
        pending.finish(7);
        assert!(pending.cancel(Target::Async(id)).is_none() && pending.is_empty());
    }

    #[test]
    fn a_cancel_waits_for_a_request_only_while_a_frame_is_opened() {
        let mut pending = Pending::new(AsyncLimits { bytes: 100, count: 2 });
        assert!(pending.cancel(Target::Message(7)).is_none());
        assert!(!pending.begin(7, 10, false, ()), "nothing was being opened");
        pending.opening();
        pending.opening();
        (10..20).for_each(|id| assert!(pending.cancel(Target::Message(id)).is_none()));
        assert!(pending.begin(10, 10, false, ()), "cancelled before it came");
        assert!(!pending.begin(19, 10, false, ()), "beyond the bound");
        pending.opened();
        assert!(pending.begin(11, 10, false, ()), "the other frame may have it");
        pending.cancel(Target::Message(12));
        pending.opened();
        assert!(!pending.begin(12, 10, false, ()), "it was in neither");
    }

    #[test]
    fn waiting_bytes_are_bounded() {
        let mut pending = Pending::new(AsyncLimits { bytes: 100, count: 5 });
        pending.begin(1, 60, false, ());
        pending.begin(2, 60, false, ());
        let first = pending.go_async(1).unwrap();
        assert_eq!(pending.go_async(2), None);
        pending.finish(1);
        assert_ne!(pending.go_async(2), Some(first));
        assert_eq!(pending.go_async(3), None, "unknown");
    }

    #[test]
    fn idle_requests_are_told_apart() {
        let mut pending = Pending::new(AsyncLimits { bytes: 100, count: 5 });
        pending.begin(1, 10, false, "busy");
        pending.begin(2, 10, true, "idle");
        assert_eq!(pending.idle().collect::<Vec<_>>(), [&"idle"]);
    }
}
