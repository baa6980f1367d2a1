//! Open devices, and how one that is removed is let go.
//!
//! ```text
//!  open ─ enter ─▶ in use ─ all have left ─▶ open
//!    └────── lost ────┴─ lost, all have left ─▶ let go
//! ```
//! The kernel's removal of a device without hardware waits until nobody has it open, but librdmacm opens a device once for
//! a process and closes it at the earliest when it looks for another. So a thread for each open device hears of its
//! removal, and once nothing that maps the device's memory is left, its descriptors are made to lead nowhere. With that
//! the kernel ends what is left of us on the device, and the library finds the next one of that name by itself.

use super::{
    cm::{Id, Sentinel},
    device::Device,
    error::missing,
};
use crate::rdma::RdmaError;
use rdma_mummy_sys::{
    ibv_context, ibv_device, ibv_free_device_list, ibv_get_device_list, ibv_get_device_name,
    rdma_free_devices, rdma_get_devices,
};
use std::{
    ffi::CStr,
    fs::File,
    io,
    os::fd::AsRawFd,
    ptr::NonNull,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

/// The names of the devices there are. None of them is opened.
pub(super) fn names() -> Vec<String> {
    // SAFETY: the count may be null; returns null on failure, else a list that a null ends.
    let Some(list) = NonNull::new(unsafe { ibv_get_device_list(std::ptr::null_mut()) }) else {
        return Vec::new();
    };
    let mut names = Vec::new();
    let mut at: *mut *mut ibv_device = list.as_ptr();
    // SAFETY: `at` starts in the list and stops at the null that ends it; a device in the list lives as long as the list,
    // and so does its name, which is copied.
    unsafe {
        while let Some(device) = NonNull::new(*at) {
            let name = ibv_get_device_name(device.as_ptr());
            if !name.is_null() {
                names.push(CStr::from_ptr(name).to_string_lossy().into_owned());
            }
            at = at.add(1);
        }
        ibv_free_device_list(list.as_ptr());
    }
    names
}

/// What keeps a device open in the library.
enum Hold {
    /// Also hears of its removal.
    Sentinel(Sentinel),
    /// Where the address of a connection is of another device as well, which the sentinel would be bound to.
    Devices { _all: Devices },
}

/// The library's list of devices, all of which it keeps open.
struct Devices(NonNull<*mut ibv_context>);

impl Devices {
    /// The list, if it has that device: one that was removed it has not.
    fn with(raw: NonNull<ibv_context>) -> Result<Self, RdmaError> {
        let mut count = 0;
        // SAFETY: `count` is written during the call; returns null on failure.
        let list = NonNull::new(unsafe { rdma_get_devices(&mut count) }).map(Self).ok_or_else(missing)?;
        let count = usize::try_from(count).unwrap_or(0);
        // SAFETY: the library says that many are in its list, which lives as long as `list`.
        let all = unsafe { std::slice::from_raw_parts(list.0.as_ptr(), count) };
        if all.contains(&raw.as_ptr()) { Ok(list) } else { Err(RdmaError::DeviceRemoved) }
    }
}

impl Drop for Devices {
    fn drop(&mut self) {
        // SAFETY: from `rdma_get_devices`, freed once.
        unsafe { rdma_free_devices(self.0.as_ptr()) }
    }
}

/// A device that is kept open.
pub(super) struct Context {
    raw: NonNull<ibv_context>,
    hold: Hold,
    users: Mutex<Users>,
    /// What the descriptors of a device that is let go are replaced by. Open from the start, for then it may be too late.
    nothing: File,
}

#[derive(Default)]
struct Users {
    count: usize,
    lost: bool,
    let_go: bool,
}

// SAFETY: libibverbs may be called from any thread; the list of devices is owned and never looked at.
unsafe impl Send for Context {}
// SAFETY: as above.
unsafe impl Sync for Context {}

impl Context {
    /// The device that `id` is bound to, kept open, and watched from now on.
    pub(super) fn of(id: &Id) -> Result<Arc<Self>, RdmaError> {
        let raw = NonNull::new(id.context()).ok_or(RdmaError::NoDevice("the device is not open"))?;
        let sentinel = id.local().and_then(|at| Sentinel::at(at).ok());
        let hold = match sentinel.filter(|sentinel| sentinel.context() == raw.as_ptr()) {
            Some(sentinel) => Hold::Sentinel(sentinel),
            None => Hold::Devices { _all: Devices::with(raw)? },
        };
        let nothing = File::options().read(true).write(true).open("/dev/null");
        let nothing = nothing.map_err(|error| RdmaError::from(&error))?;
        let context = Arc::new(Self { raw, hold, users: Mutex::default(), nothing });
        if matches!(context.hold, Hold::Sentinel(_)) {
            let watched = context.clone();
            let thread = thread::Builder::new().name("rdma-device".to_owned());
            let thread = thread.spawn(move || watched.watch());
            thread.map_err(|error| RdmaError::from(&error))?;
        }
        Ok(context)
    }

    fn watch(&self) {
        let Hold::Sentinel(sentinel) = &self.hold else { return };
        match sentinel.removed() {
            Ok(()) => {
                tracing::debug!("an RDMA device was removed");
                Device::lost(self);
            }
            Err(error) => tracing::warn!(%error, "the removal of an RDMA device will not be heard of"),
        }
    }

    pub(super) fn as_ptr(&self) -> *mut ibv_context {
        self.raw.as_ptr()
    }

    fn users(&self) -> MutexGuard<'_, Users> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a use of the device's descriptors. They are the device's until it ends.
    pub(super) fn enter(self: &Arc<Self>) -> Result<Use, RdmaError> {
        let mut users = self.users();
        if users.lost {
            return Err(RdmaError::DeviceRemoved);
        }
        users.count += 1;
        Ok(Use(self.clone()))
    }

    /// The device was removed: it is entered no more, and let go when all have left.
    pub(super) fn lose(&self) {
        let mut users = self.users();
        users.lost = true;
        self.let_go_if_left(&mut users);
    }

    /// Whether the kernel has ended all that we had on the device.
    pub(super) fn is_let_go(&self) -> bool {
        self.users().let_go
    }

    fn let_go_if_left(&self, users: &mut Users) {
        if !users.lost || users.let_go || users.count > 0 {
            return;
        }
        users.let_go = true;
        // SAFETY: the hold keeps the device open, and so the context there.
        let (commands, events) = unsafe { (self.raw.as_ref().cmd_fd, self.raw.as_ref().async_fd) };
        for fd in [commands, events] {
            // SAFETY: both descriptors are the library's, which keeps them open until it closes the device; that it now
            // has another file behind them it finds out only by asking for what is gone.
            if unsafe { libc::dup3(self.nothing.as_raw_fd(), fd, libc::O_CLOEXEC) } < 0 {
                let error = io::Error::last_os_error();
                tracing::warn!(%error, "an RDMA device that was removed could not be let go");
            }
        }
    }
}

/// A use of a device, or an object that maps its memory.
pub(super) struct Use(Arc<Context>);

impl Drop for Use {
    fn drop(&mut self) {
        let mut users = self.0.users();
        users.count -= 1;
        self.0.let_go_if_left(&mut users);
    }
}
