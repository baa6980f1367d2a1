//! READ and WRITE whose data is placed directly, over the in-memory transport.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod fake;

use fake::{Fake, plain, with};
use smb_client::{Client, Error, File, Inline};
use smb_proto::{
    command::Command, error::PeerViolation, msg::*, status::NtStatus, transform::rdma::BufferDescriptor,
};
use smb_transport::{
    Buffers, Gate, IoBuf, Msg, Pool, Push, Token,
    memory::{MemoryOptions, PlacementOptions},
};

const LEN: usize = 256 * 1024;

/// A connection that describes 64 KiB at a time.
fn memory(pool: &Pool, push_gate: Option<Gate>) -> MemoryOptions {
    let mut placement = PlacementOptions::default();
    placement.max_descriptor_len = 64 * 1024;
    placement.gated_piece = 16 * 1024;
    placement.push_gate = push_gate;
    let mut options = MemoryOptions::default();
    options.placement = Some(placement);
    options.pool = pool.clone();
    options
}

async fn file_on<F, S>(client: smb_client::ClientBuilder, options: MemoryOptions, script: S) -> File
where
    F: Future<Output = ()> + Send + 'static,
    S: FnOnce(Fake) -> F + Send + 'static,
{
    let session = with(client, options, |mut fake| async move {
        fake.up_to_file(u64::try_from(LEN).unwrap()).await;
        script(fake).await;
    });
    session.await.unwrap().tree("share").await.unwrap().open("file").await.unwrap()
}

fn descriptors(channel: &Channel) -> Vec<BufferDescriptor> {
    let Channel::Rdma { descriptors, invalidate } = channel else { panic!("inline") };
    assert!(invalidate, "3.1.1 lets the server invalidate");
    descriptors.clone()
}

fn pattern() -> Vec<u8> {
    (0..LEN).map(|i| u8::try_from(i % 251).unwrap()).collect()
}

