//! Drives one stream: does what its state says, one step after the other.

use super::{
    AbortReason, Sink,
    commit::Step,
    names::{Live, Ticket},
};
use crate::backend::Result;
use bytes::Bytes;
use std::time::Duration;
use tokio::{select, time::timeout};

/// Runs the stream to its end.
pub(super) async fn run(live: Ticket, mut sink: Box<dyn Sink>, idle: Duration) {
    let mut digest = blake3::Hasher::new();
    loop {
        let step = live.stream().next();
        match step {
            Step::Wait => wait(&live, idle).await,
            Step::Feed(bytes) => feed(&live, sink.as_mut(), &mut digest, bytes).await,
            Step::Verify => live.stream().verify(*digest.finalize().as_bytes()),
            Step::Commit => commit(&live, sink.as_mut()).await,
            Step::Abort(reason) => return abort(&live, sink, reason).await,
            Step::Finish => break,
        }
        live.progress.notify_waiters();
    }
    live.progress.notify_waiters();
}

/// Until there is something to do, or the sender was silent for too long.
async fn wait(live: &Live, idle: Duration) {
    if timeout(idle, live.work.notified()).await.is_err() {
        live.stream().abort(AbortReason::Idle);
    }
}

/// Hashing happens here, on the stream's own task, with nothing locked.
async fn feed(live: &Live, sink: &mut dyn Sink, digest: &mut blake3::Hasher, bytes: Bytes) {
    digest.update(&bytes);
    if let Some(result) = unless_aborted(live, sink.data(bytes)).await {
        live.stream().took(result);
    }
}

async fn commit(live: &Live, sink: &mut dyn Sink) {
    if let Some(result) = unless_aborted(live, sink.commit()).await {
        live.stream().confirm(result);
    }
}

async fn abort(live: &Live, sink: Box<dyn Sink>, reason: AbortReason) {
    sink.abort(reason).await;
    live.stream().aborted();
    live.progress.notify_waiters();
}

/// What the consumer answers, or `None` where the stream is aborted before it does.
async fn unless_aborted(live: &Live, consumer: impl Future<Output = Result<()>>) -> Option<Result<()>> {
    let aborted = async {
        while !live.stream().is_aborting() {
            live.work.notified().await;
        }
    };
    select! {
        biased;
        result = consumer => Some(result),
        () = aborted => None,
    }
}
