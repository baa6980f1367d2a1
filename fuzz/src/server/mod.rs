//! A server under any series of operations of two clients: the whole driver over an in-memory wire, on one thread and
//! paused time.
//!
//! Beside every connection runs a model of it. It asks that each request is answered once (or once in between and once
//! at the end), with its own ids and as protected as it came; that credits never exceed the window, and never run
//! dry with nothing under way; that a MessageId is good once; that a frame against the rules ends the connection, and
//! one within them does not; that no session sees another's opens; and that nothing is left when all have gone.

mod login;
mod model;
mod ops;
mod peer;

use crate::{bounded, source::Source};
use model::Asked;
pub use peer::now;
use peer::{Manner, OpenFile, Peer};
use smb_proto::command::Command;
use smb_server::{
    Handle, Policy, Server, Share,
    backend::{
        MemoryShare,
        stream::{Incoming, Incomings, ReaderConsumer, StreamOptions},
    },
};
use std::time::Duration;

/// Requests of a connection that the server has under way at a time.
const PENDING: usize = 13;
const USER: &str = "alice";
const PASSWORD: &str = "Passw0rd";
/// The longest frame that the server takes: its READs and WRITEs, and what is around their data.
const LONGEST: usize = (1 << 16) + (64 << 10);
/// What two clients, their files and their answers may take at a time.
const LIMIT: usize = 24 << 20;

struct World {
    server: Handle,
    peers: [Peer; 2],
    files: Vec<OpenFile>,
    maximum: u16,
    incomings: Incomings,
    streams: Vec<Incoming>,
}

fn server(choices: &mut Source<'_>) -> (Handle, Incomings, u16) {
    let policies = choices.u8();
    let policy = |on: bool| if on { Policy::Required } else { Policy::Allowed };
    let maximum = choices.pick(&[12, 1, 2, 8]).unwrap_or(8);
    let (consumer, incomings) = ReaderConsumer::new();
    let options = StreamOptions { window: 8192, ..StreamOptions::default() };
    let server = Server::builder()
        .user(USER, PASSWORD)
        .guest(policies & 4 != 0)
        .signing(policy(policies & 1 != 0))
        .encryption(policy(policies & 2 != 0))
        .max_credits(maximum)
        .max_io(1 << 16)
        .limits(|limits| {
            limits.max_transact = 1 << 16;
            // More than there are credits: no answer can be held up by what the client itself asked for.
            limits.max_pending = PENDING;
            limits.outbound_bytes = 1 << 17;
            limits.async_bytes = 1 << 16;
            limits.max_sessions = 3;
            limits.max_trees = 3;
            limits.max_opens = 6;
            limits.auth_timeout = Duration::from_secs(1 << 30);
        })
        .share(Share::new("data", MemoryShare::with_limit(8 << 20)))
        .stream_share("stream", consumer, options)
        .build()
        .expect("a server");
    (server.handle(), incomings, maximum)
}

/// Any series of operations.
pub fn run(data: &[u8]) {
    smb_server::fuzzing::begin_again();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    bounded::within(LIMIT, || runtime.block_on(play(Source::new(data))));
    assert_eq!(runtime.metrics().num_alive_tasks(), 0, "tasks outlive their connections");
}

async fn play(mut choices: Source<'_>) {
    let (server, incomings, maximum) = server(&mut choices);
    let peers = [Peer::connect(&server, maximum), Peer::connect(&server, maximum)];
    let mut world = World { server, peers, files: Vec::new(), maximum, incomings, streams: Vec::new() };
    while !choices.is_over() {
        world.step(&mut choices).await;
    }
    world.end().await;
}

