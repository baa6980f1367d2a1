//! Log-ons and log-offs, share lists, ends without a farewell.

use crate::{Round, Wrong, client, expect};
use smb_tests::Random;
use tokio::time::Instant;

/// Sessions that come, look around and go, orderly or not.
pub async fn come_and_go(round: &Round, share: &str, n: u64) -> Result<u64, Wrong> {
    let mut random = Random::new(round.seed + 1000 * n);
    let mut done = 0;
    while Instant::now() < round.until {
        let session = client(&mut random).connect(&round.address).await?;
        let tree = session.tree(share).await?;
        tree.space().await?;
        if random.below(4) == 0 {
            let shares: Vec<_> = session.shares().await?.into_iter().map(|share| share.name).collect();
            expect(shares.iter().any(|name| name == share), || format!("{shares:?}"))?;
        }
        match random.below(3) {
            0 => session.log_off().await,
            1 => tree.disconnect().await?,
            _ => drop(session),
        }
        done += 1;
    }
    Ok(done)
}
