//! Watching directories.

use crate::peer::*;
use smb_proto::{
    command::Command,
    compound,
    fscc::{Information, RenameInformation, notify},
    msg::*,
    status::NtStatus,
};

const NAMES: NotifyFilter = NotifyFilter(NotifyFilter::FILE_NAME.0 | NotifyFilter::DIR_NAME.0);

fn request(file_id: FileId, filter: NotifyFilter, watch_tree: bool) -> ChangeNotifyRequest {
    ChangeNotifyRequest { watch_tree, output_len: 1000, file_id, filter }
}

async fn directory(peer: &mut Peer, name: &str) -> FileId {
    let options = CreateOptions::DIRECTORY_FILE;
    // Not to delete: nothing could be renamed in it.
    let desired_access = Access::GENERIC_READ;
    let request = CreateRequest { options, desired_access, ..create(name, CreateDisposition::OPEN_IF) };
    peer.create(&request).await.unwrap().file_id
}

/// The answer to a request that may have been answered with an interim response first.
async fn changes(peer: &mut Peer, id: u64) -> Result<Vec<(u32, String)>, NtStatus> {
    let reply = peer.answer(id).await;
    if reply.status() != NtStatus::SUCCESS {
        return Err(reply.status());
    }
    let output = reply.body::<ChangeNotifyResponse>().output;
    let record = |record: Result<notify::NotifyRecord, _>| {
        let record = record.unwrap();
        (record.action.0, record.name.to_string())
    };
    Ok(notify::records(&output).map(record).collect())
}

async fn rename(peer: &mut Peer, file_id: FileId, name: &str) {
    let input = RenameInformation { replace_if_exists: false, name: name.into() }.to_bytes();
    let class = smb_proto::fscc::FileInformationClass::RENAME.0;
    let set = SetInfoRequest { info_type: InfoType::FILE, class, additional_information: 0, file_id, input };
    peer.call::<SetInfoResponse>(&set).await.unwrap();
}

#[tokio::test]
async fn what_others_do_is_told() {
    let server = plain();
    let mut one = Peer::ready(&server).await;
    let mut two = Peer::ready(&server).await;
    let watched = directory(&mut one, "d").await;
    let id = one.send(&request(watched, NAMES, false), 1).await;
    assert_eq!(one.recv().await.status(), NtStatus::PENDING);
    let file = two.file("d\\a").await;
    assert_eq!(changes(&mut one, id).await.unwrap(), [(1, "a".into())]);
    // Between two requests changes are kept.
    two.write(file, 0, b"not a name").await.unwrap();
    rename(&mut two, file, "d\\b").await;
    two.close(file).await.unwrap();
    let id = one.send(&request(watched, NAMES, false), 1).await;
    assert_eq!(changes(&mut one, id).await.unwrap(), [(4, "a".into()), (5, "b".into())]);
    let id = one.send(&request(watched, NAMES, false), 1).await;
    let delete =
        CreateRequest { options: CreateOptions::DELETE_ON_CLOSE, ..create("d\\b", CreateDisposition::OPEN) };
    let file = two.create(&delete).await.unwrap().file_id;
    two.close(file).await.unwrap();
    assert_eq!(changes(&mut one, id).await.unwrap(), [(2, "b".into())]);
}

#[tokio::test]
async fn the_tree_below_and_writes() {
    let server = plain();
    let mut one = Peer::ready(&server).await;
    let mut two = Peer::ready(&server).await;
    let root = directory(&mut one, "").await;
    directory(&mut one, "d").await;
    let file = two.file("d\\a").await;
    let id = one.send(&request(root, NotifyFilter::LAST_WRITE, true), 1).await;
    two.write(file, 0, b"x").await.unwrap();
    assert_eq!(changes(&mut one, id).await.unwrap(), [(3, "d\\a".into())]);
}

#[tokio::test]
async fn too_many_changes_are_not_listed() {
    let server = plain();
    let mut peer = Peer::ready(&server).await;
    let watched = directory(&mut peer, "d").await;
    let small = ChangeNotifyRequest { output_len: 20, ..request(watched, NAMES, false) };
    let id = peer.send(&small, 1).await;
    let mut other = Peer::ready(&server).await;
    other.file("d\\a long name").await;
    assert_eq!(changes(&mut peer, id).await, Err(NtStatus::NOTIFY_ENUM_DIR));
}

