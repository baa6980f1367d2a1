//! What a NIC does behind the sender's back: pushes in order, then the message.
//!
//! Without a gate a job is done while it is posted. With one, a task does the jobs one after another, held by the gate
//! before each piece, whatever becomes of the sender meanwhile.

use super::{link::Link, pipe::End};
use crate::{Gate, IoBuf, Received, Token, TransportError, region::Segment};
use tokio::sync::{mpsc, oneshot};

/// One message to send, checked.
pub(super) struct Job {
    pub(super) pushes: Vec<(Vec<Segment>, IoBuf)>,
    pub(super) invalidate: Option<Token>,
    pub(super) message: IoBuf,
    /// Bytes it was queued for.
    pub(super) cost: usize,
}

enum Order {
    Do(Job),
    Report(oneshot::Sender<()>),
}

pub(super) struct Engine {
    link: Link,
    gate: Option<Gate>,
    /// To the task, once there is one.
    orders: Option<mpsc::UnboundedSender<Order>>,
}

impl Engine {
    pub(super) fn new(link: Link, gate: Option<Gate>) -> Self {
        Self { link, gate, orders: None }
    }

    pub(super) fn post(&mut self, job: Job) -> Result<(), TransportError> {
        let Some(gate) = &self.gate else { return do_now(&self.link, job) };
        let orders = self.orders.get_or_insert_with(|| start(self.link.clone(), gate.clone()));
        // The pipe bounds what is queued here.
        orders.send(Order::Do(job)).map_err(|_| TransportError::Closed)
    }

    /// Resolves when all that was posted is done.
    pub(super) async fn drain(&mut self) {
        let Some(orders) = &self.orders else { return };
        let (done, is_done) = oneshot::channel();
        if orders.send(Order::Report(done)).is_ok() {
            let _ = is_done.await;
        }
    }

    /// Ends the direction after what was posted.
    pub(super) fn close(&mut self) {
        if self.orders.take().is_none() {
            self.link.outgoing.end(End::Orderly);
        }
    }
}

fn do_now(link: &Link, job: Job) -> Result<(), TransportError> {
    for (segments, data) in &job.pushes {
        for segment in segments {
            link.write(segment, data)?;
        }
    }
    arrive(link, job.invalidate, job.message, job.cost)
}

fn arrive(link: &Link, invalidate: Option<Token>, message: IoBuf, cost: usize) -> Result<(), TransportError> {
    if let Some(token) = invalidate {
        link.invalidate(token)?;
    }
    link.outgoing.deliver(Received { message, invalidated: invalidate }, cost);
    Ok(())
}

fn start(link: Link, gate: Gate) -> mpsc::UnboundedSender<Order> {
    let (orders, mut inbox) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let work = async {
            while let Some(order) = inbox.recv().await {
                match order {
                    Order::Do(job) => do_gated(&link, &gate, job).await?,
                    Order::Report(done) => drop(done.send(())),
                }
            }
            link.outgoing.end(End::Orderly);
            Ok::<(), TransportError>(())
        };
        tokio::select! {
            biased;
            () = link.ended() => {}
            // A failure has ended the connection, which is how both ends learn of it.
            _ = work => {}
        }
    });
    orders
}

async fn do_gated(link: &Link, gate: &Gate, job: Job) -> Result<(), TransportError> {
    for (segments, data) in &job.pushes {
        for segment in segments {
            gate.pass().await;
            link.write(segment, data)?;
        }
    }
    arrive(link, job.invalidate, job.message, job.cost)
}
