//! The server's side: the CommandSequenceWindow and the granting of credits — [MS-SMB2] 3.3.1.1, 3.3.1.2, 3.3.5.2.3.

use crate::error::PeerViolation;
use std::collections::VecDeque;

/// How much the server can take at present.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Load {
    /// Grant what is asked for, up to the maximum.
    #[default]
    Normal,
    /// Short of memory or buffers: grant one credit an answer, so that the window shrinks as it is used.
    High,
}

/// The sequence numbers one connection may still use.
///
/// ```text
///   low            high
///    │ 1 0 1 1 0 1 1 │        1 = granted and not used yet
/// ```
///
/// `low` is the lowest id not used yet. One bit per id between the two; their distance is at most twice the
/// maximum of credits, so a client that leaves its lowest id unused gets no more credits instead of more memory.
///
/// Call [`accept`](Self::accept) for every request but CANCEL, and [`grant`](Self::grant) once per request: for the
/// interim response if it has one (its final response then grants 0, [MS-SMB2] 3.3.4.2), else for the response.
#[derive(Debug)]
pub struct ServerWindow {
    /// The id of the first bit of `words`, a multiple of 64.
    base: u64,
    high: u64,
    held: u32,
    maximum: u16,
    multi_credit: bool,
    words: VecDeque<u64>,
}

const BITS: u64 = 64;

impl ServerWindow {
    /// A fresh connection: the window is { 0 }. `maximum` is the most credits the client may hold.
    pub fn new(maximum: u16) -> Self {
        let maximum = maximum.max(1);
        Self { base: 0, high: 1, held: 1, maximum, multi_credit: false, words: VecDeque::from([1]) }
    }

    /// Honours CreditCharge from now on: the dialect is not 2.0.2 and SMB2_GLOBAL_CAP_LARGE_MTU was agreed.
    pub fn set_multi_credit(&mut self, on: bool) {
        self.multi_credit = on;
    }

    /// Changes the most credits the client may hold (more for an authenticated client). A client that holds more keeps
    /// them until it uses them.
    pub fn set_maximum(&mut self, maximum: u16) {
        self.maximum = maximum.max(1);
    }

    /// Credits the client holds.
    pub fn held(&self) -> u32 {
        self.held
    }

    /// Takes a request's MessageIds out of the window — [MS-SMB2] 3.3.5.2.3. An id outside the window, or used
    /// before, ends the connection. The window is as it was after an error.
    pub fn accept(&mut self, message_id: u64, credit_charge: u16) -> Result<(), PeerViolation> {
        let charge = if self.multi_credit { u64::from(credit_charge.max(1)) } else { 1 };
        let outside = PeerViolation::MessageId(message_id);
        let end = message_id.checked_add(charge).filter(|end| *end <= self.high).ok_or(outside)?;
        if !(message_id..end).all(|id| self.is_granted(id)) {
            return Err(outside);
        }
        (message_id..end).for_each(|id| self.take(id));
        self.held = self.held.saturating_sub(u32::try_from(charge).unwrap_or(u32::MAX));
        self.trim();
        Ok(())
    }

    fn bit(&self, id: u64) -> Option<(usize, u64)> {
        let at = id.checked_sub(self.base)?;
        Some((usize::try_from(at / BITS).ok()?, 1 << (at % BITS)))
    }

    fn is_granted(&self, id: u64) -> bool {
        self.bit(id).is_some_and(|(word, bit)| self.words.get(word).is_some_and(|bits| bits & bit != 0))
    }

    fn take(&mut self, id: u64) {
        if let Some((word, bit)) = self.bit(id)
            && let Some(bits) = self.words.get_mut(word)
        {
            *bits &= !bit;
        }
    }

    /// Drops the words below the lowest id not used yet, but never the word `high` lies in.
    fn trim(&mut self) {
        while self.words.front() == Some(&0) && self.high - self.base >= BITS {
            self.words.pop_front();
            self.base += BITS;
        }
    }

    /// The credits to put in a response to a request that asked for `requested` — [MS-SMB2] 3.3.1.2 — and adds their
    /// ids to the window. As many as asked for, while the client holds at most the maximum; at least 1 where it
    /// would hold none.
    pub fn grant(&mut self, requested: u16, load: Load) -> u16 {
        let wanted = match load {
            Load::Normal => requested,
            Load::High => requested.min(1),
        };
        let room = u32::from(self.maximum).saturating_sub(self.held).min(self.span_left());
        let at_least = u16::from(self.held == 0);
        let credits = wanted.min(u16::try_from(room).unwrap_or(u16::MAX)).max(at_least);
        self.extend(credits);
        credits
    }

    /// Ids that may be added before the window spans twice the maximum.
    fn span_left(&self) -> u32 {
        let span = 2 * u64::from(self.maximum);
        let left = span.saturating_sub(self.high.saturating_sub(self.lowest()));
        u32::try_from(left.min(u64::MAX - self.high)).unwrap_or(u32::MAX)
    }

    fn lowest(&self) -> u64 {
        let first = self.words.front().copied().unwrap_or(0);
        self.base.saturating_add(first.trailing_zeros().into()).min(self.high)
    }

