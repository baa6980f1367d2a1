//! What the opens of one file allow each other, and when the file goes — [MS-FSA] 2.1.5.1.2, 2.1.5.4.
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

use super::lock;
use crate::backend::FileKey;
use smb_proto::{
    msg::{Access, ShareAccess},
    status::NtStatus,
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

const SHARDS: usize = 32;

/// A file of a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    /// The share's number.
    pub share: u64,
    /// The file.
    pub file: FileKey,
}

#[derive(Debug, Default)]
struct File {
    /// What each open does and what it allows the others.
    opens: HashMap<u64, (Access, ShareAccess)>,
    next: u64,
    delete_pending: bool,
    deleting: bool,
}

/// The files that are open.
#[derive(Debug)]
pub struct ShareModes {
    shards: [Mutex<HashMap<Key, File>>; SHARDS],
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
    fn shard(&self, key: &Key) -> &Mutex<HashMap<Key, File>> {
        let [first, ..] = &self.shards;
        let shards = u64::try_from(SHARDS).unwrap_or(1);
        let index = usize::try_from((key.file.file ^ key.share) % shards).unwrap_or(0);
        self.shards.get(index).unwrap_or(first)
    }

    /// Adds an open to a file's, or says what is in its way.
    pub fn claim(self: &Arc<Self>, key: Key, access: Access, shared: ShareAccess) -> Result<Claim, NtStatus> {
        let mut files = lock(self.shard(&key));
        let file = files.entry(key).or_default();
        if file.delete_pending || file.deleting {
            return Err(NtStatus::DELETE_PENDING);
        }
        let conflict = file.opens.values().any(|(held, allowed)| {
            takes_part(*held) && takes_part(access) && (excluded(access, *allowed) || excluded(*held, shared))
        });
        if conflict {
            return Err(NtStatus::SHARING_VIOLATION);
        }
        let id = file.next;
        file.next += 1;
        file.opens.insert(id, (access, shared));
        Ok(Claim { modes: self.clone(), key, id, released: false })
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
    id: u64,
    released: bool,
}

/// What giving a place up means for the file.
#[derive(Debug)]
#[must_use]
pub enum Released {
    /// Nothing.
    Kept,
    /// It is to be removed now; until this is dropped nobody can open it.
    Delete(Deleting),
}

impl Claim {
    fn with<T>(&self, act: impl FnOnce(&mut File) -> T) -> Option<T> {
        lock(self.modes.shard(&self.key)).get_mut(&self.key).map(act)
    }

    /// The file.
    pub fn key(&self) -> Key {
        self.key
    }

    /// Whether the file goes when its last open does.
    pub fn delete_pending(&self) -> bool {
        self.with(|file| file.delete_pending).unwrap_or(false)
    }

    /// Sets or clears that.
    pub fn set_delete_pending(&self, on: bool) {
        self.with(|file| file.delete_pending = on);
    }

    /// Gives the place up.
    pub fn release(mut self) -> Released {
        self.released = true;
        let mut files = lock(self.modes.shard(&self.key));
        let Some(file) = files.get_mut(&self.key) else { return Released::Kept };
        file.opens.remove(&self.id);
        if !file.opens.is_empty() {
            return Released::Kept;
        }
        if !file.delete_pending {
            files.remove(&self.key);
            return Released::Kept;
        }
        file.deleting = true;
        Released::Delete(Deleting { modes: self.modes.clone(), key: self.key })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.released {
            return;
        }
        let mut files = lock(self.modes.shard(&self.key));
        if let Some(file) = files.get_mut(&self.key) {
            file.opens.remove(&self.id);
            if file.opens.is_empty() && !file.deleting {
                files.remove(&self.key);
            }
        }
    }
}

/// A file that is being removed.
#[derive(Debug)]
pub struct Deleting {
    modes: Arc<ShareModes>,
    key: Key,
}

impl Drop for Deleting {
    fn drop(&mut self) {
        lock(self.modes.shard(&self.key)).remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Key = Key { share: 1, file: FileKey { volume: 1, file: 7 } };

    fn modes() -> Arc<ShareModes> {
        Arc::default()
    }

    #[test]
    fn conflicts_both_ways() {
        let modes = modes();
        let reader = modes.claim(KEY, Access::READ_DATA, ShareAccess::READ).unwrap();
        assert!(modes.claim(KEY, Access::READ_DATA, ShareAccess::ALL).is_ok());
        // It does what the first does not allow.
        let refused = modes.claim(KEY, Access::WRITE_DATA, ShareAccess::ALL);
        assert_eq!(refused.unwrap_err(), NtStatus::SHARING_VIOLATION);
        // It does not allow what the first does.
        let refused = modes.claim(KEY, Access::READ_DATA, ShareAccess::WRITE);
        assert_eq!(refused.unwrap_err(), NtStatus::SHARING_VIOLATION);
        assert!(modes.claim(KEY, Access::DELETE, ShareAccess::ALL).is_err());
        // Attributes are always to be had.
        assert!(modes.claim(KEY, Access::READ_ATTRIBUTES, ShareAccess::NONE).is_ok());
        drop(reader);
        assert!(modes.is_empty());
        assert!(modes.claim(KEY, Access::WRITE_DATA, ShareAccess::NONE).is_ok());
    }

    #[test]
    fn another_share_is_another_file() {
        let modes = modes();
        let _one = modes.claim(KEY, Access::WRITE_DATA, ShareAccess::NONE).unwrap();
        assert!(modes.claim(Key { share: 2, ..KEY }, Access::WRITE_DATA, ShareAccess::NONE).is_ok());
    }

    #[test]
    fn the_last_release_deletes() {
        let modes = modes();
        let one = modes.claim(KEY, Access::READ_DATA, ShareAccess::ALL).unwrap();
        let two = modes.claim(KEY, Access::DELETE, ShareAccess::ALL).unwrap();
        two.set_delete_pending(true);
        assert!(one.delete_pending());
        let late = modes.claim(KEY, Access::READ_DATA, ShareAccess::ALL);
        assert_eq!(late.unwrap_err(), NtStatus::DELETE_PENDING);
        assert!(matches!(two.release(), Released::Kept));
        let Released::Delete(deleting) = one.release() else { panic!("not deleted") };
        assert!(modes.claim(KEY, Access::READ_DATA, ShareAccess::ALL).is_err(), "while it is removed");
        drop(deleting);
        assert!(modes.claim(KEY, Access::READ_DATA, ShareAccess::ALL).is_ok());
    }

    #[test]
    fn a_pending_delete_can_be_taken_back() {
        let modes = modes();
        let one = modes.claim(KEY, Access::DELETE, ShareAccess::ALL).unwrap();
        one.set_delete_pending(true);
        one.set_delete_pending(false);
        assert!(matches!(one.release(), Released::Kept));
        assert!(modes.is_empty());
    }
}
