//! The connection manager: event channels, events and ids.

use super::{
    error::{checked, event, io_error, last, missing},
    fd::{Steady, set_nonblocking, watch},
};
use crate::rdma::{Depths, RdmaError};
use rdma_mummy_sys::{
    rdma_accept, rdma_ack_cm_event, rdma_bind_addr, rdma_cm_event, rdma_cm_event_type::*, rdma_cm_id,
    rdma_conn_param, rdma_connect, rdma_create_event_channel, rdma_create_id, rdma_destroy_event_channel,
    rdma_destroy_id, rdma_disconnect, rdma_event_channel, rdma_get_cm_event, rdma_listen, rdma_migrate_id,
    rdma_port_space::RDMA_PS_TCP, rdma_reject, rdma_resolve_addr, rdma_resolve_route, rdma_set_option,
};
use socket2::SockAddr;
use std::{
    io,
    net::SocketAddr,
    os::fd::{AsRawFd, RawFd},
    ptr::{self, NonNull},
};
use tokio::io::unix::AsyncFd;

/// Milliseconds to find out where an address leads.
const RESOLVE_MS: i32 = 3000;
const RDMA_OPTION_ID: i32 = 0;
const RDMA_OPTION_ID_ACK_TIMEOUT: i32 = 3;
/// 4.096 µs × 2^16 = 0.27 s until a packet goes again; with [`RETRIES`] a peer that is gone shows within 3 s.
const ACK_TIMEOUT: u8 = 16;
const RETRIES: u8 = 7;

struct EventChannel(NonNull<rdma_event_channel>);

// SAFETY: librdmacm may be called from any thread; the pointer is owned.
unsafe impl Send for EventChannel {}
// SAFETY: as above; events are taken under the library's own lock.
unsafe impl Sync for EventChannel {}

impl EventChannel {
    /// One whose events are waited for in the thread that takes them.
    fn blocking() -> Result<Self, RdmaError> {
        // SAFETY: takes no arguments; returns null on failure.
        let channel = unsafe { rdma_create_event_channel() };
        Ok(Self(NonNull::new(channel).ok_or_else(missing)?))
    }

    fn new() -> Result<Self, RdmaError> {
        let channel = Self::blocking()?;
        set_nonblocking(channel.as_raw_fd()).map_err(|error| io_error(&error))?;
        Ok(channel)
    }

    /// The next event, if there is one.
    fn take(&self) -> Result<Option<Event>, RdmaError> {
        let mut raw = ptr::null_mut();
        // SAFETY: the channel lives; `raw` is written where 0 is returned.
        if unsafe { rdma_get_cm_event(self.0.as_ptr(), &mut raw) } != 0 {
            let error = io::Error::last_os_error();
            return if error.kind() == io::ErrorKind::WouldBlock { Ok(None) } else { Err(io_error(&error)) };
        }
        // SAFETY: the event is valid until it is acknowledged, which happens below.
        let event = unsafe { Event::copy(&*raw) };
        // SAFETY: `raw` came from `rdma_get_cm_event` and is acknowledged once.
        unsafe { rdma_ack_cm_event(raw) };
        Ok(Some(event))
    }
}

impl AsRawFd for EventChannel {
    fn as_raw_fd(&self) -> RawFd {
        // SAFETY: the channel lives as long as `self`.
        unsafe { self.0.as_ref().fd }
    }
}

// SAFETY: the descriptor is the channel's, which is destroyed when this is dropped.
unsafe impl Steady for EventChannel {}

impl Drop for EventChannel {
    fn drop(&mut self) {
        // SAFETY: owned, and ids on it are destroyed before it (`Id` holds both, in that order).
        unsafe { rdma_destroy_event_channel(self.0.as_ptr()) }
    }
}

/// What happened to an id.
pub(super) struct Event {
    pub(super) kind: rdma_mummy_sys::rdma_cm_event_type::Type,
    pub(super) status: i32,
    /// With a connection request, the id of the new connection.
    pub(super) request: Option<RawId>,
    pub(super) private_data: Vec<u8>,
    /// Of the peer.
    pub(super) depths: Depths,
}

impl Event {
    /// # Safety
    /// `raw` is an event that has not been acknowledged.
    pub(super) unsafe fn copy(raw: &rdma_cm_event) -> Self {
        let about_connection = matches!(
            raw.event,
            RDMA_CM_EVENT_CONNECT_REQUEST | RDMA_CM_EVENT_CONNECT_RESPONSE | RDMA_CM_EVENT_ESTABLISHED
        );
        let mut event = Self {
            kind: raw.event,
            status: raw.status,
            request: None,
            private_data: Vec::new(),
            depths: Depths { initiator: 0, responder: 0 },
        };
        if raw.event == RDMA_CM_EVENT_CONNECT_REQUEST {
            event.request = NonNull::new(raw.id).map(RawId);
        }
        if about_connection {
            // SAFETY: these events of a connected service carry `conn`.
            let conn = unsafe { raw.param.conn };
            // What the recipient may initiate is what the peer serves, and the other way round.
            event.depths = Depths { initiator: conn.responder_resources, responder: conn.initiator_depth };
            if !conn.private_data.is_null() {
                let (data, len) = (conn.private_data.cast::<u8>(), usize::from(conn.private_data_len));
                // SAFETY: the library says that `len` bytes are there until the event is acknowledged.
                event.private_data = unsafe { std::slice::from_raw_parts(data, len) }.to_vec();
            }
        }
        event
    }

