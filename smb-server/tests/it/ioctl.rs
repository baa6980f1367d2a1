//! Control codes: copies within the server, holes, interfaces.

use crate::peer::*;
use smb_proto::{
    msg::{
        fsctl::{copychunk::*, network_interface::*, ranges::*},
        *,
    },
    status::NtStatus,
};
use smb_server::{Interface, Share};

async fn control(peer: &mut Peer, ctl_code: CtlCode, file_id: FileId, input: Vec<u8>) -> (NtStatus, Vec<u8>) {
    let request = IoctlRequest {
        ctl_code,
        file_id,
        input,
        max_input_response: 0,
        max_output_response: 4096,
        is_fsctl: true,
    };
    let reply = peer.ask(&request).await;
    // Errors may have a body of either kind.
    let whole = reply.bytes.get(64..66) == Some(&[49, 0]);
    (reply.status(), if whole { reply.body::<IoctlResponse>().output } else { Vec::new() })
}

async fn key(peer: &mut Peer, source: FileId) -> ResumeKey {
    let (status, output) = control(peer, CtlCode::SRV_REQUEST_RESUME_KEY, source, Vec::new()).await;
    assert_eq!(status, NtStatus::SUCCESS);
    ResumeKeyResponse::parse(&output).unwrap().key
}

async fn copy(peer: &mut Peer, key: ResumeKey, target: FileId, chunks: &[CopyChunk]) -> (NtStatus, [u32; 3]) {
    let input = CopyChunkRequest { source_key: key, chunks: chunks.to_vec() }.to_bytes();
    let (status, output) = control(peer, CtlCode::SRV_COPYCHUNK_WRITE, target, input).await;
    let done = CopyChunkResponse::parse(&output)
        .map_or([0; 3], |done| [done.chunks_written, done.chunk_bytes_written, done.total_bytes_written]);
    (status, done)
}

fn chunk(source_offset: u64, target_offset: u64, length: u32) -> CopyChunk {
    CopyChunk { source_offset, target_offset, length }
}

async fn copies(share: Share) {
    let server = server(share, |builder| builder);
    let mut peer = Peer::ready(&server).await;
    let source = peer.file("source").await;
    let target = peer.file("target").await;
    peer.write(source, 0, b"0123456789").await.unwrap();
    let key = key(&mut peer, source).await;
    let two = [chunk(0, 5, 5), chunk(5, 0, 5)];
    assert_eq!(copy(&mut peer, key, target, &two).await, (NtStatus::SUCCESS, [2, 0, 10]));
    assert_eq!(peer.read(target, 0, 20).await.unwrap(), b"5678901234");
    // Within one file, overlapping.
    assert_eq!(copy(&mut peer, key, source, &[chunk(0, 2, 8)]).await, (NtStatus::SUCCESS, [1, 0, 8]));
    assert_eq!(peer.read(source, 0, 20).await.unwrap(), b"0101234567");
    // What was done before the mistake is told.
    let beyond = [chunk(0, 0, 5), chunk(8, 0, 5)];
    assert_eq!(copy(&mut peer, key, target, &beyond).await, (NtStatus::INVALID_VIEW_SIZE, [1, 0, 5]));
    let much = [chunk(0, 0, u32::MAX)];
    let limits = [256, 1 << 20, 16 << 20];
    assert_eq!(copy(&mut peer, key, target, &much).await, (NtStatus::INVALID_PARAMETER, limits));
    let unknown = copy(&mut peer, [7; 24], target, &two).await;
    assert_eq!(unknown, (NtStatus::OBJECT_NAME_NOT_FOUND, [0; 3]));
    // Not another session's either.
    let mut stranger = Peer::ready(&server).await;
    let target = stranger.file("theirs").await;
    assert_eq!(copy(&mut stranger, key, target, &two).await.0, NtStatus::OBJECT_NAME_NOT_FOUND);
}

