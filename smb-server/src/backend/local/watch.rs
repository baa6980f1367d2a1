//! Changes that the host makes to shared directories beside the server, from inotify.
//!
//! ```text
//!   inotify (one for the share) ─▶ thread: reads what there is, waits for the server's own reports, hands out
//!        ▲                              by watch descriptor: who wants it, and under which path
//!        └ a watch on each directory (of a tree: also on those below it, and on new ones)
//! ```
//! A directory that appears is watched a moment later: what is made in it meanwhile is not told. Where it cannot be
//! watched, whoever wants to know hears that changes were lost.

use super::{
    errno::status,
    meta::{Kind, Stat},
    sandbox::{for_names, is_plain},
};
use crate::backend::{Beside, Happened, Report, Result};
use rustix::{
    event::{PollFd, PollFlags, poll},
    fd::{AsFd, AsRawFd, OwnedFd},
    fs::{
        Mode, OFlags,
        inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags},
        openat,
    },
    io::Errno,
    pipe::{PipeFlags, pipe_with},
};
use smb_proto::status::NtStatus;
use std::{
    collections::HashMap,
    mem::MaybeUninit,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

/// How long changes wait, so that the server's own are known as such by then.
const PATIENCE: Duration = Duration::from_millis(100);
/// Changes that are read at a time.
const BATCH: usize = 4096;
/// Bounds on what is watched for one share.
const MOST: Most = Most { directories: 16 * 1024, bytes: 16 << 20 };
/// What a path, or a name in one, takes beyond its text.
const NAME: usize = 64;
const DIRECTORY: OFlags =
    OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

fn wanted() -> WatchFlags {
    let names = WatchFlags::CREATE | WatchFlags::DELETE | WatchFlags::MOVED_FROM | WatchFlags::MOVED_TO;
    names | WatchFlags::MODIFY | WatchFlags::ATTRIB | WatchFlags::ONLYDIR | WatchFlags::EXCL_UNLINK
}

/// Bounds on what is watched.
#[derive(Clone, Copy)]
struct Most {
    /// Different directories, and names that wait to become some.
    directories: usize,
    /// What the paths take, one for each directory and each listener that wants it.
    bytes: usize,
}

/// What a path takes.
fn taken(path: &[String]) -> usize {
    path.iter().fold(NAME, |sum, name| sum.saturating_add(NAME).saturating_add(name.len()))
}

/// Who is told.
struct Listener {
    root: OwnedFd,
    tree: bool,
    report: Report,
}

#[derive(Default)]
struct Table {
    last: u64,
    /// Events that were read, each with the last listener there was by then: later ones are not concerned.
    pending: Vec<(Event, u64)>,
    listeners: HashMap<u64, Listener>,
    /// By watch descriptor: who wants to know, and the directory's path from theirs.
    places: HashMap<i32, Wanting>,
    /// What the paths of `places` take.
    bytes: usize,
}

/// Who wants a directory, and its path from theirs.
type Wanting = Vec<(u64, Vec<String>)>;

/// What watches the directories of a share.
pub(super) struct Notifier {
    fd: Arc<OwnedFd>,
    table: Mutex<Table>,
    most: Most,
    /// Written to, it wakes the thread that reads; dropped, it ends it.
    waker: OwnedFd,
}

/// Ends the watching when it is dropped.
pub(super) struct Registered {
    notifier: Arc<Notifier>,
    id: u64,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.notifier.forget(self.id, &[]);
    }
}

/// First halves of moves, by listener and cookie: from where, and whether it is a directory.
type Left = HashMap<(u64, u32), (Vec<String>, bool)>;

/// An event as it was read.
struct Event {
    descriptor: i32,
    flags: ReadFlags,
    cookie: u32,
    name: String,
}

impl Table {
    /// Reads what there is.
    fn gather(&mut self, fd: &OwnedFd) {
        let last = self.last;
        self.pending.extend(drain(fd).into_iter().map(|event| (event, last)));
    }

    /// A listener wants to know of a directory.
    fn want(&mut self, descriptor: i32, id: u64, path: Vec<String>) {
        self.bytes += taken(&path);
        let wanting = self.places.entry(descriptor).or_default();
        // One that appeared while its parent was looked through has been found twice.
        if let Some((_, known)) = wanting.iter_mut().find(|(other, _)| *other == id) {
            self.bytes -= taken(known);
            *known = path;
        } else {
            wanting.push((id, path));
        }
    }

    /// The descriptor means nothing any more.
    fn forget(&mut self, descriptor: i32) {
        let paths = self.places.remove(&descriptor).unwrap_or_default();
        self.bytes -= paths.iter().map(|(_, path)| taken(path)).sum::<usize>();
    }

    /// Forgets what a listener wants at `path` and below; returns the descriptors that nobody wants any more.
    fn forget_below(&mut self, id: u64, path: &[String]) -> Vec<i32> {
        let Self { places, bytes, .. } = self;
        let mut unwanted = Vec::new();
        places.retain(|descriptor, wanting| {
            let over = wanting.extract_if(.., |(other, at)| *other == id && at.starts_with(path));
            *bytes -= over.map(|(_, at)| taken(&at)).sum::<usize>();
            if wanting.is_empty() {
                unwanted.push(*descriptor);
            }
            !wanting.is_empty()
        });
        unwanted
    }
}

