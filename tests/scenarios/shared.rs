//! Several clients on the same files: locks, and changes as they are told.

use smb_client::{Change, Lock, OpenOptions, transfer::TransferOptions};
use smb_proto::{msg::NotifyFilter, status::NtStatus};
use smb_tests::{House, bounded, pattern, until};
use std::time::Duration;
use tokio::time::timeout;

#[tokio::test]
async fn a_lock_goes_to_who_waits_for_it() {
    let house = House::new();
    let (one, two) = (house.tree().await, house.tree().await);
    one.write("file", pattern(100, 1)).await.unwrap();
    let (one, two) = (
        OpenOptions::read_write().open(&one, "file").await.unwrap(),
        OpenOptions::read_write().open(&two, "file").await.unwrap(),
    );
    one.lock(0..10, Lock::Exclusive).await.unwrap();
    assert!(!two.try_lock(5..6, Lock::Shared).await.unwrap());
    assert!(two.try_lock(10..20, Lock::Shared).await.unwrap());
    let refused = two.write_at(9, "x").await.unwrap_err();
    assert_eq!(refused.status(), Some(NtStatus::FILE_LOCK_CONFLICT));
    let waiting = tokio::spawn({
        let two = two.clone();
        async move { two.lock(0..10, Lock::Exclusive).await }
    });
    one.unlock(0..10).await.unwrap();
    bounded("the lock", waiting).await.unwrap().unwrap();
    assert!(!one.try_lock(0..10, Lock::Exclusive).await.unwrap());
    let wrong = one.unlock(0..10).await.unwrap_err();
    assert_eq!(wrong.status(), Some(NtStatus::RANGE_NOT_LOCKED));
}

/// Whoever stops waiting for a lock, at whatever stage, leaves it to others.
#[tokio::test(start_paused = true)]
async fn a_lock_that_nobody_waits_for_any_more_is_free() {
    for patience in [0, 1, 50] {
        let house = House::new();
        let tree = house.tree().await;
        tree.write("file", pattern(100, 1)).await.unwrap();
        let one = OpenOptions::read_write().open(&tree, "file").await.unwrap();
        let two = OpenOptions::read_write().open(&tree, "file").await.unwrap();
        one.lock(0..10, Lock::Exclusive).await.unwrap();
        let given_up = timeout(Duration::from_millis(patience), two.lock(0..10, Lock::Exclusive)).await;
        assert!(given_up.is_err(), "it is held");
        one.unlock(0..10).await.unwrap();
        // What is granted to nobody comes back, if only after a moment.
        bounded("the lock", async {
            while !one.try_lock(0..10, Lock::Exclusive).await.unwrap() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        drop((one, two, tree));
        house.is_left_clean().await;
    }
}

#[tokio::test(start_paused = true)]
async fn changes_are_told_in_order() {
    let house = House::new();
    let (tree, other) = (house.tree().await, house.tree().await);
    tree.create_dir_all("top/d").await.unwrap();
    let filter = NotifyFilter::FILE_NAME | NotifyFilter::DIR_NAME;
    let mut watch = tree.watch("top", filter, true).await.unwrap();
    // From the first request on the server remembers.
    assert!(timeout(Duration::from_millis(50), watch.next()).await.is_err(), "nothing has happened");
    other.write("top/d/new", pattern(10, 1)).await.unwrap();
    other.rename("top/d/new", "top/d/moved", false).await.unwrap();
    other.remove_file("top/d/moved").await.unwrap();
    for wanted in [
        Change::Added("d/new".into()),
        Change::Renamed { from: "d/new".into(), to: "d/moved".into() },
        Change::Removed("d/moved".into()),
    ] {
        assert_eq!(bounded("a change", watch.next()).await.unwrap(), wanted);
    }
    drop((watch, tree, other));
    house.is_left_clean().await;
    until("the end", || house.handle.sessions() == 0).await;
}

#[tokio::test]
async fn a_copy_is_made_by_a_server_that_can() {
    let house = House::new();
    let tree = house.tree().await;
    tree.write("from", pattern(20_000_000, 1)).await.unwrap();
    let copied = tree.copy("from", "to", &TransferOptions::new()).await.unwrap();
    assert_eq!(copied.way, smb_client::CopyWay::Server);
    assert!(tree.read("to").await.unwrap() == pattern(20_000_000, 1));
}
