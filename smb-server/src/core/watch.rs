//! Directories that are watched, and what changes in them — [MS-SMB2] 3.3.5.19, [MS-FSA] 2.1.5.11.
//!
//! ```text
//!   first CHANGE_NOTIFY of an open ──▶ Watching ── change ──▶ records (too many: overflow)
//!                                        │  ▲                    │ the request that waits longest, or the next one
//!                                        │  └────────────────────┘
//!                                        ├─ close            ──▶ STATUS_NOTIFY_CLEANUP
//!                                        └─ directory doomed ──▶ STATUS_DELETE_PENDING
//! ```
//! Filter, depth and the room for records are those of the first request; between two requests changes are kept.

mod echo;

use super::lock;
use crate::backend::{Beside, Happened};
use echo::{Echoes, Kind};
use smb_proto::{
    fscc::notify::{self, NotifyAction, NotifyRecord},
    msg::NotifyFilter,
    status::NtStatus,
};
use std::{
    any::Any,
    collections::{HashMap, VecDeque},
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

/// Bytes of records that are kept for one open, whatever its client asked for.
const MOST_KEPT: usize = 64 * 1024;
/// The fixed part of a record.
const RECORD: usize = 12;

/// A share, as far as its names are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Names {
    /// The share's number.
    pub share: u64,
    /// Names differ by case.
    pub case_sensitive: bool,
}

/// The path of something from a directory above it, as names are compared.
type Named = Vec<String>;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Place {
    share: u64,
    path: Vec<String>,
}

impl Names {
    /// A path as it is compared with others.
    fn fold(self, path: &[String]) -> Named {
        let fold = |name: &String| if self.case_sensitive { name.clone() } else { name.to_lowercase() };
        path.iter().map(fold).collect()
    }

    fn place(self, path: &[String]) -> Place {
        Place { share: self.share, path: self.fold(path) }
    }
}

/// A change of one file or directory.
#[derive(Debug, Clone, Copy)]
pub struct Change<'a> {
    /// Its path, from the share's root.
    pub path: &'a [String],
    /// What happened.
    pub action: NotifyAction,
    /// Whom it concerns: watches with one of these.
    pub filter: NotifyFilter,
    /// But not watches with one of these, who hear of it otherwise.
    pub unless: NotifyFilter,
}

#[derive(Debug)]
struct Watching {
    place: Place,
    filter: NotifyFilter,
    tree: bool,
    room: usize,
    records: Vec<NotifyRecord>,
    bytes: usize,
    overflow: bool,
    doomed: bool,
    waiting: VecDeque<(u64, Waker)>,
    /// The server's own changes, where the storage tells of all that there are.
    echoes: Option<Echoes>,
}

/// What happens to a name in a change.
fn kind(action: NotifyAction) -> Kind {
    match action {
        NotifyAction::ADDED | NotifyAction::RENAMED_NEW_NAME => Kind::Came,
        NotifyAction::REMOVED | NotifyAction::RENAMED_OLD_NAME => Kind::Gone,
        _ => Kind::Changed,
    }
}

impl Watching {
    /// Takes note of a change that the server made.
    fn own(&mut self, change: &Change<'_>, depth: usize, name: &[String], now: Duration) {
        let heard = self.tree || depth == 1;
        if let Some(echoes) = self.echoes.as_mut().filter(|_| heard) {
            echoes.own(kind(change.action), name, now);
        }
    }

    fn tell(&mut self, path: &[String], action: NotifyAction, filter: NotifyFilter) {
        if self.filter.intersects(filter) {
            self.record(NotifyRecord { action, name: path.join("\\").as_str().into() });
        }
    }

