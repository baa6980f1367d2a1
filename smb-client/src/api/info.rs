//! What is known of a file, and what can be changed.

use smb_proto::{
    fscc::{BasicInformation, DirectoryEntry},
    msg::{CreateResponse, FileAttributes, FileTime, FileTimes},
};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What is known of a file or directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metadata {
    /// Bytes it holds.
    pub size: u64,
    /// Bytes it occupies.
    pub allocated: u64,
    /// Its attributes.
    pub attributes: FileAttributes,
    /// Its times.
    pub times: FileTimes,
}

impl Metadata {
    pub(crate) fn of_create(response: &CreateResponse) -> Self {
        Self {
            size: response.end_of_file,
            allocated: response.allocation_size,
            attributes: response.file_attributes,
            times: response.times,
        }
    }

    pub(crate) fn of_entry(entry: &DirectoryEntry) -> Self {
        Self {
            size: entry.end_of_file,
            allocated: entry.allocation_size,
            attributes: entry.attributes,
            times: entry.times,
        }
    }

    /// Whether it is a directory.
    pub fn is_dir(&self) -> bool {
        self.attributes.contains(FileAttributes::DIRECTORY)
    }

    /// When its data was last written; `None` where the server does not know.
    pub fn modified(&self) -> Option<SystemTime> {
        system_time(self.times.last_write)
    }

    /// When it was created; `None` where the server does not know.
    pub fn created(&self) -> Option<SystemTime> {
        system_time(self.times.creation)
    }
}

fn system_time(time: FileTime) -> Option<SystemTime> {
    if time == FileTime::NONE {
        return None;
    }
    let (seconds, nanoseconds) = time.to_unix();
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let base = if seconds < 0 { UNIX_EPOCH.checked_sub(whole) } else { UNIX_EPOCH.checked_add(whole) };
    base?.checked_add(Duration::from_nanos(nanoseconds.into()))
}

/// What to change of a file; what is not named stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MetadataChange {
    times: FileTimes,
    attributes: FileAttributes,
}

impl MetadataChange {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// When its data was last written.
    #[must_use]
    pub fn modified(mut self, time: SystemTime) -> Self {
        self.times.last_write = file_time(time);
        self
    }

    /// When it was last read.
    #[must_use]
    pub fn accessed(mut self, time: SystemTime) -> Self {
        self.times.last_access = file_time(time);
        self
    }

    /// When it was created.
    #[must_use]
    pub fn created(mut self, time: SystemTime) -> Self {
        self.times.creation = file_time(time);
        self
    }

    /// Its attributes.
    #[must_use]
    pub fn attributes(mut self, attributes: FileAttributes) -> Self {
        self.attributes = attributes;
        self
    }

    pub(crate) fn information(&self) -> BasicInformation {
        BasicInformation { times: self.times, attributes: self.attributes }
    }
}

fn file_time(time: SystemTime) -> FileTime {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => {
            FileTime::from_unix(i64::try_from(after.as_secs()).unwrap_or(i64::MAX), after.subsec_nanos())
        }
        Err(before) => {
            let before = before.duration();
            FileTime::from_unix(i64::try_from(before.as_secs()).unwrap_or(i64::MAX).saturating_neg(), 0)
        }
    }
}
