//! The sending and the receiving half.

use super::{
    connection::{Connection, Presence, count, now},
    placement::parts,
};
use crate::{
    rdma::{Slice, WriteRequest},
    smbd::core::Outgoing,
};
use smb_transport::{BoxFuture, Msg, Push, Received, RecvHalf, SendHalf, TransportError};
use std::{collections::VecDeque, sync::Arc};

pub(super) struct DirectSender {
    connection: Arc<Connection>,
    _presence: Arc<Presence>,
}

impl DirectSender {
    pub(super) fn new(connection: Arc<Connection>, presence: Arc<Presence>) -> Self {
        Self { connection, _presence: presence }
    }

    async fn post(&mut self, message: Msg) -> Result<(), TransportError> {
        let outgoing = self.outgoing(message)?;
        self.await_room().await?;
        let len = outgoing.len();
        self.connection.with(|inner| inner.engine.send(now(), outgoing))?;
        count(&self.connection.traffic.sent, len);
        Ok(())
    }

    async fn await_room(&self) -> Result<(), TransportError> {
        loop {
            {
                let inner = self.connection.lock();
                if inner.closed().is_some() {
                    return Err(inner.error().unwrap_or(TransportError::Closed));
                }
                if inner.engine.has_room() {
                    return Ok(());
                }
            }
            self.connection.room.notified().await;
        }
    }

    /// The message with its RDMA writes, checked before any of it leaves.
    fn outgoing(&self, message: Msg) -> Result<Outgoing, TransportError> {
        let Msg { head, payload, pushes, invalidate } = message;
        let mut writes = VecDeque::new();
        for push in pushes {
            self.cut(push, &mut writes)?;
        }
        Ok(Outgoing { head, payload, writes, invalidate })
    }

    fn cut(&self, push: Push, writes: &mut VecDeque<WriteRequest>) -> Result<(), TransportError> {
        let most = self.connection.pair().info().max_transfer;
        let parts = parts(&push.to, push.data.len(), most)
            .ok_or(TransportError::Placement("more data than the descriptors hold"))?;
        let data = Arc::new(push.data);
        let write = |(to, range)| WriteRequest { from: Slice::new(data.clone(), range), to };
        writes.extend(parts.into_iter().map(write));
        Ok(())
    }
}

impl SendHalf for DirectSender {
    fn send(&mut self, message: Msg) -> BoxFuture<'_, Result<(), TransportError>> {
        Box::pin(self.post(message))
    }

    fn close(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.connection.with(|inner| inner.engine.close(now()));
            self.connection.closed().await;
        })
    }
}

impl Drop for DirectSender {
    fn drop(&mut self) {
        self.connection.with(|inner| inner.engine.close(now()));
    }
}

pub(super) struct DirectReceiver {
    connection: Arc<Connection>,
    _presence: Arc<Presence>,
}

impl DirectReceiver {
    pub(super) fn new(connection: Arc<Connection>, presence: Arc<Presence>) -> Self {
        Self { connection, _presence: presence }
    }

    async fn next(&mut self) -> Result<Option<Received>, TransportError> {
        loop {
            if let Some(outcome) = self.connection.with(|inner| inner.take()) {
                return outcome;
            }
            self.connection.ready.notified().await;
        }
    }
}

impl RecvHalf for DirectReceiver {
    fn recv(&mut self) -> BoxFuture<'_, Result<Option<Received>, TransportError>> {
        Box::pin(self.next())
    }

    fn peer_left(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(self.connection.closed())
    }

    fn set_limit(&mut self, max_message: usize) {
        self.connection.lock().engine.set_limit(max_message);
    }
}

impl Drop for DirectReceiver {
    fn drop(&mut self) {
        self.connection.with(|inner| inner.make_deaf());
    }
}
