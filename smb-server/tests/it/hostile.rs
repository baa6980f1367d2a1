//! Garbage, lies, stalls and greed.

use crate::{gated::Gated, peer::*};
use smb_proto::{command::Command, compound, dialect::Dialect, header::Header, msg::*, status::NtStatus};
use smb_server::{Server, Share};
use smb_transport::memory::MemoryOptions;
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

#[tokio::test]
async fn garbage_ends_the_connection_and_nothing_else() {
    let server = plain();
    for garbage in
        [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\xfeSMB", &[0; 64], b"\xffSMB\x72", b"\xfcSMB0000000000", &[]]
    {
        let mut peer = Peer::connect(&server);
        peer.raw(garbage).await;
        assert!(peer.is_dropped().await, "{garbage:?}");
    }
    Peer::ready(&server).await;
}

#[tokio::test]
async fn requests_out_of_place_end_the_connection() {
    let server = plain();
    let mut peer = Peer::connect(&server);
    peer.send(&EchoRequest, 1).await;
    assert!(peer.is_dropped().await, "before NEGOTIATE");
    let mut peer = Peer::ready(&server).await;
    let header = peer.header(Command::NEGOTIATE);
    peer.raw(&compound::single(&header, &EchoRequest)).await;
    assert!(peer.is_dropped().await, "NEGOTIATE twice");
    let mut peer = Peer::ready(&server).await;
    peer.next -= 1;
    peer.send(&EchoRequest, 1).await;
    assert!(peer.is_dropped().await, "MessageId twice");
    let mut peer = Peer::ready(&server).await;
    peer.next += 100_000;
    peer.send(&EchoRequest, 1).await;
    assert!(peer.is_dropped().await, "MessageId never granted");
}

#[tokio::test]
async fn every_truncation_of_a_request_is_survived() {
    let mut peer = Peer::ready(&plain()).await;
    let file = peer.file("f").await;
    for len in 64..150 {
        let header = peer.header(Command::WRITE);
        let frame = compound::single(&header, &write(file, 0, &[7; 40]));
        peer.raw(&frame[..len.min(frame.len() - 1)]).await;
        assert_eq!(peer.recv().await.status(), NtStatus::INVALID_PARAMETER, "{len}");
    }
    // Lengths and offsets that leave the message.
    for at in [66, 68] {
        let header = peer.header(Command::WRITE);
        let mut frame = compound::single(&header, &write(file, 0, &[7; 40]));
        frame[at..at + 2].copy_from_slice(&[0xff, 0xff]);
        peer.raw(&frame).await;
        assert_eq!(peer.recv().await.status(), NtStatus::INVALID_PARAMETER);
    }
    assert_eq!(peer.read(file, 0, 1).await, Err(NtStatus::END_OF_FILE));
}

#[tokio::test]
async fn sizes_beyond_what_was_agreed_or_paid_for() {
    let mut peer = Peer::ready(&plain()).await;
    let file = peer.file("f").await;
    let unpaid = peer.send(&read(file, 0, 65_537), 1).await;
    assert_eq!(peer.answer(unpaid).await.status(), NtStatus::INVALID_PARAMETER);
    assert_eq!(peer.ask(&read(file, 0, 9 << 20)).await.status(), NtStatus::INVALID_PARAMETER);
    assert_eq!(peer.ask(&read(file, u64::MAX, 1)).await.status(), NtStatus::INVALID_PARAMETER);
    assert_eq!(peer.write(file, i64::MAX as u64, b"xx").await, Err(NtStatus::INVALID_PARAMETER));
    let unknown = FileId { persistent: 1, volatile: 2 };
    assert_eq!(peer.read(unknown, 0, 1).await, Err(NtStatus::FILE_CLOSED));
}

/// Without requests of several credits, none is larger than one is worth, whatever its header says.
#[tokio::test]
async fn a_charge_pays_for_nothing_at_2_0_2() {
    let server = plain();
    let mut peer = Peer::connect(&server);
    peer.negotiate_with(&[Dialect::SMB_2_0_2], Capabilities::NONE).await.unwrap();
    peer.login(USER, PASSWORD).await.unwrap();
    peer.connect_tree("data").await.unwrap();
    let file = peer.file("f").await;
    let header = peer.header(Command::ECHO);
    let charged = Header { credit_charge: 9, ..header };
    peer.raw(&compound::single(&charged, &EchoRequest)).await;
    assert_eq!(peer.recv().await.header.credit_charge, 0);
    assert_eq!(peer.write(file, 0, &[7; 65_536]).await, Ok(65_536));
    peer.send(&write(file, 0, &[7; 200_000]), 4).await;
    assert!(peer.is_dropped().await, "a frame of four credits was taken in");
}

#[tokio::test]
async fn limits_answer_with_their_status() {
    let server = server(memory(), |builder| {
        builder.limits(|limits| {
            limits.max_opens = 3;
            limits.max_trees = 2;
            limits.max_sessions = 2;
        })
    });
    let mut peer = Peer::ready(&server).await;
    let file = peer.file("f").await;
    peer.write(file, 0, b"kept").await.unwrap();
    for _ in 0..2 {
        peer.create(&create("f", CreateDisposition::OPEN)).await.unwrap();
    }
    for (name, disposition) in [
        ("f", CreateDisposition::OPEN),
        ("f", CreateDisposition::OVERWRITE),
        ("new", CreateDisposition::CREATE),
    ] {
        let more = peer.create(&create(name, disposition)).await;
        assert_eq!(more, Err(NtStatus::TOO_MANY_OPENED_FILES));
    }
    assert_eq!(server.open_files(), 1);
    // Nothing was emptied, and nothing was made.
    assert_eq!(peer.read(file, 0, 10).await.unwrap(), b"kept");
    peer.close(file).await.unwrap();
    let made = peer.create(&create("new", CreateDisposition::OPEN)).await;
    assert_eq!(made, Err(NtStatus::OBJECT_NAME_NOT_FOUND));
    peer.connect_tree("data").await.unwrap();
    assert_eq!(peer.connect_tree("data").await, Err(NtStatus::INSUFFICIENT_RESOURCES));
    peer.session = 0;
    peer.login(USER, PASSWORD).await.unwrap();
    peer.session = 0;
    assert_eq!(peer.login(USER, PASSWORD).await, Err(NtStatus::TOO_MANY_SESSIONS));
}

/// A client that asks and never reads: the answers held for it stay within the budget.
#[tokio::test]
async fn a_client_that_does_not_read_holds_bounded_memory() {
    const PIECE: u32 = 64 * 1024;
    let gated = Gated::new();
    gated.data.lock().unwrap().resize(PIECE as usize, 1);
    let server = server(Share::new("data", gated.clone()), |builder| {
        builder.limits(|limits| {
            limits.outbound_bytes = 4 * PIECE as usize;
            limits.max_pending = 64;
        })
    });
    let mut options = MemoryOptions::plain();
    options.queue_messages = 1;
    let mut peer = Peer::ready_over(&server, options).await;
    peer.ask = 200;
    let file = peer.create(&create("f", CreateDisposition::OPEN)).await.unwrap().file_id;
    let reads = gated.reads.clone();
    reads.close();
    let mut ids = Vec::new();
    for _ in 0..40 {
        ids.push(peer.send(&read(file, 0, PIECE), 1).await);
    }
    // Four reads are begun, for so many fit; the others wait for room before they take any memory.
    watched(reads.waiting(4)).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let fifth = tokio::time::timeout(Duration::from_millis(50), reads.waiting(5)).await;
    assert!(fifth.is_err(), "a fifth read was begun");
    // The client takes to reading: everything comes.
    reads.open();
    while !ids.is_empty() {
        let reply = peer.recv().await;
        if reply.status() == NtStatus::SUCCESS {
            ids.retain(|id| *id != reply.header.message_id);
        }
    }
}

#[tokio::test]
async fn a_frame_that_stalls_before_authentication_is_cut() {
    let server = Server::builder()
        .listen("127.0.0.1:0".parse().unwrap())
        .user(USER, PASSWORD)
        .share(memory())
        .limits(|limits| limits.auth_timeout = Duration::from_millis(200))
        .build()
        .unwrap();
    let address = server.local_addrs()[0];
    let handle = server.handle();
    let running = tokio::spawn(server.run(std::future::pending()));
    let mut stalled = TcpStream::connect(address).await.unwrap();
    stalled.write_all(&[0, 0, 1, 0, 0xfe, b'S']).await.unwrap();
    let mut rest = Vec::new();
    // An orderly end and a reset are both an end.
    let _ = watched(stalled.read_to_end(&mut rest)).await;
    // A frame longer than any before authentication is refused by its prefix.
    let mut huge = TcpStream::connect(address).await.unwrap();
    huge.write_all(&[0, 0xff, 0xff, 0xff]).await.unwrap();
    let _ = watched(huge.read_to_end(&mut rest)).await;
    assert!(rest.is_empty());
    handle.stop();
    watched(running).await.unwrap();
}

#[tokio::test]
async fn connections_beyond_the_limit_are_closed_at_once() {
    let server = Server::builder()
        .listen("127.0.0.1:0".parse().unwrap())
        .share(memory())
        .limits(|limits| limits.max_connections = 1)
        .build()
        .unwrap();
    let address = server.local_addrs()[0];
    let handle = server.handle();
    let running = tokio::spawn(server.run(std::future::pending()));
    let first = TcpStream::connect(address).await.unwrap();
    let mut second = TcpStream::connect(address).await.unwrap();
    let mut rest = Vec::new();
    let _ = watched(second.read_to_end(&mut rest)).await;
    drop(first);
    handle.stop();
    watched(running).await.unwrap();
}

#[tokio::test]
async fn a_stop_lets_requests_under_way_end() {
    let gated = Gated { writes: smb_transport::Gate::closed(), ..Gated::new() };
    let server = server(Share::new("data", gated.clone()), |builder| builder);
    let mut peer = Peer::ready(&server).await;
    let file = peer.create(&create("f", CreateDisposition::OPEN)).await.unwrap().file_id;
    let id = peer.send(&write(file, 0, b"last words"), 1).await;
    watched(gated.writes.waiting(1)).await;
    server.stop();
    gated.writes.open();
    assert_eq!(peer.answer(id).await.status(), NtStatus::SUCCESS);
    assert!(peer.is_dropped().await);
    assert_eq!(*gated.data.lock().unwrap(), b"last words");
}

#[tokio::test]
async fn a_write_cut_in_the_middle_of_its_frame_writes_nothing() {
    let gated = Gated::new();
    let server = Server::builder()
        .listen("127.0.0.1:0".parse().unwrap())
        .user(USER, PASSWORD)
        .share(Share::new("data", gated.clone()))
        .build()
        .unwrap();
    let address = server.local_addrs()[0];
    let handle = server.handle();
    let running = tokio::spawn(server.run(std::future::pending()));
    let options = smb_transport::TcpOptions::default();
    let tcp =
        smb_transport::TcpTransport::connect(address, None, Default::default(), &options).await.unwrap();
    let mut peer = Peer::on(Box::new(tcp));
    peer.negotiate().await;
    peer.login(USER, PASSWORD).await.unwrap();
    peer.connect_tree("data").await.unwrap();
    let file = peer.create(&create("f", CreateDisposition::OPEN)).await.unwrap().file_id;
    peer.write(file, 0, b"before").await.unwrap();
    let header = peer.header(Command::WRITE);
    let frame = compound::single(&header, &write(file, 0, &[7; 60_000]));
    let head = filled(peer.buffers.as_ref(), &frame);
    peer.sender.sever(smb_transport::Msg::inline(head), 30_000).await;
    watched(async {
        while handle.sessions() > 0 || gated.ends.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(*gated.data.lock().unwrap(), b"before");
    assert_eq!(*gated.ends.lock().unwrap(), [false]);
    handle.stop();
    watched(running).await.unwrap();
}
