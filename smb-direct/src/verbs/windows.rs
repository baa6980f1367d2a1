//! Memory opened to the peer.
//!
//! ```text
//!  open ─▶ live ─ message with invalidation, or ours ─▶ shut ─ reclaim ─▶ back
//!            └─ dropped ─▶ parked until it is shut or the connection is dead
//! ```
//! Where the device has windows of type 2, each opening binds one, and the token is its key; else each opening is a
//! registration, which the peer cannot end.

use super::{
    mr::{Mr, Rights},
    mw::Mw,
    pair::Shared,
    pool::{element, region_of},
    qp::Operation,
};
use crate::rdma::{Opened, RdmaError};
use smb_transport::{Access, BoxFuture, BufferDescriptor, IoBuf};
use std::{collections::HashMap, sync::Arc};
use tokio::sync::oneshot;

/// Opened memory. The order of the fields is that in which they may be dropped.
struct Opening {
    window: Option<Arc<Mw>>,
    region: Option<Arc<Mr>>,
    buf: IoBuf,
    live: bool,
    /// Nobody will ask for it.
    parked: bool,
    /// Who waits until it is shut.
    waits: Option<oneshot::Sender<()>>,
}

/// What is opened on one connection, by its token.
#[derive(Default)]
pub(super) struct Windows {
    open: HashMap<u32, Opening>,
    /// Windows that open nothing.
    spare: Vec<Arc<Mw>>,
}

/// What to do about memory that is asked back.
enum Back {
    Now(IoBuf),
    /// When this resolves, ask again; first the token is to be invalidated.
    Later(oneshot::Receiver<()>),
    Never,
}

impl Windows {
    /// The token is good no more.
    pub(super) fn invalidated(&mut self, token: u32) {
        let Some(opening) = self.open.get_mut(&token) else { return };
        opening.live = false;
        if let Some(waits) = opening.waits.take() {
            let _ = waits.send(());
        }
        if opening.parked {
            drop(self.take(token));
        }
    }

    /// Takes memory that is shut.
    fn take(&mut self, token: u32) -> Option<IoBuf> {
        let Opening { window, region, buf, .. } = self.open.remove(&token)?;
        self.spare.extend(window);
        drop(region);
        Some(buf)
    }

    fn take_back(&mut self, token: u32, dead: bool) -> Back {
        let Some(opening) = self.open.get_mut(&token) else { return Back::Never };
        if dead {
            // A window that may be bound is not used again.
            opening.window = None;
        } else if opening.live && opening.window.is_some() {
            let (shut, is_shut) = oneshot::channel();
            opening.waits = Some(shut);
            return Back::Later(is_shut);
        }
        self.take(token).map_or(Back::Never, Back::Now)
    }

    fn park(&mut self, token: u32) {
        let Some(opening) = self.open.get_mut(&token) else { return };
        opening.parked = true;
        if !opening.live {
            drop(self.take(token));
        }
    }

    /// The connection is dead: who waits is told, and what is parked is freed.
    pub(super) fn end(&mut self) {
        for opening in self.open.values_mut() {
            opening.waits = None;
        }
        self.open.retain(|_, opening| !opening.parked);
    }

    /// Frees all windows. Nothing is open after it.
    pub(super) fn unbind(&mut self) {
        self.spare.clear();
        for opening in self.open.values_mut() {
            opening.live = false;
            opening.window = None;
        }
    }

    /// Ends all registrations that were made for what is open; the queue pair is gone. Who has opened it still gets it back.
    pub(super) fn shut(&mut self) {
        for opening in self.open.values_mut() {
            opening.region = None;
        }
    }
}

/// Opens `buf` to the peer.
pub(super) fn open(
    shared: &Arc<Shared>,
    buf: IoBuf,
    access: Access,
) -> Result<Box<dyn Opened>, (RdmaError, IoBuf)> {
    match prepare(shared, &buf, access) {
        Ok((region, rights)) => open_region(shared, region, rights, buf),
        Err(error) => Err((error, buf)),
    }
}

