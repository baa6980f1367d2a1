//! The crate `smb2` timed on a server: `bench-smb2 ADDR:PORT USER PASSWORD SHARE PATH BLOCKS MILLISECONDS FILES`.
//!
//! Small requests as `smb-client bench` makes them, told in the same JSON: READs and WRITEs of 4 KiB anywhere in a file of BLOCKS
//! blocks, at depth 1 and 32; files created and removed, in the fewest round trips the crate has for an empty file; log-ons.
//! Each request goes the crate's own way, `Connection::execute`, with as little of the crate above it as there is. As there, all
//! that is under way is driven by one task.

use foreign_clients::{Called, bytes};
use futures_util::{TryStreamExt, stream::FuturesUnordered};
use smb2::{
    SmbClient, Tree,
    client::Connection,
    msg::{
        read::{ReadRequest, ReadResponse},
        write::{WriteRequest, WriteResponse},
    },
    pack::{ReadCursor, Unpack},
    types::{Command, FileId, TreeId},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

type Failure = Box<dyn std::error::Error + Send + Sync>;

const BLOCK: u32 = 4096;
const LOG_ONS: usize = 21;
const DEPTHS: [usize; 2] = [1, 32];

#[tokio::main]
async fn main() -> Result<(), Failure> {
    // On a worker, as our command does.
    tokio::spawn(run()).await?
}

async fn run() -> Result<(), Failure> {
    let called = Called::from_arguments();
    let [path, blocks, time, files] = called.rest.as_slice() else {
        return Err("PATH BLOCKS MILLISECONDS FILES".into());
    };
    let (blocks, files) = (blocks.parse::<u64>()?, files.parse::<u32>()?);
    let time = Duration::from_millis(time.parse()?);
    let connect_ms = connecting(&called).await?.as_secs_f64() * 1e3;
    let mut client = connect(&called).await?;
    let tree = client.connect_share(&called.share).await?;
    client.write_file_pipelined(&tree, path, &bytes(1, usize::try_from(blocks)? * BLOCK as usize)).await?;
    let mut connection = client.connection().clone();
    let (file, _) = tree.open_file_readwrite(&mut connection, path).await?;
    let mut random = Vec::new();
    for operation in ["read", "write"] {
        for depth in DEPTHS {
            let place = Place { connection: connection.clone(), tree: tree.tree_id, file, blocks };
            let rate = at_random(place, operation, depth, time).await?;
            random.push(format!(r#"{{"operation":"{operation}","depth":{depth},"per_second":{rate:.1}}}"#));
        }
    }
    tree.close_handle(&mut connection, file).await?;
    client.delete_file(&tree, path).await?;
    let mut created = Vec::new();
    for depth in DEPTHS {
        let rate = create_and_remove(&connection, &tree, path, depth, files).await?;
        created.push(format!(r#"{{"depth":{depth},"per_second":{rate:.1}}}"#));
    }
    let (random, created) = (random.join(","), created.join(","));
    println!(r#"{{"connect_ms":{connect_ms:.3},"random":[{random}],"files":[{created}]}}"#);
    Ok(())
}

async fn connect(called: &Called) -> smb2::Result<SmbClient> {
    smb2::connect(&called.address, &called.user, &called.password).await
}

/// The median time from the connection to the share and back. The crate has no log-off of its own: the connection is closed.
async fn connecting(called: &Called) -> Result<Duration, Failure> {
    let mut times = Vec::new();
    for _ in 0..LOG_ONS {
        let started = Instant::now();
        let mut client = connect(called).await?;
        let tree = client.connect_share(&called.share).await?;
        client.disconnect_share(&tree).await?;
        times.push(started.elapsed());
    }
    times.sort_unstable();
    Ok(times[LOG_ONS / 2])
}

/// An open file on its connection.
#[derive(Clone)]
struct Place {
    connection: Connection,
    tree: TreeId,
    file: FileId,
    blocks: u64,
}

impl Place {
    async fn read(&self, offset: u64) -> Result<(), Failure> {
        let request = ReadRequest {
            padding: 0x50,
            flags: 0,
            length: BLOCK,
            offset,
            file_id: self.file,
            minimum_count: 0,
            channel: 0,
            remaining_bytes: 0,
            read_channel_info: Vec::new(),
        };
        let frame = self.connection.execute(Command::Read, &request, Some(self.tree)).await?;
        let response = ReadResponse::unpack(&mut ReadCursor::new(&frame.body))?;
        if response.data.len() == BLOCK as usize { Ok(()) } else { Err("a short READ".into()) }
    }

    async fn write(&self, offset: u64, data: Vec<u8>) -> Result<(), Failure> {
        let request = WriteRequest {
            data_offset: 0x70,
            offset,
            file_id: self.file,
            channel: 0,
            remaining_bytes: 0,
            write_channel_info_offset: 0,
            write_channel_info_length: 0,
            flags: 0,
            data,
        };
        let frame = self.connection.execute(Command::Write, &request, Some(self.tree)).await?;
        let response = WriteResponse::unpack(&mut ReadCursor::new(&frame.body))?;
        if response.count == BLOCK { Ok(()) } else { Err("a short WRITE".into()) }
    }
}

/// Requests per second.
async fn at_random(
    place: Place,
    operation: &'static str,
    depth: usize,
    time: Duration,
) -> Result<f64, Failure> {
    let started = Instant::now();
    let lanes = (0..depth).map(|worker| {
        let (place, data) = (place.clone(), bytes(2, BLOCK as usize));
        async move {
            let mut state = (worker as u64).wrapping_mul(0xd134_2543_de82_ef95);
            let mut count = 0;
            while started.elapsed() < time {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let offset = (state >> 33) % place.blocks * u64::from(BLOCK);
                match operation {
                    "read" => place.read(offset).await?,
                    _ => place.write(offset, data.clone()).await?,
                }
                count += 1;
            }
            Ok::<u32, Failure>(count)
        }
    });
    let lanes: FuturesUnordered<_> = lanes.collect();
    let all: u32 = tokio::spawn(lanes.try_fold(0, |all, count| async move { Ok(all + count) })).await??;
    Ok(f64::from(all) / started.elapsed().as_secs_f64())
}

/// Files created, closed and removed per second.
async fn create_and_remove(
    connection: &Connection,
    tree: &Tree,
    path: &str,
    depth: usize,
    count: u32,
) -> Result<f64, Failure> {
    let (started, next) = (Instant::now(), Arc::new(AtomicU32::new(0)));
    let lanes = (0..depth).map(|_| {
        let (mut connection, tree, path, next) =
            (connection.clone(), tree.clone(), path.to_owned(), next.clone());
        async move {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= count {
                    return Ok::<(), Failure>(());
                }
                let name = format!("{path}.{n}");
                let (file, _) = tree.open_file_readwrite(&mut connection, &name).await?;
                tree.close_handle(&mut connection, file).await?;
                tree.delete_file(&mut connection, &name).await?;
            }
        }
    });
    let lanes: FuturesUnordered<_> = lanes.collect();
    tokio::spawn(lanes.try_collect::<()>()).await??;
    Ok(f64::from(count) / started.elapsed().as_secs_f64())
}
