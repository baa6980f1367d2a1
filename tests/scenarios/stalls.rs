//! Peers that fall silent: noticed within a bounded time; and peers that do not listen: served within bounded memory.

use smb_client::Error;
use smb_proto::{command::Command, compound, msg::EchoRequest, status::NtStatus};
use smb_server::Builder;
use smb_tests::{House, Meter, Metered, Raw, bounded, client, pattern, read, until};
use smb_transport::{Faults, MemoryOptions, Transport, TransportError, memory};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::Instant,
};

const TIMEOUT: Duration = Duration::from_secs(10);

fn is_of_silence(error: &Error) -> bool {
    matches!(error, Error::Stalled { .. } | Error::Timeout { .. })
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_says_anything() {
    let (ours, _theirs) = memory::pair(MemoryOptions::plain());
    let begun = Instant::now();
    let error = client().timeout(TIMEOUT).connect_over(Box::new(ours), "server").await.unwrap_err();
    assert!(is_of_silence(&error), "{error}");
    assert!(begun.elapsed() < 2 * TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_falls_silent_at_any_moment_of_logging_on() {
    let house = House::new();
    for n in 0..3 {
        let faults = Faults::default();
        faults.incoming.stall();
        faults.incoming.let_through(n);
        let begun = Instant::now();
        let transport = house.dial_through(&faults);
        let error = client().timeout(TIMEOUT).connect_over(transport, "server").await.unwrap_err();
        assert!(is_of_silence(&error), "after {n}: {error}");
        assert!(begun.elapsed() < 2 * TIMEOUT);
    }
    house.still_serves().await;
    house.is_left_clean().await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_falls_silent_under_load() {
    let house = House::new();
    for outgoing in [false, true] {
        let faults = Faults::default();
        let builder = client().timeout(TIMEOUT);
        let session = builder.connect_over(house.dial_through(&faults), "server").await.unwrap();
        let file = session.tree("data").await.unwrap().create("file").await.unwrap();
        if outgoing {
            faults.outgoing.stall();
        } else {
            faults.incoming.stall();
        }
        let begun = Instant::now();
        let requests: Vec<_> = (0..40)
            .map(|n| {
                let file = file.clone();
                tokio::spawn(async move { file.write_at(n * 100_000, pattern(100_000, 1)).await })
            })
            .collect();
        for request in requests {
            let error = bounded("a request", request).await.unwrap().unwrap_err();
            assert!(is_of_silence(&error), "{error}");
        }
        assert!(begun.elapsed() < 2 * TIMEOUT, "{:?}", begun.elapsed());
        house.is_left_clean().await;
    }
    house.still_serves().await;
}

/// One answer is lost, but the server lives: that request fails, the others do not.
#[tokio::test(start_paused = true)]
async fn an_answer_that_never_comes() {
    let house = House::new();
    let faults = Faults::default();
    let builder = client().timeout(TIMEOUT);
    let session = builder.connect_over(house.dial_through(&faults), "server").await.unwrap();
    let file = session.tree("data").await.unwrap().create("file").await.unwrap();
    faults.incoming.on(0, smb_transport::fault::Action::Drop);
    let begun = Instant::now();
    let lost = tokio::spawn({
        let file = file.clone();
        async move { file.write_at(0, "lost").await }
    });
    until("the answer is lost", || faults.incoming.seen() > 5).await;
    while !lost.is_finished() {
        session.echo().await.expect("the session lives");
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(begun.elapsed() < Duration::from_secs(3600), "the lost request never fails");
    }
    let error = lost.await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Timeout { command: Command::WRITE, .. }), "{error}");
    file.write_at(0, "found").await.expect("the session lives");
}

fn impatient(builder: Builder) -> Builder {
    builder.limits(|limits| {
        limits.auth_timeout = Duration::from_millis(300);
        limits.max_unauthenticated = 4;
    })
}

/// Before logging on nobody may dawdle, in mid-frame or between frames.
#[tokio::test(start_paused = true)]
async fn a_client_that_never_logs_on() {
    let house = House::with(impatient);
    let mut silent = Raw::over(house.dial());
    let mut greeting = Raw::over(house.dial());
    greeting.negotiate().await;
    let begun = Instant::now();
    house.still_serves().await;
    silent.ends().await;
    greeting.ends().await;
    assert!(begun.elapsed() < Duration::from_secs(1));
    house.still_serves().await;
}

#[tokio::test]
async fn clients_that_stop_in_mid_frame_on_sockets() {
    let house = House::listening(impatient);
    let address = house.addresses[0];
    let mut stalled = Vec::new();
    for bytes in [&b""[..], &[0], &[0, 0, 0], &[0, 0, 0, 200], b"\0\0\0\xc8\xfeSMB\x40\0"] {
        let mut socket = TcpStream::connect(address).await.unwrap();
        // The fifth is one too many, and may be closed at once.
        let _ = socket.write_all(bytes).await;
        stalled.push(socket);
    }
    for mut socket in stalled {
        let _ = bounded("the server gives up", socket.read_to_end(&mut Vec::new())).await;
    }
    let session =
        bounded("logging on", client().connect(&address.to_string())).await.expect("there is room again");
    session.echo().await.unwrap();
    house.still_serves().await;
}

/// Half a large WRITE, and then nothing, on one connection; the others do not wait for it.
#[tokio::test(start_paused = true)]
async fn a_client_that_stops_in_the_middle_of_a_write() {
    let house = House::new();
    let faults = Faults::default();
    let session = client().connect_over(house.dial_through(&faults), "server").await.unwrap();
    let file = session.tree("data").await.unwrap().create("file").await.unwrap();
    faults.outgoing.stall();
    let stuck = tokio::spawn(async move { file.write_at(0, pattern(1 << 20, 1)).await });
    faults.outgoing.held().await;
    house.still_serves().await;
    assert_eq!(house.handle.open_files(), 1, "it may go on whenever it likes");
    faults.outgoing.resume();
    stuck.await.unwrap().unwrap();
}

/// A connection whose server's end is metered, on a pipe that holds next to nothing.
fn dial_metered(house: &House) -> (impl Transport + use<>, Meter) {
    let mut options = MemoryOptions::plain();
    options.queue_messages = 4;
    options.queue_bytes = 64 << 10;
    let (ours, theirs) = memory::pair(options);
    let meter = Meter::default();
    house.serve(Metered { inner: theirs, meter: meter.clone() });
    (ours, meter)
}

/// The client asks for a gigabyte and takes none of it.
#[tokio::test(start_paused = true)]
async fn a_client_that_never_reads_its_answers() {
    const BUDGET: usize = 4 << 20;
    let house = House::with(|builder| builder.limits(|limits| limits.outbound_bytes = BUDGET));
    let tree = house.tree().await;
    tree.create("file").await.unwrap().write_at(0, pattern(1 << 20, 1)).await.unwrap();
    let (transport, meter) = dial_metered(&house);
    let mut raw = Raw::on_share(transport, "data").await;
    let id = raw.create("file").await;
    for _ in 0..20 {
        // Each answer grants what was asked for, up to the server's limit.
        raw.ask(&EchoRequest, 1).await;
    }
    let mut asked = 0;
    for _ in 0..60 {
        let frame = raw.frame(&read(id, 0, 1 << 20), 16);
        let sent = tokio::time::timeout(Duration::from_secs(5), raw.send(&frame)).await;
        // A server that takes in no more requests is within its rights.
        let Ok(Ok(())) = sent else { break };
        asked += 1;
    }
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert!(asked > 8, "only {asked} requests were taken");
    assert!(meter.most() > 1 << 20, "nothing was read at all");
    assert!(meter.most() < BUDGET + (1 << 20), "{} bytes for one deaf client", meter.most());
    house.still_serves().await;
    drop(raw);
    until("its memory comes back", || meter.now() == 0).await;
    drop(tree);
    house.is_left_clean().await;
}

/// Small requests by the thousand, whose answers nobody takes.
#[tokio::test(start_paused = true)]
async fn a_client_that_floods_and_never_reads() {
    const PENDING: usize = 256;
    let house = House::with(|builder| builder.limits(|limits| limits.max_pending = PENDING));
    let (transport, meter) = dial_metered(&house);
    let mut raw = Raw::on_share(transport, "data").await;
    for _ in 0..10 {
        raw.ask(&EchoRequest, 1).await;
    }
    let mut sent = 0;
    for _ in 0..10_000 {
        let frame = raw.frame(&EchoRequest, 1);
        let Ok(Ok(())) = tokio::time::timeout(Duration::from_secs(1), raw.send(&frame)).await else { break };
        sent += 1;
    }
    // The server takes in no more, or ends the connection for a MessageId it has not granted.
    assert!(sent < PENDING + 20, "{sent} requests without an answer read");
    let each = 16 << 10;
    assert!(meter.most() <= (PENDING + 8) * each, "{} bytes", meter.most());
    house.still_serves().await;
    drop(raw);
    until("its memory comes back", || meter.now() == 0).await;
    house.is_left_clean().await;
}

/// READs in one frame that are together more than the server has room for: told so, and nothing waits for itself.
#[tokio::test(start_paused = true)]
async fn a_compound_that_asks_for_more_than_there_is_room() {
    const BUDGET: usize = 1 << 20;
    let house = House::with(|builder| builder.limits(|limits| limits.outbound_bytes = BUDGET));
    let tree = house.tree().await;
    tree.create("file").await.unwrap().write_at(0, pattern(1 << 20, 1)).await.unwrap();
    let (transport, meter) = dial_metered(&house);
    let mut raw = Raw::on_share(transport, "data").await;
    let id = raw.create("file").await;
    for _ in 0..10 {
        raw.ask(&EchoRequest, 1).await;
    }
    let mut builder = compound::Builder::new();
    for _ in 0..4 {
        let header = raw.header(Command::READ, 10);
        builder.push(&header, &read(id, 0, 600_000));
    }
    raw.send(&builder.finish()).await.unwrap();
    let answers = raw.receive().await.unwrap().unwrap();
    let statuses: Vec<_> =
        compound::parts(&answers).map(|part| part.unwrap().header.status().unwrap()).collect();
    assert_eq!(statuses.len(), 4);
    assert_eq!(statuses[0], NtStatus::SUCCESS);
    assert!(statuses[1..].iter().all(|status| *status == NtStatus::INSUFFICIENT_RESOURCES), "{statuses:?}");
    let (header, _) = raw.ask(&read(id, 0, 600_000), 10).await;
    assert_eq!(header.status(), Some(NtStatus::SUCCESS), "its room came back");
    house.still_serves().await;
    drop((raw, answers));
    until("its memory comes back", || meter.now() == 0).await;
}

/// The transport's own limit is the client's too: a server cannot make it buffer what it did not ask for.
#[tokio::test(start_paused = true)]
async fn a_server_whose_greeting_is_too_long() {
    let (ours, theirs) = memory::pair(MemoryOptions::plain());
    let server = tokio::spawn(async move {
        let mut raw = Raw::over(theirs);
        raw.receive().await.unwrap();
        raw.send(&vec![0; smb_transport::INITIAL_LIMIT + 1]).await.ok();
        raw.ends().await;
    });
    let error = client().connect_over(Box::new(ours), "server").await.unwrap_err();
    assert!(matches!(error, Error::Transport(TransportError::TooLong { .. })), "{error}");
    server.await.unwrap();
}
