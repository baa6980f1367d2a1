//! Direct placement. Where a transport has none, these tests check that it says so, and nothing else.

use super::*;
use crate::{Access, BufferDescriptor, Placement, Push, Token};
use std::sync::Arc;

fn placed(halves: &Halves) -> Option<Arc<dyn Placement>> {
    halves.placement.clone()
}

fn request(halves: &Halves, descriptors: &[BufferDescriptor]) -> Msg {
    let mut bytes = Vec::new();
    for descriptor in descriptors {
        descriptor.emit(&mut bytes);
    }
    message(halves, &bytes)
}

async fn requested(halves: &mut Halves) -> Vec<BufferDescriptor> {
    BufferDescriptor::parse_all(&receive(halves).await.message).unwrap()
}

/// Sends `descriptors` as a request does, and takes them at the other end.
async fn ask(from: &mut Halves, to: &mut Halves, descriptors: &[BufferDescriptor]) -> Vec<BufferDescriptor> {
    from.sender.send(request(from, descriptors)).await.unwrap();
    let seen = requested(to).await;
    assert_eq!(seen, descriptors);
    seen
}

fn answer(halves: &Halves, to: Vec<BufferDescriptor>, bytes: &[u8]) -> Msg {
    let mut data = halves.buffers.buffer(bytes.len());
    data.copy_from_slice(bytes);
    Msg { pushes: vec![Push { to, data }], ..message(halves, b"answer") }
}

fn sizes_placed(placement: &dyn Placement) -> impl Iterator<Item = usize> {
    let max = placement.limits().max_size;
    [1, 3, 511, 4095, 4096, 4097, 100_003, (1 << 20) + 7].into_iter().filter(move |len| *len <= max)
}

/// A transport without placement refuses messages that need it, and works on.
pub async fn no_placement_is_said(make: impl AsyncFn() -> Pair) {
    let (mut a, mut b) = connected(make).await;
    if placed(&a).is_some() {
        return;
    }
    let to = vec![BufferDescriptor { offset: 0, token: 1, length: 9 }];
    let refused = a.sender.send(answer(&a, to, b"data")).await;
    assert!(matches!(refused, Err(TransportError::Placement(_))));
    let invalidating = Msg { invalidate: Some(Token(1)), ..message(&a, b"x") };
    assert!(matches!(a.sender.send(invalidating).await, Err(TransportError::Placement(_))));
    a.sender.send(message(&a, b"hello")).await.unwrap();
    assert_eq!(receive(&mut b).await.message[..], *b"hello");
}

/// Pushed data is there when the message behind it is, and nothing beside it is touched.
pub async fn push_arrives(make: impl AsyncFn() -> Pair) {
    let (mut a, mut b) = connected(make).await;
    let Some(placement) = placed(&a) else { return };
    for len in sizes_placed(&*placement) {
        for short in [0, 1, len] {
            let advertised = placement.advertise(guarded(&a, len), Access::RemoteWrite).unwrap();
            let to = ask(&mut a, &mut b, advertised.descriptors()).await;
            let first = placement.limits().remote_invalidate.then_some(Token(to[0].token));
            let data = pattern(len - short, len);
            let message = Msg { invalidate: first, ..answer(&b, to, &data) };
            b.sender.send(message).await.unwrap();
            let received = receive(&mut a).await;
            assert_eq!(received.message[..], *b"answer");
            assert_eq!(received.invalidated, first);
            let buf = advertised.reclaim().await.unwrap();
            assert!(buf[..len - short] == data[..], "{len} bytes");
            assert!(buf[len - short..].iter().all(|byte| *byte == CANARY));
            assert_margins(&buf);
        }
    }
}

/// A pull brings what the peer advertised, and leaves what lies around its buffer alone.
pub async fn pull_arrives(make: impl AsyncFn() -> Pair) {
    let (mut a, mut b) = connected(make).await;
    let (Some(placement), Some(puller)) = (placed(&a), placed(&b)) else { return };
    for len in sizes_placed(&*placement) {
        let mut data = guarded(&a, len);
        data.copy_from_slice(&pattern(len, len));
        let advertised = placement.advertise(data, Access::RemoteRead).unwrap();
        let from = ask(&mut a, &mut b, advertised.descriptors()).await;
        let got = puller.pull(from, guarded(&b, len)).await.unwrap();
        assert!(got[..] == pattern(len, len)[..], "{len} bytes");
        assert_margins(&got);
        b.sender.send(message(&b, b"answer")).await.unwrap();
        assert_eq!(receive(&mut a).await.invalidated, None);
        let back = advertised.reclaim().await.unwrap();
        assert!(back[..] == pattern(len, len)[..]);
    }
}

