//! Streams into the migration share, from our client: whole and in order, or not at all.

use bytes::Bytes;
use smb_client::{
    ClientBuilder, Encryption, Error, OpenOptions, Session, Signing, Tree,
    migration::StreamWriter,
    transfer::{Level, MemorySource, Progress, TransferOptions},
};
use smb_proto::{
    msg::{
        CtlCode,
        fsctl::stream_commit::{DigestAlgorithm, StreamCommit},
    },
    status::NtStatus,
};
use smb_server::{
    Share,
    backend::stream::{
        AbortReason, Incoming, Incomings, ReaderConsumer, StreamError, StreamOptions, StreamShare,
    },
};
use smb_tests::{House, bounded, client, pattern, until};
use smb_transport::{Faults, fault::Action};

const SIZE: usize = 12 << 20;

/// A server with the share `mig`, and its streams.
struct Station {
    house: House,
    streams: Incomings,
}

impl Station {
    fn new(options: StreamOptions) -> Self {
        let (consumer, streams) = ReaderConsumer::new();
        let share = Share::new("mig", StreamShare::new(consumer, options));
        Self { house: House::with(|builder| builder.share(share)), streams }
    }

    async fn session(&self, builder: ClientBuilder) -> Session {
        builder.connect_over(Box::new(self.house.dial()), "server").await.unwrap()
    }

    async fn tree(&self) -> Tree {
        self.session(client()).await.tree("mig").await.unwrap()
    }

    async fn next(&mut self) -> Incoming {
        bounded("a stream", self.streams.next()).await.expect("the share lives")
    }
}

fn source(size: usize) -> MemorySource {
    MemorySource::new(pattern(1_000_003, 1).into(), size.try_into().unwrap())
}

fn expected(size: usize) -> Vec<u8> {
    let mut all = pattern(1_000_003, 1).repeat(size / 1_000_003 + 1);
    all.truncate(size);
    all
}

/// All that comes, up to the end.
async fn drained(stream: &mut Incoming) -> Result<Vec<u8>, StreamError> {
    let mut all = Vec::new();
    while let Some(bytes) = bounded("the next bytes", stream.chunk()).await? {
        all.extend_from_slice(&bytes);
    }
    Ok(all)
}

async fn send(tree: Tree, name: &str, size: usize) -> Result<smb_client::transfer::Summary, Error> {
    let mut stream = StreamWriter::create(&tree, name).await?;
    stream.send(&mut source(size), &TransferOptions::new()).await?;
    stream.commit().await
}

#[tokio::test]
async fn whole_and_in_order_however_protected() {
    let plain = client();
    let signed = client().signing(Signing::Required);
    let sealed = client().encryption(Encryption::Required);
    for (builder, size) in [(plain, SIZE), (signed, SIZE), (sealed, SIZE), (client(), 0), (client(), 1)] {
        let mut station = Station::new(StreamOptions::default());
        let tree = station.session(builder).await.tree("mig").await.unwrap();
        let sending = tokio::spawn(async move { send(tree, "vm.img", size).await });
        let mut stream = station.next().await;
        assert_eq!(stream.name(), "vm.img");
        assert!(drained(&mut stream).await.unwrap() == expected(size));
        assert!(!sending.is_finished(), "the commit waits for the confirmation");
        stream.confirm().unwrap();
        let summary = bounded("the commit", sending).await.unwrap().unwrap();
        assert_eq!((summary.bytes, summary.level), (size as u64, Level::Digest));
        assert_eq!(summary.digest, Some(*blake3::hash(&expected(size)).as_bytes()));
        station.house.is_left_clean().await;
    }
}

