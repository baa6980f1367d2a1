//! Servers that lie, fall silent or go away: a specific error, within a bounded time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod fake;

use fake::{FILE, Fake, file_on, plain, with};
use smb_client::{
    Client, Error, TransferError,
    transfer::{MemorySource, NullSink, TransferOptions, download, upload},
};
use smb_proto::{
    command::Command,
    compound,
    error::PeerViolation,
    header::{Header, HeaderFlags},
    msg::*,
    status::NtStatus,
};
use smb_transport::{TransportError, memory::MemoryOptions};
use std::time::Duration;
use tokio::time::Instant;

/// What a READ of 100 bytes gives on a server that answers it by `lie`.
async fn read_with<F, S>(lie: S) -> Result<bytes::Bytes, Error>
where
    F: Future<Output = Fake> + Send + 'static,
    S: FnOnce(Fake, Header) -> F + Send + 'static,
{
    let file = file_on(100, |mut fake| async move {
        let request = fake.expect(Command::READ).await;
        let mut fake = lie(fake, request.header).await;
        fake.be_silent().await;
    });
    file.await.read_at(0, 100).await
}

fn read_response(data: &[u8]) -> ReadResponse<'_> {
    ReadResponse { data, remaining: 0, flags: 0 }
}

#[tokio::test(start_paused = true)]
async fn refused_access() {
    let session = with(plain(), MemoryOptions::plain(), |mut fake| async move {
        fake.log_on().await;
        fake.share().await;
        let request = fake.expect(Command::CREATE).await;
        fake.refuse(&request.header, NtStatus::ACCESS_DENIED).await;
        fake.be_silent().await;
    });
    let tree = session.await.unwrap().tree("share").await.unwrap();
    assert_eq!(tree.open("secret").await.unwrap_err().status(), Some(NtStatus::ACCESS_DENIED));
}

#[tokio::test(start_paused = true)]
async fn cut_in_the_middle_of_a_write() {
    let file = file_on(0, |mut fake| async move {
        for _ in 0..3 {
            fake.expect(Command::WRITE).await;
        }
        let message = smb_transport::Msg::inline(smb_transport::IoBuf::alloc(100));
        fake.sender.sever(message, 10).await;
    })
    .await;
    let mut source = MemorySource::new(vec![7; 4096].into(), 64 << 20);
    let error = upload(&file, &mut source, &TransferOptions::new()).await.unwrap_err();
    assert!(matches!(error, Error::Transport(TransportError::Cut | TransportError::Closed)), "{error:?}");
    let later = file.read_at(0, 1).await.unwrap_err();
    assert!(matches!(later, Error::OpenLost(_)), "for good: {later:?}");
}

