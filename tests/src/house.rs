//! A server with shares, and ways to it.

use crate::{bounded, pattern, until};
use smb_client::{Client, ClientBuilder, Session, Signing, Tree};
use smb_server::{Builder, Handle, Server, Share, backend::MemoryShare};
use smb_transport::{Fault, Faults, MemoryOptions, MemoryTransport, Transport, memory};
use std::net::SocketAddr;
use tokio::task::JoinHandle;

/// Who may log on.
pub const USER: &str = "alice";
/// With what.
pub const PASSWORD: &str = "Correct-Horse-7";

/// A server with a share `data` in memory, and `ro`, the same one for reading only.
pub struct House {
    /// To the running server.
    pub handle: Handle,
    /// What `data` stores.
    pub memory: MemoryShare,
    /// Where it listens, where it does.
    pub addresses: Vec<SocketAddr>,
    running: Option<JoinHandle<()>>,
}

impl House {
    /// As it comes.
    pub fn new() -> Self {
        Self::with(|builder| builder)
    }

    /// With other shares, policies, limits.
    pub fn with(change: impl FnOnce(Builder) -> Builder) -> Self {
        Self::start(MemoryShare::new(), change)
    }

    /// With so much room on `data`.
    pub fn with_room(bytes: u64) -> Self {
        Self::start(MemoryShare::with_limit(bytes), |builder| builder)
    }

    /// On a socket of the loopback interface, too.
    pub fn listening(change: impl FnOnce(Builder) -> Builder) -> Self {
        Self::with(|builder| change(builder).listen(([127, 0, 0, 1], 0).into()))
    }

    fn start(memory: MemoryShare, change: impl FnOnce(Builder) -> Builder) -> Self {
        let builder = Server::builder()
            .user(USER, PASSWORD)
            .share(Share::new("data", memory.clone()))
            .share(Share::new("ro", memory.clone()).read_only());
        let server = change(builder).build().expect("a server");
        let (handle, addresses) = (server.handle(), server.local_addrs());
        let running = (!addresses.is_empty()).then(|| tokio::spawn(server.run(std::future::pending())));
        Self { handle, memory, addresses, running }
    }

    /// The client's end of a connection in memory, and the task that serves the other.
    pub fn dial_served(&self, options: MemoryOptions) -> (MemoryTransport, JoinHandle<()>) {
        let (ours, theirs) = memory::pair(options);
        (ours, self.serve(theirs))
    }

    /// Serves a connection.
    pub fn serve(&self, transport: impl Transport + 'static) -> JoinHandle<()> {
        let handle = self.handle.clone();
        tokio::spawn(async move { handle.serve(transport).await })
    }

    /// The client's end of a connection in memory, without placement.
    pub fn dial(&self) -> MemoryTransport {
        self.dial_served(MemoryOptions::plain()).0
    }

    /// The same, with faults at the client's end.
    pub fn dial_through(&self, faults: &Faults) -> Box<dyn Transport> {
        Box::new(Fault::new(self.dial(), faults.clone()))
    }

    /// A session over a sound connection.
    pub async fn session(&self) -> Session {
        client().connect_over(Box::new(self.dial()), "server").await.expect("a session")
    }

    /// The share `data`, the same way.
    pub async fn tree(&self) -> Tree {
        self.session().await.tree("data").await.expect("the share")
    }

    /// Another client comes, writes and reads, and goes: the server lives.
    pub async fn still_serves(&self) {
        bounded("serving another client", async {
            let tree = self.tree().await;
            let file = tree.create("still serves").await.unwrap();
            file.write_at(0, pattern(100_000, 3)).await.unwrap();
            file.close().await.unwrap();
            let file = tree.open("still serves").await.unwrap();
            assert!(file.read_at(0, 200_000).await.unwrap() == pattern(100_000, 3));
            file.close().await.unwrap();
            tree.session().clone().log_off().await;
        })
        .await;
    }

    /// Nothing is left of any client: no open file, no session.
    pub async fn is_left_clean(&self) {
        until("closing all files", || self.handle.open_files() == 0).await;
        until("ending all sessions", || self.handle.sessions() == 0).await;
    }
}

impl Default for House {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if let Some(running) = &self.running {
            running.abort();
        }
    }
}

/// A client with the right password that neither signs nor seals unless the server wants it: what is placed in memory
/// can be placed then.
pub fn client() -> ClientBuilder {
    Client::builder().user(USER, PASSWORD).signing(Signing::Allowed)
}
