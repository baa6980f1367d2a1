//! What every writable back end must do, as checks that run on any of them: `testing::all(|| share()).await`.
//!
//! Each behaviour gets a fresh, empty share. A failure is a panic that names the behaviour's line.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod data;
mod extras;
mod names;

use super::{
    Backend, Caller, Entry, Existing, Handle, Maker, OpenRequest, Opened, PlainMaker, Result, SetMetadata,
    Type,
};
use smb_proto::{msg::FileAttributes, status::NtStatus};
use smb_transport::{BoxFuture, IoBuf};
use std::sync::Arc;

type Behaviour = fn(Share) -> BoxFuture<'static, ()>;

macro_rules! behaviours {
    ($($module:ident: $($name:ident),+;)+) => {
        &[$($((stringify!($name), |share| Box::pin($module::$name(share)))),+),+]
    };
}

const BEHAVIOURS: &[(&str, Behaviour)] = behaviours! {
    data: read_what_was_written, holes_are_zero, the_end_of_the_file, cut_and_extend, write_in_parallel,
        large_file, data_of_directories, metadata_follows_the_data, times_can_be_set, readonly_is_kept;
    extras: streams_are_files_of_their_own, streams_by_disposition, streams_of_directories, streams_are_renamed,
        streams_go_with_the_file, extended_attributes_are_kept, security_is_kept, a_maker_decides,
        overwriting_makes_a_new_file, other_attributes_are_kept, creation_time_is_kept, change_time_is_kept, names_as_they_are_spelled, space_is_reserved,
        hard_links, hard_links_replace;
    names: create_by_disposition, wrong_type, missing_paths, case_does_not_matter, rename_moves,
        rename_refuses, rename_replaces, rename_by_case_only, remove_keeps_the_handle_usable,
        remove_refuses, renamed_then_removed_by_another_handle, lists_in_batches, lists_many,
        lists_while_entries_go, the_root, keys_tell_files_apart, odd_names;
};

/// Runs every behaviour on a share of its own.
pub async fn all(make: impl Fn() -> Arc<dyn Backend>) {
    for (name, behaviour) in BEHAVIOURS {
        eprintln!("behaviour: {name}");
        behaviour(Share::new(make())).await;
    }
}

/// A share and short ways to use it.
#[derive(Clone)]
pub struct Share {
    backend: Arc<dyn Backend>,
    caller: Caller,
    maker: Arc<dyn Maker>,
}

/// A path from its text.
pub fn path(text: &str) -> Vec<String> {
    text.split('/').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// A buffer that holds `bytes`.
pub fn buf(bytes: &[u8]) -> IoBuf {
    IoBuf::copied(bytes)
}

impl Share {
    /// The share behind `backend`.
    pub fn new(backend: Arc<dyn Backend>) -> Self {
        Self { backend, caller: Caller { user: "tester".into() }, maker: Arc::new(PlainMaker) }
    }

    /// The back end.
    pub fn backend(&self) -> &dyn Backend {
        self.backend.as_ref()
    }

    /// Opens for reading and writing.
    pub async fn open(&self, at: &str, wanted: Type, existing: Existing) -> Result<Opened> {
        self.open_as(at, wanted, existing, true, wanted != Type::Directory).await
    }

    /// Opens with the access given.
    pub async fn open_as(
        &self,
        at: &str,
        wanted: Type,
        existing: Existing,
        read: bool,
        write: bool,
    ) -> Result<Opened> {
        let path = path(at);
        let attributes = FileAttributes::NONE;
        let (stream, maker) = (None, &self.maker);
        let request = OpenRequest { path: &path, stream, wanted, existing, read, write, attributes, maker };
        self.backend.open(&self.caller, request).await
    }

    /// Opens a named stream for reading and writing.
    pub async fn stream(&self, at: &str, stream: &str, existing: Existing) -> Result<Opened> {
        let path = path(at);
        let request = OpenRequest {
            path: &path,
            stream: Some(stream),
            wanted: Type::Any,
            existing,
            read: true,
            write: true,
            attributes: FileAttributes::NONE,
            maker: &self.maker,
        };
        self.backend.open(&self.caller, request).await
    }

    /// The share, with another say in what new files get.
    #[must_use]
    pub fn with_maker(mut self, maker: Arc<dyn Maker>) -> Self {
        self.maker = maker;
        self
    }

    /// Opens only to ask, rename or remove.
    pub async fn touch(&self, at: &str) -> Result<Arc<dyn Handle>> {
        Ok(self.open_as(at, Type::Any, Existing::Required, false, false).await?.handle)
    }

    /// The status of an open that must fail.
    pub async fn refusal(&self, at: &str, wanted: Type, existing: Existing) -> NtStatus {
        self.open(at, wanted, existing).await.map(|_| ()).unwrap_err()
    }

    /// A new file.
    pub async fn file(&self, at: &str) -> Arc<dyn Handle> {
        self.open(at, Type::File, Existing::Forbidden).await.unwrap().handle
    }

    /// A new file with content.
    pub async fn file_of(&self, at: &str, content: &[u8]) -> Arc<dyn Handle> {
        let handle = self.file(at).await;
        handle.write(0, buf(content), false).await.unwrap();
        handle
    }

    /// A new directory.
    pub async fn directory(&self, at: &str) -> Arc<dyn Handle> {
        self.open(at, Type::Directory, Existing::Forbidden).await.unwrap().handle
    }

    /// What a file holds.
    pub async fn content(&self, at: &str) -> Vec<u8> {
        let file = self.open_as(at, Type::File, Existing::Required, true, false).await.unwrap();
        read(file.handle.as_ref(), 0, 1 << 20).await
    }

    /// The names in a directory.
    pub async fn names(&self, at: &str) -> Vec<String> {
        let directory = self.open(at, Type::Directory, Existing::Required).await.unwrap().handle;
        let entries = list(directory.as_ref(), 1000).await;
        entries.into_iter().map(|entry| entry.name).collect()
    }
}

/// Reads up to `len` bytes.
pub async fn read(handle: &dyn Handle, offset: u64, len: usize) -> Vec<u8> {
    let mut buf = IoBuf::alloc(len);
    // What the pool's last user left must not show.
    buf.fill(0xee);
    handle.read(offset, buf).await.unwrap().to_vec()
}

/// Lists all of a directory in batches of `most`, sorted by name.
pub async fn list(directory: &dyn Handle, most: usize) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    loop {
        let after = entries.last().map(|entry| entry.name.clone());
        let batch = directory.list(after.as_deref(), most).await.unwrap();
        assert!(batch.len() <= most);
        if batch.is_empty() {
            break;
        }
        entries.extend(batch);
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    entries
}

/// Sets READONLY or takes it away.
pub async fn set_readonly(handle: &dyn Handle, readonly: bool) {
    let attributes = if readonly { FileAttributes::READONLY } else { FileAttributes::NORMAL };
    let set = SetMetadata { attributes: Some(attributes), ..SetMetadata::default() };
    handle.set_metadata(set).await.unwrap();
}
