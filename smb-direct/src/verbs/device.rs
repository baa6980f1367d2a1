//! Devices with connections, and the protection domain of each.

use super::{
    cm::Id,
    context::{Context, Use},
    error::{io_error, last, made},
    fd::{set_nonblocking, watch},
    pair::Shared,
    pool::RegisteredPool,
};
use crate::rdma::{Quirks, RdmaError};
use rdma_mummy_sys::{
    ibv_ack_async_event, ibv_alloc_pd, ibv_async_event, ibv_dealloc_pd, ibv_device_attr,
    ibv_device_cap_flags, ibv_event_type, ibv_get_async_event, ibv_pd, ibv_port_attr, ibv_query_device,
    ibv_query_port, ibv_transport_type, ibv_wc_flags,
};
use std::{
    io,
    mem::MaybeUninit,
    os::fd::{BorrowedFd, OwnedFd},
    ptr::{self, NonNull},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};
use tokio::io::unix::AsyncFd;

/// Devices that were used, each open since; with what we made on it while there are connections. One for a process,
/// however many providers there are: the library opens a device once, and its events reach whoever asks first.
static DEVICES: Mutex<Vec<Known>> = Mutex::new(Vec::new());

struct Known {
    context: Arc<Context>,
    device: Weak<Device>,
}

fn known() -> MutexGuard<'static, Vec<Known>> {
    DEVICES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A protection domain: what is registered in it, the queue pairs of it may use.
pub(super) struct Pd {
    raw: NonNull<ibv_pd>,
    context: Arc<Context>,
}

// SAFETY: libibverbs may be called from any thread.
unsafe impl Send for Pd {}
// SAFETY: as above.
unsafe impl Sync for Pd {}

impl Pd {
    fn new(context: Arc<Context>) -> Result<Self, RdmaError> {
        let _using = context.enter()?;
        // SAFETY: the context is open; returns null on failure.
        let raw = made(|| unsafe { ibv_alloc_pd(context.as_ptr()) })?;
        Ok(Self { raw, context })
    }

    pub(super) fn as_ptr(&self) -> *mut ibv_pd {
        self.raw.as_ptr()
    }

    pub(super) fn context(&self) -> &Arc<Context> {
        &self.context
    }
}

impl Drop for Pd {
    fn drop(&mut self) {
        // SAFETY: owned; what was made in it holds it, and so is gone.
        unsafe { ibv_dealloc_pd(self.raw.as_ptr()) };
    }
}

/// What a device can do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Abilities {
    /// It speaks iWARP: the target of an RDMA read must be open to remote writes.
    pub(super) iwarp: bool,
    /// It has memory windows of type 2, which a peer may invalidate.
    pub(super) windows: bool,
    /// It sends with invalidation.
    pub(super) invalidates: bool,
    /// Requests of one queue.
    pub(super) queue: usize,
    /// Completions of one queue.
    pub(super) completions: usize,
    /// Elements of one gather list.
    pub(super) gather: usize,
    /// Reads under way that we begin, and that we serve.
    pub(super) reads: (u8, u8),
    /// The longest memory region.
    pub(super) region: usize,
    make: Make,
}

/// Whose device it is, where that makes a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Make {
    SoftRoce,
    SoftIwarp,
    Other,
}

impl Make {
    fn of(vendor: u32) -> Self {
        match vendor {
            0x00FF_FFFF => Self::SoftRoce,
            0x0062_6D74 => Self::SoftIwarp,
            _ => Self::Other,
        }
    }
}

impl Abilities {
    /// Whether a window allows no more than was bound. Soft RoCE checks against the region behind it only.
    pub(super) fn windows_are_tight(&self) -> bool {
        self.make != Make::SoftRoce
    }

