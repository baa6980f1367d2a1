//! READ and WRITE whose data is placed, over the in-memory transport.

use crate::{gated::Gated, peer::*};
use smb_proto::{msg::*, status::NtStatus};
use smb_server::Share;
use smb_transport::{
    Access as Remote, Advertised, BufferDescriptor, Gate, IoBuf, Token,
    memory::{MemoryOptions, PlacementOptions},
};

const SIZE: usize = 300_000;

fn pieces() -> MemoryOptions {
    let mut placement = PlacementOptions::default();
    placement.max_descriptor_len = 100_000;
    let mut options = MemoryOptions::default();
    options.placement = Some(placement);
    options
}

fn advertise(peer: &Peer, buffer: IoBuf, access: Remote) -> Box<dyn Advertised> {
    peer.placement.as_ref().unwrap().advertise(buffer, access).map_err(|(error, _)| error).unwrap()
}

fn channel(advertised: &dyn Advertised, invalidate: bool) -> Channel {
    Channel::Rdma { descriptors: advertised.descriptors().to_vec(), invalidate }
}

fn placed_read(file_id: FileId, length: u32, channel: Channel) -> ReadRequest {
    ReadRequest { channel, ..read(file_id, 0, length) }
}

fn placed_write(file_id: FileId, length: u32, channel: Channel) -> WriteRequest<'static> {
    WriteRequest { channel, remaining_bytes: length, ..write(file_id, 0, &[]) }
}

fn content() -> Vec<u8> {
    (0..SIZE).map(|at| (at % 251) as u8).collect()
}

#[tokio::test]
async fn written_and_read_back_in_several_pieces() {
    let server = plain();
    let mut peer = Peer::ready_over(&server, pieces()).await;
    peer.ask = 100;
    let file = peer.file("f").await;
    let source = advertise(&peer, filled(peer.buffers.as_ref(), &content()), Remote::RemoteRead);
    assert_eq!(source.descriptors().len(), 3);
    let id = peer.send(&placed_write(file, SIZE as u32, channel(source.as_ref(), true)), charge(SIZE)).await;
    let reply = peer.answer(id).await;
    assert_eq!((reply.status(), reply.body::<WriteResponse>().count), (NtStatus::SUCCESS, SIZE as u32));
    drop(watched(source.reclaim()).await.unwrap());

    let target = advertise(&peer, peer.buffers.buffer(SIZE), Remote::RemoteWrite);
    let first = Token(target.descriptors()[0].token);
    let id = peer.send(&placed_read(file, SIZE as u32, channel(target.as_ref(), true)), charge(SIZE)).await;
    let received = loop {
        let received = watched(peer.receiver.recv()).await.unwrap().unwrap();
        let (header, _) = smb_proto::header::Header::parse(&received.message).unwrap();
        assert_eq!(header.message_id, id);
        if header.status() == Some(NtStatus::SUCCESS) {
            break received;
        }
    };
    assert_eq!(received.invalidated, Some(first));
    let body = smb_proto::codec::Body::new(&received.message).unwrap();
    let response: ReadResponse<'_> = smb_proto::codec::Message::parse(&body).unwrap();
    assert_eq!((response.data.len(), response.remaining), (0, SIZE as u32));
    let back = watched(target.reclaim()).await.unwrap();
    assert!(back[..] == content()[..]);
}

#[tokio::test]
async fn a_short_read_places_what_there_is() {
    let mut peer = Peer::ready(&plain()).await;
    let file = peer.file("f").await;
    peer.write(file, 0, b"short").await.unwrap();
    let target = advertise(&peer, peer.buffers.buffer(4096), Remote::RemoteWrite);
    let reply = peer.ask(&placed_read(file, 4096, channel(target.as_ref(), false))).await;
    let body = smb_proto::codec::Body::new(&reply.bytes).unwrap();
    let response: ReadResponse<'_> = smb_proto::codec::Message::parse(&body).unwrap();
    assert_eq!(response.remaining, 5);
    let back = watched(target.reclaim()).await.unwrap();
    assert_eq!(back[..5], *b"short");
}

#[tokio::test]
async fn descriptors_that_cannot_be_are_refused() {
    let mut peer = Peer::ready(&plain()).await;
    let file = peer.file("f").await;
    peer.write(file, 0, &[1; 100]).await.unwrap();
    let piece = |token, offset, length| BufferDescriptor { offset, token, length };
    for descriptors in [
        vec![piece(1, 0, 10)],
        vec![piece(1, 0, 0), piece(2, 0, 100)],
        vec![piece(1, 0, 60), piece(1, 50, 60)],
        vec![piece(1, u64::MAX - 10, 100)],
        vec![piece(1, 0, 10); 17],
    ] {
        let channel = Channel::Rdma { descriptors, invalidate: false };
        let reply = peer.ask(&placed_read(file, 100, channel.clone())).await;
        assert_eq!(reply.status(), NtStatus::INVALID_PARAMETER);
        let reply = peer.ask(&placed_write(file, 100, channel)).await;
        assert_eq!(reply.status(), NtStatus::INVALID_PARAMETER);
    }
    let other = Channel::Other { kind: 3, info: vec![0; 16] };
    assert_eq!(peer.ask(&placed_read(file, 100, other)).await.status(), NtStatus::INVALID_PARAMETER);
}

