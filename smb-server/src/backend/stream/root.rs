//! The share's root directory: the streams that are live.

use super::names::Names;
use crate::backend::{Entry, FileKey, Handle, Metadata, Result};
use smb_proto::msg::{FileAttributes, FileTime, FileTimes};
use smb_transport::BoxFuture;
use std::sync::Arc;

pub(super) struct Root {
    key: FileKey,
    now: FileTime,
    names: Arc<Names>,
}

impl Root {
    pub(super) fn new(key: FileKey, now: FileTime, names: Arc<Names>) -> Self {
        Self { key, now, names }
    }

    pub(super) fn what_is_known(&self) -> Metadata {
        let now = self.now;
        Metadata {
            key: self.key,
            attributes: FileAttributes::DIRECTORY,
            times: FileTimes { creation: now, last_access: now, last_write: now, change: now },
            end_of_file: 0,
            allocation_size: 0,
            links: 1,
        }
    }
}

impl Handle for Root {
    fn metadata(&self) -> BoxFuture<'_, Result<Metadata>> {
        Box::pin(async { Ok(self.what_is_known()) })
    }

    fn list<'a>(&'a self, after: Option<&'a str>, most: usize) -> BoxFuture<'a, Result<Vec<Entry>>> {
        Box::pin(async move { Ok(self.names.list(after, most)) })
    }
}
