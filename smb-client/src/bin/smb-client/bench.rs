//! bench.

use crate::{
    args::Common,
    lanes,
    report::{Bar, Failure, gbit},
    units,
    url::Url,
};
use bytes::Bytes;
use serde_json::{Value, json};
use smb_client::{
    File, OpenOptions, Tree,
    transfer::{MemorySource, NullSink, Summary, download, upload},
};
use smb_proto::msg::CreateDisposition;
use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

/// Bytes of the pattern that is sent over and over.
const PATTERN: usize = 4 << 20;
/// Bytes of one random access.
const BLOCK: usize = 4096;
/// Connections made one after the other.
const CONNECTIONS: usize = 21;
/// Requests under way at a time in the tests of many small ones.
const DEPTHS: [usize; 2] = [1, 32];

/// What is measured.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub size: u64,
    pub seconds: Duration,
    pub files: u32,
}

/// One direction, measured.
struct Row {
    direction: &'static str,
    summary: Summary,
    cpu: Option<Duration>,
}

/// Random access, measured.
struct Random {
    operation: &'static str,
    depth: usize,
    elapsed: Duration,
    /// Microseconds of each, sorted.
    latencies: Vec<u32>,
}

/// Files created and removed, measured.
struct Files {
    depth: usize,
    count: u32,
    elapsed: Duration,
}

struct Results {
    size: u64,
    connect: Duration,
    sequential: Vec<Row>,
    random: Vec<Random>,
    files: Vec<Files>,
}

pub async fn bench(common: &Common, url: &Url, plan: Plan) -> Result<(), Failure> {
    common.refuse_resume("is for get and put")?;
    let block = u64::try_from(BLOCK).unwrap_or(u64::MAX);
    if plan.size < block {
        return Err(Failure::Usage("--size: at least 4096 bytes".to_owned()));
    }
    let connect = connecting(common, url).await?;
    let (session, tree) = common.tree(url).await?;
    let sequential = sequential(common, &tree, url, plan.size).await?;
    let file = OpenOptions::read_write().open(&tree, &url.path).await?;
    let mut random = Vec::new();
    for operation in ["read", "write"] {
        for depth in DEPTHS {
            random.push(at_random(&file, operation, depth, plan).await?);
        }
    }
    file.close().await?;
    tree.remove_file(&url.path).await?;
    let mut files = Vec::new();
    for depth in DEPTHS {
        files.push(create_and_remove(&tree, &url.path, depth, plan.files).await?);
    }
    session.log_off().await;
    let results = Results { size: plan.size, connect, sequential, random, files };
    if common.json {
        println!("{}", results.json())
    } else {
        results.print()
    }
    Ok(())
}

/// The median time of connection, log-on, share, and the way back.
async fn connecting(common: &Common, url: &Url) -> Result<Duration, Failure> {
    let mut times = Vec::new();
    for _ in 0..CONNECTIONS {
        let started = Instant::now();
        let (session, tree) = common.tree(url).await?;
        tree.disconnect().await?;
        session.log_off().await;
        times.push(started.elapsed());
    }
    times.sort_unstable();
    Ok(times.get(CONNECTIONS / 2).copied().unwrap_or_default())
}

async fn sequential(common: &Common, tree: &Tree, url: &Url, size: u64) -> Result<Vec<Row>, Failure> {
    let file =
        OpenOptions::read_write().disposition(CreateDisposition::OVERWRITE_IF).open(tree, &url.path).await?;
    let bar = Bar::new(common);
    let options = common.transfer(&bar.progress);
    let before = cpu();
    let summary = upload(&file, &mut MemorySource::new(pattern().into(), size), &options).await?;
    let up = Row { direction: "upload", summary, cpu: since(before) };
    file.close().await?;
    let file = tree.open(&url.path).await?;
    let before = cpu();
    let summary = download(&file, &mut NullSink, &options).await?;
    let down = Row { direction: "download", summary, cpu: since(before) };
    file.close().await?;
    Ok(vec![up, down])
}

/// Reads or writes blocks anywhere in the file, `depth` at a time, all from one task, as a caller with that many requests in
/// hand would.
async fn at_random(
    file: &File,
    operation: &'static str,
    depth: usize,
    plan: Plan,
) -> Result<Random, Failure> {
    let blocks = plan.size / u64::try_from(BLOCK).unwrap_or(u64::MAX);
    let data = Bytes::from(pattern()).slice(..BLOCK);
    let started = Instant::now();
    let until = started + plan.seconds;
    let lanes = (0..depth).map(|worker| {
        let (file, data, mut places) = (file.clone(), data.clone(), Places::new(worker));
        async move {
            let mut latencies = Vec::new();
            while Instant::now() < until {
                let began = Instant::now();
                let offset = places.next(blocks) * u64::try_from(BLOCK).unwrap_or(u64::MAX);
                if operation == "read" {
                    file.read_at(offset, BLOCK).await?;
                } else {
                    file.write_at(offset, data.clone()).await?;
                }
                latencies.push(u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX));
            }
            Ok(latencies)
        }
    });
    let mut latencies = lanes::run(lanes).await?.concat();
    let elapsed = started.elapsed();
    latencies.sort_unstable();
    Ok(Random { operation, depth, elapsed, latencies })
}

