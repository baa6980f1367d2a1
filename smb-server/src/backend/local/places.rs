//! Where the open files are: all opens of a file by one name share that name, so that a rename through one of them is
//! known to the others.

use super::{errno::status, meta::Stat, sandbox::Spot};
use crate::backend::{FileKey, Result, case::same};
use rustix::{
    fs::{AtFlags, RenameFlags, linkat, renameat, renameat_with, unlinkat},
    io::Errno,
};
use smb_proto::status::NtStatus;
use std::{
    collections::HashMap,
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

/// One name of an open file.
pub(super) struct Place {
    /// No other place of the share ever has it.
    number: u64,
    key: FileKey,
    /// Held while the host moves or removes the name, or gives the file another one.
    changes: Mutex<()>,
    /// Held only to look or to note, never while the host does anything: whoever opens a file of the share waits for it.
    at: Mutex<At>,
}

/// Where a name is.
struct At {
    now: Known,
    /// Where it is about to be, or already is.
    soon: Option<Known>,
}

/// A spot whose directory is known.
#[derive(Clone)]
struct Known {
    directory: FileKey,
    spot: Spot,
}

/// How a spot relates to a place.
#[derive(PartialEq, Eq)]
enum Match {
    Exact,
    /// But for the case of the name.
    Folded,
}

/// The places of all open files of a share.
#[derive(Default)]
pub(super) struct Places {
    last: AtomicU64,
    open: Mutex<HashMap<FileKey, Vec<Weak<Place>>>>,
}

impl Known {
    fn new(spot: Spot) -> Result<Self> {
        Ok(Self { directory: spot.directory.key()?, spot })
    }

    fn is(&self, other: &Self) -> bool {
        self.directory == other.directory && self.spot.name == other.spot.name
    }

    fn is_but_for_case(&self, other: &Self) -> bool {
        self.directory == other.directory && same(&self.spot.name, &other.spot.name)
    }
}

impl Places {
    fn open(&self) -> MutexGuard<'_, HashMap<FileKey, Vec<Weak<Place>>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The place of the file `stat` at `spot`. Where the host does not tell spellings apart, or just changed one, a file
    /// of one name that is open by another spelling is at the same place: so where `fold` says that case does not matter.
    pub(super) fn enter(&self, stat: &Stat, spot: Spot, fold: bool) -> Result<Arc<Place>> {
        let spot = Known::new(spot)?;
        let (place, matched) = self.find_or_add(stat, &spot, fold && stat.has_one_name());
        if matched == Match::Folded && !place.is_there()? {
            let _before = mem::replace(&mut place.at().now, spot);
        }
        Ok(place)
    }

    fn find_or_add(&self, stat: &Stat, spot: &Known, fold: bool) -> (Arc<Place>, Match) {
        let key = stat.key();
        let mut open = self.open();
        let known = open.entry(key).or_default();
        let places = || known.iter().filter_map(Weak::upgrade);
        if let Some(place) = places().find(|place| place.is_at(spot)) {
            return (place, Match::Exact);
        }
        if let Some(place) = places().find(|place| fold && place.at().now.is_but_for_case(spot)) {
            return (place, Match::Folded);
        }
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let at = Mutex::new(At { now: spot.clone(), soon: None });
        let place = Arc::new(Place { number, key, changes: Mutex::new(()), at });
        known.retain(|place| place.strong_count() > 0);
        known.push(Arc::downgrade(&place));
        (place, Match::Exact)
    }

    /// A handle on the file went away.
    pub(super) fn leave(&self, key: FileKey, place: Option<Arc<Place>>) {
        drop(place);
        let mut open = self.open();
        if open.get(&key).is_some_and(|places| places.iter().all(|place| place.strong_count() == 0)) {
            open.remove(&key);
        }
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.open().len()
    }
}

impl Place {
    fn changing(&self) -> MutexGuard<'_, ()> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn at(&self) -> MutexGuard<'_, At> {
        self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_at(&self, spot: &Known) -> bool {
        let at = self.at();
        at.now.is(spot) || at.soon.as_ref().is_some_and(|soon| soon.is(spot))
    }

    /// What tells it from the file's others.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Where it is now.
    pub(super) fn current(&self) -> Spot {
        self.at().now.spot.clone()
    }

    /// Where it is now. Fails where the name there has come to stand for another file, or for none.
    fn verified(&self) -> Result<Spot> {
        let spot = self.current();
        match Stat::of_name(&spot.directory, &spot.name) {
            Ok(stat) if stat.key() == self.key => Ok(spot),
            Ok(_) | Err(Errno::NOENT) => Err(NtStatus::FILE_DELETED),
            Err(errno) => Err(status(errno)),
        }
    }

    /// Whether the name still stands for the file.
    pub(super) fn is_there(&self) -> Result<bool> {
        let there = self.verified().or_else(|status| match status {
            // Unless it is being moved just now.
            NtStatus::FILE_DELETED => {
                let _changing = self.changing();
                self.verified()
            }
            other => Err(other),
        });
        match there {
            Ok(_) => Ok(true),
            Err(NtStatus::FILE_DELETED) => Ok(false),
            Err(status) => Err(status),
        }
    }

    /// Removes the name, unless it has come to stand for another file.
    pub(super) fn remove(&self, flags: AtFlags) -> Result<()> {
        let _changing = self.changing();
        let spot = self.verified()?;
        unlinkat(&spot.directory, &spot.name, flags).map_err(status)
    }

    /// Gives the file the further name `to`. What is there is replaced where `replace` says so, in one step.
    pub(super) fn link(&self, to: &Spot, replace: bool) -> Result<()> {
        let _changing = self.changing();
        let spot = self.verified()?;
        let link = |name: &str| linkat(&spot.directory, &spot.name, &to.directory, name, AtFlags::empty());
        if !replace {
            return link(&to.name).map_err(status);
        }
        let meanwhile = format!(".smb-link-{:x}-{:x}", self.key.volume, self.key.file);
        link(&meanwhile).map_err(status)?;
        let done = renameat(&to.directory, &meanwhile, &to.directory, &to.name).map_err(rename_status);
        if done.is_err() {
            let _ = unlinkat(&to.directory, &meanwhile, AtFlags::empty());
        }
        done
    }

    /// Moves to `to`, where nothing must be.
    pub(super) fn rename(&self, to: Spot) -> Result<()> {
        let _changing = self.changing();
        let from = self.verified()?;
        let to = Known::new(to)?;
        if self.at().now.is(&to) {
            return Ok(());
        }
        // What opens the file by another name of it is not to be found here.
        let there = Stat::of_name(&to.spot.directory, &to.spot.name);
        if there.is_ok_and(|there| there.key() == self.key && !there.has_one_name()) {
            return Err(NtStatus::OBJECT_NAME_COLLISION);
        }
        self.move_to(to, |to| move_to_nothing(&from, to))
    }

    /// Moves to `to`, where there is a file spelled `there`; it is gone afterwards.
    pub(super) fn replace(&self, to: Spot, there: &str) -> Result<()> {
        let _changing = self.changing();
        let from = self.verified()?;
        let there = Spot { directory: Arc::clone(&to.directory), name: there.to_owned() };
        self.move_to(Known::new(there.clone())?, |there| {
            renameat(&from.directory, &from.name, &there.directory, &there.name).map_err(rename_status)
        })?;
        if there.name == to.name {
            return Ok(());
        }
        self.move_to(Known::new(to)?, |to| move_to_nothing(&there, to))
    }

    /// Lets `work` move the name to `to`. Whoever opens the file there meanwhile is at this place already.
    fn move_to(&self, to: Known, work: impl FnOnce(&Spot) -> Result<()>) -> Result<()> {
        let spot = to.spot.clone();
        self.at().soon = Some(to);
        let done = work(&spot);
        let mut at = self.at();
        let left = match at.soon.take() {
            Some(to) if done.is_ok() => Some(mem::replace(&mut at.now, to)),
            soon => soon,
        };
        // The host may have work with closing a directory.
        drop(at);
        drop(left);
        done
    }
}

fn move_to_nothing(from: &Spot, to: &Spot) -> Result<()> {
    let (old, new) = (&from.directory, &to.directory);
    match renameat_with(old, &from.name, new, &to.name, RenameFlags::NOREPLACE) {
        // The file system cannot do both in one step: look, then move.
        Err(Errno::INVAL | Errno::NOSYS) => match Stat::of_name(new, &to.name) {
            Err(Errno::NOENT) => renameat(old, &from.name, new, &to.name).map_err(rename_status),
            Err(errno) => Err(status(errno)),
            Ok(_) => Err(NtStatus::OBJECT_NAME_COLLISION),
        },
        other => other.map_err(rename_status),
    }
}

/// What keeps a rename from happening; a directory cannot go into itself.
fn rename_status(errno: Errno) -> NtStatus {
    match errno {
        Errno::INVAL | Errno::NOTDIR | Errno::ISDIR => NtStatus::ACCESS_DENIED,
        other => status(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::local::sandbox::Root;
    use std::{fs, path::Path};

    struct Home {
        directory: tempfile::TempDir,
        root: Root,
        places: Places,
    }

    impl Home {
        fn with(name: &str) -> Self {
            let directory = tempfile::tempdir().unwrap();
            fs::write(directory.path().join(name), b"").unwrap();
            let root = Root::open(directory.path(), false).unwrap();
            Self { directory, root, places: Places::default() }
        }

        fn path(&self) -> &Path {
            self.directory.path()
        }

        fn spot(&self, name: &str) -> Spot {
            self.root.find(&[name.to_owned()]).unwrap().unwrap()
        }

        fn stat(&self, name: &str) -> Stat {
            Stat::of_name(self.root.fd(), name).unwrap()
        }

        /// Which place the file `stat` has by `name`.
        fn enter(&self, stat: &Stat, name: &str) -> Arc<Place> {
            self.places.enter(stat, self.spot(name), true).unwrap()
        }
    }

    #[test]
    fn a_name_on_its_way_is_found_by_both_names_and_keeps_nobody_waiting() {
        let home = Home::with("a");
        let stat = home.stat("a");
        let place = home.enter(&stat, "a");
        let _changing = place.changing();
        let found = |name: &str| home.enter(&stat, name).number() == place.number();
        let moved = place.move_to(Known::new(home.spot("b")).unwrap(), |_| {
            assert!(found("a") && found("b"));
            Err(NtStatus::DISK_FULL)
        });
        assert_eq!(moved, Err(NtStatus::DISK_FULL));
        assert!(found("a") && !found("b"), "it was not moved");
        assert!(place.is_there().unwrap());
        place.move_to(Known::new(home.spot("c")).unwrap(), |_| Ok(())).unwrap();
        assert!(!found("a") && found("c"));
    }

    #[test]
    fn other_names_of_the_file_are_not_moved_to() {
        let home = Home::with("a");
        fs::hard_link(home.path().join("a"), home.path().join("b")).unwrap();
        let place = home.enter(&home.stat("a"), "a");
        assert_eq!(place.rename(home.spot("b")), Err(NtStatus::OBJECT_NAME_COLLISION));
        assert!(place.is_there().unwrap());
    }

    #[test]
    fn spellings_of_one_name_are_one_place() {
        let home = Home::with("File");
        let stat = home.stat("File");
        let place = home.enter(&stat, "File");
        // As a host does that ignores case, which finds the file as asked for.
        let other = home.enter(&stat, "FILE");
        assert_eq!(other.number(), place.number());
        assert_eq!(other.current().name, "File");
        let exact = home.places.enter(&stat, home.spot("FILE"), false).unwrap();
        assert_ne!(exact.number(), place.number(), "where case matters");
    }

    #[test]
    fn a_spelling_that_the_host_changed_is_taken_over() {
        let home = Home::with("File");
        let place = home.enter(&home.stat("File"), "File");
        fs::rename(home.path().join("File"), home.path().join("FILE")).unwrap();
        let other = home.enter(&home.stat("FILE"), "FILE");
        assert_eq!((other.number(), other.current().name.as_str()), (place.number(), "FILE"));
    }

    #[test]
    fn spellings_of_several_names_are_several_places() {
        let home = Home::with("File");
        fs::hard_link(home.path().join("File"), home.path().join("FILE")).unwrap();
        let one = home.enter(&home.stat("File"), "File");
        let two = home.enter(&home.stat("FILE"), "FILE");
        assert_ne!(one.number(), two.number());
    }
}
