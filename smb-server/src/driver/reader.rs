//! The task that receives: takes frames in and starts their requests.

use super::{
    connection::{Conn, Slot, end_session, ended},
    job::{self, Job, Taken},
    respond,
    traffic::Traffic,
    unproven::Unproven,
    writer,
};
use crate::{
    config::OVERHEAD,
    core::{lock, negotiate},
    handlers,
    server::Shared,
};
use smb_proto::{
    command::Command,
    compound,
    error::{ParseError, PeerViolation},
    frame::FrameKind,
    header::{Header, Role},
    transform::encryption::TransformHeader,
};
use smb_transport::{Halves, INITIAL_LIMIT, IoBuf, Received, RecvHalf, SendHalf, Transport};
use std::{future::Future, sync::Arc, time::Duration};
use tokio::{runtime::Handle as Runtime, sync::watch, task::JoinHandle, time::Instant};

/// Frames up to this size are opened and begun in the reader itself; larger ones get a task of their own, so that
/// their bytes are hashed and copied on another core.
const SMALL: usize = 32 * 1024;
/// Small frames that are begun before the writer gets its turn: where many requests have gathered, the client has the first
/// answers, and something to do, while the rest is worked on.
const TOGETHER: usize = 8;
/// How long the peer may take to close its direction after we have closed ours.
const LINGER: Duration = Duration::from_secs(2);

/// Runs a connection to its end. `drain` turns true when the server stops; `unproven` is given up once somebody has
/// authenticated.
pub(crate) async fn run(
    shared: Arc<Shared>,
    transport: Box<dyn Transport>,
    mut drain: watch::Receiver<bool>,
    unproven: Option<Unproven>,
) {
    let Halves { info, sender, mut receiver, buffers, placement } = transport.split();
    let (conn, queue) = Conn::new(shared, info, buffers, placement);
    tracing::debug!(conn = conn.id, kind = ?conn.info.kind, peer = ?conn.info.peer, "connected");
    let writer = tokio::spawn(writer::write(conn.clone(), sender, queue));
    let served = Served { conn: Some(conn.clone()), runtime: Runtime::current() };
    let mut intake = Intake {
        conn: &conn,
        receiver: receiver.as_mut(),
        drain: &mut drain,
        unproven,
        widened: false,
        deadline: None,
    };
    intake.receive().await;
    finish(&conn, receiver, writer).await;
    served.done();
}

/// Ends the connection and its sessions even where the future that serves it is dropped.
struct Served {
    conn: Option<Arc<Conn>>,
    runtime: Runtime,
}

impl Served {
    fn done(mut self) {
        self.conn = None;
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(conn) = self.conn.take() {
            conn.end();
            self.runtime.spawn(async move { end_sessions(&conn).await });
        }
    }
}

async fn end_sessions(conn: &Conn) {
    for channel in conn.take_channels() {
        end_session(&conn.shared, &channel.session).await;
    }
}

/// Lets requests under way end where the server stops, tells the sessions that they are over, and closes.
async fn finish(conn: &Conn, receiver: Box<dyn RecvHalf>, writer: JoinHandle<Box<dyn SendHalf>>) {
    let limits = &conn.shared.config.limits;
    if !conn.is_gone() {
        lock(&conn.pending).idle().for_each(|cancel| cancel.cancel());
        let idle = tokio::time::timeout(limits.drain, conn.idle());
        tokio::select! {
            _ = idle => {}
            () = conn.gone() => {}
        }
    }
    let orderly = !conn.is_gone();
    conn.end();
    end_sessions(conn).await;
    if let Ok(mut sender) = writer.await
        && orderly
    {
        sender.close().await;
        let _ = tokio::time::timeout(LINGER, until_closed(receiver)).await;
    }
    tell(conn);
}

/// Says how the data travelled: whether it was placed is proven by nothing else.
fn tell(conn: &Conn) {
    let Traffic { read_inline, written_inline, pushed, pulled } = conn.counters.read();
    let (id, kind, peer) = (conn.id, conn.info.kind, conn.info.peer);
    tracing::info!(conn = id, ?kind, ?peer, read_inline, written_inline, pushed, pulled, "disconnected");
}

