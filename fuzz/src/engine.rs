//! The SMB Direct engine: two of them on a wire that loses nothing and hurries or holds back as the fuzzer likes, and
//! one with a peer that says anything.
//!
//! A message meets a posted receive; receives are posted before they are announced; the last credit goes only with a
//! grant; all that was sent arrives once and in order, however few credits there are; who breaks a rule is cut off with
//! the reason, and nothing follows the end.

use crate::{bounded, source::Source};
use bytes::Bytes;
use smb_direct::smbd::{
    CloseReason, Config,
    core::{Engine, Outgoing, Output, Role},
    wire::{DataHeader, DataTransfer, Flags, NegotiateRequest, NegotiateResponse, Version},
};
use smb_transport::{IoBuf, Pool, Token};
use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

type Packet = (Vec<u8>, Option<Token>);

/// One engine and the device below it.
struct End {
    engine: Engine,
    posted: usize,
    undone: usize,
    /// Receives posted and announced, all told.
    receives: (usize, usize),
    /// Credits the peer granted and the messages that spent them.
    credits: usize,
    negotiated: bool,
    delivered: Vec<Packet>,
    unread: VecDeque<usize>,
    closed: Option<CloseReason>,
}

impl End {
    fn new(role: Role, config: &Config, now: Instant) -> Self {
        Self {
            engine: Engine::new(role, config.clone(), Arc::new(Pool::new(0)), now),
            posted: 1,
            undone: 0,
            receives: (1, 1),
            credits: 0,
            negotiated: false,
            delivered: Vec::new(),
            unread: VecDeque::new(),
            closed: None,
        }
    }

