//! Values several messages share: file ids, times, access masks, attributes.

use crate::{
    codec::num::{Parsed, le_u64},
    command::wire_flags,
};
use bytes::BufMut;

/// SMB2_FILEID — [MS-SMB2] 2.2.14.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct FileId {
    /// Survives a reconnect of a durable open.
    pub persistent: u64,
    /// Names the open while its connection lives.
    pub volatile: u64,
}

impl FileId {
    /// Stands for the file id of the compound's earlier CREATE in a related request, and for "no file" in IOCTLs.
    pub const ANY: Self = Self { persistent: u64::MAX, volatile: u64::MAX };

    pub(crate) fn parse(i: &[u8]) -> Parsed<'_, Self> {
        let (i, persistent) = le_u64(i)?;
        let (i, volatile) = le_u64(i)?;
        Ok((i, Self { persistent, volatile }))
    }

    pub(crate) fn emit(self, out: &mut impl BufMut) {
        out.put_u64_le(self.persistent);
        out.put_u64_le(self.volatile);
    }
}

/// A FILETIME: 100 ns since 1601-01-01 UTC — [MS-DTYP] 2.3.3. Zero stands for "none".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct FileTime(pub u64);

/// Seconds between 1601-01-01 and 1970-01-01.
const EPOCH_SECONDS: i64 = 11_644_473_600;
const TICKS_PER_SECOND: i64 = 10_000_000;

impl FileTime {
    /// "Leave it as it is" when set; "none" when queried.
    pub const NONE: Self = Self(0);

    /// From Unix seconds and nanoseconds; times outside the range are clamped to it.
    pub fn from_unix(seconds: i64, nanoseconds: u32) -> Self {
        let ticks = seconds
            .saturating_add(EPOCH_SECONDS)
            .saturating_mul(TICKS_PER_SECOND)
            .saturating_add(i64::from(nanoseconds / 100));
        Self(u64::try_from(ticks).unwrap_or(0))
    }

    /// Unix seconds (negative before 1970) and nanoseconds.
    pub fn to_unix(self) -> (i64, u32) {
        let seconds = i64::try_from(self.0 / 10_000_000).unwrap_or(i64::MAX).saturating_sub(EPOCH_SECONDS);
        (seconds, u32::try_from(self.0 % 10_000_000 * 100).unwrap_or(0))
    }

    pub(crate) fn parse(i: &[u8]) -> Parsed<'_, Self> {
        let (i, ticks) = le_u64(i)?;
        Ok((i, Self(ticks)))
    }
}

/// The four times of a file, as CREATE, CLOSE and FileBasicInformation carry them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct FileTimes {
    /// When the file was created.
    pub creation: FileTime,
    /// When it was last read.
    pub last_access: FileTime,
    /// When its data was last written.
    pub last_write: FileTime,
    /// When data or metadata last changed.
    pub change: FileTime,
}

impl FileTimes {
    pub(crate) fn parse(i: &[u8]) -> Parsed<'_, Self> {
        let (i, creation) = FileTime::parse(i)?;
        let (i, last_access) = FileTime::parse(i)?;
        let (i, last_write) = FileTime::parse(i)?;
        let (i, change) = FileTime::parse(i)?;
        Ok((i, Self { creation, last_access, last_write, change }))
    }

    pub(crate) fn emit(&self, out: &mut impl BufMut) {
        for time in [self.creation, self.last_access, self.last_write, self.change] {
            out.put_u64_le(time.0);
        }
    }
}

wire_flags! {
    /// Access mask — [MS-SMB2] 2.2.13.1: of files, pipes and printers 2.2.13.1.1, of directories 2.2.13.1.2.
    Access: u32 {
        /// FILE_READ_DATA, FILE_LIST_DIRECTORY.
        READ_DATA = 0x0000_0001,
        /// FILE_WRITE_DATA, FILE_ADD_FILE.
        WRITE_DATA = 0x0000_0002,
        /// FILE_APPEND_DATA, FILE_ADD_SUBDIRECTORY.
        APPEND_DATA = 0x0000_0004,
        /// FILE_READ_EA.
        READ_EA = 0x0000_0008,
        /// FILE_WRITE_EA.
        WRITE_EA = 0x0000_0010,
        /// FILE_EXECUTE, FILE_TRAVERSE.
        EXECUTE = 0x0000_0020,
        /// FILE_DELETE_CHILD.
        DELETE_CHILD = 0x0000_0040,
        /// FILE_READ_ATTRIBUTES.
        READ_ATTRIBUTES = 0x0000_0080,
        /// FILE_WRITE_ATTRIBUTES.
        WRITE_ATTRIBUTES = 0x0000_0100,
        /// DELETE.
        DELETE = 0x0001_0000,
        /// READ_CONTROL.
        READ_CONTROL = 0x0002_0000,
        /// WRITE_DAC.
        WRITE_DAC = 0x0004_0000,
        /// WRITE_OWNER.
        WRITE_OWNER = 0x0008_0000,
        /// SYNCHRONIZE.
        SYNCHRONIZE = 0x0010_0000,
        /// ACCESS_SYSTEM_SECURITY.
        SYSTEM_SECURITY = 0x0100_0000,
        /// MAXIMUM_ALLOWED.
        MAXIMUM_ALLOWED = 0x0200_0000,
        /// GENERIC_ALL.
        GENERIC_ALL = 0x1000_0000,
        /// GENERIC_EXECUTE.
        GENERIC_EXECUTE = 0x2000_0000,
        /// GENERIC_WRITE.
        GENERIC_WRITE = 0x4000_0000,
        /// GENERIC_READ.
        GENERIC_READ = 0x8000_0000,
    }
}

