//! Peers that send what nobody should: they are cut off or told so, and nobody else notices.

use smb_client::Error;
use smb_proto::{
    command::Command,
    compound,
    dialect::Dialect,
    header::Header,
    msg::{Capabilities, EchoRequest, NegotiateRequest, SecurityMode},
    status::NtStatus,
};
use smb_tests::{House, Raw, bounded, client, pattern, random_bytes, read, write};
use smb_transport::{Halves, IoBuf, MemoryOptions, Msg, Transport, TransportError, memory};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, timeout},
};

fn negotiate() -> Vec<u8> {
    let request = NegotiateRequest {
        security_mode: SecurityMode::SIGNING_ENABLED,
        capabilities: Capabilities::LARGE_MTU,
        client_guid: [7; 16],
        dialects: vec![Dialect::SMB_2_1, Dialect::SMB_3_0_2],
        contexts: Vec::new(),
    };
    compound::single(&Header::request(Command::NEGOTIATE, 0), &request)
}

/// Sends one frame on a connection of its own; the server answers it or ends the connection, at once.
async fn answered_or_ended(house: &House, frame: &[u8]) -> Option<Header> {
    let mut raw = Raw::over(house.dial());
    let begun = Instant::now();
    raw.send(frame).await.unwrap();
    let answer = raw.receive().await;
    assert!(begun.elapsed() < Duration::from_secs(1), "neither answered nor ended");
    answer.ok().flatten().map(|answer| Header::parse(&answer).unwrap().0)
}

#[tokio::test(start_paused = true)]
async fn random_bytes_for_a_greeting() {
    let house = House::new();
    for seed in 0..300 {
        let mut frame = random_bytes(usize::try_from(seed * 13 % 1500).unwrap(), seed);
        let known: &[u8] = match seed % 4 {
            0 => b"",
            1 => b"\xfeSMB\x40\0",
            2 => b"\xfdSMB",
            _ => b"\xffSMB",
        };
        let len = known.len().min(frame.len());
        frame[..len].copy_from_slice(&known[..len]);
        if let Some(header) = answered_or_ended(&house, &frame).await {
            assert!(header.status().is_some_and(NtStatus::is_error), "seed {seed}: {header:?}");
        }
    }
    house.still_serves().await;
    house.is_left_clean().await;
}

#[tokio::test(start_paused = true)]
async fn a_greeting_cut_short_or_changed() {
    let house = House::new();
    let whole = negotiate();
    for len in 0..whole.len() {
        if let Some(header) = answered_or_ended(&house, &whole[..len]).await {
            assert_eq!(header.status(), Some(NtStatus::INVALID_PARAMETER), "{len} bytes");
        }
    }
    for at in 0..whole.len() {
        for xor in [0x01, 0x80, 0xFF] {
            let mut changed = whole.clone();
            changed[at] ^= xor;
            answered_or_ended(&house, &changed).await;
        }
    }
    assert_eq!(answered_or_ended(&house, &whole).await.unwrap().status(), Some(NtStatus::SUCCESS));
    house.still_serves().await;
    house.is_left_clean().await;
}

/// Requests of a client that has logged on, with every field spoiled in turn.
#[tokio::test(start_paused = true)]
async fn requests_changed_everywhere() {
    let house = House::new();
    let mut raw = Raw::on_share(house.dial(), "data").await;
    let mut lost = 0;
    for spoiled in 0..200 {
        for kind in 0..3 {
            let id = raw.create("file").await;
            let mut frame = match kind {
                0 => raw.frame(&Raw::create_request("other"), 1),
                1 => raw.frame(&write(id, 0, &pattern(100, 1)), 1),
                _ => raw.frame(&read(id, 0, 100), 1),
            };
            let Some(byte) = frame.get_mut(spoiled) else { continue };
            *byte ^= if spoiled % 2 == 0 { 0xFF } else { 0x10 };
            raw.send(&frame).await.unwrap();
            // No answer at all is right where it has become a CANCEL.
            let answer = timeout(Duration::from_millis(500), raw.halves.receiver.recv()).await;
            let lives = !matches!(answer, Ok(Ok(None) | Err(_)));
            if !lives || spoiled < 64 {
                // The header was spoiled: what the server made of MessageIds and credits is its own business.
                lost += usize::from(!lives);
                raw = Raw::on_share(house.dial(), "data").await;
            }
        }
    }
    assert!(lost > 20, "only {lost} connections were ended: was anything spoiled?");
    drop(raw);
    house.still_serves().await;
    house.is_left_clean().await;
}

