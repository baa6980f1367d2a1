//! What every provider must do, as tests: [`provider_conformance!`](crate::provider_conformance).
//!
//! The suite asks what the traits promise, and nothing a device does not: reads may complete in any order, a refused
//! access is learnt of sooner or later.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use super::{
    Completion, Depths, Head, Opened, Piece, Provider, QueuePair, Queues, RdmaError, ReadRequest, Remote,
    SendRequest, SetUp, Slice, Token, WriteRequest,
};
pub use smb_transport::testing::report;
use smb_transport::{Access, IoBuf};
use std::{collections::VecDeque, future::poll_fn, net::SocketAddr, sync::Arc, time::Duration};

/// Tests for a provider: `provider_conformance!(name, make)`, where `make` is an async function without arguments that
/// returns a provider and an address to listen at. `provider_conformance!(run make)` runs them one after the other where
/// there is no test harness, and says whether all went well. The crate that uses it needs tokio's `macros` and
/// `rt-multi-thread`.
#[macro_export]
macro_rules! provider_conformance {
    ($name:ident, $make:expr) => {
        mod $name {
            use super::*;
            $crate::provider_conformance!(@list each $make);
        }
    };
    (run $make:expr) => {
        $crate::provider_conformance!(@list run $make)
    };
    (@list $how:ident $make:expr) => {
        $crate::provider_conformance! {
            @$how $make;
            set_up_is_seen, rejection_is_seen, nobody_listens, messages_arrive_in_order, gathers_and_heads,
            writes_land_before_the_message, reads_bring, invalidation_is_told, wrong_tokens_end_it,
            wrong_access_ends_it, overruns_end_it, a_message_needs_a_receive, a_receive_must_be_long_enough,
            disconnecting_is_orderly, dropping_disconnects, taken_back_is_out_of_reach, dead_gives_back,
            queues_have_an_end
        }
    };
    (@run $make:expr; $($test:ident),*) => {
        [$($crate::rdma::testing::report(stringify!($test), || {
            $crate::rdma::testing::watched($crate::rdma::testing::$test($make))
        })),*].into_iter().all(|passed| passed)
    };
    (@each $make:expr; $($test:ident),*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() {
            $crate::rdma::testing::watched($crate::rdma::testing::$test($make)).await;
        }
    )*};
}

/// What a test is given.
pub type Made = (Arc<dyn Provider>, SocketAddr);

/// Runs a test that must not hang.
pub async fn watched(test: impl Future<Output = ()>) {
    tokio::time::timeout(Duration::from_secs(60), test).await.expect("the test hangs");
}

/// A queue pair and what it has completed.
struct End {
    pair: Box<dyn QueuePair>,
    done: VecDeque<Completion>,
}

impl End {
    fn new(pair: Box<dyn QueuePair>) -> Self {
        Self { pair, done: VecDeque::new() }
    }

    async fn next(&mut self) -> Completion {
        while self.done.is_empty() {
            let mut batch = Vec::new();
            poll_fn(|cx| self.pair.poll_completions(cx, &mut batch)).await;
            assert!(!batch.is_empty(), "ready with nothing");
            self.done.extend(batch);
        }
        self.done.pop_front().unwrap()
    }

    /// The next message; sends that complete meanwhile are passed over.
    async fn message(&mut self) -> (Vec<u8>, Option<Token>) {
        loop {
            match self.next().await {
                Completion::Received { message, invalidated } => return (message.to_vec(), invalidated),
                Completion::Sent => {}
                other => panic!("no message but {other:?}"),
            }
        }
    }

    async fn read(&mut self) -> (u64, IoBuf) {
        loop {
            match self.next().await {
                Completion::Read { id, into } => return (id, into),
                Completion::Sent => {}
                other => panic!("no read but {other:?}"),
            }
        }
    }

    /// The end of the connection, and the messages before it.
    async fn end(&mut self) -> (Option<RdmaError>, usize) {
        let mut messages = 0;
        loop {
            match self.next().await {
                Completion::Disconnected(why) => return (why, messages),
                Completion::Received { .. } => messages += 1,
                Completion::Sent | Completion::Read { .. } => {}
            }
        }
    }

    fn receive(&self, len: usize) {
        self.pair.post_receive(self.pair.buffers().buffer(len)).unwrap();
    }

    fn send(&self, bytes: &[u8]) {
        self.pair.post_send(message(bytes, None)).unwrap();
    }

    fn buffer(&self, bytes: &[u8]) -> IoBuf {
        let mut buf = self.pair.buffers().buffer(bytes.len());
        buf.copy_from_slice(bytes);
        buf
    }