#[tokio::test(start_paused = true)]
async fn writes_in_any_order_come_out_in_theirs() {
    let mut station = Station::new(StreamOptions::default());
    let tree = station.tree().await;
    let file = OpenOptions::write().open(&tree, "s").await.unwrap();
    let mut stream = station.next().await;
    const PIECE: usize = 50_000;
    for n in [7, 3, 1, 0, 2, 9, 8, 5, 4, 6] {
        file.write_at((n * PIECE) as u64, expected(10 * PIECE)[n * PIECE..(n + 1) * PIECE].to_vec())
            .await
            .unwrap();
    }
    let flushing = tokio::spawn({
        let file = file.clone();
        async move { file.flush().await }
    });
    assert!(drained(&mut stream).await.unwrap() == expected(10 * PIECE));
    stream.confirm().unwrap();
    bounded("the commit", flushing).await.unwrap().unwrap();
    file.close().await.unwrap();
    drop(tree);
    station.house.is_left_clean().await;
}

/// What the consumer does not take is not taken from the sender, who is told to wait; the connection works on.
#[tokio::test]
async fn a_slow_consumer_holds_up_the_sender_and_nobody_else() {
    const WINDOW: u64 = 2 << 20;
    let mut station = Station::new(StreamOptions { window: WINDOW, ..StreamOptions::default() });
    let tree = station.tree().await;
    let session = tree.session().clone();
    let progress = Progress::new();
    let sending = tokio::spawn({
        let progress = progress.clone();
        async move {
            let mut stream = StreamWriter::create(&tree, "s").await?;
            stream.send(&mut source(SIZE), &TransferOptions::new().progress(&progress)).await?;
            stream.commit().await
        }
    });
    let mut stream = station.next().await;
    for _ in 0..200 {
        bounded("an echo", session.echo()).await.unwrap();
    }
    // The window, and two pieces in the hands of the consumer's queue and one in the pump's.
    assert!(progress.now().bytes <= WINDOW + (4 << 20), "{:?}", progress.now());
    assert!(!sending.is_finished());
    station.house.still_serves().await;
    assert!(drained(&mut stream).await.unwrap() == expected(SIZE));
    stream.confirm().unwrap();
    assert_eq!(bounded("the commit", sending).await.unwrap().unwrap().bytes, SIZE as u64);
}

fn commit_of(data: &[u8]) -> StreamCommit {
    let digest = *blake3::hash(data).as_bytes();
    StreamCommit { algorithm: DigestAlgorithm::BLAKE3, length: data.len() as u64, digest }
}

/// A client that announces another length or digest than what it sent.
#[tokio::test(start_paused = true)]
async fn what_differs_from_what_was_announced_is_refused() {
    let data = expected(300_000);
    let mut changed = data.clone();
    changed[123_456] ^= 1;
    let lies = [(&changed[..], NtStatus::CRC_ERROR), (&data[1..], NtStatus::DATA_ERROR)];
    for (announced, status) in lies {
        let mut station = Station::new(StreamOptions::default());
        let tree = station.tree().await;
        let file = OpenOptions::write().open(&tree, "s").await.unwrap();
        let mut stream = station.next().await;
        file.write_at(0, data.clone()).await.unwrap();
        file.fsctl(CtlCode::STREAM_COMMIT, commit_of(announced).to_bytes(), 0).await.unwrap();
        let reading = tokio::spawn(async move { drained(&mut stream).await });
        let error = bounded("the flush", file.flush()).await.unwrap_err();
        assert_eq!(error.status(), Some(status));
        assert!(matches!(reading.await.unwrap(), Err(StreamError::Aborted(_))));
        file.close().await.ok();
        drop(tree);
        station.house.is_left_clean().await;
    }
}

