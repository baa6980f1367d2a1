//! Byte-range locks between two clients.

use crate::peer::*;
use smb_proto::{command::Command, compound, header::Header, msg::*, status::NtStatus};

fn request(file_id: FileId, offset: u64, length: u64, flags: LockFlags) -> LockRequest {
    let locks = vec![LockElement { offset, length, flags }];
    LockRequest { sequence: LockSequence::default(), file_id, locks }
}

const NOW: LockFlags = LockFlags::FAIL_IMMEDIATELY;

async fn lock(peer: &mut Peer, request: &LockRequest) -> Result<(), NtStatus> {
    peer.call::<LockResponse>(request).await.map(drop)
}

/// Two clients with one file open; the first has its bytes 0 to 9 locked.
async fn contended() -> (smb_server::Handle, [(Peer, FileId); 2]) {
    let server = plain();
    let mut one = Peer::ready(&server).await;
    let mut two = Peer::ready(&server).await;
    let first = one.file("f").await;
    one.write(first, 0, &[1; 20]).await.unwrap();
    let second = two.create(&create("f", CreateDisposition::OPEN)).await.unwrap().file_id;
    lock(&mut one, &request(first, 0, 10, LockFlags::EXCLUSIVE_LOCK.with(NOW))).await.unwrap();
    (server, [(one, first), (two, second)])
}

#[tokio::test]
async fn a_lock_keeps_others_out_until_it_goes() {
    let (_server, [(mut one, first), (mut two, second)]) = contended().await;
    let shared = request(second, 9, 1, LockFlags::SHARED_LOCK.with(NOW));
    assert_eq!(lock(&mut two, &shared).await, Err(NtStatus::LOCK_NOT_GRANTED));
    assert_eq!(two.read(second, 5, 10).await, Err(NtStatus::FILE_LOCK_CONFLICT));
    assert_eq!(two.write(second, 0, b"x").await, Err(NtStatus::FILE_LOCK_CONFLICT));
    assert_eq!(two.read(second, 10, 10).await.unwrap().len(), 10);
    one.write(first, 0, b"mine").await.unwrap();
    lock(&mut one, &request(first, 0, 10, LockFlags::UNLOCK)).await.unwrap();
    assert_eq!(two.read(second, 0, 4).await.unwrap(), b"mine");
    lock(&mut two, &shared).await.unwrap();
}

#[tokio::test]
async fn a_lock_that_waits_is_granted_when_the_other_closes() {
    let (_server, [(mut one, first), (mut two, second)]) = contended().await;
    let id = two.send(&request(second, 0, 1, LockFlags::EXCLUSIVE_LOCK), 1).await;
    assert_eq!(two.recv().await.status(), NtStatus::PENDING);
    one.close(first).await.unwrap();
    assert_eq!(two.answer(id).await.status(), NtStatus::SUCCESS);
}

#[tokio::test]
async fn a_lost_client_leaves_no_lock() {
    let (_server, [(one, _), (mut two, second)]) = contended().await;
    let id = two.send(&request(second, 0, 1, LockFlags::EXCLUSIVE_LOCK), 1).await;
    drop(one);
    assert_eq!(two.answer(id).await.status(), NtStatus::SUCCESS);
}

#[tokio::test]
async fn waiting_ends_by_cancel_and_with_the_open() {
    let (_server, [_one, (mut two, second)]) = contended().await;
    let wait = request(second, 0, 1, LockFlags::EXCLUSIVE_LOCK);
    let id = two.send(&wait, 1).await;
    let mut cancel = smb_proto::header::Header::request(Command::CANCEL, id);
    cancel.session_id = two.session;
    two.raw(&compound::single(&cancel, &CancelRequest)).await;
    assert_eq!(two.answer(id).await.status(), NtStatus::CANCELLED);
    let id = two.send(&wait, 1).await;
    assert_eq!(two.recv().await.status(), NtStatus::PENDING);
    let close = two.send(&CloseRequest { flags: CloseFlags::NONE, file_id: second }, 1).await;
    let mut answers = [two.recv().await, two.recv().await].map(|r| (r.header.message_id, r.status()));
    answers.sort_by_key(|(id, _)| *id);
    assert_eq!(answers, [(id, NtStatus::RANGE_NOT_LOCKED), (close, NtStatus::SUCCESS)]);
}

