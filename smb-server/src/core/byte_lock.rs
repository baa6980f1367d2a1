//! Byte-range locks — [MS-SMB2] 3.3.5.14, [MS-FSA] 2.1.4.10, 2.1.5.8, 2.1.5.9.
//!
//! ```text
//!   lock ──▶ Held ── unlock, end ──▶ (gone) ──▶ those that wait are tried, the first first
//!     │ conflict
//!     └─ wait ──▶ Waiting ── granted ──▶ Held
//!                    │ dropped (CANCEL)          ──▶ (gone)
//!                    └ end of the open           ──▶ STATUS_RANGE_NOT_LOCKED
//! ```

use super::{lock, share_mode::Key};
use smb_proto::status::NtStatus;
use std::{
    collections::{HashMap, VecDeque},
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

const SHARDS: usize = 16;
/// Locks of one file, those that wait included. Each request looks at all of them.
const MOST_PER_FILE: usize = 8192;

/// Bytes of a file. One of no length lies between two bytes, and conflicts only with what covers both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The first byte.
    pub offset: u64,
    /// How many.
    pub length: u64,
}

impl Range {
    /// STATUS_INVALID_LOCK_RANGE where the last byte's number is beyond 64 bits.
    pub fn checked(offset: u64, length: u64) -> Result<Self, NtStatus> {
        if length != 0 && offset.checked_add(length - 1).is_none() {
            return Err(NtStatus::INVALID_LOCK_RANGE);
        }
        Ok(Self { offset, length })
    }

    fn end(self) -> u128 {
        u128::from(self.offset) + u128::from(self.length)
    }

    fn overlaps(self, other: Self) -> bool {
        let same = self == other && self.length != 0;
        same || (u128::from(self.offset) < other.end() && u128::from(other.offset) < self.end())
    }
}

/// A lock that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// The bytes.
    pub range: Range,
    /// Nobody else may lock them; else others may share them.
    pub exclusive: bool,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    owner: u64,
    wanted: Wanted,
}

impl Held {
    /// Whether it is in the way of another lock. An open may share what it holds exclusively.
    fn excludes(&self, owner: u64, wanted: Wanted) -> bool {
        let either = self.wanted.exclusive || wanted.exclusive;
        let own = self.owner == owner && !wanted.exclusive;
        either && !own && self.wanted.range.overlaps(wanted.range)
    }

    /// Whether it is in the way of reading or writing. A shared lock keeps its own open from writing, too.
    fn hinders(&self, owner: u64, range: Range, write: bool) -> bool {
        let hinders = if self.wanted.exclusive { self.owner != owner } else { write };
        hinders && self.wanted.range.overlaps(range)
    }
}

#[derive(Debug)]
struct Waiter {
    ticket: u64,
    lock: Held,
    waker: Option<Waker>,
}

#[derive(Debug, Default)]
struct File {
    held: Vec<Held>,
    waiting: VecDeque<Waiter>,
    /// What was given up and nobody who waits was tried for yet.
    freed: Vec<Range>,
}

impl File {
    fn grant(&mut self, lock: Held) -> Result<(), NtStatus> {
        if self.held.iter().any(|held| held.excludes(lock.owner, lock.wanted)) {
            return Err(NtStatus::LOCK_NOT_GRANTED);
        }
        if self.held.len() + self.waiting.len() >= MOST_PER_FILE {
            return Err(NtStatus::INSUFFICIENT_RESOURCES);
        }
        self.held.push(lock);
        Ok(())
    }

    /// Gives one lock up: of several on the range, an exclusive one first.
    fn unlock(&mut self, owner: u64, range: Range) -> bool {
        let place = |exclusive| {
            self.held.iter().position(|held| {
                held.owner == owner && held.wanted.range == range && held.wanted.exclusive == exclusive
            })
        };
        let found = place(true).or_else(|| place(false));
        found.map(|index| self.freed.push(self.held.remove(index).wanted.range)).is_some()
    }

