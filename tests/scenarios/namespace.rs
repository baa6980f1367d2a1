//! What is done by name: one round trip each, trees removed to the last entry, copies that say how they were made.

use smb_client::{CopyWay, Error, MetadataChange, transfer::TransferOptions};
use smb_proto::{msg::FileAttributes, status::NtStatus};
use smb_tests::{House, bounded, client, pattern};
use smb_transport::Faults;
use std::time::{Duration, UNIX_EPOCH};

#[tokio::test]
async fn one_round_trip_each() {
    let house = House::new();
    let faults = Faults::default();
    let session = client().connect_over(house.dial_through(&faults), "server").await.unwrap();
    let tree = session.tree("data").await.unwrap();
    tree.create("file").await.unwrap().close().await.unwrap();
    tree.create_dir("dir").await.unwrap();
    let change = MetadataChange::new().modified(UNIX_EPOCH + Duration::from_secs(1_000_000_000));
    let sent = || faults.outgoing.seen();
    let before = sent();
    tree.metadata("file").await.unwrap();
    assert!(tree.exists("dir").await.unwrap() && !tree.exists("dir/none").await.unwrap());
    tree.set_metadata("file", &change).await.unwrap();
    tree.set_len("file", 1000).await.unwrap();
    tree.rename("file", "dir/renamed", false).await.unwrap();
    tree.space().await.unwrap();
    tree.remove_file("dir/renamed").await.unwrap();
    tree.remove_dir("dir").await.unwrap();
    assert_eq!(sent() - before, 9, "frames");
}

#[tokio::test]
async fn what_was_changed_is_there() {
    let tree = House::new().tree().await;
    tree.create("file").await.unwrap().write_at(0, pattern(100, 1)).await.unwrap();
    let time = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    tree.set_metadata("file", &MetadataChange::new().modified(time).created(time)).await.unwrap();
    tree.set_metadata("file", &MetadataChange::new().attributes(FileAttributes::READONLY)).await.unwrap();
    let metadata = tree.metadata("file").await.unwrap();
    assert_eq!((metadata.modified(), metadata.size), (Some(time), 100));
    assert!(metadata.attributes.contains(FileAttributes::READONLY) && metadata.is_file());
    tree.set_metadata("file", &MetadataChange::new().attributes(FileAttributes::NORMAL)).await.unwrap();
    tree.set_len("file", 7).await.unwrap();
    let file = tree.open("file").await.unwrap();
    assert_eq!(file.metadata().await.unwrap().size, 7);
    assert!(file.read_at(0, 100).await.unwrap() == pattern(7, 1));
    let space = tree.space().await.unwrap();
    assert!(space.available <= space.free && space.free <= space.total && space.unit > 0, "{space:?}");
}

#[tokio::test]
async fn directories_with_those_above_them() {
    let tree = House::new().tree().await;
    tree.create_dir_all("a/b/c/d").await.unwrap();
    tree.create_dir_all("a/b/c/d").await.unwrap();
    tree.create_dir_all("a/b/x/y").await.unwrap();
    tree.create_dir_all("").await.unwrap();
    assert!(tree.metadata("a/b/x/y").await.unwrap().is_dir());
    tree.create("a/file").await.unwrap().close().await.unwrap();
    let refused = tree.create_dir_all("a/file").await.unwrap_err();
    assert_eq!(refused.status(), Some(NtStatus::OBJECT_NAME_COLLISION));
    assert!(tree.create_dir_all("a/file/below").await.is_err());
}

#[tokio::test]
async fn trees_are_removed_to_the_last_entry() {
    let house = House::new();
    let tree = house.tree().await;
    for dir in ["t/one/two/three", "t/empty", "t/wide"] {
        tree.create_dir_all(dir).await.unwrap();
    }
    for n in 0..300 {
        tree.create(&format!("t/wide/{n}")).await.unwrap().close().await.unwrap();
    }
    for path in ["t/one/a", "t/one/two/b", "t/one/two/three/c"] {
        tree.create(path).await.unwrap().close().await.unwrap();
    }
    tree.create("beside").await.unwrap().close().await.unwrap();
    let removed = bounded("removing a tree", tree.remove_dir_all("t")).await.unwrap();
    assert_eq!((removed.files, removed.directories), (303, 6));
    let left = tree.read_dir("").await.unwrap().collect().await.unwrap();
    assert_eq!(left.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>(), ["beside"]);
    assert!(tree.remove_dir_all("t").await.unwrap_err().is_not_found());
    assert!(matches!(tree.remove_dir_all("").await, Err(Error::Usage(_))));
    drop(tree);
    house.is_left_clean().await;
}

#[tokio::test]
async fn a_deep_tree_is_no_recursion() {
    let tree = House::new().tree().await;
    let path = vec!["d"; 500].join("/");
    tree.create_dir_all(&path).await.unwrap();
    let removed = bounded("removing a deep tree", tree.remove_dir_all("d")).await.unwrap();
    assert_eq!((removed.files, removed.directories), (0, 500));
}

#[tokio::test]
async fn a_tree_with_a_file_in_use_says_so() {
    let house = House::new();
    let tree = house.tree().await;
    tree.create_dir_all("t/d").await.unwrap();
    let held = smb_client::OpenOptions::read_write()
        .share(smb_proto::msg::ShareAccess::READ)
        .open(&tree, "t/d/held")
        .await
        .unwrap();
    let refused = tree.remove_dir_all("t").await.unwrap_err();
    assert_eq!(refused.status(), Some(NtStatus::SHARING_VIOLATION));
    held.close().await.unwrap();
    tree.remove_dir_all("t").await.unwrap();
}

#[tokio::test]
async fn copies_are_whole_however_they_are_made() {
    let house = House::new();
    let tree = house.tree().await;
    for (n, len) in [0, 1, 5_000_000, 40_000_003].into_iter().enumerate() {
        let data = pattern(len, n);
        tree.create("from").await.unwrap().write_at(0, data.clone()).await.unwrap();
        tree.create("to").await.unwrap().write_at(0, pattern(60_000_000, 9)).await.unwrap();
        let options = TransferOptions::new();
        let copied = bounded("a copy", tree.copy("from", "to", &options)).await.unwrap();
        assert_eq!(copied.bytes, u64::try_from(len).unwrap());
        if let CopyWay::Client(status) = copied.way {
            let known = [NtStatus::NOT_SUPPORTED, NtStatus::INVALID_DEVICE_REQUEST];
            assert!(known.contains(&status), "the server's word for what it cannot do: {status}");
        }
        let file = tree.open("to").await.unwrap();
        assert_eq!(file.opened().size, copied.bytes);
        assert!(file.read_at(0, len + 1).await.unwrap() == data, "{len} bytes");
    }
    assert!(tree.copy("none", "to", &TransferOptions::new()).await.unwrap_err().is_not_found());
}