/// Places in a file in no order that anybody could foresee who does not know the seed (SplitMix64).
struct Places(u64);

impl Places {
    fn new(worker: usize) -> Self {
        Self(u64::try_from(worker).unwrap_or_default().wrapping_mul(0xd134_2543_de82_ef95))
    }

    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % below.max(1)
    }
}

/// Creates empty files and removes them, `depth` at a time, all from one task.
async fn create_and_remove(tree: &Tree, path: &str, depth: usize, count: u32) -> Result<Files, Failure> {
    let started = Instant::now();
    let next = Arc::new(AtomicU32::new(0));
    let lanes = (0..depth).map(|_| {
        let (tree, path, next) = (tree.clone(), path.to_owned(), next.clone());
        async move {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= count {
                    return Ok(());
                }
                let name = format!("{path}.{n}");
                tree.write(&name, Bytes::new()).await?;
                tree.remove_file(&name).await?;
            }
        }
    });
    lanes::run(lanes).await?;
    Ok(Files { depth, count, elapsed: started.elapsed() })
}

impl Random {
    fn per_second(&self) -> f64 {
        per_second(u64::try_from(self.latencies.len()).unwrap_or(u64::MAX), self.elapsed)
    }

    fn mean(&self) -> f64 {
        let all: u64 = self.latencies.iter().map(|latency| u64::from(*latency)).sum();
        let count = u64::try_from(self.latencies.len()).unwrap_or(u64::MAX).max(1);
        units::approximate(all) / units::approximate(count)
    }

    fn percentile(&self, percent: usize) -> u32 {
        let at = self.latencies.len().saturating_sub(1).saturating_mul(percent) / 100;
        self.latencies.get(at).copied().unwrap_or_default()
    }
}

impl Files {
    fn per_second(&self) -> f64 {
        per_second(self.count.into(), self.elapsed)
    }
}

fn per_second(count: u64, time: Duration) -> f64 {
    units::approximate(count) / time.as_secs_f64().max(1e-9)
}

impl Results {
    fn json(&self) -> Value {
        let sequential: Vec<Value> = self
            .sequential
            .iter()
            .map(|row| {
                json!({
                    "direction": row.direction, "bytes": row.summary.bytes,
                    "seconds": row.summary.elapsed.as_secs_f64(),
                    "gbit_per_s": gbit(row.summary.bytes, row.summary.elapsed),
                    "cpu_seconds": row.cpu.map(|cpu| cpu.as_secs_f64()),
                    "verified": row.summary.level.to_string(),
                })
            })
            .collect();
        let random: Vec<Value> = self
            .random
            .iter()
            .map(|row| {
                json!({
                    "operation": row.operation, "depth": row.depth, "per_second": row.per_second(),
                    "mean_us": row.mean(), "p50_us": row.percentile(50), "p99_us": row.percentile(99),
                })
            })
            .collect();
        let files: Vec<Value> = self
            .files
            .iter()
            .map(|row| json!({ "depth": row.depth, "per_second": row.per_second() }))
            .collect();
        json!({
            "size": self.size, "connect_ms": self.connect.as_secs_f64() * 1e3, "sequential": sequential,
            "random": random, "files": files,
        })
    }

    fn print(&self) {
        println!("connect, log on, share and back: {:.2} ms", self.connect.as_secs_f64() * 1e3);
        for row in &self.sequential {
            let Summary { bytes, elapsed, level, .. } = row.summary;
            let cpu = row.cpu.map_or_else(|| "?".to_owned(), |cpu| format!("{:.2}", cpu.as_secs_f64()));
            println!(
                "{:<9} {:>10} in {:>7.3} s  {:>7.2} Gbit/s  {cpu} CPU s  verified: {level}",
                row.direction,
                units::show(bytes),
                elapsed.as_secs_f64(),
                gbit(bytes, elapsed),
            );
        }
        for row in &self.random {
            println!(
                "random 4 KiB {:<5} depth {:>2}: {:>8.0} per second, {:>7.1} us mean, {} us median, {} us 99 %",
                row.operation,
                row.depth,
                row.per_second(),
                row.mean(),
                row.percentile(50),
                row.percentile(99),
            );
        }
        for row in &self.files {
            println!(
                "files created and removed, depth {:>2}: {:>8.0} per second",
                row.depth,
                row.per_second()
            );
        }
    }
}

/// Bytes without a pattern that a disk or a wire could compress.
fn pattern() -> Vec<u8> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"smb-client bench");
    let mut bytes = vec![0; PATTERN];
    hasher.finalize_xof().fill(&mut bytes);
    bytes
}

/// CPU time of this process, user and system; `None` where the system does not tell.
fn cpu() -> Option<Duration> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name, in parentheses, may hold anything; fields 14 and 15 are in ticks of 10 ms.
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks: u64 =
        fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Some(Duration::from_millis(ticks.checked_mul(10)?))
}

fn since(before: Option<Duration>) -> Option<Duration> {
    cpu()?.checked_sub(before?)
}