impl Notifier {
    /// Begins to read, in a thread of its own.
    pub(super) fn start() -> std::io::Result<Arc<Self>> {
        Self::bounded(MOST)
    }

    fn bounded(most: Most) -> std::io::Result<Arc<Self>> {
        let fd = Arc::new(inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?);
        let (woken, waker) = pipe_with(PipeFlags::CLOEXEC)?;
        let notifier = Arc::new(Self { fd: fd.clone(), table: Mutex::default(), most, waker });
        let told = Arc::downgrade(&notifier);
        std::thread::Builder::new().name("inotify".into()).spawn(move || read(&fd, &told, &woken))?;
        Ok(notifier)
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells of changes in a directory from now on.
    pub(super) fn register(
        self: &Arc<Self>,
        root: OwnedFd,
        tree: bool,
        report: Report,
    ) -> Result<Registered> {
        let mut table = self.table();
        // What happened before does not concern the new one.
        table.gather(&self.fd);
        table.last += 1;
        let id = table.last;
        table.listeners.insert(id, Listener { root, tree, report });
        drop(table);
        let registered = Registered { notifier: self.clone(), id };
        // Whoever waits for events may have missed those that were just read.
        let _ = rustix::io::write(&self.waker, &[0]);
        self.add(id, &[])?;
        Ok(registered)
    }

    /// Watches the directory at `path` of a listener, and where it wants the tree, those below.
    fn add(&self, id: u64, path: &[String]) -> Result<()> {
        let mut table = self.table();
        let mut path = path.to_vec();
        // The names that are left of each directory on the way down.
        let mut left = vec![self.add_one(&mut table, id, &path, self.most.directories)?];
        let mut waiting = left.iter().flatten().count();
        while let Some(names) = left.last_mut() {
            let Some(name) = names.pop() else {
                left.pop();
                path.pop();
                continue;
            };
            path.push(name);
            waiting -= 1;
            match self.add_one(&mut table, id, &path, self.most.directories.saturating_sub(waiting)) {
                Ok(names) => {
                    waiting += names.len();
                    left.push(names);
                }
                Err(status) if is_nothing(status) => drop(path.pop()),
                Err(status) => return Err(status),
            }
        }
        Ok(())
    }

    /// Watches one directory; returns the names of those in it, where they are wanted, but not more than `most`.
    fn add_one(&self, table: &mut Table, id: u64, path: &[String], most: usize) -> Result<Vec<String>> {
        let Some(listener) = table.listeners.get(&id) else { return Ok(Vec::new()) };
        let tree = listener.tree;
        let mut fd = openat(&listener.root, ".", DIRECTORY, Mode::empty()).map_err(status)?;
        for name in path {
            fd = openat(&fd, name, DIRECTORY, Mode::empty()).map_err(status)?;
        }
        if table.places.len() >= self.most.directories
            || table.bytes.saturating_add(taken(path)) > self.most.bytes
        {
            tracing::warn!("too many directories to watch");
            return Err(NtStatus::INSUFFICIENT_RESOURCES);
        }
        // The name of a descriptor leads to what it is of, whatever happens to names meanwhile.
        let name = format!("/proc/self/fd/{}", fd.as_raw_fd());
        let descriptor = inotify::add_watch(&self.fd, name, wanted()).map_err(status)?;
        table.want(descriptor, id, path.to_vec());
        if tree { below(&fd, most) } else { Ok(Vec::new()) }
    }

    /// Forgets what a listener watches at `path` and below; all of it, and the listener, where the path is empty.
    fn forget(&self, id: u64, path: &[String]) {
        let mut table = self.table();
        if path.is_empty() {
            table.listeners.remove(&id);
        }
        for descriptor in table.forget_below(id, path) {
            // It may be gone already.
            let _ = inotify::remove_watch(&self.fd, descriptor);
        }
    }

    fn moved(&self, id: u64, from: &[String], to: &[String]) {
        let mut table = self.table();
        let Table { places, bytes, .. } = &mut *table;
        for (other, at) in places.values_mut().flatten() {
            if *other == id && at.starts_with(from) {
                *bytes -= taken(at);
                *at = [to, at.get(from.len()..).unwrap_or_default()].concat();
                *bytes += taken(at);
            }
        }
    }

    /// Hands events out. May wait for the disk.
    fn spread(&self, events: &[(Event, u64)]) {
        let mut told: HashMap<u64, Vec<Beside>> = HashMap::new();
        let mut left = Left::new();
        for (event, last) in events {
            if event.flags.contains(ReadFlags::QUEUE_OVERFLOW) {
                let all = self.table().listeners.keys().copied().collect::<Vec<_>>();
                all.into_iter().for_each(|id| told.entry(id).or_default().push(Beside::lost()));
                continue;
            }
            if event.flags.contains(ReadFlags::IGNORED) {
                self.table().forget(event.descriptor);
                continue;
            }
            let wanting = self.table().places.get(&event.descriptor).cloned().unwrap_or_default();
            for (id, directory) in wanting.into_iter().filter(|(id, _)| id <= last) {
                let path = [directory.as_slice(), std::slice::from_ref(&event.name)].concat();
                if let Some(beside) = self.take(id, event, path, &mut left) {
                    told.entry(id).or_default().push(beside);
                }
            }
        }
        // Moved to where nobody watches.
        for ((id, _), (path, directory)) in left {
            if directory {
                self.forget(id, &path);
            }
            told.entry(id).or_default().push(Beside { path, directory, happened: Happened::Removed });
        }
        for (id, changes) in told {
            let report = self.table().listeners.get(&id).map(|listener| listener.report.clone());
            if let Some(report) = report {
                report(changes);
            }
        }
    }

    /// What an event means for one listener. The first half of a move is kept in `left` until the second comes.
    fn take(&self, id: u64, event: &Event, path: Vec<String>, left: &mut Left) -> Option<Beside> {
        let directory = event.flags.contains(ReadFlags::ISDIR);
        let flags = event.flags;
        let happened = if flags.contains(ReadFlags::MOVED_FROM) {
            left.insert((id, event.cookie), (path, directory));
            return None;
        } else if flags.contains(ReadFlags::MOVED_TO) {
            match left.remove(&(id, event.cookie)) {
                Some((from, _)) => {
                    if directory {
                        self.moved(id, &from, &path);
                    }
                    Happened::Renamed { from }
                }
                None => self.appeared(id, directory, &path),
            }
        } else if flags.contains(ReadFlags::CREATE) {
            self.appeared(id, directory, &path)
        } else if flags.contains(ReadFlags::DELETE) {
            Happened::Removed
        } else if flags.contains(ReadFlags::MODIFY) {
            Happened::Written
        } else if flags.contains(ReadFlags::ATTRIB) {
            Happened::Described
        } else {
            return None;
        };
        Some(Beside { path, directory, happened })
    }

    fn appeared(&self, id: u64, directory: bool, path: &[String]) -> Happened {
        let tree = self.table().listeners.get(&id).is_some_and(|listener| listener.tree);
        if directory
            && tree
            && let Err(status) = self.add(id, path)
            && !is_nothing(status)
        {
            tracing::info!(%status, "a new directory is not watched");
            return Happened::Lost;
        }
        Happened::Created
    }
}

/// The names of the directories in a directory.
fn below(fd: &OwnedFd, most: usize) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let gather = |name: &str| {
        if Stat::of_name(fd, name).is_ok_and(|stat| stat.kind() == Kind::Directory) {
            found.push(name.to_owned());
        }
        (found.len() > most).then_some(NtStatus::INSUFFICIENT_RESOURCES)
    };
    match for_names(fd, gather) {
        Ok(None) => Ok(found),
        Ok(Some(status)) => Err(status),
        Err(status) if is_nothing(status) => Ok(found),
        Err(status) => Err(status),
    }
}

