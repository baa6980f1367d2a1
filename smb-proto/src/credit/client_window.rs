//! The client's side of credits: MessageIds to use, answers to expect — [MS-SMB2] 3.2.4.1.2, 3.2.4.1.6, 3.2.5.1.4.

use crate::error::PeerViolation;
use std::collections::BTreeMap;

/// The consecutive MessageIds of one request; its header carries the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageIdRange {
    /// The MessageId of the request and of its answer.
    pub first: u64,
    /// How many ids the request uses up, at least 1.
    pub len: u16,
    /// What to put in the request's CreditRequest field.
    pub ask: u16,
}

/// A request that waits for its final answer.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    /// Credits asked for and not answered yet; zero after the interim response, which carries them.
    asked: u16,
}

/// The credits and MessageIds of one connection.
///
/// The driver calls [`reserve`](Self::reserve) when it is about to send (never earlier: an id that is not sent leaves a
/// hole in the server's window), and [`answered`](Self::answered) for each response but unsolicited breaks (MessageId
/// all ones). CANCEL takes no id: it repeats that of the request it cancels.
#[derive(Debug)]
pub struct ClientWindow {
    next: u64,
    available: u32,
    asked: u32,
    target: u32,
    waiting: BTreeMap<u64, Waiting>,
}

/// The most credits a client keeps, whatever it is granted.
pub const MAX_HELD: u32 = 65_535;

impl ClientWindow {
    /// A fresh connection: MessageId 0 and one credit ([MS-SMB2] 3.2.4.1.6). Requests ask for as many credits as bring
    /// the connection to `target`.
    pub fn new(target: u16) -> Self {
        Self { next: 0, available: 1, asked: 0, target: target.max(1).into(), waiting: BTreeMap::new() }
    }

    /// Credits that can be spent now.
    pub fn available(&self) -> u32 {
        self.available
    }

    /// Requests without their final answer.
    pub fn outstanding(&self) -> usize {
        self.waiting.len()
    }

    /// Whether `message_id` waits for an answer.
    pub fn is_waiting(&self, message_id: u64) -> bool {
        self.waiting.contains_key(&message_id)
    }

    /// The most one request may be charged: what would be there if all asked for were granted. A driver cuts requests
    /// to this size, so that one never waits for credits that cannot come.
    pub fn largest_charge(&self) -> u16 {
        u16::try_from(self.available.saturating_add(self.asked).clamp(1, self.target.max(1)))
            .unwrap_or(u16::MAX)
    }

    /// Changes how many credits the connection strives for.
    pub fn set_target(&mut self, target: u16) {
        self.target = target.max(1).into();
    }

    /// Takes the MessageIds of a request of that CreditCharge (0, as 2.0.2 has it, takes one). `None` where credits
    /// are short, or where the 64-bit ids would wrap: the driver then waits for an answer or reconnects.
    pub fn reserve(&mut self, charge: u16) -> Option<MessageIdRange> {
        let len = charge.max(1);
        let left = self.available.checked_sub(len.into())?;
        // The last id is never used: it names unsolicited breaks.
        let next = self.next.checked_add(len.into())?;
        let first = std::mem::replace(&mut self.next, next);
        self.available = left;
        let ask = self.to_ask();
        self.asked = self.asked.saturating_add(ask.into());
        self.waiting.insert(first, Waiting { asked: ask });
        Some(MessageIdRange { first, len, ask })
    }

    /// At least one, so that the server may answer with one; else what is missing to the target.
    fn to_ask(&self) -> u16 {
        let coming = self.available.saturating_add(self.asked);
        u16::try_from(self.target.saturating_sub(coming).max(1)).unwrap_or(u16::MAX)
    }

    /// Takes note of an answer that grants `credits`. With `interim` (STATUS_PENDING in an async header) the request
    /// goes on waiting. An answer to no request is a violation, and so is a second final one.
    pub fn answered(&mut self, message_id: u64, credits: u16, interim: bool) -> Result<(), PeerViolation> {
        let waiting = self.waiting.get_mut(&message_id).ok_or(PeerViolation::Unsolicited(message_id))?;
        let asked = std::mem::take(&mut waiting.asked);
        if !interim {
            self.waiting.remove(&message_id);
        }
        self.asked = self.asked.saturating_sub(asked.into());
        self.grant(credits);
        Ok(())
    }

