//! How much of a transfer is under way: what bandwidth and delay call for, measured as it goes.
//!
//! ```text
//!            each round doubles the window                  window = 2 × best rate × least delay
//!   Startup ─────────────────────────────▶ no faster for 3 rounds ──▶ Steady
//!      ▲                                                                │ each 8th round tries a quarter more
//!      └──────────────────────── a quarter faster than the best ◀───────┘
//! ```
//! A round is as long as it takes to deliver what was under way at its beginning. The window never exceeds what the caller
//! sets. Pure: the driver says when a piece begins and ends, and asks for room; times are "since the transfer began".

use std::time::Duration;

/// The most that is useful in one piece: larger ones leave the processor's cache between socket and digest.
const LARGEST: usize = 1 << 20;
/// Pieces are cut so that a window holds some.
const PIECES: usize = 4;
const SMALLEST: usize = 64 << 10;
/// Rounds that bring no more before the window counts as large enough.
const PATIENCE: u8 = 3;
/// Rounds after which a best rate is forgotten: the path may have become slower.
const MEMORY: u32 = 16;
/// Every so many rounds in the steady state more is tried.
const PROBE: u32 = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Startup { no_faster: u8 },
    Steady,
}

/// What one transfer keeps under way.
#[derive(Debug)]
pub(crate) struct Flow {
    /// The most bytes one request takes.
    piece: usize,
    least: usize,
    most: usize,
    window: usize,
    under_way: usize,
    phase: Phase,
    /// Bytes per second, and the round it was measured in.
    best: (u64, u32),
    delay: Option<Duration>,
    delivered: u64,
    round: Round,
}

#[derive(Debug, Clone, Copy, Default)]
struct Round {
    number: u32,
    began: Duration,
    delivered: u64,
    ends_at: u64,
    /// The window was used up: the round says something of the path, and not only of the caller.
    full: bool,
}

impl Flow {
    /// For a whole file: begins with 4 MiB. `piece` is the most one request takes, `most` what may be under way.
    pub fn bulk(piece: usize, most: usize) -> Self {
        Self::new(piece, most, 4 << 20, 4 << 20)
    }

    /// For a caller who may not want much: begins with 256 KiB.
    pub fn gentle(piece: usize, most: usize) -> Self {
        Self::new(piece, most, 256 << 10, 2 << 20)
    }

    fn new(piece: usize, most: usize, begin: usize, least: usize) -> Self {
        let piece = piece.clamp(1, LARGEST);
        let most = most.max(1);
        let window = begin.min(most);
        Self {
            piece,
            least: least.min(most),
            most,
            window,
            under_way: 0,
            phase: Phase::Startup { no_faster: 0 },
            best: (0, 0),
            delay: None,
            delivered: 0,
            round: Round::default(),
        }
    }

    /// Bytes of the next piece.
    pub fn chunk(&self) -> usize {
        let wish = (self.window / PIECES).max(SMALLEST) / SMALLEST * SMALLEST;
        wish.min(self.piece).min(self.window.div_ceil(2)).max(1)
    }

    /// Whether another piece may begin. One always may.
    pub fn has_room(&self) -> bool {
        self.under_way == 0 || self.under_way.saturating_add(self.chunk()) <= self.window
    }

    /// A piece begins.
    pub fn begin(&mut self, len: usize) {
        self.under_way = self.under_way.saturating_add(len);
        self.round.full |= !self.has_room();
    }

    /// A piece that took `took` has ended.
    pub fn end(&mut self, now: Duration, len: usize, took: Duration) {
        self.under_way = self.under_way.saturating_sub(len);
        self.delivered = self.delivered.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
        let least = self.delay.map_or(took, |delay| delay.min(took));
        self.delay = Some(least.max(Duration::from_micros(1)));
        if self.delivered >= self.round.ends_at {
            self.next_round(now);
        }
    }

    fn next_round(&mut self, now: Duration) {
        let Round { number, began, delivered, full, .. } = self.round;
        let rate = rate(self.delivered.saturating_sub(delivered), now.saturating_sub(began));
        // The first piece alone says little.
        if number > 0 {
            self.judge(rate, full);
        }
        let under_way = u64::try_from(self.under_way).unwrap_or(u64::MAX);
        self.round = Round {
            number: number.saturating_add(1),
            began: now,
            delivered: self.delivered,
            ends_at: self.delivered.saturating_add(under_way.max(1)),
            full: false,
        };
    }

    fn judge(&mut self, rate: u64, full: bool) {
        let number = self.round.number;
        let (best, since) = self.best;
        let faster = rate > best.saturating_add(best / 4);
        if rate > best || (full && number.saturating_sub(since) > MEMORY) {
            self.best = (rate, number);
        }
        match self.phase {
            // A caller who does not use the window up has no need of a larger one.
            _ if !full => (),
            Phase::Startup { .. } if faster => {
                self.phase = Phase::Startup { no_faster: 0 };
                self.widen();
            }
            Phase::Startup { no_faster } if no_faster.saturating_add(1) < PATIENCE => {
                self.phase = Phase::Startup { no_faster: no_faster.saturating_add(1) };
                self.widen();
            }
            Phase::Startup { .. } => self.settle(),
            Phase::Steady if faster => {
                self.phase = Phase::Startup { no_faster: 0 };
                self.widen();
            }
            Phase::Steady => self.settle(),
        }
    }

    fn widen(&mut self) {
        self.window = self.window.saturating_mul(2).min(self.most);
    }

    /// Twice what the path holds: one half on the way there, the other on the way back or in the peers' hands.
    fn settle(&mut self) {
        self.phase = Phase::Steady;
        let micros = self.delay.unwrap_or_default().as_micros();
        let held = u128::from(self.best.0).saturating_mul(micros) / 1_000_000;
        let mut window = usize::try_from(held).unwrap_or(usize::MAX).saturating_mul(2);
        if self.round.number.is_multiple_of(PROBE) {
            window = window.saturating_add(window / 4);
        }
        self.window = window.clamp(self.least, self.most);
    }

    /// Bytes that may be under way.
    #[cfg(test)]
    fn window(&self) -> usize {
        self.window
    }
}

/// Bytes per second.
fn rate(bytes: u64, time: Duration) -> u64 {
    let nanos = time.as_nanos().max(1);
    u64::try_from(u128::from(bytes).saturating_mul(1_000_000_000) / nanos).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[path = "flow_tests.rs"]
mod tests;
