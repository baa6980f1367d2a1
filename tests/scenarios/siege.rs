//! Crowds: of connections that say nothing, of opens, of requests in one frame. The others are served, and what a crowd
//! may hold is bounded.

use smb_proto::{
    codec::Message,
    command::Command,
    compound,
    header::{HeaderFlags, Route},
    msg::{CloseFlags, CloseRequest, EchoRequest, FileId, LockElement, LockFlags, LockRequest, LockSequence},
    status::NtStatus,
};
use smb_server::Server;
use smb_tests::{House, PASSWORD, Raw, USER, client, until};
use smb_transport::{BoxFuture, Kind, Listener, MemoryOptions, Transport, TransportError, memory};
use std::{net::SocketAddr, time::Duration};
use tokio::{sync::mpsc, time::Instant};

/// Brings connections in memory to a server that listens.
struct Door(mpsc::UnboundedReceiver<memory::MemoryTransport>);

impl Listener for Door {
    fn kind(&self) -> Kind {
        Kind::Memory
    }

    fn local(&self) -> Option<SocketAddr> {
        None
    }

    fn accept(&mut self) -> BoxFuture<'_, Result<Box<dyn Transport>, TransportError>> {
        Box::pin(async {
            let next = self.0.recv().await.ok_or(TransportError::Closed)?;
            Ok(Box::new(next) as Box<dyn Transport>)
        })
    }
}

/// Ten thousand connections that say nothing, or greet and no more, and stay: whoever has been there longest makes room,
/// so that no more than the limit are held, and others log on without delay all the while.
#[tokio::test(start_paused = true)]
async fn ten_thousand_that_never_log_on() {
    const PLACES: usize = 64;
    let (bell, door) = mpsc::unbounded_channel();
    let mut server = Server::builder()
        .user(USER, PASSWORD)
        .memory_share("data")
        .limits(|limits| {
            limits.max_unauthenticated = PLACES;
            limits.auth_timeout = Duration::from_secs(3600);
        })
        .build()
        .unwrap();
    server.add_listener(Box::new(Door(door)));
    let handle = server.handle();
    let running = tokio::spawn(server.run(std::future::pending()));
    let dial = || {
        let (ours, theirs) = memory::pair(MemoryOptions::plain());
        bell.send(theirs).unwrap();
        ours
    };
    let early = client().connect_over(Box::new(dial()), "server").await.unwrap();
    let mut crowd = Vec::with_capacity(10_000);
    for n in 0..10_000 {
        let mut raw = Raw::over(dial());
        if n % 2 == 0 {
            raw.negotiate().await;
        }
        crowd.push(raw);
        if n % 1000 == 999 {
            let begun = Instant::now();
            let session = client().connect_over(Box::new(dial()), "server").await.expect("there is room");
            session.echo().await.unwrap();
            assert!(begun.elapsed() < Duration::from_secs(1));
        }
    }
    // One of the last places was taken and given back by who logged on.
    for raw in &mut crowd[..10_000 - PLACES] {
        raw.ends().await;
    }
    early.echo().await.expect("who has logged on makes room for nobody");
    drop((early, crowd));
    until("ending all sessions", || handle.sessions() == 0).await;
    running.abort();
}

/// Opens without end: as many as the limit, then a status; others open files meanwhile.
#[tokio::test(start_paused = true)]
async fn opens_beyond_the_limit() {
    const MOST: usize = 2000;
    let house = House::with(|builder| builder.limits(|limits| limits.max_opens = MOST));
    let mut raw = Raw::on_share(house.dial(), "data").await;
    for n in 0..MOST + 100 {
        let (header, _) = raw.ask(&Raw::create_request("file"), 1).await;
        let wanted = if n < MOST { NtStatus::SUCCESS } else { NtStatus::TOO_MANY_OPENED_FILES };
        assert_eq!(header.status(), Some(wanted), "open {n}");
    }
    house.still_serves().await;
    drop(raw);
    until("its opens are closed", || house.handle.open_files() == 0).await;
    house.is_left_clean().await;
}

