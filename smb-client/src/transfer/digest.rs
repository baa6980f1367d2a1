//! A digest of bytes as they pass, computed on a thread of its own so that it overlaps with the transfer.

use crate::error::{Error, TransferError};
use std::sync::mpsc;
use tokio::sync::oneshot;

type Job = Box<dyn FnOnce(&mut blake3::Hasher) + Send>;

/// BLAKE3 of a stream. What is handed in is taken up in the order of the calls, whichever future is polled first.
#[derive(Debug)]
pub(crate) struct Digest {
    jobs: mpsc::Sender<Job>,
}

impl Digest {
    /// An empty stream.
    pub fn new() -> Self {
        Self::after(blake3::Hasher::new())
    }

    /// A stream that begins with what `hasher` has taken up.
    pub fn after(mut hasher: blake3::Hasher) -> Self {
        let (jobs, work) = mpsc::channel::<Job>();
        tokio::task::spawn_blocking(move || {
            for job in work {
                job(&mut hasher);
            }
        });
        Self { jobs }
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
        // If the thread is gone, the receiver says so.
        let _ = self.jobs.send(job);
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
}
