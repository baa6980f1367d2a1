//! Any order of events: all messages arrive, in order, once, and the two sides come to rest.
use super::*;
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Event {
    Send(usize, usize),
    Deliver(usize),
    Complete(usize, usize),
    Consume(usize),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        2 => (0..2usize, 1..3000usize).prop_map(|(at, len)| Event::Send(at, len)),
        4 => (0..2usize).prop_map(Event::Deliver),
        3 => (0..2usize, 1..4usize).prop_map(|(at, most)| Event::Complete(at, most)),
        2 => (0..2usize).prop_map(Event::Consume),
    ];
    proptest::collection::vec(event, 0..120)
}

fn configs() -> impl Strategy<Value = Config> {
    (2..9u16, 1..12u16, 128..1500u32, 512..1500u32, 1..5usize, 1..50_000usize).prop_map(
        |(max, target, send, receive, depth, unread)| Config {
            receive_credit_max: max,
            send_credit_target: target,
            max_send_size: send,
            max_receive_size: receive,
            send_queue_depth: depth,
            unread_bytes: unread,
            ..tiny()
        },
    )
}

/// Plays `events`, then lets all settle; everything must have arrived.
fn play(world: &mut World, events: &[Event]) {
    let mut sent = [Vec::new(), Vec::new()];
    for (n, event) in events.iter().enumerate() {
        match *event {
            Event::Send(at, len) => {
                let token = len.is_multiple_of(3).then(|| Token(u32::try_from(n).unwrap()));
                let bytes = pattern(len, n);
                world.ends[at].send(world.now, &bytes, token).unwrap();
                sent[at].push((bytes, token));
                world.drain();
            }
            Event::Deliver(to) => drop(world.deliver(to)),
            Event::Complete(at, most) => drop(world.complete(at, most)),
            Event::Consume(at) => drop(world.consume(at)),
        }
    }
    world.settle();
    world.assert_open();
    for (at, sent) in sent.iter().enumerate() {
        assert_eq!(world.ends[1 - at].delivered, *sent);
    }
}

proptest! {
    #[test]
    fn everything_arrives(a in configs(), b in configs(), events in events()) {
        play(&mut World::established(&a, &b), &events);
    }

    #[test]
    fn at_two_credits_too(events in events()) {
        play(&mut World::established(&tiny(), &tiny()), &events);
    }

    #[test]
    fn closing_delivers_what_was_queued(a in configs(), b in configs(), lens in proptest::collection::vec(1..4000usize, 0..20)) {
        let mut world = World::established(&a, &b);
        for (n, len) in lens.iter().enumerate() {
            world.send(0, &pattern(*len, n));
        }
        world.ends[0].engine.close(world.now);
        prop_assert!(world.ends[0].send(world.now, b"late", None).is_err());
        world.settle();
        prop_assert_eq!(world.ends[0].closed, Some(CloseReason::Closed));
        let arrived: Vec<_> = world.ends[1].delivered.iter().map(|(bytes, _)| bytes.len()).collect();
        prop_assert_eq!(arrived, lens);
    }
}

#[test]
fn idle_sides_come_to_rest_at_every_number_of_credits() {
    for max in 2..40 {
        for target in [1, 2, 3, 5, 8, 13, 255] {
            let config = Config { receive_credit_max: max, send_credit_target: target, ..tiny() };
            let mut world = World::established(&config, &config);
            world.settle();
            world.send(0, b"one");
            world.settle();
            world.send(1, b"another");
            world.settle();
            world.assert_open();
        }
    }
}

#[test]
fn with_a_single_credit_each_and_full_queues_both_sides_progress() {
    let config = Config { unread_bytes: usize::MAX, ..tiny() };
    let mut world = World::new(&config, &config);
    for end in &mut world.ends {
        end.engine.squeeze();
    }
    world.deliver(1);
    assert_eq!(world.ends[1].engine.credits(), (0, 1));
    world.deliver(0);
    let count = 50;
    for n in 0..count {
        world.send(0, &pattern(300, n));
        world.send(1, &pattern(300, n));
    }
    let mut steps = 0;
    while world.ends.iter().any(|end| end.delivered.len() < count) {
        let busy = world.complete(0, 1) | world.complete(1, 1) | world.deliver(0) | world.deliver(1);
        assert!(busy, "both sides wait for each other");
        steps += 1;
        assert!(steps < 10_000);
    }
    assert!(world.ends.iter().all(|end| end.posted <= 2), "one, and one more to spend the last credit");
}

#[test]
fn who_does_not_read_stops_the_peer_and_nothing_is_lost() {
    let config = Config { receive_credit_max: 8, send_credit_target: 8, ..tiny() };
    let mut world = World::established(&config, &config);
    for n in 0..200 {
        world.send(0, &pattern(900, n));
    }
    while world.complete(0, 9) | world.complete(1, 9) | world.deliver(0) | world.deliver(1) {}
    let stopped = world.ends[1].delivered.len();
    assert!((1..8).contains(&stopped), "{stopped} messages came although nobody reads");
    // The reader sends all the same, as long as it is not too far behind.
    world.send(1, b"answer");
    while world.deliver(0) {}
    assert_eq!(world.ends[0].delivered.len(), 1);
    world.settle();
    assert_eq!(world.ends[1].delivered.len(), 200);
    world.assert_open();
}

#[test]
fn a_message_in_one_piece_is_the_receive_buffer_itself() {
    let mut world = World::established(&Config::default(), &Config::default());
    world.send(0, b"hello");
    let (bytes, _) = world.wire[1].iter().find(|(bytes, _)| bytes.len() > 20).cloned().unwrap();
    while world.wire[1].front().is_some_and(|(bytes, _)| bytes.len() == 20) {
        world.deliver(1);
    }
    let buf = IoBuf::copied(&bytes);
    let at = buf.as_ptr().addr();
    world.ends[1].engine.received(world.now, buf, None);
    let delivered = std::iter::from_fn(|| world.ends[1].engine.poll()).find_map(|output| match output {
        Output::Deliver(received) => Some(received.message),
        _ => None,
    });
    let delivered = delivered.unwrap();
    assert_eq!((&delivered[..], delivered.as_ptr().addr()), (&b"hello"[..], at + 24));
}

#[test]
fn tiny_messages_nobody_reads_hold_little_memory() {
    let config = Config { unread_bytes: 1 << 20, ..Config::default() };
    let mut world = World::established(&config, &config);
    for n in 0..1000 {
        world.send(0, &pattern(1, n));
    }
    while world.complete(0, 99) | world.complete(1, 99) | world.deliver(0) | world.deliver(1) {}
    let held: usize = world.ends[1].unread.iter().sum();
    assert!(held < (1 << 20) + 256 * (32 << 10), "what a peer with all its credits may add, and no more");
    world.settle();
    assert_eq!(world.ends[1].delivered.len(), 1000);
}
