//! Connections that are cut: by a relay in between that ends both sides without a word.

use crate::{PASSWORD, Round, USER, Wrong, client, expect};
use smb_client::{Client, Error, TransferError};
use smb_tests::{Random, random_bytes};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::Instant,
};

/// A way to the server that can be cut.
struct Relay {
    address: SocketAddr,
    /// How often it was cut.
    cuts: watch::Sender<u64>,
    _connections: JoinSet<()>,
}

impl Relay {
    async fn start(server: String) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let cuts = watch::Sender::new(0);
        let told = cuts.clone();
        let mut connections = JoinSet::new();
        connections.spawn(async move {
            let mut relayed = JoinSet::new();
            while let Ok((here, _)) = listener.accept().await {
                while relayed.try_join_next().is_some() {}
                relayed.spawn(relay(here, server.clone(), told.subscribe()));
            }
        });
        Ok(Self { address, cuts, _connections: connections })
    }

    /// Cuts all connections.
    fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }
}

/// Relays until one side ends or the cut comes; every second cut resets.
async fn relay(mut here: TcpStream, server: String, mut cuts: watch::Receiver<u64>) {
    let Ok(mut there) = TcpStream::connect(server).await else { return };
    tokio::select! {
        _ = io::copy_bidirectional(&mut here, &mut there) => {}
        _ = cuts.changed() => {
            if cuts.borrow().is_multiple_of(2) {
                let _ = here.set_zero_linger();
                let _ = there.set_zero_linger();
            }
        }
    }
}

/// Whether `error` only says that the connection was cut.
fn lost(error: &Error) -> bool {
    match error {
        Error::Transport(_) | Error::NotSent(_) | Error::OpenLost(_) => true,
        Error::Transfer(TransferError::In { error, .. }) => lost(error),
        _ => false,
    }
}

/// Writes and reads whole files while the connection is cut again and again: what was confirmed is there, and nothing but
/// the cut is ever the reason of a failure.
pub async fn reconnects(round: &Round, share: &str, n: u64) -> Result<u64, Wrong> {
    let mut random = Random::new(round.seed + 31 * n);
    let relay = Relay::start(round.address.clone()).await?;
    let session = client(&mut random).connect(&relay.address.to_string()).await?;
    let tree = session.tree(share).await?;
    let dir = format!("reconnects-{n}");
    tree.create_dir(&dir).await?;
    let cutting = async {
        loop {
            tokio::time::sleep(Duration::from_millis(20 + random.below(600))).await;
            relay.cut();
        }
    };
    let working = async {
        let (mut done, mut attempt, mut random) = (0u64, 0u64, Random::new(round.seed + n));
        while Instant::now() < round.until {
            let data = random_bytes(usize::try_from(random.below(2 << 20))?, random.next());
            let path = loop {
                attempt += 1;
                // A name for each attempt: what a lost one has still under way changes nothing here.
                let path = format!("{dir}/{attempt}");
                match tree.write(&path, data.clone()).await {
                    Ok(()) => break path,
                    Err(error) if lost(&error) => {}
                    Err(error) => return Err(format!("writing: {error}").into()),
                }
            };
            let found = loop {
                match tree.read(&path).await {
                    Ok(found) => break found,
                    Err(error) if lost(&error) => {}
                    Err(error) => return Err(format!("reading: {error}").into()),
                }
            };
            expect(found == data, || format!("{path} is not what was confirmed"))?;
            done += 1;
        }
        Ok::<_, Wrong>(done)
    };
    let done = tokio::select! {
        never = cutting => never,
        done = working => done?,
    };
    drop((tree, session));
    let session = Client::builder().user(USER, PASSWORD).connect(&round.address).await?;
    session.tree(share).await?.remove_dir_all(&dir).await?;
    session.log_off().await;
    Ok(done)
}