    /// Grants what can be granted of what was given up; returns whom to wake.
    fn serve(&mut self) -> Vec<Waker> {
        let mut wake = Vec::new();
        let freed = std::mem::take(&mut self.freed);
        if freed.is_empty() {
            return wake;
        }
        for mut waiter in std::mem::take(&mut self.waiting) {
            // Whatever else is in its way still is.
            let concerned = freed.iter().any(|range| range.overlaps(waiter.lock.wanted.range));
            if concerned && self.grant(waiter.lock).is_ok() {
                wake.extend(waiter.waker.take());
            } else {
                self.waiting.push_back(waiter);
            }
        }
        wake
    }
}

/// All locks.
#[derive(Debug)]
pub struct ByteLocks {
    shards: [Mutex<HashMap<Key, File>>; SHARDS],
    /// Locks held: reads and writes look no further where there are none.
    held: AtomicUsize,
    last: AtomicU64,
}

impl Default for ByteLocks {
    fn default() -> Self {
        let shards = std::array::from_fn(|_| Mutex::default());
        Self { shards, held: AtomicUsize::new(0), last: AtomicU64::new(0) }
    }
}

impl ByteLocks {
    /// The locks of a new open of a file.
    pub fn owner(self: &Arc<Self>, key: Key) -> Arc<Locker> {
        let owner = self.last.fetch_add(1, Ordering::Relaxed);
        Arc::new(Locker { locks: self.clone(), key, owner })
    }

    fn shard(&self, key: &Key) -> &Mutex<HashMap<Key, File>> {
        let [first, ..] = &self.shards;
        let shards = u64::try_from(SHARDS).unwrap_or(1);
        let index = usize::try_from((key.file.file ^ key.share) % shards).unwrap_or(0);
        self.shards.get(index).unwrap_or(first)
    }

    /// Changes a file's locks, then serves those that wait if any was given up.
    fn change<T>(&self, key: &Key, act: impl FnOnce(&mut File) -> T) -> T {
        let mut files = lock(self.shard(key));
        let file = files.entry(*key).or_default();
        let before = file.held.len();
        let done = act(file);
        let wake = file.serve();
        let after = file.held.len();
        if after >= before {
            self.held.fetch_add(after - before, Ordering::Relaxed);
        } else {
            self.held.fetch_sub(before - after, Ordering::Relaxed);
        }
        if file.held.is_empty() && file.waiting.is_empty() {
            files.remove(key);
        }
        drop(files);
        wake.into_iter().for_each(Waker::wake);
        done
    }

    /// Locks held at present.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }
}

/// The locks of one open.
#[derive(Debug)]
pub struct Locker {
    locks: Arc<ByteLocks>,
    key: Key,
    owner: u64,
}

impl Locker {
    /// Locks all of them, or none: STATUS_LOCK_NOT_GRANTED where somebody is in the way.
    pub fn lock(&self, wanted: &[Wanted]) -> Result<(), NtStatus> {
        self.locks.change(&self.key, |file| {
            let before = file.held.len();
            let lock = |wanted: &Wanted| file.grant(Held { owner: self.owner, wanted: *wanted });
            let granted = wanted.iter().try_for_each(lock);
            if granted.is_err() {
                // Nobody waits for what was never seen: given up before anybody else looks.
                file.held.truncate(before);
            }
            granted
        })
    }

    /// Locks as soon as nobody is in the way.
    pub fn wait(self: &Arc<Self>, wanted: Wanted) -> Waiting {
        Waiting { locker: self.clone(), wanted, ticket: None, over: false }
    }

    /// Gives up one lock after the other, then serves those that wait: STATUS_RANGE_NOT_LOCKED at the first range of which
    /// the open holds no lock exactly; what went before stays unlocked.
    pub fn unlock(&self, ranges: &[Range]) -> Result<(), NtStatus> {
        let unlock = |file: &mut File| ranges.iter().all(|range| file.unlock(self.owner, *range));
        let found = self.locks.change(&self.key, unlock);
        if found { Ok(()) } else { Err(NtStatus::RANGE_NOT_LOCKED) }
    }