impl World {
    async fn step(&mut self, choices: &mut Source<'_>) {
        let what = choices.u8();
        let [first, second] = &mut self.peers;
        let peer = if what & 0x80 == 0 { first } else { second };
        let files = &mut self.files;
        if peer.gone {
            *peer = Peer::connect(&self.server, self.maximum);
        }
        match what & 0x1f {
            0 => peer.negotiate(&ops::negotiate(choices), files).await,
            1 => {
                let user = choices.pick(&[USER, USER, USER, "zed", ""]).unwrap_or_default();
                peer.login(user, 0, choices, files).await;
            }
            2 => {
                let again = peer.logins.first().map_or(0, |login| login.id);
                peer.login(USER, again, choices, files).await;
            }
            3 => *peer = Peer::connect(&self.server, self.maximum),
            4 => {
                let cancel = ops::cancel(peer, choices);
                let manner = Manner { sign: choices.rarely(2), seal: choices.rarely(3) };
                peer.send(cancel, manner, files).await;
            }
            5 => peer.settle(files).await,
            6 => tokio::time::sleep(Duration::from_secs(choices.u8().into())).await,
            7 => self.consume(choices.u8()).await,
            8 => peer.send_raw(choices.blob(), files).await,
            9 => {
                if let Some((mut frame, manner)) = ops::frame(peer, choices, files) {
                    peer.lawful = false;
                    mutate(&mut frame, choices);
                    peer.send(frame, manner, files).await;
                }
            }
            // A used id, or one that was never granted.
            10 => {
                peer.next = peer.next.saturating_sub(choices.u8().into()) + u64::from(choices.u8());
                peer.lawful = false;
            }
            _ => {
                if let Some((frame, manner)) = ops::frame(peer, choices, files) {
                    peer.send(frame, manner, files).await;
                }
                if what & 0x20 == 0 {
                    peer.settle(files).await;
                }
            }
        }
    }

    /// The other end of the streams.
    async fn consume(&mut self, how: u8) {
        while let Some(Some(stream)) = now(self.incomings.next()) {
            self.streams.push(stream);
        }
        match how % 4 {
            0 => self.streams.clear(),
            1 => self.streams.pop().map_or((), |stream| _ = stream.confirm()),
            _ => self
                .streams
                .iter_mut()
                .for_each(|stream| while let Some(Ok(Some(_))) = now(stream.chunk()) {}),
        }
    }

    /// Whatever still waits is cancelled, and must come to its end; then all leave.
    async fn end(mut self) {
        for at in 0..self.peers.len() {
            self.peers[at].settle(&mut self.files).await;
            while !self.peers[at].gone && !self.peers[at].model.asked.is_empty() {
                let peer = &mut self.peers[at];
                let before = peer.model.asked.len();
                cancel_all(peer, &mut self.files).await;
                if peer.model.asked.len() == before {
                    let asked = &peer.model.asked;
                    // With so many under way nothing more is read, no CANCEL either: `Limits::max_pending`.
                    let is_full = asked.len() >= PENDING;
                    assert!(is_full || asked.values().all(waits_for_the_consumer), "{asked:?}");
                    self.consumer_leaves().await;
                }
                let peer = &mut self.peers[at];
                peer.settle(&mut self.files).await;
                let asked = &peer.model.asked;
                assert!(asked.len() < before || peer.gone, "never answered: {asked:?}");
            }
        }
        let Self { server, peers, .. } = self;
        drop(peers);
        tokio::time::sleep(Duration::from_secs(3600)).await;
        assert_eq!((server.sessions(), server.open_files()), (0, 0), "left behind");
    }

    async fn consumer_leaves(&mut self) {
        self.streams.clear();
        while let Some(Some(_)) = now(self.incomings.next()) {}
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Cancels all that waits on a connection, once.
async fn cancel_all(peer: &mut Peer, files: &mut Vec<OpenFile>) {
    for nth in 0..peer.model.asked.len().min(255) {
        // As the request was: where the session requires seals, a CANCEL without one is overlooked.
        let seal = peer.model.asked.values().nth(nth).is_some_and(|asked| asked.sealed);
        let cancel = ops::cancel(peer, &mut Source::new(&[u8::try_from(nth).unwrap_or(0)]));
        peer.send(cancel, Manner { sign: true, seal }, files).await;
    }
    tokio::time::sleep(Duration::from_secs(3600)).await;
    peer.settle(files).await;
}

/// A CLOSE, and what shares its frame, may wait until the consumer of a stream has decided; so may a CREATE that cannot
/// be cancelled any more, because its session is over.
fn waits_for_the_consumer(asked: &Asked) -> bool {
    !asked.alone || matches!(asked.command, Command::CLOSE | Command::CREATE)
}

fn mutate(frame: &mut [u8], choices: &mut Source<'_>) {
    for _ in 0..=choices.u8() % 4 {
        let at = usize::from(choices.u16());
        let len = frame.len().max(1);
        if let Some(byte) = frame.get_mut(at % len) {
            *byte ^= choices.u8();
        }
    }
}