/// Offsets and lengths that point outside the message, or into its fixed part: refused, and the connection goes on.
#[tokio::test(start_paused = true)]
async fn offsets_outside_the_message() {
    let house = House::new();
    let mut raw = Raw::on_share(house.dial(), "data").await;
    let id = raw.create("file").await;
    // DataOffset and Length of WRITE; NameOffset and NameLength of CREATE; ReadChannelInfoOffset of READ.
    const HEADER: usize = 64;
    for (kind, at, lie) in [
        (0, 2, &[0xFF, 0xFF][..]),
        (0, 2, &[0x40, 0x00]),
        (0, 4, &[0xFF, 0xFF, 0x00, 0x00]),
        (0, 4, &[0xFF, 0xFF, 0xFF, 0xFF]),
        (1, 44, &[0xFF, 0xFF]),
        (1, 44, &[0x01, 0x00]),
        (1, 46, &[0xFE, 0xFF]),
        (1, 52, &[0xFF, 0xFF, 0xFF, 0xFF]),
    ] {
        let mut frame = match kind {
            0 => raw.frame(&write(id, 0, &pattern(100, 1)), 1),
            _ => raw.frame(&Raw::create_request("other"), 1),
        };
        frame[HEADER + at..HEADER + at + lie.len()].copy_from_slice(lie);
        raw.send(&frame).await.unwrap();
        let (header, _) = raw.answer().await;
        assert_eq!(header.status(), Some(NtStatus::INVALID_PARAMETER), "{kind} {at} {lie:x?}");
    }
    let (header, _) = raw.ask(&EchoRequest, 1).await;
    assert_eq!(header.status(), Some(NtStatus::SUCCESS));
    house.still_serves().await;
}

/// NextCommand that leads nowhere, back, or on for ever.
#[tokio::test(start_paused = true)]
async fn compounds_that_lead_astray() {
    let house = House::new();
    for next in [1u32, 4, 7, 8, 32, 63, 64, 65, 72, 1 << 20, 0x7FFF_FFF8, !7, u32::MAX] {
        let mut raw = Raw::on_share(house.dial(), "data").await;
        let mut frame = raw.frame(&EchoRequest, 1);
        frame.extend_from_slice(&raw.frame(&EchoRequest, 1));
        frame[20..24].copy_from_slice(&next.to_le_bytes());
        raw.send(&frame).await.unwrap();
        let begun = Instant::now();
        // Where it points to is not the second message: answered with an error, or ended.
        raw.send(&negotiate()).await.ok();
        raw.ends().await;
        assert!(begun.elapsed() < Duration::from_secs(1), "NextCommand {next:#x}");
    }
    house.still_serves().await;
    house.is_left_clean().await;
}

/// More parts in one frame than anybody needs, all of them good.
#[tokio::test(start_paused = true)]
async fn a_compound_of_many() {
    let house = House::new();
    let mut raw = Raw::on_share(house.dial(), "data").await;
    let mut builder = compound::Builder::new();
    for _ in 0..100 {
        let header = raw.header(Command::ECHO, 1);
        builder.push(&header, &EchoRequest);
    }
    raw.send(&builder.finish()).await.unwrap();
    let answers = raw.receive().await.unwrap().unwrap();
    assert_eq!(compound::parts(&answers).map(Result::unwrap).count(), 100);
    house.still_serves().await;
}

