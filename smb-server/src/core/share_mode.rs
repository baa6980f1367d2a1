//! What the opens of one file allow each other, and when a name of it goes — [MS-FSA] 2.1.5.1.2, 2.1.5.4.
//!
//! The rights are a matter of the file, whichever name it was opened by; going is one of the name, and waits for the
//! opens by that name only. Of a file with one name:
//!
//! ```text
//!            claim                       release, others left
//!   (none) ────────▶ Open ×n ◀──────────────────────────────┐
//!      ▲               │  │  └────────────────────────────▶─┘
//!      │  last release │  │ set_delete_pending: no new claims
//!      │               │  ▼
//!      │               │ Pending ×n ── last release ──▶ Deleting ── removed ──▶ (none)
//!      └───────────────┘                                (no claims)
//! ```

use super::{lock, write_time::WriteTime};
use crate::backend::FileKey;
use smb_proto::{
    msg::{Access, ShareAccess},
    status::NtStatus,
};
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
};

const SHARDS: usize = 32;

/// A file of a share, or a named stream of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    /// The share's number.
    pub share: u64,
    /// The file.
    pub file: FileKey,
    /// A number for the stream's name; [`MAIN`](Self::MAIN) for the file itself.
    pub stream: u64,
}

impl Key {
    /// The stream that is the file itself.
    pub const MAIN: u64 = 0;

    /// The file itself.
    pub const fn file(share: u64, file: FileKey) -> Self {
        Self { share, file, stream: Self::MAIN }
    }

    fn whole(self) -> (u64, FileKey) {
        (self.share, self.file)
    }
}

/// What one open does and what it allows the others of the same stream.
#[derive(Debug)]
struct Use {
    stream: u64,
    /// The name it was opened by.
    link: u64,
    access: Access,
    shared: ShareAccess,
}

#[derive(Debug, Default)]
struct File {
    opens: HashMap<u64, Use>,
    next: u64,
    /// The names that go with the last open by them — [MS-FSA] Link.IsDeleted.
    doomed: HashSet<u64>,
    /// The named streams that go when their last open does.
    doomed_streams: HashSet<u64>,
    /// The names that are being removed.
    deleting: HashSet<u64>,
    write_time: WriteTime,
}

impl File {
    fn refuses(&self, stream: u64, link: u64, access: Access, shared: ShareAccess) -> Option<NtStatus> {
        if self.goes(stream, link) || self.deleting.contains(&link) {
            return Some(NtStatus::DELETE_PENDING);
        }
        let conflict = self.opens.values().any(|held| {
            // Whoever deletes a file deletes its streams.
            let streams = stream == Key::MAIN && access.contains(Access::DELETE);
            if held.stream != stream {
                return streams && takes_part(held.access) && !held.shared.contains(ShareAccess::DELETE);
            }
            takes_part(held.access)
                && takes_part(access)
                && (excluded(access, held.shared) || excluded(held.access, shared))
        });
        conflict.then_some(NtStatus::SHARING_VIOLATION)
    }

    fn goes(&self, stream: u64, link: u64) -> bool {
        self.doomed.contains(&link) || self.doomed_streams.contains(&stream)
    }

    /// Whether nobody has to remember it.
    fn is_idle(&self) -> bool {
        self.opens.is_empty() && self.deleting.is_empty()
    }
}

type Files = HashMap<(u64, FileKey), File>;

/// The files that are open.
#[derive(Debug)]
pub struct ShareModes {
    shards: [Mutex<Files>; SHARDS],
}

impl Default for ShareModes {
    fn default() -> Self {
        Self { shards: std::array::from_fn(|_| Mutex::default()) }
    }
}

/// Rights that count against each share flag.
const USES: [(ShareAccess, Access); 3] = [
    (ShareAccess::READ, Access(Access::READ_DATA.0 | Access::EXECUTE.0)),
    (ShareAccess::WRITE, Access(Access::WRITE_DATA.0 | Access::APPEND_DATA.0)),
    (ShareAccess::DELETE, Access::DELETE),
];

/// Whether somebody who does `access` is in the way of somebody who allows only `shared`.
fn excluded(access: Access, shared: ShareAccess) -> bool {
    USES.iter().any(|(share, uses)| access.intersects(*uses) && !shared.contains(*share))
}

/// Whether an open with these rights takes part at all: one that only looks at attributes does not.
fn takes_part(access: Access) -> bool {
    USES.iter().any(|(_, uses)| access.intersects(*uses))
}

impl ShareModes {
    fn shard(&self, key: &Key) -> &Mutex<Files> {
        let [first, ..] = &self.shards;
        let shards = u64::try_from(SHARDS).unwrap_or(1);
        let index = usize::try_from((key.file.file ^ key.share) % shards).unwrap_or(0);
        self.shards.get(index).unwrap_or(first)
    }

