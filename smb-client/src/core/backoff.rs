//! How often a lost connection is tried again: soon at first, then less and less often, and not for ever.

use std::time::Duration;

/// The pause after the first failure.
const FIRST: Duration = Duration::from_millis(50);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(2);

/// The pauses of one attempt to come back. Pure: the time comes in as "since the first try began".
#[derive(Debug)]
pub(crate) struct Backoff {
    within: Duration,
    next: Duration,
}

impl Backoff {
    /// Tries begin within `within`; the first always does.
    pub fn new(within: Duration) -> Self {
        Self { within, next: FIRST }
    }

    /// A try has failed: how long to wait before the next, or `None` where there is to be none.
    pub fn failed(&mut self, elapsed: Duration) -> Option<Duration> {
        let pause = self.next;
        self.next = pause.saturating_mul(2).min(LONGEST);
        (elapsed.saturating_add(pause) < self.within).then_some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_bound_and_end() {
        let mut backoff = Backoff::new(Duration::from_secs(10));
        let (mut elapsed, mut pauses) = (Duration::ZERO, Vec::new());
        while let Some(pause) = backoff.failed(elapsed) {
            elapsed += pause;
            pauses.push(pause.as_millis());
        }
        assert_eq!(pauses, [50, 100, 200, 400, 800, 1600, 2000, 2000, 2000]);
        assert!(elapsed < Duration::from_secs(10));
    }

    #[test]
    fn no_time_means_no_second_try() {
        assert_eq!(Backoff::new(Duration::ZERO).failed(Duration::ZERO), None);
    }
}