    /// The flag of a completion that says that the message invalidated a key. Soft RoCE sets the kernel's, which has
    /// another value than the library's and there means something that reliable connections do not have.
    pub(super) fn invalidation_flag(&self) -> u32 {
        match self.make {
            Make::SoftRoce => ibv_wc_flags::IBV_WC_IP_CSUM_OK.0,
            Make::SoftIwarp | Make::Other => ibv_wc_flags::IBV_WC_WITH_INV.0,
        }
    }

    /// Whether what is sent first may lie unnoticed at the peer until more arrives. Soft iWARP answers a request to connect
    /// before it has itself told of what arrives.
    pub(super) fn misses_the_first(&self) -> bool {
        self.make == Make::SoftIwarp
    }

    /// iWARP refuses by a message that not every device passes on, and soft iWARP checks no reads.
    pub(super) fn quirks(&self) -> Quirks {
        Quirks { silent_refusals: self.iwarp, unchecked_reads: self.make == Make::SoftIwarp }
    }
}

/// What a port can do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Port {
    /// Bytes of the longest message.
    pub(super) message: usize,
    /// Bits per second.
    pub(super) speed: Option<u64>,
}

/// An open device with its protection domain and its pool of registered memory.
pub(super) struct Device {
    context: Arc<Context>,
    pd: Arc<Pd>,
    pub(super) can: Abilities,
    pool: RegisteredPool,
    pairs: Mutex<Vec<Weak<Shared>>>,
}

impl Device {
    /// The device an id is bound to.
    pub(super) fn of(id: &Id) -> Result<Arc<Self>, RdmaError> {
        let mut devices = known();
        let raw = id.context();
        let open = devices.iter_mut().find(|known| known.context.as_ptr() == raw);
        if let Some(device) = open.as_ref().and_then(|known| known.device.upgrade()) {
            return Ok(device);
        }
        let context = open.as_ref().map_or_else(|| Context::of(id), |known| Ok(known.context.clone()))?;
        let device = Self::new(context.clone())?;
        let weak = Arc::downgrade(&device);
        match open {
            Some(known) => known.device = weak,
            None => devices.push(Known { context, device: weak }),
        }
        Ok(device)
    }

    fn new(context: Arc<Context>) -> Result<Arc<Self>, RdmaError> {
        let _using = context.enter()?;
        // SAFETY: the context is open.
        let events = unsafe { (*context.as_ptr()).async_fd };
        set_nonblocking(events).map_err(|error| io_error(&error))?;
        let can = abilities(&context)?;
        let pd = Arc::new(Pd::new(context.clone())?);
        let pool = RegisteredPool::new(pd.clone(), can.windows);
        Ok(Arc::new(Self { context, pd, can, pool, pairs: Mutex::default() }))
    }

    /// A device was removed.
    pub(super) fn lost(context: &Context) {
        context.lose();
        let mut devices = known();
        let at = devices.iter().position(|known| known.context.as_ptr() == context.as_ptr());
        let known = at.map(|at| devices.swap_remove(at));
        drop(devices);
        if let Some(device) = known.and_then(|known| known.device.upgrade()) {
            device.spread(News { concerns: Concerns::All, error: RdmaError::DeviceRemoved });
        }
    }

    /// The device was removed.
    pub(super) fn removed(&self) {
        Self::lost(&self.context);
    }

    pub(super) fn pd(&self) -> &Arc<Pd> {
        &self.pd
    }

    pub(super) fn pool(&self) -> &RegisteredPool {
        &self.pool
    }

    fn pairs(&self) -> MutexGuard<'_, Vec<Weak<Shared>>> {
        self.pairs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells `pair` what happens to the device.
    pub(super) fn watch(&self, pair: &Arc<Shared>) {
        let mut pairs = self.pairs();
        pairs.retain(|pair| pair.strong_count() > 0);
        pairs.push(Arc::downgrade(pair));
    }

