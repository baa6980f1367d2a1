//! Randomness and time: the only place that asks the system for either.

use smb_proto::msg::{FileId, FileTime};
#[cfg(not(fuzzing))]
use std::time::{SystemTime, UNIX_EPOCH};

/// What the fuzzers have in place of randomness and the time: the same in every run of one input.
#[cfg(fuzzing)]
pub(crate) mod repeatable {
    use std::cell::Cell;

    thread_local! {
        static TAKEN: Cell<u64> = const { Cell::new(0) };
    }

    /// The next run begins.
    pub fn begin_again() {
        TAKEN.set(0);
    }

    /// Bytes that differ each time.
    pub(crate) fn bytes<const N: usize>() -> [u8; N] {
        let taken = TAKEN.get().wrapping_add(1);
        TAKEN.set(taken);
        let mixed = taken.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes();
        let mut around = mixed.into_iter().cycle();
        std::array::from_fn(|_| around.next().unwrap_or_default())
    }
}

/// Random bytes. Without a source of randomness nothing here could be safe, so its failure ends the process.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    #[cfg(fuzzing)]
    return repeatable::bytes();
    #[cfg(not(fuzzing))]
    from_system()
}

#[cfg(not(fuzzing))]
fn from_system<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    if getrandom::fill(&mut bytes).is_err() {
        tracing::error!("the system has no source of randomness");
        std::process::abort();
    }
    bytes
}

/// A random number, not 0 and not the all-ones that stands for "none" in several fields.
pub(crate) fn random_id() -> u64 {
    loop {
        let id = u64::from_le_bytes(random());
        if id != 0 && id != u64::MAX {
            return id;
        }
    }
}

/// A random file id: both halves as [`random_id`], with one question to the system.
pub(crate) fn random_file_id() -> FileId {
    loop {
        let bytes: [u8; 16] = random();
        let half = |bytes: Option<&[u8; 8]>| bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let (persistent, volatile) = (half(bytes.first_chunk()), half(bytes.last_chunk()));
        if [persistent, volatile].iter().all(|half| !matches!(*half, 0 | u64::MAX)) {
            return FileId { persistent, volatile };
        }
    }
}

/// The time.
pub(crate) fn now() -> FileTime {
    #[cfg(fuzzing)]
    return FileTime(133_000_000_000_000_000);
    #[cfg(not(fuzzing))]
    from_clock()
}

#[cfg(not(fuzzing))]
fn from_clock() -> FileTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    FileTime::from_unix(i64::try_from(since.as_secs()).unwrap_or(i64::MAX), since.subsec_nanos())
}