#[tokio::test]
async fn nothing_is_placed_where_there_is_no_placement_or_the_request_is_signed() {
    let server = plain();
    let mut peer = Peer::ready_over(&server, MemoryOptions::plain()).await;
    let file = peer.file("f").await;
    peer.write(file, 0, &[1; 100]).await.unwrap();
    let descriptors = vec![BufferDescriptor { offset: 0, token: 1, length: 100 }];
    let channel = Channel::Rdma { descriptors, invalidate: true };
    assert_eq!(
        peer.ask(&placed_read(file, 100, channel.clone())).await.status(),
        NtStatus::INVALID_PARAMETER
    );

    let mut peer = Peer::ready(&server).await;
    let file = peer.file("f").await;
    peer.signs = true;
    assert_eq!(peer.ask(&placed_write(file, 100, channel)).await.status(), NtStatus::INVALID_PARAMETER);
}

#[tokio::test]
async fn a_pull_is_cancelled_midway() {
    let gate = Gate::closed();
    let mut options = pieces();
    options.placement.as_mut().unwrap().pull_gate = Some(gate.clone());
    let gated = Gated::new();
    let server = server(Share::new("data", gated.clone()), |builder| builder);
    let mut peer = Peer::ready_over(&server, options).await;
    peer.ask = 100;
    let file = peer.create(&create("f", CreateDisposition::OPEN)).await.unwrap().file_id;
    let source = advertise(&peer, filled(peer.buffers.as_ref(), &content()), Remote::RemoteRead);
    let id = peer.send(&placed_write(file, SIZE as u32, channel(source.as_ref(), false)), charge(SIZE)).await;
    watched(gate.waiting(1)).await;
    gate.let_through(1);
    let interim = peer.recv().await;
    assert_eq!(interim.status(), NtStatus::PENDING);
    let mut cancel = smb_proto::header::Header::request(smb_proto::command::Command::CANCEL, id);
    cancel.session_id = peer.session;
    cancel.route = interim.header.route;
    peer.raw(&smb_proto::compound::single(&cancel, &CancelRequest)).await;
    // The server has seen the CANCEL, but answers only when it reads the memory no more.
    peer.call::<EchoResponse>(&EchoRequest).await.unwrap();
    gate.open();
    assert_eq!(peer.answer(id).await.status(), NtStatus::CANCELLED);
    drop(watched(source.reclaim()).await.unwrap());
    assert!(gated.data.lock().unwrap().is_empty(), "a cancelled write was carried out");
    peer.call::<EchoResponse>(&EchoRequest).await.unwrap();
}

/// The Linux client takes its memory for invalidated with any answer, and the device gives the connection up when the
/// token is used anew and was not.
#[tokio::test]
async fn what_fails_invalidates_too() {
    let mut peer = Peer::ready(&plain()).await;
    let file = peer.file("f").await;
    peer.write(file, 0, &[1; 100]).await.unwrap();
    let reader = peer.create(&create("f", CreateDisposition::OPEN)).await.unwrap().file_id;
    let nobody = FileId { persistent: 77, volatile: 77 };
    for (reading, file_id, offset, status) in [
        (true, reader, 5000, NtStatus::END_OF_FILE),
        (true, nobody, 0, NtStatus::FILE_CLOSED),
        (false, nobody, 0, NtStatus::FILE_CLOSED),
        (false, file, u64::MAX, NtStatus::INVALID_PARAMETER),
    ] {
        let access = if reading { Remote::RemoteWrite } else { Remote::RemoteRead };
        let memory = advertise(&peer, peer.buffers.buffer(4096), access);
        let channel = channel(memory.as_ref(), true);
        let id = match reading {
            true => peer.send(&ReadRequest { offset, ..placed_read(file_id, 4096, channel) }, 1).await,
            false => peer.send(&WriteRequest { offset, ..placed_write(file_id, 4096, channel) }, 1).await,
        };
        let received = watched(peer.receiver.recv()).await.unwrap().unwrap();
        let (header, _) = smb_proto::header::Header::parse(&received.message).unwrap();
        assert_eq!((header.message_id, header.status()), (id, Some(status)));
        assert_eq!(received.invalidated, Some(Token(memory.descriptors()[0].token)), "{status}");
        drop(watched(memory.reclaim()).await.unwrap());
    }
}
