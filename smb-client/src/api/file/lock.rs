//! Byte-range locks — [MS-SMB2] 2.2.26, 3.2.4.19.

use super::File;
use crate::{driver::request::Request, error::Error};
use smb_proto::{
    msg::{LockElement, LockFlags, LockRequest, LockSequence},
    status::NtStatus,
};
use std::ops::Range;

/// What others may do in a locked range. Servers enforce it against every other open, also of the same client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// Read it, and lock it likewise.
    Shared,
    /// Nothing.
    Exclusive,
}

impl Lock {
    fn flags(self) -> LockFlags {
        match self {
            Self::Shared => LockFlags::SHARED_LOCK,
            Self::Exclusive => LockFlags::EXCLUSIVE_LOCK,
        }
    }
}

impl File {
    /// Locks a range of bytes, which may lie beyond the end; waits until those who hold it let go. It is held until
    /// [`unlock`](Self::unlock) or until the file is closed.
    ///
    /// Dropping the future gives up waiting; where the server grants the lock all the same, it is returned.
    pub async fn lock(&self, range: Range<u64>, lock: Lock) -> Result<(), Error> {
        self.ask(self.locking(&range, lock.flags())).await?.accept(&[])
    }

    /// The same without waiting: whether the lock was granted.
    pub async fn try_lock(&self, range: Range<u64>, lock: Lock) -> Result<bool, Error> {
        let flags = lock.flags() | LockFlags::FAIL_IMMEDIATELY;
        let reply = self.ask(self.locking(&range, flags)).await?;
        match reply.status() {
            NtStatus::LOCK_NOT_GRANTED | NtStatus::FILE_LOCK_CONFLICT => Ok(false),
            _ => reply.accept(&[]).map(|()| true),
        }
    }

    /// Lets go of a range that was locked, exactly as it was locked; another is refused with STATUS_RANGE_NOT_LOCKED.
    pub async fn unlock(&self, range: Range<u64>) -> Result<(), Error> {
        self.ask(self.lock_request(&range, LockFlags::UNLOCK)).await?.accept(&[])
    }

    fn locking(&self, range: &Range<u64>, flags: LockFlags) -> Request {
        let undo = self.inner.attached.request(self.lock_request(range, LockFlags::UNLOCK));
        self.lock_request(range, flags).undone_by(undo)
    }

    fn lock_request(&self, range: &Range<u64>, flags: LockFlags) -> Request {
        let length = range.end.saturating_sub(range.start);
        let locks = vec![LockElement { offset: range.start, length, flags }];
        // Replays, which the sequence serves, take an open that outlives its connection.
        let lock = LockRequest { sequence: LockSequence::default(), file_id: self.inner.id, locks };
        Request::new(&lock, self.inner.attached.id())
    }
}
