//! Failed log-ons make their address wait: guessing passwords takes long, however many connections somebody opens.
//!
//! ```text
//!   admit ──▶ (a few failures) at once
//!         ──▶ (more) one after the other, each later than the last: 1 s, 2 s, 4 s … apart
//!         ──▶ (its turn would come too late) refused
//!   failed: one failure more · succeeded: those under the same name forgotten
//!   five minutes: half of them forgotten · quiet for long: all
//! ```

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

/// Failures that cost nothing: everybody mistypes a password.
const FREE: u32 = 5;
/// The pause after the first failure that costs; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Who would have to wait longer than this is refused.
const MOST_WAITING: Duration = Duration::from_secs(30);
/// After so long half of the failures are forgotten: of those that nobody can make up for (a client that tries another
/// name first, each time) there must not be more and more.
const HALF_LIFE: Duration = Duration::from_secs(300);
/// After so long without a failure an address is forgotten.
const MEMORY: Duration = Duration::from_secs(600);

/// Users whose failures are counted apart, for each address.
const MOST_NAMES: usize = 8;

/// What is known of one address.
#[derive(Debug, Default)]
struct Record {
    /// Failures by user, whose name is hashed.
    named: Vec<(u64, u32)>,
    /// All others. Nobody can make up for them.
    others: u32,
    /// When the next log-on may be tried.
    next: Duration,
    /// When somebody last failed.
    last: Duration,
    /// Until when failures were halved.
    aged: Duration,
}

impl Record {
    fn failures(&self) -> u32 {
        self.named.iter().fold(self.others, |sum, (_, failures)| sum.saturating_add(*failures))
    }

    /// Counts a failure.
    fn add(&mut self, user: u64) {
        let room = self.named.len() < MOST_NAMES;
        match self.named.iter_mut().find(|(name, _)| *name == user) {
            Some((_, failures)) => *failures = failures.saturating_add(1),
            None if room => self.named.push((user, 1)),
            None => self.others = self.others.saturating_add(1),
        }
    }

    /// Forgets what is long ago.
    fn age(&mut self, now: Duration) {
        while now.saturating_sub(self.aged) >= HALF_LIFE {
            self.aged = self.aged.saturating_add(HALF_LIFE);
            self.others /= 2;
            self.named.retain_mut(|(_, failures)| {
                *failures /= 2;
                *failures > 0
            });
            if self.failures() == 0 {
                self.aged = now;
            }
        }
    }

    fn pause(&self) -> Duration {
        match self.failures().checked_sub(FREE) {
            None => Duration::ZERO,
            Some(doublings) => {
                let factor = 1u32.checked_shl(doublings).unwrap_or(u32::MAX);
                FIRST_PAUSE.saturating_mul(factor).min(LONGEST_PAUSE)
            }
        }
    }
}

/// The log-ons of all addresses. Time is the caller's, from any beginning.
#[derive(Debug)]
pub struct Throttle {
    records: HashMap<IpAddr, Record>,
    most: usize,
    names: RandomState,
}

impl Throttle {
    /// One that remembers at most so many addresses.
    pub fn new(most: usize) -> Self {
        Self { records: HashMap::new(), most: most.max(1), names: RandomState::new() }
    }

    fn name(&self, user: &str) -> u64 {
        self.names.hash_one(user.to_lowercase())
    }

    /// How long a log-on from `address` must wait; `None` where it is refused.
    pub fn admit(&mut self, address: IpAddr, now: Duration) -> Option<Duration> {
        let Some(record) = self.records.get_mut(&group(address)) else { return Some(Duration::ZERO) };
        if now.saturating_sub(record.last) > MEMORY {
            self.records.remove(&group(address));
            return Some(Duration::ZERO);
        }
        record.age(now);
        let turn = record.next.max(now);
        let wait = turn.saturating_sub(now);
        if wait > MOST_WAITING {
            return None;
        }
        record.next = turn.saturating_add(record.pause());
        Some(wait)
    }

    /// A password from `address` was wrong, of somebody who said to be `user`.
    pub fn failed(&mut self, address: IpAddr, user: &str, now: Duration) {
        let address = group(address);
        let user = self.name(user);
        if self.records.len() >= self.most && !self.records.contains_key(&address) {
            self.make_room(now);
        }
        let record = self.records.entry(address).or_insert_with(|| Record { aged: now, ..Record::default() });
        record.age(now);
        record.add(user);
        record.last = now;
        record.next = record.next.max(now.saturating_add(record.pause()));
    }

    /// `user` has proved from `address` who they are. That says nothing of those who failed to be somebody else: whoever
    /// has an account could guess for ever.
    pub fn succeeded(&mut self, address: IpAddr, user: &str) {
        let (address, user) = (group(address), self.name(user));
        let Some(record) = self.records.get_mut(&address) else { return };
        record.named.retain(|(name, _)| *name != user);
        if record.failures() == 0 {
            self.records.remove(&address);
        } else if record.pause().is_zero() {
            record.next = Duration::ZERO;
        }
    }

    /// Forgets whoever was quiet for long; if nobody was, whoever was quiet longest.
    fn make_room(&mut self, now: Duration) {
        self.records.retain(|_, record| now.saturating_sub(record.last) <= MEMORY);
        if self.records.len() >= self.most
            && let Some(oldest) = self.records.iter().min_by_key(|(_, record)| record.last)
        {
            let oldest = *oldest.0;
            self.records.remove(&oldest);
        }
    }
}

