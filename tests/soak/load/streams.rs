//! Migration streams: committed ones arrive whole, others never under their name.

use crate::{Round, Wrong, client, expect};
use smb_client::{
    migration::StreamWriter,
    transfer::{MemorySource, TransferOptions},
};
use smb_tests::{Random, random_bytes};
use std::path::Path;
use tokio::time::Instant;

/// Streams of all sizes, one in four given up midway.
pub async fn streams(round: &Round) -> Result<u64, Wrong> {
    let mut random = Random::new(round.seed + 5);
    let mut done = 0;
    while Instant::now() < round.until {
        let session = client(&mut random).connect(&round.address).await?;
        let tree = session.tree("streams").await?;
        let name = format!("stream-{done}");
        let (given_up, place) = (random.below(4) == 0, round.streams.join(&name));
        let data = random_bytes(usize::try_from(random.below(6 << 20))?, random.next());
        let mut stream = StreamWriter::create(&tree, &name).await?;
        let mut source = MemorySource::new(data.clone().into(), u64::try_from(data.len())?);
        stream.send(&mut source, &TransferOptions::new()).await?;
        if given_up {
            drop(stream);
        } else {
            stream.commit().await?;
            arrived(&place, &data).await?;
        }
        session.log_off().await;
        expect(!place.exists(), || format!("{name} was given up and is there"))?;
        done += 1;
    }
    Ok(done)
}

async fn arrived(place: &Path, data: &[u8]) -> Result<(), Wrong> {
    let found = tokio::fs::read(place).await?;
    expect(found == data, || format!("{} differs", place.display()))?;
    Ok(tokio::fs::remove_file(place).await?)
}