/// More pulls at a time than any read depth all end well.
pub async fn many_pulls(make: impl AsyncFn() -> Pair) {
    const COUNT: usize = 100;
    let (mut a, mut b) = connected(make).await;
    let (Some(placement), Some(puller)) = (placed(&a), placed(&b)) else { return };
    let mut pulls = Vec::new();
    let mut lent = Vec::new();
    for n in 0..COUNT {
        let mut data = a.buffers.buffer(5000);
        data.copy_from_slice(&pattern(5000, n));
        let advertised = placement.advertise(data, Access::RemoteRead).unwrap();
        let from = ask(&mut a, &mut b, advertised.descriptors()).await;
        let (puller, into) = (puller.clone(), b.buffers.buffer(5000));
        pulls.push(tokio::spawn(async move { puller.pull(from, into).await }));
        lent.push(advertised);
    }
    for (n, pull) in pulls.into_iter().enumerate() {
        assert!(pull.await.unwrap().unwrap()[..] == pattern(5000, n)[..], "pull {n}");
    }
    for advertised in lent {
        advertised.reclaim().await.unwrap();
    }
}

/// Pushes to `to`, and sees the connection end at both ends for it.
async fn push_is_fatal(a: &mut Halves, b: &mut Halves, to: Vec<BufferDescriptor>, len: usize) {
    // The sender may learn of it now or with the end of the connection.
    let _ = b.sender.send(answer(b, to, &pattern(len, 9))).await;
    let (ours, theirs) = tokio::join!(a.receiver.recv(), end(b));
    assert!(!matches!(ours, Ok(Some(_))), "the answer must not arrive");
    drop(theirs);
}

/// A token nobody gave out reaches nothing and ends the connection.
pub async fn wrong_token(make: impl AsyncFn() -> Pair) {
    let (mut a, mut b) = connected(make).await;
    let Some(placement) = placed(&a) else { return };
    let advertised = placement.advertise(guarded(&a, 1000), Access::RemoteWrite).unwrap();
    let mut to = ask(&mut a, &mut b, advertised.descriptors()).await;
    to[0].token ^= 0x0001_0001;
    push_is_fatal(&mut a, &mut b, to, 10).await;
    let buf = advertised.reclaim().await.unwrap();
    assert!(buf.iter().all(|byte| *byte == CANARY));
    assert_margins(&buf);
}

/// Memory opened for reading is not written, nor the other way round.
pub async fn wrong_access(make: impl AsyncFn() -> Pair) {
    let (mut a, mut b) = connected(&make).await;
    let Some(placement) = placed(&a) else { return };
    let advertised = placement.advertise(guarded(&a, 1000), Access::RemoteRead).unwrap();
    let to = ask(&mut a, &mut b, advertised.descriptors()).await;
    push_is_fatal(&mut a, &mut b, to, 10).await;
    assert!(advertised.reclaim().await.unwrap().iter().all(|byte| *byte == CANARY));

    let (mut a, mut b) = connected(&make).await;
    let advertised = placed(&a).unwrap().advertise(guarded(&a, 1000), Access::RemoteWrite).unwrap();
    let from = ask(&mut a, &mut b, advertised.descriptors()).await;
    placed(&b).unwrap().pull(from, guarded(&b, 1000)).await.unwrap_err();
    end(&mut a).await.ok();
    advertised.reclaim().await.unwrap();
}

/// Descriptors that claim more than was opened reach nothing outside it.
pub async fn overrun(make: impl AsyncFn() -> Pair) {
    for case in 0..3 {
        let (mut a, mut b) = connected(&make).await;
        let Some(placement) = placed(&a) else { return };
        let advertised = placement.advertise(guarded(&a, 1000), Access::RemoteWrite).unwrap();
        let mut to = ask(&mut a, &mut b, advertised.descriptors()).await;
        let last = to.last_mut().unwrap();
        match case {
            0 => last.length += 1,
            1 => last.offset -= u64::from(last.length) + 1,
            _ => last.offset += 1 << 40,
        }
        let len = to.iter().map(|piece| usize::try_from(piece.length).unwrap()).sum();
        push_is_fatal(&mut a, &mut b, to, len).await;
        let buf = advertised.reclaim().await.unwrap();
        assert_margins(&buf);
    }
}

