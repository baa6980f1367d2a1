//! Holds a server to what a client expects of a file system, each thing beside the others:
//!
//! ```sh
//! SMB_PASSWORD=secret cargo run --example peer_check -- 127.0.0.1:4450 share alice [--require all|NAME,…]
//! ```
//! One line for each: PASS, FAIL, or REFUSED with the server's status, which is a failure only where it is required.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use smb_client::{
    Change, Client, CopyWay, Entry, Error, Lock, MetadataChange, OpenOptions, Signing, Tree,
    transfer::TransferOptions,
};
use smb_proto::{
    msg::{FileAttributes, NotifyFilter},
    status::NtStatus,
};
use std::{
    collections::BTreeSet,
    process::ExitCode,
    time::{Duration, UNIX_EPOCH},
};
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

type Outcome = Result<(), Failure>;

#[derive(Debug)]
enum Failure {
    Smb(Error),
    Wrong(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Smb(error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Wrong(error.to_string())
    }
}

fn check(holds: bool, what: impl FnOnce() -> String) -> Outcome {
    if holds { Ok(()) } else { Err(Failure::Wrong(what())) }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, got: T, wanted: T) -> Outcome {
    check(got == wanted, || format!("{what}: got {got:?}, expected {wanted:?}"))
}

fn data(len: usize, seed: usize) -> Vec<u8> {
    (0..len).map(|n| u8::try_from((n * 31 + n / 256 + seed) % 251).unwrap()).collect()
}

const NAMES: [&str; 14] = [
    "names",
    "tree",
    "metadata",
    "size",
    "small",
    "streams_of_bytes",
    "copy",
    "link",
    "space",
    "locks",
    "watch",
    "attributes",
    "named_streams",
    "security",
];

async fn run(name: &str, tree: &Tree) -> Outcome {
    let top = &top(name);
    tree.create_dir(top).await?;
    match name {
        "names" => names(tree, top).await,
        "tree" => whole_tree(tree, top).await,
        "metadata" => metadata(tree, top).await,
        "size" => size(tree, top).await,
        "small" => small(tree, top).await,
        "streams_of_bytes" => streams_of_bytes(tree, top).await,
        "copy" => copy(tree, top).await,
        "link" => link(tree, top).await,
        "space" => space(tree).await,
        "locks" => locks(tree, top).await,
        "watch" => watch(tree, top).await,
        "attributes" => attributes(tree, top).await,
        "named_streams" => named_streams(tree, top).await,
        _ => security(tree, top).await,
    }
}

/// The directory in which one thing is checked.
fn top(name: &str) -> String {
    format!("peer check {name}")
}

/// What may be left there of an earlier run, or of this one. A file that was only dropped, as readers are, is closed in its own
/// time: until then the directory of one that is removed is not empty.
async fn tidy(tree: &Tree, name: &str) -> Result<(), Error> {
    let mut patience = 20;
    loop {
        match tree.remove_dir_all(&top(name)).await {
            Err(error) if error.status() == Some(NtStatus::DIRECTORY_NOT_EMPTY) && patience > 0 => {
                patience -= 1;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Err(error) if !error.is_not_found() => return Err(error),
            _ => return Ok(()),
        }
    }
}

async fn listed(tree: &Tree, path: &str, pattern: &str) -> Result<BTreeSet<String>, Error> {
    let entries = tree.read_dir_matching(path, pattern).await?.collect().await?;
    Ok(entries.into_iter().map(|Entry { name, .. }| name).collect())
}

async fn names(tree: &Tree, top: &str) -> Outcome {
    let names = ["plain", "mit Umlauten äöü", "日本語", "Ελληνικά", "עברית", "🦀 emoji", "dots.in.it"];
    for name in names {
        tree.write(&format!("{top}/{name}"), name.as_bytes().to_vec()).await?;
    }
    same("all names", listed(tree, top, "*").await?, names.iter().map(|name| (*name).to_owned()).collect())?;
    same("a pattern", listed(tree, top, "d?ts*").await?.len(), 1)?;
    same("a pattern without match", listed(tree, top, "none*").await?.len(), 0)?;
    for name in names {
        same("content", tree.read(&format!("{top}/{name}")).await?.as_ref(), name.as_bytes())?;
    }
    same("what is not there", tree.exists(&format!("{top}/none")).await?, false)?;
    same("below what is not there", tree.exists(&format!("{top}/none/none")).await?, false)?;
    let (one, two) = (format!("{top}/plain"), format!("{top}/日本語"));
    let refused = tree.rename(&one, &two, false).await.map_err(|error| error.status());
    same("rename over a file", refused, Err(Some(NtStatus::OBJECT_NAME_COLLISION)))?;
    tree.rename(&one, &two, true).await?;
    same("replaced", tree.read(&two).await?.as_ref(), b"plain")?;
    let refused = tree.create_dir(top).await.map_err(|error| error.status());
    same("a directory twice", refused, Err(Some(NtStatus::OBJECT_NAME_COLLISION)))
}

async fn whole_tree(tree: &Tree, top: &str) -> Outcome {
    tree.create_dir_all(&format!("{top}/a/b/c/d/e")).await?;
    tree.create_dir_all(&format!("{top}/a/b/c/d/e")).await?;
    let mut makers = tokio::task::JoinSet::new();
    for part in 0..8 {
        let (tree, top) = (tree.clone(), top.to_owned());
        makers.spawn(async move {
            for n in (part..2000).step_by(8) {
                tree.write(&format!("{top}/a/b/file number {n}"), Vec::new()).await?;
            }
            Ok::<(), Error>(())
        });
    }
    while let Some(made) = makers.join_next().await {
        made.unwrap()?;
    }
    same("entries", listed(tree, &format!("{top}/a/b"), "*").await?.len(), 2001)?;
    let removed = tree.remove_dir_all(&format!("{top}/a")).await?;
    same("removed", (removed.files, removed.directories), (2000, 5))?;
    same("left", listed(tree, top, "*").await?.len(), 0)
}

async fn metadata(tree: &Tree, top: &str) -> Outcome {
    let path = format!("{top}/file");
    tree.write(&path, data(100, 1)).await?;
    let time = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let change = MetadataChange::new().modified(time).accessed(time);
    tree.set_metadata(&path, &change.attributes(FileAttributes::READONLY)).await?;
    let found = tree.metadata(&path).await?;
    same("times", (found.modified(), found.accessed()), (Some(time), Some(time)))?;
    same("size", (found.size, found.is_file(), found.is_dir()), (100, true, false))?;
    check(found.attributes.contains(FileAttributes::READONLY), || format!("{:?}", found.attributes))?;
    let file = tree.open(&path).await?;
    same("the same through the open file", file.metadata().await?.modified(), Some(time))?;
    file.close().await?;
    tree.set_metadata(&path, &MetadataChange::new().attributes(FileAttributes::NORMAL)).await?;
    let found = tree.metadata(&path).await?;
    check(!found.attributes.contains(FileAttributes::READONLY), || format!("{:?}", found.attributes))?;
    same("a directory", tree.metadata(top).await?.is_dir(), true)
}

async fn size(tree: &Tree, top: &str) -> Outcome {
    let path = format!("{top}/file");
    tree.write(&path, data(1000, 1)).await?;
    tree.set_len(&path, 10).await?;
    same("cut", tree.read(&path).await?.to_vec(), data(10, 1))?;
    tree.set_len(&path, 5000).await?;
    let grown = tree.read(&path).await?;
    check(grown.len() == 5000 && grown[10..].iter().all(|byte| *byte == 0), || "not zeros".to_owned())?;
    let file = OpenOptions::read_write().open(tree, &path).await?;
    file.write_at((4 << 30) + 1, b"end".to_vec()).await?;
    same("beyond 4 GiB", file.size().await?, (4 << 30) + 4)?;
    same("in the hole", file.read_at(3 << 30, 10).await?.to_vec(), vec![0; 10])?;
    file.close().await?;
    Ok(())
}

async fn small(tree: &Tree, top: &str) -> Outcome {
    for len in [0, 1, 4096, 65_535, 65_536, 65_537, 3_000_001] {
        let path = format!("{top}/{len}");
        tree.write(&path, data(len, len)).await?;
        check(tree.read(&path).await? == data(len, len), || format!("{len} bytes differ"))?;
    }
    let path = format!("{top}/65537");
    tree.write(&path, data(3, 3)).await?;
    same("shorter over longer", tree.read(&path).await?.to_vec(), data(3, 3))
}

async fn streams_of_bytes(tree: &Tree, top: &str) -> Outcome {
    let path = format!("{top}/file");
    let content = data(20_000_003, 5);
    let mut writer = tree.create(&path).await?.writer(0);
    for piece in content.chunks(77_777) {
        writer.write_all(piece).await?;
    }
    writer.shutdown().await?;
    drop(writer);
    let mut reader = tree.open(&path).await?.reader(0);
    let mut all = Vec::new();
    reader.read_to_end(&mut all).await?;
    check(all == content, || "what was read differs".to_owned())?;
    reader.seek(std::io::SeekFrom::Start(12_345_678)).await?;
    let mut some = [0; 1000];
    reader.read_exact(&mut some).await?;
    check(some[..] == content[12_345_678..12_346_678], || "differs after a seek".to_owned())
}

async fn copy(tree: &Tree, top: &str) -> Outcome {
    let (from, to) = (format!("{top}/from"), format!("{top}/to"));
    for len in [0, 1, 40_000_003] {
        tree.write(&from, data(len, 7)).await?;
        let copied = tree.copy(&from, &to, &TransferOptions::new()).await?;
        check(tree.read(&to).await? == data(len, 7), || format!("the copy of {len} bytes differs"))?;
        if let CopyWay::Client(status) = copied.way {
            let command = smb_proto::command::Command::IOCTL;
            return Err(Error::from(smb_proto::error::StatusError { command, status }).into());
        }
    }
    Ok(())
}

async fn link(tree: &Tree, top: &str) -> Outcome {
    let (file, link) = (format!("{top}/file"), format!("{top}/link"));
    tree.write(&file, data(10, 1)).await?;
    tree.hard_link(&file, &link, false).await?;
    tree.write(&file, data(20, 2)).await?;
    same("through the link", tree.read(&link).await?.to_vec(), data(20, 2))?;
    tree.remove_file(&file).await?;
    same("the other name stays", tree.read(&link).await?.len(), 20)
}

async fn space(tree: &Tree) -> Outcome {
    let space = tree.space().await?;
    check(space.total > 0 && space.available <= space.total && space.unit > 0, || format!("{space:?}"))
}

async fn locks(tree: &Tree, top: &str) -> Outcome {
    let path = format!("{top}/file");
    tree.write(&path, data(100, 1)).await?;
    let one = OpenOptions::read_write().open(tree, &path).await?;
    let two = OpenOptions::read_write().open(tree, &path).await?;
    one.lock(0..10, Lock::Exclusive).await?;
    same("what is locked", two.try_lock(5..15, Lock::Shared).await?, false)?;
    same("beside it", two.try_lock(10..20, Lock::Exclusive).await?, true)?;
    let written = two.write_at(0, b"x".to_vec()).await.map_err(|error| error.status());
    same("a write into it", written, Err(Some(NtStatus::FILE_LOCK_CONFLICT)))?;
    // Whoever waits gets it when it is let go.
    let waiting = tokio::spawn({
        let two = two.clone();
        async move { two.lock(0..10, Lock::Exclusive).await }
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    check(!waiting.is_finished(), || "a lock that is held was granted".to_owned())?;
    one.unlock(0..10).await?;
    waiting.await.unwrap()?;
    same("held by the other now", one.try_lock(0..10, Lock::Exclusive).await?, false)?;
    // Whoever gives up waiting has nothing, and keeps nobody from it.
    let given_up = tokio::time::timeout(Duration::from_millis(200), one.lock(0..10, Lock::Exclusive)).await;
    check(given_up.is_err(), || "a lock that is held was granted".to_owned())?;
    two.unlock(0..10).await?;
    let mut granted = false;
    for _ in 0..100 {
        granted = two.try_lock(0..10, Lock::Exclusive).await?;
        if granted {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    same("after giving up", granted, true)?;
    let refused = one.unlock(50..60).await.map_err(|error| error.status());
    same("what was never locked", refused, Err(Some(NtStatus::RANGE_NOT_LOCKED)))?;
    one.close().await?;
    two.close().await?;
    Ok(())
}

async fn watch(tree: &Tree, top: &str) -> Outcome {
    tree.create_dir(&format!("{top}/d")).await?;
    let filter = NotifyFilter::FILE_NAME | NotifyFilter::DIR_NAME;
    let mut watch = tree.watch(top, filter, true).await?;
    // The first request is under way before anything happens.
    let quiet = tokio::time::timeout(Duration::from_millis(300), watch.next()).await;
    if let Ok(told) = quiet {
        return Err(Failure::Wrong(format!("told of {:?}", told?)));
    }
    tree.write(&format!("{top}/d/new"), Vec::new()).await?;
    tree.rename(&format!("{top}/d/new"), &format!("{top}/d/moved"), false).await?;
    tree.remove_file(&format!("{top}/d/moved")).await?;
    let wanted = [
        Change::Added("d/new".into()),
        Change::Renamed { from: "d/new".into(), to: "d/moved".into() },
        Change::Removed("d/moved".into()),
    ];
    for change in wanted {
        let told = tokio::time::timeout(Duration::from_secs(20), watch.next()).await;
        let told = told.map_err(|_| Failure::Wrong(format!("not told of {change:?}")))??;
        same("told of", told, change)?;
    }
    Ok(())
}

async fn attributes(tree: &Tree, top: &str) -> Outcome {
    let path = format!("{top}/file");
    tree.write(&path, data(10, 1)).await?;
    same("none", tree.extended_attributes(&path).await?.len(), 0)?;
    tree.set_extended_attribute(&path, "COLOUR", b"blue").await?;
    tree.set_extended_attribute(&path, "SHAPE", b"round").await?;
    let found = tree.extended_attributes(&path).await?;
    let colour =
        found.iter().find(|one| one.name.eq_ignore_ascii_case(b"COLOUR")).map(|one| one.value.as_slice());
    same("a value", (found.len(), colour), (2, Some(&b"blue"[..])))?;
    tree.set_extended_attribute(&path, "SHAPE", b"").await?;
    same("after one is removed", tree.extended_attributes(&path).await?.len(), 1)
}

async fn named_streams(tree: &Tree, top: &str) -> Outcome {
    let path = format!("{top}/file");
    tree.write(&path, data(10, 1)).await?;
    let stream = OpenOptions::write_and_read().stream("notes").open(tree, &path).await?;
    stream.write_at(0, data(33, 3)).await?;
    same("the stream", stream.read_at(0, 100).await?.to_vec(), data(33, 3))?;
    stream.close().await?;
    same("the data", tree.read(&path).await?.to_vec(), data(10, 1))?;
    let found = tree.streams(&path).await?;
    let sizes: BTreeSet<_> =
        found.iter().map(|stream| (stream.name.as_str().to_owned(), stream.size)).collect();
    same("the list", sizes, [("::$DATA".into(), 10), (":notes:$DATA".into(), 33)].into())
}

async fn security(tree: &Tree, top: &str) -> Outcome {
    use smb_proto::dtyp::SecurityInformation;
    let path = format!("{top}/file");
    tree.write(&path, data(10, 1)).await?;
    let all = SecurityInformation::ORDINARY;
    let found = tree.security(&path, all).await?;
    check(found.owner.is_some() && found.dacl.list().is_some(), || format!("{found:?}"))?;
    tree.set_security(&path, SecurityInformation::DACL, &found).await?;
    let again = tree.security(&path, all).await?;
    same("owner", again.owner, found.owner)?;
    let owner = tree.security(&path, SecurityInformation::OWNER).await?;
    same("the owner alone", (owner.owner, owner.dacl.list().is_some()), (found.owner, false))
}

#[tokio::main]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (Some(address), Some(share), Some(user)) = (words.first(), words.get(1), words.get(2)) else {
        eprintln!(
            "usage: peer_check HOST:PORT SHARE USER [--require all|NAME,…]   (password in SMB_PASSWORD)"
        );
        eprintln!("names: {}", NAMES.join(","));
        return ExitCode::from(2);
    };
    let required = words.get(4).map_or("", String::as_str);
    let password = std::env::var("SMB_PASSWORD").unwrap_or_default();
    let client = Client::builder().user(user, &password).signing(Signing::Allowed);
    let connected = async {
        let session = client.connect(address).await?;
        let tree = session.tree(share).await?;
        for name in NAMES {
            tidy(&tree, name).await?;
        }
        Ok::<_, Error>((session, tree))
    };
    let (session, tree) = match connected.await {
        Ok(connected) => connected,
        Err(error) => {
            eprintln!("peer_check: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut failed = 0;
    for name in NAMES {
        let must = required == "all" || required.split(',').any(|one| one == name);
        let bad = match run(name, &tree).await {
            Ok(()) => {
                println!("PASS {name}");
                false
            }
            Err(Failure::Smb(error)) if error.status().is_some() && !must => {
                println!("REFUSED {name}: {error}");
                false
            }
            Err(Failure::Smb(error)) => {
                println!("FAIL {name}: {error}");
                true
            }
            Err(Failure::Wrong(what)) => {
                println!("FAIL {name}: {what}");
                true
            }
        };
        if let Err(error) = tidy(&tree, name).await {
            println!("FAIL {name}: tidying up: {error}");
            failed += 1;
        }
        failed += i32::from(bad);
    }
    session.log_off().await;
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
