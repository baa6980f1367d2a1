//! Answers honestly, late, twice, wrongly, or not at all.

use super::server::{Answer, Honest, SESSION};
use crate::source::Source;
use smb_proto::{
    command::Command,
    compound,
    header::{HEADER_LEN, Header, HeaderFlags, Route},
    status::NtStatus,
    transform::encryption::{TRANSFORM_HEADER_LEN, TransformHeader},
};
use smb_transport::{Halves, IoBuf, Msg, RecvHalf, SendHalf, Transport, memory::MemoryTransport};
use std::{collections::BTreeSet, time::Duration};

/// A request that was not answered finally.
struct Waiting {
    header: Header,
    message: Vec<u8>,
    sealed: bool,
    async_id: Option<u64>,
}

pub struct Hostile {
    sender: Box<dyn SendHalf>,
    receiver: Box<dyn RecvHalf>,
    honest: Honest,
    /// The client was told to protect all it says.
    protected: bool,
    waiting: Vec<Waiting>,
    seen: BTreeSet<u64>,
    cancelled: BTreeSet<u64>,
    /// Ids below it may have been granted, by whatever was in any answer.
    high: u64,
    last: Vec<u8>,
    last_grants: u64,
    next_async: u64,
}

impl Hostile {
    pub fn new(transport: MemoryTransport, protected: bool) -> Self {
        let Halves { sender, mut receiver, .. } = Box::new(transport).split();
        receiver.set_limit(1 << 24);
        Self {
            sender,
            receiver,
            honest: Honest::new(),
            protected,
            waiting: Vec::new(),
            seen: BTreeSet::new(),
            cancelled: BTreeSet::new(),
            high: 1,
            last: Vec::new(),
            last_grants: 0,
            next_async: 1,
        }
    }

    /// Serves until the choices are over or the client has gone.
    pub async fn serve(&mut self, choices: &mut Source<'_>) {
        let honest_to_the_end = choices.rarely(2);
        let mut idle = 0;
        while (!choices.is_over() || honest_to_the_end) && idle < 3 {
            let received = tokio::time::timeout(Duration::from_secs(1), self.receiver.recv()).await;
            match received {
                Ok(Ok(Some(received))) => self.take(received.message),
                Ok(_) => return,
                Err(_) => idle += 1,
            }
            while let Some(Ok(Some(received))) = crate::server::now(self.receiver.recv()) {
                self.take(received.message);
            }
            while !self.waiting.is_empty() && (!choices.is_over() || honest_to_the_end) {
                idle = 0;
                if !self.step(choices).await {
                    return;
                }
            }
        }
    }

    /// Takes a frame of the client's in, and holds it against the rules.
    fn take(&mut self, mut frame: IoBuf) {
        let sealed = TransformHeader::matches(&frame);
        if sealed {
            let keys = self.honest.keys.as_ref().and_then(|keys| keys.sealing.as_ref());
            let range = keys.expect("sealed before the log-on").0.open(&mut frame).expect("our key");
            frame.narrow(range);
        }
        for range in compound::ranges(&frame) {
            let part = &frame[range.expect("the client's frames are whole")];
            let (header, _) = Header::parse(part).expect("the client's headers are whole");
            crate::tell(|| format!("  sealed {sealed}, ids below {}: {header:?}", self.high));
            self.check(&header, part, sealed);
            if header.command == Command::CANCEL {
                let id = match header.route {
                    Route::Async { async_id } => async_id,
                    Route::Sync { .. } => header.message_id,
                };
                assert!(self.cancelled.insert(id), "cancelled twice: {header:?}");
                continue;
            }
            let charge = u64::from(header.credit_charge.max(1));
            for id in header.message_id..header.message_id + charge {
                assert!(self.seen.insert(id), "a MessageId used twice: {header:?}");
                assert!(id < self.high, "a MessageId that was not granted: {header:?}");
            }
            self.waiting.push(Waiting { header, message: part.to_vec(), sealed, async_id: None });
        }
    }

