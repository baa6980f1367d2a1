//! The crate `smb2` on a server: `with-smb2 ADDR:PORT USER PASSWORD SHARE`. Fails at the first thing that is not as it should be.

use foreign_clients::{Called, SIZES, bytes};
use std::time::Duration;

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let called = Called::from_arguments();
    let mut client = smb2::connect(&called.address, &called.user, &called.password).await?;
    let shares = client.list_shares().await?;
    assert!(shares.iter().any(|s| s.name == called.share), "the share is listed: {shares:?}");
    let mut tree = client.connect_share(&called.share).await?;
    client.create_directory(&tree, "smb2").await?;
    for (seed, size) in SIZES.into_iter().enumerate() {
        let (path, data) = (format!("smb2/f{size}"), bytes(seed as u64, size));
        client.write_file(&tree, &path, &data).await?;
        assert_eq!(client.stat(&mut tree, &path).await?.size, size as u64, "{path}");
        // One READ at most, says the crate.
        if size <= 1 << 20 {
            assert!(client.read_file(&mut tree, &path).await? == data, "{path} differs");
        }
        let piped = format!("smb2/p{size}");
        client.write_file_pipelined(&mut tree, &piped, &data).await?;
        assert!(client.read_file_pipelined(&mut tree, &piped).await? == data, "{piped} differs");
    }
    let names: Vec<_> = client.list_directory(&mut tree, "smb2").await?.into_iter().map(|e| e.name).collect();
    assert_eq!(names.iter().filter(|n| *n != "." && *n != "..").count(), 2 * SIZES.len(), "{names:?}");
    client.rename(&tree, "smb2/f65537", "smb2/größer 漢字").await?;
    assert_eq!(client.stat(&mut tree, "smb2/größer 漢字").await?.size, 65_537);
    assert!(client.stat(&mut tree, "smb2/f65537").await.is_err(), "the old name is gone");
    assert!(client.fs_info(&mut tree).await?.total_bytes > 0);
    streams_and_attributes(&mut client, &mut tree).await?;
    watch(&mut client, &called, &tree).await?;
    for entry in client.list_directory(&mut tree, "smb2").await? {
        if entry.name != "." && entry.name != ".." {
            client.delete_file(&tree, &format!("smb2/{}", entry.name)).await?;
        }
    }
    client.delete_directory(&tree, "smb2").await?;
    client.disconnect_share(&tree).await?;
    println!("smb2: all as it should be");
    Ok(())
}

/// Alternate data streams and what macOS keeps in them.
async fn streams_and_attributes(client: &mut smb2::SmbClient, tree: &mut smb2::Tree) -> Result<(), Failure> {
    client.write_stream(tree, "smb2/f1", "second", b"beside the file").await?;
    assert_eq!(client.read_stream(tree, "smb2/f1", "second").await?, b"beside the file");
    let streams = client.list_streams(tree, "smb2/f1").await?;
    assert!(streams.iter().any(|s| s.name.contains("second")), "{streams:?}");
    client.delete_stream(tree, "smb2/f1", "second").await?;
    assert_eq!(client.stat(tree, "smb2/f1").await?.size, 1);
    Ok(())
}

/// A change made over a second connection is told.
async fn watch(client: &mut smb2::SmbClient, called: &Called, tree: &smb2::Tree) -> Result<(), Failure> {
    let mut watcher = client.watch(tree, "smb2", false).await?;
    let mut other = smb2::connect(&called.address, &called.user, &called.password).await?;
    let elsewhere = other.connect_share(&called.share).await?;
    let change = async {
        // The request to watch may still be under way: changes go on until one is seen.
        for n in 0..100 {
            other.write_file(&elsewhere, &format!("smb2/new{n}"), b"x").await?;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Err::<(), Failure>("100 changes, none told".into())
    };
    tokio::select! {
        events = watcher.next_events() => assert!(!events?.is_empty()),
        nothing = change => nothing?,
    }
    Ok(())
}
