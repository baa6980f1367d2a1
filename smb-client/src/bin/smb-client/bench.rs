//! bench.

use crate::{
    args::Common,
    report::{Bar, Failure, gbit},
    units,
    url::Url,
};
use serde_json::{Value, json};
use smb_client::{
    OpenOptions,
    transfer::{MemorySource, NullSink, Summary, download, upload},
};
use smb_proto::msg::CreateDisposition;
use std::{fs, time::Duration};

/// Bytes of the pattern that is sent over and over.
const PATTERN: usize = 4 << 20;

/// One direction, measured.
struct Row {
    direction: &'static str,
    summary: Summary,
    cpu: Option<Duration>,
}

pub async fn bench(common: &Common, url: &Url, size: u64) -> Result<(), Failure> {
    let (session, tree) = common.tree(url).await?;
    let file =
        OpenOptions::read_write().disposition(CreateDisposition::OVERWRITE_IF).open(&tree, &url.path).await?;
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
    drop(bar);
    tree.remove_file(&url.path).await?;
    report(common, &[up, down]);
    session.log_off().await;
    Ok(())
}

/// Bytes without a pattern that a disk or a wire could compress.
fn pattern() -> Vec<u8> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"smb-client bench");
    let mut bytes = vec![0; PATTERN];
    hasher.finalize_xof().fill(&mut bytes);
    bytes
}

fn report(common: &Common, rows: &[Row]) {
    if common.json {
        let rows: Vec<Value> = rows
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
        println!("{}", Value::from(rows));
        return;
    }
    for row in rows {
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