    fn open(&self, bytes: &[u8], access: Access) -> (Box<dyn Opened>, Remote) {
        let opened = self.pair.open(self.buffer(bytes), access).map_err(|(error, _)| error).unwrap();
        let first = opened.descriptors()[0];
        (opened, Remote { token: Token(first.token), address: first.offset })
    }

    fn write(&self, bytes: &[u8], to: Remote) {
        let from = Slice::new(Arc::new(self.buffer(bytes)), 0..bytes.len());
        self.pair.post_write(WriteRequest { from, to }).unwrap();
    }
}

fn message(bytes: &[u8], invalidate: Option<Token>) -> SendRequest {
    let pieces = [Some(Piece::Foreign(bytes.to_vec().into())), None];
    SendRequest { head: Head::default(), pieces, invalidate }
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| u8::try_from(at * 31 % 251).unwrap()).collect()
}

fn set_up() -> SetUp {
    SetUp { first_receive: 4096, ..SetUp::default() }
}

async fn connect((provider, at): Made, ours: SetUp, theirs: SetUp) -> (End, End) {
    let mut acceptor = provider.listen(at).await.unwrap();
    let at = acceptor.local().unwrap_or(at);
    let accepting = async { acceptor.incoming().await.unwrap().accept(theirs).await.unwrap() };
    let (one, other) = tokio::join!(provider.connect(at, ours), accepting);
    (End::new(one.unwrap()), End::new(other))
}

async fn connected(make: impl AsyncFn() -> Made) -> (End, End) {
    connect(make().await, set_up(), set_up()).await
}

/// Private data and read depths arrive at the other side.
pub async fn set_up_is_seen(make: impl AsyncFn() -> Made) {
    let (provider, at) = make().await;
    let mut acceptor = provider.listen(at).await.unwrap();
    let at = acceptor.local().unwrap_or(at);
    let ours =
        SetUp { private_data: b"hello".to_vec(), depths: Depths { initiator: 9, responder: 3 }, ..set_up() };
    let accepting = async {
        let incoming = acceptor.incoming().await.unwrap();
        assert!(incoming.private_data().starts_with(b"hello"));
        assert_eq!(incoming.depths(), Depths { initiator: 9, responder: 3 });
        let theirs = SetUp { depths: Depths { initiator: 16, responder: 2 }, ..set_up() };
        incoming.accept(theirs).await.unwrap()
    };
    let (one, other) = tokio::join!(provider.connect(at, ours), accepting);
    assert_eq!(one.unwrap().info().reads, 2, "no more than the peer serves");
    assert_eq!(other.info().reads, 3);
}

/// A connection that is turned down says so.
pub async fn rejection_is_seen(make: impl AsyncFn() -> Made) {
    let (provider, at) = make().await;
    let mut acceptor = provider.listen(at).await.unwrap();
    let at = acceptor.local().unwrap_or(at);
    let rejecting = async { acceptor.incoming().await.unwrap().reject(Vec::new()) };
    let (refused, ()) = tokio::join!(provider.connect(at, set_up()), rejecting);
    assert_eq!(refused.err(), Some(RdmaError::Rejected));
}

/// Where nobody listens a connection is refused.
pub async fn nobody_listens(make: impl AsyncFn() -> Made) {
    let (provider, at) = make().await;
    assert!(provider.connect(at, set_up()).await.is_err());
}

/// Messages arrive whole, in order, one per receive; the first meets the receive of the set-up.
pub async fn messages_arrive_in_order(make: impl AsyncFn() -> Made) {
    let (mut a, mut b) = connected(make).await;
    a.send(&pattern(100));
    assert_eq!(b.message().await, (pattern(100), None));
    for round in 0..20 {
        for _ in 0..10 {
            b.receive(2000);
        }
        for n in 0..10 {
            a.send(&pattern(1 + n * round * 10));
        }
        for n in 0..10 {
            assert_eq!(b.message().await.0, pattern(1 + n * round * 10));
            assert!(matches!(a.next().await, Completion::Sent));
        }
    }
}

/// A head and pieces of different memory make one message.
pub async fn gathers_and_heads(make: impl AsyncFn() -> Made) {
    let (a, mut b) = connected(make).await;
    let buf = Arc::new(a.buffer(b"--registered--"));
    let head = Head::new(|out| bytes::BufMut::put_slice(out, b"head "));
    let pieces = [
        Some(Piece::Buffer(Slice::new(buf, 2..12))),
        Some(Piece::Foreign(bytes::Bytes::from_static(b" foreign"))),
    ];
    a.pair.post_send(SendRequest { head, pieces, invalidate: None }).unwrap();
    assert_eq!(b.message().await.0, b"head registered foreign");
}

