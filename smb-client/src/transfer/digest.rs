//! A digest of bytes as they pass, computed beside the transfer.
//!
//! A thread is taken from the runtime's pool only while there is something to take up: however many digests there are, they
//! keep nothing from the files that are read and written on the same threads.

use crate::error::{Error, TransferError};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::oneshot;

type Job = Box<dyn FnOnce(&mut blake3::Hasher) + Send>;

/// BLAKE3 of a stream. What is handed in is taken up in the order of the calls, whichever future is polled first.
#[derive(Debug)]
pub(crate) struct Digest {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared(Mutex<State>);

struct State {
    /// With the thread that works, while there is one.
    hasher: Option<blake3::Hasher>,
    jobs: VecDeque<Job>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("jobs", &self.jobs.len()).finish_non_exhaustive()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does what there is to do, and gives the hasher back.
    fn work(&self, mut hasher: blake3::Hasher) {
        loop {
            let mut state = self.lock();
            let Some(job) = state.jobs.pop_front() else {
                state.hasher = Some(hasher);
                return;
            };
            drop(state);
            job(&mut hasher);
        }
    }
}

impl Digest {
    /// An empty stream.
    pub fn new() -> Self {
        Self::after(blake3::Hasher::new())
    }

    /// A stream that begins with what `hasher` has taken up.
    pub fn after(hasher: blake3::Hasher) -> Self {
        let state = State { hasher: Some(hasher), jobs: VecDeque::new() };
        Self { shared: Arc::new(Shared(Mutex::new(state))) }
    }

    /// Takes up `bytes`; gives them back when done.
    pub fn take_up<B>(&self, bytes: B) -> impl Future<Output = Result<B, Error>> + Send + use<B>
    where
        B: AsRef<[u8]> + Send + 'static,
    {
        let done = self.run(move |hasher| {
            hasher.update(bytes.as_ref());
            bytes
        });
        async move { done.await.map_err(|_| TransferError::Worker.into()) }
    }

    /// The digest of all that was handed in.
    pub async fn finish(self) -> Result<[u8; 32], Error> {
        self.so_far().await
    }

    /// The digest of what was handed in until now.
    pub async fn so_far(&self) -> Result<[u8; 32], Error> {
        let done = self.run(|hasher| *hasher.finalize().as_bytes());
        done.await.map_err(|_| TransferError::Worker.into())
    }

    fn run<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut blake3::Hasher) -> R + Send + 'static,
    ) -> oneshot::Receiver<R> {
        let (done, is_done) = oneshot::channel();
        let job: Job = Box::new(move |hasher| {
            // Nobody may be waiting any more.
            let _ = done.send(work(hasher));
        });
        let mut state = self.shared.lock();
        state.jobs.push_back(job);
        if let Some(hasher) = state.hasher.take() {
            let shared = self.shared.clone();
            tokio::task::spawn_blocking(move || shared.work(hasher));
        }
        is_done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn order_is_that_of_the_calls() {
        let digest = Digest::new();
        let first = digest.take_up(bytes::Bytes::from_static(b"ab"));
        let second = digest.take_up(smb_transport::IoBuf::copied(b"cd"));
        assert_eq!(&*second.await.unwrap(), b"cd");
        drop(first);
        assert_eq!(digest.finish().await.unwrap(), *blake3::hash(b"abcd").as_bytes());
    }

    #[test]
    fn many_digests_do_with_one_thread() {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.max_blocking_threads(1).build().unwrap();
        runtime.block_on(async {
            let digests = [Digest::new(), Digest::new(), Digest::new()];
            for digest in &digests {
                digest.take_up(bytes::Bytes::from_static(b"ab")).await.unwrap();
            }
            tokio::task::spawn_blocking(|| ()).await.unwrap();
            for digest in digests {
                assert_eq!(digest.finish().await.unwrap(), *blake3::hash(b"ab").as_bytes());
            }
        });
    }
}