    /// Takes note of a change that the storage tells of, unless the server made it.
    fn beside(&mut self, names: Names, change: &Beside, now: Duration) {
        let filter = if change.directory { NotifyFilter::DIR_NAME } else { NotifyFilter::FILE_NAME };
        let name = names.fold(&change.path);
        let echo = |watch: &mut Self, kind, name: &Named| {
            watch.echoes.as_mut().is_some_and(|echoes| echoes.is_echo(kind, name, now))
        };
        let about = match &change.happened {
            Happened::Created if !echo(self, Kind::Came, &name) => {
                return self.tell(&change.path, NotifyAction::ADDED, filter);
            }
            Happened::Removed if !echo(self, Kind::Gone, &name) => {
                return self.tell(&change.path, NotifyAction::REMOVED, filter);
            }
            Happened::Renamed { from } => {
                let gone = echo(self, Kind::Gone, &names.fold(from));
                if !echo(self, Kind::Came, &name) && !gone {
                    let near =
                        from.split_last().map(|(_, at)| at) == change.path.split_last().map(|(_, at)| at);
                    let (old, new) = match near {
                        true => (NotifyAction::RENAMED_OLD_NAME, NotifyAction::RENAMED_NEW_NAME),
                        false => (NotifyAction::REMOVED, NotifyAction::ADDED),
                    };
                    self.tell(from, old, filter);
                    self.tell(&change.path, new, filter);
                }
                return;
            }
            Happened::Written => NotifyFilter::SIZE | NotifyFilter::LAST_WRITE,
            Happened::Described => {
                let times = NotifyFilter::LAST_WRITE | NotifyFilter::LAST_ACCESS | NotifyFilter::CREATION;
                times | NotifyFilter::ATTRIBUTES | NotifyFilter::SECURITY | NotifyFilter::EA
            }
            Happened::Lost => {
                self.records = Vec::new();
                self.overflow = true;
                return;
            }
            Happened::Created | Happened::Removed => return,
        };
        if !echo(self, Kind::Changed, &name) {
            self.tell(&change.path, NotifyAction::MODIFIED, about);
        }
    }

    fn concerns(&self, change: &Change<'_>, depth: usize) -> bool {
        let near = self.tree || depth == 1;
        near && self.filter.intersects(change.filter) && !self.filter.intersects(change.unless)
    }

    fn record(&mut self, record: NotifyRecord) {
        let again = record.action == NotifyAction::MODIFIED && self.records.last() == Some(&record);
        if self.overflow || again {
            return;
        }
        self.bytes = self.bytes.saturating_add((RECORD + record.name.wire_len()).next_multiple_of(4));
        if self.bytes > self.room {
            self.overflow = true;
            self.records = Vec::new();
        } else {
            self.records.push(record);
        }
    }

    fn ready(&self) -> bool {
        self.doomed || self.overflow || !self.records.is_empty()
    }

    /// Hands out what there is, at most `limit` bytes.
    fn take(&mut self, limit: usize) -> Result<Vec<u8>, NtStatus> {
        if self.doomed {
            return Err(NtStatus::DELETE_PENDING);
        }
        self.bytes = 0;
        let records = std::mem::take(&mut self.records);
        let output = notify::to_bytes(&records);
        if std::mem::take(&mut self.overflow) || output.len() > limit {
            return Err(NtStatus::NOTIFY_ENUM_DIR);
        }
        Ok(output)
    }

    /// Whom to wake now.
    fn first(&self) -> Option<Waker> {
        self.waiting.front().filter(|_| self.ready()).map(|(_, waker)| waker.clone())
    }
}

#[derive(Debug, Default)]
struct Table {
    last: u64,
    watching: HashMap<u64, Watching>,
    places: HashMap<Place, Vec<u64>>,
}

impl Table {
    fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    fn settle(&mut self, id: u64, place: Place) {
        self.places.entry(place).or_default().push(id);
    }