#[tokio::test(start_paused = true)]
async fn server_gone() {
    let file = file_on(100, |mut fake| async move {
        fake.expect(Command::READ).await;
    })
    .await;
    let (one, other) = tokio::join!(file.read_at(0, 10), file.read_at(10, 10));
    assert!(matches!(one.unwrap_err(), Error::Transport(_)));
    assert!(matches!(other.unwrap_err(), Error::Transport(_)), "every request under way fails");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_falls_silent() {
    let file = file_on(100, |mut fake| async move { fake.be_silent().await }).await;
    let started = Instant::now();
    let error = file.read_at(0, 100).await.unwrap_err();
    assert!(matches!(error, Error::Stalled { .. }), "{error:?}");
    let waited = started.elapsed();
    assert!(waited >= Duration::from_secs(50) && waited <= Duration::from_secs(80), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_stops_taking_bytes() {
    let file = file_on(0, |fake| async move {
        let _hold = fake;
        std::future::pending::<()>().await;
    })
    .await;
    let started = Instant::now();
    let mut source = MemorySource::new(vec![7; 4096].into(), 1 << 30);
    let error = upload(&file, &mut source, &TransferOptions::new()).await.unwrap_err();
    assert!(matches!(error, Error::Stalled { .. }), "{error:?}");
    assert!(started.elapsed() <= Duration::from_secs(120), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn one_request_is_forgotten() {
    let file = file_on(100, |mut fake| async move { fake.only_echo().await }).await;
    let error = file.read_at(0, 100).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { command: Command::READ, .. }), "{error:?}");
    let session = file.session().clone();
    session.echo().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_request_that_the_server_works_on_takes_its_time() {
    let file = file_on(100, |mut fake| async move {
        let request = fake.expect(Command::READ).await;
        fake.pend(&request.header, 9).await;
        let until = Instant::now() + Duration::from_secs(600);
        while let Ok(Some(echo)) = tokio::time::timeout_at(until, fake.recv()).await {
            assert_eq!(echo.header.command, Command::ECHO);
            fake.answer(&echo.header, &EchoResponse).await;
        }
        let mut header = request.header;
        header.route = smb_proto::header::Route::Async { async_id: 9 };
        fake.answer(&header, &read_response(&[5; 100])).await;
        fake.be_silent().await;
    })
    .await;
    assert_eq!(file.read_at(0, 100).await.unwrap(), vec![5; 100]);
}

#[tokio::test(start_paused = true)]
async fn garbage() {
    let error = read_with(|mut fake, _| async {
        fake.send(vec![0xa5; 500]).await;
        fake
    });
    assert!(matches!(error.await.unwrap_err(), Error::Violation(PeerViolation::Parse(_))));
    let error = read_with(|mut fake, _| async {
        fake.send(b"\xfeSMB\x40\x00".to_vec()).await;
        fake
    });
    assert!(matches!(error.await.unwrap_err(), Error::Violation(PeerViolation::Parse(_))));
}

#[tokio::test(start_paused = true)]
async fn lying_lengths() {
    let error = read_with(|mut fake, request| async move {
        let mut message =
            compound::single(&fake.header(&request, NtStatus::SUCCESS), &read_response(&[1; 50]));
        message[68..72].copy_from_slice(&u32::MAX.to_le_bytes());
        fake.send(message).await;
        fake
    });
    assert!(
        matches!(error.await.unwrap_err(), Error::Violation(PeerViolation::Parse(_))),
        "leaves the message"
    );
    let error = read_with(|mut fake, request| async move {
        fake.answer(&request, &read_response(&[1; 101])).await;
        fake
    });
    let error = error.await.unwrap_err();
    assert!(
        matches!(error, Error::Violation(PeerViolation::Response { .. })),
        "more than asked for: {error:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn foreign_answers() {
    let error = read_with(|mut fake, mut request| async move {
        request.message_id += 1000;
        fake.answer(&request, &read_response(&[])).await;
        fake
    });
    assert!(matches!(error.await.unwrap_err(), Error::Violation(PeerViolation::Unsolicited(_))));
    let error = read_with(|mut fake, mut request| async move {
        request.command = Command::WRITE;
        fake.answer(&request, &WriteResponse { count: 1 }).await;
        fake
    });
    assert!(matches!(error.await.unwrap_err(), Error::Violation(PeerViolation::Response { .. })));
    let error = read_with(|mut fake, request| async move {
        let message = compound::single(&Header { credits: 1, ..request }, &read_response(&[]));
        fake.send(message).await;
        fake
    });
    assert!(matches!(error.await.unwrap_err(), Error::Violation(PeerViolation::State(_))), "a request");
}

#[tokio::test(start_paused = true)]
async fn signatures_must_be_there_and_right() {
    for change in [0, 1] {
        let client = Client::builder().user("alice", "secret");
        let session = with(client, MemoryOptions::plain(), move |mut fake| async move {
            fake.log_on().await;
            let request = fake.expect(Command::ECHO).await;
            let mut header = fake.header(&request.header, NtStatus::SUCCESS);
            if change == 0 {
                header.flags = HeaderFlags::NONE;
            }
            fake.send(compound::single(&header, &EchoResponse)).await;
            fake.be_silent().await;
        });
        let error = session.await.unwrap().echo().await.unwrap_err();
        let expected = match change {
            0 => PeerViolation::Unsigned(Command::ECHO),
            _ => PeerViolation::BadSignature(Command::ECHO),
        };
        assert!(matches!(error, Error::Violation(found) if found == expected), "{error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn credits_that_are_never_given_back() {
    let file = file_on(1 << 20, |mut fake| async move {
        fake.grant = Some(0);
        while let Some(request) = fake.recv().await {
            fake.answer(&request.header, &read_response(&[1; 10])).await;
        }
    })
    .await;
    let started = Instant::now();
    let error = loop {
        if let Err(error) = file.read_at(0, 10).await {
            break error;
        }
    };
    assert!(matches!(error, Error::Violation(PeerViolation::Credits { .. })), "{error:?}");
    assert!(started.elapsed() <= Duration::from_secs(120));
}

#[tokio::test(start_paused = true)]
async fn over_grants_are_taken_calmly() {
    let file = file_on(1 << 20, |mut fake| async move {
        fake.grant = Some(u16::MAX);
        while let Some(request) = fake.recv().await {
            if request.header.command == Command::READ {
                fake.answer(&request.header, &read_response(&[1; 10])).await;
            }
        }
    })
    .await;
    for _ in 0..200 {
        assert_eq!(file.read_at(0, 10).await.unwrap().len(), 10);
    }
}

#[tokio::test(start_paused = true)]
async fn writes_are_counted() {
    for (count, is_short) in [(50, true), (101, false)] {
        let file = file_on(0, move |mut fake| async move {
            let request = fake.expect(Command::WRITE).await;
            assert_eq!(request.parse::<WriteRequest<'_>>().data, [3; 100]);
            fake.answer(&request.header, &WriteResponse { count }).await;
            fake.be_silent().await;
        })
        .await;
        let error = file.write_at(0, vec![3; 100]).await.unwrap_err();
        match is_short {
            true => assert!(matches!(error, Error::Transfer(TransferError::ShortWrite { found: 50, .. }))),
            false => assert!(matches!(error, Error::Violation(PeerViolation::Response { .. }))),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_that_shrinks_is_no_download() {
    let file = file_on(3 << 20, |mut fake| async move {
        while let Some(request) = fake.recv().await {
            if request.header.command != Command::READ {
                continue;
            }
            let read: ReadRequest = request.parse();
            if read.offset < 1 << 20 {
                let data = vec![1; usize::try_from(read.length).unwrap()];
                fake.answer(&request.header, &read_response(&data)).await;
            } else {
                fake.refuse(&request.header, NtStatus::END_OF_FILE).await;
            }
        }
    })
    .await;
    let error = download(&file, &mut NullSink, &TransferOptions::new()).await.unwrap_err();
    assert!(
        matches!(error, Error::Transfer(TransferError::RemoteShrank { expected: 0x30_0000, .. })),
        "{error:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_dropped_request_is_cancelled_once_and_its_credits_come_back() {
    let (told, mut tells) = tokio::sync::mpsc::unbounded_channel();
    let file = file_on(100, |mut fake| async move {
        let read = fake.expect(Command::READ).await;
        fake.pend(&read.header, 41).await;
        told.send("pending").unwrap();
        let cancel = fake.expect(Command::CANCEL).await;
        assert_eq!(cancel.header.message_id, read.header.message_id);
        assert_eq!(cancel.header.route, smb_proto::header::Route::Async { async_id: 41 });
        let mut header = read.header;
        header.route = cancel.header.route;
        fake.refuse(&header, NtStatus::CANCELLED).await;
        let next = fake.expect(Command::READ).await;
        fake.answer(&next.header, &read_response(&[9; 4])).await;
        let close = fake.expect(Command::CLOSE).await;
        assert_eq!(close.parse::<CloseRequest>().file_id, FILE);
        told.send("closed").unwrap();
        fake.be_silent().await;
    })
    .await;
    let reading = tokio::spawn({
        let file = file.clone();
        async move { file.read_at(0, 100).await }
    });
    assert_eq!(tells.recv().await, Some("pending"));
    tokio::time::sleep(Duration::from_millis(10)).await;
    reading.abort();
    let _ = reading.await;
    assert_eq!(file.read_at(0, 4).await.unwrap(), vec![9; 4]);
    let _session = file.session().clone();
    drop(file);
    assert_eq!(tells.recv().await, Some("closed"), "dropping the last handle closes");
}

/// Without the AsyncId of an interim response there is nothing to cancel by: it is done when that has come.
#[tokio::test(start_paused = true)]
async fn a_request_dropped_before_its_interim_response_is_cancelled_behind_it() {
    let (told, mut tells) = tokio::sync::mpsc::unbounded_channel();
    let file = file_on(100, |mut fake| async move {
        let read = fake.expect(Command::READ).await;
        told.send(()).unwrap();
        tokio::time::sleep(Duration::from_secs(5)).await;
        fake.pend(&read.header, 41).await;
        let cancel = fake.expect(Command::CANCEL).await;
        assert_eq!(cancel.header.message_id, read.header.message_id);
        told.send(()).unwrap();
        fake.be_silent().await;
    })
    .await;
    let reading = tokio::spawn({
        let file = file.clone();
        async move { file.read_at(0, 100).await }
    });
    tells.recv().await.unwrap();
    reading.abort();
    let _ = reading.await;
    tells.recv().await.expect("a CANCEL");
}

/// A CLOSE that never left is made up for.
#[tokio::test(start_paused = true)]
async fn a_close_given_up_while_it_waits_for_credits_still_closes() {
    let (told, mut tells) = tokio::sync::mpsc::unbounded_channel();
    let session = with(plain().credits(1), MemoryOptions::plain(), |mut fake| async move {
        fake.grant = Some(1);
        fake.up_to_file(100).await;
        let read = fake.expect(Command::READ).await;
        told.send(()).unwrap();
        tokio::time::sleep(Duration::from_secs(5)).await;
        fake.answer(&read.header, &read_response(&[1; 4])).await;
        let close = fake.expect(Command::CLOSE).await;
        assert_eq!(close.parse::<CloseRequest>().file_id, FILE);
        told.send(()).unwrap();
        fake.be_silent().await;
    });
    let tree = session.await.unwrap().tree("share").await.unwrap();
    let file = tree.open("file").await.unwrap();
    let reading = tokio::spawn({
        let file = file.clone();
        async move { file.read_at(0, 4).await }
    });
    tells.recv().await.unwrap();
    tokio::time::timeout(Duration::from_secs(1), file.close()).await.expect_err("there is no credit");
    reading.await.unwrap().unwrap();
    tells.recv().await.expect("a CLOSE");
}

/// The ECHO that asks whether the server is there overtakes those who wait for credits.
#[tokio::test(start_paused = true)]
async fn a_server_that_is_slow_and_alive_is_not_given_up_for_want_of_credits() {
    let session = with(plain().credits(12), MemoryOptions::plain(), |mut fake| async move {
        fake.up_to_file(1 << 20).await;
        let mut held = Vec::new();
        let until = Instant::now() + Duration::from_secs(300);
        while let Ok(Some(request)) = tokio::time::timeout_at(until, fake.recv()).await {
            fake.grant = Some(1);
            match request.header.command {
                Command::ECHO => fake.answer(&request.header, &EchoResponse).await,
                Command::READ => {
                    let async_id = request.header.message_id;
                    fake.grant = Some(0);
                    fake.pend(&request.header, async_id).await;
                    held.push(request.header);
                }
                other => panic!("{other:?}"),
            }
        }
        fake.grant = Some(1);
        for mut header in held {
            header.route = smb_proto::header::Route::Async { async_id: header.message_id };
            fake.answer(&header, &read_response(&[3; 1])).await;
        }
        while let Some(request) = fake.recv().await {
            fake.answer(&request.header, &read_response(&[3; 1])).await;
        }
    });
    let file = session.await.unwrap().tree("share").await.unwrap().open("file").await.unwrap();
    // Time for the keeper to set a credit aside.
    tokio::time::sleep(Duration::from_secs(10)).await;
    let mut reading = tokio::task::JoinSet::new();
    for number in 0..200 {
        let file = file.clone();
        reading.spawn(async move { file.read_at(number, 1).await });
    }
    while let Some(outcome) = reading.join_next().await {
        assert_eq!(outcome.unwrap().unwrap(), vec![3; 1]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_open_nobody_waits_for_is_closed() {
    let (told, mut tells) = tokio::sync::mpsc::unbounded_channel();
    let session = with(plain(), MemoryOptions::plain(), |mut fake| async move {
        fake.log_on().await;
        fake.share().await;
        let create = fake.expect(Command::CREATE).await;
        told.send(()).unwrap();
        tokio::time::sleep(Duration::from_secs(5)).await;
        fake.answer(&create.header, &fake::created(0)).await;
        let close = fake.expect(Command::CLOSE).await;
        assert_eq!(close.parse::<CloseRequest>().file_id, FILE);
        told.send(()).unwrap();
        fake.be_silent().await;
    })
    .await
    .unwrap();
    let tree = session.tree("share").await.unwrap();
    let opening = tokio::spawn({
        let tree = tree.clone();
        async move { tree.open("file").await.map(drop) }
    });
    tells.recv().await.unwrap();
    opening.abort();
    let _ = opening.await;
    tells.recv().await.expect("the open that came too late is closed");
}

#[tokio::test(start_paused = true)]
async fn one_credit_at_a_time_is_enough() {
    let session = with(plain().credits(1), MemoryOptions::plain(), |mut fake| async move {
        fake.grant = Some(1);
        fake.log_on().await;
        fake.share().await;
        fake.open(42).await;
        let close = fake.expect(Command::CLOSE).await;
        assert_eq!(close.parse::<CloseRequest>().file_id, FILE, "no compound, so no placeholder");
        fake.answer(&close.header, &CloseResponse::default()).await;
        fake.be_silent().await;
    });
    let tree = session.await.unwrap().tree("share").await.unwrap();
    assert_eq!(tree.metadata("file").await.unwrap().size, 42);
}

#[tokio::test(start_paused = true)]
async fn many_callers_share_few_credits_fairly() {
    let session = with(plain().credits(4), MemoryOptions::plain(), |mut fake| async move {
        fake.grant = Some(1);
        fake.log_on().await;
        while let Some(request) = fake.recv().await {
            assert_eq!(request.header.command, Command::ECHO);
            fake.answer(&request.header, &EchoResponse).await;
        }
    });
    let session = session.await.unwrap();
    let mut asking = tokio::task::JoinSet::new();
    for number in 0..50 {
        let session = session.clone();
        asking.spawn(async move { session.echo().await.map(|()| number) });
    }
    let mut answered = Vec::new();
    while let Some(outcome) = asking.join_next().await {
        answered.push(outcome.unwrap().unwrap());
    }
    assert_eq!(answered, (0..50).collect::<Vec<_>>(), "first come, first served");
}

#[tokio::test(start_paused = true)]
async fn what_was_dropped_is_closed_before_the_session_ends() {
    let (told, mut tells) = tokio::sync::mpsc::unbounded_channel();
    let file = file_on(100, |mut fake| async move {
        while let Some(request) = fake.recv().await {
            told.send(request.header.command).unwrap();
            match request.header.command {
                Command::CLOSE => fake.answer(&request.header, &CloseResponse::default()).await,
                Command::TREE_DISCONNECT => fake.answer(&request.header, &TreeDisconnectResponse).await,
                _ => fake.answer(&request.header, &LogoffResponse).await,
            }
        }
    })
    .await;
    let session = file.session().clone();
    drop(file);
    session.log_off().await;
    let mut seen = Vec::new();
    while let Some(command) = tells.recv().await {
        seen.push(command);
    }
    assert_eq!(seen, [Command::CLOSE, Command::TREE_DISCONNECT, Command::LOGOFF]);
}
