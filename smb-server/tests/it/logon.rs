//! Who may log on how often, who may use which share, and how a server stops.

use crate::peer::*;
use smb_proto::{msg::*, status::NtStatus};
use smb_server::{Handle, Server, backend::MemoryShare};
use smb_transport::{
    Halves, LinkInfo, Transport,
    memory::{MemoryOptions, pair},
};
use std::{net::SocketAddr, time::Duration};
use tokio::time::Instant;

/// A connection that comes from an address.
struct From<T>(T, LinkInfo);

impl<T: Transport> Transport for From<T> {
    fn info(&self) -> &LinkInfo {
        &self.1
    }

    fn split(self: Box<Self>) -> Halves {
        Halves { info: self.1, ..Box::new(self.0).split() }
    }
}

async fn from(server: &Handle, address: &str) -> Peer {
    let (ours, theirs) = pair(MemoryOptions::default());
    let peer: SocketAddr = address.parse().unwrap();
    let info = LinkInfo { peer: Some(peer), ..theirs.info().clone() };
    let server = server.clone();
    tokio::spawn(async move { server.serve(From(theirs, info)).await });
    let mut peer = Peer::on(Box::new(ours));
    peer.negotiate().await;
    peer
}

const STRANGER: &str = "192.0.2.1:1000";

async fn fail(server: &Handle, times: usize) {
    for _ in 0..times {
        let refused = from(server, STRANGER).await.login(USER, "guess").await;
        assert_eq!(refused.unwrap_err(), NtStatus::LOGON_FAILURE);
    }
}

#[tokio::test(start_paused = true)]
async fn guessing_passwords_takes_longer_and_longer() {
    let server = plain();
    let start = Instant::now();
    fail(&server, 5).await;
    assert_eq!(start.elapsed(), Duration::ZERO);
    fail(&server, 3).await;
    assert_eq!(start.elapsed(), Duration::from_secs(1 + 2 + 4));
    // Others are not concerned.
    from(&server, "192.0.2.2:1000").await.login(USER, PASSWORD).await.unwrap();
    assert_eq!(start.elapsed(), Duration::from_secs(7));
    // The right password waits, too, and ends it.
    from(&server, STRANGER).await.login(USER, PASSWORD).await.unwrap();
    assert_eq!(start.elapsed(), Duration::from_secs(7 + 8));
    fail(&server, 5).await;
    assert_eq!(start.elapsed(), Duration::from_secs(15));
}

/// Whoever has an account, and whoever is let in without one, does not get to guess for nothing.
#[tokio::test(start_paused = true)]
async fn only_the_user_who_failed_ends_the_waiting() {
    let server = server(memory(), |builder| builder.user("bob", "his").guest(true));
    let start = Instant::now();
    fail(&server, 6).await;
    assert_eq!(start.elapsed(), Duration::from_secs(1));
    from(&server, STRANGER).await.login("nobody", "").await.unwrap();
    assert_eq!(start.elapsed(), Duration::from_secs(1 + 2));
    from(&server, STRANGER).await.login("bob", "his").await.unwrap();
    assert_eq!(start.elapsed(), Duration::from_secs(1 + 2 + 2));
    fail(&server, 1).await;
    assert_eq!(start.elapsed(), Duration::from_secs(1 + 2 + 2 + 2));
}

#[tokio::test(start_paused = true)]
async fn who_would_wait_too_long_is_refused() {
    let server = plain();
    fail(&server, 10).await;
    let refused = from(&server, STRANGER).await.login(USER, PASSWORD).await;
    assert_eq!(refused.unwrap_err(), NtStatus::REQUEST_NOT_ACCEPTED);
}

#[tokio::test]
async fn shares_of_their_own() {
    let share = memory().allow("Alice").allow_reading("bob");
    let server = server(share, |builder| builder.user("bob", "his").user("carol", "hers"));
    let mut alice = Peer::ready(&server).await;
    alice.file("f").await;
    let mut bob = Peer::connect(&server);
    bob.negotiate().await;
    bob.login("BOB", "his").await.unwrap();
    let told = bob.connect_tree("data").await.unwrap();
    assert!(!told.maximal_access.intersects(Access::WRITE_DATA.with(Access::DELETE)));
    for (name, disposition) in [("f", CreateDisposition::OPEN), ("g", CreateDisposition::CREATE)] {
        assert_eq!(bob.create(&create(name, disposition)).await, Err(NtStatus::ACCESS_DENIED));
    }
    let reading =
        |disposition| CreateRequest { desired_access: Access::FILE_READ, ..create("g", disposition) };
    let created = bob.create(&reading(CreateDisposition::CREATE)).await;
    assert_eq!(created, Err(NtStatus::ACCESS_DENIED));
    let read = CreateRequest { name: "f".into(), ..reading(CreateDisposition::OPEN) };
    bob.create(&read).await.unwrap();
    let mut carol = Peer::connect(&server);
    carol.negotiate().await;
    carol.login("carol", "hers").await.unwrap();
    assert_eq!(carol.connect_tree("data").await, Err(NtStatus::ACCESS_DENIED));
}

/// A request under way is answered, one that only waits for others is given up, and then the connection ends.
#[tokio::test]
async fn a_server_that_stops_ends_what_may_never_end() {
    let server =
        Server::builder().user(USER, PASSWORD).share(smb_server::Share::new("data", MemoryShare::new()));
    let server = server.build().unwrap();
    let handle = server.handle();
    let running = tokio::spawn(server.run(std::future::pending()));
    let mut peer = Peer::ready(&handle).await;
    let options = CreateOptions::DIRECTORY_FILE;
    let directory = CreateRequest { options, ..create("", CreateDisposition::OPEN) };
    let file_id = peer.create(&directory).await.unwrap().file_id;
    let filter = NotifyFilter::FILE_NAME;
    let watch = ChangeNotifyRequest { watch_tree: false, output_len: 1000, file_id, filter };
    let id = peer.send(&watch, 1).await;
    assert_eq!(peer.recv().await.status(), NtStatus::PENDING);
    handle.stop();
    assert_eq!(peer.answer(id).await.status(), NtStatus::CANCELLED);
    assert!(peer.is_dropped().await);
    watched(running).await.unwrap();
}
