//! Whole files and trees: small ones in one round trip, interrupted ones resumed, and never a wrong byte.

use smb_client::{Error, Session, Tree, transfer::*};
use smb_tests::{House, bounded, client, pattern};
use smb_transport::{Faults, fault::Action};
use std::{fs, path::Path};

const MIB: usize = 1 << 20;

/// A session over a connection that breaks at the outgoing message `n`.
async fn breaking_at(house: &House, n: usize) -> (Session, Tree) {
    let faults = Faults::default();
    faults.outgoing.on(n, Action::Cut { keep: 10 });
    let session = client().connect_over(house.dial_through(&faults), "server").await.unwrap();
    let tree = session.tree("data").await.unwrap();
    (session, tree)
}

fn options() -> TransferOptions {
    TransferOptions::new().resume(true).checkpoint_every(4 << 20).window(MIB)
}

async fn put_whole(tree: &Tree, path: &str, data: &[u8]) {
    tree.write(path, data.to_vec()).await.unwrap();
}

#[tokio::test]
async fn small_files_take_one_round_trip() {
    let house = House::new();
    let faults = Faults::default();
    let session = client().connect_over(house.dial_through(&faults), "server").await.unwrap();
    let tree = session.tree("data").await.unwrap();
    let before = faults.outgoing.seen();
    for (n, len) in [0, 1, 4096, 65_535].into_iter().enumerate() {
        tree.write(&n.to_string(), pattern(len, n)).await.unwrap();
    }
    assert_eq!(faults.outgoing.seen() - before, 4);
    for (n, len) in [0, 1, 4096, 65_535].into_iter().enumerate() {
        assert!(tree.read(&n.to_string()).await.unwrap() == pattern(len, n));
        assert_eq!(house.handle.open_files(), 0, "it is closed");
    }
    assert_eq!(faults.outgoing.seen() - before, 8);
    for len in [65_536, 65_537, 5 * MIB + 3] {
        tree.write("large", pattern(len, 1)).await.unwrap();
        assert!(tree.read("large").await.unwrap() == pattern(len, 1), "{len}");
        assert_eq!(house.handle.open_files(), 0, "it is closed");
    }
    tree.write("large", pattern(10, 2)).await.unwrap();
    assert!(tree.read("large").await.unwrap() == pattern(10, 2), "the longer one is replaced");
    drop((tree, session));
    house.is_left_clean().await;
}

#[tokio::test]
async fn an_interrupted_download_goes_on() {
    let house = House::new();
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().join("file");
    let data = pattern(40 * MIB + 5, 1);
    put_whole(&house.tree().await, "file", &data).await;
    let (_session, tree) = breaking_at(&house, 30).await;
    let file = tree.open("file").await.unwrap();
    let broken = bounded("a download that breaks", download_to(&file, &here, &options())).await.unwrap_err();
    assert!(matches!(broken, Error::Transport(_) | Error::OpenLost(_)), "{broken:?}");
    assert!(!here.exists() && part_of(&here).exists());
    let file = house.tree().await.open("file").await.unwrap();
    let done = bounded("the rest", download_to(&file, &here, &options())).await.unwrap();
    assert!(done.resumed_at >= 4 << 20 && done.bytes == u64::try_from(data.len()).unwrap(), "{done:?}");
    assert!(fs::read(&here).unwrap() == data);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no part and no checkpoint is left");
}

#[tokio::test]
async fn a_download_of_another_file_begins_anew() {
    for damage in ["remote", "local"] {
        let house = House::new();
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path().join("file");
        put_whole(&house.tree().await, "file", &pattern(40 * MIB, 1)).await;
        let (_session, tree) = breaking_at(&house, 30).await;
        let file = tree.open("file").await.unwrap();
        download_to(&file, &here, &options()).await.unwrap_err();
        let mut wanted = pattern(40 * MIB, 1);
        if damage == "remote" {
            wanted = pattern(41 * MIB, 2);
            put_whole(&house.tree().await, "file", &wanted).await;
        } else {
            let mut part = fs::read(part_of(&here)).unwrap();
            part[100] ^= 1;
            fs::write(part_of(&here), part).unwrap();
        }
        let file = house.tree().await.open("file").await.unwrap();
        let done = download_to(&file, &here, &options()).await.unwrap();
        assert_eq!(done.resumed_at, 0, "{damage}");
        assert!(fs::read(&here).unwrap() == wanted, "{damage}");
    }
}

/// An upload that broke in the middle; what it was to be.
async fn broken_upload(house: &House, here: &Path) -> Vec<u8> {
    let data = pattern(40 * MIB + 5, 1);
    fs::write(here, &data).unwrap();
    let (_session, tree) = breaking_at(house, 30).await;
    let broken = bounded("an upload that breaks", upload_file(here, &tree, "file", &options())).await;
    assert!(matches!(broken, Err(Error::Transport(_) | Error::OpenLost(_))), "{broken:?}");
    data
}

