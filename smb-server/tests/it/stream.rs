//! The migration share through the protocol: what commits and what does not.

use crate::peer::*;
use smb_proto::{
    command::Command,
    compound,
    header::{Header, HeaderFlags},
    msg::{fsctl::stream_commit::*, *},
    status::NtStatus,
};
use smb_server::{
    Handle, Share,
    backend::{Caller, stream::*},
};
use smb_transport::BoxFuture;
use std::sync::{Arc, Mutex};

/// What became of the streams.
#[derive(Debug, Clone, PartialEq, Eq)]
enum End {
    Committed(Vec<u8>),
    Aborted,
}

#[derive(Clone, Default)]
struct Recorder {
    ends: Arc<Mutex<Vec<End>>>,
}

struct Recording {
    ends: Arc<Mutex<Vec<End>>>,
    data: Vec<u8>,
}

impl StreamConsumer for Recorder {
    fn begin<'a>(&'a self, _: &'a str, _: &'a Caller) -> BoxFuture<'a, Result<Box<dyn Sink>, NtStatus>> {
        let sink: Box<dyn Sink> = Box::new(Recording { ends: self.ends.clone(), data: Vec::new() });
        Box::pin(async { Ok(sink) })
    }
}

impl Sink for Recording {
    fn data(&mut self, bytes: bytes::Bytes) -> BoxFuture<'_, Result<(), NtStatus>> {
        self.data.extend(bytes);
        Box::pin(async { Ok(()) })
    }

    fn commit(&mut self) -> BoxFuture<'_, Result<(), NtStatus>> {
        self.ends.lock().unwrap().push(End::Committed(std::mem::take(&mut self.data)));
        Box::pin(async { Ok(()) })
    }

    fn abort(self: Box<Self>, _: AbortReason) -> BoxFuture<'static, ()> {
        self.ends.lock().unwrap().push(End::Aborted);
        Box::pin(async {})
    }
}

async fn streaming() -> (Handle, Recorder, Peer, FileId) {
    let recorder = Recorder::default();
    let share = StreamShare::new(recorder.clone(), StreamOptions::default());
    let server = server(Share::new("data", share), |builder| builder);
    let mut peer = Peer::ready(&server).await;
    let mut request = create("vm", CreateDisposition::CREATE);
    request.desired_access = Access::WRITE_DATA.with(Access::SYNCHRONIZE);
    let file = peer.create(&request).await.unwrap().file_id;
    // Out of order, and both answered whichever way.
    peer.send(&write(file, 4, b"5678"), 1).await;
    peer.send(&write(file, 0, b"1234"), 1).await;
    let mut written = 0;
    while written < 2 {
        let reply = peer.recv().await;
        assert!(!reply.status().is_error());
        written += u32::from(reply.status() == NtStatus::SUCCESS);
    }
    (server, recorder, peer, file)
}