    /// Adds an open to a file's, or says what is in its way. `link` tells the file's names apart
    /// ([`Handle::link_id`](crate::backend::Handle::link_id)).
    pub fn claim(
        self: &Arc<Self>,
        key: Key,
        link: u64,
        access: Access,
        shared: ShareAccess,
    ) -> Result<Claim, NtStatus> {
        let mut files = lock(self.shard(&key));
        let file = files.entry(key.whole()).or_default();
        if let Some(refused) = file.refuses(key.stream, link, access, shared) {
            if file.is_idle() {
                files.remove(&key.whole());
            }
            return Err(refused);
        }
        let id = file.next;
        file.next += 1;
        file.opens.insert(id, Use { stream: key.stream, link, access, shared });
        Ok(Claim { modes: self.clone(), key, link, id, released: false })
    }

    /// Takes hold of what nobody has open, to remove it: a file, or a stream of one. `None` where somebody has.
    pub fn seize(self: &Arc<Self>, key: Key, link: u64) -> Option<Deleting> {
        let mut files = lock(self.shard(&key));
        let file = files.entry(key.whole()).or_default();
        let is_open = file.opens.values().any(|open| key.stream == Key::MAIN || open.stream == key.stream);
        if is_open || !file.deleting.insert(link) {
            return None;
        }
        Some(Deleting { modes: self.clone(), key, link })
    }

    /// Whether a name of the file is to go: that of a directory, which has but one.
    pub fn is_doomed(&self, key: Key) -> bool {
        let files = lock(self.shard(&key));
        files.get(&key.whole()).is_some_and(|file| !file.deleting.is_empty() || !file.doomed.is_empty())
    }

    /// How many opens the file and its streams have.
    pub fn count(&self, key: Key) -> usize {
        lock(self.shard(&key)).get(&key.whole()).map_or(0, |file| file.opens.len())
    }

    /// Whether anybody has one of the file's named streams open.
    pub fn has_open_streams(&self, key: Key) -> bool {
        let files = lock(self.shard(&key));
        let stream = |file: &File| file.opens.values().any(|open| open.stream != Key::MAIN);
        files.get(&key.whole()).is_some_and(stream)
    }

    /// How many files are open.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    /// Whether none is.
    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// An open's place among those of its file. Dropping it gives the place up without deleting anything.
#[derive(Debug)]
pub struct Claim {
    modes: Arc<ShareModes>,
    key: Key,
    link: u64,
    id: u64,
    released: bool,
}

/// What giving a place up means for the file.
#[derive(Debug)]
#[must_use]
pub enum Released {
    /// Nothing.
    Kept,
    /// The named stream that was open is to be removed.
    DeleteStream,
    /// The name it was opened by is to be removed now; until this is dropped nobody can open the file by it. Where
    /// `stream` says so, the named stream that was open is to be removed first: other names keep the file.
    Delete {
        /// The name.
        name: Deleting,
        /// Whether the stream goes too.
        stream: bool,
    },
}

impl Claim {
    fn with<T>(&self, act: impl FnOnce(&mut File) -> T) -> Option<T> {
        lock(self.modes.shard(&self.key)).get_mut(&self.key.whole()).map(act)
    }

    /// What is claimed.
    pub fn key(&self) -> Key {
        self.key
    }

    /// Whether what is open goes when its last open does.
    pub fn delete_pending(&self) -> bool {
        self.with(|file| file.goes(self.key.stream, self.link)).unwrap_or(false)
    }

    /// Sets or clears that.
    pub fn set_delete_pending(&self, on: bool) {
        self.with(|file| {
            let (all, this) = match self.key.stream {
                Key::MAIN => (&mut file.doomed, self.link),
                stream => (&mut file.doomed_streams, stream),
            };
            if on { all.insert(this) } else { all.remove(&this) }
        });
    }

    /// What is told of the time of the last write.
    pub fn write_time<T>(&self, act: impl FnOnce(&mut WriteTime) -> T) -> Option<T> {
        self.with(|file| act(&mut file.write_time))
    }