/// What is written is there when the message behind it is, and nothing beside it is touched.
pub async fn writes_land_before_the_message(make: impl AsyncFn() -> Made) {
    let (mut a, b) = connected(make).await;
    let (opened, to) = a.open(&[0xC5; 70_000], Access::RemoteWrite);
    b.write(&pattern(1000), Remote { address: to.address + 10, ..to });
    b.write(&pattern(60_000), Remote { address: to.address + 5000, ..to });
    b.send(b"done");
    a.message().await;
    let buf = opened.reclaim().await.unwrap();
    assert!(buf[10..1010] == pattern(1000)[..] && buf[5000..65_000] == pattern(60_000)[..]);
    let beside = buf[..10].iter().chain(&buf[1010..5000]).chain(&buf[65_000..]);
    assert!(beside.copied().all(|byte| byte == 0xC5));
}

/// Reads bring what was opened into the parts they were meant for.
pub async fn reads_bring(make: impl AsyncFn() -> Made) {
    let (a, mut b) = connected(make).await;
    let (opened, from) = a.open(&pattern(50_000), Access::RemoteRead);
    let into = b.buffer(&[0xC5; 1000]);
    let parts = vec![(Remote { address: from.address + 40_000, ..from }, 0..100), (from, 500..1000)];
    b.pair.post_read(77, ReadRequest { into, parts }).unwrap();
    let (id, buf) = b.read().await;
    assert_eq!(id, 77);
    assert!(buf[..100] == pattern(50_000)[40_000..40_100] && buf[500..] == pattern(500)[..]);
    assert!(buf[100..500].iter().all(|byte| *byte == 0xC5));
    assert!(opened.reclaim().await.unwrap()[..] == pattern(50_000)[..]);
}

/// A send with invalidation says so at the other end, and the token is good no more.
pub async fn invalidation_is_told(make: impl AsyncFn() -> Made) {
    let (mut a, mut b) = connected(make).await;
    if !a.pair.info().remote_invalidate {
        eprintln!("the device has no memory that a peer may invalidate");
        return;
    }
    let (opened, to) = a.open(&[0; 100], Access::RemoteWrite);
    b.write(b"in time", to);
    b.pair.post_send(message(b"bye", Some(to.token))).unwrap();
    assert_eq!(a.message().await, (b"bye".to_vec(), Some(to.token)));
    b.write(b"late", to);
    let (why, _) = b.end().await;
    assert!(why.is_some() || b.pair.info().quirks.silent_refusals);
    let buf = opened.reclaim().await.unwrap();
    assert_eq!(buf[..8], *b"in time\0");
}

async fn ends(a: &mut End, b: &mut End) {
    let ((_, messages), (why, _)) = tokio::join!(a.end(), b.end());
    assert_eq!(messages, 0, "nothing arrives behind a refused access");
    assert!(why.is_some() || b.pair.info().quirks.silent_refusals, "who did it learns of it");
}

/// A token nobody gave out ends the connection.
pub async fn wrong_tokens_end_it(make: impl AsyncFn() -> Made) {
    let (mut a, mut b) = connected(make).await;
    let (opened, to) = a.open(&[0xC5; 100], Access::RemoteWrite);
    b.write(b"x", Remote { token: Token(to.token.0 ^ 0x0101), ..to });
    let _ = b.pair.post_send(message(b"behind", None));
    ends(&mut a, &mut b).await;
    assert!(opened.reclaim().await.unwrap().iter().all(|byte| *byte == 0xC5));
}

/// Memory opened for one access does not allow the other.
pub async fn wrong_access_ends_it(make: impl AsyncFn() -> Made) {
    let (mut a, mut b) = connected(&make).await;
    let (opened, to) = a.open(&[0xC5; 100], Access::RemoteRead);
    b.write(b"x", to);
    ends(&mut a, &mut b).await;
    assert!(opened.reclaim().await.unwrap().iter().all(|byte| *byte == 0xC5));

    let (mut a, mut b) = connected(&make).await;
    if a.pair.info().quirks.unchecked_reads {
        eprintln!("the device does not check who may read");
        return;
    }
    let (_opened, from) = a.open(&[0xC5; 100], Access::RemoteWrite);
    let into = b.buffer(&[0; 10]);
    b.pair.post_read(1, ReadRequest { into, parts: vec![(from, 0..10)] }).unwrap();
    ends(&mut a, &mut b).await;
}

