use super::*;
use crate::{IoBuf, Listener, Msg, testing};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const HERE: &str = "127.0.0.1:0";

pub(crate) async fn loopback() -> testing::Pair {
    let mut listener: Box<dyn Listener> =
        Box::new(TcpListener::bind(HERE.parse().unwrap(), Pool::default(), TcpOptions::default()).unwrap());
    let peer = listener.local().unwrap();
    let options = TcpOptions::default();
    let connecting = TcpTransport::connect(peer, Some(HERE.parse().unwrap()), Pool::default(), &options);
    let (connected, accepted) = tokio::join!(connecting, listener.accept());
    (Box::new(connected.unwrap()), accepted.unwrap())
}

crate::conformance!(conformance, loopback);

/// Our end and a bare socket for a peer.
async fn against_bytes() -> (Halves, TcpStream) {
    let listener = TcpListener::bind(HERE.parse().unwrap(), Pool::default(), TcpOptions::default()).unwrap();
    let peer = listener.local_addr().unwrap();
    let (stream, ours) = tokio::join!(TcpStream::connect(peer), listener.accept());
    let stream = stream.unwrap();
    stream.set_nodelay(true).unwrap();
    (Box::new(ours.unwrap()).split(), stream)
}

#[tokio::test]
async fn the_prefix_is_the_direct_transports() {
    let (mut ours, mut peer) = against_bytes().await;
    let message = Msg { payload: "load".into(), ..Msg::inline(IoBuf::copied(b"head")) };
    ours.sender.send(message).await.unwrap();
    let mut bytes = [0; 12];
    peer.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"\0\0\0\x08headload");
}

#[tokio::test]
async fn a_head_without_room_is_sent_all_the_same() {
    let (mut ours, mut peer) = against_bytes().await;
    let mut head = IoBuf::copied(b"x");
    head.grow_front(head.head_room()).unwrap();
    let len = head.len();
    ours.sender.send(Msg::inline(head)).await.unwrap();
    let mut bytes = vec![0; 4 + len];
    peer.read_exact(&mut bytes).await.unwrap();
    assert_eq!(bytes[..4], u32::try_from(len).unwrap().to_be_bytes());
    assert_eq!(bytes.last(), Some(&b'x'));
}

#[tokio::test]
async fn messages_are_found_wherever_the_stream_is_cut() {
    let (mut ours, mut peer) = against_bytes().await;
    let stream = b"\0\0\0\x03one\x85\0\0\0\0\0\0\0\0\0\0\x05three\x85\0\0\0";
    for cut in 0..=stream.len() {
        let (front, back) = stream.split_at(cut);
        peer.write_all(front).await.unwrap();
        let mut got = Vec::new();
        for _ in 0..20 {
            if let Some(message) = testing::at_most(3, ours.receiver.recv()).await {
                got.push(message.unwrap().unwrap().message.to_vec());
            }
            tokio::task::yield_now().await;
        }
        peer.write_all(back).await.unwrap();
        while got.len() < 3 {
            got.push(testing::receive(&mut ours).await.message.to_vec());
        }
        assert_eq!(got, [&b"one"[..], b"", b"three"], "cut at {cut}");
    }
    drop(peer);
    assert!(matches!(ours.receiver.recv().await, Ok(None)));
}

#[tokio::test]
async fn an_end_inside_a_message_is_a_cut() {
    for part in [&b"\0"[..], b"\0\0\0", b"\0\0\0\x03", b"\0\0\0\x03ab", b"\x85\0"] {
        let (mut ours, mut peer) = against_bytes().await;
        peer.write_all(b"\0\0\0\x01x").await.unwrap();
        peer.write_all(part).await.unwrap();
        drop(peer);
        assert_eq!(testing::receive(&mut ours).await.message[..], *b"x");
        assert_eq!(ours.receiver.recv().await.unwrap_err(), TransportError::Cut, "{part:?}");
        assert_eq!(ours.receiver.recv().await.unwrap_err(), TransportError::Cut, "and stays one");
    }
}

#[tokio::test]
async fn other_protocols_are_refused() {
    for (start, kind) in [(&b"GET / HTTP"[..], b'G'), (b"\x81\0\0\x44 EMFPENFD", 0x81)] {
        let (mut ours, mut peer) = against_bytes().await;
        peer.write_all(start).await.unwrap();
        assert_eq!(ours.receiver.recv().await.unwrap_err(), TransportError::Framing(kind));
    }
}

#[tokio::test]
async fn a_stranger_is_believed_little() {
    let (mut ours, mut peer) = against_bytes().await;
    peer.write_all(&[0, 0xFF, 0xFF, 0xFF]).await.unwrap();
    let limit = crate::INITIAL_LIMIT;
    // Nothing but the prefix has come; a receiver that waited for the rest would wait for ever.
    peer.shutdown().await.unwrap();
    assert_eq!(ours.receiver.recv().await.unwrap_err(), TransportError::TooLong { len: 0xFF_FFFF, limit });
}

