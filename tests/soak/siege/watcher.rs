//! Who watches meanwhile: the server's memory, and a client of good faith.

use crate::{PATIENCE, Wrong};
use smb_client::{Client, Session};
use smb_tests::{PASSWORD, pattern};
use std::time::Duration;
use tokio::{
    sync::oneshot,
    task::JoinHandle,
    time::{Instant, timeout},
};

/// The memory of a process.
#[derive(Clone, Copy)]
pub struct Memory(u32);

impl Memory {
    /// Of the process `pid`.
    pub fn of(pid: u32) -> Self {
        Self(pid)
    }

    /// Bytes now, files not counted.
    fn now(self) -> Result<u64, Wrong> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0))?;
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).ok_or("no RssAnon")?;
        let kib: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
        Ok(kib << 10)
    }

    /// The most it has until the sender is dropped.
    pub fn watch(self) -> (impl Future<Output = Result<u64, Wrong>>, oneshot::Sender<()>) {
        let (stop, mut stopped) = oneshot::channel();
        let watching: JoinHandle<Result<u64, Wrong>> = tokio::spawn(async move {
            let mut highest = 0;
            loop {
                highest = highest.max(self.now()?);
                if timeout(Duration::from_millis(20), &mut stopped).await.is_ok() {
                    return Ok(highest);
                }
            }
        });
        (async move { watching.await? }, stop)
    }
}

/// Not the user of the crowds, who gets no more than a share.
const USER: &str = "bob";

/// Comes, writes, reads and goes, over and over, beside a session that stays.
pub struct Bystander {
    working: JoinHandle<Result<Duration, Wrong>>,
    stop: oneshot::Sender<()>,
}

/// Visits that a siege has to bear at least.
const VISITS: usize = 5;

impl Bystander {
    /// Begins.
    pub fn start(address: String) -> Self {
        let (stop, mut stopped) = oneshot::channel();
        let working = tokio::spawn(async move {
            let (mut longest, mut visits) = (Duration::ZERO, 0);
            let stays = log_on(&address).await?;
            while visits < VISITS
                || stopped.try_recv().is_err_and(|e| e == oneshot::error::TryRecvError::Empty)
            {
                let begun = Instant::now();
                stays.echo().await?;
                longest = longest.max(begun.elapsed());
                longest = longest.max(visit(&address).await?);
                visits += 1;
            }
            Ok(longest)
        });
        Self { working, stop }
    }

    /// The longest that anything took. Visits go on until at least five were made.
    pub async fn end(self) -> Result<Duration, Wrong> {
        drop(self.stop);
        self.working.await?
    }
}

/// Who is displaced by a crowd before the log-on is through comes again.
async fn log_on(address: &str) -> Result<Session, Wrong> {
    let begun = Instant::now();
    loop {
        match Client::builder().user(USER, PASSWORD).connect(address).await {
            Ok(session) => return Ok(session),
            Err(error) if begun.elapsed() > PATIENCE => return Err(error.into()),
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

/// The longest that one step of a visit takes, the log-on with all its attempts being one.
async fn visit(address: &str) -> Result<Duration, Wrong> {
    let begun = Instant::now();
    let session = log_on(address).await?;
    let mut ends = vec![begun, Instant::now()];
    let mut step = || ends.push(Instant::now());
    let tree = session.tree("memory").await?;
    step();
    tree.write("bystander", pattern(100_000, 3)).await?;
    step();
    if tree.read("bystander").await? != pattern(100_000, 3) {
        return Err("what was read is not what was written".into());
    }
    step();
    session.log_off().await;
    step();
    let steps = ends.iter().zip(ends.iter().skip(1));
    Ok(steps.map(|(from, to)| to.duration_since(*from)).max().unwrap_or_default())
}
