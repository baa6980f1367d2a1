//! Files and directories: dispositions, share modes, deletion, renaming, information, listings.

use crate::{gated::Gated, peer::*};
use smb_proto::{
    fscc::{directory::entries, *},
    msg::{context::create::*, *},
    status::NtStatus,
};
use smb_server::Share;
use std::sync::atomic::Ordering;

async fn query<I: Information>(peer: &mut Peer, file_id: FileId) -> Result<I, NtStatus> {
    let request = QueryInfoRequest {
        info_type: I::INFO_TYPE,
        class: I::CLASS,
        output_len: 4096,
        additional_information: 0,
        flags: 0,
        file_id,
        input: Vec::new(),
    };
    peer.call::<QueryInfoResponse>(&request).await.map(|response| I::parse(&response.output).unwrap())
}

#[tokio::test]
async fn what_is_written_through_is_flushed() {
    let gated = Gated::new();
    let flushed = || gated.flushes.load(Ordering::Relaxed);
    let mut peer = Peer::ready(&server(Share::new("data", gated.clone()), |builder| builder)).await;
    let file = peer.file("f").await;
    peer.write(file, 0, b"later").await.unwrap();
    assert_eq!(flushed(), 0);
    let through = WriteRequest { flags: WriteFlags::WRITE_THROUGH, ..write(file, 0, b"now") };
    peer.call::<WriteResponse>(&through).await.unwrap();
    assert_eq!(flushed(), 1);
    set(&mut peer, file, &ModeInformation { mode: CreateOptions::WRITE_THROUGH.0 }).await.unwrap();
    peer.write(file, 0, b"now").await.unwrap();
    assert_eq!(flushed(), 2);
    let options = CreateOptions::WRITE_THROUGH;
    let through = CreateRequest { options, ..create("f", CreateDisposition::OPEN) };
    let file = peer.create(&through).await.unwrap().file_id;
    peer.write(file, 0, b"now").await.unwrap();
    assert_eq!(flushed(), 3);
}

#[tokio::test]
async fn six_dispositions() {
    use CreateDisposition as D;
    let mut peer = Peer::ready(&plain()).await;
    let cases = [
        // disposition, on nothing, on a file
        (D::SUPERSEDE, Ok(CreateAction::CREATED), Ok(CreateAction::SUPERSEDED), 0),
        (D::OPEN, Err(NtStatus::OBJECT_NAME_NOT_FOUND), Ok(CreateAction::OPENED), 4),
        (D::CREATE, Ok(CreateAction::CREATED), Err(NtStatus::OBJECT_NAME_COLLISION), 4),
        (D::OPEN_IF, Ok(CreateAction::CREATED), Ok(CreateAction::OPENED), 4),
        (D::OVERWRITE, Err(NtStatus::OBJECT_NAME_NOT_FOUND), Ok(CreateAction::OVERWRITTEN), 0),
        (D::OVERWRITE_IF, Ok(CreateAction::CREATED), Ok(CreateAction::OVERWRITTEN), 0),
    ];
    for (disposition, on_nothing, on_file, size_after) in cases {
        let request = create(&format!("new{}", disposition.0), disposition);
        let done = peer.create(&request).await;
        assert_eq!(done.map(|response| response.action), on_nothing, "{disposition:?}");
        let name = format!("old{}", disposition.0);
        let file = peer.file(&name).await;
        peer.write(file, 0, b"data").await.unwrap();
        peer.close(file).await.unwrap();
        let done = peer.create(&create(&name, disposition)).await;
        assert_eq!(done.map(|response| response.action), on_file, "{disposition:?}");
        let mut look = create(&name, D::OPEN);
        look.desired_access = Access::READ_ATTRIBUTES;
        assert_eq!(peer.create(&look).await.unwrap().end_of_file, size_after, "{disposition:?}");
    }
    assert_eq!(peer.create(&create("x", D(6))).await, Err(NtStatus::INVALID_PARAMETER));
    assert_eq!(peer.create(&create("no\\x", D::CREATE)).await, Err(NtStatus::OBJECT_PATH_NOT_FOUND));
    assert_eq!(peer.create(&create("a\\..\\..\\x", D::CREATE)).await, Err(NtStatus::OBJECT_PATH_SYNTAX_BAD));
}

