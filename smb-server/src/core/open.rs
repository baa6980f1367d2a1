//! Opens of a session, by file id — [MS-SMB2] 3.3.1.10.
//!
//! The table is in shards, so that channels of one session do not wait for each other, and closes for good when the
//! session ends: an open that comes too late is refused instead of left behind.

use super::{
    byte_lock::Locker,
    lock,
    lock_sequence::LockSequences,
    quota::UserOpens,
    share_mode::{Claim, Key},
    watch::{Watcher, Watches},
};
use crate::{backend::Handle, share::Share};
use smb_proto::{
    dtyp::Token,
    msg::{Access, CreateOptions, FileId, FileTime, LockSequence},
    status::NtStatus,
};
use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering},
    },
};

const SHARDS: usize = 16;

/// How far a directory was listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// The pattern of the listing.
    pub pattern: String,
    /// The last name looked at.
    pub after: Cursor,
    /// Whether anything matched so far.
    pub matched: bool,
}

/// A place in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cursor {
    /// At the beginning.
    Start,
    /// Behind `.`.
    Dot,
    /// Behind `..`.
    DotDot,
    /// Behind this entry.
    Name(String),
}

/// An open file or directory.
pub struct Open {
    /// Its file id.
    pub id: FileId,
    /// The share connection it belongs to.
    pub tree_id: u32,
    /// The share.
    pub share: Arc<Share>,
    /// What it may do.
    pub granted: Access,
    /// Whether it is a directory.
    pub directory: bool,
    /// FILE_DELETE_ON_CLOSE was given.
    pub delete_on_close: bool,
    /// CreateOptions that FileModeInformation tells and sets.
    pub mode: AtomicU32,
    /// How many extended attributes the query under way has told.
    pub told_attributes: AtomicUsize,
    /// CurrentByteOffset of FilePositionInformation.
    pub position: AtomicU64,
    /// The back end's handle.
    pub handle: Arc<dyn Handle>,
    /// Its byte-range locks.
    pub locker: Arc<Locker>,
    lock_sequences: Mutex<LockSequences>,
    /// Who opened it.
    pub token: Arc<Token>,
    path: Mutex<Vec<String>>,
    stream: Mutex<Option<String>>,
    scan: Mutex<Option<Scan>>,
    claim: Mutex<Option<Claim>>,
    pub(super) watches: Arc<Watches>,
    pub(super) watcher: Mutex<Option<Arc<Watcher>>>,
    written: Mutex<Written>,
}

/// What an open has to do with the time of the last write.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// It wrote.
    pub wrote: bool,
    /// The time stays this, whatever the open writes: it was set, or frozen, through it — [MS-FSCC] 2.4.7.
    pub held: Option<FileTime>,
}

/// What an open begins with.
pub struct NewOpen {
    /// Its file id, unguessable.
    pub id: FileId,
    /// The share connection.
    pub tree_id: u32,
    /// The share.
    pub share: Arc<Share>,
    /// What it may do.
    pub granted: Access,
    /// Whether it is a directory.
    pub directory: bool,
    /// FILE_DELETE_ON_CLOSE was given.
    pub delete_on_close: bool,
    /// The mode.
    pub mode: u32,
    /// The back end's handle.
    pub handle: Arc<dyn Handle>,
    /// Who opens it.
    pub token: Arc<Token>,
    /// The path.
    pub path: Vec<String>,
    /// The named stream.
    pub stream: Option<String>,
    /// Its place among the file's opens.
    pub claim: Claim,
    /// Its byte-range locks.
    pub locker: Arc<Locker>,
    /// The directories that are watched.
    pub watches: Arc<Watches>,
}

