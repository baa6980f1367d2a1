//! Our client and our server over SMB Direct, within one process: what is placed and what is not.
#![allow(clippy::unwrap_used)]

use smb_client::{Client, Signing};
use smb_direct::{Counters, DirectListener, Monitor, SmbDirect, rdma::mem::MemNetwork, smbd::Config};
use smb_server::Server;
use std::{net::SocketAddr, sync::Arc};

const SIZES: [usize; 7] = [1, 4096, 16_385, 65_536, 100_001, 1 << 20, (1 << 20) + 1];

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| u8::try_from((at ^ at >> 8) % 251).unwrap()).collect()
}

/// Writes files of all sizes and reads them back; returns what the client's connection carried.
async fn copy_both_ways(signing: Signing) -> Counters {
    let (network, at) = (MemNetwork::default(), SocketAddr::from(([127, 0, 0, 1], 5445)));
    let listener = DirectListener::bind(Arc::new(network.clone()), at, Config::default()).await.unwrap();
    let mut server = Server::builder().user("alice", "secret").memory_share("data").build().unwrap();
    server.add_listener(Box::new(listener));
    let handle = server.handle();
    let serving = tokio::spawn(server.run(std::future::pending()));

    let transport = SmbDirect::connect(&network, at, Config::default()).await.unwrap();
    let monitor: Monitor = transport.monitor();
    let client = Client::builder().user("alice", "secret").signing(signing).build().unwrap();
    let session = client.connect_over(Box::new(transport), "server").await.unwrap();
    let tree = session.tree("data").await.unwrap();
    for (n, len) in SIZES.into_iter().enumerate() {
        let name = format!("file{n}");
        let file = tree.create(&name).await.unwrap();
        file.write_at(0, pattern(len)).await.unwrap();
        file.flush().await.unwrap();
        file.close().await.unwrap();
        let file = tree.open(&name).await.unwrap();
        let read = file.read_at(0, len).await.unwrap();
        assert!(read[..] == pattern(len)[..], "{len} bytes, {signing:?}");
        file.close().await.unwrap();
    }
    let counters = monitor.counters();
    session.log_off().await;
    handle.stop();
    serving.abort();
    counters
}

#[tokio::test]
async fn unsigned_data_is_placed() {
    let total = u64::try_from(SIZES.iter().sum::<usize>()).unwrap();
    let counters = copy_both_ways(Signing::Allowed).await;
    // The server does the RDMA; what is left for the client's messages is far less than the data.
    assert!(counters.sent + counters.received < total / 4, "{counters:?}");
}

#[tokio::test]
async fn signed_data_goes_in_messages() {
    let total = u64::try_from(SIZES.iter().sum::<usize>()).unwrap();
    let counters = copy_both_ways(Signing::Required).await;
    assert!(counters.sent > total && counters.received > total, "{counters:?}");
}