/// Nothing outside what was opened is reached.
pub async fn overruns_end_it(make: impl AsyncFn() -> Made) {
    for (before, after, len) in [(0, 1, 100), (1, 0, 10), (0, 100, 1), (0, 1 << 40, 1)] {
        let (mut a, mut b) = connected(&make).await;
        let mut buf = a.buffer(&[0xC5; 300]);
        buf.narrow(100..200);
        let opened = a.pair.open(buf, Access::RemoteWrite).map_err(|(error, _)| error).unwrap();
        let first = opened.descriptors()[0];
        let to = Remote { token: Token(first.token), address: first.offset - before + after };
        b.write(&pattern(len), to);
        ends(&mut a, &mut b).await;
        let buf = opened.reclaim().await.unwrap();
        assert!(buf.memory().bytes()[buf.window().start - 100..][..300].iter().all(|byte| *byte == 0xC5));
    }
}

/// A message that meets no receive ends the connection.
pub async fn a_message_needs_a_receive(make: impl AsyncFn() -> Made) {
    let (a, mut b) = connected(make).await;
    a.send(b"one");
    let _ = a.pair.post_send(message(b"two", None));
    let (_, messages) = b.end().await;
    assert_eq!(messages, 1);
}

/// A message longer than the receive it meets ends the connection.
pub async fn a_receive_must_be_long_enough(make: impl AsyncFn() -> Made) {
    let (a, mut b) = connected(make).await;
    a.send(&pattern(4097));
    let (_, messages) = b.end().await;
    assert_eq!(messages, 0);
}

/// What was sent before a disconnect arrives, then the end, at both sides; nothing is posted after it.
pub async fn disconnecting_is_orderly(make: impl AsyncFn() -> Made) {
    let (mut a, mut b) = connected(make).await;
    b.receive(100);
    a.send(b"one");
    a.send(b"two");
    a.pair.disconnect();
    a.pair.disconnect();
    assert_eq!(b.end().await, (None, 2));
    assert_eq!(a.end().await.0, None);
    assert_eq!(a.pair.post_send(message(b"late", None)), Err(RdmaError::Closed));
    assert_eq!(a.pair.post_receive(IoBuf::alloc(9)), Err(RdmaError::Closed));
    assert_eq!(b.pair.post_send(message(b"late", None)), Err(RdmaError::Closed));
}

/// A queue pair that is dropped is disconnected.
pub async fn dropping_disconnects(make: impl AsyncFn() -> Made) {
    let (a, mut b) = connected(make).await;
    drop(a);
    b.end().await;
}

/// Memory that was taken back is not reached, whoever still knows its token.
pub async fn taken_back_is_out_of_reach(make: impl AsyncFn() -> Made) {
    let (mut a, mut b) = connected(make).await;
    let (opened, to) = a.open(&[0xC5; 100], Access::RemoteWrite);
    let buf = opened.reclaim().await.unwrap();
    b.write(b"late", to);
    ends(&mut a, &mut b).await;
    assert!(buf.iter().all(|byte| *byte == 0xC5));
}

/// When the connection is dead opened memory comes back, and none is opened any more.
pub async fn dead_gives_back(make: impl AsyncFn() -> Made) {
    let (mut a, b) = connected(make).await;
    let (opened, _) = a.open(&[7; 100], Access::RemoteWrite);
    drop(b);
    a.end().await;
    assert_eq!(opened.reclaim().await.unwrap()[..], [7; 100]);
    let Err((error, buf)) = a.pair.open(IoBuf::alloc(10), Access::RemoteRead) else {
        panic!("opened on a dead connection")
    };
    assert_eq!((error, buf.len()), (RdmaError::Closed, 10));
}

/// Queues hold what they were set up for, and say when they are full.
pub async fn queues_have_an_end(make: impl AsyncFn() -> Made) {
    let ours = SetUp { queues: Queues { sends: 4, receives: 3 }, ..set_up() };
    let (a, b) = connect(make().await, ours, set_up()).await;
    a.receive(100);
    a.receive(100);
    assert!(matches!(a.pair.post_receive(IoBuf::alloc(100)), Err(RdmaError::Limit(_))));
    for _ in 0..4 {
        b.receive(100);
        a.send(b"x");
    }
    assert!(matches!(a.pair.post_send(message(b"x", None)), Err(RdmaError::Limit(_))));
}
