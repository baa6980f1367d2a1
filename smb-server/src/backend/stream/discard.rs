//! Streams into nothing: for measuring, and for trying a sender out.

use super::{AbortReason, Sink, StreamConsumer};
use crate::backend::{Caller, Result};
use bytes::Bytes;
use smb_transport::BoxFuture;

/// Takes every stream, forgets its bytes and confirms it. Length and digest are still held against what the sender
/// announces.
#[derive(Debug, Clone, Copy, Default)]
pub struct Discard;

struct Counted {
    name: String,
    bytes: u64,
}

impl StreamConsumer for Discard {
    fn begin<'a>(&'a self, name: &'a str, _: &'a Caller) -> BoxFuture<'a, Result<Box<dyn Sink>>> {
        let sink: Box<dyn Sink> = Box::new(Counted { name: name.into(), bytes: 0 });
        Box::pin(async { Ok(sink) })
    }
}

impl Sink for Counted {
    fn data(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<()>> {
        let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.bytes = self.bytes.saturating_add(len);
        Box::pin(async { Ok(()) })
    }

    fn commit(&mut self) -> BoxFuture<'_, Result<()>> {
        tracing::info!(stream = self.name, bytes = self.bytes, "a stream was committed");
        Box::pin(async { Ok(()) })
    }

    fn abort(self: Box<Self>, reason: AbortReason) -> BoxFuture<'static, ()> {
        tracing::info!(stream = self.name, bytes = self.bytes, %reason, "a stream was broken off");
        Box::pin(async {})
    }
}