    fn extend(&mut self, credits: u16) {
        for _ in 0..credits {
            // At the end of the ids nothing is added, and the connection ends with the client's next request.
            let Some(next) = self.high.checked_add(1) else { return };
            let id = std::mem::replace(&mut self.high, next);
            let Some((word, bit)) = self.bit(id) else { return };
            if word >= self.words.len() {
                self.words.resize(word + 1, 0);
            }
            if let Some(bits) = self.words.get_mut(word) {
                *bits |= bit;
            }
            self.held += 1;
        }
        self.trim();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn opened(credits: u16) -> ServerWindow {
        let mut window = ServerWindow::new(8192);
        window.accept(0, 0).unwrap();
        window.set_multi_credit(true);
        assert_eq!(window.grant(credits, Load::Normal), credits);
        window
    }

    #[test]
    fn begins_with_id_zero_alone() {
        let mut window = ServerWindow::new(8192);
        assert_eq!(window.accept(1, 1), Err(PeerViolation::MessageId(1)));
        window.accept(0, 0).unwrap();
        assert_eq!(window.accept(0, 0), Err(PeerViolation::MessageId(0)));
        assert_eq!(window.grant(0, Load::High), 1, "never none");
        window.accept(1, 0).unwrap();
    }

    #[test]
    fn out_of_order_ranges_each_once() {
        let mut window = opened(100);
        window.accept(50, 10).unwrap();
        assert_eq!(window.accept(59, 1), Err(PeerViolation::MessageId(59)));
        assert_eq!(window.accept(45, 6), Err(PeerViolation::MessageId(45)), "overlaps a used id");
        window.accept(45, 5).unwrap();
        window.accept(1, 44).unwrap();
        assert_eq!(window.accept(99, 3), Err(PeerViolation::MessageId(99)), "past the end");
        window.accept(60, 41).unwrap();
        assert_eq!(window.held(), 0);
        assert_eq!(window.grant(0, Load::Normal), 1);
    }

    #[test]
    fn charge_counts_only_with_multi_credit() {
        let mut window = ServerWindow::new(10);
        window.accept(0, 5).unwrap();
        window.grant(3, Load::Normal);
        window.accept(1, 9).unwrap();
        assert_eq!(window.held(), 2);
    }

    #[test]
    fn the_maximum_holds_and_load_shrinks_the_window() {
        let mut window = opened(8191);
        assert_eq!(window.grant(500, Load::Normal), 1);
        assert_eq!(window.grant(500, Load::Normal), 0, "the client holds the maximum");
        window.accept(1, 128).unwrap();
        assert_eq!(window.grant(128, Load::High), 1);
        assert_eq!(window.grant(128, Load::Normal), 127);
    }

    #[test]
    fn a_client_that_keeps_its_lowest_id_gets_no_more_memory() {
        let mut window = ServerWindow::new(64);
        window.accept(0, 0).unwrap();
        window.grant(2, Load::Normal);
        let mut id = 2;
        while window.accept(id, 0).is_ok() {
            window.grant(1, Load::Normal);
            id += 1;
        }
        assert_eq!(window.held(), 1);
        assert!(window.words.len() <= 4, "{} words", window.words.len());
        window.accept(1, 0).unwrap();
        assert_eq!(window.grant(10, Load::Normal), 10);
        window.accept(id, 0).unwrap();
    }

    #[test]
    fn ends_where_ids_end() {
        let mut window = opened(1);
        window.base = u64::MAX - 63;
        window.high = u64::MAX - 1;
        window.words = VecDeque::from([1 << 61]);
        window.accept(u64::MAX - 2, 1).unwrap();
        assert_eq!(window.grant(9, Load::Normal), 1);
        window.accept(u64::MAX - 1, 1).unwrap();
        window.grant(9, Load::Normal);
        assert!(window.accept(u64::MAX, 1).is_err());
        assert!(window.accept(0, 1).is_err());
    }

    proptest! {
        /// Against the naive model: the set of ids granted and not used.
        #[test]
        fn as_the_naive_model(
            maximum in 1u16..300,
            steps in prop::collection::vec((0u64..400, 0u16..20, 0u16..200, any::<bool>()), 1..300),
        ) {
            let mut window = ServerWindow::new(maximum);
            window.set_multi_credit(true);
            let mut model: HashSet<u64> = HashSet::from([0]);
            let mut high = 1u64;
            for (offset, charge, requested, busy) in steps {
                // Around the window's lower end, where a client works, and sometimes beside it.
                let low = model.iter().min().copied().unwrap_or(high);
                let id = (low + offset).saturating_sub(20);
                let ids = id..id + u64::from(charge.max(1));
                let legal = ids.clone().all(|id| model.contains(&id));
                prop_assert_eq!(window.accept(id, charge).is_ok(), legal);
                if legal {
                    ids.for_each(|id| { model.remove(&id); });
                }
                let load = if busy { Load::High } else { Load::Normal };
                let credits = window.grant(requested, load);
                model.extend(high..high + u64::from(credits));
                high += u64::from(credits);
                prop_assert_eq!(usize::try_from(window.held()).unwrap(), model.len());
                prop_assert!(!model.is_empty(), "the client is never left without a credit");
                prop_assert!(model.len() <= usize::from(maximum));
                prop_assert!(credits <= requested.max(1));
                prop_assert!(window.words.len() <= usize::from(maximum) / 32 + 2);
            }
        }
    }
}
