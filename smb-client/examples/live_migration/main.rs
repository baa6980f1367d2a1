//! Streams the memory of a (made-up) virtual machine to an embedded server and compares the paths it could take.
//!
//! ```sh
//! cargo run --release --example live_migration -- [--size 1G] [--file PATH] [--json]
//! ```
//!
//! Sender and receiver live in this process, each on a runtime of its own so that their CPU time can be told
//! apart, and meet over loopback; over SMB Direct within the process, and through an RDMA device where there is one (feature
//! `verbs`). Every path carries the same bytes; the exit status is 0 only where all of them
//! arrived unchanged on all paths.
#![allow(clippy::as_conversions, clippy::indexing_slicing)]

mod bare_tcp;
mod cpu;
mod direct;
mod memory;
mod report;
mod smb;

use clap::Parser;
use cpu::Side;
use direct::Way;
use memory::Source;
use report::{Outcome, Row};
use std::{error::Error, path::PathBuf, process::ExitCode, time::Instant};

#[derive(Parser)]
#[command(about = "Streams VM-like memory to an embedded SMB server and compares the paths")]
struct Options {
    /// Bytes to stream (K, M and G are powers of 1024)
    #[arg(long, default_value = "1G", value_parser = size)]
    size: u64,
    /// Stream this file instead
    #[arg(long)]
    file: Option<PathBuf>,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("live_migration: a path delivered other bytes than were sent");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("live_migration: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<bool, Box<dyn Error>> {
    let source = match &options.file {
        Some(path) => Source::file(path),
        None => Source::memory(options.size),
    };
    let (sender, receiver) = (Side::new("sender")?, Side::new("receiver")?);
    let mut rows = vec![measure("bare TCP", "none".into(), &sender, &receiver, || {
        Ok(bare_tcp::run(&source, &sender, &receiver)?)
    })?];
    let mut paths: Vec<_> = smb::PROTECTIONS.into_iter().map(|protection| (protection, None)).collect();
    let ways = [Some(Way::in_process()), receiver.runtime.block_on(Way::device())];
    paths.extend(ways.into_iter().flatten().map(|way| (smb::Protection::Plain, Some(way))));
    for (protection, way) in paths {
        let path = smb::Path::new(protection, way.as_ref(), &sender, &receiver)?;
        let name = way.as_ref().map_or("SMB 3.1.1 over TCP", |way| way.name);
        rows.push(measure(name, path.protection(), &sender, &receiver, || path.run(&source))?);
        path.end()?;
    }
    if options.json {
        report::json(&rows)
    } else {
        report::table(&rows)
    }
    // The same source on every path: each must have sent the same, and each receiver taken it.
    Ok(rows.iter().all(|row| row.verified() && row.outcome.sent == rows[0].outcome.sent))
}

/// Runs one path and takes its time.
fn measure(
    path: &'static str,
    protection: String,
    sender: &Side,
    receiver: &Side,
    run: impl FnOnce() -> Result<Outcome, Box<dyn Error>>,
) -> Result<Row, Box<dyn Error>> {
    let before = sender.cpu().zip(receiver.cpu());
    let start = Instant::now();
    let outcome = run()?;
    let elapsed = start.elapsed();
    let cpu = before
        .zip(sender.cpu().zip(receiver.cpu()))
        .map(|(before, after)| (after.0 - before.0, after.1 - before.1));
    Ok(Row { path, channels: 1, protection, elapsed, cpu, outcome })
}

fn size(text: &str) -> Result<u64, String> {
    let (digits, shift) = match text.as_bytes().last() {
        Some(b'K' | b'k') => (&text[..text.len() - 1], 10),
        Some(b'M' | b'm') => (&text[..text.len() - 1], 20),
        Some(b'G' | b'g') => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    let number: u64 = digits.parse().map_err(|_| format!("not a size: {text}"))?;
    number.checked_mul(1 << shift).ok_or_else(|| format!("too large: {text}"))
}
