//! How much memory a target uses: libFuzzer sees only what the whole process holds.
#![allow(unsafe_code)] // An allocator is an unsafe trait; this one hands every call on to the system's.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;
static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

fn grow(bytes: usize) {
    PEAK.fetch_max(LIVE.fetch_add(bytes, Relaxed) + bytes, Relaxed);
}

// SAFETY: only counts; layout and pointer reach `System` as they came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        grow(size);
        LIVE.fetch_sub(layout.size(), Relaxed);
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Runs `subject` and panics where it held more than `limit` bytes at a time.
pub fn within<T>(limit: usize, subject: impl FnOnce() -> T) -> T {
    let before = LIVE.load(Relaxed);
    PEAK.store(before, Relaxed);
    let out = subject();
    let used = PEAK.load(Relaxed).saturating_sub(before);
    assert!(used <= limit, "held {used} bytes, {limit} were allowed");
    out
}

/// What reading `input` bytes may hold: a structure may be some times as large as its bytes on the wire (a directory
/// entry of 12 bytes), and the vectors of a list double as they grow.
pub const fn for_input(input: usize) -> usize {
    4096 + 128 * input
}