    /// Adds credits. Those above [`MAX_HELD`] are not used: the server's window is then larger than ours, which hurts
    /// neither.
    fn grant(&mut self, credits: u16) {
        self.available = self.available.saturating_add(credits.into()).min(MAX_HELD);
    }

    /// No credit is left and no answer is due that could bring one: the server broke [MS-SMB2] 3.3.1.2, and the
    /// connection is of no more use.
    pub fn is_stuck(&self) -> bool {
        self.available == 0 && self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    #[test]
    fn begins_with_one_credit_and_asks_for_the_target() {
        let mut window = ClientWindow::new(512);
        let first = window.reserve(1).unwrap();
        assert_eq!(first, MessageIdRange { first: 0, len: 1, ask: 512 });
        assert_eq!(window.reserve(1), None);
        window.answered(0, 512, false).unwrap();
        assert_eq!(window.reserve(16).unwrap(), MessageIdRange { first: 1, len: 16, ask: 16 });
        assert_eq!(window.reserve(16).unwrap(), MessageIdRange { first: 17, len: 16, ask: 16 });
        assert_eq!(window.reserve(481), None);
        assert_eq!(window.available(), 480);
    }

    #[test]
    fn an_interim_answer_carries_the_credits_and_the_request_goes_on() {
        let mut window = ClientWindow::new(4);
        let id = window.reserve(0).unwrap().first;
        window.answered(id, 4, true).unwrap();
        assert_eq!((window.available(), window.outstanding()), (4, 1));
        window.answered(id, 0, false).unwrap();
        assert_eq!(window.answered(id, 9, false), Err(PeerViolation::Unsolicited(id)));
        assert_eq!(window.answered(77, 9, true), Err(PeerViolation::Unsolicited(77)));
        assert_eq!(window.available(), 4, "a violation grants nothing");
    }

    #[test]
    fn a_stingy_server_is_asked_again_and_a_silent_one_noticed() {
        let mut window = ClientWindow::new(100);
        assert_eq!(window.reserve(1).unwrap().ask, 100);
        window.answered(0, 1, false).unwrap();
        assert_eq!(window.reserve(1).unwrap().ask, 100);
        assert!(!window.is_stuck());
        window.answered(1, 0, false).unwrap();
        assert!(window.is_stuck());
    }

    #[test]
    fn ids_never_wrap() {
        let mut window = ClientWindow::new(8);
        window.next = u64::MAX - 2;
        window.available = 8;
        assert_eq!(window.reserve(3), None);
        assert!(window.reserve(2).is_some());
        assert_eq!(window.reserve(1), None);
    }

    proptest! {
        /// Against the naive model: a set of ids that the server has granted and the client not used.
        #[test]
        fn uses_only_granted_ids_each_once(
            target in 1u16..600,
            steps in prop::collection::vec((any::<bool>(), 0u16..40, 0u16..80, any::<prop::sample::Index>()), 1..200),
        ) {
            let mut window = ClientWindow::new(target);
            let mut granted: HashSet<u64> = HashSet::from([0]);
            let mut highest = 1u64;
            let mut open: Vec<u64> = Vec::new();
            for (send, charge, credits, which) in steps {
                if send || open.is_empty() {
                    let enough = granted.len() >= usize::from(charge.max(1));
                    let range = window.reserve(charge);
                    prop_assert_eq!(range.is_some(), enough);
                    let Some(range) = range else { continue };
                    for id in range.first..range.first + u64::from(range.len) {
                        prop_assert!(granted.remove(&id), "id {} was not granted", id);
                    }
                    prop_assert!(range.ask >= 1 && u32::from(range.ask) <= u32::from(target));
                    open.push(range.first);
                } else {
                    let id = open.swap_remove(which.index(open.len()));
                    prop_assert!(window.is_waiting(id));
                    window.answered(id, credits, false).unwrap();
                    granted.extend(highest..highest + u64::from(credits));
                    highest += u64::from(credits);
                    prop_assert!(window.answered(id, credits, false).is_err());
                }
                prop_assert_eq!(usize::try_from(window.available()).unwrap(), granted.len());
                prop_assert_eq!(window.outstanding(), open.len());
            }
        }

        #[test]
        fn over_grants_are_bounded(grants in prop::collection::vec(any::<u16>(), 1..50)) {
            let mut window = ClientWindow::new(u16::MAX);
            for credits in grants {
                if let Some(range) = window.reserve(1) {
                    window.answered(range.first, credits, false).unwrap();
                }
                prop_assert!(window.available() <= MAX_HELD);
            }
        }
    }
}