#[tokio::test]
async fn copies_in_memory() {
    copies(memory()).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn copies_in_a_directory() {
    let directory = tempfile::tempdir().unwrap();
    let local = smb_server::backend::LocalShare::open(directory.path(), Default::default()).unwrap();
    copies(Share::new("data", local)).await;
}

#[tokio::test]
async fn copies_respect_locks_and_access() {
    let server = plain();
    let mut one = Peer::ready(&server).await;
    let mut two = Peer::ready(&server).await;
    let source = one.file("source").await;
    one.write(source, 0, &[1; 100]).await.unwrap();
    let target = one.file("target").await;
    let key = key(&mut one, source).await;
    let theirs = two.create(&create("target", CreateDisposition::OPEN)).await.unwrap().file_id;
    let element = LockElement {
        offset: 0,
        length: 10,
        flags: LockFlags::EXCLUSIVE_LOCK.with(LockFlags::FAIL_IMMEDIATELY),
    };
    let lock = LockRequest { sequence: LockSequence::default(), file_id: theirs, locks: vec![element] };
    two.call::<LockResponse>(&lock).await.unwrap();
    let chunks = [chunk(0, 50, 10), chunk(0, 0, 10)];
    assert_eq!(copy(&mut one, key, target, &chunks).await, (NtStatus::FILE_LOCK_CONFLICT, [1, 0, 10]));
    let reader =
        CreateRequest { desired_access: Access::READ_DATA, ..create("target", CreateDisposition::OPEN) };
    let reader = one.create(&reader).await.unwrap().file_id;
    assert_eq!(copy(&mut one, key, reader, &[chunk(0, 50, 10)]).await.0, NtStatus::ACCESS_DENIED);
}

#[tokio::test]
async fn holes_in_sparse_files() {
    let server = plain();
    let mut peer = Peer::ready(&server).await;
    let file = peer.file("f").await;
    for megabyte in 0..3 {
        peer.write(file, megabyte << 20, &vec![7; 1 << 20]).await.unwrap();
    }
    let zero = ZeroData { from: 1 << 20, beyond: 2 << 20 }.to_bytes();
    let ranges = AllocatedRange { offset: 0, length: 1 << 30 }.to_bytes();
    let whole = AllocatedRange { offset: 0, length: 3 << 20 };
    let listed = async |peer: &mut Peer| {
        let (status, output) = control(peer, CtlCode::QUERY_ALLOCATED_RANGES, file, ranges.clone()).await;
        assert_eq!(status, NtStatus::SUCCESS);
        AllocatedRange::parse_all(&output).unwrap()
    };
    assert_eq!(listed(&mut peer).await, [whole]);
    let (status, _) = control(&mut peer, CtlCode::SET_SPARSE, file, vec![1]).await;
    assert_eq!(status, NtStatus::SUCCESS);
    assert_eq!(control(&mut peer, CtlCode::SET_ZERO_DATA, file, zero).await.0, NtStatus::SUCCESS);
    let range = |offset| AllocatedRange { offset, length: 1 << 20 };
    assert_eq!(listed(&mut peer).await, [range(0), range(2 << 20)]);
    assert_eq!(peer.read(file, (1 << 20) - 1, 2).await.unwrap(), [7, 0]);
    let backwards = ZeroData { from: 2, beyond: 1 }.to_bytes();
    let (status, _) = control(&mut peer, CtlCode::SET_ZERO_DATA, file, backwards).await;
    assert_eq!(status, NtStatus::INVALID_PARAMETER);
}

#[tokio::test]
async fn interfaces_as_configured() {
    let interface = Interface {
        address: "192.0.2.1".parse().unwrap(),
        speed: Some(40_000_000_000),
        rss: true,
        rdma: true,
    };
    let server = server(memory(), |builder| builder.interface(interface));
    let mut peer = Peer::ready(&server).await;
    let code = CtlCode::QUERY_NETWORK_INTERFACE_INFO;
    let (status, output) = control(&mut peer, code, FileId::ANY, Vec::new()).await;
    assert_eq!(status, NtStatus::SUCCESS);
    let told = NetworkInterface::parse_all(&output).unwrap();
    let capabilities: Vec<_> = told.iter().map(|told| (told.link_speed, told.capabilities.0)).collect();
    assert_eq!(capabilities, [(40_000_000_000, 1), (40_000_000_000, 2)]);
}