#[tokio::test]
async fn too_long_to_frame_is_refused_before_a_byte_is_sent() {
    let (mut ours, mut peer) = against_bytes().await;
    let payload = vec![0; frame::MAX_MESSAGE + 1].into();
    let refused = ours.sender.send(Msg { payload, ..Msg::inline(IoBuf::alloc(0)) }).await;
    assert!(matches!(refused, Err(TransportError::TooLong { .. })));
    ours.sender.send(Msg::inline(IoBuf::copied(b"x"))).await.unwrap();
    let mut bytes = [0; 5];
    peer.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"\0\0\0\x01x");
}

#[tokio::test]
async fn a_send_dropped_midway_is_the_last() {
    let (mut ours, mut peer) = against_bytes().await;
    let bigs = (0..8).map(|_| testing::message(&ours, &vec![1; 8 << 20])).collect();
    assert!(testing::at_most(1, ours.sender.send_all(bigs)).await.is_none(), "64 MiB fit no socket buffer");
    let after = testing::message(&ours, b"after");
    assert_eq!(ours.sender.send(after).await, Err(TransportError::Closed));
    drop(ours);
    let mut rest = Vec::new();
    peer.read_to_end(&mut rest).await.unwrap();
    assert!(!rest.ends_with(b"after") && !rest.is_empty());
}

#[tokio::test]
async fn severed_is_cut_at_the_peer() {
    for keep in [0, 10, 1000, usize::MAX] {
        let (a, b) = loopback().await;
        let (mut a, mut b) = (a.split(), b.split());
        a.sender.send(testing::message(&a, b"whole")).await.unwrap();
        let victim = testing::split_message(&a, &testing::pattern(1000, 0), 64);
        a.sender.sever(victim, keep).await;
        assert_eq!(testing::receive(&mut b).await.message[..], *b"whole");
        assert_eq!(b.receiver.recv().await.unwrap_err(), TransportError::Cut);
        let after = testing::message(&a, b"after");
        assert_eq!(a.sender.send(after).await, Err(TransportError::Closed));
    }
}

#[tokio::test]
async fn received_write_data_is_page_aligned() {
    let (a, b) = loopback().await;
    let (mut a, mut b) = (a.split(), b.split());
    let mut write = testing::pattern(65_536 + 112, 0);
    write[..4].copy_from_slice(b"\xFESMB");
    write[16] = 0;
    a.sender.send(testing::message(&a, &write)).await.unwrap();
    let received = testing::receive(&mut b).await.message;
    assert_eq!(received[112..].as_ptr().addr() % 4096, 0);
    assert!(received[..] == write[..]);
}

#[tokio::test]
async fn connecting_has_its_limits() {
    let options = TcpOptions { connect_timeout: Duration::from_secs(5), ..TcpOptions::default() };
    let unused = std::net::TcpListener::bind(HERE).unwrap().local_addr().unwrap();
    let error = TcpTransport::connect(unused, None, Pool::default(), &options).await.unwrap_err();
    assert!(matches!(error, TransportError::Io { kind: std::io::ErrorKind::ConnectionRefused, .. }));

    // A listener whose backlog is full answers no more: the attempt hangs until its limit.
    let full = TcpSocket::new_v4().unwrap();
    full.bind(HERE.parse().unwrap()).unwrap();
    let full = full.listen(1).unwrap();
    let peer = full.local_addr().unwrap();
    let options = TcpOptions { connect_timeout: Duration::from_millis(200), ..TcpOptions::default() };
    let mut open = Vec::new();
    let error = loop {
        match TcpTransport::connect(peer, None, Pool::default(), &options).await {
            Ok(transport) => open.push(transport),
            Err(error) => break error,
        }
        assert!(open.len() < 64, "the backlog never filled");
    };
    assert_eq!(error, TransportError::TimedOut);
}

#[tokio::test]
async fn sockets_are_set_up_as_promised() {
    let (a, _b) = loopback().await;
    assert_eq!(a.info().kind, Kind::Tcp);
    let stream = against_stream().await;
    let socket = SockRef::from(&stream);
    assert!(stream.nodelay().unwrap() && socket.keepalive().unwrap());
    assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(10));
    #[cfg(target_os = "linux")]
    assert_eq!(socket.tcp_user_timeout().unwrap(), Some(Duration::from_secs(60)));
}

async fn against_stream() -> TcpStream {
    let listener = TcpListener::bind(HERE.parse().unwrap(), Pool::default(), TcpOptions::default()).unwrap();
    let connecting = TcpStream::connect(listener.local_addr().unwrap());
    let (_connected, accepted) = tokio::join!(connecting, listener.accept());
    accepted.unwrap().stream
}