impl Access {
    /// Every specific and standard right of a file: what GENERIC_ALL stands for.
    pub const FILE_ALL: Self = Self(0x001f_01ff);
    /// What GENERIC_READ stands for on a file.
    pub const FILE_READ: Self = Self(0x0012_0089);
    /// What GENERIC_WRITE stands for on a file.
    pub const FILE_WRITE: Self = Self(0x0012_0116);
    /// What GENERIC_EXECUTE stands for on a file.
    pub const FILE_EXECUTE: Self = Self(0x0012_00a0);

    /// The mask with its generic rights replaced by what they stand for on a file ([MS-DTYP] 2.4.3).
    #[must_use]
    pub const fn mapped(self) -> Self {
        let mut mask = self
            .without(Self::GENERIC_ALL)
            .without(Self::GENERIC_READ)
            .without(Self::GENERIC_WRITE)
            .without(Self::GENERIC_EXECUTE);
        if self.contains(Self::GENERIC_ALL) {
            mask = mask.with(Self::FILE_ALL);
        }
        if self.contains(Self::GENERIC_READ) {
            mask = mask.with(Self::FILE_READ);
        }
        if self.contains(Self::GENERIC_WRITE) {
            mask = mask.with(Self::FILE_WRITE);
        }
        if self.contains(Self::GENERIC_EXECUTE) {
            mask = mask.with(Self::FILE_EXECUTE);
        }
        mask
    }
}

wire_flags! {
    /// File attributes — [MS-FSCC] 2.6.
    FileAttributes: u32 {
        /// FILE_ATTRIBUTE_READONLY.
        READONLY = 0x0000_0001,
        /// FILE_ATTRIBUTE_HIDDEN.
        HIDDEN = 0x0000_0002,
        /// FILE_ATTRIBUTE_SYSTEM.
        SYSTEM = 0x0000_0004,
        /// FILE_ATTRIBUTE_DIRECTORY.
        DIRECTORY = 0x0000_0010,
        /// FILE_ATTRIBUTE_ARCHIVE.
        ARCHIVE = 0x0000_0020,
        /// FILE_ATTRIBUTE_NORMAL: no other attribute is set.
        NORMAL = 0x0000_0080,
        /// FILE_ATTRIBUTE_TEMPORARY.
        TEMPORARY = 0x0000_0100,
        /// FILE_ATTRIBUTE_SPARSE_FILE.
        SPARSE_FILE = 0x0000_0200,
        /// FILE_ATTRIBUTE_REPARSE_POINT.
        REPARSE_POINT = 0x0000_0400,
        /// FILE_ATTRIBUTE_COMPRESSED.
        COMPRESSED = 0x0000_0800,
        /// FILE_ATTRIBUTE_OFFLINE.
        OFFLINE = 0x0000_1000,
        /// FILE_ATTRIBUTE_NOT_CONTENT_INDEXED.
        NOT_CONTENT_INDEXED = 0x0000_2000,
        /// FILE_ATTRIBUTE_ENCRYPTED.
        ENCRYPTED = 0x0000_4000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filetime_of_the_unix_epoch() {
        assert_eq!(FileTime::from_unix(0, 0), FileTime(116_444_736_000_000_000));
        assert_eq!(FileTime(116_444_736_000_000_000).to_unix(), (0, 0));
        assert_eq!(FileTime::from_unix(-1, 999_999_900).to_unix(), (-1, 999_999_900));
    }

    #[test]
    fn generic_rights_map_as_the_table_says() {
        assert_eq!(Access::GENERIC_READ.mapped(), Access::FILE_READ);
        assert_eq!((Access::GENERIC_WRITE | Access::DELETE).mapped(), Access::FILE_WRITE | Access::DELETE);
        assert_eq!(Access::GENERIC_ALL.mapped(), Access::FILE_ALL);
    }
}
