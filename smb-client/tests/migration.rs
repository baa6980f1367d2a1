//! A stream counts only once it was committed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod fake;

use fake::{Fake, plain, with};
use smb_client::{
    Tree,
    migration::StreamWriter,
    transfer::{Level, MemorySource, TransferOptions},
};
use smb_proto::{
    command::Command,
    fscc::{Information, StandardInformation},
    msg::{fsctl::stream_commit::StreamCommit, *},
    status::NtStatus,
};
use smb_transport::memory::MemoryOptions;
use tokio::{
    io::AsyncWriteExt,
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
};

/// What the server has seen of a stream.
#[derive(Default)]
struct Seen {
    data: Vec<u8>,
    /// The commands but WRITE, in order.
    order: Vec<Command>,
    commit: Option<StreamCommit>,
}

/// A share that takes one stream; it answers the commit by `verdict`, and tells what it saw when the stream is closed.
async fn share(verdict: NtStatus) -> (Tree, UnboundedReceiver<Seen>) {
    let (told, tells) = unbounded_channel();
    let session = with(plain(), MemoryOptions::plain(), move |mut fake| async move {
        fake.up_to_file(0).await;
        let mut seen = Seen::default();
        while let Some(request) = fake.recv().await {
            take(&mut fake, &request, &mut seen, verdict).await;
            if request.header.command == Command::CLOSE {
                told.send(std::mem::take(&mut seen)).unwrap();
            }
        }
    });
    (session.await.unwrap().tree("vm").await.unwrap(), tells)
}

async fn take(fake: &mut Fake, request: &fake::Request, seen: &mut Seen, verdict: NtStatus) {
    let header = &request.header;
    if header.command != Command::WRITE {
        seen.order.push(header.command);
    }
    match header.command {
        Command::WRITE => {
            let write: WriteRequest<'_> = request.parse();
            let start = usize::try_from(write.offset).unwrap();
            let end = start + write.data.len();
            seen.data.resize(seen.data.len().max(end), 0);
            seen.data[start..end].copy_from_slice(write.data);
            fake.answer(header, &WriteResponse { count: u32::try_from(write.data.len()).unwrap() }).await;
        }
        Command::IOCTL => {
            let ioctl: IoctlRequest = request.parse();
            assert_eq!(ioctl.ctl_code, CtlCode::STREAM_COMMIT);
            seen.commit = Some(StreamCommit::parse(&ioctl.input).unwrap());
            if verdict != NtStatus::SUCCESS {
                return fake.refuse(header, verdict).await;
            }
            let (ctl_code, file_id) = (ioctl.ctl_code, ioctl.file_id);
            fake.answer(header, &IoctlResponse { ctl_code, file_id, input: vec![], output: vec![] }).await;
        }
        Command::QUERY_INFO => {
            let end_of_file = u64::try_from(seen.data.len()).unwrap();
            let output = StandardInformation { end_of_file, ..Default::default() }.to_bytes();
            fake.answer(header, &QueryInfoResponse { output }).await;
        }
        Command::FLUSH => fake.answer(header, &FlushResponse).await,
        Command::CLOSE => fake.answer(header, &CloseResponse::default()).await,
        _ => (),
    }
}

#[tokio::test]
async fn the_digest_goes_before_the_flush() {
    let (tree, mut tells) = share(NtStatus::SUCCESS).await;
    let mut stream = StreamWriter::create(&tree, "disk0").await.unwrap();
    let pattern: Vec<u8> = (0..3_000_017).map(|i| u8::try_from(i % 253).unwrap()).collect();
    let mut source = MemorySource::new(pattern.clone().into(), 3_000_017);
    stream.send(&mut source, &TransferOptions::new()).await.unwrap();
    stream.write_all(b"and a tail").await.unwrap();
    let mut last = stream.buffer();
    last.truncate(3);
    last.copy_from_slice(b"end");
    stream.write_buf(last).await.unwrap();
    let summary = stream.commit().await.unwrap();
    let expected = [&pattern[..], b"and a tail", b"end"].concat();
    let digest = *blake3::hash(&expected).as_bytes();
    assert_eq!((summary.level, summary.bytes, summary.digest), (Level::Digest, 3_000_030, Some(digest)));
    let seen = tells.recv().await.unwrap();
    assert!(seen.data == expected, "in order, whatever the way in");
    assert_eq!(seen.order, [Command::IOCTL, Command::FLUSH, Command::CLOSE]);
    let commit = seen.commit.unwrap();
    assert_eq!((commit.length, commit.digest), (3_000_030, digest));
}

#[tokio::test]
async fn a_foreign_server_is_asked_for_the_size_instead() {
    for foreign in [NtStatus::NOT_SUPPORTED, NtStatus::INVALID_DEVICE_REQUEST] {
        let (tree, mut tells) = share(foreign).await;
        let mut stream = StreamWriter::create(&tree, "disk0").await.unwrap();
        stream.write_all(b"image").await.unwrap();
        let summary = stream.commit().await.unwrap();
        assert_eq!((summary.level, summary.bytes), (Level::SizeIntegrity, 5), "and it says so");
        let seen = tells.recv().await.unwrap();
        assert_eq!(seen.order, [Command::IOCTL, Command::FLUSH, Command::QUERY_INFO, Command::CLOSE]);
    }
}

#[tokio::test]
async fn a_refused_digest_is_never_flushed() {
    let (tree, mut tells) = share(NtStatus::CRC_ERROR).await;
    let mut stream = StreamWriter::create(&tree, "disk0").await.unwrap();
    stream.write_all(b"image").await.unwrap();
    assert_eq!(stream.commit().await.unwrap_err().status(), Some(NtStatus::CRC_ERROR));
    assert_eq!(tells.recv().await.unwrap().order, [Command::IOCTL, Command::CLOSE]);
}

#[tokio::test]
async fn a_dropped_stream_is_never_flushed() {
    let (tree, mut tells) = share(NtStatus::SUCCESS).await;
    let mut stream = StreamWriter::create(&tree, "disk0").await.unwrap();
    stream.write_all(&vec![1; 5 << 20]).await.unwrap();
    drop(stream);
    assert_eq!(tells.recv().await.unwrap().order, [Command::CLOSE]);
}
