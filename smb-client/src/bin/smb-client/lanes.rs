//! Several operations side by side in one task: only those that were woken are polled.

use crate::report::Failure;
use smb_client::Error;
use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

type Lane<T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send>>;

/// Wakes the task, and says for which lane.
struct Bell {
    rung: AtomicBool,
    task: Arc<Mutex<Option<Waker>>>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.rung.swap(true, Ordering::AcqRel)
            && let Some(task) = self.task.lock().unwrap_or_else(PoisonError::into_inner).as_ref()
        {
            task.wake_by_ref();
        }
    }
}

/// Runs all of them on a task of the runtime's, to the end or the first failure.
pub async fn run<F, T>(lanes: impl Iterator<Item = F>) -> Result<Vec<T>, Failure>
where
    F: Future<Output = Result<T, Error>> + Send + 'static,
    T: Send + 'static,
{
    let task: Arc<Mutex<Option<Waker>>> = Arc::default();
    let bell = || Arc::new(Bell { rung: AtomicBool::new(true), task: task.clone() });
    let mut running: Vec<(Arc<Bell>, Lane<T>)> = Vec::new();
    for lane in lanes {
        running.push((bell(), Box::pin(lane)));
    }
    let mut done = Vec::with_capacity(running.len());
    let all = poll_fn(move |cx| {
        *task.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
        poll_rung(&mut running, &mut done)
    });
    Ok(tokio::spawn(all).await.map_err(|error| Failure::Usage(error.to_string()))??)
}

fn poll_rung<T>(running: &mut Vec<(Arc<Bell>, Lane<T>)>, done: &mut Vec<T>) -> Poll<Result<Vec<T>, Error>> {
    let mut failed = None;
    running.retain_mut(|(bell, lane)| {
        if !bell.rung.swap(false, Ordering::AcqRel) {
            return true;
        }
        let waker = Waker::from(bell.clone());
        match lane.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Pending => return true,
            Poll::Ready(Ok(value)) => done.push(value),
            Poll::Ready(Err(error)) => failed = Some(error),
        }
        false
    });
    match failed {
        Some(error) => Poll::Ready(Err(error)),
        None if running.is_empty() => Poll::Ready(Ok(std::mem::take(done))),
        None => Poll::Pending,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_come_to_their_end_and_one_failure_ends_all() {
        let lanes = (0..5_u32).map(|n| async move {
            for _ in 0..n {
                tokio::task::yield_now().await;
            }
            Ok(n)
        });
        assert_eq!(run(lanes).await.unwrap(), [0, 1, 2, 3, 4]);
        let failing = (0..2).map(|n| async move {
            match n {
                0 => std::future::pending().await,
                _ => Err::<(), _>(smb_client::UsageError::Closed.into()),
            }
        });
        assert!(run(failing).await.is_err());
    }
}
