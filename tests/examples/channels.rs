//! Channels in memory, 1, 2, 4 and 8 of them at once: what they move, and how long the locks of the server's core are held for it.
//!
//! `cargo run --release -p smb-tests --features lock-times --example channels -- [--rounds N] [--size MIB]`
//!
//! A channel is a connection with a session of its own, neither signed nor sealed, without placement. Each writes and reads a
//! file of its own on one memory share; then 4 KiB at a time, at depth 8. Prints Markdown: medians over interleaved rounds.

use smb_client::{
    Error, File, OpenOptions, Session,
    transfer::{MemorySource, NullSink, TransferOptions, download, upload},
};
use smb_proto::msg::CreateDisposition;
use smb_server::lock_times;
use smb_tests::{House, client, pattern};
use std::{
    env,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

const CHANNELS: [usize; 4] = [1, 2, 4, 8];
const MIB: u64 = 1 << 20;
/// Requests of 4 KiB under way on a channel.
const DEPTH: u64 = 8;
/// What of a file's size is moved by 4 KiB requests.
const SMALL_PART: u64 = 8;

/// What a round on so many channels came to.
struct Round {
    channels: usize,
    kind: &'static str,
    mib: u64,
    took: Duration,
    held: Duration,
    taken: u64,
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let words: Vec<String> = env::args().collect();
    let option = |name, default| {
        let at = words.iter().position(|word| word == name);
        at.and_then(|at| words.get(at + 1)?.parse().ok()).unwrap_or(default)
    };
    let (rounds, size) = (option("--rounds", 5), option("--size", 256) * MIB);
    let mut all = Vec::new();
    for _ in 0..rounds {
        for channels in CHANNELS {
            all.extend(round(channels, size / channels as u64).await?);
        }
    }
    report(&all);
    Ok(())
}

/// Moves `size` bytes on each of so many channels, each way, in each manner.
async fn round(channels: usize, size: u64) -> Result<Vec<Round>, Error> {
    let house = House::new();
    let mut files = Vec::new();
    for channel in 0..channels {
        let session: Session = client().connect_over(Box::new(house.dial()), "server").await?;
        let tree = session.tree("data").await?;
        files.push(
            OpenOptions::read_write()
                .disposition(CreateDisposition::OPEN_IF)
                .open(&tree, &format!("file{channel}"))
                .await?,
        );
    }
    let mut all = Vec::new();
    for kind in ["WRITE", "READ", "WRITE of 4 KiB", "READ of 4 KiB"] {
        let (held, taken) = lock_times();
        let started = Instant::now();
        let mut tasks: JoinSet<Result<u64, Error>> = JoinSet::new();
        for file in files.clone() {
            tasks.spawn(moved(file, kind, size));
        }
        let mut bytes = 0;
        while let Some(task) = tasks.join_next().await {
            bytes += task.expect("a task that ends")?;
        }
        let took = started.elapsed();
        let (held_after, taken_after) = lock_times();
        let (mib, held, taken) = (bytes / MIB, held_after - held, taken_after - taken);
        all.push(Round { channels, kind, mib, took, held, taken });
    }
    Ok(all)
}

async fn moved(file: File, kind: &'static str, size: u64) -> Result<u64, Error> {
    let options = TransferOptions::new();
    match kind {
        "WRITE" => {
            let mut source = MemorySource::new(pattern(1 << 20, 7).into(), size);
            Ok(upload(&file, &mut source, &options).await?.bytes)
        }
        "READ" => Ok(download(&file, &mut NullSink, &options).await?.bytes),
        _ => small(file, kind.starts_with("WRITE"), size / SMALL_PART).await,
    }
}

async fn small(file: File, writes: bool, size: u64) -> Result<u64, Error> {
    const BLOCK: usize = 4096;
    let blocks = size / BLOCK as u64 / DEPTH;
    let mut tasks: JoinSet<Result<(), Error>> = JoinSet::new();
    for worker in 0..DEPTH {
        let (file, data) = (file.clone(), bytes::Bytes::from(pattern(BLOCK, 3)));
        tasks.spawn(async move {
            for block in 0..blocks {
                let offset = (block * DEPTH + worker) * BLOCK as u64;
                if writes {
                    file.write_at(offset, data.clone()).await?;
                } else {
                    file.read_at(offset, BLOCK).await?;
                }
            }
            Ok(())
        });
    }
    while let Some(task) = tasks.join_next().await {
        task.expect("a task that ends")?;
    }
    Ok(blocks * DEPTH * BLOCK as u64)
}

fn report(all: &[Round]) {
    println!(
        "| requests | channels | Gbit/s | locks held, µs per MiB | locks taken per MiB | locks held, % of the time |"
    );
    println!("|---|---|---|---|---|---|");
    for kind in ["READ", "WRITE", "READ of 4 KiB", "WRITE of 4 KiB"] {
        for channels in CHANNELS {
            let rounds = || all.iter().filter(|round| (round.channels, round.kind) == (channels, kind));
            let middle = |of: fn(&Round) -> f64| {
                let mut values: Vec<f64> = rounds().map(of).collect();
                values.sort_by(f64::total_cmp);
                values.get(values.len() / 2).copied().unwrap_or_default()
            };
            let rate = middle(|round| round.mib as f64 * 8.388_608e-3 / round.took.as_secs_f64());
            let held = middle(|round| round.held.as_secs_f64() * 1e6 / round.mib as f64);
            let taken = middle(|round| round.taken as f64 / round.mib as f64);
            let share = middle(|round| 100.0 * round.held.as_secs_f64() / round.took.as_secs_f64());
            println!("| {kind} | {channels} | {rate:.1} | {held:.1} | {taken:.0} | {share:.2} |");
        }
    }
}
