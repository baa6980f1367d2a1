//! Attributes and creation time, which the host has no place for: the extended attribute `user.DOSATTRIB`, as Samba
//! writes and reads it (`xattr_DosInfo5`; versions 3 and 4, and the older text form, are read).
//!
//! ```text
//! 00 00 | version 5 | version 5 | 00 00 | valid (4) | attributes (4) | creation time (8)        little-endian
//! ```
//! Behind that, where `valid` has 0x20, are a change time that was set, and the time of the last write then: it holds until
//! the file is written again.
//!
//! A file without it has ARCHIVE, a directory nothing; both were created when the file system says. READONLY of a file
//! is its mode and not kept here.

use super::xattr;
use crate::backend::Result;
use rustix::fd::AsFd;
use smb_proto::msg::{FileAttributes, FileTime};

const NAME: &str = "user.DOSATTRIB";
const HAS_ATTRIBUTES: u32 = 0x01;
const HAS_CREATION: u32 = 0x10;
const HAS_CHANGE: u32 = 0x20;
/// Never kept: what the file system itself says.
const ELSEWHERE: FileAttributes =
    FileAttributes(FileAttributes::DIRECTORY.0 | FileAttributes::NORMAL.0 | FileAttributes::REPARSE_POINT.0);

/// What is kept for a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Kept {
    pub(super) attributes: Option<FileAttributes>,
    pub(super) creation: Option<FileTime>,
    /// The change time that was set, and the time of the last write when it was.
    pub(super) change: Option<(FileTime, FileTime)>,
}

/// The attributes of a file for which none are kept.
pub(super) fn usual(directory: bool) -> FileAttributes {
    if directory { FileAttributes::NONE } else { FileAttributes::ARCHIVE }
}

impl Kept {
    pub(super) fn of(fd: impl AsFd) -> Result<Self> {
        Ok(xattr::get(fd, NAME)?.map_or_else(Self::default, |value| Self::parse(&value)))
    }

    pub(super) fn of_name(directory: impl AsFd, file: &str) -> Result<Self> {
        Ok(xattr::get_of_name(directory, file, NAME)?.map_or_else(Self::default, |value| Self::parse(&value)))
    }

    /// What cannot be read counts as not there.
    fn parse(value: &[u8]) -> Self {
        Self::parse_text(value).or_else(|| Self::parse_record(value)).unwrap_or_default()
    }

    fn parse_text(value: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(value.split(|byte| *byte == 0).next()?).ok()?;
        let attributes = u32::from_str_radix(text.strip_prefix("0x")?, 16).ok()?;
        Some(Self { attributes: Some(FileAttributes(attributes)), ..Self::default() })
    }

    fn parse_record(value: &[u8]) -> Option<Self> {
        let u32_at = |at: usize| Some(u32::from_le_bytes(*value.get(at..)?.first_chunk()?));
        let u64_at = |at: usize| Some(u64::from_le_bytes(*value.get(at..)?.first_chunk()?));
        let version = u16::from_le_bytes(*value.get(2..)?.first_chunk()?);
        let creation_at = match version {
            3 => 36,
            4 => 24,
            5 => 16,
            _ => return None,
        };
        let valid = u32_at(8)?;
        let attributes = FileAttributes(u32_at(12)?).without(ELSEWHERE);
        let creation = FileTime(u64_at(creation_at)?);
        Some(Self {
            attributes: (valid & HAS_ATTRIBUTES != 0).then_some(attributes),
            creation: (valid & HAS_CREATION != 0).then_some(creation),
            change: if version == 5 && valid & HAS_CHANGE != 0 {
                Some((FileTime(u64_at(24)?), FileTime(u64_at(32)?)))
            } else {
                None
            },
        })
    }

    fn emit(self) -> Vec<u8> {
        let mut valid = 0;
        for (has, flag) in [
            (self.attributes.is_some(), HAS_ATTRIBUTES),
            (self.creation.is_some(), HAS_CREATION),
            (self.change.is_some(), HAS_CHANGE),
        ] {
            valid |= if has { flag } else { 0 };
        }
        let mut out = vec![0, 0, 5, 0, 5, 0, 0, 0];
        out.extend(valid.to_le_bytes());
        out.extend(self.attributes.unwrap_or(FileAttributes::NONE).0.to_le_bytes());
        out.extend(self.creation.unwrap_or(FileTime(0)).0.to_le_bytes());
        if let Some((change, written)) = self.change {
            out.extend([change.0, written.0].map(u64::to_le_bytes).concat());
        }
        out
    }

    /// Keeps it; nothing where it says what is so anyway.
    pub(super) fn store(mut self, fd: impl AsFd, directory: bool) -> Result<()> {
        self.attributes = self.attributes.map(|attributes| attributes.without(ELSEWHERE));
        let plain = self.attributes.is_none_or(|attributes| attributes == usual(directory));
        if plain && self.creation.is_none() && self.change.is_none() {
            return xattr::remove(fd, NAME);
        }
        xattr::set(fd, NAME, &self.emit())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_samba_wrote_is_read() {
        // Samba 4.17.12 with `store dos attributes`, of a new file.
        let value = [
            0, 0, 5, 0, 5, 0, 0, 0, 0x11, 0, 0, 0, 0x20, 0, 0, 0, 0xe6, 0xcf, 0x48, 0xd8, 0x11, 0x7f, 0xdd, 1,
        ];
        let kept = Kept::parse(&value);
        assert_eq!(kept.attributes, Some(FileAttributes::ARCHIVE));
        // 2026-11-28 08:24:11 UTC
        assert_eq!(kept.creation.unwrap().to_unix().0, 1_795_854_251);
        assert_eq!(kept.emit(), value);
    }

    #[test]
    fn older_forms_are_read() {
        assert_eq!(Kept::parse(b"0x23\0").attributes, Some(FileAttributes(0x23)));
        let mut third = vec![0; 52];
        third[2] = 3;
        third[8] = 0x11;
        third[12] = 0x20;
        third[36] = 7;
        let kept = Kept { attributes: Some(FileAttributes(0x20)), creation: Some(FileTime(7)), change: None };
        assert_eq!(Kept::parse(&third), kept);
    }

    #[test]
    fn a_change_time_is_kept_behind() {
        let kept = Kept { change: Some((FileTime(1), FileTime(2))), ..Kept::default() };
        assert_eq!(kept.emit().len(), 40);
        assert_eq!(Kept::parse(&kept.emit()), kept);
    }

    #[test]
    fn garbage_is_nothing() {
        for value in [&b""[..], b"x", b"0xzz", &[0, 0, 9, 0, 9, 0, 0, 0], &[0, 0, 5, 0, 5, 0, 0, 0, 1]] {
            assert_eq!(Kept::parse(value), Kept::default());
        }
    }
}
