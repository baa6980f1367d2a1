//! The credit windows of both sides and the channel sequence of an open, under any series of operations.

use smb_proto::credit::{ClientWindow, Load, MessageIdRange, OpenSequence, Outstanding, ServerWindow};
use std::collections::BTreeSet;

/// A client and a server that follow the rules, and now and then a client that does not.
struct Pair {
    client: ClientWindow,
    server: ServerWindow,
    /// Sent, in an order of the fuzzer's choice not yet received.
    sent: Vec<MessageIdRange>,
    /// Received, not yet answered.
    received: Vec<MessageIdRange>,
    /// Ids granted and not used, by the naive model.
    granted: BTreeSet<u64>,
    high: u64,
    maximum: u16,
}

impl Pair {
    fn new(target: u16, maximum: u16) -> Self {
        let mut server = ServerWindow::new(maximum);
        server.set_multi_credit(true);
        Self {
            client: ClientWindow::new(target),
            server,
            sent: Vec::new(),
            received: Vec::new(),
            granted: BTreeSet::from([0]),
            high: 1,
            maximum: maximum.max(1),
        }
    }

    fn send(&mut self, charge: u16) {
        let enough = self.client.available() >= u32::from(charge.max(1));
        let range = self.client.reserve(charge);
        assert_eq!(range.is_some(), enough);
        self.sent.extend(range);
    }

    fn receive(&mut self, which: u8) {
        let Some(range) = take(&mut self.sent, which) else { return };
        self.server.accept(range.first, range.len).expect("a client that follows the rules is let in");
        for id in range.first..range.first + u64::from(range.len) {
            assert!(self.granted.remove(&id), "{id} was never granted");
        }
        assert!(self.server.accept(range.first, range.len).is_err(), "an id is good once");
        self.received.push(range);
    }

    fn answer(&mut self, which: u8, load: Load, interim: bool) {
        let Some(range) = take(&mut self.received, which) else { return };
        let credits = self.server.grant(range.ask, load);
        self.granted.extend(self.high..self.high + u64::from(credits));
        self.high += u64::from(credits);
        if interim {
            self.client.answered(range.first, credits, true).expect("waits for it");
            self.client.answered(range.first, 0, false).expect("still waits");
        } else {
            self.client.answered(range.first, credits, false).expect("waits for it");
        }
        assert!(self.client.answered(range.first, 1, false).is_err(), "one final answer");
    }

    /// A foreign request: let in exactly where the model says so.
    fn forge(&mut self, back: u8, charge: u8) {
        let first = self.high.saturating_sub(back.into());
        let ids = first..first + u64::from(charge.max(1));
        if !ids.clone().all(|id| self.granted.contains(&id)) {
            assert!(self.server.accept(first, charge.into()).is_err());
        }
    }

    fn check(&self) {
        assert_eq!(usize::try_from(self.server.held()), Ok(self.granted.len()));
        assert!(self.granted.len() <= usize::from(self.maximum));
        let known = u64::from(self.client.available())
            + self.sent.iter().map(|range| u64::from(range.len)).sum::<u64>();
        assert_eq!(u64::from(self.server.held()), known, "both sides count alike");
        assert!(!self.client.is_stuck(), "the server never lets the client run dry");
    }
}

fn take<T>(list: &mut Vec<T>, which: u8) -> Option<T> {
    (!list.is_empty()).then(|| list.swap_remove(usize::from(which) % list.len()))
}

/// The windows, or the channel sequence.
pub fn run(data: &[u8]) {
    crate::one_of(data, &[windows, sequence]);
}

/// Three bytes an operation.
fn windows(data: &[u8]) {
    let Some(([target, maximum], steps)) = data.split_first_chunk() else { return };
    let mut pair = Pair::new(u16::from(*target) * 8, u16::from(*maximum) * 8);
    for [what, a, b] in steps.as_chunks::<3>().0 {
        match what % 6 {
            0 => pair.send((*a).into()),
            1 => pair.receive(*a),
            2 => pair.answer(*a, Load::Normal, b & 1 != 0),
            3 => pair.answer(*a, Load::High, b & 1 != 0),
            4 => pair.forge(*a, *b),
            _ => pair.client.set_target(u16::from(*a) << (b % 9)),
        }
        pair.check();
    }
}

/// The channel sequence: requests of two sequences are told apart, and every one that completes is counted out.
fn sequence(data: &[u8]) {
    let Some((start, steps)) = data.split_first_chunk() else { return };
    let mut open = OpenSequence::new(u16::from_le_bytes(*start));
    let mut running: Vec<Outstanding> = Vec::new();
    for [what, low, high] in steps.as_chunks::<3>().0 {
        if what & 1 != 0 {
            if let Some(request) = take(&mut running, *low) {
                open.complete(request);
            }
            continue;
        }
        let sequence = if what & 2 != 0 { open.sequence() } else { u16::from_le_bytes([*low, *high]) };
        if let Ok(request) = open.check(sequence, what & 4 != 0, what & 8 != 0) {
            running.push(request);
        }
    }
    running.into_iter().for_each(|request| open.complete(request));
    assert_eq!(open.outstanding(), (0, 0), "all that ran has completed");
}
