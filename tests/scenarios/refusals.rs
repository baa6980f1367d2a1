//! What the server refuses: each with its own status, and nothing else suffers.

use smb_client::{Client, Error, Signing, transfer};
use smb_proto::status::NtStatus;
use smb_tests::{House, PASSWORD, USER, client, pattern};

fn refused<T: std::fmt::Debug>(outcome: Result<T, Error>, status: NtStatus) {
    match outcome {
        Err(Error::Status(refusal)) => assert_eq!(refusal.status, status),
        other => panic!("{status:?} is wanted, not {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn wrong_password_or_user() {
    let house = House::new();
    let refusals = [(USER, "wrong"), ("mallory", PASSWORD), (USER, ""), ("", "")];
    for (user, password) in refusals {
        let builder = Client::builder().user(user, password);
        let outcome = builder.connect_over(Box::new(house.dial()), "server").await;
        refused(outcome, NtStatus::LOGON_FAILURE);
    }
    let anonymous = Client::builder().signing(Signing::Allowed);
    let outcome = anonymous.connect_over(Box::new(house.dial()), "server").await;
    assert!(outcome.unwrap_err().status().is_some());
    house.still_serves().await;
    house.is_left_clean().await;
}

#[tokio::test(start_paused = true)]
async fn unknown_share() {
    let house = House::new();
    let session = house.session().await;
    refused(session.tree("nothing").await, NtStatus::BAD_NETWORK_NAME);
    session.tree("DATA").await.expect("the session goes on, and names have no case");
    house.still_serves().await;
}

#[tokio::test(start_paused = true)]
async fn read_only_share() {
    let house = House::new();
    let tree = house.tree().await;
    tree.create("file").await.unwrap().write_at(0, "content").await.unwrap();
    let ro = tree.session().tree("ro").await.unwrap();
    let file = ro.open("file").await.unwrap();
    assert_eq!(file.read_at(0, 100).await.unwrap(), "content");
    refused(file.write_at(0, "other").await, NtStatus::ACCESS_DENIED);
    refused(ro.create("new").await, NtStatus::ACCESS_DENIED);
    refused(ro.create_dir("new").await, NtStatus::ACCESS_DENIED);
    refused(ro.rename("file", "other", false).await, NtStatus::ACCESS_DENIED);
    refused(ro.remove_file("file").await, NtStatus::ACCESS_DENIED);
    assert_eq!(file.read_at(0, 100).await.unwrap(), "content");
}

#[tokio::test(start_paused = true)]
async fn names_that_are_not_there() {
    let house = House::new();
    let tree = house.tree().await;
    refused(tree.open("missing").await, NtStatus::OBJECT_NAME_NOT_FOUND);
    refused(tree.open("no/such/path").await, NtStatus::OBJECT_PATH_NOT_FOUND);
    refused(tree.metadata("missing").await, NtStatus::OBJECT_NAME_NOT_FOUND);
    refused(tree.remove_file("missing").await, NtStatus::OBJECT_NAME_NOT_FOUND);
    refused(tree.rename("missing", "other", false).await, NtStatus::OBJECT_NAME_NOT_FOUND);
    tree.create_dir("dir").await.unwrap();
    refused(tree.create_dir("dir").await, NtStatus::OBJECT_NAME_COLLISION);
    refused(tree.open("dir").await, NtStatus::FILE_IS_A_DIRECTORY);
    tree.create("dir/file").await.unwrap().close().await.unwrap();
    refused(tree.remove_dir("dir").await, NtStatus::DIRECTORY_NOT_EMPTY);
    refused(tree.remove_dir("dir/file").await, NtStatus::NOT_A_DIRECTORY);
    drop(tree);
    house.is_left_clean().await;
}

#[tokio::test(start_paused = true)]
async fn full_disk() {
    let house = House::with_room(4 << 20);
    let tree = house.tree().await;
    let file = tree.create("file").await.unwrap();
    file.write_at(0, pattern(3 << 20, 1)).await.unwrap();
    refused(file.write_at(3 << 20, pattern(2 << 20, 2)).await, NtStatus::DISK_FULL);
    assert!(file.set_len(100 << 30).await.is_err_and(|error| error.status() == Some(NtStatus::DISK_FULL)));
    file.close().await.unwrap();
    let file = tree.open("file").await.unwrap();
    assert!(file.read_at(0, 3 << 20).await.unwrap() == pattern(3 << 20, 1), "what was there stays");
    file.close().await.unwrap();
    tree.remove_file("file").await.unwrap();
    house.still_serves().await;
    drop(tree);
    house.is_left_clean().await;
}

#[tokio::test]
async fn disk_that_fills_up_during_an_upload() {
    let house = House::with_room(4 << 20);
    let tree = house.tree().await;
    let file = tree.create("file").await.unwrap();
    let mut source = transfer::MemorySource::new(pattern(1 << 20, 1).into(), 16 << 20);
    let outcome = transfer::upload(&file, &mut source, &transfer::TransferOptions::new()).await;
    refused(outcome, NtStatus::DISK_FULL);
    file.close().await.unwrap();
    tree.remove_file("file").await.unwrap();
    house.still_serves().await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_requires_what_the_client_does_not_want() {
    use smb_client::UsageError;
    let signing = House::with(|builder| builder.signing(smb_server::Policy::Required));
    let outcome = client().signing(Signing::Off).connect_over(Box::new(signing.dial()), "server").await;
    assert!(matches!(outcome, Err(Error::Usage(UsageError::SigningOff))), "{outcome:?}");
    signing.still_serves().await;
    let sealing = House::with(|builder| builder.encryption(smb_server::Policy::Required));
    assert!(client().ciphers(&[]).connect_over(Box::new(sealing.dial()), "server").await.is_err());
    sealing.still_serves().await;
}
