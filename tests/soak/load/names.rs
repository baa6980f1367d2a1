//! Names: directories that are filled, listed, renamed and emptied; named streams.

use crate::{Round, Worker, Wrong, expect};
use smb_client::{MetadataChange, OpenOptions, Tree};
use smb_tests::random_bytes;
use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime},
};
use tokio::task::JoinSet;

const FILES: usize = 120;
const AT_ONCE: usize = 24;

/// A directory of many files: all of them made, listed, renamed, listed, removed.
pub async fn storms(round: &Round, share: &str, n: u64) -> Result<u64, Wrong> {
    let mut worker = Worker::start("storms", round, share, n).await?;
    while worker.goes_on() {
        let dir = format!("{}/{}", worker.dir, worker.done);
        worker.tree.create_dir_all(&format!("{dir}/a/b")).await?;
        let tree = worker.tree.clone();
        let made = dir.clone();
        each(move |n| write(tree.clone(), format!("{made}/{}", name(n)), n)).await?;
        let wanted: BTreeSet<_> = (0..FILES).map(name).chain(["a".to_owned()]).collect();
        expect(listed(&worker.tree, &dir).await? == wanted, || "the listing is not what was made".into())?;
        let (tree, moved) = (worker.tree.clone(), dir.clone());
        each(move |n| rename(tree.clone(), format!("{moved}/{}", name(n)), format!("{moved}/a/b/{n}")))
            .await?;
        let wanted: BTreeSet<_> = (0..FILES).map(|n| n.to_string()).collect();
        let found = listed(&worker.tree, &format!("{dir}/a/b")).await?;
        expect(found == wanted, || "the listing is not what was renamed".into())?;
        set(&worker.tree, &format!("{dir}/a/b/7")).await?;
        worker.tree.rename(&format!("{dir}/a"), &format!("{dir}/z"), false).await?;
        let removed = worker.tree.remove_dir_all(&dir).await?;
        expect(removed.files == FILES as u64, || format!("{} files were removed", removed.files))?;
        worker.done += 1;
    }
    worker.end().await
}

fn name(n: usize) -> String {
    format!("Größe и имя 名前 {n} 🦀")
}

/// Does something to every file, some at a time.
async fn each<F>(make: impl Fn(usize) -> F) -> Result<(), Wrong>
where
    F: Future<Output = Result<(), Wrong>> + Send + 'static,
{
    let mut under_way = JoinSet::new();
    for n in 0..FILES {
        if under_way.len() >= AT_ONCE
            && let Some(done) = under_way.join_next().await
        {
            done??;
        }
        under_way.spawn(make(n));
    }
    while let Some(done) = under_way.join_next().await {
        done??;
    }
    Ok(())
}

async fn write(tree: Tree, path: String, n: usize) -> Result<(), Wrong> {
    Ok(tree.write(&path, vec![1; n * 7]).await?)
}

async fn rename(tree: Tree, from: String, to: String) -> Result<(), Wrong> {
    Ok(tree.rename(&from, &to, false).await?)
}

async fn listed(tree: &Tree, path: &str) -> Result<BTreeSet<String>, Wrong> {
    let mut names = BTreeSet::new();
    let mut directory = tree.read_dir(path).await?;
    while let Some(entry) = directory.next().await {
        let entry = entry?.name;
        expect(names.insert(entry.clone()), || format!("{entry} is listed twice"))?;
    }
    directory.close().await?;
    Ok(names)
}

/// Sets the time of a file and finds it there.
async fn set(tree: &Tree, path: &str) -> Result<(), Wrong> {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    tree.set_metadata(path, &MetadataChange::new().modified(time)).await?;
    let found = tree.metadata(path).await?;
    expect(found.modified() == Some(time), || format!("{path}: {found:?}"))
}

/// Streams of one file, written, listed, read, removed with it.
pub async fn named_streams(round: &Round, share: &str, n: u64) -> Result<u64, Wrong> {
    let mut worker = Worker::start("named", round, share, n).await?;
    while worker.goes_on() {
        let path = format!("{}/file", worker.dir);
        worker.tree.write(&path, "the file itself").await?;
        for stream in 0..3u64 {
            let data = random_bytes(usize::try_from(worker.random.below(1000))?, stream);
            let file =
                OpenOptions::write_and_read().stream(&stream.to_string()).open(&worker.tree, &path).await?;
            file.write_at(0, data.clone()).await?;
            let found = file.read_at(0, 2000).await?;
            expect(found == data, || format!("stream {stream} differs"))?;
            file.close().await?;
        }
        let streams = worker.tree.streams(&path).await?;
        expect(streams.len() == 4, || format!("{streams:?}"))?;
        expect(worker.tree.read(&path).await? == "the file itself", || "a stream is in the file".into())?;
        worker.tree.remove_file(&path).await?;
        worker.done += 1;
    }
    worker.end().await
}