/// The region to open `buf` through.
fn prepare(shared: &Shared, buf: &IoBuf, access: Access) -> Result<(Arc<Mr>, Rights), RdmaError> {
    shared.lock().is_up()?;
    if buf.is_empty() || buf.len() > shared.info().max_transfer {
        return Err(RdmaError::Limit("one buffer"));
    }
    let (pd, can) = (shared.device().pd(), shared.device().can);
    let (remote, local) = match access {
        Access::RemoteRead => (Rights::REMOTE_READ, Rights::NONE),
        Access::RemoteWrite => (Rights::REMOTE_WRITE, Rights::LOCAL_WRITE),
    };
    if can.windows
        && can.windows_are_tight()
        && let Some(region) = region_of(buf, pd)
    {
        return Ok((region.clone(), remote));
    }
    let rights = local | if can.windows { Rights::BIND } else { remote };
    // SAFETY: buffer and region stay together until the region is dropped, before the buffer goes to anybody.
    let region = unsafe { Mr::of_window(pd, buf, rights)? };
    Ok((Arc::new(region), remote))
}

fn open_region(
    shared: &Arc<Shared>,
    region: Arc<Mr>,
    rights: Rights,
    buf: IoBuf,
) -> Result<Box<dyn Opened>, (RdmaError, IoBuf)> {
    let Some(part) = element(&buf, 0..buf.len(), region.local_key()) else {
        return Err((RdmaError::Limit("one buffer"), buf));
    };
    let mut state = shared.lock();
    if let Err(error) = state.is_up() {
        return Err((error, buf));
    }
    let mut opening =
        Opening { window: None, region: Some(region.clone()), buf, live: true, parked: false, waits: None };
    let mut token = region.remote_key();
    if shared.device().can.windows {
        let window =
            match state.windows.spare.pop().map_or_else(|| Mw::new(shared.device().pd()).map(Arc::new), Ok) {
                Ok(window) => window,
                Err(error) => return Err((error, opening.buf)),
            };
        token = window.next_key();
        opening.window = Some(window.clone());
        let (address, len) = (part.address, u64::from(part.len));
        let operation = Operation::Bind { window, region, address, len, rights, key: token };
        // Requests are done in order: it is open before the peer hears of it.
        if let Err(error) = state.bind(operation) {
            return Err((error, opening.buf));
        }
    }
    state.windows.open.insert(token, opening);
    drop(state);
    let descriptors = vec![BufferDescriptor { offset: part.address, token, length: part.len }];
    Ok(Box::new(Handle { shared: shared.clone(), token, descriptors, taken: false }))
}

struct Handle {
    shared: Arc<Shared>,
    token: u32,
    descriptors: Vec<BufferDescriptor>,
    taken: bool,
}

impl Handle {
    async fn take_back(mut self) -> Result<IoBuf, RdmaError> {
        loop {
            let back = {
                let mut state = self.shared.lock();
                let dead = state.told;
                let back = state.windows.take_back(self.token, dead);
                if matches!(back, Back::Later(_)) {
                    state.invalidate(self.token)?;
                }
                back
            };
            match back {
                Back::Now(buf) => {
                    self.taken = true;
                    return Ok(buf);
                }
                Back::Never => return Err(RdmaError::Closed),
                // An error means that the connection ended, which is as good.
                Back::Later(is_shut) => drop(is_shut.await),
            }
        }
    }
}

impl Opened for Handle {
    fn descriptors(&self) -> &[BufferDescriptor] {
        &self.descriptors
    }

    fn reclaim(self: Box<Self>) -> BoxFuture<'static, Result<IoBuf, RdmaError>> {
        Box::pin(self.take_back())
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if !self.taken {
            let mut state = self.shared.lock();
            let dead = state.told;
            if dead {
                drop(state.windows.take_back(self.token, true));
            } else {
                state.windows.park(self.token);
            }
        }
    }
}
