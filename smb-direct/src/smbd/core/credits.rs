//! Who may send how much — [MS-SMBD] 3.1.5.1, 3.1.5.8, 3.1.5.9.

use crate::smbd::{Config, Violation};

/// Send credits both ways. A credit of the peer's is a receive of ours that is posted.
#[derive(Debug)]
pub(super) struct Credits {
    /// Connection.SendCredits.
    send: u16,
    /// Connection.ReceiveCredits: receives posted, and announced with the next message at the latest.
    receive: u16,
    /// Connection.ReceiveCreditTarget, within our limits.
    target: u16,
    /// The least target: with one receive, every message had to be answered at once by one that carries nothing but a
    /// credit, and that one by another.
    least: u16,
    /// Connection.ReceiveCreditMax.
    max: u16,
    /// Whether data came since we last sent anything.
    owing: bool,
}

/// How freely receives may be posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Supply {
    /// Up to the target.
    Free,
    /// One, where nothing could be sent otherwise or the peer could never send again.
    Short,
    /// None.
    Shut,
}

impl Credits {
    pub(super) fn new(config: &Config) -> Self {
        Self { send: 0, receive: 0, target: 2, least: 2, max: config.receive_credit_max, owing: false }
    }

    /// Connection.SendCredits.
    pub(super) fn send(&self) -> u16 {
        self.send
    }

    /// Connection.ReceiveCredits.
    pub(super) fn receive(&self) -> u16 {
        self.receive
    }

    /// What the peer asked for.
    pub(super) fn set_target(&mut self, requested: u16) -> Result<(), Violation> {
        if requested == 0 {
            return Err(Violation::NoCreditsRequested);
        }
        self.target = requested.clamp(self.least, self.max);
        Ok(())
    }

    /// The peer granted `count` more.
    pub(super) fn granted(&mut self, count: u16) -> Result<(), Violation> {
        let held = self.send;
        self.send = held.checked_add(count).ok_or(Violation::OverGrant { held, granted: count })?;
        Ok(())
    }

    /// A message arrived, with or without data.
    pub(super) fn arrived(&mut self, data: bool) -> Result<(), Violation> {
        self.receive = self.receive.checked_sub(1).ok_or(Violation::NoCredit)?;
        self.owing |= data;
        Ok(())
    }

    /// Whether the peer has so few credits left that it should get more at once, with a message that carries nothing
    /// else. Half are enough after data; after messages that carried nothing themselves a quarter is, so that two idle
    /// sides do not answer credits with credits for ever.
    pub(super) fn is_due(&self) -> bool {
        self.receive <= if self.owing { self.target / 2 } else { self.target / 4 }
    }

    /// Receives to post now and to announce with a message that is to be sent now; `None` where it must wait. It must
    /// wait without a credit, and the last credit is spent only on a message that grants some.
    pub(super) fn spend(&mut self, supply: Supply, answer_due: bool) -> Option<u16> {
        if self.send == 0 {
            return None;
        }
        let forced = self.send == 1 || (answer_due && self.receive == 0);
        let grant = match supply {
            Supply::Free => self.target.saturating_sub(self.receive).max(u16::from(forced)),
            Supply::Short => u16::from(forced),
            Supply::Shut => 0,
        };
        if self.send == 1 && grant == 0 {
            return None;
        }
        self.send -= 1;
        self.receive = self.receive.saturating_add(grant);
        self.owing = false;
        Some(grant)
    }

    /// Lets the peer have a single credit.
    #[cfg(any(test, fuzzing))]
    pub(super) fn squeeze(&mut self) {
        self.least = 1;
        self.target = 1;
    }

    /// Receives to post for the first time, announced in the negotiation.
    pub(super) fn first(&mut self) -> u16 {
        self.receive = self.target;
        self.target
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credits(send: u16, receive: u16, target: u16) -> Credits {
        Credits { send, receive, target, least: 2, max: 255, owing: false }
    }

    #[test]
    fn the_last_credit_goes_only_with_a_grant() {
        assert_eq!(credits(0, 0, 10).spend(Supply::Free, true), None);
        assert_eq!(credits(1, 9, 10).spend(Supply::Free, false), Some(1));
        // Full: one more than the target is posted, as 3.1.5.9 asks.
        let mut full = credits(1, 10, 10);
        assert_eq!(full.spend(Supply::Free, false), Some(1));
        assert_eq!((full.send, full.receive), (0, 11));
        assert_eq!(credits(1, 3, 10).spend(Supply::Short, false), Some(1));
        assert_eq!(credits(1, 3, 10).spend(Supply::Shut, false), None);
        assert_eq!(credits(2, 10, 10).spend(Supply::Free, false), Some(0));
        assert_eq!(credits(2, 3, 10).spend(Supply::Shut, true), Some(0));
    }

    #[test]
    fn an_answer_leaves_the_peer_a_credit() {
        assert_eq!(credits(5, 0, 10).spend(Supply::Short, true), Some(1));
        assert_eq!(credits(5, 0, 10).spend(Supply::Short, false), Some(0));
        assert_eq!(credits(5, 1, 10).spend(Supply::Short, true), Some(0));
    }

    #[test]
    fn receives_never_exceed_the_target_by_more_than_one() {
        let mut credits = credits(3, 10, 10);
        for _ in 0..100 {
            while credits.spend(Supply::Free, true).is_some() {}
            assert!(credits.receive <= 11);
            credits.arrived(true).unwrap();
            credits.granted(1).unwrap();
        }
    }

    #[test]
    fn what_breaks_a_rule_is_refused() {
        let mut credits = credits(u16::MAX, 0, 10);
        assert_eq!(credits.granted(1), Err(Violation::OverGrant { held: u16::MAX, granted: 1 }));
        assert_eq!(credits.arrived(false), Err(Violation::NoCredit));
        assert_eq!(credits.set_target(0), Err(Violation::NoCreditsRequested));
    }
}
