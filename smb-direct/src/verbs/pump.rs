//! The task of a connection: takes what the device and the connection manager have done, and ends the connection in order.
//!
//! ```text
//!  Up ─ disconnect() ─▶ Draining ─ all done, too late ─▶ Leaving ─ the peer knows, too late ─▶ Over
//!  Up ─ requests flushed ─▶ Flushed ─ an event says why, or none does ─▶ Leaving
//!  Up ─ a fault: told at once ─▶ Leaving         any ─ the peer disconnects, the device is removed ─▶ Over
//! ```

use super::{
    cm::Event,
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
/// How long to wait until the peer knows that we disconnect.
const LEAVE: Duration = Duration::from_secs(2);

pub(super) async fn run(shared: Arc<Shared>) {
    loop {
        shared.turn();
        let phase = shared.lock().phase;
        let until = match phase {
            Phase::Up => None,
            Phase::Draining(until) | Phase::Flushed(until) | Phase::Leaving(until) => Some(until),
            Phase::Over => return,
        };
        let qp = shared.qp();
        tokio::select! {
            event = qp.id().event() => match event {
                Ok(event) => shared.heard(&event),
                Err(why) => shared.deaf(why),
            },
            notified = qp.cq().notified() => {
                if let Err(why) = notified {
                    shared.fail(why);
                }
            }
            () = shared.hear_news() => {}
            () = shared.kick.notified() => {}
            () = time(until) => {}
        }
    }
}

async fn time(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(until.into()).await,
        None => pending().await,
    }
}

impl Shared {
    /// Takes completions, posts what waits, and goes on in ending the connection.
    fn turn(&self) {
        let told = self.lock().told;
        if !told && let Err(why) = self.qp().cq().arm() {
            self.fail(why);
        }
        self.work(|shared, state| shared.advance(state, Instant::now()));
    }

    fn work(&self, then: impl FnOnce(&Self, &mut State)) {
        let mut state = self.lock();
        while self.qp().cq().poll(|done| state.settle(done)) > 0 {}
        state.post_waiting(self.qp());
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
            self.hang_up(state, now);
            state.tell_end(Some(why));
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
            Phase::Leaving(until) if now >= until => {
                state.tell_end(None);
                state.phase = Phase::Over;
            }
            _ => {}
        }
    }

    fn hang_up(&self, state: &mut State, now: Instant) {
        self.qp().id().disconnect();
        state.phase = Phase::Leaving(now + LEAVE);
    }

    /// The connection manager cannot be heard any more.
    fn deaf(&self, why: RdmaError) {
        let mut state = self.lock();
        state.fault.get_or_insert(why);
        if state.told {
            state.phase = Phase::Over;
        }
    }

    /// The connection manager says something.
    fn heard(&self, event: &Event) {
        match event.kind {
            // What arrived before it is in the completion queue by now.
            RDMA_CM_EVENT_DISCONNECTED => self.work(|shared, state| {
                if !matches!(state.phase, Phase::Leaving(_)) {
                    shared.qp().id().disconnect();
                }
                state.tell_end(state.fault);
                state.phase = Phase::Over;
            }),
            RDMA_CM_EVENT_DEVICE_REMOVAL => self.work(|_, state| {
                state.tell_end(Some(RdmaError::DeviceRemoved));
                state.phase = Phase::Over;
            }),
            _ => {}
        }
    }
}