#[tokio::test]
async fn share_modes_exclude() {
    let server = plain();
    let (mut one, mut two) = (Peer::ready(&server).await, Peer::ready(&server).await);
    let mut request = create("f", CreateDisposition::OPEN_IF);
    request.share_access = ShareAccess::READ;
    let file = one.create(&request).await.unwrap().file_id;
    assert_eq!(two.create(&create("f", CreateDisposition::OPEN)).await, Err(NtStatus::SHARING_VIOLATION));
    // A file in use is not emptied by an attempt that fails.
    one.write(file, 0, b"kept").await.unwrap();
    let over = two.create(&create("f", CreateDisposition::OVERWRITE)).await;
    assert_eq!(over, Err(NtStatus::SHARING_VIOLATION));
    assert_eq!(one.read(file, 0, 10).await.unwrap(), b"kept");
    one.close(file).await.unwrap();
    two.create(&create("f", CreateDisposition::OPEN)).await.unwrap();
}

#[tokio::test]
async fn deletion_waits_for_the_last_open() {
    let mut peer = Peer::ready(&plain()).await;
    let (one, two) = (peer.file("f").await, peer.file("f").await);
    set(&mut peer, one, &DispositionInformation { delete_pending: true }).await.unwrap();
    assert!(query::<StandardInformation>(&mut peer, two).await.unwrap().delete_pending);
    let open = create("f", CreateDisposition::OPEN_IF);
    assert_eq!(peer.create(&open).await, Err(NtStatus::DELETE_PENDING));
    peer.close(one).await.unwrap();
    assert_eq!(peer.create(&open).await, Err(NtStatus::DELETE_PENDING));
    peer.close(two).await.unwrap();
    let mut open = create("f", CreateDisposition::OPEN);
    assert_eq!(peer.create(&open).await, Err(NtStatus::OBJECT_NAME_NOT_FOUND));
    open.disposition = CreateDisposition::CREATE;
    open.options = CreateOptions::DELETE_ON_CLOSE;
    let file = peer.create(&open).await.unwrap().file_id;
    peer.close(file).await.unwrap();
    open.disposition = CreateDisposition::OPEN;
    assert_eq!(peer.create(&open).await, Err(NtStatus::OBJECT_NAME_NOT_FOUND));
}

#[tokio::test]
async fn full_directories_stay() {
    let mut peer = Peer::ready(&plain()).await;
    let mut request = create("d", CreateDisposition::CREATE);
    request.options = CreateOptions::DIRECTORY_FILE;
    let directory = peer.create(&request).await.unwrap().file_id;
    let file = peer.file("d\\f").await;
    let delete = DispositionInformation { delete_pending: true };
    assert_eq!(set(&mut peer, directory, &delete).await, Err(NtStatus::DIRECTORY_NOT_EMPTY));
    set(&mut peer, file, &delete).await.unwrap();
    peer.close(file).await.unwrap();
    set(&mut peer, directory, &delete).await.unwrap();
    peer.close(directory).await.unwrap();
    request.disposition = CreateDisposition::OPEN;
    assert_eq!(peer.create(&request).await, Err(NtStatus::OBJECT_NAME_NOT_FOUND));
    request.disposition = CreateDisposition::CREATE;
    request.options = CreateOptions::DIRECTORY_FILE.with(CreateOptions::NON_DIRECTORY_FILE);
    assert_eq!(peer.create(&request).await, Err(NtStatus::INVALID_PARAMETER));
}

#[tokio::test]
async fn renames() {
    let mut peer = Peer::ready(&plain()).await;
    let file = peer.file("a").await;
    let other = peer.file("b").await;
    peer.close(other).await.unwrap();
    let to = |name: &str, replace_if_exists| RenameInformation { replace_if_exists, name: name.into() };
    assert_eq!(set(&mut peer, file, &to("b", false)).await, Err(NtStatus::OBJECT_NAME_COLLISION));
    set(&mut peer, file, &to("b", true)).await.unwrap();
    assert_eq!(query::<AllInformation>(&mut peer, file).await.unwrap().name, "\\b");
    assert!(set(&mut peer, file, &to("..\\b", true)).await.is_err());
    let gone = peer.create(&create("a", CreateDisposition::OPEN)).await;
    assert_eq!(gone, Err(NtStatus::OBJECT_NAME_NOT_FOUND));
}

