//! READ and WRITE with direct placement, through the real client and the real server: all bytes arrive, and no memory
//! is used again while the peer may still reach it.

use smb_client::{ClientBuilder, Encryption, Error, File, Inline, Session, Signing, transfer};
use smb_proto::{
    dialect::Dialect,
    msg::{Channel, EchoRequest, FileId, ReadRequest, WriteRequest},
    status::NtStatus,
};
use smb_tests::{House, Meter, Metered, Raw, bounded, client, pattern, read, until, write};
use smb_transport::{
    BufferDescriptor, Fault, Faults, Gate, IoBuf, MemoryOptions, Pool, Transport, memory::PlacementOptions,
};

const LEN: usize = 700_000;
const CANARY: u8 = 0xC5;

/// Small descriptors, so that each transfer takes several.
fn options(gates: impl FnOnce(&mut PlacementOptions)) -> MemoryOptions {
    let mut placement = PlacementOptions::default();
    placement.max_descriptor_len = 100_000;
    gates(&mut placement);
    let mut options = MemoryOptions::plain();
    options.placement = Some(placement);
    // What is freed is used again at once: a buffer freed too early would show.
    options.pool = Pool::new(64 << 20);
    options
}

/// A client whose buffers are counted, over a connection with placement.
struct Placed {
    house: House,
    session: Session,
    meter: Meter,
    faults: Faults,
}

impl Placed {
    async fn with(options: MemoryOptions, builder: ClientBuilder) -> Self {
        let house = House::new();
        let (meter, faults) = (Meter::default(), Faults::default());
        let inner = house.dial_served(options).0;
        let metered = Metered { inner, meter: meter.clone() };
        let transport: Box<dyn Transport> = Box::new(Fault::new(metered, faults.clone()));
        let session = builder.connect_over(transport, "server").await.expect("a session");
        Self { house, session, meter, faults }
    }

    async fn new(options: MemoryOptions) -> Self {
        Self::with(options, client()).await
    }

    /// A file with `LEN` bytes that came another way.
    async fn file(&self) -> File {
        let tree = self.house.tree().await;
        let file = tree.create("file").await.unwrap();
        file.write_at(0, pattern(LEN, 5)).await.unwrap();
        file.close().await.unwrap();
        let tree = self.session.tree("data").await.unwrap();
        smb_client::OpenOptions::read_write().open(&tree, "file").await.unwrap()
    }

    /// What another client finds in the file.
    async fn stored(&self) -> bytes::Bytes {
        let file = self.house.tree().await.open("file").await.unwrap();
        file.read_at(0, 2 * LEN).await.unwrap()
    }

    fn filled(&self, len: usize, seed: usize) -> IoBuf {
        let mut buf = self.session.buffer(len);
        buf.copy_from_slice(&pattern(len, seed));
        buf
    }

    /// Buffers such as a transfer uses, all of them marked: whoever writes to memory that is not his any more hits them.
    fn canaries(&self) -> Vec<IoBuf> {
        let mark = |_| {
            let mut buf = self.session.buffer(LEN);
            buf.fill(CANARY);
            buf
        };
        (0..8).map(mark).collect()
    }

    /// The bytes in the client's hands, with none of them in small messages.
    fn in_use(&self) -> usize {
        self.meter.now()
    }
}

fn assert_untouched(canaries: &[IoBuf]) {
    for canary in canaries {
        assert!(canary.iter().all(|byte| *byte == CANARY), "memory was written that was given back");
    }
}