    /// Gives the place up.
    pub fn release(mut self) -> Released {
        self.released = true;
        let mut files = lock(self.modes.shard(&self.key));
        let whole = self.key.whole();
        let Some(file) = files.get_mut(&whole) else { return Released::Kept };
        file.opens.remove(&self.id);
        let (link, stream) = (self.link, self.key.stream);
        let last_of_stream = !file.opens.values().any(|open| open.stream == stream);
        let stream = last_of_stream && file.doomed_streams.remove(&stream);
        let last_by_name = !file.opens.values().any(|open| open.link == link);
        if last_by_name && file.doomed.remove(&link) {
            file.deleting.insert(link);
            let name = Deleting { modes: self.modes.clone(), key: self.key, link };
            return Released::Delete { name, stream };
        }
        if file.is_idle() {
            files.remove(&whole);
        }
        if stream { Released::DeleteStream } else { Released::Kept }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.released {
            return;
        }
        let mut files = lock(self.modes.shard(&self.key));
        if let Some(file) = files.get_mut(&self.key.whole()) {
            file.opens.remove(&self.id);
            if file.is_idle() {
                files.remove(&self.key.whole());
            }
        }
    }
}

/// A name that is being removed.
#[derive(Debug)]
pub struct Deleting {
    modes: Arc<ShareModes>,
    key: Key,
    link: u64,
}

impl Drop for Deleting {
    fn drop(&mut self) {
        let mut files = lock(self.modes.shard(&self.key));
        if let Some(file) = files.get_mut(&self.key.whole()) {
            file.deleting.remove(&self.link);
            if file.is_idle() {
                files.remove(&self.key.whole());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Key = Key::file(1, FileKey { volume: 1, file: 7 });
    const STREAM: Key = Key { stream: 5, ..KEY };
    const LINK: u64 = 0;

    fn modes() -> Arc<ShareModes> {
        Arc::default()
    }

    #[test]
    fn conflicts_both_ways() {
        let modes = modes();
        let reader = modes.claim(KEY, LINK, Access::READ_DATA, ShareAccess::READ).unwrap();
        assert!(modes.claim(KEY, LINK, Access::READ_DATA, ShareAccess::ALL).is_ok());
        // It does what the first does not allow.
        let refused = modes.claim(KEY, LINK, Access::WRITE_DATA, ShareAccess::ALL);
        assert_eq!(refused.unwrap_err(), NtStatus::SHARING_VIOLATION);
        // It does not allow what the first does.
        let refused = modes.claim(KEY, LINK, Access::READ_DATA, ShareAccess::WRITE);
        assert_eq!(refused.unwrap_err(), NtStatus::SHARING_VIOLATION);
        assert!(modes.claim(KEY, LINK, Access::DELETE, ShareAccess::ALL).is_err());
        // Attributes are always to be had.
        assert!(modes.claim(KEY, LINK, Access::READ_ATTRIBUTES, ShareAccess::NONE).is_ok());
        drop(reader);
        assert!(modes.is_empty());
        assert!(modes.claim(KEY, LINK, Access::WRITE_DATA, ShareAccess::NONE).is_ok());
    }

    #[test]
    fn another_share_is_another_file() {
        let modes = modes();
        let _one = modes.claim(KEY, LINK, Access::WRITE_DATA, ShareAccess::NONE).unwrap();
        assert!(modes.claim(Key { share: 2, ..KEY }, LINK, Access::WRITE_DATA, ShareAccess::NONE).is_ok());
    }

    #[test]
    fn the_last_release_deletes() {
        let modes = modes();
        let one = modes.claim(KEY, LINK, Access::READ_DATA, ShareAccess::ALL).unwrap();
        let two = modes.claim(KEY, LINK, Access::DELETE, ShareAccess::ALL).unwrap();
        two.set_delete_pending(true);
        assert!(one.delete_pending());
        let late = modes.claim(KEY, LINK, Access::READ_DATA, ShareAccess::ALL);
        assert_eq!(late.unwrap_err(), NtStatus::DELETE_PENDING);
        assert!(matches!(two.release(), Released::Kept));
        let Released::Delete { name: deleting, .. } = one.release() else { panic!("not deleted") };
        assert!(modes.claim(KEY, LINK, Access::READ_DATA, ShareAccess::ALL).is_err(), "while it is removed");
        drop(deleting);
        assert!(modes.claim(KEY, LINK, Access::READ_DATA, ShareAccess::ALL).is_ok());
    }

    #[test]
    fn names_go_for_themselves() {
        let modes = modes();
        let other = modes.claim(KEY, 1, Access::READ_DATA, ShareAccess::ALL).unwrap();
        let one = modes.claim(KEY, 2, Access::DELETE, ShareAccess::ALL).unwrap();
        one.set_delete_pending(true);
        assert!(one.delete_pending() && !other.delete_pending());
        let refused = modes.claim(STREAM, 2, Access::READ_DATA, ShareAccess::ALL);
        assert_eq!(refused.unwrap_err(), NtStatus::DELETE_PENDING);
        let Released::Delete { name: deleting, .. } = one.release() else { panic!("not deleted") };
        assert!(modes.claim(KEY, 1, Access::READ_DATA, ShareAccess::ALL).is_ok());
        assert!(matches!(other.release(), Released::Kept));
        let refused = modes.claim(KEY, 2, Access::READ_DATA, ShareAccess::ALL);
        assert_eq!(refused.unwrap_err(), NtStatus::DELETE_PENDING);
        drop(deleting);
        assert!(modes.is_empty());
    }

    #[test]
    fn a_stream_goes_with_one_name_of_several() {
        let modes = modes();
        let other = modes.claim(KEY, 1, Access::READ_DATA, ShareAccess::ALL).unwrap();
        let file = modes.claim(KEY, 2, Access::DELETE, ShareAccess::ALL).unwrap();
        let stream = modes.claim(STREAM, 2, Access::DELETE, ShareAccess::ALL).unwrap();
        stream.set_delete_pending(true);
        file.set_delete_pending(true);
        assert!(matches!(file.release(), Released::Kept));
        let Released::Delete { name, stream: true } = stream.release() else { panic!("not both") };
        drop(name);
        assert!(modes.claim(STREAM, 1, Access::READ_DATA, ShareAccess::ALL).is_ok());
        drop(other);
        assert!(modes.is_empty());
    }

    #[test]
    fn a_pending_delete_can_be_taken_back() {
        let modes = modes();
        let one = modes.claim(KEY, LINK, Access::DELETE, ShareAccess::ALL).unwrap();
        one.set_delete_pending(true);
        one.set_delete_pending(false);
        assert!(matches!(one.release(), Released::Kept));
        assert!(modes.is_empty());
    }

    #[test]
    fn streams_are_shared_for_themselves_but_go_with_the_file() {
        let modes = modes();
        let stream = modes.claim(STREAM, LINK, Access::WRITE_DATA, ShareAccess::NONE).unwrap();
        let file = modes.claim(KEY, LINK, Access::WRITE_DATA, ShareAccess::NONE).unwrap();
        assert!(modes.claim(STREAM, LINK, Access::READ_DATA, ShareAccess::ALL).is_err());
        drop(file);
        let refused = modes.claim(KEY, LINK, Access::DELETE, ShareAccess::ALL);
        assert_eq!(refused.unwrap_err(), NtStatus::SHARING_VIOLATION);
        drop(stream);
        let file = modes.claim(KEY, LINK, Access::DELETE, ShareAccess::NONE).unwrap();
        let stream = modes.claim(STREAM, LINK, Access::DELETE, ShareAccess::ALL).unwrap();
        file.set_delete_pending(true);
        assert!(stream.delete_pending() && modes.is_doomed(KEY));
        assert!(matches!(file.release(), Released::Kept), "a stream is still open");
        let refused = modes.claim(STREAM, LINK, Access::READ_DATA, ShareAccess::ALL);
        assert_eq!(refused.unwrap_err(), NtStatus::DELETE_PENDING);
        assert!(matches!(stream.release(), Released::Delete { .. }));
        assert!(modes.is_empty());
    }

    #[test]
    fn a_stream_goes_alone() {
        let modes = modes();
        let file = modes.claim(KEY, LINK, Access::READ_DATA, ShareAccess::ALL).unwrap();
        for others in [true, false] {
            let stream = modes.claim(STREAM, LINK, Access::DELETE, ShareAccess::ALL).unwrap();
            stream.set_delete_pending(true);
            assert!(!file.delete_pending() && stream.delete_pending());
            assert!(modes.claim(STREAM, LINK, Access::READ_DATA, ShareAccess::ALL).is_err());
            let also =
                if others { Some(modes.claim(KEY, LINK, Access::READ_DATA, ShareAccess::ALL)) } else { None };
            assert!(matches!(stream.release(), Released::DeleteStream));
            drop(also);
            assert!(modes.claim(STREAM, LINK, Access::READ_DATA, ShareAccess::ALL).is_ok());
        }
        drop(file);
        assert!(modes.is_empty());
    }

    #[test]
    fn a_refused_open_leaves_nothing() {
        let modes = modes();
        let one = modes.claim(KEY, LINK, Access::WRITE_DATA, ShareAccess::NONE).unwrap();
        assert_eq!(modes.count(KEY), 1);
        assert!(modes.claim(KEY, LINK, Access::WRITE_DATA, ShareAccess::NONE).is_err());
        drop(one);
        assert!(modes.is_empty());
    }

    #[test]
    fn only_what_nobody_has_open_is_seized() {
        let modes = modes();
        let one = modes.claim(KEY, LINK, Access::READ_ATTRIBUTES, ShareAccess::ALL).unwrap();
        assert!(modes.seize(KEY, LINK).is_none());
        assert!(modes.seize(STREAM, LINK).is_some());
        drop(one);
        let seized = modes.seize(KEY, LINK).unwrap();
        let refused = modes.claim(KEY, LINK, Access::READ_ATTRIBUTES, ShareAccess::ALL);
        assert_eq!(refused.unwrap_err(), NtStatus::DELETE_PENDING);
        assert!(modes.seize(KEY, LINK).is_none());
        drop(seized);
        assert!(modes.is_empty());
    }
}