/// Who has one IPv6 address has all of its /64.
fn group(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn after(failures: u32) -> Throttle {
        let mut throttle = Throttle::new(100);
        (0..failures).for_each(|_| throttle.failed(address("192.0.2.1"), "alice", at(0)));
        throttle
    }

    #[test]
    fn a_few_failures_cost_nothing() {
        let mut throttle = after(FREE - 1);
        assert_eq!(throttle.admit(address("192.0.2.1"), at(0)), Some(at(0)));
        throttle.failed(address("192.0.2.1"), "bob", at(0));
        assert_eq!(throttle.admit(address("192.0.2.1"), at(0)), Some(at(1)));
        assert_eq!(throttle.admit(address("192.0.2.2"), at(0)), Some(at(0)), "somebody else");
    }

    #[test]
    fn each_waits_for_the_one_before_and_too_many_are_refused() {
        let mut throttle = after(FREE + 3);
        let waits: Vec<_> = (0..5).map(|_| throttle.admit(address("192.0.2.1"), at(0))).collect();
        assert_eq!(waits, [Some(at(8)), Some(at(16)), Some(at(24)), None, None]);
        assert_eq!(throttle.admit(address("192.0.2.1"), at(10)), Some(at(22)));
    }

    #[test]
    fn pauses_double_up_to_a_minute() {
        let mut throttle = after(FREE + 40);
        assert_eq!(throttle.admit(address("192.0.2.1"), at(0)), None);
        assert_eq!(throttle.admit(address("192.0.2.1"), at(60)), Some(at(0)));
        assert_eq!(throttle.admit(address("192.0.2.1"), at(60)), None);
    }

    #[test]
    fn success_and_time_forgive() {
        let mut throttle = after(FREE + 5);
        throttle.succeeded(address("192.0.2.1"), "Alice");
        assert_eq!(throttle.admit(address("192.0.2.1"), at(0)), Some(at(0)));
        assert!(throttle.records.is_empty());
        let mut throttle = after(FREE + 40);
        assert_eq!(throttle.admit(address("192.0.2.1"), at(601)), Some(at(0)));
        assert!(throttle.records.is_empty());
    }

    #[test]
    fn now_and_then_a_failure_costs_nothing() {
        let mut throttle = Throttle::new(100);
        for mount in 0..1000 {
            let now = at(mount * 120);
            assert_eq!(throttle.admit(address("192.0.2.1"), now), Some(at(0)), "{mount}");
            throttle.failed(address("192.0.2.1"), "of this machine", now);
        }
        // Guessing does not pay even so.
        let (mut throttle, mut now, mut guesses) = (Throttle::new(100), at(0), 0);
        while now < at(24 * 3600) {
            now += throttle.admit(address("192.0.2.1"), now).unwrap_or(at(30));
            throttle.failed(address("192.0.2.1"), "alice", now);
            now += Duration::from_millis(10);
            guesses += 1;
        }
        assert!(guesses < 5000, "{guesses} in a day");
    }

    #[test]
    fn success_forgives_nobody_else() {
        let mut throttle = after(FREE + 2);
        throttle.failed(address("192.0.2.1"), "bob", at(0));
        throttle.succeeded(address("192.0.2.1"), "bob");
        throttle.succeeded(address("192.0.2.1"), "carol");
        assert_eq!(throttle.admit(address("192.0.2.1"), at(0)), Some(at(8)));
        throttle.succeeded(address("192.0.2.1"), "alice");
        assert_eq!(throttle.admit(address("192.0.2.1"), at(0)), Some(at(0)));
        // Of more names than are kept apart none is forgiven.
        for number in 0..100 {
            throttle.failed(address("192.0.2.1"), &number.to_string(), at(0));
            throttle.succeeded(address("192.0.2.1"), "none of them");
        }
        let record = throttle.records.values().next().unwrap();
        assert_eq!((record.named.len(), record.failures()), (MOST_NAMES, 100));
        throttle.succeeded(address("192.0.2.1"), "99");
        assert_eq!(throttle.admit(address("192.0.2.1"), at(0)), None);
    }

    #[test]
    fn a_network_of_ipv6_is_one() {
        let mut throttle = Throttle::new(100);
        for host in 0..=FREE {
            throttle.failed(address(&format!("2001:db8::{host:x}")), "bob", at(0));
        }
        assert_eq!(throttle.admit(address("2001:db8::ffff"), at(0)), Some(at(2)));
        assert_eq!(throttle.admit(address("2001:db8:0:1::1"), at(0)), Some(at(0)));
    }

    #[test]
    fn memory_is_bounded_and_the_quietest_goes_first() {
        let mut throttle = Throttle::new(3);
        for number in 0..10 {
            throttle.failed(address(&format!("192.0.2.{number}")), "bob", at(number));
            throttle.failed(address("198.51.100.1"), "bob", at(number));
        }
        assert_eq!(throttle.records.len(), 3);
        assert!(throttle.records.contains_key(&address("198.51.100.1")));
        assert!(throttle.records.contains_key(&address("192.0.2.9")));
    }
}
