//! Timers, just before and just when they fire.
use super::*;
use crate::smbd::wire::Flags;

const TICK: Duration = Duration::from_nanos(1);

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn asks(packet: &Packet) -> bool {
    DataHeader::parse(&packet.0).unwrap().0.flags.contains(Flags::RESPONSE_REQUESTED)
}

#[test]
fn a_negotiation_may_take_so_long_and_no_longer() {
    for (end, timeout) in [(0, 120), (1, 5)] {
        let mut world = World::new(&tiny(), &tiny());
        world.lose_all();
        world.pass(seconds(timeout) - TICK);
        assert_eq!(world.ends[end].closed, None);
        world.pass(TICK);
        assert_eq!(world.ends[end].closed, Some(CloseReason::NegotiationTimedOut));
    }
}

#[test]
fn an_idle_peer_is_asked_and_its_answer_keeps_the_connection() {
    let mut world = World::established(&tiny(), &tiny());
    world.settle();
    let quiet = Config { keepalive_interval: seconds(100_000), ..tiny() };
    let mut lazy = World::established(&tiny(), &quiet);
    lazy.settle();
    for _ in 0..10 {
        lazy.pass(seconds(120) - TICK);
        assert!(lazy.wire.iter().all(VecDeque::is_empty));
        lazy.pass(TICK);
        assert!(lazy.wire[1].front().is_some_and(asks));
        lazy.pass(seconds(5) - TICK);
        lazy.settle();
        lazy.assert_open();
    }
}

#[test]
fn an_idle_peer_that_does_not_answer_is_given_up() {
    let mut world = World::established(&tiny(), &tiny());
    world.settle();
    world.pass(seconds(120));
    world.lose_all();
    world.pass(seconds(5) - TICK);
    world.assert_open();
    world.pass(TICK);
    assert_eq!(world.ends[0].closed, Some(CloseReason::KeepaliveTimedOut));
    assert_eq!(world.ends[1].closed, Some(CloseReason::KeepaliveTimedOut));
}

#[test]
fn two_idle_sides_keep_each_other_for_ever_without_piling_anything_up() {
    let mut world = World::established(&tiny(), &tiny());
    world.settle();
    for _ in 0..100 {
        world.pass(seconds(120));
        let before = world.packets;
        world.settle();
        world.assert_open();
        assert!(world.packets - before <= 4, "an answer is not a question");
    }
    assert!(world.ends.iter().all(|end| end.posted <= 3));
}

#[test]
fn a_peer_that_nobody_reads_from_is_kept() {
    let mut world = World::established(&tiny(), &tiny());
    for n in 0..100 {
        world.send(0, &pattern(500, n));
    }
    for _ in 0..20 {
        while world.complete(0, 9) | world.complete(1, 9) | world.deliver(0) | world.deliver(1) {}
        world.pass(seconds(120));
    }
    world.assert_open();
    assert!(world.ends[1].delivered.len() < 30, "time does not undo the back-pressure");
    world.settle();
    assert_eq!(world.ends[1].delivered.len(), 100);
}
