//! A consumer that fails where it is told to, and what it is told then.

use super::*;
use std::sync::Mutex;

/// Where it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fails {
    Begin,
    Data,
    SecondData,
    Commit,
    Never,
}

#[derive(Clone)]
struct Moody {
    fails: Fails,
    calls: Arc<Mutex<Vec<String>>>,
}

impl Moody {
    fn new(fails: Fails) -> Self {
        Self { fails, calls: Arc::default() }
    }

    fn call(&self, call: &str, fails: bool) -> Result<()> {
        self.calls.lock().unwrap().push(call.into());
        if fails { Err(NtStatus::DISK_FULL) } else { Ok(()) }
    }

    fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }
}

impl StreamConsumer for Moody {
    fn begin<'a>(&'a self, name: &'a str, _: &'a Caller) -> BoxFuture<'a, Result<Box<dyn Sink>>> {
        Box::pin(async move {
            self.call(&format!("begin {name}"), self.fails == Fails::Begin)?;
            let sink: Box<dyn Sink> = Box::new(self.clone());
            Ok(sink)
        })
    }
}

impl Sink for Moody {
    fn data(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            let fails = match bytes.as_ref() {
                b"1" => self.fails == Fails::Data,
                _ => self.fails == Fails::SecondData,
            };
            self.call("data", fails)
        })
    }

    fn commit(&mut self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async { self.call("commit", self.fails == Fails::Commit) })
    }

    fn abort(self: Box<Self>, reason: AbortReason) -> BoxFuture<'static, ()> {
        Box::pin(async move { self.call(&format!("abort {reason:?}"), false).unwrap() })
    }
}

/// Begins, writes twice, flushes; the first error ends it.
async fn send(client: &Client) -> Result<()> {
    let sender = begin(client, "s").await?;
    put(sender.as_ref(), 0, b"1").await?;
    let _ = put(sender.as_ref(), 1, b"2").await;
    sender.flush().await?;
    sender.close(true).await
}

#[tokio::test]
async fn it_is_told_the_end_once_whatever_fails() {
    let abort = "abort Consumer(DISK_FULL)";
    for (fails, calls) in [
        (Fails::Begin, vec!["begin s"]),
        (Fails::Data, vec!["begin s", "data", abort]),
        (Fails::SecondData, vec!["begin s", "data", "data", abort]),
        (Fails::Commit, vec!["begin s", "data", "data", "commit", abort]),
        (Fails::Never, vec!["begin s", "data", "data", "commit"]),
    ] {
        let consumer = Moody::new(fails);
        let client = client(consumer.clone(), SMALL);
        let outcome = send(&client).await;
        assert_eq!(outcome.is_ok(), fails == Fails::Never, "{fails:?}");
        if let Err(status) = outcome {
            assert_eq!(status, NtStatus::DISK_FULL, "{fails:?}");
        }
        while !client.names("").await.is_empty() {
            tokio::task::yield_now().await;
        }
        assert_eq!(consumer.calls(), calls, "{fails:?}");
    }
}
