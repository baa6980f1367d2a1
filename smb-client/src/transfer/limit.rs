//! A limit of bytes per second.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// A limit that several transfers may share; the time counts from the first byte.
#[derive(Debug)]
pub(crate) struct Throttle {
    limit: Mutex<(Option<Instant>, Limit)>,
}

impl Throttle {
    pub fn new(bytes_per_second: u64) -> Self {
        Self { limit: Mutex::new((None, Limit::new(bytes_per_second))) }
    }

    /// Waits until `bytes` may go.
    pub async fn pass(&self, bytes: usize) {
        let pause = {
            let mut guard = self.limit.lock().unwrap_or_else(PoisonError::into_inner);
            let (started, limit) = &mut *guard;
            limit.pass(started.get_or_insert_with(Instant::now).elapsed(), bytes)
        };
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
    }
}

/// Spreads bytes over time; pure: the time comes in as "since the transfer began".
#[derive(Debug)]
pub(crate) struct Limit {
    bytes_per_second: u64,
    /// When the bytes let through so far are paid for.
    paid: Duration,
}

/// What may be let through at once after a pause.
const BURST: Duration = Duration::from_millis(50);

impl Limit {
    pub fn new(bytes_per_second: u64) -> Self {
        Self { bytes_per_second: bytes_per_second.max(1), paid: Duration::ZERO }
    }

    /// Lets `bytes` through; returns how long to wait before they go.
    pub fn pass(&mut self, now: Duration, bytes: usize) -> Duration {
        let start = self.paid.max(now.saturating_sub(BURST));
        let nanoseconds = u128::try_from(bytes).unwrap_or(u128::MAX).saturating_mul(1_000_000_000)
            / u128::from(self.bytes_per_second);
        let cost = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
        self.paid = start.saturating_add(cost);
        start.saturating_sub(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_average_is_the_limit() {
        let mut limit = Limit::new(1_000_000);
        let mut now = Duration::ZERO;
        for _ in 0..100 {
            now += limit.pass(now, 100_000);
        }
        // The first piece goes at once, each other waits for the one before it.
        assert_eq!(now, Duration::from_millis(9_900));
    }

    #[test]
    fn a_pause_saves_up_a_burst_and_no_more() {
        let mut limit = Limit::new(1_000_000);
        assert_eq!(limit.pass(Duration::ZERO, 1_000_000), Duration::ZERO);
        let late = Duration::from_secs(60);
        assert_eq!(limit.pass(late, 50_000), Duration::ZERO);
        assert_eq!(limit.pass(late, 1_000_000), Duration::ZERO);
        assert_eq!(limit.pass(late, 1), Duration::from_secs(1));
    }
}