async fn end(recorder: &Recorder) -> End {
    watched(async {
        loop {
            if let Some(end) = recorder.ends.lock().unwrap().first().cloned() {
                return end;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

async fn expect(
    peer: &mut Peer,
    file_id: FileId,
    content: &[u8],
    length: u64,
) -> Result<IoctlResponse, NtStatus> {
    let commit = StreamCommit {
        algorithm: DigestAlgorithm::BLAKE3,
        length,
        digest: *blake3::hash(content).as_bytes(),
    };
    let request = IoctlRequest {
        ctl_code: CtlCode::STREAM_COMMIT,
        file_id,
        input: commit.to_bytes(),
        max_input_response: 0,
        max_output_response: 0,
        is_fsctl: true,
    };
    peer.call(&request).await
}

#[tokio::test]
async fn a_flush_commits_what_was_announced() {
    let (_server, recorder, mut peer, file) = streaming().await;
    expect(&mut peer, file, b"12345678", 8).await.unwrap();
    peer.call::<FlushResponse>(&FlushRequest { file_id: file }).await.unwrap();
    peer.close(file).await.unwrap();
    assert_eq!(end(&recorder).await, End::Committed(b"12345678".to_vec()));
}

#[tokio::test]
async fn another_digest_or_length_does_not() {
    for (content, length) in [(&b"12345679"[..], 8), (b"12345678", 9)] {
        let (_server, recorder, mut peer, file) = streaming().await;
        expect(&mut peer, file, content, length).await.unwrap();
        let id = peer.send(&FlushRequest { file_id: file }, 1).await;
        assert!(peer.answer(id).await.status().is_error());
        assert_eq!(end(&recorder).await, End::Aborted);
    }
}

#[tokio::test]
async fn every_other_end_aborts() {
    for way in 0..4 {
        let (server, recorder, mut peer, file) = streaming().await;
        match way {
            0 => drop(peer.close(file).await),
            1 => drop(peer.call::<LogoffResponse>(&LogoffRequest).await),
            2 => drop(peer.call::<TreeDisconnectResponse>(&TreeDisconnectRequest).await),
            _ => {
                // A FLUSH whose connection is gone before its answer is none.
                let header = peer.header(Command::WRITE);
                peer.raw(&compound::single(&header, &write(file, 100, b"behind a gap"))).await;
                drop(peer);
            }
        }
        assert_eq!(end(&recorder).await, End::Aborted, "{way}");
        watched(async {
            while server.open_files() > 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

/// A consumer that never decides, and takes note that it need not any more.
#[derive(Clone, Default)]
struct Undecided(Arc<Mutex<Option<AbortReason>>>);

impl StreamConsumer for Undecided {
    fn begin<'a>(&'a self, _: &'a str, _: &'a Caller) -> BoxFuture<'a, Result<Box<dyn Sink>, NtStatus>> {
        Box::pin(async { Ok(Box::new(self.clone()) as Box<dyn Sink>) })
    }
}

impl Sink for Undecided {
    fn data(&mut self, _: bytes::Bytes) -> BoxFuture<'_, Result<(), NtStatus>> {
        Box::pin(async { Ok(()) })
    }

    fn commit(&mut self) -> BoxFuture<'_, Result<(), NtStatus>> {
        Box::pin(std::future::pending())
    }

    fn abort(self: Box<Self>, reason: AbortReason) -> BoxFuture<'static, ()> {
        *self.0.lock().unwrap() = Some(reason);
        Box::pin(async {})
    }
}

/// The final answer to the FLUSH does not wait for the CLOSE behind it; and where the client goes, the consumer hears of it.
#[tokio::test]
async fn a_close_that_waits_for_the_consumer_says_so() {
    let undecided = Undecided::default();
    let share = StreamShare::new(undecided.clone(), StreamOptions::default());
    let server = server(Share::new("data", share), |builder| builder);
    let mut peer = Peer::ready(&server).await;
    let mut builder = compound::Builder::new();
    let mut request = create("vm", CreateDisposition::CREATE);
    request.desired_access = Access::WRITE_DATA;
    builder.push(&peer.header(Command::CREATE), &request);
    let mut related = |command| {
        let mut header = peer.header(command);
        header.flags = HeaderFlags::RELATED_OPERATIONS;
        header
    };
    let (flush, close) = (related(Command::FLUSH), related(Command::CLOSE));
    builder.push(&flush, &FlushRequest { file_id: FileId::ANY });
    builder.push(&close, &CloseRequest { flags: CloseFlags::NONE, file_id: FileId::ANY });
    peer.raw(&builder.finish()).await;
    let headers = |reply: Reply| {
        let parts = compound::parts(&reply.bytes).map(|part| part.unwrap().header);
        parts.map(|header| (header.message_id, header.status().unwrap())).collect::<Vec<_>>()
    };
    assert_eq!(headers(peer.recv().await)[1], (flush.message_id, NtStatus::PENDING));
    let mut cancel = Header::request(Command::CANCEL, flush.message_id);
    cancel.session_id = peer.session;
    peer.raw(&compound::single(&cancel, &CancelRequest)).await;
    let late = [(flush.message_id, NtStatus::CANCELLED), (close.message_id, NtStatus::PENDING)];
    assert_eq!(headers(peer.recv().await), late);
    drop(peer);
    watched(async {
        while undecided.0.lock().unwrap().is_none() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(*undecided.0.lock().unwrap(), Some(AbortReason::Lost));
}

/// A consumer that does not even decide whether to take a stream.
struct Hesitant;

impl StreamConsumer for Hesitant {
    fn begin<'a>(&'a self, _: &'a str, _: &'a Caller) -> BoxFuture<'a, Result<Box<dyn Sink>, NtStatus>> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn a_create_waits_for_the_consumer_no_longer_than_its_client() {
    let server =
        server(Share::new("data", StreamShare::new(Hesitant, StreamOptions::default())), |builder| builder);
    let mut request = create("vm", CreateDisposition::CREATE);
    request.desired_access = Access::WRITE_DATA;
    for _ in 0..2 {
        let mut peer = Peer::ready(&server).await;
        // The name is free again, whether the client said so or just went.
        for cancels in [true, false] {
            let id = peer.send(&request, 1).await;
            let interim = peer.recv().await;
            assert_eq!((interim.header.message_id, interim.status()), (id, NtStatus::PENDING));
            if cancels {
                let mut cancel = Header::request(Command::CANCEL, id);
                (cancel.session_id, cancel.route) = (peer.session, interim.header.route);
                peer.raw(&compound::single(&cancel, &CancelRequest)).await;
                let last = peer.recv().await;
                assert_eq!((last.header.message_id, last.status()), (id, NtStatus::CANCELLED));
            }
        }
        drop(peer);
        watched(async {
            while server.sessions() > 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

/// A client with as many FLUSHes under way as the server reads, all of them waiting for the consumer.
async fn full() -> (Handle, Undecided, Peer) {
    const PENDING: usize = 4;
    let undecided = Undecided::default();
    let share = StreamShare::new(undecided.clone(), StreamOptions::default());
    let server = server(Share::new("data", share), |builder| {
        builder.limits(|limits| {
            limits.max_pending = PENDING;
            limits.drain = std::time::Duration::from_millis(100);
        })
    });
    let mut peer = Peer::ready(&server).await;
    let mut request = create("vm", CreateDisposition::CREATE);
    request.desired_access = Access::WRITE_DATA;
    let file = peer.create(&request).await.unwrap().file_id;
    for _ in 0..2 * PENDING {
        peer.send(&FlushRequest { file_id: file }, 1).await;
    }
    // Half as many wait behind an interim response; the others fill the places, and the last are not read.
    for _ in 0..PENDING / 2 {
        assert_eq!(peer.recv().await.status(), NtStatus::PENDING);
    }
    (server, undecided, peer)
}

/// That the client has gone is noticed behind requests that are not read.
#[tokio::test]
async fn flushes_that_wait_hide_no_end() {
    let (server, undecided, peer) = full().await;
    drop(peer);
    watched(async {
        while server.sessions() + server.open_files() > 0 || undecided.0.lock().unwrap().is_none() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(*undecided.0.lock().unwrap(), Some(AbortReason::Lost));
}

/// Nor do they hold up a server that stops.
#[tokio::test]
async fn flushes_that_wait_hold_up_no_drain() {
    let (server, _, mut peer) = full().await;
    server.stop();
    watched(async { while peer.receiver.recv().await.is_ok_and(|message| message.is_some()) {} }).await;
    assert_eq!(server.sessions(), 0);
}