#[tokio::test]
async fn arrays_are_locked_as_a_whole_and_checked() {
    let (_server, [(mut one, first), (mut two, second)]) = contended().await;
    let element = |offset, flags| LockElement { offset, length: 1, flags };
    let exclusive = LockFlags::EXCLUSIVE_LOCK.with(NOW);
    let many = |locks| LockRequest { locks, ..request(second, 0, 0, LockFlags::NONE) };
    let both = many(vec![element(15, exclusive), element(5, exclusive)]);
    assert_eq!(lock(&mut two, &both).await, Err(NtStatus::LOCK_NOT_GRANTED));
    let other = request(first, 15, 1, exclusive);
    lock(&mut one, &other).await.unwrap();
    for wrong in [
        many(vec![]),
        many(vec![element(0, LockFlags::NONE)]),
        many(vec![element(16, exclusive), element(17, LockFlags::EXCLUSIVE_LOCK)]),
        many(vec![element(16, exclusive), element(16, LockFlags::UNLOCK)]),
    ] {
        assert_eq!(lock(&mut two, &wrong).await, Err(NtStatus::INVALID_PARAMETER), "{wrong:?}");
    }
    let beyond = LockElement { offset: u64::MAX, length: 2, flags: exclusive };
    assert_eq!(lock(&mut two, &many(vec![beyond])).await, Err(NtStatus::INVALID_LOCK_RANGE));
    let unlock = request(second, 16, 1, LockFlags::UNLOCK);
    assert_eq!(lock(&mut two, &unlock).await, Err(NtStatus::RANGE_NOT_LOCKED));
}

#[tokio::test]
async fn a_request_has_so_many_elements() {
    let mut peer = Peer::ready(&plain()).await;
    let file_id = peer.file("f").await;
    let many = |count, flags| {
        let locks = (0..count).map(|offset| LockElement { offset, length: 1, flags }).collect();
        LockRequest { locks, ..request(file_id, 0, 0, LockFlags::NONE) }
    };
    let exclusive = LockFlags::EXCLUSIVE_LOCK.with(NOW);
    assert_eq!(lock(&mut peer, &many(2731, exclusive)).await, Err(NtStatus::INVALID_PARAMETER));
    lock(&mut peer, &many(2730, exclusive)).await.unwrap();
    assert_eq!(lock(&mut peer, &many(2731, LockFlags::UNLOCK)).await, Err(NtStatus::INVALID_PARAMETER));
    lock(&mut peer, &many(2730, LockFlags::UNLOCK)).await.unwrap();
}

/// However many locks wait, a CANCEL is heard, and so is that the client has gone.
#[tokio::test]
async fn locks_that_wait_keep_nobody_out() {
    let server = server(memory(), |builder| builder.limits(|limits| limits.max_pending = 4));
    let mut one = Peer::ready(&server).await;
    let first = one.file("f").await;
    lock(&mut one, &request(first, 0, 10, LockFlags::EXCLUSIVE_LOCK.with(NOW))).await.unwrap();
    let mut two = Peer::ready(&server).await;
    let second = two.create(&create("f", CreateDisposition::OPEN)).await.unwrap().file_id;
    let mut ids = Vec::new();
    for number in 0..6 {
        ids.push(two.send(&request(second, number, 1, LockFlags::EXCLUSIVE_LOCK), 1).await);
        let expected = if number < 2 { NtStatus::PENDING } else { NtStatus::INSUFFICIENT_RESOURCES };
        assert_eq!(two.recv().await.status(), expected);
    }
    let mut cancel = Header::request(Command::CANCEL, ids[0]);
    cancel.session_id = two.session;
    two.raw(&compound::single(&cancel, &CancelRequest)).await;
    assert_eq!(two.answer(ids[0]).await.status(), NtStatus::CANCELLED);
    drop(two);
    watched(async {
        while server.sessions() > 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