/// Resolves as soon as what it started is under way, then gives it up.
async fn abandoned<T>(task: impl Future<Output = T> + Send + 'static, gate: &Gate)
where
    T: Send + 'static,
{
    let task = tokio::spawn(task);
    bounded("the transfer begins", gate.waiting(1)).await;
    task.abort();
    let _ = task.await;
}

#[tokio::test(start_paused = true)]
async fn placed_both_ways_in_every_dialect_that_can() {
    for dialect in [Dialect::SMB_3_0, Dialect::SMB_3_0_2, Dialect::SMB_3_1_1] {
        let placed = Placed::with(options(|_| ()), client().dialects(dialect..=dialect)).await;
        let file = placed.file().await;
        assert!(file.read_at(0, LEN).await.unwrap() == pattern(LEN, 5));
        assert!(file.read_at(LEN as u64 - 10_000, LEN).await.unwrap() == pattern(LEN, 5)[LEN - 10_000..]);
        file.write_buf_at(0, placed.filled(LEN, 6)).await.unwrap();
        file.write_at(LEN as u64, pattern(LEN, 7)).await.unwrap();
        let channel = &placed.session.channels()[0];
        assert_eq!(channel.inline_because, None, "{dialect}");
        assert_eq!(channel.traffic.placed(), 3 * LEN as u64 + 10_000, "{dialect}");
        assert_eq!(channel.traffic.inline, 0);
        let theirs = placed.house.handle.traffic();
        assert_eq!(
            (theirs.pushed, theirs.pulled),
            (channel.traffic.pushed, channel.traffic.pulled),
            "{dialect}"
        );
        assert_eq!((theirs.pushed, theirs.pulled), (LEN as u64 + 10_000, 2 * LEN as u64), "{dialect}");
        assert!(placed.stored().await == [pattern(LEN, 6), pattern(LEN, 7)].concat());
        assert!(file.read_at(LEN as u64 * 5, 100_000).await.unwrap().is_empty(), "behind the end");
        file.close().await.unwrap();
        until("all memory comes back", || placed.in_use() == 0).await;
    }
}

#[tokio::test]
async fn whole_files_are_placed() {
    const SIZE: u64 = 20 << 20;
    let placed = Placed::new(options(|_| ())).await;
    let tree = placed.session.tree("data").await.unwrap();
    let file = smb_client::OpenOptions::read_write().open(&tree, "file").await.unwrap();
    let mut source = transfer::MemorySource::new(pattern(1_000_003, 2).into(), SIZE);
    let verify = transfer::TransferOptions::new().verify(transfer::Verify::Readback);
    let summary = bounded("upload", transfer::upload(&file, &mut source, &verify)).await.unwrap();
    assert_eq!((summary.bytes, summary.level), (SIZE, transfer::Level::Readback));
    let traffic = placed.session.channels()[0].traffic;
    assert!(traffic.placed() >= 2 * SIZE - (1 << 20) && traffic.copied == 0, "{traffic:?}");
    file.close().await.unwrap();
    until("all memory comes back", || placed.in_use() == 0).await;
}

#[tokio::test(start_paused = true)]
async fn protected_sessions_go_inline_and_say_why() {
    let signed = client().signing(Signing::Required);
    let sealed = client().encryption(Encryption::Required);
    for builder in [signed, sealed] {
        let placed = Placed::with(options(|_| ()), builder).await;
        let file = placed.file().await;
        assert!(file.read_at(0, LEN).await.unwrap() == pattern(LEN, 5));
        file.write_at(0, pattern(LEN, 6)).await.unwrap();
        let channel = &placed.session.channels()[0];
        assert_eq!(channel.inline_because, Some(Inline::Protected));
        assert_eq!((channel.traffic.placed(), channel.traffic.inline), (0, 2 * LEN as u64));
        assert!(placed.stored().await == pattern(LEN, 6));
    }
    let house = House::new();
    let session = house.session().await;
    assert_eq!(session.channels()[0].inline_because, Some(Inline::NoPlacement));
}

/// The server pushes to the memory of a READ that nobody waits for any more.
#[tokio::test(start_paused = true)]
async fn a_read_given_up_while_the_server_pushes() {
    for through in [0, 1, 5, 10] {
        let gate = Gate::closed();
        let placed = Placed::new(options(|placement| placement.push_gate = Some(gate.clone()))).await;
        let file = placed.file().await;
        let reading = file.clone();
        gate.let_through(through);
        abandoned(async move { reading.read_at(0, LEN).await }, &gate).await;
        assert!(placed.in_use() >= LEN, "the server may still write there");
        let canaries = placed.canaries();
        gate.let_through(2);
        tokio::task::yield_now().await;
        gate.open();
        placed.session.echo().await.expect("it comes behind what was pushed");
        assert_untouched(&canaries);
        drop(canaries);
        assert!(bounded("a read", file.read_at(0, LEN)).await.unwrap() == pattern(LEN, 5));
        file.close().await.unwrap();
        until("all memory comes back", || placed.in_use() == 0).await;
        placed.house.still_serves().await;
    }
}

/// The server pulls from the memory of a WRITE that nobody waits for any more.
#[tokio::test(start_paused = true)]
async fn a_write_given_up_while_the_server_pulls() {
    for through in [0, 1, 5, 10] {
        let gate = Gate::closed();
        let placed = Placed::new(options(|placement| placement.pull_gate = Some(gate.clone()))).await;
        let file = placed.file().await;
        let (writing, buf) = (file.clone(), placed.filled(LEN, 6));
        gate.let_through(through);
        abandoned(async move { writing.write_buf_at(0, buf).await }, &gate).await;
        assert!(placed.in_use() >= LEN, "the server may still read there");
        let canaries = placed.canaries();
        gate.open();
        file.flush().await.unwrap();
        drop(canaries);
        file.close().await.unwrap();
        until("all memory comes back", || placed.in_use() == 0).await;
        let stored = placed.stored().await;
        assert!(stored == pattern(LEN, 6) || stored == pattern(LEN, 5), "somebody else's bytes were written");
        placed.house.still_serves().await;
    }
}

/// The connection dies while the server pushes: the client has its memory back, and nothing lands there any more.
#[tokio::test(start_paused = true)]
async fn a_connection_that_dies_while_the_server_pushes() {
    for through in [0, 1, 5, 10] {
        let gate = Gate::closed();
        let placed = Placed::new(options(|placement| placement.push_gate = Some(gate.clone()))).await;
        let file = placed.file().await;
        gate.let_through(through);
        let reading = tokio::spawn(async move { file.read_at(0, LEN).await });
        bounded("the transfer begins", gate.waiting(1)).await;
        placed.faults.cut();
        let error = bounded("the read", reading).await.unwrap().unwrap_err();
        assert!(matches!(error, Error::Transport(_)), "{error}");
        let canaries = placed.canaries();
        gate.open();
        placed.house.still_serves().await;
        assert_untouched(&canaries);
        placed.house.is_left_clean().await;
        assert_untouched(&canaries);
    }
}

/// The connection dies while the server pulls: nothing is written, neither the old memory's bytes nor any others.
#[tokio::test(start_paused = true)]
async fn a_connection_that_dies_while_the_server_pulls() {
    for through in [0, 1, 5, 10] {
        let gate = Gate::closed();
        let placed = Placed::new(options(|placement| placement.pull_gate = Some(gate.clone()))).await;
        let file = placed.file().await;
        let buf = placed.filled(LEN, 6);
        gate.let_through(through);
        let writing = tokio::spawn(async move { file.write_buf_at(0, buf).await });
        bounded("the transfer begins", gate.waiting(1)).await;
        placed.faults.cut();
        let error = bounded("the write", writing).await.unwrap().unwrap_err();
        assert!(matches!(error, Error::Transport(_)), "{error}");
        let canaries = placed.canaries();
        gate.open();
        placed.house.is_left_clean().await;
        assert_untouched(&canaries);
        assert!(placed.stored().await == pattern(LEN, 5), "half a WRITE was written");
        placed.house.still_serves().await;
    }
}

fn placed_read(file_id: FileId, length: u32, channel: Channel) -> ReadRequest {
    ReadRequest { channel, ..read(file_id, 0, length) }
}

fn placed_write(file_id: FileId, length: u32, channel: Channel) -> WriteRequest<'static> {
    WriteRequest { channel, remaining_bytes: length, ..write(file_id, 0, &[]) }
}

