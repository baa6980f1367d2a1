//! Messages: order, sizes, limits, ends, cancellation.

use super::*;

/// Sizes around every boundary a transport might have.
const SIZES: [usize; 16] =
    [0, 1, 3, 4, 111, 112, 113, 4095, 4096, 16_379, 16_380, 65_535, 65_536, 65_537, 1 << 20, 8 << 20];

fn sizes_for(halves: &Halves) -> impl Iterator<Item = usize> + use<> {
    let range = least(halves)..=halves.info.max_message;
    SIZES.into_iter().filter(move |len| range.contains(len))
}

/// Messages of all sizes arrive whole and in order, however they are cut into head and payload.
pub async fn sizes(make: impl AsyncFn() -> Pair) {
    let (mut a, mut b) = connected(make).await;
    let sending = async {
        for len in sizes_for(&a) {
            for head in [len, 0, len / 2, 64] {
                let message = split_message(&a, &pattern(len, head), head);
                a.sender.send(message).await.unwrap();
            }
        }
    };
    let receiving = async {
        for len in sizes_for(&b) {
            for head in [len, 0, len / 2, 64] {
                let received = receive(&mut b).await;
                assert!(received.message[..] == pattern(len, head)[..], "{len} bytes, head {head}");
                assert_eq!(received.invalidated, None);
            }
        }
    };
    tokio::join!(sending, receiving);
}

/// Thousands of small messages sent together arrive one by one.
pub async fn many_small(make: impl AsyncFn() -> Pair) {
    const COUNT: usize = 3000;
    let (mut a, mut b) = connected(make).await;
    let least = least(&a);
    let bytes = |n: usize| pattern((n % 300).max(least), n);
    let sending = async {
        let all = (0..COUNT).map(|n| split_message(&a, &bytes(n), n % 7 * 40)).collect();
        a.sender.send_all(all).await.unwrap();
        a.sender.send_all(Vec::new()).await.unwrap();
    };
    let receiving = async {
        for n in 0..COUNT {
            assert_eq!(receive(&mut b).await.message[..], bytes(n)[..], "message {n}");
        }
    };
    tokio::join!(sending, receiving);
}

/// Both directions are busy at once and neither waits for the other.
pub async fn both_directions(make: impl AsyncFn() -> Pair) {
    const COUNT: usize = 24;
    let (a, b) = connected(make).await;
    let tasks = [a, b].map(|mut halves| {
        tokio::spawn(async move {
            let len = (1 << 20).min(halves.info.max_message);
            let messages: Vec<_> =
                (0..COUNT).map(|n| split_message(&halves, &pattern(len - n, n), 200)).collect();
            let (sender, receiver) = (&mut halves.sender, &mut halves.receiver);
            let sending = async {
                for message in messages {
                    sender.send(message).await.unwrap();
                }
            };
            let receiving = async {
                for n in 0..COUNT {
                    let received = receiver.recv().await.unwrap().unwrap();
                    assert!(received.message[..] == pattern(len - n, n)[..], "message {n}");
                }
            };
            tokio::join!(sending, receiving);
            halves
        })
    });
    // Who is done first must not hang up on the other.
    let [one, other] = tasks;
    let (one, other) = tokio::join!(one, other);
    drop((one.unwrap(), other.unwrap()));
}

/// A message over the limit ends the connection, one at the limit does not, and the limit can be moved.
pub async fn limit(make: impl AsyncFn() -> Pair) {
    let (mut a, mut b) = connected(make).await;
    b.receiver.set_limit(1000);
    a.sender.send(message(&a, &pattern(1000, 1))).await.unwrap();
    assert_eq!(receive(&mut b).await.message.len(), 1000);
    b.receiver.set_limit(5000);
    a.sender.send(message(&a, &pattern(5000, 2))).await.unwrap();
    assert_eq!(receive(&mut b).await.message.len(), 5000);
    // A transport may refuse the second already.
    a.sender.send(message(&a, &pattern(5001, 3))).await.unwrap();
    let _ = a.sender.send(message(&a, &pattern(1, 4))).await;
    let error = b.receiver.recv().await.unwrap_err();
    assert_eq!(error, TransportError::TooLong { len: 5001, limit: 5000 });
    assert!(!matches!(b.receiver.recv().await, Ok(Some(_))), "nothing comes after a refused message");
}

/// What was sent before `close` arrives, then the end; nothing is sent after it.
pub async fn close_delivers(make: impl AsyncFn() -> Pair) {
    let (mut a, mut b) = connected(make).await;
    let len = (1 << 20).min(a.info.max_message);
    let sending = async {
        for n in 0..20 {
            a.sender.send(message(&a, &pattern(len, n))).await.unwrap();
        }
        a.sender.close().await;
        let after = message(&a, b"after");
        assert_eq!(a.sender.send(after).await, Err(TransportError::Closed));
    };
    let receiving = async {
        for n in 0..20 {
            assert!(receive(&mut b).await.message[..] == pattern(len, n)[..], "message {n}");
        }
        assert!(matches!(b.receiver.recv().await, Ok(None)));
        assert!(matches!(b.receiver.recv().await, Ok(None)), "the end stays the end");
    };
    tokio::join!(sending, receiving);
}

