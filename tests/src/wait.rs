//! Waiting for what must happen, and only so long.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};
use tokio::time::{sleep, timeout};

/// Runs what must end within two minutes of tokio's time: nothing here legitimately takes longer.
pub async fn bounded<T>(what: &str, future: impl Future<Output = T>) -> T {
    match timeout(Duration::from_secs(120), future).await {
        Ok(value) => value,
        Err(_) => panic!("{what}: no end in sight"),
    }
}

/// Waits until `condition` holds.
pub async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    bounded(what, async {
        while !condition() {
            sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

/// Polls `future` at most `polls` times, then drops it: a caller that loses patience at any of its stages.
pub async fn polled<T>(polls: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut done = 0;
    poll_fn(|cx| {
        if done >= polls {
            return Poll::Ready(None);
        }
        done += 1;
        future.as_mut().poll(cx).map(Some)
    })
    .await
}
