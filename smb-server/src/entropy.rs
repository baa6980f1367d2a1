//! Randomness and time: the only place that asks the system for either.

use smb_proto::msg::FileTime;
use std::time::{SystemTime, UNIX_EPOCH};

/// Random bytes. Without a source of randomness nothing here could be safe, so its failure ends the process.
pub(crate) fn random<const N: usize>() -> [u8; N] {
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

/// The time.
pub(crate) fn now() -> FileTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    FileTime::from_unix(i64::try_from(since.as_secs()).unwrap_or(i64::MAX), since.subsec_nanos())
}