    /// What it means where it was not hoped for.
    pub(super) fn error(&self) -> RdmaError {
        event(self.kind, self.status)
    }
}

/// An id, destroyed when dropped.
pub(super) struct RawId(NonNull<rdma_cm_id>);

// SAFETY: librdmacm may be called from any thread; the pointer is owned.
unsafe impl Send for RawId {}
// SAFETY: as above; the fields we read are set before the id is shared.
unsafe impl Sync for RawId {}

impl RawId {
    /// An id that tells its events on that channel, which must outlive it.
    fn on(channel: &EventChannel) -> Result<Self, RdmaError> {
        let mut raw = ptr::null_mut();
        // SAFETY: the channel lives; `raw` is written where 0 is returned; no context is attached.
        checked(unsafe { rdma_create_id(channel.0.as_ptr(), &mut raw, ptr::null_mut(), RDMA_PS_TCP) })?;
        NonNull::new(raw).map(Self).ok_or_else(last)
    }

    fn bind(&self, at: SocketAddr) -> Result<(), RdmaError> {
        let at = SockAddr::from(at);
        // SAFETY: the id lives; the address is valid for the call, which only reads it.
        checked(unsafe { rdma_bind_addr(self.0.as_ptr(), at.as_ptr().cast_mut().cast()) })
    }

    /// The open device the id is bound to; null where it is not.
    fn context(&self) -> *mut rdma_mummy_sys::ibv_context {
        // SAFETY: the id lives; the field is set when the address was bound or resolved, before we read it.
        unsafe { (*self.0.as_ptr()).verbs }
    }
}

impl Drop for RawId {
    fn drop(&mut self) {
        // SAFETY: owned; its queue pair is destroyed (`Qp` holds the id) and its events are acknowledged.
        unsafe { rdma_destroy_id(self.0.as_ptr()) };
    }
}

/// Whether the connection manager can be reached.
pub(super) fn is_there() -> Result<(), RdmaError> {
    EventChannel::blocking().map(drop)
}

/// An id that connects nothing. It keeps a device open in the library, and hears of its removal.
pub(super) struct Sentinel {
    // Before the channel: it is destroyed first.
    raw: RawId,
    events: EventChannel,
}

impl Sentinel {
    /// On the device that has that address.
    pub(super) fn at(mut at: SocketAddr) -> Result<Self, RdmaError> {
        at.set_port(0);
        let events = EventChannel::blocking()?;
        let raw = RawId::on(&events)?;
        raw.bind(at)?;
        Ok(Self { raw, events })
    }

    pub(super) fn context(&self) -> *mut rdma_mummy_sys::ibv_context {
        self.raw.context()
    }

