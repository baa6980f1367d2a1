//! RDMA within one process, in safe Rust: every check a device would do, and what it would do about it.

mod pair;

pub use pair::MemPair;

use super::{Acceptor, Depths, Incoming, Provider, QueuePair, RdmaError, SetUp};
use smb_transport::{BoxFuture, Pool};
use std::{
    collections::HashMap,
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::{mpsc, oneshot};

/// Connections waiting at a listener.
const BACKLOG: usize = 64;

/// How an in-process device behaves.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct MemOptions {
    /// The most bytes one RDMA read or write moves, and one descriptor names.
    pub max_transfer: usize,
    /// The most descriptors of one buffer.
    pub max_descriptors: usize,
    /// Where buffers come from.
    pub pool: Pool,
}

impl Default for MemOptions {
    /// 16 MiB in one transfer, 16 descriptors.
    fn default() -> Self {
        Self { max_transfer: 16 << 20, max_descriptors: 16, pool: Pool::default() }
    }
}

/// A network of its own, in which those who share it connect. Clones share it.
#[derive(Clone, Default)]
pub struct MemNetwork {
    options: MemOptions,
    listeners: Arc<Mutex<HashMap<SocketAddr, mpsc::Sender<Request>>>>,
}

/// Somebody wants to connect.
struct Request {
    with: SetUp,
    answer: oneshot::Sender<Result<MemPair, RdmaError>>,
}

impl MemNetwork {
    /// A network whose devices behave as `options` say.
    pub fn new(options: MemOptions) -> Self {
        Self { options, listeners: Arc::default() }
    }

    async fn connect_to(&self, to: SocketAddr, with: SetUp) -> Result<Box<dyn QueuePair>, RdmaError> {
        let listener = self.listeners.lock().unwrap_or_else(PoisonError::into_inner).get(&to).cloned();
        let (answer, answered) = oneshot::channel();
        let request = Request { with, answer };
        listener.ok_or(RdmaError::Refused)?.send(request).await.map_err(|_| RdmaError::Refused)?;
        let pair = answered.await.unwrap_or(Err(RdmaError::Rejected))?;
        Ok(Box::new(pair))
    }
}

impl Provider for MemNetwork {
    fn name(&self) -> &'static str {
        "mem"
    }

    fn connect(&self, to: SocketAddr, with: SetUp) -> BoxFuture<'_, Result<Box<dyn QueuePair>, RdmaError>> {
        Box::pin(self.connect_to(to, with))
    }

    fn listen(&self, at: SocketAddr) -> BoxFuture<'_, Result<Box<dyn Acceptor>, RdmaError>> {
        Box::pin(async move {
            let (sender, requests) = mpsc::channel(BACKLOG);
            let mut listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
            if listeners.get(&at).is_some_and(|other| !other.is_closed()) {
                return Err(RdmaError::from(&std::io::ErrorKind::AddrInUse.into()));
            }
            listeners.insert(at, sender);
            let acceptor: Box<dyn Acceptor> =
                Box::new(MemAcceptor { at, options: self.options.clone(), requests });
            Ok(acceptor)
        })
    }
}

impl fmt::Debug for MemNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemNetwork").field("options", &self.options).finish_non_exhaustive()
    }
}

struct MemAcceptor {
    at: SocketAddr,
    options: MemOptions,
    requests: mpsc::Receiver<Request>,
}

impl Acceptor for MemAcceptor {
    fn local(&self) -> Option<SocketAddr> {
        Some(self.at)
    }

    fn incoming(&mut self) -> BoxFuture<'_, Result<Box<dyn Incoming>, RdmaError>> {
        Box::pin(async move {
            let request = self.requests.recv().await.ok_or(RdmaError::Closed)?;
            let incoming: Box<dyn Incoming> =
                Box::new(MemIncoming { request, options: self.options.clone() });
            Ok(incoming)
        })
    }
}

struct MemIncoming {
    request: Request,
    options: MemOptions,
}

impl Incoming for MemIncoming {
    fn private_data(&self) -> &[u8] {
        &self.request.with.private_data
    }

    fn depths(&self) -> Depths {
        self.request.with.depths
    }

    fn accept(self: Box<Self>, with: SetUp) -> BoxFuture<'static, Result<Box<dyn QueuePair>, RdmaError>> {
        Box::pin(async move {
            let Request { with: theirs, answer } = self.request;
            let (one, other) = pair::pair(&self.options, &theirs, &with);
            answer.send(Ok(one)).map_err(|_| RdmaError::Closed)?;
            let pair: Box<dyn QueuePair> = Box::new(other);
            Ok(pair)
        })
    }

    fn reject(self: Box<Self>, _private_data: Vec<u8>) {
        let _ = self.request.answer.send(Err(RdmaError::Rejected));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdma::testing::Made;

    async fn usual() -> Made {
        (Arc::new(MemNetwork::default()), SocketAddr::from(([127, 0, 0, 1], 5445)))
    }

    crate::provider_conformance!(conformance, usual);
}
