use super::*;
use crate::{Access, Gate, IoBuf, Memory, Msg, Push, Token, TransportError, testing};
use std::{
    any::Any,
    sync::atomic::{AtomicBool, Ordering},
};

async fn placing() -> testing::Pair {
    boxed(MemoryOptions::default())
}

/// Small descriptors and a shallow read queue, so that buffers need several and pulls wait.
async fn in_pieces() -> testing::Pair {
    boxed(pieces(None, None))
}

/// Transfers run behind the callers' backs.
async fn behind_open_gates() -> testing::Pair {
    boxed(pieces(Some(Gate::opened()), Some(Gate::opened())))
}

async fn plain() -> testing::Pair {
    boxed(MemoryOptions::plain())
}

fn pieces(push_gate: Option<Gate>, pull_gate: Option<Gate>) -> MemoryOptions {
    let placement = PlacementOptions {
        max_descriptors: 1200,
        max_descriptor_len: 1000,
        read_depth: 2,
        push_gate,
        pull_gate,
        gated_piece: 700,
        ..PlacementOptions::default()
    };
    MemoryOptions { placement: Some(placement), ..MemoryOptions::default() }
}

fn boxed(options: MemoryOptions) -> testing::Pair {
    let (a, b) = pair(options);
    (Box::new(a), Box::new(b))
}

crate::conformance!(conformance_placing, placing);
crate::conformance!(conformance_in_pieces, in_pieces);
crate::conformance!(conformance_behind_gates, behind_open_gates);
crate::conformance!(conformance_plain, plain);

/// Memory that tells when it is let go.
struct Watched {
    bytes: Vec<u8>,
    free: Arc<AtomicBool>,
}

impl Memory for Watched {
    fn bytes(&self) -> &[u8] {
        &self.bytes
    }
    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.free.store(true, Ordering::SeqCst);
    }
}

fn watched(len: usize) -> (IoBuf, Arc<AtomicBool>) {
    let free = Arc::new(AtomicBool::new(false));
    (IoBuf::new(Box::new(Watched { bytes: vec![0; len], free: free.clone() }), 0..len), free)
}

fn split(options: MemoryOptions) -> (Halves, Halves) {
    let (a, b) = pair(options);
    (Box::new(a).split(), Box::new(b).split())
}

fn push(to: &[crate::BufferDescriptor], byte: u8, invalidate: Option<Token>) -> Msg {
    let len = to.iter().map(|piece| usize::try_from(piece.length).unwrap()).sum();
    let data = IoBuf::copied(&vec![byte; len]);
    Msg { pushes: vec![Push { to: to.to_vec(), data }], invalidate, ..Msg::inline(IoBuf::copied(b"answer")) }
}

/// Lets tasks that can run do so.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_buffer_given_up_midway_is_written_to_and_not_reused() {
    let gate = Gate::closed();
    let (mut a, mut b) = split(pieces(Some(gate.clone()), None));
    let (buf, free) = watched(2100);
    let advertised = a.placement.clone().unwrap().advertise(buf, Access::RemoteWrite).unwrap();
    let to = advertised.descriptors().to_vec();
    assert_eq!(to.len(), 3, "a buffer of 2100 bytes in pieces of 1000");
    b.sender.send(push(&to, 7, Some(Token(to[0].token)))).await.unwrap();
    gate.waiting(1).await;
    gate.let_through(1);
    gate.waiting(1).await;
    // The requester gives up while the data is half there.
    drop(advertised);
    assert!(testing::at_most(20, a.receiver.recv()).await.is_none(), "the answer waits for its data");
    gate.open();
    assert_eq!(testing::receive(&mut a).await.invalidated, Some(Token(to[0].token)));
    assert!(!free.load(Ordering::SeqCst), "two tokens are still good");
    drop(b);
    assert!(free.load(Ordering::SeqCst), "the dead connection lets go of it");
}