    fn unsettle(&mut self, id: u64, place: &Place) {
        if let Some(ids) = self.places.get_mut(place) {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                self.places.remove(place);
            }
        }
    }

    /// Gives a change to the watches on the directories above it.
    fn spread(&mut self, names: Names, change: &Change<'_>, now: Duration, touched: &mut Vec<u64>) {
        let Self { places, watching, .. } = self;
        let mut place = names.place(change.path);
        let folded = place.path.clone();
        for depth in 1..=change.path.len() {
            place.path.pop();
            let name = change.path.get(change.path.len() - depth..).unwrap_or_default().join("\\");
            for id in places.get(&place).into_iter().flatten() {
                let Some(watch) = watching.get_mut(id) else { continue };
                watch.own(change, depth, folded.get(folded.len() - depth..).unwrap_or_default(), now);
                if watch.concerns(change, depth) {
                    watch.record(NotifyRecord { action: change.action, name: name.as_str().into() });
                    touched.push(*id);
                }
            }
        }
    }
}

/// Tells the time, from any beginning.
pub type Clock = Arc<dyn Fn() -> Duration + Send + Sync>;

/// All directories that are watched.
pub struct Watches {
    /// How many: changes look no further where there are none.
    count: AtomicUsize,
    table: Mutex<Table>,
    clock: Clock,
}

impl Watches {
    /// None yet.
    pub fn new(clock: Clock) -> Self {
        Self { count: AtomicUsize::new(0), table: Mutex::default(), clock }
    }

    /// Begins to watch a directory.
    pub fn watch(
        self: &Arc<Self>,
        names: Names,
        path: &[String],
        filter: NotifyFilter,
        tree: bool,
        room: usize,
    ) -> Watcher {
        let place = names.place(path);
        let mut table = lock(&self.table);
        let id = table.number();
        table.settle(id, place.clone());
        let watching = Watching {
            place,
            filter,
            tree,
            room: room.min(MOST_KEPT),
            records: Vec::new(),
            bytes: 0,
            overflow: false,
            doomed: false,
            waiting: VecDeque::new(),
            echoes: None,
        };
        table.watching.insert(id, watching);
        self.count.fetch_add(1, Ordering::Relaxed);
        Watcher { watches: self.clone(), id, names, source: Mutex::new(None) }
    }

    /// Whether nobody watches anything.
    pub fn idle(&self) -> bool {
        self.count.load(Ordering::Relaxed) == 0
    }

    /// Tells of changes that are one: who hears of several hears of them together.
    pub fn report(&self, names: Names, changes: &[Change<'_>]) {
        if self.idle() {
            return;
        }
        let mut touched = Vec::new();
        let now = (self.clock)();
        let mut table = lock(&self.table);
        for change in changes {
            table.spread(names, change, now, &mut touched);
        }
        let wake: Vec<_> =
            touched.iter().filter_map(|id| table.watching.get(id).and_then(Watching::first)).collect();
        drop(table);
        wake.into_iter().for_each(Waker::wake);
    }

    /// A directory has another name now: whoever watches it or something below it goes on.
    pub fn moved(&self, names: Names, from: &[String], to: &[String]) {
        if self.idle() {
            return;
        }
        let (from, to) = (names.place(from), names.place(to));
        let mut table = lock(&self.table);
        let below = |place: &Place| place.share == from.share && place.path.starts_with(&from.path);
        let moving: Vec<_> = table.places.keys().filter(|place| below(place)).cloned().collect();
        for old in moving {
            let rest = old.path.get(from.path.len()..).unwrap_or_default();
            let new = Place { share: to.share, path: [to.path.as_slice(), rest].concat() };
            let ids = table.places.remove(&old).unwrap_or_default();
            for id in &ids {
                if let Some(watch) = table.watching.get_mut(id) {
                    watch.place = new.clone();
                }
            }
            table.places.entry(new).or_default().extend(ids);
        }
    }

    /// A directory is to be removed: nobody need wait for changes in it.
    pub fn doom(&self, names: Names, path: &[String]) {
        if self.idle() {
            return;
        }
        let mut wake = Vec::new();
        let mut table = lock(&self.table);
        let Table { places, watching, .. } = &mut *table;
        for id in places.get(&names.place(path)).into_iter().flatten() {
            if let Some(watch) = watching.get_mut(id) {
                watch.doomed = true;
                wake.extend(watch.waiting.iter().map(|(_, waker)| waker.clone()));
            }
        }
        drop(table);
        wake.into_iter().for_each(Waker::wake);
    }
}

/// An open's watch on its directory.
pub struct Watcher {
    watches: Arc<Watches>,
    id: u64,
    names: Names,
    /// What makes the storage tell of changes, while it lives.
    source: Mutex<Option<Box<dyn Any + Send + Sync>>>,
}

impl Watcher {
    /// The storage will tell of all changes, the server's own included. Says so before it does.
    pub fn expect_echoes(&self, expected: bool) {
        if let Some(watch) = lock(&self.watches.table).watching.get_mut(&self.id) {
            watch.echoes = expected.then(Echoes::default);
        }
    }

