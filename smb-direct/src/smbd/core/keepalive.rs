//! The negotiation and idle timers — [MS-SMBD] 3.1.2, 3.1.6.

use crate::smbd::{CloseReason, Config};
use std::time::{Duration, Instant};

/// One deadline, and what it means.
///
/// ```text
///             established          idle for an interval     request sent          no answer
///  Negotiating ─────────▶ Quiet ──────────────────▶ Pending ───────────▶ Sent ────────────▶ time-out
///     │ too long            ▲                          │ no credit for an interval             ▲
///     ▼                     └── any message ───────────┴─────────────────── … ─────────────────┘
///  time-out
/// ```
#[derive(Debug)]
pub(super) struct Keepalive {
    state: State,
    deadline: Instant,
    interval: Duration,
    answer: Duration,
}

/// Connection.KeepaliveRequested, and what comes before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Negotiating,
    Quiet,
    Pending,
    Sent,
}

impl Keepalive {
    pub(super) fn new(config: &Config, negotiation: Duration, now: Instant) -> Self {
        let (interval, answer) = (config.keepalive_interval, config.keepalive_timeout);
        Self { state: State::Negotiating, deadline: now + negotiation, interval, answer }
    }

    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The connection is established, or the peer was heard.
    pub(super) fn heard(&mut self, now: Instant) {
        self.state = State::Quiet;
        self.deadline = now + self.interval;
    }

    /// Whether the next message is to ask for an answer.
    pub(super) fn is_pending(&self) -> bool {
        self.state == State::Pending
    }

    /// A message that asks for an answer was sent.
    pub(super) fn asked(&mut self, now: Instant) {
        self.state = State::Sent;
        self.deadline = now + self.answer;
    }

    /// The time has come, or not yet.
    pub(super) fn expire(&mut self, now: Instant) -> Result<(), CloseReason> {
        if now < self.deadline {
            return Ok(());
        }
        match self.state {
            State::Negotiating => Err(CloseReason::NegotiationTimedOut),
            State::Quiet => {
                // Without a credit the question has to wait; the peer, silent too, asks us in the meantime.
                self.state = State::Pending;
                self.deadline = now + self.interval;
                Ok(())
            }
            State::Pending | State::Sent => Err(CloseReason::KeepaliveTimedOut),
        }
    }
}
