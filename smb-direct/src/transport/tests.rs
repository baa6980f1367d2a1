use super::*;
use crate::{
    rdma::{
        Completion, Head, Piece, RdmaError, SendRequest,
        mem::{MemNetwork, MemOptions},
    },
    smbd::CloseReason,
};
use smb_transport::{
    Access, BufferDescriptor, INITIAL_LIMIT, IoBuf, Msg, Push, Received, Token, TransportError, testing,
};
use std::time::Duration;

fn at() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 5445))
}

async fn connected(network: MemNetwork, ours: Config, theirs: Config) -> (SmbDirect, SmbDirect) {
    let mut listener = DirectListener::bind(Arc::new(network.clone()), at(), theirs).await.unwrap();
    let (one, other) = tokio::join!(SmbDirect::connect(&network, at(), ours), listener.accept_direct());
    (one.unwrap(), other)
}

async fn pair_of(network: MemNetwork, config: Config) -> testing::Pair {
    let (one, other) = connected(network, config.clone(), config).await;
    (Box::new(one), Box::new(other))
}

async fn usual() -> testing::Pair {
    pair_of(MemNetwork::default(), Config::default()).await
}

/// Two credits, small messages, short transfers: everything waits for everything.
async fn cramped() -> testing::Pair {
    let options = MemOptions { max_transfer: 1000, max_descriptors: 1200, ..MemOptions::default() };
    let config = Config {
        receive_credit_max: 2,
        send_credit_target: 2,
        max_send_size: 4096,
        max_receive_size: 4096,
        send_queue_depth: 3,
        unread_bytes: 1,
        max_read_write_size: 1 << 20,
        ..Config::default()
    };
    pair_of(MemNetwork::new(options), config).await
}

smb_transport::conformance!(conformance, usual);
smb_transport::conformance!(conformance_cramped, cramped);

async fn halves(config: Config) -> (Halves, Halves, Monitor, Monitor) {
    let (one, other) = connected(MemNetwork::default(), config.clone(), config).await;
    let (ours, theirs) = (one.monitor(), other.monitor());
    (Box::new(one).split(), Box::new(other).split(), ours, theirs)
}

fn message(bytes: &[u8]) -> Msg {
    Msg::inline(IoBuf::copied(bytes))
}

async fn received(halves: &mut Halves) -> Received {
    halves.receiver.recv().await.unwrap().unwrap()
}

#[tokio::test]
async fn an_empty_message_is_refused_and_the_connection_lives() {
    let (mut a, mut b, ..) = halves(Config::default()).await;
    assert_eq!(a.sender.send(message(b"")).await, Err(TransportError::Empty));
    a.sender.send(message(b"alive")).await.unwrap();
    assert_eq!(received(&mut b).await.message[..], *b"alive");
}

#[tokio::test]
async fn counters_show_what_was_placed_and_what_was_not() {
    let (mut a, mut b, ours, theirs) = halves(Config::default()).await;
    let placement = a.placement.clone().unwrap();
    let memory = placement.advertise(IoBuf::alloc(100_000), Access::RemoteWrite).unwrap();
    let push = Push { to: memory.descriptors().to_vec(), data: IoBuf::copied(&[7; 90_000]) };
    let token = Token(memory.descriptors()[0].token);
    let answer = Msg { pushes: vec![push], invalidate: Some(token), ..message(b"answer") };
    b.sender.send(answer).await.unwrap();
    assert_eq!(received(&mut a).await.invalidated, Some(token));
    assert_eq!(memory.reclaim().await.unwrap()[..90_000], [7; 90_000]);

    let memory = placement.advertise(IoBuf::copied(&[9; 5000]), Access::RemoteRead).unwrap();
    let pulled = b.placement.clone().unwrap().pull(memory.descriptors().to_vec(), IoBuf::alloc(5000)).await;
    assert_eq!(pulled.unwrap()[..], [9; 5000]);
    assert_eq!(theirs.counters(), Counters { sent: 6, received: 0, pushed: 90_000, pulled: 5000 });
    assert_eq!(ours.counters(), Counters { received: 6, ..Counters::default() });
}

