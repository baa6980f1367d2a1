use super::*;
use crate::{
    Access, IoBuf, Kind, TransportError,
    memory::{self, MemoryOptions},
    testing::{self, at_most, message, receive},
};
use std::time::Duration;
use tokio::time::Instant;

async fn over_tcp() -> testing::Pair {
    let (a, b) = crate::tcp::tests::loopback().await;
    (Box::new(Fault::new(a, Faults::default())), Box::new(Fault::new(b, Faults::default())))
}

async fn over_memory() -> testing::Pair {
    let (a, b) = memory::pair(MemoryOptions::default());
    (Box::new(Fault::new(a, Faults::default())), Box::new(Fault::new(b, Faults::default())))
}

/// Late, but otherwise as it should be.
async fn on_a_long_line() -> testing::Pair {
    let (a, b) = memory::pair(MemoryOptions::plain());
    let late = Faults::default();
    late.incoming.delay(Duration::from_millis(2));
    (Box::new(Fault::new(a, late.clone())), Box::new(Fault::new(b, late)))
}

crate::conformance!(conformance_over_tcp, over_tcp);
crate::conformance!(conformance_over_memory, over_memory);
crate::conformance!(conformance_on_a_long_line, on_a_long_line);

/// Our end with faults, the other end without.
fn faulty() -> (Halves, Halves, Faults) {
    let (a, b) = memory::pair(MemoryOptions::default());
    let faults = Faults::default();
    let a: Box<dyn Transport> = Box::new(Fault::new(a, faults.clone()));
    assert_eq!(a.info().kind, Kind::Memory);
    (a.split(), Box::new(b).split(), faults)
}

async fn send(halves: &mut Halves, bytes: &[u8]) -> Result<(), TransportError> {
    let message = message(halves, bytes);
    halves.sender.send(message).await
}

#[tokio::test]
async fn chosen_messages_are_lost_or_changed() {
    let (mut a, mut b, faults) = faulty();
    faults.outgoing.on(1, Action::Drop);
    faults.outgoing.on(2, Action::Corrupt { offset: 1, xor: 0xFF });
    faults.incoming.on(0, Action::Corrupt { offset: 1000, xor: 1 });
    faults.incoming.on(1, Action::Drop);
    for text in [b"one", b"two", b"333", b"444"] {
        send(&mut a, text).await.unwrap();
        send(&mut b, text).await.unwrap();
    }
    for text in [&b"one"[..], &[b'3', !b'3', b'3'], b"444"] {
        assert_eq!(receive(&mut b).await.message[..], *text);
    }
    for text in [b"ond", b"333", b"444"] {
        assert_eq!(receive(&mut a).await.message[..], *text);
    }
    assert_eq!((faults.outgoing.seen(), faults.incoming.seen()), (4, 4));
    faults.outgoing.on(0, Action::Drop);
    send(&mut a, b"from here on").await.unwrap();
    send(&mut a, b"next").await.unwrap();
    assert_eq!(receive(&mut b).await.message[..], *b"next");
}

#[tokio::test]
async fn a_split_message_is_changed_in_its_payload_too() {
    let (mut a, mut b, faults) = faulty();
    faults.outgoing.on(0, Action::Corrupt { offset: 5, xor: 0x20 });
    let split = testing::split_message(&a, b"headload", 4);
    a.sender.send(split).await.unwrap();
    assert_eq!(receive(&mut b).await.message[..], *b"headlOad");
}

