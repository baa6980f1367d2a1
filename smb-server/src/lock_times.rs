//! How long the locks of the core are held: what the bench of channels asks. Only there with the feature `lock-times`.

use std::{
    ops::{Deref, DerefMut},
    sync::{
        MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

static HELD: AtomicU64 = AtomicU64::new(0);
static TAKEN: AtomicU64 = AtomicU64::new(0);

/// How long the locks of the core were held since the process began, all together, and how often they were taken.
pub fn lock_times() -> (Duration, u64) {
    (Duration::from_nanos(HELD.load(Ordering::Relaxed)), TAKEN.load(Ordering::Relaxed))
}

/// A lock that is held, and since when.
pub(crate) struct Timed<'a, T: ?Sized> {
    guard: MutexGuard<'a, T>,
    since: Instant,
}

impl<'a, T: ?Sized> Timed<'a, T> {
    pub(crate) fn new(guard: MutexGuard<'a, T>) -> Self {
        Self { guard, since: Instant::now() }
    }
}

impl<T: ?Sized> Deref for Timed<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T: ?Sized> DerefMut for Timed<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}

impl<T: ?Sized> Drop for Timed<'_, T> {
    fn drop(&mut self) {
        let held = u64::try_from(self.since.elapsed().as_nanos()).unwrap_or(u64::MAX);
        HELD.fetch_add(held, Ordering::Relaxed);
        TAKEN.fetch_add(1, Ordering::Relaxed);
    }
}
