//! The task of a connection: takes what the device and the connection manager have done, and ends the connection in order.
//!
//! ```text
//!  Up ─ disconnect() ─▶ Draining ─ all done, too late ─▶ Leaving ─ the peer knows, too late ─▶ Over
//!  Up ─ requests flushed ─▶ Flushed ─ an event says why, or none does ─▶ Leaving
//!  Up ─ a fault: told at once ─▶ Leaving         any ─ the device is removed ─▶ Over
//!  Up, Flushed ─ the peer disconnects ─▶ Parted ─ an event says why, or none does ─▶ Over
//!  Draining, Leaving ─ the peer disconnects ─▶ Over
//! ```
//! At the end, which is also that of the runtime, what we had on the device goes in order: windows, queue pair, regions,
//! completion queue, id.

use super::{
    cm::{Event, Id},
    cq::Cq,
    device::Bell,
    pair::Shared,
    queues::{Phase, State},
};
use crate::rdma::RdmaError;
use rdma_mummy_sys::rdma_cm_event_type::{RDMA_CM_EVENT_DEVICE_REMOVAL, RDMA_CM_EVENT_DISCONNECTED};
use std::{
    future::pending,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::time::sleep_until;

/// How long to wait for the reason why requests were flushed.
const SETTLE: Duration = Duration::from_secs(2);
/// How long to wait for news of the device after a disconnect that we did not ask for. One that is removed disconnects some
/// of its connections before it says why to all.
const PARTING: Duration = Duration::from_millis(200);
/// How long to wait until the peer knows that we disconnect.
const LEAVE: Duration = Duration::from_secs(2);
/// How long to wait for an answer to the first message before the peer's device is nudged, where there is reason to.
const NUDGE: Duration = Duration::from_millis(200);
/// And how often at most.
const NUDGES: u8 = 10;

pub(super) struct Pump {
    shared: Arc<Shared>,
    // What waits of the queue pair is destroyed after it, which `drop` does first.
    cq: Arc<Cq>,
    id: Arc<Id>,
    bell: Bell,
    /// When to nudge the peer's device, if no message has arrived by then.
    nudge: Option<Instant>,
    nudges: u8,
}

impl Pump {
    /// Of a connection that we began, with `first`: whoever begins sends first.
    pub(super) fn new(shared: Arc<Shared>, cq: Arc<Cq>, id: Arc<Id>, bell: Bell, first: bool) -> Self {
        let nudges = first && shared.device().can.misses_the_first();
        Self { shared, cq, id, bell, nudge: nudges.then(|| Instant::now() + NUDGE), nudges: 0 }
    }

    pub(super) async fn run(mut self) {
        loop {
            self.turn();
            self.nudge();
            let phase = self.shared.lock().phase;
            let until = match phase {
                Phase::Up => self.nudge,
                Phase::Draining(until)
                | Phase::Flushed(until)
                | Phase::Parted(until)
                | Phase::Leaving(until) => Some(until),
                Phase::Over => return,
            };
            tokio::select! {
                event = self.id.event() => match event {
                    Ok(event) => self.heard(&event),
                    Err(why) => self.deaf(why),
                },
                notified = self.cq.notified() => {
                    if let Err(why) = notified {
                        self.shared.fail(why);
                    }
                }
                () = self.bell.rung(|| self.shared.device().spread_news()) => {}
                () = self.shared.kick.notified() => {}
                () = time(until) => {}
            }
        }
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        self.work(|pump, state| {
            if !matches!(state.phase, Phase::Parted(_) | Phase::Leaving(_) | Phase::Over) {
                pump.id.disconnect();
            }
            state.tell_end(state.fault);
            state.over();
        });
    }
}

async fn time(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(until.into()).await,
        None => pending().await,
    }
}

impl Pump {
    /// Takes completions, posts what waits, and goes on in ending the connection.
    fn turn(&self) {
        let told = self.shared.lock().told;
        if !told && let Err(why) = self.cq.arm() {
            self.shared.fail(why);
        }
        self.work(|pump, state| pump.advance(state, Instant::now()));
    }

    fn nudge(&mut self) {
        let now = Instant::now();
        if self.nudge.is_none_or(|at| now < at) {
            return;
        }
        self.nudge = None;
        let mut state = self.shared.lock();
        if !state.heard && self.nudges < NUDGES {
            tracing::debug!("nothing has arrived on this connection: nudging the peer's device");
            // One that fails finds the connection ended.
            let _ = state.nudge();
            self.nudges += 1;
            self.nudge = Some(now + NUDGE);
        }
    }

    fn work(&self, then: impl FnOnce(&Self, &mut State)) {
        let mut state = self.shared.lock();
        while self.cq.poll(|done| state.settle(done)) > 0 {}
        state.post_waiting();
        then(self, &mut state);
        let waker = state.take_waker();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn advance(&self, state: &mut State, now: Instant) {
        if let Some(why) = state.fault
            && !state.told
        {
            let parted = matches!(state.phase, Phase::Parted(_));
            if !parted {
                self.hang_up(state, now);
            }
            state.tell_end(Some(why));
            if parted || why == RdmaError::DeviceRemoved {
                state.phase = Phase::Over;
            }
        }
        match state.phase {
            Phase::Up if state.flushed => state.phase = Phase::Flushed(now + SETTLE),
            Phase::Draining(until) if state.flushed || state.is_drained() || now >= until => {
                self.hang_up(state, now);
            }
            Phase::Flushed(until) if now >= until => {
                self.hang_up(state, now);
                state.tell_end(Some(RdmaError::Failed("it flushed all requests and does not say why")));
            }
            Phase::Parted(until) | Phase::Leaving(until) if now >= until => {
                state.tell_end(None);
                state.phase = Phase::Over;
            }
            _ => {}
        }
    }

    fn hang_up(&self, state: &mut State, now: Instant) {
        self.id.disconnect();
        state.phase = Phase::Leaving(now + LEAVE);
    }

    /// The connection manager cannot be heard any more.
    fn deaf(&self, why: RdmaError) {
        let mut state = self.shared.lock();
        state.fault.get_or_insert(why);
        if state.told {
            state.phase = Phase::Over;
        }
    }

    /// The connection manager says something.
    fn heard(&self, event: &Event) {
        tracing::debug!(kind = event.kind, status = event.status, phase = ?self.shared.lock().phase, "connection event");
        match event.kind {
            // What arrived before it is in the completion queue by now.
            RDMA_CM_EVENT_DISCONNECTED => self.work(|pump, state| match state.phase {
                Phase::Up | Phase::Flushed(_) => {
                    pump.id.disconnect();
                    state.phase = Phase::Parted(Instant::now() + PARTING);
                }
                Phase::Parted(_) => {}
                Phase::Draining(_) | Phase::Leaving(_) | Phase::Over => {
                    if !matches!(state.phase, Phase::Leaving(_)) {
                        pump.id.disconnect();
                    }
                    state.tell_end(state.fault);
                    state.phase = Phase::Over;
                }
            }),
            // It comes back as a fault of this connection and of all others on the device.
            RDMA_CM_EVENT_DEVICE_REMOVAL => self.shared.device().removed(),
            _ => {}
        }
    }
}