    /// STATUS_FILE_LOCK_CONFLICT where a lock forbids the open to read (or write) the range.
    pub fn check(&self, range: Range, write: bool) -> Result<(), NtStatus> {
        if range.length == 0 || self.locks.held.load(Ordering::Relaxed) == 0 {
            return Ok(());
        }
        let files = lock(self.locks.shard(&self.key));
        let held = files.get(&self.key).map_or(&[][..], |file| &file.held);
        match held.iter().any(|held| held.hinders(self.owner, range, write)) {
            true => Err(NtStatus::FILE_LOCK_CONFLICT),
            false => Ok(()),
        }
    }

    /// The open ends: gives all its locks up; what it waits for it does not get.
    pub fn end(&self) {
        let mut gone = Vec::new();
        self.locks.change(&self.key, |file| {
            let ours = file.held.extract_if(.., |held| held.owner == self.owner);
            file.freed.extend(ours.map(|held| held.wanted.range));
            let (ours, others) =
                std::mem::take(&mut file.waiting).into_iter().partition(|w| w.lock.owner == self.owner);
            gone = Vec::from(ours);
            file.waiting = others;
        });
        gone.into_iter().filter_map(|waiter: Waiter| waiter.waker).for_each(Waker::wake);
    }
}

impl Drop for Locker {
    fn drop(&mut self) {
        self.end();
    }
}

/// A lock that is waited for. Dropped before it is granted, it is given up.
#[derive(Debug)]
pub struct Waiting {
    locker: Arc<Locker>,
    wanted: Wanted,
    ticket: Option<u64>,
    over: bool,
}

enum Step {
    Done(Result<(), NtStatus>),
    Wait(u64),
}

impl Waiting {
    fn step(&self, waker: &Waker) -> Step {
        let Locker { locks, key, owner } = self.locker.as_ref();
        let lock = Held { owner: *owner, wanted: self.wanted };
        locks.change(key, |file| {
            let Some(ticket) = self.ticket else {
                return match file.grant(lock) {
                    Err(NtStatus::LOCK_NOT_GRANTED)
                        if file.held.len() + file.waiting.len() < MOST_PER_FILE =>
                    {
                        let ticket = locks.last.fetch_add(1, Ordering::Relaxed);
                        file.waiting.push_back(Waiter { ticket, lock, waker: Some(waker.clone()) });
                        Step::Wait(ticket)
                    }
                    Err(NtStatus::LOCK_NOT_GRANTED) => Step::Done(Err(NtStatus::INSUFFICIENT_RESOURCES)),
                    done => Step::Done(done),
                };
            };
            if let Some(waiter) = file.waiting.iter_mut().find(|waiter| waiter.ticket == ticket) {
                waiter.waker = Some(waker.clone());
                return Step::Wait(ticket);
            }
            // It waits no more: it was granted, or the open has ended.
            let granted = file.held.iter().any(|held| held.owner == *owner && held.wanted == self.wanted);
            Step::Done(if granted { Ok(()) } else { Err(NtStatus::RANGE_NOT_LOCKED) })
        })
    }
}

impl Future for Waiting {
    type Output = Result<(), NtStatus>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.step(cx.waker()) {
            Step::Done(done) => {
                self.over = true;
                Poll::Ready(done)
            }
            Step::Wait(ticket) => {
                self.ticket = Some(ticket);
                Poll::Pending
            }
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket.filter(|_| !self.over) else { return };
        let Locker { locks, key, owner } = self.locker.as_ref();
        locks.change(key, |file| {
            let before = file.waiting.len();
            file.waiting.retain(|waiter| waiter.ticket != ticket);
            if file.waiting.len() == before {
                // Granted, but nobody has heard of it.
                file.unlock(*owner, self.wanted.range);
            }
        });
    }
}

#[cfg(test)]
mod tests;