async fn until_closed(mut receiver: Box<dyn RecvHalf>) {
    while let Ok(Some(_)) = receiver.recv().await {}
}

struct Intake<'a> {
    conn: &'a Arc<Conn>,
    receiver: &'a mut dyn RecvHalf,
    drain: &'a mut watch::Receiver<bool>,
    unproven: Option<Unproven>,
    /// The frame limit is that of an authenticated client.
    widened: bool,
    /// When somebody must have authenticated.
    deadline: Option<Instant>,
}

impl Intake<'_> {
    /// Receives until the connection ends or the server drains.
    async fn receive(&mut self) {
        let mut gone = self.conn.watch();
        for count in 1.. {
            if count % TOGETHER == 0 {
                tokio::task::yield_now().await;
            }
            self.adjust();
            let deadline = self.deadline;
            let received = tokio::select! {
                biased;
                () = ended(&mut gone) => return,
                _ = self.drain.wait_for(|stop| *stop) => return,
                received = self.receiver.recv() => received,
                () = Unproven::must_go(&mut self.unproven) => {
                    // Somebody may have authenticated since the last frame.
                    self.unproven = None;
                    if self.conn.is_authenticated() {
                        continue;
                    }
                    tracing::info!(conn = self.conn.id, "makes room for another that may authenticate");
                    return self.conn.end();
                }
                () = until(deadline) => {
                    if self.conn.is_authenticated() {
                        continue;
                    }
                    tracing::info!(conn = self.conn.id, "nobody authenticated in time");
                    return self.conn.end();
                }
            };
            match received {
                Ok(Some(Received { message, .. })) => {
                    if let Err(violation) = self.frame(message).await {
                        return self.conn.violated(violation);
                    }
                }
                Ok(None) => return self.conn.end(),
                Err(error) => {
                    tracing::info!(conn = self.conn.id, %error, "receiving failed");
                    return self.conn.end();
                }
            }
        }
    }

    /// Fits limits to whether somebody has authenticated.
    fn adjust(&mut self) {
        let limits = &self.conn.shared.config.limits;
        let proven = self.conn.is_authenticated();
        if proven {
            self.unproven = None;
            self.deadline = None;
        } else if self.deadline.is_none() {
            self.deadline = Some(Instant::now() + limits.auth_timeout);
        }
        if proven != self.widened {
            let payload = self.conn.agreed().map_or(0, |agreed| agreed.max_io.max(agreed.max_transact));
            let payload = usize::try_from(payload).unwrap_or(usize::MAX);
            self.receiver.set_limit(if proven { payload.saturating_add(OVERHEAD) } else { INITIAL_LIMIT });
            self.widened = proven;
        }
    }

    async fn frame(&mut self, frame: IoBuf) -> Result<(), PeerViolation> {
        match FrameKind::of(&frame) {
            Some(FrameKind::Smb2) => {
                let parts = take_in(self.conn, &frame)?;
                self.start(move |slot| Job { frame, parts, sealed: None, slot }).await;
                Ok(())
            }
            Some(FrameKind::Sealed) => self.sealed(frame).await,
            Some(FrameKind::Smb1) => multi_protocol(self.conn, &frame).await,
            _ => Err(ParseError::Value { what: "ProtocolId", value: 0 }.into()),
        }
    }

    /// A place for a request; `None` when the connection ends first, or the server drains.
    async fn slot(&mut self) -> Option<Slot> {
        tokio::select! {
            biased;
            slot = self.conn.slot() => slot,
            _ = self.drain.wait_for(|stop| *stop) => None,
            // Nothing is received meanwhile, the end neither; and what is under way may wait for others as long as they like.
            () = async { self.receiver.peer_left().await } => {
                self.conn.end();
                None
            }
        }
    }

    /// Starts a job; a short one runs here as far as it gets without waiting.
    async fn start(&mut self, make: impl FnOnce(Slot) -> Job) {
        let Some(slot) = self.slot().await else { return };
        let job = make(slot);
        let large = job.frame.len() > SMALL || expects_much(&job.parts);
        let job = job::run(self.conn.clone(), job);
        begin(job, large).await;
    }

    async fn sealed(&mut self, frame: IoBuf) -> Result<(), PeerViolation> {
        let (header, _) = TransformHeader::parse(&frame)?;
        let channel = self.conn.channel(header.session_id).ok_or(PeerViolation::BadSeal)?;
        let Some(slot) = self.slot().await else { return Ok(()) };
        let conn = self.conn.clone();
        let session = channel.session.clone();
        let large = frame.len() > SMALL;
        lock(&conn.pending).opening();
        let job = async move {
            let opened = open(&conn, frame, &session);
            lock(&conn.pending).opened();
            match opened {
                Ok((frame, parts)) => {
                    if !large && expects_much(&parts) {
                        // Not in the reader: see `begin`.
                        tokio::task::yield_now().await;
                    }
                    job::run(conn, Job { frame, parts, sealed: Some(session), slot }).await;
                }
                Err(violation) => conn.violated(violation),
            }
        };
        begin(job, large).await;
        Ok(())
    }
}