#[tokio::test]
async fn sizes_times_and_rights() {
    let mut peer = Peer::ready(&plain()).await;
    let file = peer.file("f").await;
    peer.write(file, 0, &[1; 100]).await.unwrap();
    set(&mut peer, file, &EndOfFileInformation { end_of_file: 10 }).await.unwrap();
    // An allocation above the size does not grow the file, one below cuts it.
    set(&mut peer, file, &AllocationInformation { allocation_size: 1 << 20 }).await.unwrap();
    assert_eq!(query::<StandardInformation>(&mut peer, file).await.unwrap().end_of_file, 10);
    set(&mut peer, file, &AllocationInformation { allocation_size: 4 }).await.unwrap();
    assert_eq!(query::<NetworkOpenInformation>(&mut peer, file).await.unwrap().end_of_file, 4);
    let time = FileTime::from_unix(1_000_000_000, 0);
    let times = FileTimes { last_write: time, ..FileTimes::default() };
    set(&mut peer, file, &BasicInformation { times, attributes: FileAttributes::HIDDEN }).await.unwrap();
    let basic: BasicInformation = query(&mut peer, file).await.unwrap();
    assert_eq!(basic.times.last_write, time);
    assert!(basic.attributes.contains(FileAttributes::HIDDEN));
    let mut reader = create("f", CreateDisposition::OPEN);
    reader.desired_access = Access::READ_DATA;
    let reader = peer.create(&reader).await.unwrap().file_id;
    assert_eq!(peer.write(reader, 0, b"x").await, Err(NtStatus::ACCESS_DENIED));
    let refused = set(&mut peer, reader, &EndOfFileInformation { end_of_file: 0 }).await;
    assert_eq!(refused, Err(NtStatus::ACCESS_DENIED));
    let refused = query::<BasicInformation>(&mut peer, reader).await;
    assert_eq!(refused, Err(NtStatus::ACCESS_DENIED));
    assert_eq!(peer.read(reader, 4, 1).await, Err(NtStatus::END_OF_FILE));
    peer.read(file, 1, 2).await.unwrap();
    assert_eq!(query::<PositionInformation>(&mut peer, file).await.unwrap().current_byte_offset, 3);
}

#[tokio::test]
async fn contexts_are_answered() {
    let mut peer = Peer::ready(&plain()).await;
    let mut request = create("f", CreateDisposition::OPEN_IF);
    request.oplock_level = OplockLevel::BATCH;
    request.contexts = vec![
        MaximalAccessRequest { timestamp: None }.context(),
        CreateContext::new(QUERY_ON_DISK_ID, []),
        CreateContext::new(b"RqLs", [0; 32]),
        CreateContext::new(b"what", [1, 2, 3]),
    ];
    let response = peer.create(&request).await.unwrap();
    assert_eq!(response.oplock_level, OplockLevel::NONE);
    let names: Vec<_> = response.contexts.iter().map(|context| context.name.as_slice()).collect();
    assert_eq!(names, [MAXIMAL_ACCESS, QUERY_ON_DISK_ID]);
    let maximal = MaximalAccessResponse::parse(&response.contexts[0].data).unwrap();
    assert_eq!(maximal.access, Access::FILE_ALL);
    request.contexts = vec![CreateContext::new(b"DHnC", [0; 16])];
    assert_eq!(peer.create(&request).await, Err(NtStatus::OBJECT_NAME_NOT_FOUND));
}

fn list(
    file_id: FileId,
    pattern: &str,
    flags: QueryDirectoryFlags,
    output_len: u32,
) -> QueryDirectoryRequest {
    QueryDirectoryRequest {
        class: FileInformationClass::ID_BOTH_DIRECTORY,
        flags,
        file_index: 0,
        file_id,
        pattern: pattern.into(),
        output_len,
    }
}