#[tokio::test]
async fn the_reason_of_the_end_can_be_read() {
    let (mut a, mut b, ours, theirs) = halves(Config::default()).await;
    assert_eq!(ours.ended(), None);
    let to = vec![BufferDescriptor { offset: 1, token: 2, length: 3 }];
    let push = Push { to, data: IoBuf::copied(b"abc") };
    let _ = b.sender.send(Msg { pushes: vec![push], ..message(b"answer") }).await;
    assert!(a.receiver.recv().await.is_err());
    assert!(b.receiver.recv().await.is_err());
    for monitor in [ours, theirs] {
        let ended = monitor.ended().unwrap();
        let fault = Some(RdmaError::RemoteAccess("no such token"));
        assert_eq!(ended, DirectError::Ended { reason: CloseReason::Disconnected, fault });
        let said = "the RDMA connection is gone: remote access refused: no such token";
        assert_eq!(ended.to_string(), said);
    }
}

#[tokio::test]
async fn a_long_message_is_refused_before_any_of_it_is_kept() {
    let (mut a, mut b, _, theirs) = halves(Config::default()).await;
    a.sender.send(message(&vec![1; INITIAL_LIMIT + 1])).await.unwrap();
    let expected = TransportError::TooLong { len: INITIAL_LIMIT + 1, limit: INITIAL_LIMIT };
    for _ in 0..2 {
        assert_eq!(b.receiver.recv().await.unwrap_err(), expected);
    }
    assert!(matches!(
        theirs.ended(),
        Some(DirectError::Ended { reason: CloseReason::TooLong { .. }, fault: None })
    ));
}

#[tokio::test(start_paused = true)]
async fn idle_connections_live_on_and_silent_ones_end() {
    let (mut a, mut b, ..) = halves(Config::default()).await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    a.sender.send(message(b"still here")).await.unwrap();
    assert_eq!(received(&mut b).await.message[..], *b"still here");

    // A peer that connects and says nothing.
    let network = MemNetwork::default();
    let mut listener =
        DirectListener::bind(Arc::new(network.clone()), at(), Config::default()).await.unwrap();
    let with = SmbDirect::set_up(&Config::default());
    let (pair, accepted) = tokio::join!(
        network.connect(at(), with),
        tokio::time::timeout(Duration::from_secs(60), listener.accept_direct())
    );
    assert!(accepted.is_err(), "a handshake that fails is no connection and no error");
    let mut batch = Vec::new();
    std::future::poll_fn(|cx| pair.as_ref().unwrap().poll_completions(cx, &mut batch)).await;
    assert!(matches!(batch[..], [Completion::Disconnected(None)]));
}

#[tokio::test]
async fn nobody_there_and_nobody_wanted() {
    let network = MemNetwork::default();
    let refused = SmbDirect::connect(&network, at(), Config::default()).await.unwrap_err();
    assert_eq!(refused, DirectError::Rdma(RdmaError::Refused));
    let refused = TransportError::from(refused);
    assert!(matches!(refused, TransportError::Wire { kind: std::io::ErrorKind::ConnectionRefused, .. }));
    let mut acceptor = network.listen(at()).await.unwrap();
    assert!(network.listen(at()).await.is_err(), "the address is taken");
    let (rejected, ()) = tokio::join!(SmbDirect::connect(&network, at(), Config::default()), async {
        acceptor.incoming().await.unwrap().reject(Vec::new());
    });
    assert_eq!(rejected.unwrap_err(), DirectError::Rdma(RdmaError::Rejected));
}