/// Memory taken back is not written any more, whoever still knows its token.
pub async fn reclaimed_is_out_of_reach(make: impl AsyncFn() -> Pair) {
    let (mut a, mut b) = connected(make).await;
    let Some(placement) = placed(&a) else { return };
    let advertised = placement.advertise(guarded(&a, 3000), Access::RemoteWrite).unwrap();
    let to = ask(&mut a, &mut b, advertised.descriptors()).await;
    let buf = advertised.reclaim().await.unwrap();
    push_is_fatal(&mut a, &mut b, to, 3000).await;
    assert!(buf.iter().all(|byte| *byte == CANARY));
}

/// A requester that gives up leaves its memory open: the late answer lands there and harms nobody.
pub async fn dropped_is_parked(make: impl AsyncFn() -> Pair) {
    let (mut a, mut b) = connected(make).await;
    let Some(placement) = placed(&a) else { return };
    let advertised = placement.advertise(guarded(&a, 3000), Access::RemoteWrite).unwrap();
    let to = ask(&mut a, &mut b, advertised.descriptors()).await;
    drop(advertised);
    let reused: Vec<_> = (0..8).map(|_| guarded(&a, 3000)).collect();
    b.sender.send(answer(&b, to, &pattern(3000, 5))).await.unwrap();
    assert_eq!(receive(&mut a).await.message[..], *b"answer");
    assert!(reused.iter().all(|buf| buf.iter().all(|byte| *byte == CANARY)));
}

/// Too few or too short descriptors are found before anything is sent, and the connection lives.
pub async fn short_descriptors(make: impl AsyncFn() -> Pair) {
    let (mut a, mut b) = connected(make).await;
    let (Some(placement), Some(puller)) = (placed(&a), placed(&b)) else { return };
    let advertised = placement.advertise(guarded(&a, 100), Access::RemoteRead).unwrap();
    let from = ask(&mut a, &mut b, advertised.descriptors()).await;
    let refused = puller.pull(from.clone(), b.buffers.buffer(101)).await.unwrap_err();
    assert!(matches!(refused, TransportError::Placement(_)));
    let refused = b.sender.send(answer(&b, from.clone(), &pattern(101, 1))).await.unwrap_err();
    assert!(matches!(refused, TransportError::Placement(_)));
    assert_eq!(puller.pull(from, b.buffers.buffer(100)).await.unwrap().len(), 100);
    b.sender.send(message(&b, b"alive")).await.unwrap();
    assert_eq!(receive(&mut a).await.message[..], *b"alive");
}

/// When the connection is dead all memory comes back, and none is opened any more.
pub async fn dead_connection_gives_back(make: impl AsyncFn() -> Pair) {
    let (mut a, b) = connected(make).await;
    let Some(placement) = placed(&a) else { return };
    let advertised = placement.advertise(guarded(&a, 3000), Access::RemoteWrite).unwrap();
    let puller = placed(&b).unwrap();
    let gone = advertised.descriptors().to_vec();
    drop(b);
    let _ = end(&mut a).await;
    assert!(advertised.reclaim().await.unwrap().iter().all(|byte| *byte == CANARY));
    puller.pull(gone, IoBuf::alloc(10)).await.unwrap_err();
    let Err((_, buf)) = placement.advertise(guarded(&a, 77), Access::RemoteRead) else {
        panic!("advertised on a dead connection")
    };
    assert_eq!(buf.len(), 77);
}

/// Only the token a message names is invalidated by it.
pub async fn invalidates_at_most_what_was_asked(make: impl AsyncFn() -> Pair) {
    let (mut a, mut b) = connected(make).await;
    let Some(placement) = placed(&a) else { return };
    if !placement.limits().remote_invalidate {
        return;
    }
    let one = placement.advertise(guarded(&a, 1000), Access::RemoteWrite).unwrap();
    let other = placement.advertise(guarded(&a, 1000), Access::RemoteWrite).unwrap();
    let first = ask(&mut a, &mut b, one.descriptors()).await;
    let second = ask(&mut a, &mut b, other.descriptors()).await;
    let token = Token(first[0].token);
    let message = Msg { invalidate: Some(token), ..answer(&b, first, &pattern(1000, 1)) };
    b.sender.send(message).await.unwrap();
    assert_eq!(receive(&mut a).await.invalidated, Some(token));
    b.sender.send(answer(&b, second, &pattern(1000, 2))).await.unwrap();
    assert_eq!(receive(&mut a).await.invalidated, None);
    assert!(one.reclaim().await.unwrap()[..] == pattern(1000, 1)[..]);
    assert!(other.reclaim().await.unwrap()[..] == pattern(1000, 2)[..]);
}