    fn check(&self, header: &Header, part: &[u8], sealed: bool) {
        let early = matches!(header.command, Command::NEGOTIATE | Command::SESSION_SETUP);
        let signed = header.flags.contains(HeaderFlags::SIGNED);
        if signed && let Some(keys) = &self.honest.keys {
            keys.signing.verify(&mut part.to_vec()).expect("the client signs with the session's key");
        }
        if self.protected && !early && self.honest.keys.is_some() && header.session_id != 0 {
            assert!(sealed || signed, "unprotected: {header:?}");
        }
    }

    /// One answer, or something in its place; false where the connection is cut.
    async fn step(&mut self, choices: &mut Source<'_>) -> bool {
        let what = choices.u8();
        let which = usize::from(what >> 5) % self.waiting.len();
        let Waiting { header, message, sealed, async_id } = self.waiting.swap_remove(which);
        // Behind the hostile ones, since at the end of the input every choice is 0.
        let mut answer = match what & 0x1f {
            5 => Answer::failed(&header, status(choices)),
            _ => self.honest.answer(&header, &message),
        };
        answer.header.credits = header.credits.max(1);
        if header.flags.contains(HeaderFlags::SIGNED) {
            answer.header.flags = answer.header.flags.with(HeaderFlags::SIGNED);
        }
        if let Some(async_id) = async_id {
            answer.header.route = Route::Async { async_id };
            answer.header.credits = 0;
        }
        match what & 0x1f {
            6 if async_id.is_none() => {
                let mut interim = Answer::failed(&header, NtStatus::PENDING);
                interim.header.route = Route::Async { async_id: self.next_async };
                interim.header.credits = header.credits.max(1);
                interim.header.session_id = header.session_id;
                self.post(&interim.bytes(), false, sealed).await;
                self.waiting.push(Waiting { header, message, sealed, async_id: Some(self.next_async) });
                self.next_async += 1;
                tokio::time::sleep(Duration::from_millis(choices.u8().into())).await;
            }
            7 => {
                let mut bytes = self.protected(&answer.bytes(), choices.rarely(2), sealed);
                mutate(&mut bytes, choices);
                self.raw(&bytes).await;
            }
            8 => answer.header.message_id = choices.u8().into(),
            9 => answer.header.session_id = choices.u8().into(),
            10 => answer.header.credits = choices.u16(),
            11 => answer.header.command = Command(choices.u8().into()),
            12 => answer.header.route = Route::Async { async_id: choices.u8().into() },
            13 => answer.body = choices.blob().to_vec(),
            // Vouched for, and senseless.
            20 if header.command != Command::READ => mutate(&mut answer.body, choices),
            14 => {
                let last = self.last.clone();
                // Sealed or not, it brings its credits once more.
                self.high = self.high.saturating_add(self.last_grants);
                self.raw(&last).await;
                // It may be long, and come again and again: what the client has not taken yet is memory of ours.
                tokio::time::sleep(Duration::from_millis(1)).await;
                self.waiting.push(Waiting { header, message, sealed, async_id });
            }
            15 => {
                self.raw(choices.blob()).await;
                self.waiting.push(Waiting { header, message, sealed, async_id });
            }
            16 => {
                let mut lease_break =
                    Header::request(Command::OPLOCK_BREAK, u64::MAX).response(NtStatus::SUCCESS);
                lease_break.session_id = if choices.rarely(2) { SESSION } else { 0 };
                let bytes = Answer { header: lease_break, body: choices.blob().to_vec() }.bytes();
                self.post(&bytes, false, false).await;
                self.waiting.push(Waiting { header, message, sealed, async_id });
            }
            17 => return false,
            // Never answered.
            18 => tokio::time::sleep(Duration::from_secs(choices.u8().into())).await,
            19 => {
                let mut twice = answer.bytes();
                twice.resize(twice.len().next_multiple_of(8), 0);
                let next = u32::try_from(twice.len()).unwrap_or(0).to_le_bytes();
                twice[20..24].copy_from_slice(&next);
                twice.extend(answer.bytes());
                self.post(&twice, false, sealed).await;
            }
            _ => {}
        }
        if !matches!(what & 0x1f, 6 | 7 | 14..=19) {
            let lies = matches!(what & 0x1f, 5 | 8..=13);
            let vouched = !lies || !choices.rarely(4);
            let bytes = answer.bytes();
            // What is signed or sealed is vouched for: not other data, nor one request's data as another's.
            let altered = matches!(what & 0x1f, 8 | 13);
            self.post(&bytes, vouched && !altered, sealed && !altered).await;
        }
        true
    }