#[tokio::test]
async fn a_peer_that_is_gone_midway_is_told_from_one_that_closed() {
    let network = MemNetwork::default();
    let mut acceptor = network.listen(at()).await.unwrap();
    let config = Config { max_send_size: 1024, ..Config::default() };
    let connecting = network.connect(at(), SmbDirect::set_up(&config));
    let accepting = async {
        let pair = acceptor.incoming().await.unwrap().accept(SmbDirect::set_up(&config)).await.unwrap();
        SmbDirect::negotiate(pair, Role::Responder, config.clone()).await.unwrap()
    };
    // A peer by hand: negotiates, sends the first half of a message and goes.
    let by_hand = async {
        let pair = connecting.await.unwrap();
        let request = [0, 1, 0, 1, 0, 0, 9, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 0, 2, 0];
        let send = |bytes: &[u8]| {
            let pieces = [Some(Piece::Foreign(bytes.to_vec().into())), None];
            pair.post_send(SendRequest { head: Head::default(), pieces, invalidate: None }).unwrap();
        };
        send(&request);
        let mut batch = Vec::new();
        while !batch.iter().any(|done| matches!(done, Completion::Received { .. })) {
            std::future::poll_fn(|cx| pair.poll_completions(cx, &mut batch)).await;
        }
        let header = [9, 0, 9, 0, 0, 0, 0, 0, 4, 0, 0, 0, 24, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0];
        send(&[&header[..], b"half"].concat());
        pair.disconnect();
    };
    let (transport, ()) = tokio::join!(accepting, by_hand);
    let mut halves = Box::new(transport).split();
    assert_eq!(halves.receiver.recv().await.unwrap_err(), TransportError::Cut);
}

#[tokio::test]
async fn a_failed_negotiation_says_what_was_wrong() {
    let network = MemNetwork::default();
    let mut acceptor = network.listen(at()).await.unwrap();
    let answering = async {
        let with = SmbDirect::set_up(&Config::default());
        let pair = acceptor.incoming().await.unwrap().accept(with).await.unwrap();
        // Version 1.0, no credits.
        let response = [0, 1, 0, 1, 0, 1, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0];
        let sizes = [0, 0, 1, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 0, 2, 0];
        let bytes = [response, sizes].concat();
        let pieces = [Some(Piece::Foreign(bytes.into())), None];
        pair.post_send(SendRequest { head: Head::default(), pieces, invalidate: None }).unwrap();
        pair
    };
    let (failed, _pair) = tokio::join!(SmbDirect::connect(&network, at(), Config::default()), answering);
    let failed = failed.unwrap_err();
    assert_eq!(failed.to_string(), "protocol violation: the peer grants no credits to begin with");
}

/// A provider whose first listener is lost at once, as with a device that is removed; the address is then not to be had
/// for two tries.
struct Vanishing {
    network: MemNetwork,
    tries: std::sync::atomic::AtomicUsize,
}

struct Removed;

impl crate::rdma::Acceptor for Removed {
    fn local(&self) -> Option<SocketAddr> {
        Some(at())
    }

    fn incoming(
        &mut self,
    ) -> smb_transport::BoxFuture<'_, Result<Box<dyn crate::rdma::Incoming>, RdmaError>> {
        Box::pin(async { Err(RdmaError::DeviceRemoved) })
    }
}

impl Provider for Vanishing {
    fn name(&self) -> &'static str {
        "vanishing"
    }

    fn connect(
        &self,
        to: SocketAddr,
        with: SetUp,
    ) -> smb_transport::BoxFuture<'_, Result<Box<dyn QueuePair>, RdmaError>> {
        self.network.connect(to, with)
    }

    fn listen(
        &self,
        at: SocketAddr,
    ) -> smb_transport::BoxFuture<'_, Result<Box<dyn crate::rdma::Acceptor>, RdmaError>> {
        match self.tries.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
            0 => Box::pin(async {
                let removed: Box<dyn crate::rdma::Acceptor> = Box::new(Removed);
                Ok(removed)
            }),
            1 | 2 => Box::pin(async { Err(RdmaError::NoDevice("not yet")) }),
            _ => self.network.listen(at),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_listener_whose_device_was_removed_comes_back() {
    let network = MemNetwork::default();
    let vanishing = Arc::new(Vanishing { network: network.clone(), tries: Default::default() });
    let mut listener = DirectListener::bind(vanishing.clone(), at(), Config::default()).await.unwrap();
    let connecting = async {
        loop {
            match SmbDirect::connect(vanishing.as_ref(), at(), Config::default()).await {
                Ok(transport) => return transport,
                Err(error) => assert_eq!(error, DirectError::Rdma(RdmaError::Refused)),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let both = async { tokio::join!(connecting, listener.accept_direct()) };
    let (one, other) = tokio::time::timeout(Duration::from_secs(10), both).await.unwrap();
    let (mut one, mut other) = (Box::new(one).split(), Box::new(other).split());
    one.sender.send(message(b"again")).await.unwrap();
    assert_eq!(received(&mut other).await.message[..], *b"again");
}