#[tokio::test]
async fn an_interrupted_upload_goes_on() {
    let house = House::new();
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().join("file");
    let data = broken_upload(&house, &here).await;
    let tree = house.tree().await;
    let done = bounded("the rest", upload_file(&here, &tree, "file", &options())).await.unwrap();
    assert!(done.resumed_at >= 4 << 20, "{done:?}");
    assert!(tree.read("file").await.unwrap() == data);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no checkpoint is left");
}

#[tokio::test]
async fn an_upload_to_another_file_begins_anew() {
    for damage in ["remote", "replaced", "local"] {
        let house = House::new();
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path().join("file");
        let mut data = broken_upload(&house, &here).await;
        let tree = house.tree().await;
        match damage {
            "remote" => {
                let file = smb_client::OpenOptions::read_write().open(&tree, "file").await.unwrap();
                let size = usize::try_from(file.size().await.unwrap()).unwrap();
                file.write_at(0, pattern(size, 7)).await.unwrap();
            }
            "replaced" => {
                tree.remove_file("file").await.unwrap();
            }
            _ => {
                data = pattern(39 * MIB, 5);
                fs::write(&here, &data).unwrap();
            }
        }
        let done = upload_file(&here, &tree, "file", &options()).await.unwrap();
        assert_eq!(done.resumed_at, 0, "{damage}");
        assert!(tree.read("file").await.unwrap() == data, "{damage}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_is_shared_by_all_files_of_a_tree() {
    let house = House::new();
    let tree = house.tree().await;
    tree.create_dir("d").await.unwrap();
    for n in 0..4 {
        tree.write(&format!("d/{n}"), pattern(50_000, n)).await.unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let options = TransferOptions::new().limit(1_000_000);
    let done = download_tree(&tree, "d", folder.path(), &options).await.unwrap();
    assert_eq!((done.files, done.bytes), (4, 200_000));
    assert!(done.elapsed.as_millis() >= 100, "{:?}", done.elapsed);
}

#[tokio::test]
async fn a_tree_names_what_failed() {
    let house = House::new();
    let tree = house.tree().await;
    tree.create_dir_all("d/e").await.unwrap();
    tree.write("d/e/held", pattern(10, 1)).await.unwrap();
    let _held = smb_client::OpenOptions::read_write()
        .share(smb_proto::msg::ShareAccess::NONE)
        .open(&tree, "d/e/held")
        .await
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let failed = download_tree(&tree, "d", folder.path(), &TransferOptions::new()).await.unwrap_err();
    assert!(failed.to_string().contains("e/held"), "{failed}");
    assert!(!folder.path().join("e/held").exists());
}

/// A file that is called as another one is until it is complete.
#[tokio::test]
async fn names_that_look_like_parts_are_names() {
    let house = House::new();
    let tree = house.tree().await;
    tree.create_dir("d").await.unwrap();
    let names = ["a", "a.part", "a.part.part", "b.part", "b"];
    for (n, name) in names.into_iter().enumerate() {
        tree.write(&format!("d/{name}"), pattern(MIB + n, n)).await.unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("c.part"), b"mine").unwrap();
    tree.write("d/c", pattern(10, 9)).await.unwrap();
    for options in [TransferOptions::new(), options()] {
        download_tree(&tree, "d", folder.path(), &options).await.unwrap();
        for (n, name) in names.into_iter().enumerate() {
            assert!(fs::read(folder.path().join(name)).unwrap() == pattern(MIB + n, n), "{name}");
        }
        assert_eq!(fs::read(folder.path().join("c.part")).unwrap(), b"mine");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), names.len() + 2, "nothing else");
    }
}

/// A download of a tree that is resumed goes on with the file it was at; an upload leaves checkpoints where they are.
#[tokio::test]
async fn an_interrupted_tree_goes_on() {
    let house = House::new();
    let folder = tempfile::tempdir().unwrap();
    let (here, back) = (folder.path().join("here"), folder.path().join("back"));
    fs::create_dir(&here).unwrap();
    let data = pattern(40 * MIB + 5, 1);
    fs::write(here.join("image"), &data).unwrap();
    fs::write(here.join("notes.checkpoint"), b"not ours").unwrap();
    let (_session, tree) = breaking_at(&house, 200).await;
    upload_tree(&here, &tree, "up", &options()).await.unwrap_err();
    assert!(here.join("image.checkpoint").exists(), "there is something to go on from");
    upload_tree(&here, &house.tree().await, "up", &options()).await.unwrap();
    let mut names: Vec<_> = house.tree().await.read_dir("up").await.unwrap().collect().await.unwrap();
    names.sort_by(|a, b| a.name.cmp(&b.name));
    let names: Vec<_> = names.into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, ["image", "notes.checkpoint"]);
    assert!(!here.join("image.checkpoint").exists());
    let (_session, tree) = breaking_at(&house, 200).await;
    download_tree(&tree, "up", &back, &options()).await.unwrap_err();
    assert!(!back.join("image").exists());
    download_tree(&house.tree().await, "up", &back, &options()).await.unwrap();
    assert!(fs::read(back.join("image")).unwrap() == data);
    assert_eq!(fs::read_dir(&back).unwrap().count(), 2, "no part and no checkpoint is left");
}