/// Whether there is no such directory any more, or one that cannot be read: nothing that could be told.
fn is_nothing(status: NtStatus) -> bool {
    matches!(status, NtStatus::OBJECT_NAME_NOT_FOUND | NtStatus::NOT_A_DIRECTORY | NtStatus::ACCESS_DENIED)
}

/// The thread that reads, until nobody holds the other end of `woken` any more.
fn read(fd: &OwnedFd, notifier: &Weak<Notifier>, woken: &OwnedFd) {
    loop {
        let mut ready = [PollFd::new(fd, PollFlags::IN), PollFd::new(woken, PollFlags::IN)];
        match poll(&mut ready, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return,
        }
        let [_, wake] = &ready;
        let wake = wake.revents();
        if wake.contains(PollFlags::HUP) {
            return;
        }
        if wake.contains(PollFlags::IN) {
            let _ = rustix::io::read(woken, &mut [0; 64]);
        }
        let Some(notifier) = notifier.upgrade() else { return };
        notifier.table().gather(fd);
        std::thread::sleep(PATIENCE);
        let events = std::mem::take(&mut notifier.table().pending);
        notifier.spread(&events);
    }
}

/// What can be read at once.
fn drain(fd: impl AsFd) -> Vec<Event> {
    let mut buffer = [MaybeUninit::uninit(); 16 * 1024];
    let mut reader = Reader::new(fd, &mut buffer);
    let mut events = Vec::new();
    while events.len() < BATCH {
        match reader.next() {
            Ok(event) => {
                let name = event.file_name().and_then(|name| name.to_str().ok()).unwrap_or_default();
                let (descriptor, flags, cookie) = (event.wd(), event.events(), event.cookie());
                let about_all = flags.intersects(ReadFlags::QUEUE_OVERFLOW | ReadFlags::IGNORED);
                if about_all || is_plain(name) {
                    events.push(Event { descriptor, flags, cookie, name: name.to_owned() });
                }
            }
            Err(Errno::INTR) => {}
            Err(_) => break,
        }
    }
    events
}

#[cfg(test)]
mod tests;
