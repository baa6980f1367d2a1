//! Connections that end at the wrong moment: a specific error, soon; nothing half done; nothing left open.

use smb_client::{Client, Error, Session, Tree};
use smb_server::Builder;
use smb_tests::{House, PASSWORD, USER, bounded, client, pattern};
use smb_transport::{
    Fault, Faults, MemoryOptions, Pool, TcpOptions, TcpTransport, Transport, TransportError, fault::Action,
};
use std::time::Duration;
use tokio::time::Instant;

const PIECE: usize = 300_000;

/// From logging on to logging off, with something of everything in between.
async fn work(client: Client, transport: Box<dyn Transport>) -> Result<(), Error> {
    let session = client.connect_over(transport, "server").await?;
    let tree = session.tree("data").await?;
    let file = tree.create("file").await?;
    for n in 0..3 {
        file.write_at(u64::try_from(n * PIECE).unwrap(), pattern(PIECE, n)).await?;
    }
    file.flush().await?;
    assert_eq!(file.size().await?, 900_000);
    file.close().await?;
    let file = tree.open("file").await?;
    assert!(file.read_at(0, PIECE).await? == pattern(PIECE, 0));
    assert_eq!(tree.read_dir("").await?.collect().await?.len(), 1);
    file.close().await?;
    tree.disconnect().await?;
    Ok(())
}

fn is_of_the_connection(error: &Error) -> bool {
    use TransportError::{Closed, Cut, Io};
    match error {
        Error::NotSent(reason) | Error::OpenLost(reason) => is_of_the_connection(reason),
        error => matches!(error, Error::Transport(Closed | Cut | Io { .. })),
    }
}

/// What was written is there in whole WRITEs or not at all.
async fn assert_whole_writes(house: &House) {
    let tree = house.tree().await;
    let Ok(file) = tree.open("file").await else { return };
    let size = usize::try_from(file.size().await.unwrap()).unwrap();
    assert_eq!(size % PIECE, 0, "part of a WRITE was written");
    for n in 0..size / PIECE {
        let data = file.read_at(u64::try_from(n * PIECE).unwrap(), PIECE).await.unwrap();
        assert!(data == pattern(PIECE, n), "WRITE {n} differs");
    }
}

/// Does `action` to message after message, one connection each, until one has no more messages.
async fn at_every_message(action: impl Fn(usize) -> Action, outgoing: bool) {
    let mut ended_well = false;
    for n in 0..100 {
        let house = House::new();
        let faults = Faults::default();
        let direction = if outgoing { &faults.outgoing } else { &faults.incoming };
        direction.on(n, action(n));
        let begun = Instant::now();
        match bounded("a cut connection", work(client().build().unwrap(), house.dial_through(&faults))).await
        {
            Ok(()) => ended_well = true,
            Err(error) => assert!(is_of_the_connection(&error), "message {n}: {error}"),
        }
        assert!(begun.elapsed() < Duration::from_secs(1), "message {n}: not at once");
        house.is_left_clean().await;
        assert_whole_writes(&house).await;
        house.still_serves().await;
        if ended_well {
            assert!(n > 10, "a connection has more messages than {n}");
            return;
        }
    }
    panic!("it never ends well");
}

#[tokio::test(start_paused = true)]
async fn cut_in_the_middle_of_every_request() {
    at_every_message(|n| Action::Cut { keep: n * 37 }, true).await;
}

#[tokio::test(start_paused = true)]
async fn cut_in_the_middle_of_every_answer() {
    at_every_message(|_| Action::Cut { keep: 0 }, false).await;
}

#[tokio::test(start_paused = true)]
async fn closed_in_front_of_every_request() {
    at_every_message(|_| Action::Close, true).await;
}

#[tokio::test(start_paused = true)]
async fn closed_in_front_of_every_answer() {
    at_every_message(|_| Action::Close, false).await;
}

/// On a socket the bytes before the cut do arrive.
#[tokio::test]
async fn cut_in_the_middle_of_a_write_on_a_socket() {
    let house = House::listening(|builder| builder);
    // NEGOTIATE, two SESSION_SETUPs, TREE_CONNECT, CREATE: the sixth is the first WRITE.
    for (n, keep) in [(5, 0), (5, 3), (5, 4), (5, 100), (5, 200_000), (6, 116), (7, 299_999)] {
        let options = TcpOptions::default();
        let tcp = TcpTransport::connect(house.addresses[0], None, Pool::default(), &options).await.unwrap();
        let faults = Faults::default();
        faults.outgoing.on(n, Action::Cut { keep });
        let transport = Box::new(Fault::new(tcp, faults.clone()));
        let error = bounded("a cut", work(client().build().unwrap(), transport)).await.unwrap_err();
        assert!(is_of_the_connection(&error) && faults.is_cut(), "{keep}: {error}");
        house.is_left_clean().await;
        assert_whole_writes(&house).await;
    }
    house.still_serves().await;
}

