//! Hostile crowds against the real server over TCP: what `tests/soak/siege` drives.
//!
//! `siege ADDRESS PID CONNECTIONS OPENS`: the server, which shares memory as `memory`; how many connections and opens a crowd
//! has. During each siege another client logs on, writes and reads all the time, and the server's memory is looked at:
//! it stays below `Limits::memory_bound` for what is there.

mod crowds;
mod watcher;

use crowds::Siege;
use smb_server::Limits;
use std::{error::Error, time::Duration};
use tokio::time::Instant;
use watcher::{Bystander, Memory};

/// What went wrong.
pub type Wrong = Box<dyn Error + Send + Sync>;

/// What others wait for an answer at most. The aim is a second; a machine that is busy with other things gets five.
const PATIENCE: Duration = Duration::from_secs(5);

async fn lay(siege: &Siege, memory: Memory, name: &'static str) -> Result<(), Wrong> {
    let limits = Limits::default();
    // Who stands by has two connections at a time.
    let (unproven, authenticated, opens) = match name {
        "stalled" | "slow" => (limits.max_unauthenticated, 2, 2),
        "slow-known" => (2, crowds::KNOWN + 2, crowds::KNOWN + 2),
        "opens" | "opens-of-one" => (2, siege.sessions() + 2, siege.opens + 2),
        _ => (2, 3, 1000),
    };
    let bound = limits.memory_bound(unproven, authenticated, opens);
    let begun = Instant::now();
    let (highest, stop) = memory.watch();
    let bystander = Bystander::start(siege.address.clone());
    let held = siege.lay(name).await.map_err(|wrong| format!("{name}: {wrong}"))?;
    let longest = bystander.end().await.map_err(|wrong| format!("{name}: a client beside: {wrong}"))?;
    drop(stop);
    let highest = highest.await?;
    let said = held.said.clone();
    drop(held);
    let mib = |bytes: u64| bytes >> 20;
    println!(
        "{name}: {said}; others waited {longest:?} at most, memory {} MiB of {} MiB, {:?}",
        mib(highest),
        mib(bound),
        begun.elapsed()
    );
    if longest > PATIENCE {
        return Err(format!("{name}: others waited {longest:?}").into());
    }
    if highest > bound {
        return Err(format!("{name}: {highest} bytes, {bound} at most").into());
    }
    Ok(())
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, pid, connections, opens] = arguments.as_slice() else {
        eprintln!("usage: siege ADDRESS PID CONNECTIONS OPENS");
        std::process::exit(2);
    };
    let numbers = (pid.parse(), connections.parse(), opens.parse());
    let (Ok(pid), Ok(connections), Ok(opens)) = numbers else { std::process::exit(2) };
    let siege = Siege { address: address.clone(), connections, opens };
    for name in crowds::SIEGES {
        if let Err(wrong) = lay(&siege, Memory::of(pid), name).await {
            println!("wrong {wrong}");
            std::process::exit(1);
        }
    }
}
