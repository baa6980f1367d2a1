#[cfg(unix)]
mod command;
mod consumer;

use super::*;
use crate::backend::{
    Handle,
    testing::{Share as Client, buf},
};
use smb_proto::msg::fsctl::stream_commit::{DigestAlgorithm, StreamCommit};
use tokio::{io::AsyncReadExt as _, time::timeout};

const SMALL: StreamOptions =
    StreamOptions { window: 100, commit_on_close: false, idle: Duration::from_secs(300), streams: 4 };
const ON_CLOSE: StreamOptions = StreamOptions { commit_on_close: true, ..SMALL };

fn client(consumer: impl StreamConsumer, options: StreamOptions) -> Client {
    Client::new(Arc::new(StreamShare::new(consumer, options)))
}

/// A share, a sender and its reader.
async fn pair(options: StreamOptions) -> (Client, Arc<dyn Handle>, Incoming) {
    let (consumer, mut streams) = ReaderConsumer::new();
    let client = client(consumer, options);
    let sender = begin(&client, "vm").await.unwrap();
    let reader = streams.next().await.unwrap();
    // Further streams are left in the backlog.
    std::mem::forget(streams);
    (client, sender, reader)
}

/// Creates a stream as a copying client does.
async fn begin(client: &Client, name: &str) -> Result<Arc<dyn Handle>> {
    Ok(client.open_as(name, Type::File, Existing::Welcome, false, true).await?.handle)
}

async fn put(sender: &dyn Handle, offset: u64, bytes: &[u8]) -> Result<()> {
    sender.write(offset, buf(bytes), false).await
}

fn announced(bytes: &[u8]) -> StreamCommit {
    let length = u64::try_from(bytes.len()).unwrap();
    let digest = *blake3::hash(bytes).as_bytes();
    StreamCommit { algorithm: DigestAlgorithm::BLAKE3, length, digest }
}

/// Whether it is still waiting when nothing moves any more. Time is paused, so that this takes none.
async fn stalls<T>(future: impl Future<Output = T>) -> bool {
    timeout(Duration::from_secs(1), future).await.is_err()
}

/// Reads to the end and confirms.
async fn take(mut reader: Incoming) -> Vec<u8> {
    let mut all = Vec::new();
    reader.read_to_end(&mut all).await.unwrap();
    reader.confirm().unwrap();
    all
}

