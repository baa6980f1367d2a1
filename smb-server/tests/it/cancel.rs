//! Requests that wait: interim responses, CANCEL, ECHO meanwhile, connections that go.

use crate::{gated::Gated, peer::*};
use smb_proto::{
    command::Command,
    compound,
    header::{HeaderFlags, Route},
    msg::*,
    status::NtStatus,
};
use smb_server::Share;
use smb_transport::Gate;

fn withholding() -> Gated {
    Gated { writes: Gate::closed(), ..Gated::new() }
}

async fn begun(gated: &Gated) -> (smb_server::Handle, Peer, FileId, u64) {
    let server = server(Share::new("data", gated.clone()), |builder| builder);
    let mut peer = Peer::ready(&server).await;
    peer.signs = true;
    let file = peer.create(&create("f", CreateDisposition::OPEN)).await.unwrap().file_id;
    let id = peer.send(&write(file, 0, b"data"), 1).await;
    (server, peer, file, id)
}

async fn interim(peer: &mut Peer, id: u64) -> u64 {
    let interim = peer.recv().await;
    assert_eq!((interim.header.message_id, interim.status()), (id, NtStatus::PENDING));
    assert!(!interim.header.flags.contains(HeaderFlags::SIGNED), "its nonce would be the final answer's");
    assert!(interim.header.credits > 0);
    let Route::Async { async_id } = interim.header.route else { panic!("not async") };
    async_id
}

#[tokio::test]
async fn a_write_that_waits_is_answered_twice_and_others_meanwhile() {
    let gated = withholding();
    let (_server, mut peer, _, id) = begun(&gated).await;
    let async_id = interim(&mut peer, id).await;
    peer.call::<EchoResponse>(&EchoRequest).await.unwrap();
    gated.writes.open();
    let last = peer.recv().await;
    assert_eq!((last.header.message_id, last.status()), (id, NtStatus::SUCCESS));
    assert_eq!(last.header.route, Route::Async { async_id });
    assert_eq!(last.header.credits, 0, "the interim response had them");
    assert!(last.header.flags.contains(HeaderFlags::SIGNED));
    assert_eq!(*gated.data.lock().unwrap(), b"data");
}

#[tokio::test]
async fn cancelled_by_async_id() {
    let gated = withholding();
    let (_server, mut peer, _, id) = begun(&gated).await;
    let async_id = interim(&mut peer, id).await;
    let mut cancel = smb_proto::header::Header::request(Command::CANCEL, 0);
    cancel.session_id = peer.session;
    cancel.route = Route::Async { async_id };
    let frame = compound::single(&cancel, &CancelRequest);
    peer.send_frame(frame, true).await;
    assert_eq!(peer.answer(id).await.status(), NtStatus::CANCELLED);
    gated.writes.open();
    peer.call::<EchoResponse>(&EchoRequest).await.unwrap();
    assert!(gated.data.lock().unwrap().is_empty());
}

#[tokio::test]
async fn cancelled_by_message_id() {
    let gated = withholding();
    let server = server(Share::new("data", gated.clone()), |builder| {
        builder.limits(|limits| limits.interim_after = std::time::Duration::from_secs(3600))
    });
    let mut peer = Peer::ready(&server).await;
    let file = peer.create(&create("f", CreateDisposition::OPEN)).await.unwrap().file_id;
    let id = peer.send(&write(file, 0, b"data"), 1).await;
    let mut cancel = smb_proto::header::Header::request(Command::CANCEL, id);
    cancel.session_id = peer.session;
    peer.raw(&compound::single(&cancel, &CancelRequest)).await;
    assert_eq!(peer.answer(id).await.status(), NtStatus::CANCELLED);
    // One that names nothing is ignored.
    cancel.message_id = 9999;
    peer.raw(&compound::single(&cancel, &CancelRequest)).await;
    peer.call::<EchoResponse>(&EchoRequest).await.unwrap();
}

/// Requests too large for the reader begin in a task of their own, which a CANCEL behind them overtakes.
async fn overtaken(seals: bool) {
    let gated = withholding();
    let server = server(Share::new("data", gated.clone()), |builder| {
        builder.limits(|limits| limits.interim_after = std::time::Duration::from_secs(3600))
    });
    let mut peer = Peer::ready(&server).await;
    peer.seals = seals;
    let file = peer.create(&create("f", CreateDisposition::OPEN)).await.unwrap().file_id;
    let id = peer.send(&write(file, 0, &[7; 60_000]), 1).await;
    let mut cancel = smb_proto::header::Header::request(Command::CANCEL, id);
    cancel.session_id = peer.session;
    peer.send_frame(compound::single(&cancel, &CancelRequest), false).await;
    assert_eq!(peer.answer(id).await.status(), NtStatus::CANCELLED);
    peer.call::<EchoResponse>(&EchoRequest).await.unwrap();
}