    /// Rings when something has happened to the device.
    pub(super) fn bell(&self) -> Result<Bell, RdmaError> {
        let using = self.context.enter()?;
        // SAFETY: the context is open as long as `self`, and its descriptor with it; it is duplicated here.
        let fd = unsafe { BorrowedFd::borrow_raw((*self.context.as_ptr()).async_fd) };
        let fd = fd.try_clone_to_owned().map_err(|error| io_error(&error))?;
        Ok(Bell { fd: watch(fd).map_err(|(_, error)| io_error(&error))?, _using: using })
    }

    /// Takes what has happened to the device and tells it to those whom it concerns.
    pub(super) fn spread_news(&self) {
        loop {
            match self.take_news() {
                Ok(Some(news)) => self.spread(news),
                Ok(None) => return,
                Err(error) => return self.spread(News { concerns: Concerns::All, error }),
            }
        }
    }

    fn spread(&self, news: News) {
        let pairs: Vec<_> = self.pairs().iter().filter_map(Weak::upgrade).collect();
        for pair in pairs {
            let concerned = match news.concerns {
                Concerns::All => true,
                Concerns::Port(port) => pair.names.port == port,
                Concerns::QueuePair(number) => pair.names.number == number,
                Concerns::Completions(queue) => pair.names.completions == queue,
                Concerns::Nobody => false,
            };
            if concerned {
                pair.fail(news.error);
            }
        }
    }

    fn take_news(&self) -> Result<Option<News>, RdmaError> {
        let mut event = MaybeUninit::<ibv_async_event>::uninit();
        // SAFETY: the context is open; `event` is written where 0 is returned.
        if unsafe { ibv_get_async_event(self.context.as_ptr(), event.as_mut_ptr()) } != 0 {
            let error = io::Error::last_os_error();
            return if error.kind() == io::ErrorKind::WouldBlock { Ok(None) } else { Err(io_error(&error)) };
        }
        // SAFETY: written above. The kind is read as a number, for it may be newer than the enumeration; objects that are
        // named cannot be destroyed before the event is acknowledged.
        let news = unsafe {
            let kind = ptr::addr_of!((*event.as_ptr()).event_type).cast::<u32>().read();
            let news = News::of(kind, ptr::addr_of!((*event.as_ptr()).element));
            ibv_ack_async_event(event.as_mut_ptr());
            news
        };
        Ok(Some(news))
    }

    /// What a port can do.
    pub(super) fn port(&self, number: u8) -> Result<Port, RdmaError> {
        let _using = self.context.enter()?;
        let mut port = MaybeUninit::<ibv_port_attr>::zeroed();
        // SAFETY: the context is open; zeros are a valid value of plain numbers, and the call fills in what it knows.
        let port = unsafe {
            if ibv_query_port(self.context.as_ptr(), number, port.as_mut_ptr()) != 0 {
                return Err(last());
            }
            port.assume_init()
        };
        let speed =
            lane_speed(port.active_speed).zip(lanes(port.active_width)).map(|(speed, lanes)| speed * lanes);
        Ok(Port { message: usize::try_from(port.max_msg_sz).unwrap_or(usize::MAX), speed })
    }
}

/// Tells when something has happened to a device.
pub(super) struct Bell {
    // Before the use of what it is a copy of.
    fd: AsyncFd<OwnedFd>,
    _using: Use,
}

impl Bell {
    /// Resolves when something has happened, after `then`. Cancel-safe.
    pub(super) async fn rung(&self, then: impl FnOnce()) {
        match self.fd.readable().await {
            Ok(mut ready) => {
                then();
                ready.clear_ready();
            }
            // The runtime ends, and the task with it.
            Err(_) => std::future::pending().await,
        }
    }
}

