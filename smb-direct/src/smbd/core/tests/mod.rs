//! Two engines over a lossless queue, in any order of events.
mod keepalive;
mod recorded;
mod rules;
mod schedule;

use super::*;
use crate::smbd::wire::DataHeader;
use bytes::Bytes;
use smb_transport::{IoBuf, Pool, Token};
use std::time::Duration;

/// What is under way: a message and the token it invalidates.
type Packet = (Vec<u8>, Option<Token>);

/// One engine and the device below it.
struct End {
    engine: Engine,
    /// Receives posted and not used.
    posted: usize,
    /// Receives posted and announced, all told.
    receives: [usize; 2],
    spoke: bool,
    /// Sends posted and not done.
    undone: usize,
    delivered: Vec<(Vec<u8>, Option<Token>)>,
    /// Memory of messages the upper layer has not taken yet.
    unread: VecDeque<usize>,
    closed: Option<CloseReason>,
}

impl End {
    fn new(role: Role, config: &Config, now: Instant) -> Self {
        let engine = Engine::new(role, config.clone(), Arc::new(Pool::new(0)), now);
        let (delivered, unread) = (Vec::new(), VecDeque::new());
        Self { engine, posted: 1, receives: [0, 0], spoke: false, undone: 0, delivered, unread, closed: None }
    }

    /// Does what the engine says; returns what it sends.
    fn drain(&mut self) -> Vec<Packet> {
        let mut sent = Vec::new();
        while let Some(output) = self.engine.poll() {
            assert_eq!(self.closed, None, "nothing follows the end: {output:?}");
            match output {
                Output::PostReceives { count, size } => {
                    assert!(count > 0 && size >= 128);
                    self.posted += usize::from(count);
                    self.receives[0] += usize::from(count);
                }
                Output::Send(request) => {
                    let mut bytes = request.head.to_vec();
                    request.pieces.iter().flatten().for_each(|piece| bytes.extend_from_slice(piece));
                    assert_eq!(bytes.len(), request.len());
                    // The first message is the negotiation's.
                    if std::mem::replace(&mut self.spoke, true) {
                        let (header, _) = DataHeader::parse(&bytes).unwrap();
                        self.receives[1] += usize::from(header.credits_granted);
                        let [posted, announced] = self.receives;
                        assert!(announced <= posted, "a receive announced before it was posted");
                    }
                    self.undone += 1;
                    sent.push((bytes, request.invalidate));
                }
                Output::Write(_) => self.undone += 1,
                Output::Established(_) => {}
                Output::Deliver(received) => {
                    self.unread.push_back(Engine::memory(&received.message));
                    self.delivered.push((received.message.to_vec(), received.invalidated));
                }
                Output::Close(reason) => self.closed = Some(reason),
            }
        }
        sent
    }

    fn feed(&mut self, now: Instant, (bytes, token): Packet) {
        assert!(self.posted > 0, "a message met no posted receive");
        self.posted -= 1;
        self.engine.received(now, IoBuf::copied(&bytes), token);
    }

    fn consume(&mut self, now: Instant) -> bool {
        let Some(memory) = self.unread.pop_front() else { return false };
        self.engine.consumed(now, memory);
        true
    }

    fn send(
        &mut self,
        now: Instant,
        bytes: &[u8],
        token: Option<Token>,
    ) -> Result<(), smb_transport::TransportError> {
        self.engine.send(now, outgoing(bytes, token))
    }
}

/// Half of it as head, half as payload.
fn outgoing(bytes: &[u8], invalidate: Option<Token>) -> Outgoing {
    let (head, payload) = bytes.split_at(bytes.len() / 2);
    let payload = Bytes::copy_from_slice(payload);
    Outgoing { head: IoBuf::copied(head), payload, writes: VecDeque::new(), invalidate }
}

/// Two ends and the wire.
struct World {
    now: Instant,
    ends: [End; 2],
    /// To the end with that number.
    wire: [VecDeque<Packet>; 2],
    packets: usize,
    /// Something was lost on purpose, so nothing adds up any more.
    lossy: bool,
}

impl World {
    fn new(a: &Config, b: &Config) -> Self {
        let now = Instant::now();
        let ends = [End::new(Role::Initiator, a, now), End::new(Role::Responder, b, now)];
        let mut world =
            Self { now, ends, wire: [VecDeque::new(), VecDeque::new()], packets: 0, lossy: false };
        world.drain();
        world
    }

    fn established(a: &Config, b: &Config) -> Self {
        let mut world = Self::new(a, b);
        world.deliver(1);
        world.deliver(0);
        assert!(world.ends.iter().all(|end| end.engine.limits().is_some()));
        world
    }

    fn drain(&mut self) {
        for from in 0..2 {
            let sent = self.ends[from].drain();
            self.packets += sent.len();
            self.wire[1 - from].extend(sent);
        }
        self.check_credits();
    }

    /// A credit is held, under way, or used by a message under way; and each is a posted receive.
    fn check_credits(&self) {
        if self.lossy || self.ends.iter().any(|end| end.engine.limits().is_none() || end.closed.is_some()) {
            return;
        }
        for (one, other) in [(0, 1), (1, 0)] {
            let granted: usize = self.wire[one]
                .iter()
                .map(|(bytes, _)| usize::from(DataHeader::parse(bytes).unwrap().0.credits_granted))
                .sum();
            let held = usize::from(self.ends[one].engine.credits().0);
            assert_eq!(held + granted + self.wire[other].len(), self.ends[other].posted);
            assert_eq!(self.ends[other].posted, usize::from(self.ends[other].engine.credits().1));
        }
    }

    fn deliver(&mut self, to: usize) -> bool {
        let Some(packet) = self.wire[to].pop_front() else { return false };
        self.ends[to].feed(self.now, packet);
        self.drain();
        true
    }

    fn complete(&mut self, at: usize, most: usize) -> bool {
        let count = self.ends[at].undone.min(most);
        self.ends[at].undone -= count;
        self.ends[at].engine.sends_done(self.now, count);
        self.drain();
        count > 0
    }

    fn consume(&mut self, at: usize) -> bool {
        let consumed = self.ends[at].consume(self.now);
        self.drain();
        consumed
    }

    fn send(&mut self, at: usize, bytes: &[u8]) {
        self.ends[at].send(self.now, bytes, None).unwrap();
        self.drain();
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        for end in &mut self.ends {
            end.engine.expired(self.now);
        }
        self.drain();
    }

    /// Lets everything happen until nothing does any more.
    fn settle(&mut self) {
        let before = self.packets;
        loop {
            let mut busy = false;
            for end in 0..2 {
                busy |= self.complete(end, 3) | self.deliver(end) | self.consume(end);
            }
            if !busy {
                return;
            }
            assert!(self.packets - before < 100_000, "the two sides never come to rest");
        }
    }

    fn lose_all(&mut self) {
        self.wire = Default::default();
        self.lossy = true;
    }

    fn assert_open(&self) {
        assert_eq!(self.ends.each_ref().map(|end| end.closed), [None, None]);
    }
}

/// The smallest there is: two credits, 128 bytes at a time.
fn tiny() -> Config {
    Config {
        receive_credit_max: 2,
        send_credit_target: 1,
        max_send_size: 128,
        max_receive_size: 512,
        max_fragmented_recv_size: 131_072,
        send_queue_depth: 2,
        unread_bytes: 25_000,
        ..Config::default()
    }
}

fn pattern(len: usize, seed: usize) -> Vec<u8> {
    (0..len).map(|at| u8::try_from((at * 7 + at / 251 + seed * 13) % 251).unwrap()).collect()
}