    /// Does what the engine says; what it sends.
    fn drain(&mut self) -> Vec<Packet> {
        let mut sent = Vec::new();
        while let Some(output) = self.engine.poll() {
            assert_eq!(self.closed, None, "nothing follows the end: {output:?}");
            match output {
                Output::PostReceives { count, .. } => {
                    self.posted += usize::from(count);
                    self.receives.0 += usize::from(count);
                }
                Output::Send(request) => {
                    let mut bytes = request.head.to_vec();
                    request.pieces.iter().flatten().for_each(|piece| bytes.extend_from_slice(piece));
                    self.undone += 1;
                    self.announce(&bytes);
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
        assert_eq!(self.closed, self.engine.ended());
        sent
    }

    /// What a message of ours says of credits.
    fn announce(&mut self, bytes: &[u8]) {
        if !std::mem::replace(&mut self.negotiated, true) {
            let granted = NegotiateResponse::parse(bytes).ok().and_then(|response| match response.outcome {
                smb_direct::smbd::wire::NegotiateOutcome::Accepted(body) => Some(body.credits_granted),
                _ => None,
            });
            self.receives.1 += usize::from(granted.unwrap_or(0));
        } else {
            let (header, _) = DataHeader::parse(bytes).expect("our own message");
            assert!(self.credits > 0, "sent without a credit");
            assert!(self.credits > 1 || header.credits_granted > 0, "the last credit without a grant");
            self.credits -= 1;
            self.receives.1 += usize::from(header.credits_granted);
        }
        assert!(self.receives.1 <= self.receives.0, "a receive announced before it was posted");
    }

    fn feed(&mut self, now: Instant, (bytes, token): Packet) {
        self.posted -= 1;
        self.credits += usize::from(granted_by(&bytes, self.engine.limits().is_some()));
        self.engine.received(now, IoBuf::copied(&bytes), token);
    }

    fn consume(&mut self, now: Instant) -> bool {
        let Some(memory) = self.unread.pop_front() else { return false };
        self.engine.consumed(now, memory);
        true
    }

    fn complete(&mut self, now: Instant, most: usize) -> bool {
        let count = self.undone.min(most);
        self.undone -= count;
        self.engine.sends_done(now, count);
        count > 0
    }
}

/// Credits that a message grants, if it is one.
fn granted_by(bytes: &[u8], established: bool) -> u16 {
    if established {
        return DataHeader::parse(bytes).map_or(0, |(header, _)| header.credits_granted);
    }
    match NegotiateResponse::parse(bytes).map(|response| response.outcome) {
        Ok(smb_direct::smbd::wire::NegotiateOutcome::Accepted(body)) => body.credits_granted,
        _ => 0,
    }
}

fn config(choices: &mut Source<'_>) -> Config {
    let mut config = Config::default();
    config.receive_credit_max = 2 + u16::from(choices.u8() % 8);
    config.send_credit_target = 1 + u16::from(choices.u8() % 12);
    config.max_send_size = 128 + u32::from(choices.u8()) * 4;
    config.max_receive_size = 512 + u32::from(choices.u8()) * 4;
    config.max_fragmented_recv_size = 131_072;
    config.send_queue_depth = 1 + usize::from(choices.u8() % 4);
    config.unread_bytes = 1 + usize::from(choices.u8()) * 200;
    config
}

fn outgoing(bytes: &[u8], invalidate: Option<Token>) -> Outgoing {
    let (head, payload) = bytes.split_at(bytes.len() / 2);
    let payload = Bytes::copy_from_slice(payload);
    Outgoing { head: IoBuf::copied(head), payload, writes: VecDeque::new(), invalidate }
}

/// Bytes sent in all, each message at least its buffer: whoever sends decides how much waits for credits.
const VOLUME: usize = 4 << 20;
const BUFFER: usize = 8 << 10;

struct World {
    now: Instant,
    volume: usize,
    ends: [End; 2],
    /// To the end with that number.
    wire: [VecDeque<Packet>; 2],
    sent: [Vec<Packet>; 2],
    packets: usize,
    closing: bool,
    /// Somebody has a single credit: then the two exchange credits for ever, and come to rest never.
    squeezed: bool,
}

impl World {
    fn new(choices: &mut Source<'_>) -> Self {
        let now = Instant::now();
        let mut squeezed = false;
        let ends = [Role::Initiator, Role::Responder].map(|role| {
            let mut end = End::new(role, &config(choices), now);
            if choices.rarely(2) {
                end.engine.squeeze();
                squeezed = true;
            }
            end
        });
        let mut world = Self {
            now,
            volume: 0,
            ends,
            wire: Default::default(),
            sent: Default::default(),
            packets: 0,
            closing: false,
            squeezed,
        };
        world.drain();
        while world.deliver(1) | world.deliver(0) {}
        assert!(world.ends.iter().all(|end| end.engine.limits().is_some()), "they agree");
        world
    }

    fn drain(&mut self) {
        for from in 0..2 {
            let sent = self.ends[from].drain();
            self.packets += sent.len();
            self.wire[1 - from].extend(sent);
        }
    }

    fn deliver(&mut self, to: usize) -> bool {
        let Some(packet) = self.wire[to].pop_front() else { return false };
        if self.ends[to].closed.is_none() {
            assert!(self.ends[to].posted > 0, "a message met no posted receive");
            self.ends[to].feed(self.now, packet);
            self.drain();
        }
        true
    }

    fn step(&mut self, choices: &mut Source<'_>) {
        let what = choices.u8();
        let at = usize::from(what >> 7);
        match what % 8 {
            0 | 1 => {
                let len = 1 + (usize::from(choices.u8()) << (choices.u8() % 6));
                self.volume += len.max(BUFFER);
                if self.volume > VOLUME {
                    return;
                }
                let seed = self.sent[at].len();
                let bytes: Vec<_> =
                    (0..len).map(|n| u8::try_from((n * 7 + seed) % 251).unwrap_or(0)).collect();
                let token = choices.rarely(3).then(|| Token(choices.u8().into()));
                if self.ends[at].engine.send(self.now, outgoing(&bytes, token)).is_ok() {
                    self.sent[at].push((bytes, token));
                } else {
                    assert!(self.closing, "refused though it is open");
                }
            }
            2 | 3 => _ = self.deliver(at),
            4 => _ = self.ends[at].complete(self.now, choices.u8().into()),
            5 => _ = self.ends[at].consume(self.now),
            6 => {
                // Never so long that a peer that merely was not delivered to counts as dead.
                self.now += Duration::from_millis(choices.u8().into());
                self.ends.iter_mut().for_each(|end| end.engine.expired(self.now));
            }
            _ => {
                if choices.rarely(16) {
                    self.closing = true;
                    self.ends[at].engine.close(self.now);
                }
            }
        }
        self.drain();
    }

    fn all_arrived(&self) -> bool {
        !self.closing && (0..2).all(|at| self.sent[at].len() == self.ends[1 - at].delivered.len())
    }

    fn settle(&mut self) {
        let before = self.packets;
        loop {
            let mut busy = false;
            for at in 0..2 {
                busy |= self.ends[at].complete(self.now, 3);
                self.drain();
                busy |= self.deliver(at);
                busy |= self.ends[at].consume(self.now);
                self.drain();
            }
            if !busy || (self.squeezed && self.all_arrived()) {
                return;
            }
            assert!(self.packets - before < 200_000, "the two sides never come to rest");
        }
    }
}

/// Two engines, in any order of events.
pub fn run_pair(data: &[u8]) {
    bounded::within((4 * VOLUME) + 64 * data.len(), || {
        let mut choices = Source::new(data);
        let mut world = World::new(&mut choices);
        while !choices.is_over() {
            world.step(&mut choices);
        }
        world.settle();
        for at in 0..2 {
            let arrived = &world.ends[1 - at].delivered;
            if world.closing {
                assert!(world.sent[at].starts_with(arrived), "reordered or made up");
            } else {
                assert_eq!(world.ends[at].closed, None);
                assert_eq!(&world.sent[at], arrived, "lost or reordered");
            }
        }
    });
}

/// One engine, and a peer that says anything.
pub fn run_hostile(data: &[u8]) {
    bounded::within((4 << 20) + 512 * data.len(), || hostile(&mut Source::new(data)));
}

fn hostile(choices: &mut Source<'_>) {
    let mut now = Instant::now();
    let role = if choices.rarely(2) { Role::Initiator } else { Role::Responder };
    let config = config(choices);
    let mut end = End::new(role, &config, now);
    end.drain();
    let mut sends = 0..100;
    while !choices.is_over() && end.closed.is_none() {
        match choices.u8() % 8 {
            0 if sends.next().is_some() => end.engine.send(now, outgoing(&[7; 300], None)).map_or((), drop),
            1 => _ = end.complete(now, choices.u8().into()),
            2 => _ = end.consume(now),
            3 => {
                now += Duration::from_secs(choices.u8().into());
                end.engine.expired(now);
            }
            _ => {
                let packet = packet(choices, end.engine.limits().is_some());
                if end.posted == 0 {
                    // The device ends the connection: a message met no receive.
                    end.engine.link_down();
                } else {
                    let free = end.engine.credits().1 > 0 || end.engine.limits().is_none();
                    end.feed(now, (packet, None));
                    end.drain();
                    assert!(free || end.closed.is_some(), "taken without a credit");
                }
            }
        }
        end.drain();
        assert!(end.posted <= usize::from(config.receive_credit_max) + 2, "{} receives", end.posted);
    }
    end.engine.link_down();
    end.drain();
    assert!(end.closed.is_some() && end.engine.deadline().is_none());
    assert!(end.engine.send(now, outgoing(b"late", None)).is_err());
}

fn packet(choices: &mut Source<'_>, established: bool) -> Vec<u8> {
    let mut out = Vec::new();
    match choices.u8() % 4 {
        0 => out.extend_from_slice(choices.blob()),
        1 if !established => NegotiateRequest {
            min_version: Version::V1,
            max_version: Version(choices.u16() | 0x0100),
            credits_requested: choices.u8().into(),
            preferred_send_size: choices.u16().into(),
            max_receive_size: choices.u16().into(),
            max_fragmented_size: choices.u32(),
        }
        .emit(&mut out),
        2 if !established => {
            let body = smb_direct::smbd::wire::Negotiated {
                version: Version::V1,
                credits_requested: choices.u8().into(),
                credits_granted: choices.u8().into(),
                max_read_write_size: choices.u32(),
                preferred_send_size: choices.u8().into(),
                max_receive_size: choices.u16().into(),
                max_fragmented_size: choices.u32(),
            };
            let outcome = smb_direct::smbd::wire::NegotiateOutcome::Accepted(body);
            NegotiateResponse { min_version: Version::V1, max_version: Version::V1, outcome }.emit(&mut out);
        }
        _ => {
            let header = DataHeader {
                credits_requested: choices.u8().into(),
                credits_granted: choices.u8().into(),
                flags: if choices.rarely(4) { Flags::RESPONSE_REQUESTED } else { Flags::NONE },
                remaining_data_length: if choices.rarely(4) { choices.u32() } else { choices.u8().into() },
            };
            DataTransfer { header, data: choices.blob() }.emit(&mut out);
        }
    }
    out
}
