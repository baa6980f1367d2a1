//! Several clients of one file or directory: locks that keep them apart, and word of changes.

use crate::{Round, Worker, Wrong, client, expect};
use smb_client::{Change, Lock, OpenOptions};
use smb_proto::msg::NotifyFilter;
use smb_tests::{Random, bounded};
use std::time::Duration;
use tokio::task::JoinSet;

const CLIENTS: u64 = 4;
const TURNS: u64 = 25;

/// A number that several sessions count up, each under a lock: none of the counts is lost.
pub async fn locks(round: &Round, share: &str, n: u64) -> Result<u64, Wrong> {
    let mut worker = Worker::start("locks", round, share, n).await?;
    let path = format!("{}/number", worker.dir);
    while worker.goes_on() {
        worker.tree.write(&path, 0u64.to_le_bytes().to_vec()).await?;
        let mut counting: JoinSet<Result<(), Wrong>> = JoinSet::new();
        for _ in 0..CLIENTS {
            let (round, share, path, seed) =
                (round.clone(), share.to_owned(), path.clone(), worker.random.next());
            counting.spawn(async move { count(&round, &share, &path, seed).await });
        }
        while let Some(done) = counting.join_next().await {
            done??;
        }
        let counted = worker.tree.read(&path).await?;
        expect(counted[..] == (CLIENTS * TURNS).to_le_bytes(), || format!("counted to {counted:?}"))?;
        worker.done += 1;
    }
    worker.end().await
}

async fn count(round: &Round, share: &str, path: &str, seed: u64) -> Result<(), Wrong> {
    let mut random = Random::new(seed);
    let session = client(&mut random).connect(&round.address).await?;
    let tree = session.tree(share).await?;
    let file = OpenOptions::read_write().open(&tree, path).await?;
    for _ in 0..TURNS {
        if random.below(4) == 0 {
            // Gives up waiting: the lock must not stay with nobody.
            let _ = tokio::time::timeout(Duration::from_millis(random.below(3)), async {
                file.lock(0..8, Lock::Exclusive).await?;
                file.unlock(0..8).await
            })
            .await;
        }
        bounded("a lock", file.lock(0..8, Lock::Exclusive)).await?;
        let number = file.read_at(0, 8).await?;
        let number = u64::from_le_bytes(number[..].try_into()?);
        file.write_at(0, (number + 1).to_le_bytes().to_vec()).await?;
        file.unlock(0..8).await?;
    }
    file.close().await?;
    session.log_off().await;
    Ok(())
}

/// A watch that is told of files that come and go.
pub async fn notify(round: &Round, share: &str, n: u64) -> Result<u64, Wrong> {
    let mut worker = Worker::start("notify", round, share, n).await?;
    while worker.goes_on() {
        let recursive = worker.random.below(2) == 0;
        let mut watch = worker.tree.watch(&worker.dir, NotifyFilter::FILE_NAME, recursive).await?;
        for file in 0..10 {
            let path = format!("{}/{file}", worker.dir);
            // It hears of what comes after its first request: until it does, files come and go.
            let heard = async { bounded("word of a file", heard(&mut watch, &file.to_string())).await };
            let told = async {
                loop {
                    worker.tree.write(&path, "").await?;
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    worker.tree.remove_file(&path).await?;
                }
            };
            tokio::select! {
                heard = heard => heard?,
                failed = told => return failed,
            }
            // The loop was left somewhere: it may be there or not, and its last request may be under way.
            worker.session.echo().await?;
            worker.done += 1;
        }
        drop(watch);
    }
    worker.end().await
}

async fn heard(watch: &mut smb_client::Watch, name: &str) -> Result<(), Wrong> {
    loop {
        match watch.next().await? {
            Change::Added(path) if path == name => return Ok(()),
            Change::Overflow => return Ok(()),
            _ => {}
        }
    }
}