#[tokio::test]
async fn ends_by_cancel_close_and_removal() {
    let server = plain();
    let mut peer = Peer::ready(&server).await;
    let watched = directory(&mut peer, "d").await;
    let id = peer.send(&request(watched, NAMES, false), 1).await;
    let mut cancel = smb_proto::header::Header::request(Command::CANCEL, id);
    cancel.session_id = peer.session;
    peer.raw(&compound::single(&cancel, &CancelRequest)).await;
    assert_eq!(changes(&mut peer, id).await, Err(NtStatus::CANCELLED));
    let id = peer.send(&request(watched, NAMES, false), 1).await;
    assert_eq!(peer.recv().await.status(), NtStatus::PENDING);
    let close = peer.send(&CloseRequest { flags: CloseFlags::NONE, file_id: watched }, 1).await;
    let mut answers = [peer.recv().await, peer.recv().await].map(|r| (r.header.message_id, r.status()));
    answers.sort_by_key(|(id, _)| *id);
    assert_eq!(answers, [(id, NtStatus::NOTIFY_CLEANUP), (close, NtStatus::SUCCESS)]);
    let watched = directory(&mut peer, "d").await;
    let id = peer.send(&request(watched, NAMES, false), 1).await;
    let mut other = Peer::ready(&server).await;
    let options = CreateOptions::DELETE_ON_CLOSE;
    let delete = CreateRequest { options, ..create("d", CreateDisposition::OPEN) };
    let doomed = other.create(&delete).await.unwrap().file_id;
    other.close(doomed).await.unwrap();
    assert_eq!(changes(&mut peer, id).await, Err(NtStatus::DELETE_PENDING));
}

#[tokio::test]
async fn files_and_opens_that_may_not_list_are_not_watched() {
    let server = plain();
    let mut peer = Peer::ready(&server).await;
    let file = peer.file("f").await;
    let id = peer.send(&request(file, NAMES, false), 1).await;
    assert_eq!(changes(&mut peer, id).await, Err(NtStatus::INVALID_PARAMETER));
    let open =
        CreateRequest { desired_access: Access::READ_ATTRIBUTES, ..create("", CreateDisposition::OPEN) };
    let root = peer.create(&open).await.unwrap().file_id;
    let id = peer.send(&request(root, NAMES, false), 1).await;
    assert_eq!(changes(&mut peer, id).await, Err(NtStatus::ACCESS_DENIED));
}

/// Every change is told once, whoever made it.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_host_does_is_told_too() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("sub")).unwrap();
    let local = smb_server::backend::LocalShare::open(directory.path(), Default::default()).unwrap();
    let server = server(smb_server::Share::new("data", local), |builder| builder);
    let mut one = Peer::ready(&server).await;
    let mut two = Peer::ready(&server).await;
    let root = self::directory(&mut one, "").await;
    let all = ChangeNotifyRequest { output_len: 60_000, ..request(root, NAMES, true) };
    let mut id = one.send(&all, 1).await;
    // The host's changes are told from a moment on that nobody hears of.
    let at = directory.path().to_owned();
    let told = std::sync::Arc::new(tokio::sync::Notify::new());
    let heard = told.clone();
    let probes = tokio::spawn(async move {
        for number in 0.. {
            std::fs::write(at.join(format!("probe {number}")), "").unwrap();
            let pause = std::time::Duration::from_millis(10);
            if tokio::time::timeout(pause, heard.notified()).await.is_ok() {
                return;
            }
        }
    });
    changes(&mut one, id).await.unwrap();
    told.notify_one();
    probes.await.unwrap();
    let file = two.file("sub\\own").await;
    two.write(file, 0, b"x").await.unwrap();
    rename(&mut two, file, "sub\\renamed").await;
    std::fs::write(directory.path().join("sub/theirs"), "x").unwrap();
    std::fs::rename(directory.path().join("sub/theirs"), directory.path().join("sub/moved")).unwrap();
    std::fs::remove_file(directory.path().join("sub/moved")).unwrap();
    let mut seen = Vec::new();
    while !seen.contains(&(2, "sub\\moved".to_owned())) {
        id = one.send(&all, 1).await;
        seen.extend(changes(&mut one, id).await.unwrap());
    }
    seen.retain(|(_, name)| !name.starts_with("probe"));
    let expected = [
        (1, "sub\\own"),
        (4, "sub\\own"),
        (5, "sub\\renamed"),
        (1, "sub\\theirs"),
        (4, "sub\\theirs"),
        (5, "sub\\moved"),
        (2, "sub\\moved"),
    ];
    assert_eq!(seen, expected.map(|(action, name)| (action, name.to_owned())));
}