#[tokio::test(start_paused = true)]
async fn incoming_messages_are_late_together() {
    let (mut a, mut b, faults) = faulty();
    faults.incoming.delay(Duration::from_secs(1));
    let start = Instant::now();
    for n in 0..100u8 {
        send(&mut b, &[n]).await.unwrap();
        if n == 50 {
            assert!(at_most(3, a.receiver.recv()).await.is_none());
        }
    }
    for n in 0..100u8 {
        assert_eq!(receive(&mut a).await.message[..], [n]);
    }
    let took = start.elapsed();
    assert!(took >= Duration::from_secs(1) && took < Duration::from_secs(3), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn outgoing_messages_hold_up_their_sender() {
    let (mut a, mut b, faults) = faulty();
    faults.outgoing.delay(Duration::from_secs(1));
    faults.outgoing.on(1, Action::Delay(Duration::from_secs(5)));
    let start = Instant::now();
    send(&mut a, b"one").await.unwrap();
    assert_eq!(start.elapsed().as_secs(), 1);
    send(&mut a, b"two").await.unwrap();
    assert_eq!(start.elapsed().as_secs(), 7);
    receive(&mut b).await;
    receive(&mut b).await;
}

#[tokio::test]
async fn a_stalled_direction_stays_open() {
    let (mut a, mut b, faults) = faulty();
    faults.incoming.stall();
    faults.outgoing.stall();
    send(&mut b, b"one").await.unwrap();
    send(&mut b, b"two").await.unwrap();
    assert!(at_most(20, a.receiver.recv()).await.is_none());
    assert!(at_most(20, send(&mut a, b"lost with its future")).await.is_none());
    faults.incoming.let_through(1);
    assert_eq!(receive(&mut a).await.message[..], *b"one");
    assert!(at_most(20, a.receiver.recv()).await.is_none());
    faults.incoming.resume();
    assert_eq!(receive(&mut a).await.message[..], *b"two");
    faults.outgoing.resume();
    send(&mut a, b"three").await.unwrap();
    assert_eq!(receive(&mut b).await.message[..], *b"three");
}

#[tokio::test]
async fn a_test_orders_messages_across_channels() {
    let (one, mut one_peer, first) = faulty();
    let (two, mut two_peer, second) = faulty();
    first.incoming.stall();
    second.incoming.stall();
    let (order, mut seen) = tokio::sync::mpsc::unbounded_channel();
    send(&mut one_peer, b"message").await.unwrap();
    send(&mut two_peer, b"message").await.unwrap();
    let tasks = [(one.receiver, "one"), (two.receiver, "two")].map(|(mut receiver, name)| {
        let order = order.clone();
        tokio::spawn(async move {
            receiver.recv().await.unwrap().unwrap();
            order.send(name).unwrap();
        })
    });
    first.incoming.held().await;
    second.incoming.held().await;
    second.incoming.let_through(1);
    assert_eq!(seen.recv().await, Some("two"));
    first.incoming.let_through(1);
    assert_eq!(seen.recv().await, Some("one"));
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn cut_in_the_midst_of_a_message_we_send() {
    for (mut a, mut b, faults) in [faulty(), faulty_tcp().await] {
        faults.outgoing.on(1, Action::Cut { keep: 10 });
        send(&mut a, b"whole").await.unwrap();
        assert_eq!(send(&mut a, &[0; 5000]).await, Err(TransportError::Closed));
        assert!(faults.is_cut());
        assert_eq!(receive(&mut b).await.message[..], *b"whole");
        assert_eq!(b.receiver.recv().await.unwrap_err(), TransportError::Cut);
        assert_eq!(a.receiver.recv().await.unwrap_err(), TransportError::Cut);
        assert_eq!(send(&mut a, b"x").await, Err(TransportError::Closed));
    }
}

#[tokio::test]
async fn cut_in_the_midst_of_a_message_we_receive() {
    for (mut a, mut b, faults) in [faulty(), faulty_tcp().await] {
        faults.incoming.on(1, Action::Cut { keep: 10 });
        send(&mut b, b"whole").await.unwrap();
        send(&mut b, &[0; 5000]).await.unwrap();
        assert_eq!(receive(&mut a).await.message[..], *b"whole");
        assert_eq!(a.receiver.recv().await.unwrap_err(), TransportError::Cut);
        assert_eq!(send(&mut a, b"x").await, Err(TransportError::Closed));
        let _ = testing::end(&mut b).await;
    }
}

#[tokio::test]
async fn closed_between_two_messages() {
    let (mut a, mut b, faults) = faulty();
    faults.incoming.on(0, Action::Close);
    send(&mut b, b"never seen").await.unwrap();
    assert!(matches!(a.receiver.recv().await, Ok(None)));
    let (mut a, mut b, faults) = faulty();
    faults.outgoing.on(0, Action::Close);
    assert_eq!(send(&mut a, b"never sent").await, Err(TransportError::Closed));
    assert!(matches!(b.receiver.recv().await, Ok(None)));
}

#[tokio::test]
async fn a_cut_reaches_halves_in_use_and_halves_at_rest() {
    for (a, mut b, faults) in [faulty(), faulty_tcp().await] {
        let Halves { mut receiver, mut sender, .. } = a;
        let receiving = tokio::spawn(async move {
            let end = receiver.recv().await;
            (receiver, end)
        });
        tokio::task::yield_now().await;
        faults.cut();
        // Neither the sender at rest nor the receiver is dropped, and yet the peer sees the end.
        let _ = testing::end(&mut b).await;
        let (_receiver, end) = receiving.await.unwrap();
        assert_eq!(end.unwrap_err(), TransportError::Cut);
        assert_eq!(
            sender.send(crate::Msg::inline(IoBuf::alloc(1))).await.unwrap_err(),
            TransportError::Closed
        );
    }
}

#[tokio::test]
async fn a_cut_ends_what_is_stalled_and_gives_advertised_memory_back() {
    let (mut a, mut b, faults) = faulty();
    let advertised = a.placement.clone().unwrap().advertise(IoBuf::alloc(100), Access::RemoteRead).unwrap();
    let theirs = b.placement.clone().unwrap().advertise(IoBuf::alloc(100), Access::RemoteRead).unwrap();
    faults.incoming.stall();
    faults.outgoing.stall();
    let placement = a.placement.clone().unwrap();
    let pull = placement.pull(theirs.descriptors().to_vec(), IoBuf::alloc(100));
    let later = async {
        tokio::task::yield_now().await;
        faults.cut();
    };
    let (sent, received, pulled, ()) =
        tokio::join!(a.sender.send(crate::Msg::inline(IoBuf::alloc(1))), a.receiver.recv(), pull, later);
    assert_eq!(sent, Err(TransportError::Closed));
    assert_eq!(received.unwrap_err(), TransportError::Cut);
    assert_eq!(pulled.unwrap_err(), TransportError::Closed);
    advertised.reclaim().await.unwrap();
    assert!(placement.advertise(IoBuf::alloc(1), Access::RemoteRead).is_err());
    let _ = testing::end(&mut b).await;
    assert_eq!(theirs.reclaim().await.unwrap().len(), 100);
}

async fn faulty_tcp() -> (Halves, Halves, Faults) {
    let (a, b) = crate::tcp::tests::loopback().await;
    let faults = Faults::default();
    (Box::new(Fault::new(a, faults.clone())).split(), b.split(), faults)
}