/// A frame of a thousand requests that open and close is answered in one.
#[tokio::test(start_paused = true)]
async fn a_thousand_requests_in_one_frame() {
    let house = House::new();
    let mut raw = Raw::on_share(house.dial(), "data").await;
    for _ in 0..10 {
        raw.ask(&EchoRequest, 1).await;
    }
    let mut builder = compound::Builder::new();
    let related = |mut header: smb_proto::header::Header| {
        header.flags = header.flags.with(HeaderFlags::RELATED_OPERATIONS);
        header.route = Route::tree(u32::MAX);
        header
    };
    for n in 0..500 {
        let create = raw.header(Command::CREATE, 1);
        let create = if n == 0 { create } else { related(create) };
        builder.push(&create, &Raw::create_request("file"));
        let close = related(raw.header(CloseRequest::COMMAND, 1));
        builder.push(&close, &CloseRequest { flags: CloseFlags::NONE, file_id: FileId::ANY });
    }
    raw.send(&builder.finish()).await.unwrap();
    let answers = raw.receive().await.unwrap().expect("an answer");
    let statuses: Vec<_> =
        compound::parts(&answers).map(|part| part.unwrap().header.status().unwrap()).collect();
    assert_eq!(statuses, [NtStatus::SUCCESS; 1000]);
    assert_eq!(house.handle.open_files(), 0);
    house.still_serves().await;
}

/// Requests that would wait, a credit each, with megabytes behind them: refused, also where another of the frame would
/// hold them.
#[tokio::test(start_paused = true)]
async fn what_is_not_paid_for_is_not_held() {
    let house = House::new();
    let mut holder = Raw::on_share(house.dial(), "data").await;
    let mut raw = Raw::on_share(house.dial(), "data").await;
    let (held, id) = (holder.create("file").await, raw.create("file").await);
    let lock = |file_id| {
        let locks = vec![LockElement { offset: 0, length: 1, flags: LockFlags::EXCLUSIVE_LOCK }];
        LockRequest { sequence: LockSequence::default(), file_id, locks }
    };
    let (header, _) = holder.ask(&lock(held), 1).await;
    assert_eq!(header.status(), Some(NtStatus::SUCCESS));
    for (len, paid) in [(100 << 10, true), (200 << 10, false), (8 << 20, false)] {
        for compound in [false, true] {
            let mut frame = raw.frame(&lock(id), 1);
            if compound {
                frame.resize(frame.len().next_multiple_of(8), 0);
                let next = u32::try_from(frame.len()).unwrap();
                frame[20..24].copy_from_slice(&next.to_le_bytes());
                frame.extend(raw.frame(&EchoRequest, 1));
            }
            frame.resize(len, 0);
            raw.send(&frame).await.unwrap();
            let answer = raw.receive().await.unwrap().expect("an answer");
            let statuses: Vec<_> =
                compound::parts(&answer).map(|part| part.unwrap().header.status().unwrap()).collect();
            let wanted = match (paid, compound) {
                (true, _) => vec![NtStatus::PENDING],
                (false, false) => vec![NtStatus::INVALID_PARAMETER],
                (false, true) => vec![NtStatus::INVALID_PARAMETER; 2],
            };
            assert_eq!(statuses, wanted, "{len} bytes, compound {compound}");
        }
    }
    house.still_serves().await;
}

/// Nobody can open so much that others cannot open anything.
#[tokio::test(start_paused = true)]
async fn opens_are_left_for_others() {
    let few = |limits: &mut smb_server::Limits| limits.max_all_opens = 40;
    let house = House::with(|builder| builder.user("bob", PASSWORD).limits(few));
    let mut raw = Raw::on_share(house.dial(), "data").await;
    for n in 0..30 {
        let (header, _) = raw.ask(&Raw::create_request("file"), 1).await;
        let wanted = if n < 20 { NtStatus::SUCCESS } else { NtStatus::TOO_MANY_OPENED_FILES };
        assert_eq!(header.status(), Some(wanted), "open {n}");
    }
    let bob = client().user("bob", PASSWORD);
    let session = bob.connect_over(Box::new(house.dial()), "server").await.unwrap();
    session.tree("data").await.unwrap().write("of bob", "he can").await.unwrap();
}

/// A bomb: compression was not negotiated, so nothing is unpacked and the connection ends, before and after the log-on.
#[tokio::test(start_paused = true)]
async fn compressed_frames_end_the_connection() {
    let house = House::new();
    for logged_on in [false, true] {
        let mut raw = match logged_on {
            true => Raw::on_share(house.dial(), "data").await,
            false => Raw::over(house.dial()),
        };
        // Unchained: 4 GiB of zeros by Pattern_V1, if one were to believe it.
        let mut bomb = b"\xfcSMB\xff\xff\xff\xff\x04\0\0\0\0\0\0\0".to_vec();
        bomb.extend([0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
        raw.send(&bomb).await.unwrap();
        assert!(raw.receive().await.ok().flatten().is_none(), "it has nothing to say");
    }
    house.still_serves().await;
    house.is_left_clean().await;
}