impl Open {
    /// An open.
    pub fn new(new: NewOpen) -> Self {
        Self {
            id: new.id,
            tree_id: new.tree_id,
            share: new.share,
            granted: new.granted,
            directory: new.directory,
            delete_on_close: new.delete_on_close,
            mode: AtomicU32::new(new.mode),
            told_attributes: AtomicUsize::new(0),
            position: AtomicU64::new(0),
            handle: new.handle,
            locker: new.locker,
            lock_sequences: Mutex::default(),
            token: new.token,
            path: Mutex::new(new.path),
            stream: Mutex::new(new.stream),
            scan: Mutex::new(None),
            claim: Mutex::new(Some(new.claim)),
            watches: new.watches,
            watcher: Mutex::new(None),
            written: Mutex::default(),
        }
    }

    /// STATUS_ACCESS_DENIED unless the open may do all of `access`.
    pub fn require_all(&self, access: Access) -> Result<(), NtStatus> {
        if self.granted.contains(access) { Ok(()) } else { Err(NtStatus::ACCESS_DENIED) }
    }

    /// STATUS_ACCESS_DENIED unless the open may do one of `access`.
    pub fn require(&self, access: Access) -> Result<(), NtStatus> {
        if self.granted.intersects(access) { Ok(()) } else { Err(NtStatus::ACCESS_DENIED) }
    }

    /// Whether what is written through it must be durable before it is answered.
    pub fn writes_through(&self) -> bool {
        CreateOptions(self.mode.load(Ordering::Relaxed)).contains(CreateOptions::WRITE_THROUGH)
    }

    /// Whether a LOCK was done before — [MS-SMB2] 3.3.5.14.
    pub fn lock_replayed(&self, sequence: LockSequence) -> bool {
        lock(&self.lock_sequences).replayed(sequence)
    }

    /// A LOCK is done.
    pub fn lock_done(&self, sequence: LockSequence) {
        lock(&self.lock_sequences).done(sequence);
    }

    /// The path from the share's root.
    pub fn path(&self) -> Vec<String> {
        lock(&self.path).clone()
    }

    /// The file was renamed.
    pub fn set_path(&self, path: Vec<String>) {
        *lock(&self.path) = path;
    }

    /// The named stream that is open.
    pub fn stream(&self) -> Option<String> {
        lock(&self.stream).clone()
    }

    /// The stream was renamed.
    pub fn set_stream(&self, name: String) {
        *lock(&self.stream) = Some(name);
    }

    /// What it has to do with the time of the last write.
    pub fn written(&self) -> Written {
        *lock(&self.written)
    }

    /// Changes that.
    pub fn set_written(&self, change: impl FnOnce(&mut Written)) {
        change(&mut lock(&self.written));
    }

    /// What it is an open of; `None` once its place was given up.
    pub fn key(&self) -> Option<Key> {
        self.with_claim(Claim::key)
    }

    /// Asks its place among the file's opens, while it has one.
    pub fn with_claim<T>(&self, ask: impl FnOnce(&Claim) -> T) -> Option<T> {
        lock(&self.claim).as_ref().map(ask)
    }

    /// The listing under way.
    pub fn scan(&self) -> Option<Scan> {
        lock(&self.scan).clone()
    }

    /// Keeps the listing under way.
    pub fn set_scan(&self, scan: Scan) {
        *lock(&self.scan) = Some(scan);
    }

    /// Whether the file goes when its last open does.
    pub fn delete_pending(&self) -> bool {
        lock(&self.claim).as_ref().is_some_and(Claim::delete_pending)
    }

    /// Sets or clears that.
    pub fn set_delete_pending(&self, on: bool) {
        if let Some(claim) = lock(&self.claim).as_ref() {
            claim.set_delete_pending(on);
        }
    }

    /// The open's place among the file's opens, to give up; `None` the second time.
    pub fn take_claim(&self) -> Option<Claim> {
        lock(&self.claim).take()
    }
}

impl fmt::Debug for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Open").field("id", &self.id).field("granted", &self.granted).finish_non_exhaustive()
    }
}

/// A place for an open among those of a session; given back where none takes it.
#[derive(Debug)]
#[must_use]
pub struct Vacancy<'a>(Option<&'a Opens>);

