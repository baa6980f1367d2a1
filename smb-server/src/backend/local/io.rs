//! Bytes in and out of a file of the host.
//!
//! What can be done without waiting for a disk is done at once (`RWF_NOWAIT`): reading what the page cache holds, and writing
//! into it, where the file system can tell. The rest goes to the runtime's blocking threads.

use super::errno::status;
use crate::backend::Result;
use rustix::{
    fd::AsFd,
    io::{Errno, ReadWriteFlags, pread, preadv2, pwrite, pwritev2},
};
use smb_proto::status::NtStatus;
use std::io::{IoSlice, IoSliceMut};

/// What a read that must not wait achieved.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Now {
    /// Everything there was: so many bytes.
    All(usize),
    /// So many bytes, and the rest would have to wait.
    Some(usize),
}

/// Reads what is in memory.
pub(super) fn read_now(fd: impl AsFd, offset: u64, out: &mut [u8]) -> Result<Now> {
    let mut done = 0;
    while let Some(rest) = out.get_mut(done..).filter(|rest| !rest.is_empty()) {
        let Some(at) = position(offset, done) else { return Ok(Now::All(done)) };
        match preadv2(&fd, &mut [IoSliceMut::new(rest)], at, ReadWriteFlags::NOWAIT) {
            Ok(0) => return Ok(Now::All(done)),
            Ok(count) => done = done.saturating_add(count),
            Err(Errno::INTR) => {}
            // OPNOTSUPP: this file system cannot tell.
            Err(Errno::AGAIN | Errno::OPNOTSUPP | Errno::NOSYS) => return Ok(Now::Some(done)),
            Err(errno) => return Err(status(errno)),
        }
    }
    Ok(Now::All(done))
}

/// Reads from `offset` + `done` on, waiting for the disk; returns how much there is in `out`.
pub(super) fn read(fd: impl AsFd, offset: u64, mut done: usize, out: &mut [u8]) -> Result<usize> {
    while let Some(rest) = out.get_mut(done..).filter(|rest| !rest.is_empty()) {
        let Some(at) = position(offset, done) else { break };
        match pread(&fd, rest, at) {
            Ok(0) => break,
            Ok(count) => done = done.saturating_add(count),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(status(errno)),
        }
    }
    Ok(done)
}

/// Writes what can be written without waiting; returns how much that was.
pub(super) fn write_now(fd: impl AsFd, offset: u64, from: &[u8]) -> Result<usize> {
    position(offset, from.len()).ok_or(NtStatus::INVALID_PARAMETER)?;
    let mut done = 0;
    while let Some(rest) = from.get(done..).filter(|rest| !rest.is_empty()) {
        let at = position(offset, done).ok_or(NtStatus::INVALID_PARAMETER)?;
        match pwritev2(&fd, &[IoSlice::new(rest)], at, ReadWriteFlags::NOWAIT) {
            Ok(count) if count > 0 => done = done.saturating_add(count),
            Err(Errno::INTR) => {}
            // It would wait, or cannot tell. What else is wrong is told when it is tried again.
            _ => break,
        }
    }
    Ok(done)
}

/// Writes all of `from`, of which `done` bytes are written.
pub(super) fn write(fd: impl AsFd, offset: u64, mut done: usize, from: &[u8]) -> Result<()> {
    position(offset, from.len()).ok_or(NtStatus::INVALID_PARAMETER)?;
    while let Some(rest) = from.get(done..).filter(|rest| !rest.is_empty()) {
        let at = position(offset, done).ok_or(NtStatus::INVALID_PARAMETER)?;
        match pwrite(&fd, rest, at) {
            Ok(0) => return Err(NtStatus::DISK_FULL),
            Ok(count) => done = done.saturating_add(count),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(status(errno)),
        }
    }
    Ok(())
}

/// The sum, where a file can reach that far.
fn position(offset: u64, done: usize) -> Option<u64> {
    offset.checked_add(u64::try_from(done).ok()?).filter(|at| i64::try_from(*at).is_ok())
}