    /// Sends an answer, signed where it says so and sealed where asked.
    async fn post(&mut self, bytes: &[u8], vouched: bool, sealed: bool) {
        self.last_grants = credits(bytes);
        let bytes = self.protected(bytes, vouched, sealed);
        self.raw(&bytes).await;
        self.last = bytes;
    }

    fn protected(&mut self, bytes: &[u8], vouched: bool, sealed: bool) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        let Ok((header, _)) = Header::parse(&bytes) else { return bytes };
        self.honest.hash(&header, &bytes);
        crate::tell(|| format!("sealed {sealed}, vouched for {vouched}: {header:?}"));
        let keys = self.honest.keys.as_ref();
        if let Some(keys) = keys.filter(|_| vouched && header.flags.contains(HeaderFlags::SIGNED)) {
            keys.signing.sign(&mut bytes).expect("can be signed");
        }
        if let Some((_, seal, nonces)) = keys.and_then(|keys| keys.sealing.as_ref()).filter(|_| sealed) {
            let mut whole = [&[0; TRANSFORM_HEADER_LEN], &bytes[..]].concat();
            let nonce = nonces.next(seal.cipher()).expect("nonces are left");
            seal.seal(nonce, SESSION, &mut whole).expect("can be sealed");
            self.high = self.high.saturating_add(credits(&bytes));
            return whole;
        }
        bytes
    }

    async fn raw(&mut self, bytes: &[u8]) {
        // Whatever these bytes may grant: the client is given the benefit of the doubt.
        self.high = self.high.saturating_add(credits(bytes));
        let _ = self.sender.send(Msg::inline(IoBuf::copied(bytes))).await;
    }
}

/// The credits that the messages of a frame in the clear grant.
fn credits(bytes: &[u8]) -> u64 {
    let parts = compound::ranges(bytes).map_while(Result::ok);
    let headers = parts.filter_map(|part| Some(Header::parse(bytes.get(part)?).ok()?.0));
    headers.map(|header| u64::from(header.credits)).sum()
}

fn status(choices: &mut Source<'_>) -> NtStatus {
    const ALL: [NtStatus; 8] = [
        NtStatus::ACCESS_DENIED,
        NtStatus::USER_SESSION_DELETED,
        NtStatus::NETWORK_SESSION_EXPIRED,
        NtStatus::NETWORK_NAME_DELETED,
        NtStatus::FILE_CLOSED,
        NtStatus::INSUFFICIENT_RESOURCES,
        NtStatus::BUFFER_OVERFLOW,
        NtStatus::MORE_PROCESSING_REQUIRED,
    ];
    choices.pick(&ALL).unwrap_or_default()
}

fn mutate(bytes: &mut [u8], choices: &mut Source<'_>) {
    for _ in 0..=choices.u8() % 3 {
        let at = usize::from(choices.u8()) | usize::from(choices.rarely(8)) << 8;
        let len = bytes.len().max(HEADER_LEN);
        if let Some(byte) = bytes.get_mut(at % len) {
            *byte ^= choices.u8();
        }
    }
}