    /// Keeps what makes the storage tell of changes.
    pub fn keep(&self, source: Box<dyn Any + Send + Sync>) {
        let over = !lock(&self.watches.table).watching.contains_key(&self.id);
        if !over {
            *lock(&self.source) = Some(source);
        }
    }

    /// The storage tells of changes.
    pub fn beside(&self, changes: &[Beside]) {
        let now = (self.watches.clock)();
        let mut table = lock(&self.watches.table);
        let Some(watch) = table.watching.get_mut(&self.id) else { return };
        changes.iter().for_each(|change| watch.beside(self.names, change, now));
        let first = watch.first();
        drop(table);
        first.into_iter().for_each(Waker::wake);
    }

    /// The changes since those handed out last, in at most `limit` bytes; waits for some. Several wait in turn.
    pub fn next(self: &Arc<Self>, limit: usize) -> Next {
        Next { watcher: self.clone(), limit, ticket: None }
    }

    /// The open is closed.
    pub fn end(&self) {
        let mut table = lock(&self.watches.table);
        let Some(watch) = table.watching.remove(&self.id) else { return };
        table.unsettle(self.id, &watch.place);
        self.watches.count.fetch_sub(1, Ordering::Relaxed);
        drop(table);
        drop(lock(&self.source).take());
        watch.waiting.into_iter().for_each(|(_, waker)| waker.wake());
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.end();
    }
}

/// A request for changes. Dropped before it has some, it leaves them to the next.
pub struct Next {
    watcher: Arc<Watcher>,
    limit: usize,
    ticket: Option<u64>,
}

impl Next {
    /// Leaves the queue; the next in it may be served.
    fn leave(&mut self, table: &mut Table) -> Option<Waker> {
        let ticket = self.ticket.take()?;
        let watch = table.watching.get_mut(&self.watcher.id)?;
        watch.waiting.retain(|(other, _)| *other != ticket);
        watch.first()
    }
}

impl Future for Next {
    type Output = Result<Vec<u8>, NtStatus>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let watcher = this.watcher.clone();
        let mut table = lock(&watcher.watches.table);
        let number = table.number();
        let Some(watch) = table.watching.get_mut(&watcher.id) else {
            return Poll::Ready(Err(NtStatus::NOTIFY_CLEANUP));
        };
        let turn = watch.waiting.front().map(|(ticket, _)| *ticket);
        if watch.ready() && (turn == this.ticket || watch.doomed) {
            let taken = watch.take(this.limit);
            let next = this.leave(&mut table);
            drop(table);
            next.into_iter().for_each(Waker::wake);
            return Poll::Ready(taken);
        }
        match this.ticket.and_then(|ticket| watch.waiting.iter_mut().find(|(other, _)| *other == ticket)) {
            Some((_, waker)) => waker.clone_from(cx.waker()),
            None => {
                this.ticket = Some(number);
                watch.waiting.push_back((number, cx.waker().clone()));
            }
        }
        Poll::Pending
    }
}

impl Drop for Next {
    fn drop(&mut self) {
        let watcher = self.watcher.clone();
        let mut table = lock(&watcher.watches.table);
        let next = self.leave(&mut table);
        drop(table);
        next.into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests;
