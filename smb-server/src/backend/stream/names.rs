//! The streams that are live, by name.

use super::{StreamOptions, commit::Stream};
use crate::backend::{Entry, FileKey, Metadata, Result, case::fold};
use smb_proto::{
    msg::{FileAttributes, FileTime, FileTimes},
    status::NtStatus,
};
use std::{
    collections::BTreeMap,
    ops::{Bound, Deref},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};
use tokio::sync::Notify;

/// One live stream: the state its handle and its pump share.
pub(super) struct Live {
    pub(super) name: String,
    key: FileKey,
    begun: FileTime,
    stream: Mutex<Stream>,
    /// Wakes the pump.
    pub(super) work: Notify,
    /// Wakes everybody who waits for the stream to get on.
    pub(super) progress: Notify,
}

impl Live {
    pub(super) fn new(name: &str, key: FileKey, begun: FileTime, options: &StreamOptions) -> Self {
        let stream = Mutex::new(Stream::new(options.window, options.commit_on_close));
        Self { name: name.into(), key, begun, stream, work: Notify::new(), progress: Notify::new() }
    }

    /// The state. Never held while bytes are touched or anything is awaited.
    pub(super) fn stream(&self) -> MutexGuard<'_, Stream> {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn what_is_known(&self) -> Metadata {
        let received = self.stream().received();
        let (creation, last_write) = (self.begun, self.begun);
        Metadata {
            key: self.key,
            attributes: FileAttributes::NORMAL,
            times: FileTimes { creation, last_access: creation, last_write, change: last_write },
            end_of_file: received,
            allocation_size: received,
            links: 1,
        }
    }
}

/// The names.
pub(super) struct Names {
    live: Mutex<BTreeMap<String, Weak<Entered>>>,
    most: usize,
}

/// A live stream under its name, for as long as somebody holds a ticket to it.
#[derive(Clone)]
pub(super) struct Ticket(Arc<Entered>);

struct Entered {
    live: Live,
    names: Weak<Names>,
}

impl Deref for Ticket {
    type Target = Live;
    fn deref(&self) -> &Live {
        &self.0.live
    }
}

impl Ticket {
    /// Frees the name although somebody may still hold a ticket.
    pub(super) fn leave(&self) {
        let Some(names) = self.0.names.upgrade() else { return };
        let mut live = names.live();
        let name = fold(&self.name);
        if live.get(&name).is_some_and(|entered| entered.as_ptr() == Arc::as_ptr(&self.0)) {
            live.remove(&name);
        }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let Some(names) = self.names.upgrade() else { return };
        let mut live = names.live();
        let name = fold(&self.live.name);
        // Another stream may have taken the name already.
        if live.get(&name).is_some_and(|entered| entered.strong_count() == 0) {
            live.remove(&name);
        }
    }
}

impl Names {
    pub(super) fn new(most: usize) -> Self {
        Self { live: Mutex::default(), most }
    }

    fn live(&self) -> MutexGuard<'_, BTreeMap<String, Weak<Entered>>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The stream of that name.
    pub(super) fn get(&self, name: &str) -> Option<Ticket> {
        // The lock is let go before a ticket can be dropped: the last one locks again.
        let found = self.live().get(&fold(name)).and_then(Weak::upgrade);
        found.map(Ticket)
    }

    /// Takes the name.
    pub(super) fn enter(self: &Arc<Self>, name: &str, live: Live) -> Result<Ticket> {
        let entered = Arc::new(Entered { live, names: Arc::downgrade(self) });
        let mut names = self.live();
        let name = fold(name);
        let taken = names.get(&name).is_some_and(|there| there.strong_count() > 0);
        let refused = match (taken, names.len() >= self.most) {
            (true, _) => NtStatus::SHARING_VIOLATION,
            (false, true) => NtStatus::INSUFFICIENT_RESOURCES,
            (false, false) => {
                names.insert(name, Arc::downgrade(&entered));
                return Ok(Ticket(entered));
            }
        };
        drop(names);
        Err(refused)
    }

    /// Up to `most` entries after the one called `after`.
    pub(super) fn list(&self, after: Option<&str>, most: usize) -> Vec<Entry> {
        let from = after.map_or(Bound::Unbounded, |name| Bound::Excluded(fold(name)));
        let behind = (from, Bound::Unbounded);
        let live: Vec<_> =
            self.live().range(behind).filter_map(|(_, live)| live.upgrade()).take(most).collect();
        live.iter()
            .map(|entered| Entry {
                name: entered.live.name.clone(),
                metadata: entered.live.what_is_known(),
                security: None,
            })
            .collect()
    }
}