#[tokio::test]
async fn a_parked_buffer_is_let_go_with_its_last_token() {
    let (mut a, mut b) = split(MemoryOptions::default());
    let (buf, free) = watched(100);
    let advertised = a.placement.clone().unwrap().advertise(buf, Access::RemoteWrite).unwrap();
    let to = advertised.descriptors().to_vec();
    drop(advertised);
    b.sender.send(push(&to, 7, None)).await.unwrap();
    assert!(!free.load(Ordering::SeqCst));
    b.sender.send(push(&to, 8, Some(Token(to[0].token)))).await.unwrap();
    assert!(free.load(Ordering::SeqCst));
    testing::receive(&mut a).await;
    testing::receive(&mut a).await;
}

#[tokio::test]
async fn reclaimed_midway_the_rest_of_the_push_kills_the_connection() {
    let gate = Gate::closed();
    let (mut a, mut b) = split(pieces(Some(gate.clone()), None));
    let advertised = a.placement.clone().unwrap().advertise(IoBuf::alloc(2100), Access::RemoteWrite).unwrap();
    b.sender.send(push(advertised.descriptors(), 7, None)).await.unwrap();
    gate.waiting(1).await;
    gate.let_through(1);
    gate.waiting(1).await;
    let buf = advertised.reclaim().await.unwrap();
    assert!(buf[..700].iter().all(|byte| *byte == 7) && buf[700..].iter().all(|byte| *byte == 0));
    let before = buf.to_vec();
    gate.open();
    assert!(matches!(a.receiver.recv().await, Err(TransportError::Io { .. })));
    assert_eq!(buf[..], before[..], "not a byte after it was taken back");
    assert!(matches!(b.receiver.recv().await, Err(TransportError::Io { .. })));
    assert_eq!(b.sender.send(Msg::inline(IoBuf::alloc(1))).await, Err(TransportError::Closed));
}

#[tokio::test]
async fn a_connection_that_dies_midway_gives_the_memory_back_for_good() {
    let gate = Gate::closed();
    let (a, mut b) = split(pieces(Some(gate.clone()), None));
    let placement = a.placement.clone().unwrap();
    let advertised = placement.advertise(IoBuf::alloc(2100), Access::RemoteWrite).unwrap();
    b.sender.send(push(advertised.descriptors(), 7, None)).await.unwrap();
    gate.waiting(1).await;
    gate.let_through(2);
    gate.waiting(1).await;
    drop(a);
    let before = advertised.reclaim().await.unwrap();
    let content = before.to_vec();
    gate.open();
    settle().await;
    assert_eq!(before[..], content[..]);
    assert!(content.contains(&7) && content.contains(&0));
}

#[tokio::test]
async fn a_dropped_pull_keeps_its_buffer_until_the_data_has_landed() {
    let gate = Gate::closed();
    let (a, b) = split(pieces(None, Some(gate.clone())));
    let placement = a.placement.clone().unwrap();
    let advertised = placement.advertise(IoBuf::copied(&[9; 2100]), Access::RemoteRead).unwrap();
    let puller = b.placement.clone().unwrap();
    let (into, free) = watched(2100);
    let pulling = puller.pull(advertised.descriptors().to_vec(), into);
    assert!(testing::at_most(5, pulling).await.is_none());
    gate.waiting(1).await;
    assert!(!free.load(Ordering::SeqCst), "the read is still under way");
    gate.open();
    while !free.load(Ordering::SeqCst) {
        tokio::task::yield_now().await;
    }
    drop((a, b));
}

#[tokio::test]
async fn pulls_wait_for_the_read_depth_and_for_pulls_that_were_dropped() {
    let gate = Gate::closed();
    let (a, b) = split(pieces(None, Some(gate.clone())));
    let advertised =
        a.placement.clone().unwrap().advertise(IoBuf::copied(&[9; 500]), Access::RemoteRead).unwrap();
    let from = advertised.descriptors().to_vec();
    let puller = b.placement.clone().unwrap();
    for _ in 0..2 {
        assert!(testing::at_most(5, puller.pull(from.clone(), IoBuf::alloc(500))).await.is_none());
    }
    gate.waiting(2).await;
    let (into, free) = watched(500);
    assert!(testing::at_most(50, puller.pull(from.clone(), into)).await.is_none());
    assert!(free.load(Ordering::SeqCst), "the third was never posted, so its buffer is free");
    gate.open();
    assert_eq!(puller.pull(from, IoBuf::alloc(500)).await.unwrap()[..], [9; 500]);
    drop((a, b));
}

