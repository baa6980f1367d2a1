//! A gate that a test opens and closes while work waits in front of it.

use std::sync::Arc;
use tokio::sync::watch;

/// Holds back whoever wants to [`pass`](Self::pass) while it is closed. Clones share it.
#[derive(Debug, Clone)]
pub struct Gate {
    state: Arc<watch::Sender<State>>,
}

#[derive(Debug)]
struct State {
    open: bool,
    /// How many may pass although it is closed.
    permits: usize,
    waiting: usize,
}

impl Gate {
    /// A gate that lets all pass.
    pub fn opened() -> Self {
        Self::new(true)
    }

    /// A gate that lets nobody pass.
    pub fn closed() -> Self {
        Self::new(false)
    }

    fn new(open: bool) -> Self {
        Self { state: Arc::new(watch::Sender::new(State { open, permits: 0, waiting: 0 })) }
    }

    /// Lets all pass from now on.
    pub fn open(&self) {
        self.state.send_modify(|state| state.open = true);
    }

    /// Lets nobody pass from now on.
    pub fn close(&self) {
        self.state.send_modify(|state| {
            state.open = false;
            state.permits = 0;
        });
    }

    /// Lets `count` more pass while it is closed.
    pub fn let_through(&self, count: usize) {
        self.state.send_modify(|state| state.permits = state.permits.saturating_add(count));
    }

    /// Whether it is open.
    pub fn is_open(&self) -> bool {
        self.state.borrow().open
    }

    /// Resolves once at least `count` wait in front of it that nothing lets through.
    pub async fn waiting(&self, count: usize) {
        // The sender lives as long as `self`, so waiting cannot fail.
        let _ = self.state.subscribe().wait_for(|state| state.held() >= count).await;
    }

    /// Resolves once it is open, whoever else is let through before. Cancel-safe.
    pub async fn until_open(&self) {
        let _ = self.state.subscribe().wait_for(|state| state.open).await;
    }

    /// Resolves when the gate lets this one pass. Cancel-safe.
    pub async fn pass(&self) {
        let mut place = Place { gate: self, waits: false };
        if place.try_pass() {
            return;
        }
        let mut changes = self.state.subscribe();
        place.queue();
        while !place.try_pass() {
            let _ = changes.changed().await;
        }
    }
}

impl State {
    fn held(&self) -> usize {
        if self.open { 0 } else { self.waiting.saturating_sub(self.permits) }
    }
}

/// Somebody in front of the gate.
struct Place<'a> {
    gate: &'a Gate,
    /// Whether it is counted among the waiting.
    waits: bool,
}

impl Place<'_> {
    fn queue(&mut self) {
        self.waits = true;
        self.gate.state.send_modify(|state| state.waiting = state.waiting.saturating_add(1));
    }

    /// Passes, spends a permit and leaves the waiting in one step.
    fn try_pass(&mut self) -> bool {
        let mut passed = false;
        self.gate.state.send_if_modified(|state| {
            passed = state.open || state.permits > 0;
            if passed && !state.open {
                state.permits -= 1;
            }
            if passed && self.waits {
                state.waiting = state.waiting.saturating_sub(1);
            }
            passed
        });
        self.waits &= !passed;
        passed
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if self.waits {
            self.gate.state.send_modify(|state| state.waiting = state.waiting.saturating_sub(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_lets_through_as_many_as_it_is_told() {
        let gate = Gate::closed();
        let passing: Vec<_> = (0..3)
            .map(|_| {
                let gate = gate.clone();
                tokio::spawn(async move { gate.pass().await })
            })
            .collect();
        gate.waiting(3).await;
        gate.let_through(2);
        while passing.iter().filter(|task| task.is_finished()).count() < 2 {
            tokio::task::yield_now().await;
        }
        gate.waiting(1).await;
        assert_eq!(gate.state.borrow().waiting, 1);
        gate.open();
        for task in passing {
            task.await.unwrap();
        }
        gate.pass().await;
        assert!(gate.is_open());
    }
}