/// A client that has not logged on cannot make the server take in much.
#[tokio::test(start_paused = true)]
async fn a_long_message_before_logging_on() {
    let house = House::new();
    let mut raw = Raw::over(house.dial());
    let begun = Instant::now();
    raw.send(&vec![0; smb_transport::INITIAL_LIMIT + 1]).await.unwrap();
    raw.ends().await;
    assert!(begun.elapsed() < Duration::from_secs(1));
    house.still_serves().await;
}

async fn socket_ends(address: SocketAddr, bytes: &[u8]) {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(bytes).await.unwrap();
    let mut rest = Vec::new();
    // A reset is as good as an end.
    let _ = bounded("the server closes", socket.read_to_end(&mut rest)).await;
    assert!(rest.is_empty(), "it has nothing to say to {bytes:x?}");
}

#[tokio::test]
async fn wrong_framing_on_a_socket() {
    // What the server takes for a keep-alive lasts as long as anybody may stay without logging on.
    let soon = |limits: &mut smb_server::Limits| limits.auth_timeout = Duration::from_millis(300);
    let house = House::listening(|builder| builder.limits(soon));
    let address = house.addresses[0];
    socket_ends(address, &[0x00, 0xFF, 0xFF, 0xFF]).await;
    socket_ends(address, &[0x00, 0x02, 0x00, 0x01]).await;
    socket_ends(address, &[0x85, 0x00, 0x00, 0x00]).await;
    socket_ends(address, b"GET / HTTP/1.1\r\n\r\n").await;
    socket_ends(address, &[0x00, 0x00, 0x00, 0x04, b'n', b'o', b'n', b'e']).await;
    let mut framed = vec![0, 0, 0, 0];
    framed[3] = u8::try_from(negotiate().len()).unwrap();
    framed.extend_from_slice(&negotiate()[..40]);
    framed.extend_from_slice(&random_bytes(64 << 10, 5));
    let mut socket = TcpStream::connect(address).await.unwrap();
    // The server may close before it has taken all.
    let _ = socket.write_all(&framed).await;
    let _ = bounded("the server closes", socket.read_to_end(&mut Vec::new())).await;
    house.still_serves().await;
    house.is_left_clean().await;
}

/// A server's end whose answers are made by `answer`.
fn liar(mut answer: impl FnMut(Vec<u8>) -> Vec<u8> + Send + 'static) -> impl Transport {
    let (ours, theirs) = memory::pair(MemoryOptions::plain());
    tokio::spawn(async move {
        let Halves { mut sender, mut receiver, .. } = Box::new(theirs).split();
        while let Ok(Some(received)) = receiver.recv().await {
            let frame = answer(received.message.to_vec());
            if sender.send(Msg::inline(IoBuf::copied(&frame))).await.is_err() {
                return;
            }
        }
    });
    ours
}

#[tokio::test(start_paused = true)]
async fn servers_that_answer_with_garbage() {
    for seed in 0..100 {
        let garbage = move |request: Vec<u8>| match seed % 5 {
            0 => random_bytes(usize::try_from(seed).unwrap() * 7, seed),
            1 => request,
            2 => [&request[..64], &random_bytes(200, seed)[..]].concat(),
            3 => vec![0; smb_transport::INITIAL_LIMIT + 1],
            _ => {
                // A response's header, and a body of noise.
                let mut header = Header::parse(&request).unwrap().0.response(NtStatus::SUCCESS);
                header.credits = 10;
                let mut frame = Vec::new();
                header.emit(0, &mut frame);
                frame.extend_from_slice(&random_bytes(usize::try_from(seed).unwrap() * 3, seed));
                frame
            }
        };
        let begun = Instant::now();
        let error = client().connect_over(Box::new(liar(garbage)), "server").await.unwrap_err();
        assert!(
            matches!(error, Error::Violation(_) | Error::Transport(TransportError::TooLong { .. })),
            "seed {seed}: {error:?}"
        );
        assert!(begun.elapsed() < Duration::from_secs(1));
    }
}