#[tokio::test]
async fn close_waits_for_what_is_still_held() {
    let gate = Gate::closed();
    let (mut a, mut b) = split(pieces(Some(gate.clone()), None));
    let advertised = a.placement.clone().unwrap().advertise(IoBuf::alloc(100), Access::RemoteWrite).unwrap();
    b.sender.send(push(advertised.descriptors(), 3, None)).await.unwrap();
    assert!(testing::at_most(50, b.sender.close()).await.is_none());
    gate.open();
    b.sender.close().await;
    drop(b);
    testing::receive(&mut a).await;
    assert!(matches!(a.receiver.recv().await, Ok(None)));
    assert_eq!(advertised.reclaim().await.unwrap()[..], [3; 100]);
}

#[tokio::test]
async fn dropped_with_data_still_held_is_no_orderly_end() {
    let gate = Gate::closed();
    let (mut a, mut b) = split(pieces(Some(gate.clone()), None));
    let advertised = a.placement.clone().unwrap().advertise(IoBuf::alloc(100), Access::RemoteWrite).unwrap();
    b.sender.send(Msg::inline(IoBuf::copied(b"first"))).await.unwrap();
    b.sender.send(push(advertised.descriptors(), 3, None)).await.unwrap();
    assert_eq!(testing::receive(&mut a).await.message[..], *b"first");
    gate.waiting(1).await;
    drop(b);
    assert!(matches!(a.receiver.recv().await, Err(TransportError::Io { .. })));
    assert_eq!(advertised.reclaim().await.unwrap()[..], [0; 100]);
}

#[tokio::test]
async fn a_dropped_sender_leaves_what_is_held_to_arrive() {
    let gate = Gate::closed();
    let (mut a, mut b) = split(pieces(Some(gate.clone()), None));
    let advertised = a.placement.clone().unwrap().advertise(IoBuf::alloc(100), Access::RemoteWrite).unwrap();
    b.sender.send(push(advertised.descriptors(), 3, None)).await.unwrap();
    gate.waiting(1).await;
    drop(b.sender);
    gate.open();
    testing::receive(&mut a).await;
    assert!(matches!(a.receiver.recv().await, Ok(None)));
    assert_eq!(advertised.reclaim().await.unwrap()[..], [3; 100]);
}

#[tokio::test]
async fn what_is_too_large_to_place_is_given_back() {
    let (a, _b) = split(pieces(None, None));
    let placement = a.placement.clone().unwrap();
    assert_eq!(placement.limits().max_size, 1_200_000);
    for len in [0, 1_200_001] {
        let Err((error, buf)) = placement.advertise(IoBuf::alloc(len), Access::RemoteRead) else {
            panic!("advertised {len} bytes")
        };
        assert!(matches!(error, TransportError::Placement(_)));
        assert_eq!(buf.len(), len);
    }
}

#[tokio::test]
async fn an_invalidation_of_nothing_ends_the_connection() {
    let (mut a, mut b) = split(MemoryOptions::default());
    let message = Msg { invalidate: Some(Token(7)), ..Msg::inline(IoBuf::alloc(1)) };
    assert!(matches!(b.sender.send(message).await, Err(TransportError::Placement(_))));
    assert!(matches!(a.receiver.recv().await, Err(TransportError::Io { .. })));
}

#[tokio::test]
async fn a_message_moves_without_a_copy() {
    let (mut a, mut b) = split(MemoryOptions::plain());
    let head = a.buffers.buffer(100_000);
    let at = head.as_ptr();
    a.sender.send(Msg::inline(head)).await.unwrap();
    b.receiver.set_limit(1 << 20);
    assert_eq!(testing::receive(&mut b).await.message.as_ptr(), at);
}
