//! Descriptors that lie about memory: over every wire that places data, the connection ends as RDMA ends it, no byte is
//! touched but those that were opened for it, and the server goes on.

use smb_direct::{
    DirectListener, SmbDirect,
    rdma::mem::{MemNetwork, MemOptions},
    smbd::Config,
};
use smb_proto::{
    msg::{Channel, FileId, ReadFlags, ReadRequest, WriteFlags, WriteRequest},
    status::NtStatus,
};
use smb_tests::{House, Raw, bounded, pattern};
use smb_transport::{
    Access, Advertised, BufferDescriptor, IoBuf, MemoryOptions, Transport, memory::PlacementOptions,
};
use std::{net::SocketAddr, sync::Arc};

/// What one descriptor names at most, so that a buffer takes three.
const PIECE: usize = 100_000;
const ASKED: u32 = 60_000;
const CANARY: u8 = 0xC5;

#[derive(Debug, Clone, Copy)]
enum Wire {
    Memory,
    Direct,
}

async fn dial(house: &House, wire: Wire) -> Box<dyn Transport> {
    match wire {
        Wire::Memory => {
            let mut placement = PlacementOptions::default();
            placement.max_descriptor_len = PIECE;
            let mut options = MemoryOptions::plain();
            options.placement = Some(placement);
            Box::new(house.dial_served(options).0)
        }
        Wire::Direct => {
            let (mut options, at) = (MemOptions::default(), SocketAddr::from(([127, 0, 0, 1], 5445)));
            options.max_transfer = PIECE;
            let network = MemNetwork::new(options);
            let mut listener =
                DirectListener::bind(Arc::new(network.clone()), at, Config::default()).await.unwrap();
            let connecting = SmbDirect::connect(&network, at, Config::default());
            let (ours, theirs) = tokio::join!(connecting, listener.accept_direct());
            house.serve(theirs);
            Box::new(ours.unwrap())
        }
    }
}

/// A client with a file of its own, and three pieces of memory open to the server.
struct Liar {
    raw: Raw,
    file: FileId,
    opened: Box<dyn Advertised>,
}

impl Liar {
    async fn new(house: &House, wire: Wire, access: Access) -> Self {
        let mut raw = Raw::on_share(dial(house, wire).await, "data").await;
        let file = raw.create("file").await;
        let opened = open(&raw, access);
        assert_eq!(opened.descriptors().len(), 3);
        Self { raw, file, opened }
    }

    fn middle(&self) -> BufferDescriptor {
        self.opened.descriptors()[1]
    }

    /// Asks for a READ or a WRITE along `descriptors`, which ends the connection.
    async fn ask(&mut self, reading: bool, descriptors: Vec<BufferDescriptor>) {
        let channel = Channel::Rdma { descriptors, invalidate: true };
        let file_id = self.file;
        let frame = if reading {
            let (padding, flags) = (80, ReadFlags::NONE);
            let (length, offset, minimum_count, remaining_bytes) = (ASKED, 0, 0, 0);
            let read = ReadRequest {
                padding,
                flags,
                length,
                offset,
                file_id,
                minimum_count,
                channel,
                remaining_bytes,
            };
            self.raw.frame(&read, 1)
        } else {
            let (flags, data) = (WriteFlags::NONE, &[][..]);
            let write = WriteRequest { offset: 0, file_id, channel, remaining_bytes: ASKED, flags, data };
            self.raw.frame(&write, 1)
        };
        self.raw.send(&frame).await.unwrap();
        bounded("the connection ends", self.raw.ends()).await;
    }
}

fn open(raw: &Raw, access: Access) -> Box<dyn Advertised> {
    let mut buf = raw.halves.buffers.buffer(3 * PIECE);
    buf.fill(CANARY);
    let placement = raw.halves.placement.as_ref().unwrap();
    placement.advertise(buf, access).map_err(|(error, _)| error).unwrap()
}

