use super::*;
use std::collections::VecDeque;

/// A path of that bandwidth and delay: pieces leave one after the other and come back a delay later.
struct Path {
    bytes_per_second: u64,
    delay: Duration,
    now: Duration,
    free_at: Duration,
    under_way: VecDeque<(Duration, Duration, usize)>,
}

impl Path {
    fn new(bytes_per_second: u64, delay: Duration) -> Self {
        let (now, free_at) = (Duration::ZERO, Duration::ZERO);
        Self { bytes_per_second, delay, now, free_at, under_way: VecDeque::new() }
    }

    fn send(&mut self, len: usize) {
        let nanos = bytes(len) * 1_000_000_000 / self.bytes_per_second;
        let leaves = self.free_at.max(self.now) + Duration::from_nanos(nanos);
        self.free_at = leaves;
        self.under_way.push_back((self.now, leaves + self.delay, len));
    }

    /// Transfers `bytes`; returns the rate.
    fn transfer(&mut self, flow: &mut Flow, size: u64) -> u64 {
        let (began, mut left) = (self.now, size);
        while left > 0 || !self.under_way.is_empty() {
            while left > 0 && flow.has_room() {
                let len = flow.chunk().min(usize::try_from(left).unwrap());
                flow.begin(len);
                self.send(len);
                left -= bytes(len);
            }
            let (sent, back, len) = self.under_way.pop_front().unwrap();
            self.now = back;
            flow.end(self.now, len, back - sent);
        }
        rate(size, self.now - began)
    }
}

fn bytes(len: usize) -> u64 {
    u64::try_from(len).unwrap()
}

const MIB: usize = 1 << 20;

#[test]
fn a_long_fat_path_is_filled() {
    // 1.25 GB/s × 40 ms = 50 MB.
    let mut path = Path::new(1_250_000_000, Duration::from_millis(40));
    let mut flow = Flow::bulk(8 * MIB, 256 * MIB);
    path.transfer(&mut flow, 4 << 30);
    let rate = path.transfer(&mut flow, 4 << 30);
    assert!(rate > 1_100_000_000, "{rate} bytes per second with a window of {}", flow.window());
}

#[test]
fn a_short_path_takes_little_memory() {
    let mut path = Path::new(1_250_000_000, Duration::from_micros(100));
    let mut flow = Flow::bulk(8 * MIB, 256 * MIB);
    let rate = path.transfer(&mut flow, 2 << 30);
    assert!(rate > 1_200_000_000, "{rate}");
    assert!(flow.window() <= 8 * MIB, "{}", flow.window());
}

#[test]
fn the_callers_bound_holds() {
    let mut path = Path::new(1_250_000_000, Duration::from_millis(40));
    let mut flow = Flow::bulk(8 * MIB, 3 * MIB);
    let mut most = 0;
    for _ in 0..2000 {
        while flow.has_room() {
            let len = flow.chunk();
            flow.begin(len);
            path.send(len);
        }
        most = most.max(flow.under_way);
        let (sent, back, len) = path.under_way.pop_front().unwrap();
        path.now = back;
        flow.end(back, len, back - sent);
    }
    assert!((2 * MIB..=3 * MIB).contains(&most), "{most}");
}

#[test]
fn a_path_that_becomes_faster_is_filled_again() {
    let mut path = Path::new(20_000_000, Duration::from_millis(40));
    let mut flow = Flow::bulk(MIB, 256 * MIB);
    path.transfer(&mut flow, 200 << 20);
    path.bytes_per_second = 1_250_000_000;
    path.transfer(&mut flow, 4 << 30);
    let rate = path.transfer(&mut flow, 4 << 30);
    assert!(rate > 1_000_000_000, "{rate} with {}", flow.window());
}

#[test]
fn a_gentle_beginning_reads_little() {
    let flow = Flow::gentle(8 * MIB, 64 * MIB);
    assert_eq!((flow.chunk(), flow.window()), (64 << 10, 256 << 10));
    let small = Flow::gentle(4096, 64 * MIB);
    assert_eq!(small.chunk(), 4096);
    assert_eq!(Flow::bulk(8 * MIB, 1).chunk(), 1);
}
