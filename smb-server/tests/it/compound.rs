//! Compounds.

use crate::peer::*;
use smb_proto::{
    codec::Body,
    compound::{Builder, parts},
    header::{Header, HeaderFlags, Route},
    msg::*,
    status::NtStatus,
};

fn related(mut header: Header) -> Header {
    header.flags = header.flags.with(HeaderFlags::RELATED_OPERATIONS);
    header.session_id = u64::MAX;
    header.route = Route::tree(u32::MAX);
    header
}

async fn statuses(peer: &mut Peer, frame: Vec<u8>) -> Vec<NtStatus> {
    peer.raw(&frame).await;
    let reply = peer.recv().await;
    parts(&reply.bytes).map(|part| part.unwrap().header.status().unwrap()).collect()
}

fn create_read_close(peer: &mut Peer, disposition: CreateDisposition) -> Vec<u8> {
    let mut builder = Builder::new();
    let header = peer.header(smb_proto::command::Command::CREATE);
    builder.push(&header, &create("f", disposition));
    let header = related(peer.header(smb_proto::command::Command::WRITE));
    builder.push(&header, &write(FileId::ANY, 0, b"compound"));
    let header = related(peer.header(smb_proto::command::Command::READ));
    builder.push(&header, &read(FileId::ANY, 3, 100));
    let header = related(peer.header(smb_proto::command::Command::CLOSE));
    builder.push(&header, &CloseRequest { flags: CloseFlags::NONE, file_id: FileId::ANY });
    builder.finish()
}

#[tokio::test]
async fn related_requests_use_the_file_just_opened() {
    let server = plain();
    let mut peer = Peer::ready(&server).await;
    let frame = create_read_close(&mut peer, CreateDisposition::CREATE);
    peer.raw(&frame).await;
    let reply = peer.recv().await;
    let parts: Vec<_> = parts(&reply.bytes).map(Result::unwrap).collect();
    assert_eq!(parts.len(), 4);
    assert!(parts.iter().all(|part| part.header.status() == Some(NtStatus::SUCCESS)));
    let data: ReadResponse<'_> =
        smb_proto::codec::Message::parse(&Body::new(parts[2].bytes).unwrap()).unwrap();
    assert_eq!(data.data, b"pound");
    assert_eq!(server.open_files(), 0);
}

#[tokio::test]
async fn what_needs_a_file_that_could_not_be_opened_fails_like_it() {
    let mut peer = Peer::ready(&plain()).await;
    let frame = create_read_close(&mut peer, CreateDisposition::OPEN);
    let found = statuses(&mut peer, frame).await;
    assert_eq!(found, [NtStatus::OBJECT_NAME_NOT_FOUND; 4]);
}

#[tokio::test]
async fn a_compound_cannot_begin_related() {
    let mut peer = Peer::ready(&plain()).await;
    let mut builder = Builder::new();
    let header = related(peer.header(smb_proto::command::Command::ECHO));
    builder.push(&header, &EchoRequest);
    let header = related(peer.header(smb_proto::command::Command::ECHO));
    builder.push(&header, &EchoRequest);
    let found = statuses(&mut peer, builder.finish()).await;
    assert_eq!(found, [NtStatus::INVALID_PARAMETER; 2]);
}

/// A client that signs believes no unsigned answer, not even that its request has no place in the compound.
#[tokio::test]
async fn refusals_within_a_signed_compound_are_signed() {
    let mut peer = Peer::ready(&plain()).await;
    let mut builder = Builder::new();
    let mut header = peer.header(smb_proto::command::Command::FLUSH);
    header.route = Route::tree(99);
    header.flags = header.flags.with(HeaderFlags::SIGNED);
    builder.push(&header, &FlushRequest { file_id: FileId::ANY });
    let mut header = related(peer.header(smb_proto::command::Command::FLUSH));
    header.flags = header.flags.with(HeaderFlags::SIGNED);
    builder.push(&header, &FlushRequest { file_id: FileId::ANY });
    let ranges: Vec<_> = builder.ranges().collect();
    let mut frame = builder.finish();
    let key = peer.key.clone().unwrap();
    ranges.into_iter().for_each(|range| key.sign(&mut frame[range]).unwrap());
    peer.raw(&frame).await;
    let mut reply = peer.received().await;
    let ranges: Vec<_> = smb_proto::compound::ranges(&reply).map(Result::unwrap).collect();
    let mut found = Vec::new();
    for range in ranges {
        key.verify(&mut reply[range.clone()]).unwrap();
        found.push(Header::parse(&reply[range]).unwrap().0.status().unwrap());
    }
    assert_eq!(found, [NtStatus::NETWORK_NAME_DELETED, NtStatus::INVALID_PARAMETER]);
}

#[tokio::test]
async fn unrelated_requests_stand_alone() {
    let mut peer = Peer::ready(&plain()).await;
    let file = peer.file("f").await;
    let mut builder = Builder::new();
    let header = peer.header(smb_proto::command::Command::CLOSE);
    builder.push(
        &header,
        &CloseRequest { flags: CloseFlags::NONE, file_id: FileId { persistent: 1, volatile: 2 } },
    );
    let header = peer.header(smb_proto::command::Command::CLOSE);
    builder.push(&header, &CloseRequest { flags: CloseFlags::NONE, file_id: file });
    let found = statuses(&mut peer, builder.finish()).await;
    assert_eq!(found, [NtStatus::FILE_CLOSED, NtStatus::SUCCESS]);
}
