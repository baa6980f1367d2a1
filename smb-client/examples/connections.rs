//! Times connections from connect to disconnect, then holds many of them idle: what `tests/bench/connections.py` drives.
//!
//! `cargo run --release -p smb-client --example connections -- 127.0.0.1:4450 alice secret share 200 1000`

use smb_client::{Client, Error};
use std::{
    io::Read,
    time::{Duration, Instant},
};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, user, password, share, cycles, idle] = arguments.as_slice() else { return usage() };
    let (Ok(cycles), Ok(idle)) = (cycles.parse::<usize>(), idle.parse::<usize>()) else { return usage() };
    let client = Client::builder().user(user, password).keep_alive(Duration::from_secs(3600)).build()?;
    let mut times = Vec::with_capacity(cycles);
    for _ in 0..cycles {
        let start = Instant::now();
        let session = client.connect(address).await?;
        let tree = session.tree(share).await?;
        tree.disconnect().await?;
        session.log_off().await;
        times.push(start.elapsed());
    }
    times.sort();
    if let Some(median) = times.get(cycles / 2) {
        println!("median {:.3} ms", median.as_secs_f64() * 1000.0);
    }
    let mut held = Vec::with_capacity(idle);
    for _ in 0..idle {
        let session = client.connect(address).await?;
        let tree = session.tree(share).await?;
        held.push((session, tree));
    }
    println!("idle {}", held.len());
    // Until whoever measures has measured.
    let _ = std::io::stdin().read(&mut [0]);
    Ok(())
}

fn usage() -> Result<(), Error> {
    eprintln!("usage: connections ADDRESS USER PASSWORD SHARE CYCLES IDLE");
    std::process::exit(2)
}