fn abilities(context: &Context) -> Result<Abilities, RdmaError> {
    let mut attributes = MaybeUninit::<ibv_device_attr>::zeroed();
    // SAFETY: the context is open; zeros are a valid value of plain numbers, and the call fills in what it knows.
    let (attributes, transport) = unsafe {
        if ibv_query_device(context.as_ptr(), attributes.as_mut_ptr()) != 0 {
            return Err(last());
        }
        (attributes.assume_init(), (*(*context.as_ptr()).device).transport_type)
    };
    let count = |value: i32| usize::try_from(value).unwrap_or(0);
    let depth = |value: i32| u8::try_from(value.clamp(1, i32::from(u8::MAX))).unwrap_or(1);
    let has = |flag: ibv_device_cap_flags| attributes.device_cap_flags & flag.0 != 0;
    Ok(Abilities {
        iwarp: transport == ibv_transport_type::IBV_TRANSPORT_IWARP,
        windows: has(ibv_device_cap_flags::IBV_DEVICE_MEM_WINDOW_TYPE_2A)
            || has(ibv_device_cap_flags::IBV_DEVICE_MEM_WINDOW_TYPE_2B),
        invalidates: has(ibv_device_cap_flags::IBV_DEVICE_MEM_MGT_EXTENSIONS),
        queue: count(attributes.max_qp_wr),
        completions: count(attributes.max_cqe),
        gather: count(attributes.max_sge),
        reads: (depth(attributes.max_qp_init_rd_atom), depth(attributes.max_qp_rd_atom)),
        region: usize::try_from(attributes.max_mr_size).unwrap_or(usize::MAX),
        make: Make::of(attributes.vendor_id),
    })
}

/// Bits per second of one lane, by the numbers of InfiniBand.
fn lane_speed(code: u8) -> Option<u64> {
    let tenths = match code {
        1 => 25,
        2 => 50,
        4 | 8 => 100,
        16 => 140,
        32 => 250,
        64 => 500,
        128 => 1000,
        _ => return None,
    };
    Some(tenths * 100_000_000)
}

fn lanes(code: u8) -> Option<u64> {
    match code {
        1 => Some(1),
        2 => Some(4),
        4 => Some(8),
        8 => Some(12),
        16 => Some(2),
        _ => None,
    }
}

/// Something that happened to a device.
pub(super) struct News {
    pub(super) concerns: Concerns,
    pub(super) error: RdmaError,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Concerns {
    All,
    Port(u8),
    QueuePair(u32),
    Completions(usize),
    Nobody,
}

impl News {
    /// # Safety
    /// `element` is of an event of this kind that has not been acknowledged.
    pub(super) unsafe fn of(kind: u32, element: *const rdma_mummy_sys::ibv_async_event_element_t) -> Self {
        use ibv_event_type::*;
        let is = |known: ibv_event_type| kind == number(known);
        // SAFETY: events of a queue pair name one.
        let pair = || Concerns::QueuePair(unsafe { (*(*element).qp).qp_num });
        // SAFETY: events of a port name one, which is a number.
        let port = || Concerns::Port(u8::try_from(unsafe { (*element).port_num }).unwrap_or(0));
        if is(IBV_EVENT_QP_ACCESS_ERR) {
            return Self {
                concerns: pair(),
                error: RdmaError::RemoteAccess("of the peer, to memory of ours"),
            };
        }
        if is(IBV_EVENT_QP_FATAL) || is(IBV_EVENT_QP_REQ_ERR) {
            return Self { concerns: pair(), error: RdmaError::Failed("an error of the queue pair") };
        }
        if is(IBV_EVENT_CQ_ERR) {
            // SAFETY: the event names a completion queue; only its address is of interest.
            let queue = unsafe { (*element).cq }.addr();
            let error = RdmaError::Limit("the completion queue overran");
            return Self { concerns: Concerns::Completions(queue), error };
        }
        if is(IBV_EVENT_PORT_ERR) {
            return Self { concerns: port(), error: RdmaError::PortDown };
        }
        let concerns = if is(IBV_EVENT_DEVICE_FATAL) { Concerns::All } else { Concerns::Nobody };
        Self { concerns, error: RdmaError::DeviceRemoved }
    }
}

#[allow(clippy::as_conversions, reason = "the number of an enumerator of C")]
pub(super) fn number(kind: ibv_event_type) -> u32 {
    kind as u32
}