async fn begin(job: impl Future<Output = ()> + Send + 'static, large: bool) {
    if large {
        tokio::spawn(job);
        return;
    }
    let mut job = Box::pin(job);
    if job::poll_once(&mut job.as_mut()).await.is_none() {
        tokio::spawn(job);
    }
}

/// Whether a small frame asks for a large answer.
fn expects_much(parts: &[Taken]) -> bool {
    const ONE_CREDIT: u16 = 1;
    let mut headers = parts.iter().map(|part| &part.header);
    headers.any(|header| header.command == Command::READ && header.credit_charge > ONE_CREDIT)
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Reads the headers of a frame and takes their MessageIds out of the window.
fn take_in(conn: &Arc<Conn>, frame: &[u8]) -> Result<Vec<Taken>, PeerViolation> {
    let mut parts = Vec::with_capacity(1);
    let reserved = conn.agreed().is_ok_and(|agreed| !agreed.multi_credit());
    for range in compound::ranges(frame) {
        let range = range?;
        let (mut header, _) = Header::parse(frame.get(range.clone()).unwrap_or(&[]))?;
        if !matches!(header.role, Role::Request { .. }) {
            return Err(PeerViolation::State(header.command));
        }
        if reserved {
            // It says nothing at 2.0.2, and pays for nothing — [MS-SMB2] 2.2.1.2.
            header.credit_charge = 0;
        }
        parts.push((header, range));
    }
    let mut core = lock(&conn.core);
    for (header, _) in &parts {
        core.allows(header.command)?;
        if header.command != Command::CANCEL {
            core.accept(header.message_id, header.credit_charge)?;
        }
    }
    drop(core);
    Ok(parts.into_iter().map(|(header, range)| Taken::new(conn, header, range)).collect())
}

/// Opens a sealed frame in place and takes it in.
fn open(
    conn: &Arc<Conn>,
    mut frame: IoBuf,
    session: &crate::core::session::Session,
) -> Result<(IoBuf, Vec<Taken>), PeerViolation> {
    let sealing = session.sealing.as_ref().ok_or(PeerViolation::BadSeal)?;
    let text = sealing.open.open(&mut frame).map_err(|_| PeerViolation::BadSeal)?;
    frame.narrow(text);
    if FrameKind::of(&frame) != Some(FrameKind::Smb2) {
        return Err(PeerViolation::BadSeal);
    }
    let parts = take_in(conn, &frame)?;
    Ok((frame, parts))
}

/// Answers an SMB1 NEGOTIATE that offers SMB2.
async fn multi_protocol(conn: &Arc<Conn>, frame: &[u8]) -> Result<(), PeerViolation> {
    let dialect = negotiate::multi_protocol(&conn.shared.config, frame)
        .ok_or(PeerViolation::Negotiate("SMB1 without an SMB2 dialect"))?;
    lock(&conn.core).multi_protocol()?;
    let response = handlers::negotiate::multi_protocol(conn, dialect);
    let mut header = Header::request(Command::NEGOTIATE, 0).response(Default::default());
    header.credits = lock(&conn.core).grant(1);
    respond::send_plain(conn, &header, &response).await;
    Ok(())
}