/// A session whose requests are all under way and unanswered: the answers are held up.
async fn with_requests_under_way(
    house: &House,
) -> (Session, Tree, Faults, Vec<tokio::task::JoinHandle<Error>>) {
    let faults = Faults::default();
    let session = client().connect_over(house.dial_through(&faults), "server").await.unwrap();
    let tree = session.tree("data").await.unwrap();
    let file = tree.create("file").await.unwrap();
    faults.incoming.stall();
    let requests = (0..32).map(|n| {
        let file = file.clone();
        tokio::spawn(async move {
            let offset = u64::try_from(n * PIECE).unwrap();
            match n % 2 {
                0 => file.write_at(offset, pattern(PIECE, n)).await.unwrap_err(),
                _ => file.read_at(offset, PIECE).await.unwrap_err(),
            }
        })
    });
    let requests = requests.collect();
    faults.incoming.held().await;
    (session, tree, faults, requests)
}

#[tokio::test(start_paused = true)]
async fn server_gone_while_requests_are_under_way() {
    let house = House::new();
    let (session, tree, faults, requests) = with_requests_under_way(&house).await;
    let begun = Instant::now();
    faults.cut();
    for request in requests {
        let error = bounded("a request", request).await.unwrap();
        assert!(is_of_the_connection(&error), "{error}");
    }
    assert!(is_of_the_connection(&tree.open("file").await.unwrap_err()), "and so does every later one");
    assert!(is_of_the_connection(&session.echo().await.unwrap_err()));
    assert!(begun.elapsed() < Duration::from_secs(1));
    house.is_left_clean().await;
    house.still_serves().await;
}

/// The task that serves the connection is dropped, as an embedder may do.
#[tokio::test(start_paused = true)]
async fn server_dropped_while_requests_are_under_way() {
    let house = House::new();
    let (transport, serving) = house.dial_served(MemoryOptions::plain());
    let session = client().connect_over(Box::new(transport), "server").await.unwrap();
    let tree = session.tree("data").await.unwrap();
    let file = tree.create("file").await.unwrap();
    file.write_at(0, "here").await.unwrap();
    serving.abort();
    let begun = Instant::now();
    let error = bounded("a request", file.read_at(0, 4)).await.unwrap_err();
    assert!(is_of_the_connection(&error), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(1));
    house.is_left_clean().await;
    house.still_serves().await;
}

/// Stopping is orderly: what is under way is answered, then the connection ends.
#[tokio::test(start_paused = true)]
async fn server_stopped() {
    let house = House::new();
    let tree = house.tree().await;
    let file = tree.create("file").await.unwrap();
    file.write_at(0, "here").await.unwrap();
    house.handle.stop();
    let error = loop {
        match bounded("a request", file.read_at(0, 4)).await {
            Ok(data) => assert_eq!(data, "here"),
            Err(error) => break error,
        }
    };
    assert!(is_of_the_connection(&error), "{error}");
    house.is_left_clean().await;
}

/// The process behind the socket goes away with its listener and its connections.
#[tokio::test]
async fn server_process_gone() {
    let dying = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let starting = dying.spawn(async {
        let server = Builder::default().listen(([127, 0, 0, 1], 0).into()).user(USER, PASSWORD);
        let server = server.memory_share("data").build().unwrap();
        let address = server.local_addrs()[0];
        tokio::spawn(server.run(std::future::pending()));
        address
    });
    let address = starting.await.unwrap().to_string();
    let session = client().connect(&address).await.unwrap();
    let file = session.tree("data").await.unwrap().create("file").await.unwrap();
    file.write_at(0, "here").await.unwrap();
    dying.shutdown_background();
    let error = bounded("a request", async {
        loop {
            if let Err(error) = file.read_at(0, 4).await {
                break error;
            }
        }
    });
    let error = error.await;
    assert!(is_of_the_connection(&error), "{error}");
    let again = bounded("connecting", client().connect(&address)).await.unwrap_err();
    assert!(matches!(again, Error::Transport(TransportError::Io { .. })), "{again}");
}