async fn reason(mut reader: Incoming) -> AbortReason {
    loop {
        match reader.chunk().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the reader saw an end"),
            Err(StreamError::Aborted(reason)) => return reason,
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn bytes_arrive_in_order_and_the_flush_waits_for_the_confirmation() {
    let (_, sender, mut reader) = pair(SMALL).await;
    assert_eq!((reader.name(), &*reader.caller().user), ("vm", "tester"));
    sender.set_len(11).await.unwrap();
    for (offset, bytes) in [(6, "wor"), (9, "ld"), (0, "hello ")] {
        put(sender.as_ref(), offset, bytes.as_bytes()).await.unwrap();
    }
    assert_eq!(sender.metadata().await.unwrap().end_of_file, 11);
    sender.expect(announced(b"hello world")).await.unwrap();
    let flush = tokio::spawn({
        let sender = sender.clone();
        async move { sender.flush().await }
    });
    let mut all = String::new();
    reader.read_to_string(&mut all).await.unwrap();
    assert_eq!(all, "hello world");
    assert!(stalls(sender.flush()).await, "nobody confirmed yet");
    assert!(!flush.is_finished());
    reader.confirm().unwrap();
    flush.await.unwrap().unwrap();
    sender.flush().await.unwrap();
    assert_eq!(put(sender.as_ref(), 11, b"!").await, Err(NtStatus::INVALID_DEVICE_STATE));
    sender.write(0, buf(b"hello"), true).await.unwrap();
    sender.close(true).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_not_as_announced_has_no_end() {
    for (wrong, status) in [
        (announced(b"hello"), NtStatus::DATA_ERROR),
        (announced(b"hello world!"), NtStatus::DATA_ERROR),
        (announced(b"hello w0rld"), NtStatus::CRC_ERROR),
    ] {
        let (_, sender, reader) = pair(SMALL).await;
        let reader = tokio::spawn(reason(reader));
        put(sender.as_ref(), 0, b"hello world").await.unwrap();
        sender.expect(wrong).await.unwrap();
        assert_eq!(sender.flush().await, Err(status));
        assert_eq!(reader.await.unwrap().status(), status);
        assert_eq!(put(sender.as_ref(), 11, b"!").await, Err(status));
        assert_eq!(sender.close(true).await, Err(status));
    }
}

#[tokio::test(start_paused = true)]
async fn the_reader_refuses_or_goes_away() {
    let (_, sender, mut reader) = pair(SMALL).await;
    put(sender.as_ref(), 0, b"hello").await.unwrap();
    let flush = tokio::spawn(async move { sender.flush().await });
    while reader.chunk().await.unwrap().is_some() {}
    reader.refuse(NtStatus::DISK_FULL).unwrap();
    assert_eq!(flush.await.unwrap(), Err(NtStatus::DISK_FULL));

    let (_, sender, reader) = pair(SMALL).await;
    put(sender.as_ref(), 0, b"hello").await.unwrap();
    drop(reader);
    assert_eq!(sender.flush().await, Err(NtStatus::PIPE_BROKEN));
    assert_eq!(put(sender.as_ref(), 5, b"!").await, Err(NtStatus::PIPE_BROKEN));

    let (_, sender, mut reader) = pair(SMALL).await;
    put(sender.as_ref(), 0, b"hello").await.unwrap();
    let flush = tokio::spawn(async move { sender.flush().await });
    while reader.chunk().await.unwrap().is_some() {}
    drop(reader);
    assert_eq!(flush.await.unwrap(), Err(NtStatus::PIPE_BROKEN), "dropped at the end is not confirmed");
}

#[tokio::test(start_paused = true)]
async fn confirmation_needs_the_end() {
    let (_, sender, mut reader) = pair(SMALL).await;
    put(sender.as_ref(), 0, b"hello").await.unwrap();
    reader.chunk().await.unwrap().unwrap();
    assert_eq!(reader.confirm(), Err(StreamError::NotAtEnd));
    let (_, sender, reader) = pair(SMALL).await;
    sender.close(false).await.unwrap();
    assert!(stalls(std::future::pending::<()>()).await);
    assert_eq!(reader.confirm(), Err(StreamError::Aborted(AbortReason::Lost)));
}

#[tokio::test(start_paused = true)]
async fn the_sender_dies_in_every_phase() {
    for phase in 0..6 {
        for dropped in [true, false] {
            let (client, sender, reader) = pair(SMALL).await;
            let reader = tokio::spawn(reason(reader));
            if phase >= 1 {
                put(sender.as_ref(), 0, b"hello").await.unwrap();
            }
            if phase == 2 {
                put(sender.as_ref(), 7, b"gap").await.unwrap();
            }
            if phase == 3 {
                assert!(stalls(put(sender.as_ref(), 200, b"beyond the window")).await);
            }
            if phase >= 4 {
                sender.expect(announced(b"hello")).await.unwrap();
            }
            if phase == 5 {
                // The end is held back: `reason` would see it.
                assert_eq!(put(sender.as_ref(), 6, b"gap").await, Ok(()));
                assert_eq!(sender.flush().await, Err(NtStatus::INVALID_DEVICE_STATE));
            }
            match dropped {
                true => drop(sender),
                false => sender.close(false).await.unwrap(),
            }
            assert_eq!(reader.await.unwrap(), AbortReason::Lost, "phase {phase}");
            if dropped {
                while !client.names("").await.is_empty() {
                    tokio::task::yield_now().await;
                }
                begin(&client, "vm").await.unwrap();
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_sender_dies_while_the_reader_makes_up_its_mind() {
    let (_, sender, mut reader) = pair(SMALL).await;
    put(sender.as_ref(), 0, b"hello").await.unwrap();
    assert!(stalls(sender.flush()).await);
    while reader.chunk().await.unwrap().is_some() {}
    sender.close(false).await.unwrap();
    assert_eq!(sender.flush().await, Err(NtStatus::REQUEST_ABORTED));
    assert_eq!(reader.confirm(), Err(StreamError::Aborted(AbortReason::Lost)));
}

#[tokio::test(start_paused = true)]
async fn close_commits_only_where_the_share_says_so() {
    let (_, sender, reader) = pair(SMALL).await;
    put(sender.as_ref(), 0, b"hello").await.unwrap();
    assert_eq!(sender.close(true).await, Err(NtStatus::REQUEST_ABORTED));
    assert_eq!(reason(reader).await, AbortReason::Closed);

    let (_, sender, reader) = pair(ON_CLOSE).await;
    let reader = tokio::spawn(take(reader));
    put(sender.as_ref(), 0, b"hello").await.unwrap();
    sender.set_len(5).await.unwrap();
    sender.set_metadata(Default::default()).await.unwrap();
    sender.close(true).await.unwrap();
    assert_eq!(reader.await.unwrap(), b"hello");

    let (_, sender, reader) = pair(ON_CLOSE).await;
    let reader = tokio::spawn(take(reader));
    sender.close(true).await.unwrap();
    assert_eq!(reader.await.unwrap(), b"", "an empty file is a stream, too");

    let (_, sender, reader) = pair(ON_CLOSE).await;
    put(sender.as_ref(), 1, b"gap").await.unwrap();
    assert_eq!(sender.close(true).await, Err(NtStatus::REQUEST_ABORTED));
    assert_eq!(reason(reader).await, AbortReason::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_holds_the_sender_back() {
    let (_, sender, reader) = pair(SMALL).await;
    let writes: Vec<_> = (0..100)
        .map(|number| {
            let sender = sender.clone();
            tokio::spawn(async move { put(sender.as_ref(), number * 10, &[7; 10]).await })
        })
        .collect();
    assert!(stalls(std::future::pending::<()>()).await);
    // The window, what the pump has in hand, and the reader's queue.
    let answered = writes.iter().filter(|write| write.is_finished()).count();
    assert_eq!(answered, 10 + 2, "no more than the window and the queue hold");
    assert_eq!(sender.flush().await, Err(NtStatus::INVALID_DEVICE_STATE), "writes are waiting");
    let reader = tokio::spawn(take(reader));
    for write in writes {
        write.await.unwrap().unwrap();
    }
    sender.flush().await.unwrap();
    assert_eq!(reader.await.unwrap(), [7; 1000]);
}

#[tokio::test(start_paused = true)]
async fn a_waiting_write_that_is_cancelled_leaves_nothing() {
    let (_, sender, reader) = pair(SMALL).await;
    assert!(stalls(put(sender.as_ref(), 150, b"beyond")).await);
    let reader = tokio::spawn(take(reader));
    put(sender.as_ref(), 0, b"hello").await.unwrap();
    sender.flush().await.unwrap();
    assert_eq!(reader.await.unwrap(), b"hello");
}

#[tokio::test(start_paused = true)]
async fn a_flush_that_is_cancelled_goes_on() {
    let (_, sender, reader) = pair(SMALL).await;
    put(sender.as_ref(), 0, b"hello").await.unwrap();
    assert!(stalls(sender.flush()).await);
    let reader = tokio::spawn(take(reader));
    sender.flush().await.unwrap();
    assert_eq!(reader.await.unwrap(), b"hello");
}

#[tokio::test(start_paused = true)]
async fn silence_ends_a_stream() {
    let (_, sender, reader) = pair(SMALL).await;
    put(sender.as_ref(), 0, b"hello").await.unwrap();
    let reader = tokio::spawn(reason(reader));
    assert_eq!(reader.await.unwrap(), AbortReason::Idle);
    assert_eq!(sender.flush().await, Err(NtStatus::IO_TIMEOUT));
    assert_eq!(sender.close(true).await, Err(NtStatus::IO_TIMEOUT));
}

#[tokio::test(start_paused = true)]
async fn a_stream_has_one_sender() {
    let (client, sender, reader) = pair(SMALL).await;
    assert_eq!(begin(&client, "VM").await.map(|_| ()), Err(NtStatus::SHARING_VIOLATION));
    put(sender.as_ref(), 0, b"hello").await.unwrap();
    assert_eq!(client.names("").await, ["vm"]);
    let watcher = client.touch("vm").await.unwrap();
    assert_eq!(watcher.metadata().await.unwrap().end_of_file, 5);
    for refused in [put(watcher.as_ref(), 5, b"!").await, watcher.flush().await, watcher.remove().await] {
        assert_eq!(refused, Err(NtStatus::ACCESS_DENIED));
    }
    watcher.close(false).await.unwrap();
    let reader = tokio::spawn(take(reader));
    sender.flush().await.unwrap();
    assert_eq!(reader.await.unwrap(), b"hello");
    sender.close(true).await.unwrap();
    assert_eq!(client.names("").await, [""; 0], "the name is free although handles linger");
    let _again = begin(&client, "vm").await.unwrap();
    drop((sender, watcher));
    assert_eq!(client.names("").await, ["vm"], "and stays its next owner's");
}

#[tokio::test]
async fn what_a_stream_share_does_not_do() {
    let (client, sender, _reader) = pair(SMALL).await;
    for (at, wanted, existing, status) in [
        ("other", Type::File, Existing::Required, NtStatus::OBJECT_NAME_NOT_FOUND),
        ("other", Type::Directory, Existing::Welcome, NtStatus::ACCESS_DENIED),
        ("vm", Type::File, Existing::Forbidden, NtStatus::OBJECT_NAME_COLLISION),
        ("vm", Type::Directory, Existing::Required, NtStatus::NOT_A_DIRECTORY),
        ("no/where", Type::File, Existing::Welcome, NtStatus::OBJECT_PATH_NOT_FOUND),
        ("", Type::File, Existing::Required, NtStatus::FILE_IS_A_DIRECTORY),
    ] {
        assert_eq!(client.refusal(at, wanted, existing).await, status, "{at}");
    }
    assert_eq!(sender.read(0, buf(b"x")).await.map(|_| ()), Err(NtStatus::ACCESS_DENIED));
    assert_eq!(sender.rename(&["x".into()], false).await, Err(NtStatus::NOT_SUPPORTED));
    let mut more = Vec::new();
    for name in ["a", "b", "c"] {
        more.push(begin(&client, name).await.unwrap());
    }
    assert_eq!(begin(&client, "d").await.map(|_| ()), Err(NtStatus::INSUFFICIENT_RESOURCES));
}

#[tokio::test]
async fn a_removed_stream_is_given_up() {
    let (_, sender, reader) = pair(ON_CLOSE).await;
    put(sender.as_ref(), 0, b"hello").await.unwrap();
    sender.remove().await.unwrap();
    sender.close(true).await.unwrap();
    assert_eq!(reason(reader).await, AbortReason::Removed);
}

#[tokio::test]
async fn discarded_streams_are_still_verified() {
    let client = client(Discard, SMALL);
    let sender = begin(&client, "right").await.unwrap();
    put(sender.as_ref(), 0, b"hello").await.unwrap();
    sender.expect(announced(b"hello")).await.unwrap();
    sender.flush().await.unwrap();
    let sender = begin(&client, "wrong").await.unwrap();
    put(sender.as_ref(), 0, b"hello").await.unwrap();
    sender.expect(announced(b"jello")).await.unwrap();
    assert_eq!(sender.flush().await, Err(NtStatus::CRC_ERROR));
}
