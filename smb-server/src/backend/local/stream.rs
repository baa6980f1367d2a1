//! A named stream, kept whole in one extended attribute: read, changed and written back under the share's lock.

use super::{Share, extended};
use crate::backend::{Metadata, Result, case::same};
use rustix::fd::OwnedFd;
use smb_proto::{msg::FileAttributes, status::NtStatus};
use smb_transport::IoBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// An open stream; its name may change.
pub(super) struct Stream(Mutex<String>);

impl Stream {
    pub(super) fn new(name: String) -> Self {
        Self(Mutex::new(name))
    }

    pub(super) fn name(&self) -> MutexGuard<'_, String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_there(&self, fd: &OwnedFd) -> Result<bool> {
        Ok(extended::stream_len(fd, &self.name())?.is_some())
    }

    /// One that was removed is empty.
    fn bytes(&self, fd: &OwnedFd) -> Result<Vec<u8>> {
        Ok(extended::stream(fd, &self.name())?.unwrap_or_default())
    }

    /// The file's, as far as it is not about the stream.
    pub(super) fn metadata(&self, fd: &OwnedFd, file: Metadata) -> Result<Metadata> {
        // One that was removed is empty.
        let len = extended::stream_len(fd, &self.name())?.unwrap_or(0);
        Ok(Metadata {
            end_of_file: u64::try_from(len).unwrap_or(u64::MAX),
            allocation_size: extended::room(len),
            attributes: file.attributes.without(FileAttributes::DIRECTORY),
            ..file
        })
    }

    pub(super) fn read(&self, fd: &OwnedFd, offset: u64, mut buf: IoBuf) -> Result<IoBuf> {
        let bytes = self.bytes(fd)?;
        let from = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..)).unwrap_or_default();
        let len = from.len().min(buf.len());
        buf.truncate(len);
        buf.copy_from_slice(from.get(..len).unwrap_or_default());
        Ok(buf)
    }

    fn change(
        &self,
        share: &Share,
        fd: &OwnedFd,
        change: impl FnOnce(&mut Vec<u8>) -> Result<()>,
    ) -> Result<()> {
        let _changing = share.streams();
        let mut bytes = self.bytes(fd)?;
        change(&mut bytes)?;
        extended::set_stream(fd, &self.name(), bytes)
    }

    pub(super) fn write(&self, share: &Share, fd: &OwnedFd, offset: u64, from: &[u8]) -> Result<()> {
        let len = u64::try_from(from.len()).unwrap_or(u64::MAX);
        let end = offset.checked_add(len).filter(|end| i64::try_from(*end).is_ok());
        let end = bounded(end.ok_or(NtStatus::INVALID_PARAMETER)?)?;
        self.change(share, fd, |bytes| {
            if !from.is_empty() {
                bytes.resize(bytes.len().max(end), 0);
                let to = bytes.get_mut(end - from.len()..end).ok_or(NtStatus::INTERNAL_ERROR)?;
                to.copy_from_slice(from);
            }
            Ok(())
        })
    }

    pub(super) fn set_len(&self, share: &Share, fd: &OwnedFd, len: u64) -> Result<()> {
        let len = bounded(len)?;
        self.change(share, fd, |bytes| {
            bytes.resize(len, 0);
            Ok(())
        })
    }

    pub(super) fn rename(&self, share: &Share, fd: &OwnedFd, to: &str, replace: bool) -> Result<()> {
        let _changing = share.streams();
        let mut name = self.name();
        let bytes = extended::stream(fd, &name)?.ok_or(NtStatus::FILE_DELETED)?;
        let there = extended::find_stream(fd, to, share.root.is_case_sensitive())?;
        match there {
            Some(there) if !same(&there, &name) => {
                if !replace {
                    return Err(NtStatus::OBJECT_NAME_COLLISION);
                }
                extended::remove_stream(fd, &there)?;
            }
            _ => {}
        }
        if *name != to {
            extended::set_stream(fd, to, bytes)?;
            extended::remove_stream(fd, &name)?;
            to.clone_into(&mut name);
        }
        Ok(())
    }

    pub(super) fn remove(&self, share: &Share, fd: &OwnedFd) -> Result<()> {
        let _changing = share.streams();
        let name = self.name();
        extended::stream(fd, &name)?.ok_or(NtStatus::FILE_DELETED)?;
        extended::remove_stream(fd, &name)
    }
}

/// A length that a stream can have.
fn bounded(len: u64) -> Result<usize> {
    usize::try_from(len).ok().filter(|len| *len <= extended::MOST_STREAM).ok_or(NtStatus::DISK_FULL)
}
