//! A transport whose buffers are counted.

use smb_transport::{Buffers, Halves, IoBuf, LinkInfo, Memory, Transport};
use std::{
    any::Any,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Counts the buffers that a connection's user holds. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Meter {
    count: Arc<Count>,
}

#[derive(Debug, Default)]
struct Count {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Meter {
    /// Bytes in buffers that are in use now.
    pub fn now(&self) -> usize {
        self.count.now.load(Ordering::SeqCst)
    }

    /// The most there ever were.
    pub fn most(&self) -> usize {
        self.count.most.load(Ordering::SeqCst)
    }
}

/// A transport whose [`Buffers`] are counted. What it receives is not.
pub struct Metered<T> {
    /// What carries the messages.
    pub inner: T,
    /// What counts.
    pub meter: Meter,
}

impl<T: Transport> Transport for Metered<T> {
    fn info(&self) -> &LinkInfo {
        self.inner.info()
    }

    fn split(self: Box<Self>) -> Halves {
        let Self { inner, meter } = *self;
        let halves = Box::new(inner).split();
        let buffers = Arc::new(MeteredBuffers { inner: halves.buffers.clone(), meter });
        Halves { buffers, ..halves }
    }
}

struct MeteredBuffers {
    inner: Arc<dyn Buffers>,
    meter: Meter,
}

impl Buffers for MeteredBuffers {
    fn buffer(&self, len: usize) -> IoBuf {
        let buf = self.inner.buffer(len);
        let (window, size) = (buf.window(), buf.memory().bytes().len());
        let now = self.meter.count.now.fetch_add(size, Ordering::SeqCst) + size;
        self.meter.count.most.fetch_max(now, Ordering::SeqCst);
        let whole = Counted { buf: whole(buf), meter: self.meter.clone(), size };
        IoBuf::new(Box::new(whole), window)
    }
}

/// The buffer with its window over all of its memory.
fn whole(mut buf: IoBuf) -> IoBuf {
    let (front, back) = (buf.head_room(), buf.tail_room());
    let len = buf.len() + back;
    buf.set_len(len).expect("its own memory");
    buf.grow_front(front).expect("its own memory");
    buf
}

struct Counted {
    buf: IoBuf,
    meter: Meter,
    size: usize,
}

impl Memory for Counted {
    fn bytes(&self) -> &[u8] {
        &self.buf
    }
    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.buf
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.meter.count.now.fetch_sub(self.size, Ordering::SeqCst);
    }
}