#[tokio::test]
async fn cancelled_before_it_has_begun() {
    overtaken(false).await;
}

#[tokio::test]
async fn cancelled_before_its_seal_was_opened() {
    overtaken(true).await;
}

#[tokio::test]
async fn a_compound_that_waits_answers_what_is_done() {
    let gated = withholding();
    let server = server(Share::new("data", gated.clone()), |builder| builder);
    let mut peer = Peer::ready(&server).await;
    let mut builder = compound::Builder::new();
    let first = peer.header(Command::CREATE);
    builder.push(&first, &create("f", CreateDisposition::OPEN));
    let mut related = |command| {
        let mut header = peer.header(command);
        header.flags = header.flags.with(HeaderFlags::RELATED_OPERATIONS);
        header
    };
    builder.push(&related(Command::WRITE), &write(FileId::ANY, 0, b"data"));
    let close = CloseRequest { flags: CloseFlags::NONE, file_id: FileId::ANY };
    builder.push(&related(Command::CLOSE), &close);
    peer.raw(&builder.finish()).await;

    let reply = peer.recv().await;
    let early: Vec<_> = compound::parts(&reply.bytes).map(|part| part.unwrap().header).collect();
    let statuses: Vec<_> = early.iter().map(|header| header.status().unwrap()).collect();
    assert_eq!(statuses, [NtStatus::SUCCESS, NtStatus::PENDING]);
    let Route::Async { async_id } = early[1].route else { panic!("not async") };
    peer.call::<EchoResponse>(&EchoRequest).await.unwrap();

    gated.writes.open();
    let reply = peer.recv().await;
    let late: Vec<_> = compound::parts(&reply.bytes).map(|part| part.unwrap().header).collect();
    assert_eq!(late.len(), 2);
    assert_eq!((late[0].message_id, late[0].route), (early[1].message_id, Route::Async { async_id }));
    assert!(late.iter().all(|header| header.status() == Some(NtStatus::SUCCESS)));
    assert_eq!(late[0].credits, 0, "the interim response had them");
    assert_eq!(server.open_files(), 0);
    assert_eq!(*gated.data.lock().unwrap(), b"data");
}

#[tokio::test]
async fn a_connection_that_goes_midway_ends_its_opens_as_lost() {
    let gated = withholding();
    let (server, mut peer, _, id) = begun(&gated).await;
    interim(&mut peer, id).await;
    drop(peer);
    watched(async {
        while server.open_files() > 0 || gated.ends.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(*gated.ends.lock().unwrap(), [false]);
    gated.writes.open();
    tokio::task::yield_now().await;
    assert!(gated.data.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_close_is_orderly_and_a_logoff_is_not() {
    let gated = Gated::new();
    let server = server(Share::new("data", gated.clone()), |builder| builder);
    let mut peer = Peer::ready(&server).await;
    let file = peer.create(&create("f", CreateDisposition::OPEN)).await.unwrap().file_id;
    peer.close(file).await.unwrap();
    assert_eq!(peer.close(file).await, Err(NtStatus::FILE_CLOSED));
    peer.create(&create("f", CreateDisposition::OPEN)).await.unwrap();
    peer.call::<LogoffResponse>(&LogoffRequest).await.unwrap();
    assert_eq!(*gated.ends.lock().unwrap(), [true, false]);
}

#[tokio::test]
async fn answers_come_as_they_are_ready() {
    let gated = Gated { reads: Gate::closed(), ..Gated::new() };
    gated.data.lock().unwrap().extend(*b"data");
    let server = server(Share::new("data", gated.clone()), |builder| builder);
    let mut peer = Peer::ready(&server).await;
    let file = peer.create(&create("f", CreateDisposition::OPEN)).await.unwrap().file_id;
    let slow = peer.send(&read(file, 0, 4), 1).await;
    let fast = peer.send(&EchoRequest, 1).await;
    let mut seen = Vec::new();
    while seen.last() != Some(&fast) {
        seen.push(peer.recv().await.header.message_id);
    }
    gated.reads.open();
    while peer.recv().await.status() == NtStatus::PENDING {}
    assert!(seen.iter().all(|id| [slow, fast].contains(id)));
}
