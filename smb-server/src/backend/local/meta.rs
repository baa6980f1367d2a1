//! What the host knows of a file, in the protocol's terms.

use super::{
    dos::{Kept, usual},
    errno::status,
};
use crate::backend::{FileKey, Metadata, Result, SetMetadata};
use rustix::{
    fd::AsFd,
    fs::{
        AtFlags, FileType, Mode, Statx, StatxFlags, StatxTimestamp, Timespec, Timestamps, UTIME_OMIT, fchmod,
        fstatfs, futimens, statx,
    },
};
use smb_proto::{
    msg::{FileAttributes, FileTime, FileTimes},
    status::NtStatus,
};

/// The `f_type` of file systems that keep everything in memory, see statfs(2).
const IN_MEMORY: [i64; 2] = [0x0102_1994, 0x8584_58f6];

/// The volume of an open file, where its file system is one in memory.
pub(super) fn volume_in_memory(fd: impl AsFd) -> Option<u64> {
    let kind = fstatfs(&fd).ok()?.f_type;
    IN_MEMORY.contains(&kind).then(|| Stat::of(&fd).ok().map(|stat| stat.key().volume)).flatten()
}

/// What was asked of a file at one moment.
#[derive(Clone, Copy)]
pub(super) struct Stat(Statx);

/// What kind of thing a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Directory,
    Symlink,
    /// A fifo, socket or device: never opened, never listed.
    Special,
}

impl Stat {
    /// Of an open file.
    pub(super) fn of(fd: impl AsFd) -> Result<Self> {
        Self::at(fd, "", AtFlags::EMPTY_PATH).map_err(status)
    }

    /// Of a name in a directory; a link is not followed.
    pub(super) fn of_name(directory: impl AsFd, name: &str) -> rustix::io::Result<Self> {
        Self::at(directory, name, AtFlags::SYMLINK_NOFOLLOW)
    }

    fn at(fd: impl AsFd, name: &str, flags: AtFlags) -> rustix::io::Result<Self> {
        statx(fd, name, flags, StatxFlags::BASIC_STATS | StatxFlags::BTIME).map(Self)
    }

    /// Whether it has a name; directories count differently on each file system and are taken to have one.
    pub(super) fn is_linked(&self) -> bool {
        self.0.stx_nlink > 0
    }

    /// Whether no other name can stand for the same file.
    pub(super) fn has_one_name(&self) -> bool {
        self.kind() == Kind::Directory || self.0.stx_nlink == 1
    }

    fn mode(&self) -> u32 {
        self.0.stx_mode.into()
    }

    pub(super) fn kind(&self) -> Kind {
        match FileType::from_raw_mode(self.mode()) {
            FileType::RegularFile => Kind::File,
            FileType::Directory => Kind::Directory,
            FileType::Symlink => Kind::Symlink,
            _ => Kind::Special,
        }
    }

    pub(super) fn key(&self) -> FileKey {
        let volume = u64::from(self.0.stx_dev_major) << 32 | u64::from(self.0.stx_dev_minor);
        FileKey { volume, file: self.0.stx_ino }
    }

    /// Whether the mode lets nobody write, which is what READONLY means here. Asked even of root, whom the host
    /// would let write.
    pub(super) fn is_readonly(&self) -> bool {
        self.kind() == Kind::File && self.mode() & 0o222 == 0
    }

    fn attributes(&self, kept: &Kept) -> FileAttributes {
        let directory = self.kind() == Kind::Directory;
        let attributes = kept.attributes.unwrap_or(usual(directory));
        let attributes = match (directory, self.is_readonly()) {
            (true, _) => attributes.with(FileAttributes::DIRECTORY),
            (false, true) => attributes.with(FileAttributes::READONLY),
            (false, false) => attributes.without(FileAttributes::READONLY),
        };
        if attributes == FileAttributes::NONE { FileAttributes::NORMAL } else { attributes }
    }

    fn times(&self, kept: &Kept) -> FileTimes {
        let birth = StatxFlags::from_bits_retain(self.0.stx_mask).contains(StatxFlags::BTIME);
        let (change, last_write) = (time(self.0.stx_ctime), time(self.0.stx_mtime));
        // Where the file system keeps no birth time, the earlier of the two is the best guess, as in Samba.
        let born = if birth { time(self.0.stx_btime) } else { change.min(last_write) };
        let creation = kept.creation.unwrap_or(born);
        // One that was set holds until the file is written.
        let set = kept.change.filter(|(_, written)| *written == last_write);
        let change = set.map_or(change, |(change, _)| change);
        FileTimes { creation, last_access: time(self.0.stx_atime), last_write, change }
    }

    pub(super) fn metadata(&self, kept: &Kept) -> Metadata {
        let file = self.kind() == Kind::File;
        let end_of_file = if file { self.0.stx_size } else { 0 };
        Metadata {
            key: self.key(),
            attributes: self.attributes(kept),
            times: self.times(kept),
            end_of_file,
            allocation_size: if end_of_file == 0 { 0 } else { self.0.stx_blocks.saturating_mul(512) },
            links: if file { self.0.stx_nlink } else { 1 },
        }
    }
}

fn time(time: StatxTimestamp) -> FileTime {
    FileTime::from_unix(time.tv_sec, time.tv_nsec)
}

fn timespec(time: Option<FileTime>) -> Timespec {
    let Some(time) = time else { return Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT } };
    let (seconds, nanoseconds) = time.to_unix();
    Timespec { tv_sec: seconds, tv_nsec: nanoseconds.into() }
}

/// Sets attributes and times.
pub(super) fn set(fd: impl AsFd, set: SetMetadata) -> Result<()> {
    if let Some(attributes) = set.attributes {
        set_readonly(&fd, attributes.contains(FileAttributes::READONLY))?;
    }
    if set.last_access.is_some() || set.last_write.is_some() {
        let times = Timestamps {
            last_access: timespec(set.last_access),
            last_modification: timespec(set.last_write),
        };
        futimens(&fd, &times).map_err(status)?;
    }
    if set.attributes.is_some() || set.creation.is_some() || set.change.is_some() {
        keep(&fd, set)?;
    }
    Ok(())
}

/// What the file system itself has no place for. One that has no extended attributes either keeps nothing of it.
fn keep(fd: impl AsFd, set: SetMetadata) -> Result<()> {
    let stat = Stat::of(&fd)?;
    let directory = stat.kind() == Kind::Directory;
    let mut kept = Kept::of(&fd)?;
    kept.change = set.change.map(|change| (change, time(stat.0.stx_mtime)));
    if let Some(attributes) = set.attributes {
        let elsewhere = if directory { FileAttributes::NONE } else { FileAttributes::READONLY };
        kept.attributes = Some(attributes.without(elsewhere));
    }
    kept.creation = set.creation.or(kept.creation);
    match kept.store(fd, directory) {
        Err(NtStatus::NOT_SUPPORTED) => Ok(()),
        other => other,
    }
}

fn set_readonly(fd: impl AsFd, readonly: bool) -> Result<()> {
    let now = Stat::of(&fd)?;
    if now.kind() != Kind::File || now.is_readonly() == readonly {
        return Ok(());
    }
    let mode = now.mode() & 0o7777;
    let mode = if readonly { mode & !0o222 } else { mode | 0o200 };
    fchmod(&fd, Mode::from_raw_mode(mode)).map_err(status)
}