/// Lies, by what they do to a descriptor that is good.
type Lie = (&'static str, fn(BufferDescriptor) -> BufferDescriptor);

/// Each names more than ASKED bytes, so that the server finds nothing wrong with it: only the memory's owner does.
const LIES: [Lie; 4] = [
    ("beyond the end", |good| BufferDescriptor { offset: good.offset + 50_000, ..good }),
    ("before the beginning", |good| BufferDescriptor { offset: good.offset - 1, ..good }),
    ("where the address space ends", |good| BufferDescriptor { offset: u64::MAX - 100_000, ..good }),
    ("a token next to a good one", |good| BufferDescriptor { token: good.token + 1, ..good }),
];

async fn stored(house: &House) -> bytes::Bytes {
    house.tree().await.open("file").await.unwrap().read_at(0, 1 << 20).await.unwrap()
}

async fn prepared() -> House {
    let house = House::new();
    house.tree().await.create("file").await.unwrap().write_at(0, pattern(90_000, 5)).await.unwrap();
    house
}

fn untouched(buf: &IoBuf) -> bool {
    buf.iter().all(|byte| *byte == CANARY)
}

#[tokio::test(start_paused = true)]
async fn of_where_memory_lies() {
    let house = prepared().await;
    for wire in [Wire::Memory, Wire::Direct] {
        for (lie, of) in LIES {
            for reading in [true, false] {
                let access = if reading { Access::RemoteWrite } else { Access::RemoteRead };
                let mut liar = Liar::new(&house, wire, access).await;
                let descriptor = of(liar.middle());
                liar.ask(reading, vec![descriptor]).await;
                let back = liar.opened.reclaim().await.unwrap();
                assert!(untouched(&back), "{wire:?}: {lie}, reading: {reading}");
                assert!(stored(&house).await == pattern(90_000, 5), "{wire:?}: {lie}, reading: {reading}");
            }
        }
    }
    house.still_serves().await;
    house.is_left_clean().await;
}

/// The first piece is good, and is all that is used before the lie is found out.
#[tokio::test(start_paused = true)]
async fn in_the_second_piece() {
    let house = prepared().await;
    for wire in [Wire::Memory, Wire::Direct] {
        let mut liar = Liar::new(&house, wire, Access::RemoteWrite).await;
        let good = BufferDescriptor { length: 10_000, ..liar.middle() };
        let bad = BufferDescriptor { offset: good.offset + 60_000, length: 60_000, ..good };
        liar.ask(true, vec![good, bad]).await;
        let back = liar.opened.reclaim().await.unwrap();
        let (before, rest) = back.split_at(PIECE);
        let (piece, after) = rest.split_at(10_000);
        let written = |bytes: &[u8]| bytes.iter().any(|byte| *byte != CANARY);
        assert!(!written(before) && !written(after), "{wire:?}: only the piece that is good");
        assert!(!written(piece) || piece == &pattern(90_000, 5)[..10_000], "{wire:?}");
        let mut liar = Liar::new(&house, wire, Access::RemoteRead).await;
        let good = BufferDescriptor { length: 10_000, ..liar.middle() };
        liar.ask(
            false,
            vec![good, BufferDescriptor { offset: good.offset + 60_000, length: 60_000, ..good }],
        )
        .await;
        assert!(stored(&house).await == pattern(90_000, 5), "{wire:?}: half a WRITE is none");
    }
    house.still_serves().await;
}

#[tokio::test(start_paused = true)]
async fn of_what_memory_is_for_and_whose_it_is() {
    let house = prepared().await;
    for wire in [Wire::Memory, Wire::Direct] {
        for reading in [true, false] {
            let (good, wrong) = match reading {
                true => (Access::RemoteWrite, Access::RemoteRead),
                false => (Access::RemoteRead, Access::RemoteWrite),
            };
            let mut liar = Liar::new(&house, wire, wrong).await;
            let descriptor = liar.middle();
            liar.ask(reading, vec![descriptor]).await;
            assert!(untouched(&liar.opened.reclaim().await.unwrap()), "{wire:?}: the other access");

            let other = Liar::new(&house, wire, good).await;
            let mut liar = Liar::new(&house, wire, good).await;
            liar.ask(reading, vec![other.middle()]).await;
            assert!(untouched(&other.opened.reclaim().await.unwrap()), "{wire:?}: another connection's");

            let mut liar = Liar::new(&house, wire, good).await;
            let descriptor = liar.middle();
            let fresh = open(&liar.raw, good);
            let used = std::mem::replace(&mut liar.opened, fresh);
            let kept = used.reclaim().await.unwrap();
            liar.ask(reading, vec![descriptor]).await;
            assert!(untouched(&kept), "{wire:?}: taken back");
            assert!(untouched(&liar.opened.reclaim().await.unwrap()), "{wire:?}: taken back");
            assert!(stored(&house).await == pattern(90_000, 5), "{wire:?}");
        }
    }
    house.still_serves().await;
    house.is_left_clean().await;
}

/// What the server can see to be wrong, it refuses; the connection goes on.
#[tokio::test(start_paused = true)]
async fn that_the_server_finds_out_itself() {
    let house = prepared().await;
    for wire in [Wire::Memory, Wire::Direct] {
        let mut liar = Liar::new(&house, wire, Access::RemoteRead).await;
        let good = liar.middle();
        let overlapping = BufferDescriptor { offset: good.offset + 20_000, length: 40_000, ..good };
        for descriptors in [
            vec![],
            vec![BufferDescriptor { length: ASKED - 1, ..good }],
            vec![BufferDescriptor { length: 0, ..good }, good],
            vec![BufferDescriptor { length: 30_000, ..good }, overlapping],
            vec![BufferDescriptor { offset: u64::MAX, ..good }],
            vec![BufferDescriptor { length: 1, ..good }; 70_000 / 16],
        ] {
            let count = descriptors.len();
            let channel = Channel::Rdma { descriptors, invalidate: true };
            let write = WriteRequest {
                offset: 0,
                file_id: liar.file,
                channel,
                remaining_bytes: ASKED,
                flags: WriteFlags::NONE,
                data: &[],
            };
            let (header, _) = liar.raw.ask(&write, 1).await;
            assert_eq!(header.status(), Some(NtStatus::INVALID_PARAMETER), "{wire:?}: {count} descriptors");
        }
        let again = liar.raw.create("file").await;
        assert_ne!(again, liar.file);
        assert!(untouched(&liar.opened.reclaim().await.unwrap()));
    }
    assert!(stored(&house).await == pattern(90_000, 5));
}
