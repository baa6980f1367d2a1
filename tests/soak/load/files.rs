//! What is in files: whole ones of many sizes both ways, and small reads and writes here and there.

use crate::{Round, Worker, Wrong, expect};
use smb_client::{
    File, OpenOptions,
    transfer::{self, MemorySource, TransferOptions, Verify},
};
use smb_tests::{Random, random_bytes};
use tokio::task::JoinSet;

const SIZES: [u64; 8] = [0, 1, 4095, 65_535, 65_537, 1 << 20, (8 << 20) + 1, 24 << 20];

/// Uploads, copies on the server and downloads, each compared with what was sent.
pub async fn copies(round: &Round, share: &str, n: u64) -> Result<u64, Wrong> {
    let mut worker = Worker::start("copies", round, share, n).await?;
    let block = random_bytes(1 << 20, round.seed + n);
    while worker.goes_on() {
        let size = *worker.random.pick(&SIZES);
        let size = if worker.random.below(2) == 0 { size } else { worker.random.below(size + 1) };
        copy(&mut worker, &block, size).await.map_err(|wrong| format!("{size} bytes: {wrong}"))?;
        local_file(&mut worker, round, share).await?;
        worker.done += 1;
    }
    worker.end().await
}

async fn copy(worker: &mut Worker, block: &[u8], size: u64) -> Result<(), Wrong> {
    // A period that no piece of a transfer divides: what lands elsewhere is seen.
    let from = usize::try_from(worker.random.below(1 << 12))?;
    let pattern = block.get(from..).unwrap_or(block).to_vec();
    let wanted: Vec<u8> = pattern.iter().copied().cycle().take(usize::try_from(size)?).collect();
    let (path, copied) = (format!("{}/file", worker.dir), format!("{}/copy", worker.dir));
    let verify = if worker.random.below(4) == 0 { Verify::Readback } else { Verify::Size };
    let options = TransferOptions::new().verify(verify);
    let file = OpenOptions::write_and_read().open(&worker.tree, &path).await?;
    let mut source = MemorySource::new(pattern.into(), size);
    transfer::upload(&file, &mut source, &options).await?;
    file.close().await?;
    let of = match worker.random.below(2) {
        0 => &path,
        _ => {
            worker.tree.copy(&path, &copied, &TransferOptions::new()).await?;
            &copied
        }
    };
    let back = worker.tree.read(of).await?;
    expect(blake3::hash(&back) == blake3::hash(&wanted), || format!("{of} differs after the way back"))
}

/// A file of this machine up and down again, as the command line does it.
async fn local_file(worker: &mut Worker, round: &Round, share: &str) -> Result<(), Wrong> {
    let (up, down) = (round.scratch.join(format!("{share}-up")), round.scratch.join(format!("{share}-down")));
    let data = random_bytes(usize::try_from(worker.random.below(3 << 20))?, worker.random.next());
    tokio::fs::write(&up, &data).await?;
    let path = format!("{}/local", worker.dir);
    let options = TransferOptions::new().resume(worker.random.below(2) == 0);
    transfer::upload_file(&up, &worker.tree, &path, &options).await?;
    let file = worker.tree.open(&path).await?;
    transfer::download_to(&file, &down, &options).await?;
    file.close().await?;
    expect(tokio::fs::read(&down).await? == data, || format!("{path} differs after both ways"))?;
    tokio::fs::remove_file(&down).await?;
    Ok(())
}

/// Bytes of the file that small reads and writes hit, in blocks of which each request has one.
const BLOCK: usize = 64 << 10;
const BLOCKS: usize = 64;
const DEPTH: usize = 16;

/// Reads and writes of up to 64 KiB at depth 16, compared with a copy in memory.
pub async fn small(round: &Round, share: &str, n: u64) -> Result<u64, Wrong> {
    let mut worker = Worker::start("small", round, share, n).await?;
    let path = format!("{}/file", worker.dir);
    let mut mirror = random_bytes(BLOCK * BLOCKS, round.seed);
    worker.tree.write(&path, mirror.clone()).await?;
    while worker.goes_on() {
        let file = OpenOptions::read_write().open(&worker.tree, &path).await?;
        for _ in 0..20 {
            at_once(&file, &mut mirror, &mut worker.random).await?;
            worker.done += 1;
        }
        shorten(&file, &mut mirror, &mut worker.random).await?;
        file.flush().await?;
        file.close().await?;
        let all = worker.tree.read(&path).await?;
        expect(blake3::hash(&all) == blake3::hash(&mirror), || "the file differs from its mirror".into())?;
    }
    worker.end().await
}

/// Sixteen requests at a time, each in a block of its own.
async fn at_once(file: &File, mirror: &mut [u8], random: &mut Random) -> Result<(), Wrong> {
    let first = usize::try_from(random.below(u64::try_from(BLOCKS - DEPTH)?))?;
    let mut under_way: JoinSet<Result<(), Wrong>> = JoinSet::new();
    for block in first..first + DEPTH {
        let skip = usize::try_from(random.below(u64::try_from(BLOCK)?))?;
        let len = 1 + usize::try_from(random.below(u64::try_from(BLOCK - skip)?))?;
        let at = block * BLOCK + skip;
        let here = mirror.get_mut(at..at + len).ok_or("beyond the mirror")?;
        let (file, offset) = (file.clone(), u64::try_from(at)?);
        if random.below(2) == 0 {
            here.copy_from_slice(&random_bytes(len, random.next()));
            let data = here.to_vec();
            under_way.spawn(async move { Ok(file.write_at(offset, data).await?) });
        } else {
            let wanted = here.to_vec();
            under_way.spawn(async move {
                let found = file.read_at(offset, wanted.len()).await?;
                expect(found == wanted, || format!("{len} bytes at {offset} differ"))
            });
        }
    }
    while let Some(done) = under_way.join_next().await {
        done??;
    }
    Ok(())
}

/// Cuts the file off and lets it grow again: what comes back is zero.
async fn shorten(file: &File, mirror: &mut [u8], random: &mut Random) -> Result<(), Wrong> {
    let keep = usize::try_from(random.below(u64::try_from(mirror.len())?))?;
    file.set_len(u64::try_from(keep)?).await?;
    file.set_len(u64::try_from(mirror.len())?).await?;
    mirror.get_mut(keep..).unwrap_or(&mut []).fill(0);
    Ok(())
}