impl Fake {
    /// Answers a READ by pushing `data`.
    async fn push(&mut self, read: &fake::Request, data: &[u8], remaining: u32) {
        let to = descriptors(&read.parse::<ReadRequest>().channel);
        let body = ReadResponse { data: &[], remaining, flags: 0 };
        let header = self.header(&read.header, NtStatus::SUCCESS);
        let mut message = Msg::inline(IoBuf::copied(&smb_proto::compound::single(&header, &body)));
        message.invalidate = Some(Token(to[0].token));
        message.pushes = vec![Push { to, data: IoBuf::copied(data) }];
        let _ = self.sender.send(message).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_is_placed_by_several_descriptors() {
    let file = file_on(plain(), memory(&Pool::default(), None), |mut fake| async move {
        let read = fake.expect(Command::READ).await;
        assert_eq!(read.header.credit_charge, 4, "charged as if it were in the message");
        assert_eq!(descriptors(&read.parse::<ReadRequest>().channel).len(), 4);
        fake.push(&read, &pattern(), u32::try_from(LEN).unwrap()).await;
        fake.be_silent().await;
    })
    .await;
    assert!(file.read_at(0, LEN).await.unwrap() == pattern());
    let traffic = file.session().channels()[0].traffic;
    assert_eq!((traffic.pushed, traffic.inline), (u64::try_from(LEN).unwrap(), 0));
}

#[tokio::test(start_paused = true)]
async fn a_write_is_pulled() {
    let file = file_on(plain(), memory(&Pool::default(), None), |mut fake| async move {
        let request = fake.expect(Command::WRITE).await;
        let write: WriteRequest<'_> = request.parse();
        let from = descriptors(&write.channel);
        assert_eq!(
            (write.data.len(), write.remaining_bytes, from.len()),
            (0, u32::try_from(LEN).unwrap(), 4)
        );
        let pulled = fake.placement.as_ref().unwrap().pull(from.clone(), IoBuf::alloc(LEN)).await.unwrap();
        assert!(*pulled == pattern());
        let count = write.remaining_bytes;
        fake.answer_invalidating(&request.header, &WriteResponse { count }, from[0].token).await;
        fake.be_silent().await;
    })
    .await;
    let mut buf = file.session().buffer(LEN);
    buf.copy_from_slice(&pattern());
    file.write_buf_at(0, buf).await.unwrap();
    let traffic = file.session().channels()[0].traffic;
    assert_eq!((traffic.pulled, traffic.copied), (u64::try_from(LEN).unwrap(), 0));
}

#[tokio::test(start_paused = true)]
async fn what_is_signed_or_small_travels_in_the_message() {
    let client = Client::builder().user("alice", "secret");
    let script = |mut fake: Fake| async move {
        let request = fake.expect(Command::WRITE).await;
        let write: WriteRequest<'_> = request.parse();
        assert_eq!(write.channel, Channel::Inline);
        let count = u32::try_from(write.data.len()).unwrap();
        fake.answer(&request.header, &WriteResponse { count }).await;
        fake.be_silent().await;
    };
    let file = file_on(client, memory(&Pool::default(), None), script).await;
    assert_eq!(file.session().channels()[0].inline_because, Some(Inline::Protected));
    file.write_at(0, vec![1; LEN]).await.unwrap();
    assert_eq!(file.session().channels()[0].traffic.placed(), 0);
    let file = file_on(plain().placement_threshold(LEN + 1), memory(&Pool::default(), None), script).await;
    assert_eq!(file.session().channels()[0].inline_because, None);
    file.write_at(0, vec![1; LEN]).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_refused_read_gives_its_memory_back() {
    let pool = Pool::default();
    let file = file_on(plain(), memory(&pool, None), |mut fake| async move {
        let read = fake.expect(Command::READ).await;
        fake.refuse(&read.header, NtStatus::ACCESS_DENIED).await;
        fake.be_silent().await;
    })
    .await;
    let kept = pool.kept();
    assert_eq!(file.read_at(0, LEN).await.unwrap_err().status(), Some(NtStatus::ACCESS_DENIED));
    assert!(pool.kept() >= kept + LEN, "{} after {kept}", pool.kept());
}

#[tokio::test(start_paused = true)]
async fn more_placed_than_asked_for_is_a_lie() {
    let file = file_on(plain(), memory(&Pool::default(), None), |mut fake| async move {
        let read = fake.expect(Command::READ).await;
        fake.push(&read, &pattern(), u32::MAX).await;
        fake.be_silent().await;
    })
    .await;
    let error = file.read_at(0, LEN).await.unwrap_err();
    assert!(matches!(error, Error::Violation(PeerViolation::Response { .. })), "{error:?}");
}

/// Takes all memory of the size of the read out of the pool, and marks it.
fn occupy(pool: &Pool) -> Vec<IoBuf> {
    (0..8)
        .map(|_| {
            let mut buf = pool.buffer(LEN);
            buf.fill(0xee);
            buf
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn memory_of_a_dropped_read_is_not_used_while_the_server_writes_it() {
    let (pool, gate) = (Pool::default(), Gate::closed());
    let held = gate.clone();
    let file = file_on(plain(), memory(&pool, Some(gate.clone())), |mut fake| async move {
        // The answers so far have passed the gate too.
        let read = fake.expect(Command::READ).await;
        fake.push(&read, &vec![0x55; LEN], u32::try_from(LEN).unwrap()).await;
        fake.be_silent().await;
    });
    gate.open();
    let file = file.await;
    gate.close();
    let kept = pool.kept();
    let reading = tokio::spawn({
        let file = file.clone();
        async move { file.read_at(0, LEN).await }
    });
    held.waiting(1).await;
    held.let_through(3);
    held.waiting(1).await;
    reading.abort();
    let _ = reading.await;
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    let others = occupy(&pool);
    gate.open();
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert!(
        others.iter().all(|buf| buf.iter().all(|byte| *byte == 0xee)),
        "written by a read that was dropped"
    );
    drop(others);
    assert!(pool.kept() > kept + 8 * LEN, "the memory came back once the answer was there");
}

#[tokio::test(start_paused = true)]
async fn memory_of_a_dead_connection_is_not_used_while_the_server_writes_it() {
    let (pool, gate) = (Pool::default(), Gate::closed());
    let held = gate.clone();
    let file = file_on(plain(), memory(&pool, Some(gate.clone())), |mut fake| async move {
        let read = fake.expect(Command::READ).await;
        fake.push(&read, &vec![0x55; LEN], u32::try_from(LEN).unwrap()).await;
        held.waiting(1).await;
        held.let_through(3);
        held.waiting(1).await;
        // Half of it has landed when the connection ends.
    });
    gate.open();
    let file = file.await;
    gate.close();
    let error = file.read_at(0, LEN).await.unwrap_err();
    assert!(matches!(error, Error::Transport(_)), "{error:?}");
    let others = occupy(&pool);
    gate.open();
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert!(
        others.iter().all(|buf| buf.iter().all(|byte| *byte == 0xee)),
        "written after the connection's end"
    );
}