/// A byte changed on its way: found by the digest, the signature or the seal, whichever there is.
#[tokio::test]
async fn a_byte_changed_on_its_way() {
    let signed = client().signing(Signing::Required);
    let sealed = client().encryption(Encryption::Required);
    for (protected, builder) in [(false, client()), (true, signed), (true, sealed)] {
        let mut station = Station::new(StreamOptions::default());
        let faults = Faults::default();
        let session = builder.connect_over(station.house.dial_through(&faults), "server").await.unwrap();
        let tree = session.tree("mig").await.unwrap();
        let mut stream = StreamWriter::create(&tree, "s").await.unwrap();
        faults.outgoing.on(3, Action::Corrupt { offset: 100_000, xor: 0x10 });
        let mut incoming = station.next().await;
        let reading = tokio::spawn(async move { drained(&mut incoming).await });
        let sent = async {
            stream.send(&mut source(SIZE), &TransferOptions::new()).await?;
            stream.commit().await
        };
        let error = bounded("sending", sent).await.unwrap_err();
        match protected {
            false => assert_eq!(error.status(), Some(NtStatus::CRC_ERROR), "{error}"),
            true => assert!(
                matches!(error, Error::Transport(_) | Error::OpenLost(_))
                    || error.status() == Some(NtStatus::ACCESS_DENIED),
                "{error}"
            ),
        }
        drop((tree, session));
        assert!(matches!(bounded("the reader", reading).await.unwrap(), Err(StreamError::Aborted(_))));
        station.house.is_left_clean().await;
    }
}

/// Every way to end without a commit is an error for the consumer.
#[tokio::test(start_paused = true)]
async fn what_is_not_committed_is_aborted() {
    for way in 0..5 {
        let mut station = Station::new(StreamOptions::default());
        let faults = Faults::default();
        let session = client().connect_over(station.house.dial_through(&faults), "server").await.unwrap();
        let tree = session.tree("mig").await.unwrap();
        let file = OpenOptions::write().open(&tree, "s").await.unwrap();
        let mut stream = station.next().await;
        file.write_at(0, expected(100_000)).await.unwrap();
        if way == 0 {
            file.write_at(150_000, "behind a gap").await.unwrap();
            let error = bounded("the flush", file.flush()).await.unwrap_err();
            assert!(error.status().is_some(), "{error}");
        }
        match way {
            0 => drop(file.close().await),
            1 => drop(file.close().await),
            2 => faults.cut(),
            3 => session.log_off().await,
            _ => drop(tree.disconnect().await),
        }
        let error = drained(&mut stream).await.unwrap_err();
        let StreamError::Aborted(reason) = error else { panic!("{error}") };
        match way {
            2 | 3 => assert_eq!(reason, AbortReason::Lost, "way {way}"),
            _ => assert_ne!(reason, AbortReason::Idle, "way {way}"),
        }
        assert!(stream.confirm().is_err(), "it cannot be confirmed any more");
    }
}

/// A consumer that refuses, and one that goes away: the sender's commit fails.
#[tokio::test]
async fn a_consumer_that_says_no() {
    for gone in [false, true] {
        let mut station = Station::new(StreamOptions::default());
        let tree = station.tree().await;
        let sending = tokio::spawn(async move { send(tree, "s", SIZE).await });
        let mut stream = station.next().await;
        if gone {
            stream.chunk().await.unwrap();
            drop(stream);
        } else {
            drained(&mut stream).await.unwrap();
            stream.refuse(NtStatus::DISK_FULL).unwrap();
        }
        let error = bounded("the commit", sending).await.unwrap().unwrap_err();
        let status = if gone { NtStatus::PIPE_BROKEN } else { NtStatus::DISK_FULL };
        assert_eq!(error.status(), Some(status), "{error}");
        station.house.still_serves().await;
        station.house.is_left_clean().await;
    }
}

/// A commit that is given up by the sender while the consumer thinks about it.
#[tokio::test]
async fn a_sender_that_loses_patience_with_the_commit() {
    let mut station = Station::new(StreamOptions::default());
    let tree = station.tree().await;
    let session = tree.session().clone();
    let sending = tokio::spawn(async move { send(tree, "s", 1 << 20).await });
    let mut stream = station.next().await;
    drained(&mut stream).await.unwrap();
    sending.abort();
    let _ = sending.await;
    session.echo().await.unwrap();
    until("the open is given up", || station.house.handle.open_files() == 0).await;
    // The commit was asked for and all bytes are there: it is the consumer's to decide.
    let _ = stream.confirm();
    let bytes = Bytes::from_static(b"the session lives");
    let file = session.tree("data").await.unwrap().create("file").await.unwrap();
    file.write_at(0, bytes).await.unwrap();
}
