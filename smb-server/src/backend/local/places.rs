//! Where the open files are: all opens of a file by one name share that name, so that a rename through one of them is
//! known to the others.

use super::{errno::status, meta::Stat, sandbox::Spot};
use crate::backend::{FileKey, Result};
use rustix::{
    fs::{AtFlags, RenameFlags, linkat, renameat, renameat_with, unlinkat},
    io::Errno,
};
use smb_proto::status::NtStatus;
use std::{
    collections::HashMap,
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
    spot: Mutex<Spot>,
}

/// The places of all open files of a share.
#[derive(Default)]
pub(super) struct Places {
    last: AtomicU64,
    open: Mutex<HashMap<FileKey, Vec<Weak<Place>>>>,
}

impl Places {
    fn open(&self) -> MutexGuard<'_, HashMap<FileKey, Vec<Weak<Place>>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The place of the file `key` at `spot`.
    pub(super) fn enter(&self, key: FileKey, spot: Spot) -> Result<Arc<Place>> {
        let directory_key = spot.directory.key()?;
        let mut open = self.open();
        let known = open.entry(key).or_default();
        let same = |place: &Arc<Place>| place.is_at(directory_key, &spot.name);
        if let Some(place) = known.iter().filter_map(Weak::upgrade).find(same) {
            return Ok(place);
        }
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let place = Arc::new(Place { number, key, spot: Mutex::new(spot) });
        known.retain(|place| place.strong_count() > 0);
        known.push(Arc::downgrade(&place));
        Ok(place)
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
    fn spot(&self) -> MutexGuard<'_, Spot> {
        self.spot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_at(&self, directory: FileKey, name: &str) -> bool {
        let spot = self.spot();
        spot.name == name && spot.directory.key() == Ok(directory)
    }

    /// What tells it from the file's others.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Where it is now.
    pub(super) fn current(&self) -> Spot {
        self.spot().clone()
    }

    /// Fails where the name has come to stand for another file, or for none.
    fn verify(&self, spot: &Spot) -> Result<Stat> {
        match Stat::of_name(&spot.directory, &spot.name) {
            Ok(stat) if stat.key() == self.key => Ok(stat),
            Ok(_) | Err(Errno::NOENT) => Err(NtStatus::FILE_DELETED),
            Err(errno) => Err(status(errno)),
        }
    }

    /// Whether the name still stands for the file.
    pub(super) fn is_there(&self) -> Result<bool> {
        match self.verify(&self.spot()) {
            Ok(_) => Ok(true),
            Err(NtStatus::FILE_DELETED) => Ok(false),
            Err(status) => Err(status),
        }
    }

    /// Removes the name, unless it has come to stand for another file.
    pub(super) fn remove(&self, flags: AtFlags) -> Result<()> {
        let spot = self.spot();
        self.verify(&spot)?;
        unlinkat(&spot.directory, &spot.name, flags).map_err(status)
    }

    /// Gives the file the further name `to`. What is there is replaced where `replace` says so, in one step.
    pub(super) fn link(&self, to: &Spot, replace: bool) -> Result<()> {
        let spot = self.spot();
        self.verify(&spot)?;
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
        let mut spot = self.spot();
        self.verify(&spot)?;
        if spot.name == to.name && spot.directory.key()? == to.directory.key()? {
            return Ok(());
        }
        move_to_nothing(&spot, &to)?;
        *spot = to;
        Ok(())
    }

    /// Moves to `to`, where there is a file spelled `there`; it is gone afterwards.
    pub(super) fn replace(&self, to: Spot, there: &str) -> Result<()> {
        let mut spot = self.spot();
        self.verify(&spot)?;
        renameat(&spot.directory, &spot.name, &to.directory, there).map_err(rename_status)?;
        *spot = Spot { directory: Arc::clone(&to.directory), name: there.to_owned() };
        if there != to.name {
            move_to_nothing(&spot, &to)?;
            *spot = to;
        }
        Ok(())
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