/// A peer that goes away without a word is noticed by who receives and by who sends.
pub async fn peer_gone(make: impl AsyncFn() -> Pair) {
    let (a, mut b) = connected(make).await;
    drop(a);
    let _ = end(&mut b).await;
    let mut sent = 0;
    while b.sender.send(message(&b, &pattern(4096, 0))).await.is_ok() {
        sent += 1;
        assert!(sent < 100_000, "sending into the void");
        tokio::task::yield_now().await;
    }
}

/// Whoever does not receive learns that the peer has left, and not before; what it sent still arrives.
pub async fn leaving_is_heard_of(make: impl AsyncFn() -> Pair) {
    let (mut a, mut b) = connected(&make).await;
    a.sender.send(message(&a, b"before")).await.unwrap();
    assert!(at_most(200, b.receiver.peer_left()).await.is_none(), "it is still there");
    tokio::join!(a.sender.close(), b.receiver.peer_left());
    assert_eq!(receive(&mut b).await.message[..], *b"before");
    assert!(matches!(b.receiver.recv().await, Ok(None)));
    b.receiver.peer_left().await;

    let (mut a, mut b) = connected(&make).await;
    a.sender.send(message(&a, b"last")).await.unwrap();
    drop(a);
    b.receiver.peer_left().await;
}

/// Dropping `recv` after any number of polls loses and garbles nothing.
pub async fn recv_is_cancel_safe(make: impl AsyncFn() -> Pair) {
    let (mut a, mut b) = connected(make).await;
    let lens: Vec<usize> = (0..60)
        .map(|n| [1, 70_000, 9000, least(&a), 700_000][n % 5])
        .filter(|len| *len <= a.info.max_message)
        .collect();
    let sending = async {
        for (n, len) in lens.iter().enumerate() {
            a.sender.send(message(&a, &pattern(*len, n))).await.unwrap();
            if n % 3 == 0 {
                tokio::task::yield_now().await;
            }
        }
    };
    let receiving = async {
        for (n, len) in lens.iter().enumerate() {
            let mut polls = 0;
            let received = loop {
                polls = polls % 3 + 1;
                if let Some(received) = at_most(polls, b.receiver.recv()).await {
                    break received.unwrap().unwrap();
                }
                tokio::task::yield_now().await;
            };
            assert!(received.message[..] == pattern(*len, n)[..], "message {n}");
        }
    };
    tokio::join!(sending, receiving);
}

/// After a `send` that was dropped midway the peer sees whole messages or an end, never half of one.
pub async fn dropped_send_never_garbles(make: impl AsyncFn() -> Pair) {
    let (mut a, mut b) = connected(make).await;
    let len = (8 << 20).min(a.info.max_message);
    let mut sent = 0;
    while sent < 64 {
        let big = message(&a, &pattern(len, 1));
        match at_most(3, a.sender.send(big)).await {
            Some(outcome) => outcome.unwrap(),
            None => break,
        }
        sent += 1;
    }
    let sending = async {
        let after = message(&a, b"after");
        let sent = a.sender.send(after).await;
        a.sender.close().await;
        sent
    };
    let receiving = async {
        let mut seen = false;
        while let Ok(Some(Received { message, .. })) = b.receiver.recv().await {
            seen = message[..] == *b"after";
            assert!(seen || message[..] == pattern(len, 1)[..]);
        }
        seen
    };
    let (sent, seen) = tokio::join!(sending, receiving);
    match sent {
        Ok(()) => assert!(seen, "what was sent arrives"),
        Err(error) => assert_eq!(error, TransportError::Closed),
    }
}

/// A peer that does not receive stops the sender, and all arrives once it does.
pub async fn back_pressure(make: impl AsyncFn() -> Pair) {
    const MOST: usize = 256;
    let (mut a, mut b) = connected(make).await;
    let len = (1 << 20).min(a.info.max_message);
    let mut stopped = None;
    for n in 0..MOST {
        let mut sending = a.sender.send(message(&a, &pattern(len, 0)));
        if at_most(200, &mut sending).await.is_none() {
            stopped = Some(n);
            let receiving = async {
                for _ in 0..=n {
                    let received = b.receiver.recv().await.unwrap().unwrap();
                    assert!(received.message[..] == pattern(len, 0)[..]);
                }
            };
            let (sent, ()) = tokio::join!(sending, receiving);
            sent.unwrap();
            break;
        }
    }
    let stopped = stopped.expect("a sender that nobody listens to must wait");
    assert!(stopped < MOST);
}
