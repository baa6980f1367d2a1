//! A client that does everything at once until it is killed, wherever it is then.

use crate::{PASSWORD, SHARES, USER, Wrong, client};
use smb_client::{Client, Lock, OpenOptions, migration::StreamWriter};
use smb_proto::{msg::NotifyFilter, status::NtStatus};
use smb_tests::{Random, random_bytes};
use tokio::task::JoinSet;

/// Where victims leave what they leave.
const PLACE: &str = "victims";

/// Works until it is killed; what fails is told.
pub fn run(address: &str, seed: u64) -> Result<(), Wrong> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let mut work: JoinSet<Result<(), Wrong>> = JoinSet::new();
        for (n, share) in (0u64..).zip(SHARES) {
            let (moves, mut random) = (address.to_owned(), Random::new(seed + n));
            work.spawn(async move { files(&moves, share, &mut random).await });
            let (waits_at, mut random) = (address.to_owned(), Random::new(seed + n + 10));
            work.spawn(async move { waits(&waits_at, share, &mut random).await });
        }
        let (address, mut random) = (address.to_owned(), Random::new(seed + 20));
        work.spawn(async move { streams(&address, &mut random).await });
        match work.join_next().await {
            Some(ended) => ended?,
            None => Ok(()),
        }
    })
}

/// Large files up and down.
async fn files(address: &str, share: &str, random: &mut Random) -> Result<(), Wrong> {
    let session = client(random).connect(address).await?;
    let tree = session.tree(share).await?;
    tree.create_dir_all(PLACE).await?;
    let path = format!("{PLACE}/{}", random.next());
    loop {
        tree.write(&path, random_bytes(usize::try_from(random.below(16 << 20))?, 1)).await?;
        tree.read(&path).await?;
    }
}

/// Holds a lock, waits for another that nobody gives up, watches, and lists meanwhile.
async fn waits(address: &str, share: &str, random: &mut Random) -> Result<(), Wrong> {
    let session = client(random).connect(address).await?;
    let tree = session.tree(share).await?;
    tree.create_dir_all(PLACE).await?;
    let path = format!("{PLACE}/{}", random.next());
    let (holds, waits) = (OpenOptions::read_write(), OpenOptions::read_write());
    let (holds, waits) = (holds.open(&tree, &path).await?, waits.open(&tree, &path).await?);
    holds.lock(0..10, Lock::Exclusive).await?;
    let mut watch = tree.watch(PLACE, NotifyFilter::FILE_NAME, true).await?;
    let listing = async {
        loop {
            tree.read_dir(PLACE).await?.collect().await?;
        }
    };
    let watching = async {
        loop {
            watch.next().await?;
        }
    };
    tokio::select! {
        ended = listing => ended,
        ended = watching => ended,
        ended = waits.lock(5..15, Lock::Exclusive) => Ok(ended?),
    }
}

/// Streams that never end well.
async fn streams(address: &str, random: &mut Random) -> Result<(), Wrong> {
    let session = client(random).connect(address).await?;
    let tree = session.tree("streams").await?;
    let mut stream = StreamWriter::create(&tree, &format!("victim-{}", random.next())).await?;
    loop {
        let buf = stream.buffer();
        stream.write_buf(buf).await?;
    }
}

/// Removes what victims have left.
pub async fn clean_up(address: &str) -> Result<(), Wrong> {
    let session = Client::builder().user(USER, PASSWORD).connect(address).await?;
    for share in SHARES {
        match session.tree(share).await?.remove_dir_all(PLACE).await {
            Err(error) if error.status() != Some(NtStatus::OBJECT_NAME_NOT_FOUND) => return Err(error.into()),
            _ => {}
        }
    }
    session.log_off().await;
    Ok(())
}
