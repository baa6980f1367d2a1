//! The two halves, with faults.

use super::{
    Faults,
    script::{Ending, Fate},
    slot::{ReceiverSlot, SenderSlot},
};
use crate::{BoxFuture, IoBuf, Msg, Received, RecvHalf, SendHalf, TransportError};
use std::{collections::VecDeque, sync::Arc};
use tokio::time::{Instant, sleep, sleep_until};

/// Messages that may be on the line at a time where there is a delay.
const ON_THE_LINE: usize = 256;

pub(super) struct FaultSender {
    slot: Arc<SenderSlot>,
    faults: Faults,
}

impl FaultSender {
    pub(super) fn new(slot: Arc<SenderSlot>, faults: Faults) -> Self {
        Self { slot, faults }
    }

    async fn pass(&self, message: Msg) -> Result<(), TransportError> {
        let line = &self.faults.line;
        tokio::select! {
            biased;
            () = line.until_cut() => Err(TransportError::Closed),
            sent = self.suffer(message) => sent,
        }
    }

    async fn suffer(&self, message: Msg) -> Result<(), TransportError> {
        let direction = &self.faults.outgoing;
        direction.gate.pass().await;
        let fate = direction.next();
        if !fate.delay.is_zero() {
            sleep(fate.delay).await;
        }
        let mut lease = self.slot.lease(&self.faults.line).ok_or(TransportError::Closed)?;
        let half = lease.half().ok_or(TransportError::Closed)?;
        match fate.end {
            Ending::Passes => return half.send(corrupted(message, &fate)).await,
            Ending::Drop => return Ok(()),
            Ending::Close => half.close().await,
            Ending::Cut { keep } => half.sever(message, keep).await,
        }
        self.faults.cut();
        Err(TransportError::Closed)
    }
}

fn corrupted(message: Msg, fate: &Fate) -> Msg {
    if !fate.corrupts() {
        return message;
    }
    let mut whole = IoBuf::alloc(message.len());
    if let Some((front, back)) = whole.split_at_mut_checked(message.head.len()) {
        front.copy_from_slice(&message.head);
        back.copy_from_slice(&message.payload);
    }
    fate.apply(&mut whole);
    Msg { head: whole, payload: bytes::Bytes::new(), ..message }
}

impl SendHalf for FaultSender {
    fn send(&mut self, message: Msg) -> BoxFuture<'_, Result<(), TransportError>> {
        Box::pin(self.pass(message))
    }

    fn close(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if let Some(mut lease) = self.slot.lease(&self.faults.line)
                && let Some(half) = lease.half()
            {
                tokio::select! {
                    () = self.faults.line.until_cut() => {}
                    () = half.close() => {}
                }
            }
        })
    }

    fn sever(&mut self, message: Msg, keep: usize) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if let Some(mut lease) = self.slot.lease(&self.faults.line)
                && let Some(half) = lease.half()
            {
                half.sever(message, keep).await;
            }
            self.faults.cut();
        })
    }
}

/// Something on the line.
struct Arrived {
    due: Instant,
    arrival: Arrival,
    /// The connection is cut when this is seen.
    cuts: bool,
}

type Arrival = Result<Option<Received>, TransportError>;

pub(super) struct FaultReceiver {
    slot: Arc<ReceiverSlot>,
    faults: Faults,
    /// What has arrived and when it may be seen, in order.
    queue: VecDeque<Arrived>,
    /// What comes after the queue, for good.
    end: Option<Arrival>,
}

impl FaultReceiver {
    pub(super) fn new(slot: Arc<ReceiverSlot>, faults: Faults) -> Self {
        Self { slot, faults, queue: VecDeque::new(), end: None }
    }

    async fn next(&mut self) -> Arrival {
        let faults = self.faults.clone();
        if let Some(end) = &self.end {
            return repeat(end);
        }
        let arrival = tokio::select! {
            biased;
            () = faults.line.until_cut() => Err(TransportError::Cut),
            arrival = self.suffer() => arrival,
        };
        if !matches!(arrival, Ok(Some(_))) {
            self.end = Some(repeat(&arrival));
            self.queue.clear();
        }
        arrival
    }

    /// Cancel-safe: what has arrived is in the queue until the moment it is returned.
    async fn suffer(&mut self) -> Arrival {
        loop {
            let due = self.queue.front().map(|arrived| arrived.due);
            let room = self.queue.len() < ON_THE_LINE;
            let line_is_long = due.is_none_or(|due| due > Instant::now());
            let gate = &self.faults.incoming.gate;
            let seen = async {
                match due {
                    Some(due) => sleep_until(due).await,
                    None => std::future::pending().await,
                }
                gate.pass().await;
            };
            tokio::select! {
                biased;
                () = seen => {
                    if let Some(Arrived { arrival, cuts, .. }) = self.queue.pop_front() {
                        if cuts {
                            self.faults.cut();
                        }
                        return arrival;
                    }
                }
                arrival = arrive(&self.slot, &self.faults), if room && line_is_long && !self.ends() => {
                    self.enqueue(arrival);
                }
            }
        }
    }

    /// Whether the last that has arrived is an end.
    fn ends(&self) -> bool {
        self.queue.back().is_some_and(|last| !matches!(last.arrival, Ok(Some(_))))
    }

    fn enqueue(&mut self, arrival: Arrival) {
        let now = Instant::now();
        let (due, arrival, cuts) = match arrival {
            Ok(Some(mut received)) => {
                let fate = self.faults.incoming.next();
                fate.apply(&mut received.message);
                let due = now + fate.delay;
                match fate.end {
                    Ending::Passes => (due, Ok(Some(received)), false),
                    Ending::Drop => return,
                    Ending::Close => (due, Ok(None), true),
                    Ending::Cut { .. } => (due, Err(TransportError::Cut), true),
                }
            }
            end => (now, end, false),
        };
        // Nothing overtakes.
        let due = self.queue.back().map_or(due, |last| due.max(last.due));
        self.queue.push_back(Arrived { due, arrival, cuts });
    }
}

async fn arrive(slot: &ReceiverSlot, faults: &Faults) -> Arrival {
    let mut lease = slot.lease(&faults.line).ok_or(TransportError::Cut)?;
    lease.half().ok_or(TransportError::Cut)?.recv().await
}

async fn left(slot: &ReceiverSlot, faults: &Faults) {
    faults.incoming.gate.pass().await;
    if let Some(mut lease) = slot.lease(&faults.line)
        && let Some(half) = lease.half()
    {
        half.peer_left().await;
    }
}

/// An end once more.
fn repeat(end: &Arrival) -> Arrival {
    match end {
        Ok(_) => Ok(None),
        Err(error) => Err(error.clone()),
    }
}

impl RecvHalf for FaultReceiver {
    fn recv(&mut self) -> BoxFuture<'_, Arrival> {
        Box::pin(self.next())
    }

    fn peer_left(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            tokio::select! {
                () = self.faults.line.until_cut() => {}
                () = left(&self.slot, &self.faults) => {}
            }
        })
    }

    fn set_limit(&mut self, max_message: usize) {
        if let Some(half) = self.slot.lock().as_mut() {
            half.set_limit(max_message);
        }
    }
}
