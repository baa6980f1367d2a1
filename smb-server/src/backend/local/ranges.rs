//! Holes, and copies that the host makes by itself.

use super::{errno::status, io};
use crate::backend::Result;
use rustix::{
    fd::{AsFd, OwnedFd},
    fs::{
        FallocateFlags, Mode, OFlags, SeekFrom, copy_file_range, fallocate, fstat, ioctl_ficlone, openat,
        seek,
    },
    io::Errno,
};
use smb_proto::status::NtStatus;
use std::ops::Range;

/// Zeroes that are written at a time.
static ZEROES: [u8; 64 * 1024] = [0; 64 * 1024];

/// Zeroes a range within the file: by a hole where `free` and the file system has such, else by writing.
pub(super) fn zero(fd: impl AsFd, range: Range<u64>, free: bool) -> Result<()> {
    let end = range.end.min(len(&fd)?);
    let length = end.saturating_sub(range.start);
    if length == 0 {
        return Ok(());
    }
    let how = if free { FallocateFlags::PUNCH_HOLE } else { FallocateFlags::ZERO_RANGE };
    match fallocate(&fd, how | FallocateFlags::KEEP_SIZE, range.start, length) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => write_zeroes(&fd, range.start..end),
        done => done.map_err(status),
    }
}

fn write_zeroes(fd: impl AsFd, range: Range<u64>) -> Result<()> {
    let mut at = range.start;
    while at < range.end {
        let now = usize::try_from(range.end - at).unwrap_or(usize::MAX).min(ZEROES.len());
        io::write(&fd, at, 0, ZEROES.get(..now).unwrap_or_default())?;
        at = at.saturating_add(u64::try_from(now).unwrap_or(u64::MAX));
    }
    Ok(())
}

fn len(fd: impl AsFd) -> Result<u64> {
    let stat = fstat(fd).map_err(status)?;
    u64::try_from(stat.st_size).map_err(|_| NtStatus::UNEXPECTED_IO_ERROR)
}

/// Where there is data within a range. Everywhere, where the file system cannot tell.
pub(super) fn allocated(fd: impl AsFd, range: Range<u64>, most: usize) -> Result<Vec<Range<u64>>> {
    let mut found = Vec::new();
    let mut at = range.start;
    while at < range.end && found.len() < most {
        let start = match seek(&fd, SeekFrom::Data(at)) {
            Ok(start) => start,
            // No data from here on.
            Err(Errno::NXIO) => break,
            Err(Errno::INVAL) => return Ok(vec![range]),
            Err(errno) => return Err(status(errno)),
        };
        if start >= range.end {
            break;
        }
        let end = seek(&fd, SeekFrom::Hole(start)).map_err(status)?.min(range.end);
        found.push(start.max(range.start)..end);
        at = end;
    }
    Ok(found)
}

/// Copies a range from one file to another, without its passing through this process.
pub(super) fn copy(source: impl AsFd, target: impl AsFd, from: u64, to: u64, length: u64) -> Result<()> {
    let (mut from, mut to, mut rest) = (from, to, length);
    while rest > 0 {
        let now = usize::try_from(rest).unwrap_or(usize::MAX);
        match copy_file_range(&source, Some(&mut from), &target, Some(&mut to), now) {
            Ok(0) => return Err(NtStatus::INVALID_VIEW_SIZE),
            Ok(done) => rest = rest.saturating_sub(u64::try_from(done).unwrap_or(u64::MAX)),
            Err(Errno::INTR) => {}
            // Overlapping, another file system, or not at all: before anything was copied.
            Err(Errno::INVAL | Errno::XDEV | Errno::OPNOTSUPP | Errno::NOSYS) if rest == length => {
                return Err(NtStatus::NOT_SUPPORTED);
            }
            Err(errno) => return Err(status(errno)),
        }
    }
    Ok(())
}

/// Whether files of this directory's file system can share clusters: tried with two files without a name.
pub(super) fn shares_extents(directory: &OwnedFd) -> bool {
    let temporary = || {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        openat(directory, ".", flags, Mode::RUSR | Mode::WUSR)
    };
    let tried = || {
        let (one, two) = (temporary()?, temporary()?);
        rustix::io::pwrite(&one, &ZEROES, 0)?;
        ioctl_ficlone(&two, &one)
    };
    tried().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn file(content: &[u8]) -> std::fs::File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        file
    }

    fn content(file: &std::fs::File) -> Vec<u8> {
        let mut out = vec![0; usize::try_from(len(file).unwrap()).unwrap()];
        io::read(file, 0, 0, &mut out).unwrap();
        out
    }

    #[test]
    fn zeroed_within_the_file_only() {
        for free in [true, false] {
            let file = file(&[7; 20_000]);
            zero(&file, 5000..15_000, free).unwrap();
            let expected = |at| if (5000..15_000).contains(&at) { 0 } else { 7 };
            assert!(content(&file).iter().enumerate().all(|(at, byte)| *byte == expected(at)));
            zero(&file, 19_000..1 << 40, free).unwrap();
            zero(&file, 30_000..1 << 40, free).unwrap();
            assert_eq!(content(&file).len(), 20_000);
            assert_eq!(content(&file).last(), Some(&0));
        }
    }

    #[test]
    fn holes_are_not_allocated() {
        let file = file(&[7; 4096]);
        file.set_len(1 << 30).unwrap();
        io::write(&file, 1 << 29, 0, b"x").unwrap();
        let found = allocated(&file, 0..1 << 30, 100).unwrap();
        let in_all: u64 = found.iter().map(|range| range.end - range.start).sum();
        assert!(found.iter().any(|range| range.contains(&(1 << 29))) && found[0].start == 0, "{found:?}");
        assert!(in_all <= 1 << 22, "{found:?}");
        assert_eq!(allocated(&file, 0..1 << 30, 1).unwrap().len(), 1);
        assert_eq!(allocated(&file, 100..200, 9).unwrap(), vec![100..200_u64]);
    }

    #[test]
    fn copied_within_the_host() {
        let (one, two) = (file(b"0123456789"), file(b"abc"));
        match copy(&one, &two, 2, 1, 5) {
            Ok(()) => assert_eq!(content(&two), b"a23456"),
            // A file system may be unable to.
            Err(status) => assert_eq!((status, content(&two)), (NtStatus::NOT_SUPPORTED, b"abc".to_vec())),
        }
        assert_eq!(copy(&one, &one, 0, 1, 5), Err(NtStatus::NOT_SUPPORTED), "overlapping");
    }
}
