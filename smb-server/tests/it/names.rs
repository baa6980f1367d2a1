//! Deletion, and names of files on the host: several of one file, and which of them goes.

use crate::peer::*;
use smb_proto::{
    fscc::{
        BasicInformation, DispositionFlags, DispositionInformation, DispositionInformationEx,
        RenameInformation,
    },
    msg::*,
    status::NtStatus,
};
use smb_server::{
    Handle, Share,
    backend::{LocalOptions, LocalShare},
};
use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt, fs::symlink},
    path::Path,
};

fn local(directory: &Path) -> Handle {
    let backend = LocalShare::open(directory, LocalOptions::default()).unwrap();
    server(Share::new("data", backend), |builder| builder)
}

async fn open(peer: &mut Peer, name: &str) -> Result<FileId, NtStatus> {
    peer.create(&create(name, CreateDisposition::OPEN)).await.map(|opened| opened.file_id)
}

async fn doom(peer: &mut Peer, file_id: FileId) -> Result<(), NtStatus> {
    set(peer, file_id, &DispositionInformation { delete_pending: true }).await
}

#[tokio::test]
async fn the_name_that_was_deleted_goes_and_no_other() {
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name);
    fs::write(at("a"), b"content").unwrap();
    fs::hard_link(at("a"), at("b")).unwrap();
    let mut peer = Peer::ready(&local(home.path())).await;
    let (a, b) = (open(&mut peer, "a").await.unwrap(), open(&mut peer, "b").await.unwrap());
    let again = open(&mut peer, "b").await.unwrap();
    doom(&mut peer, b).await.unwrap();
    peer.close(b).await.unwrap();
    assert_eq!(open(&mut peer, "b").await, Err(NtStatus::DELETE_PENDING));
    // The other name does not go, and its opens do not hold this one.
    let more = open(&mut peer, "a").await.unwrap();
    peer.close(again).await.unwrap();
    assert!(!at("b").exists());
    for id in [a, more] {
        peer.close(id).await.unwrap();
    }
    assert_eq!(fs::read(at("a")).unwrap(), b"content");
}

#[tokio::test]
async fn read_only_files_go_where_that_is_overlooked() {
    let home = tempfile::tempdir().unwrap();
    for server in [plain(), local(home.path())] {
        let mut peer = Peer::ready(&server).await;
        let read_only =
            BasicInformation { times: FileTimes::default(), attributes: FileAttributes::READONLY };
        let delete = DispositionInformation { delete_pending: true };
        let overlooking = DispositionFlags::DELETE.with(DispositionFlags::IGNORE_READONLY_ATTRIBUTE);
        let overlooking = DispositionInformationEx { flags: overlooking };
        // Read-only before, and only afterwards.
        let (one, two) = (peer.file("one").await, peer.file("two").await);
        set(&mut peer, one, &read_only).await.unwrap();
        assert_eq!(set(&mut peer, one, &delete).await, Err(NtStatus::CANNOT_DELETE));
        set(&mut peer, one, &overlooking).await.unwrap();
        set(&mut peer, two, &delete).await.unwrap();
        set(&mut peer, two, &read_only).await.unwrap();
        for (name, file) in [("one", one), ("two", two)] {
            peer.close(file).await.unwrap();
            let gone = peer.create(&create(name, CreateDisposition::OPEN)).await;
            assert_eq!(gone.map(|_| ()), Err(NtStatus::OBJECT_NAME_NOT_FOUND), "{name}");
        }
    }
}

#[tokio::test]
async fn what_listings_leave_out_keeps_a_directory() {
    let home = tempfile::tempdir().unwrap();
    let mut peer = Peer::ready(&local(home.path())).await;
    for (directory, inside) in [("link", "l"), ("odd", "a:b")] {
        fs::create_dir(home.path().join(directory)).unwrap();
        symlink("nowhere", home.path().join(directory).join(inside)).unwrap();
        let id = open(&mut peer, directory).await.unwrap();
        assert_eq!(doom(&mut peer, id).await, Err(NtStatus::DIRECTORY_NOT_EMPTY), "{directory}");
    }
    let latin = home.path().join("latin");
    fs::create_dir(&latin).unwrap();
    fs::write(latin.join(OsStr::from_bytes(b"\xe9")), b"").unwrap();
    let id = open(&mut peer, "latin").await.unwrap();
    assert_eq!(doom(&mut peer, id).await, Err(NtStatus::DIRECTORY_NOT_EMPTY));
    fs::remove_dir_all(&latin).unwrap();
    fs::create_dir(&latin).unwrap();
    let id = open(&mut peer, "latin").await.unwrap();
    doom(&mut peer, id).await.unwrap();
    peer.close(id).await.unwrap();
    assert!(!latin.exists());
}

#[tokio::test]
async fn a_name_is_the_same_for_all_after_a_move() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("a")).unwrap();
    fs::create_dir(home.path().join("b")).unwrap();
    fs::write(home.path().join("a/f"), b"").unwrap();
    let mut peer = Peer::ready(&local(home.path())).await;
    let to = |name: &str| RenameInformation { replace_if_exists: false, name: name.into() };
    let one = open(&mut peer, "a\\f").await.unwrap();
    set(&mut peer, one, &to("b\\f")).await.unwrap();
    let two = open(&mut peer, "b\\f").await.unwrap();
    set(&mut peer, two, &to("b\\g")).await.unwrap();
    doom(&mut peer, one).await.unwrap();
    peer.close(two).await.unwrap();
    peer.close(one).await.unwrap();
    assert!(!home.path().join("b/g").exists());
}

/// Also where the host itself ignores case: the temporary directory may be on such a file system.
#[tokio::test]
async fn a_name_is_the_same_however_it_is_spelled() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("File"), b"").unwrap();
    let mut peer = Peer::ready(&local(home.path())).await;
    let (one, two) = (open(&mut peer, "File").await.unwrap(), open(&mut peer, "FILE").await.unwrap());
    doom(&mut peer, one).await.unwrap();
    peer.close(one).await.unwrap();
    for name in ["File", "FILE", "file"] {
        assert_eq!(open(&mut peer, name).await, Err(NtStatus::DELETE_PENDING), "{name}");
    }
    assert!(home.path().join("File").exists());
    peer.close(two).await.unwrap();
    assert!(!home.path().join("File").exists());
}
