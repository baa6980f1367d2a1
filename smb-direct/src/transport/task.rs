//! The task of a connection: completions and timers.

use super::connection::{Connection, now};
use std::{future::poll_fn, sync::Arc};
use tokio::time::{Instant, sleep_until};

pub(super) async fn run(connection: Arc<Connection>) {
    let mut batch = Vec::new();
    while let Some(deadline) = arm(&connection) {
        let timer = sleep_until(Instant::from_std(deadline));
        tokio::pin!(timer);
        loop {
            tokio::select! {
                biased;
                () = poll_fn(|cx| connection.pair().poll_completions(cx, &mut batch)) => {
                    connection.complete(&mut batch);
                    if connection.lock().closed().is_some() {
                        return;
                    }
                }
                () = connection.timer.notified() => break,
                () = &mut timer => {
                    connection.with(|inner| inner.expired(now()));
                    break;
                }
            }
        }
    }
}

/// The deadline to wait for; `None` once the connection is over. One that moves away later is found when it fires.
fn arm(connection: &Connection) -> Option<std::time::Instant> {
    let mut inner = connection.lock();
    if inner.closed().is_some() {
        return None;
    }
    inner.armed = inner.deadline();
    inner.armed
}