impl Vacancy<'_> {
    /// Puts the open there. Refused where the session has ended.
    pub fn fill(mut self, open: Arc<Open>) -> Result<(), NtStatus> {
        if self.0.is_some_and(|opens| opens.insert(open)) {
            self.0 = None;
            return Ok(());
        }
        Err(NtStatus::USER_SESSION_DELETED)
    }
}

impl Drop for Vacancy<'_> {
    fn drop(&mut self) {
        if let Some(opens) = self.0 {
            opens.give_back(1);
        }
    }
}

type Shard = Mutex<Option<HashMap<u64, Arc<Open>>>>;

/// The opens of a session.
#[derive(Debug)]
pub struct Opens {
    limit: usize,
    count: AtomicUsize,
    user: Arc<UserOpens>,
    /// `None` once the session has ended.
    shards: [Shard; SHARDS],
}

impl Opens {
    /// None yet, and never more than `limit`, nor more than its user may have.
    pub fn new(limit: usize, user: Arc<UserOpens>) -> Self {
        let shards = std::array::from_fn(|_| Mutex::new(Some(HashMap::new())));
        Self { limit, count: AtomicUsize::new(0), user, shards }
    }

    /// Counts one more, where there is room for it.
    fn take(&self) -> bool {
        if self.count.fetch_add(1, Ordering::Relaxed) < self.limit && self.user.take() {
            return true;
        }
        self.count.fetch_sub(1, Ordering::Relaxed);
        false
    }

    /// A place for one more. Refused where there are too many.
    pub fn vacancy(&self) -> Result<Vacancy<'_>, NtStatus> {
        if self.take() { Ok(Vacancy(Some(self))) } else { Err(NtStatus::TOO_MANY_OPENED_FILES) }
    }

    fn give_back(&self, count: usize) {
        self.count.fetch_sub(count, Ordering::Relaxed);
        self.user.give_back(count);
    }

    fn shard(&self, volatile: u64) -> Option<&Shard> {
        let shards = u64::try_from(SHARDS).ok()?;
        self.shards.get(usize::try_from(volatile % shards).ok()?)
    }

    fn insert(&self, open: Arc<Open>) -> bool {
        let mut shard = self.shard(open.id.volatile).map(lock);
        match shard.as_mut().and_then(|shard| shard.as_mut()) {
            Some(map) if !map.contains_key(&open.id.volatile) => {
                map.insert(open.id.volatile, open);
                true
            }
            _ => false,
        }
    }

    /// The open called `id`.
    pub fn get(&self, id: FileId) -> Option<Arc<Open>> {
        let shard = lock(self.shard(id.volatile)?);
        shard.as_ref()?.get(&id.volatile).filter(|open| open.id == id).cloned()
    }

    /// Takes an open out; whoever gets it closes it.
    pub fn remove(&self, id: FileId) -> Option<Arc<Open>> {
        let mut shard = lock(self.shard(id.volatile)?);
        let map = shard.as_mut()?;
        map.get(&id.volatile).filter(|open| open.id == id)?;
        self.give_back(1);
        map.remove(&id.volatile)
    }

    /// Whether `is` is so of any.
    pub fn any(&self, is: impl Fn(&Open) -> bool) -> bool {
        let held = |shard: &Shard| lock(shard).as_ref().is_some_and(|map| map.values().any(|open| is(open)));
        self.shards.iter().any(held)
    }

    /// Takes out the opens of one share connection.
    pub fn remove_tree(&self, tree_id: u32) -> Vec<Arc<Open>> {
        let mut gone = Vec::new();
        for shard in &self.shards {
            if let Some(map) = lock(shard).as_mut() {
                gone.extend(map.extract_if(|_, open| open.tree_id == tree_id).map(|(_, open)| open));
            }
        }
        self.give_back(gone.len());
        gone
    }

    /// Takes out all opens and refuses new ones.
    pub fn close(&self) -> Vec<Arc<Open>> {
        let gone: Vec<_> = self
            .shards
            .iter()
            .filter_map(|shard| lock(shard).take())
            .flat_map(HashMap::into_values)
            .collect();
        self.give_back(gone.len());
        gone
    }
}