async fn names(peer: &mut Peer, request: QueryDirectoryRequest) -> Result<Vec<String>, NtStatus> {
    let class = request.class;
    let response: QueryDirectoryResponse = peer.call(&request).await?;
    Ok(entries(class, &response.output).map(|entry| entry.unwrap().name.as_str().to_owned()).collect())
}

#[tokio::test]
async fn listings() {
    let mut peer = Peer::ready(&plain()).await;
    for name in ["a.txt", "b.txt", "C.TXT", "d.dat"] {
        let file = peer.file(name).await;
        peer.close(file).await.unwrap();
    }
    let mut root = create("", CreateDisposition::OPEN);
    root.desired_access = Access::FILE_READ;
    let root = peer.create(&root).await.unwrap().file_id;
    let (none, restart) = (QueryDirectoryFlags::NONE, QueryDirectoryFlags::RESTART_SCANS);
    let mut all = names(&mut peer, list(root, "*", none, 65536)).await.unwrap();
    all.sort();
    assert_eq!(all, [".", "..", "C.TXT", "a.txt", "b.txt", "d.dat"]);
    let end = names(&mut peer, list(root, "*", none, 65536)).await;
    assert_eq!(end, Err(NtStatus::NO_MORE_FILES));
    let mut found = names(&mut peer, list(root, "*.txt", restart, 65536)).await.unwrap();
    found.sort();
    assert_eq!(found, ["C.TXT", "a.txt", "b.txt"]);
    let reopen = QueryDirectoryFlags::REOPEN;
    assert_eq!(names(&mut peer, list(root, "x*", reopen, 65536)).await, Err(NtStatus::NO_SUCH_FILE));
    // One at a time, and as few as fit: the same entries in the end.
    for (flags, size) in [(QueryDirectoryFlags::RETURN_SINGLE_ENTRY, 65536), (none, 240)] {
        let mut seen = names(&mut peer, list(root, "*", flags.with(restart), size)).await.unwrap();
        while let Ok(more) = names(&mut peer, list(root, "*", flags, size)).await {
            seen.extend(more);
        }
        seen.sort();
        assert_eq!(seen, all);
    }
    let tiny = names(&mut peer, list(root, "*", restart, 10)).await;
    assert_eq!(tiny, Err(NtStatus::INFO_LENGTH_MISMATCH));
    let mut unknown = list(root, "*", none, 4096);
    unknown.class = FileInformationClass(99);
    assert_eq!(names(&mut peer, unknown).await, Err(NtStatus::INVALID_INFO_CLASS));
}

#[tokio::test]
async fn volumes_and_security() {
    let mut peer = Peer::ready(&plain()).await;
    let file = peer.file("a name beyond").await;
    assert_eq!(query::<FsVolumeInformation>(&mut peer, file).await.unwrap().label, "data");
    assert!(query::<FsFullSizeInformation>(&mut peer, file).await.unwrap().total_units > 0);
    assert_eq!(query::<FsAttributeInformation>(&mut peer, file).await.unwrap().name, "NTFS");
    let mut security = QueryInfoRequest {
        info_type: InfoType::SECURITY,
        class: 0,
        output_len: 4096,
        additional_information: 7,
        flags: 0,
        file_id: file,
        input: Vec::new(),
    };
    assert!(peer.call::<QueryInfoResponse>(&security).await.unwrap().output.len() > 20);
    security.output_len = 10;
    assert_eq!(peer.ask(&security).await.status(), NtStatus::BUFFER_TOO_SMALL);
    let mut cut = QueryInfoRequest { info_type: InfoType::FILE, class: 18, output_len: 105, ..security };
    let reply = peer.ask(&cut).await;
    assert_eq!(reply.status(), NtStatus::BUFFER_OVERFLOW);
    assert_eq!(reply.body::<QueryInfoResponse>().output.len(), 105);
    cut.output_len = 50;
    assert_eq!(peer.ask(&cut).await.status(), NtStatus::INFO_LENGTH_MISMATCH);
}
