//! What is known of a file, and what can be changed.

use smb_proto::{
    fscc::{BasicInformation, DirectoryEntry, FsFullSizeInformation, NetworkOpenInformation},
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

    pub(crate) fn of_network_open(information: &NetworkOpenInformation) -> Self {
        Self {
            size: information.end_of_file,
            allocated: information.allocation_size,
            attributes: information.attributes,
            times: information.times,
        }
    }

    /// Whether it is a directory.
    pub fn is_dir(&self) -> bool {
        self.attributes.contains(FileAttributes::DIRECTORY)
    }

    /// Whether it is a file: neither a directory nor a reparse point.
    pub fn is_file(&self) -> bool {
        !self.is_dir() && !self.is_reparse_point()
    }

    /// Whether it is a reparse point: a symbolic link, a mount point or the like.
    pub fn is_reparse_point(&self) -> bool {
        self.attributes.contains(FileAttributes::REPARSE_POINT)
    }

    /// When its data was last written; `None` where the server does not know.
    pub fn modified(&self) -> Option<SystemTime> {
        system_time(self.times.last_write)
    }

    /// When it was last read; `None` where the server does not know.
    pub fn accessed(&self) -> Option<SystemTime> {
        system_time(self.times.last_access)
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

/// Room on a volume, in bytes — [MS-FSCC] 2.5.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Space {
    /// What the volume holds.
    pub total: u64,
    /// What is free.
    pub free: u64,
    /// What this user can still use, where quotas allow less than what is free.
    pub available: u64,
    /// The unit in which room is given.
    pub unit: u64,
}

impl Space {
    pub(crate) fn of(information: &FsFullSizeInformation) -> Self {
        let unit =
            u64::from(information.sectors_per_unit).saturating_mul(information.bytes_per_sector.into());
        Self {
            total: information.total_units.saturating_mul(unit),
            free: information.actual_available_units.saturating_mul(unit),
            available: information.caller_available_units.saturating_mul(unit),
            unit,
        }
    }
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
