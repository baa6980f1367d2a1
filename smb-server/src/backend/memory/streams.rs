//! Named streams of a file in memory.

use super::data::Data;
use crate::backend::{Existing, Result, StreamInfo, case::fold};
use smb_proto::status::NtStatus;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The most streams a file has.
const MOST: usize = 1024;

/// A stream: its bytes, and its name where it still has one.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) data: Arc<Data>,
    name: Mutex<Option<String>>,
}

impl Stream {
    pub(super) fn name(&self) -> MutexGuard<'_, Option<String>> {
        self.name.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The named streams of a file, by folded name.
#[derive(Debug, Default)]
pub(super) struct Streams(BTreeMap<String, Arc<Stream>>);

impl Streams {
    /// Finds a stream, or makes it with `new`; whether it was made.
    pub(super) fn open(
        &mut self,
        name: &str,
        existing: Existing,
        new: impl FnOnce() -> Data,
    ) -> Result<(Arc<Stream>, bool)> {
        let key = fold(name);
        match (self.0.get(&key), existing) {
            (Some(_), Existing::Forbidden) => return Err(NtStatus::OBJECT_NAME_COLLISION),
            (Some(stream), _) => return Ok((Arc::clone(stream), false)),
            (None, Existing::Required) => return Err(NtStatus::OBJECT_NAME_NOT_FOUND),
            (None, _) if self.0.len() >= MOST => return Err(NtStatus::DISK_FULL),
            (None, _) => {}
        }
        let stream = Arc::new(Stream { data: Arc::new(new()), name: Mutex::new(Some(name.into())) });
        self.0.insert(key, Arc::clone(&stream));
        Ok((stream, true))
    }

    pub(super) fn list(&self) -> Vec<StreamInfo> {
        let info = |stream: &Arc<Stream>| {
            let (size, allocation_size) = (stream.data.len(), stream.data.allocated());
            stream.name().clone().map(|name| StreamInfo { name, size, allocation_size })
        };
        self.0.values().filter_map(info).collect()
    }

    pub(super) fn rename(&mut self, stream: &Arc<Stream>, to: &str, replace: bool) -> Result<()> {
        let mut name = stream.name();
        let old = fold(name.as_deref().ok_or(NtStatus::FILE_DELETED)?);
        let new = fold(to);
        if new != old
            && let Some(there) = self.0.get(&new)
        {
            if !replace {
                return Err(NtStatus::OBJECT_NAME_COLLISION);
            }
            *there.name() = None;
        }
        self.0.remove(&old);
        self.0.insert(new, Arc::clone(stream));
        *name = Some(to.into());
        Ok(())
    }

    pub(super) fn remove(&mut self, stream: &Stream) -> Result<()> {
        let name = stream.name().take().ok_or(NtStatus::FILE_DELETED)?;
        self.0.remove(&fold(&name));
        Ok(())
    }

    /// All go.
    pub(super) fn clear(&mut self) {
        for stream in std::mem::take(&mut self.0).into_values() {
            *stream.name() = None;
        }
    }
}