fn rdma(pieces: &[(u64, u32, u32)]) -> Channel {
    let piece = |(offset, token, length): &(u64, u32, u32)| BufferDescriptor {
        offset: *offset,
        token: *token,
        length: *length,
    };
    Channel::Rdma { descriptors: pieces.iter().map(piece).collect(), invalidate: true }
}

/// Descriptors where there is no placement, and such as cannot be: refused, and the connection goes on.
#[tokio::test(start_paused = true)]
async fn descriptors_that_cannot_be() {
    let house = House::new();
    let tree = house.tree().await;
    tree.create("file").await.unwrap().write_at(0, pattern(LEN, 5)).await.unwrap();
    for options in [MemoryOptions::plain(), options(|_| ())] {
        let none = options.placement.is_none();
        let mut raw = Raw::on_share(house.dial_served(options).0, "data").await;
        let id = raw.create("file").await;
        let mut lies = vec![
            rdma(&[]),
            rdma(&[(0, 1, 10)]),
            rdma(&[(0, 1, 0), (0, 2, 60_000)]),
            rdma(&[(u64::MAX - 5, 1, 60_000)]),
            rdma(&[(0, 1, 60_000), (100, 1, 60_000)]),
            rdma(&[(0, 1, u32::MAX); 100]),
            Channel::Other { kind: 3, info: vec![0; 32] },
            Channel::Other { kind: 77, info: vec![] },
        ];
        if none {
            lies.push(rdma(&[(0, 1, 60_000)]));
        }
        for lie in lies {
            let (header, _) = raw.ask(&placed_read(id, 50_000, lie.clone()), 1).await;
            assert_eq!(header.status(), Some(NtStatus::INVALID_PARAMETER), "READ {lie:?}");
            let (header, _) = raw.ask(&placed_write(id, 50_000, lie.clone()), 1).await;
            assert_eq!(header.status(), Some(NtStatus::INVALID_PARAMETER), "WRITE {lie:?}");
        }
        let (header, _) = raw.ask(&EchoRequest, 1).await;
        assert_eq!(header.status(), Some(NtStatus::SUCCESS));
    }
    house.still_serves().await;
}

