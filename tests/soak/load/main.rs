//! The load of the soak: what `tests/soak/run` drives. It works on a server from many sessions at once and checks
//! everything that comes back; the first thing that is wrong ends it.
//!
//! ```text
//!   soak load ADDRESS STREAMS SCRATCH   per line `round SECONDS SEED` of standard input: a round, then `done {…}`
//!   soak victim ADDRESS SEED            works until it is killed
//! ```
//! STREAMS is the directory where the server's command leaves what was streamed; SCRATCH is for local copies. Between two
//! rounds only the [`resident::Resident`] is connected: what else is held then, on either side, is a leak.

mod cuts;
mod files;
mod names;
mod resident;
mod sessions;
mod streams;
mod together;
mod victim;

use smb_client::{Client, Encryption, Session, Signing, Tree};
use smb_proto::dialect::{Cipher, Dialect, SigningAlgorithm};
use smb_tests::Random;
use std::{error::Error, io::BufRead, path::PathBuf, time::Duration};
use tokio::{task::JoinSet, time::Instant};

/// What is wrong: a request that failed, or an answer that is not what was expected.
pub type Wrong = Box<dyn Error + Send + Sync>;

/// The shares of the server under load.
pub const SHARES: [&str; 2] = ["local", "memory"];
/// Who may log on.
pub const USER: &str = "alice";
/// With what.
pub const PASSWORD: &str = "Passw0rd";

/// Fails with `what` unless `holds`.
pub fn expect(holds: bool, what: impl FnOnce() -> String) -> Result<(), Wrong> {
    if holds { Ok(()) } else { Err(what().into()) }
}

/// A client of any dialect and protection.
pub fn client(random: &mut Random) -> Client {
    let any = [
        Dialect::SMB_2_0_2,
        Dialect::SMB_2_1,
        Dialect::SMB_3_0,
        Dialect::SMB_3_0_2,
        Dialect::SMB_3_1_1,
        Dialect::SMB_3_1_1,
        Dialect::SMB_3_1_1,
    ];
    let ciphers = [Cipher::AES_128_GCM, Cipher::AES_256_GCM, Cipher::AES_128_CCM, Cipher::AES_256_CCM];
    let algorithms = [SigningAlgorithm::AES_GMAC, SigningAlgorithm::AES_CMAC, SigningAlgorithm::HMAC_SHA256];
    let builder = Client::builder().user(USER, PASSWORD);
    let builder = match random.below(3) {
        0 => builder.signing(Signing::Allowed).dialects(same(*random.pick(&any))),
        1 => builder.signing_algorithms(&[*random.pick(&algorithms)]).dialects(same(*random.pick(&any))),
        _ => builder.encryption(Encryption::Required).ciphers(&[*random.pick(&ciphers)]),
    };
    builder.build().expect("sound options")
}

fn same(dialect: Dialect) -> std::ops::RangeInclusive<Dialect> {
    dialect..=dialect
}

/// What a worker works with.
pub struct Worker {
    /// Its own, from the round's seed.
    pub random: Random,
    /// Its session.
    pub session: Session,
    /// The share.
    pub tree: Tree,
    /// A directory of its own.
    pub dir: String,
    /// When the round is over.
    pub until: Instant,
    /// What it has done.
    pub done: u64,
}

impl Worker {
    /// A worker with a session of its own and an empty directory.
    pub async fn start(what: &str, round: &Round, share: &str, seed: u64) -> Result<Self, Wrong> {
        let mut random = Random::new(round.seed ^ seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let session = client(&mut random).connect(&round.address).await?;
        let tree = session.tree(share).await?;
        let dir = format!("{what}-{seed}");
        tree.create_dir(&dir).await?;
        Ok(Self { random, session, tree, dir, until: round.until, done: 0 })
    }

    /// Whether there is time for more.
    pub fn goes_on(&self) -> bool {
        Instant::now() < self.until
    }

    /// Leaves nothing behind.
    pub async fn end(self) -> Result<u64, Wrong> {
        self.tree.remove_dir_all(&self.dir).await?;
        self.tree.disconnect().await?;
        self.session.log_off().await;
        Ok(self.done)
    }
}

/// A stretch of load.
#[derive(Clone)]
pub struct Round {
    /// The server.
    pub address: String,
    /// Where its command leaves streams.
    pub streams: PathBuf,
    /// For local copies.
    pub scratch: PathBuf,
    /// Where its randomness begins.
    pub seed: u64,
    /// When it ends.
    pub until: Instant,
}

/// Runs all kinds of work at once; gives what each has done.
async fn run(round: Round) -> Result<Vec<(&'static str, u64)>, Wrong> {
    let mut work: JoinSet<Result<(&'static str, u64), Wrong>> = JoinSet::new();
    for (n, share) in (0u64..).zip(SHARES) {
        macro_rules! start {
            ($name:literal, $work:path) => {
                let round = round.clone();
                work.spawn(async move {
                    let done = $work(&round, share, n).await;
                    done.map(|done| ($name, done)).map_err(|wrong| in_work($name, share, wrong))
                });
            };
        }
        start!("copies", files::copies);
        start!("small", files::small);
        start!("storms", names::storms);
        start!("named-streams", names::named_streams);
        start!("locks", together::locks);
        start!("notify", together::notify);
        start!("reconnects", cuts::reconnects);
        start!("sessions", sessions::come_and_go);
    }
    let streaming = round.clone();
    work.spawn(async move {
        let done = streams::streams(&streaming).await;
        done.map(|done| ("streams", done)).map_err(|wrong| in_work("streams", "streams", wrong))
    });
    let mut all = Vec::new();
    while let Some(done) = work.join_next().await {
        all.push(done??);
    }
    Ok(all)
}

fn in_work(name: &str, share: &str, wrong: Wrong) -> Wrong {
    format!("{name} on {share}: {wrong}").into()
}

fn told(done: &[(&'static str, u64)]) -> String {
    let mut sums = std::collections::BTreeMap::new();
    for (name, count) in done {
        *sums.entry(*name).or_insert(0) += count;
    }
    let fields: Vec<_> = sums.iter().map(|(name, count)| format!("\"{name}\": {count}")).collect();
    format!("{{{}}}", fields.join(", "))
}

fn load(address: &str, streams: &str, scratch: &str) -> Result<(), Wrong> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let resident = runtime.block_on(resident::Resident::start(address))?;
    println!("ready {}", resident.opens());
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let mut words = line.split_whitespace().skip(1).map(str::parse::<u64>);
        let (Some(Ok(seconds)), Some(Ok(seed))) = (words.next(), words.next()) else {
            return Err(format!("not a round: {line}").into());
        };
        let until = Instant::now() + Duration::from_secs(seconds);
        let (streams, scratch) = (PathBuf::from(streams), PathBuf::from(scratch));
        let round = Round { address: address.to_owned(), streams, scratch, seed, until };
        let done = runtime.block_on(async {
            let done = run(round).await?;
            victim::clean_up(address).await?;
            resident.check().await?;
            Ok::<_, Wrong>(done)
        })?;
        println!("done {}", told(&done));
    }
    Ok(())
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ended = match words.as_slice() {
        ["load", address, streams, scratch] => load(address, streams, scratch),
        ["victim", address, seed] => victim::run(address, seed.parse().unwrap_or(0)),
        _ => Err("usage: soak load ADDRESS STREAMS SCRATCH | soak victim ADDRESS SEED".into()),
    };
    if let Err(wrong) = ended {
        println!("wrong {wrong}");
        std::process::exit(1);
    }
}