    /// Blocks until the device is removed.
    pub(super) fn removed(&self) -> Result<(), RdmaError> {
        loop {
            match self.events.take() {
                Ok(Some(event)) if event.kind == RDMA_CM_EVENT_DEVICE_REMOVAL => return Ok(()),
                Ok(_) | Err(RdmaError::Io { kind: io::ErrorKind::Interrupted, .. }) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// An id with an event channel of its own.
pub(super) struct Id {
    // Before the channel: it is destroyed first.
    raw: RawId,
    events: AsyncFd<EventChannel>,
}

fn watched(channel: EventChannel) -> Result<AsyncFd<EventChannel>, RdmaError> {
    watch(channel).map_err(|(_, error)| io_error(&error))
}

impl Id {
    pub(super) fn new() -> Result<Self, RdmaError> {
        let channel = EventChannel::new()?;
        let raw = RawId::on(&channel)?;
        Ok(Self { raw, events: watched(channel)? })
    }

    /// Gives the id of a connection request a channel of its own.
    pub(super) fn adopt(raw: RawId) -> Result<Self, RdmaError> {
        let channel = EventChannel::new()?;
        // SAFETY: both live, and no event of the id is waiting to be acknowledged by us.
        checked(unsafe { rdma_migrate_id(raw.0.as_ptr(), channel.0.as_ptr()) })?;
        Ok(Self { raw, events: watched(channel)? })
    }

    pub(super) fn as_ptr(&self) -> *mut rdma_cm_id {
        self.raw.0.as_ptr()
    }

    /// The next event. Cancel-safe.
    pub(super) async fn event(&self) -> Result<Event, RdmaError> {
        loop {
            let mut ready = self.events.readable().await.map_err(|error| io_error(&error))?;
            match self.events.get_ref().take()? {
                Some(event) => return Ok(event),
                None => ready.clear_ready(),
            }
        }
    }

    /// Waits for the event `kind`; any other is an error.
    pub(super) async fn expect(
        &self,
        kind: rdma_mummy_sys::rdma_cm_event_type::Type,
    ) -> Result<Event, RdmaError> {
        let event = self.event().await?;
        if event.kind == kind && event.status == 0 { Ok(event) } else { Err(event.error()) }
    }

    pub(super) fn resolve_address(&self, to: SocketAddr) -> Result<(), RdmaError> {
        let to = SockAddr::from(to);
        // SAFETY: the id lives; the address is valid for the call, which only reads it.
        checked(unsafe {
            rdma_resolve_addr(self.as_ptr(), ptr::null_mut(), to.as_ptr().cast_mut().cast(), RESOLVE_MS)
        })
    }

    pub(super) fn resolve_route(&self) -> Result<(), RdmaError> {
        // SAFETY: the id lives.
        checked(unsafe { rdma_resolve_route(self.as_ptr(), RESOLVE_MS) })
    }

    /// Shortens the time until a peer that is gone is noticed. Only some fabrics have it, so it may fail.
    pub(super) fn hurry(&self) {
        let mut timeout = ACK_TIMEOUT;
        // SAFETY: the id lives; the option is one byte, which is read during the call.
        unsafe {
            rdma_set_option(
                self.as_ptr(),
                RDMA_OPTION_ID,
                RDMA_OPTION_ID_ACK_TIMEOUT,
                ptr::from_mut(&mut timeout).cast(),
                size_of::<u8>(),
            )
        };
    }

    pub(super) fn listen(&self, at: SocketAddr, backlog: i32) -> Result<(), RdmaError> {
        self.raw.bind(at)?;
        // SAFETY: the id lives and is bound.
        checked(unsafe { rdma_listen(self.as_ptr(), backlog) })
    }

    pub(super) fn connect(&self, depths: Depths, private_data: &[u8]) -> Result<(), RdmaError> {
        let mut param = parameters(depths, private_data)?;
        // SAFETY: the id lives; the parameters and what they point to are read during the call.
        checked(unsafe { rdma_connect(self.as_ptr(), &mut param) })
    }

    pub(super) fn accept(&self, depths: Depths, private_data: &[u8]) -> Result<(), RdmaError> {
        let mut param = parameters(depths, private_data)?;
        // SAFETY: the id lives; the parameters and what they point to are read during the call.
        checked(unsafe { rdma_accept(self.as_ptr(), &mut param) })
    }

    pub(super) fn reject(&self, private_data: &[u8]) {
        let len = u8::try_from(private_data.len()).unwrap_or(0);
        // SAFETY: the id lives; `len` bytes are read during the call.
        unsafe { rdma_reject(self.as_ptr(), private_data.as_ptr().cast(), len) };
    }

    /// Ends the connection. Also answers a peer that has ended it.
    pub(super) fn disconnect(&self) {
        // SAFETY: the id lives. On a connection that is gone it fails, which is as good.
        unsafe { rdma_disconnect(self.as_ptr()) };
    }

    pub(super) fn local(&self) -> Option<SocketAddr> {
        // SAFETY: the id lives; the union is plain bytes that the library initialized with zeros.
        address(unsafe { ptr::from_ref(&(*self.as_ptr()).route.addr.src_addr_union.src_storage) })
    }

    pub(super) fn peer(&self) -> Option<SocketAddr> {
        // SAFETY: as in `local`.
        address(unsafe { ptr::from_ref(&(*self.as_ptr()).route.addr.dst_addr_union.dst_storage) })
    }

    /// The open device the id is bound to; null where it is not.
    pub(super) fn context(&self) -> *mut rdma_mummy_sys::ibv_context {
        self.raw.context()
    }

    pub(super) fn port(&self) -> u8 {
        // SAFETY: as in `context`.
        unsafe { (*self.as_ptr()).port_num }
    }
}

fn parameters(depths: Depths, private_data: &[u8]) -> Result<rdma_conn_param, RdmaError> {
    Ok(rdma_conn_param {
        private_data: private_data.as_ptr().cast(),
        private_data_len: u8::try_from(private_data.len()).map_err(|_| RdmaError::Limit("private data"))?,
        responder_resources: depths.responder,
        initiator_depth: depths.initiator,
        flow_control: 1,
        retry_count: RETRIES,
        // Credits see to it that receives are there: a message that meets none breaks the rules.
        rnr_retry_count: 0,
        srq: 0,
        qp_num: 0,
    })
}

pub(super) fn address(storage: *const libc::sockaddr_storage) -> Option<SocketAddr> {
    // SAFETY: both are a `sockaddr_storage`; all of it is copied, and its length is said.
    let (_, address) = unsafe {
        SockAddr::try_init(|to, len| {
            ptr::copy_nonoverlapping(
                storage.cast::<u8>(),
                to.cast::<u8>(),
                size_of::<libc::sockaddr_storage>(),
            );
            *len = libc::socklen_t::try_from(size_of::<libc::sockaddr_storage>()).unwrap_or(0);
            Ok(())
        })
    }
    .ok()?;
    address.as_socket()
}