/// Tokens nobody gave out end the connection, as RDMA does; the server lives.
#[tokio::test(start_paused = true)]
async fn tokens_that_nobody_gave_out() {
    let house = House::new();
    let tree = house.tree().await;
    tree.create("file").await.unwrap().write_at(0, pattern(LEN, 5)).await.unwrap();
    for reading in [true, false] {
        let mut raw = Raw::on_share(house.dial_served(options(|_| ())).0, "data").await;
        let id = raw.create("file").await;
        let channel = rdma(&[(0, 0xDEAD_BEEF, 60_000)]);
        let frame = match reading {
            true => raw.frame(&placed_read(id, 50_000, channel), 1),
            false => raw.frame(&placed_write(id, 50_000, channel), 1),
        };
        raw.send(&frame).await.unwrap();
        raw.ends().await;
    }
    drop(tree);
    house.still_serves().await;
    house.is_left_clean().await;
}

/// Transfers given up at any moment, beside others that go on.
#[tokio::test]
async fn a_storm_of_cancelled_transfers() {
    let placed = Placed::new(options(|_| ())).await;
    let file = placed.file().await;
    let mut going = Vec::new();
    for task in 0..4usize {
        let (file, session) = (file.clone(), placed.session.clone());
        going.push(tokio::spawn(async move {
            for round in 0..12 {
                let mut buf = session.buffer(LEN);
                buf.copy_from_slice(&pattern(LEN, 5));
                smb_tests::polled(round, file.write_buf_at(0, buf)).await;
                smb_tests::polled(round + task, file.read_at(0, LEN)).await;
                let data = file.read_at(0, LEN).await.unwrap();
                assert!(data == pattern(LEN, 5), "task {task}, round {round}");
            }
        }));
    }
    for task in going {
        bounded("a task", task).await.unwrap();
    }
    file.close().await.unwrap();
    until("all memory comes back", || placed.in_use() == 0).await;
}
