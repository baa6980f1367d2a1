//! Other spellings of the names in a directory, without reading it each time.
//!
//! A directory that was searched once is remembered, and watched with inotify. The kernel queues an event before the
//! call that changes a directory returns, whoever made it; so a search takes in all events first and then knows the
//! names as they are. What is remembered is bounded; the directory used longest ago goes first. Where there is no
//! inotify, each search reads the directory.

use super::sandbox::{self, for_names};
use crate::backend::{
    FileKey, Result,
    case::{fold, same},
};
use rustix::{
    fd::{AsFd, AsRawFd, OwnedFd},
    fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags},
};
use std::{
    collections::HashMap,
    mem::MaybeUninit,
    sync::{Mutex, PoisonError},
};

/// Directories remembered.
const MOST_DIRECTORIES: usize = 256;
/// Names remembered, in all directories together.
const MOST_NAMES: usize = 1 << 18;

/// How the directories of a share spell their names.
#[derive(Debug)]
pub(super) struct Names(Option<Mutex<Known>>);

#[derive(Debug)]
struct Known {
    notify: OwnedFd,
    watched: HashMap<i32, FileKey>,
    directories: HashMap<FileKey, Directory>,
    /// Names in all of them.
    names: usize,
    /// Counts searches.
    clock: u64,
}

#[derive(Debug)]
struct Directory {
    watch: i32,
    used: u64,
    /// The spellings that fold to the same.
    names: HashMap<Box<str>, Vec<Box<str>>>,
    count: usize,
}

impl Directory {
    fn add(&mut self, name: &str) {
        let spellings = self.names.entry(fold(name).into()).or_default();
        if !spellings.iter().any(|known| known.as_ref() == name) {
            spellings.push(name.into());
            self.count += 1;
        }
    }

    fn remove(&mut self, name: &str) {
        let key = fold(name);
        let Some(spellings) = self.names.get_mut(key.as_str()) else { return };
        let before = spellings.len();
        spellings.retain(|known| known.as_ref() != name);
        self.count -= before - spellings.len();
        if spellings.is_empty() {
            self.names.remove(key.as_str());
        }
    }
}

impl Names {
    pub(super) fn new() -> Self {
        let notify = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC);
        Self(notify.ok().map(|notify| {
            Mutex::new(Known {
                notify,
                watched: HashMap::new(),
                directories: HashMap::new(),
                names: 0,
                clock: 0,
            })
        }))
    }

    /// How the directory spells `name`.
    pub(super) fn spelling(&self, directory: &sandbox::Directory, name: &str) -> Result<Option<String>> {
        if let Some(known) = &self.0 {
            let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(found) = known.search(directory, name)? {
                return Ok(found);
            }
        }
        for_names(directory, |candidate| same(candidate, name).then(|| candidate.to_owned()))
    }

    /// Directories remembered.
    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        self.0.as_ref().map_or(0, |known| known.lock().unwrap().directories.len())
    }
}

impl Known {
    /// `None`: the directory cannot be remembered.
    fn search(&mut self, directory: &sandbox::Directory, name: &str) -> Result<Option<Option<String>>> {
        let key = directory.key()?;
        if !self.directories.contains_key(&key) && !self.remember(directory, key)? {
            return Ok(None);
        }
        self.take_in();
        self.clock += 1;
        let clock = self.clock;
        // Taking in may have dropped it: it was removed, or events were lost.
        let Some(directory) = self.directories.get_mut(&key) else { return Ok(None) };
        directory.used = clock;
        let spelling = directory.names.get(fold(name).as_str()).and_then(|all| all.first());
        let found = spelling.map(|name| name.to_string());
        self.shrink(key);
        Ok(Some(found))
    }

    /// Watches, then reads: what changes in between is in the events.
    fn remember(&mut self, directory: &sandbox::Directory, key: FileKey) -> Result<bool> {
        let path = format!("/proc/self/fd/{}", directory.as_fd().as_raw_fd());
        let flags = WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVED_FROM
            | WatchFlags::MOVED_TO
            | WatchFlags::ONLYDIR;
        let Ok(watch) = inotify::add_watch(&self.notify, path, flags) else { return Ok(false) };
        let mut fresh = Directory { watch, used: self.clock, names: HashMap::new(), count: 0 };
        let too_many = for_names(directory, |name| {
            fresh.add(name);
            (fresh.count > MOST_NAMES).then_some(())
        });
        if !matches!(too_many, Ok(None)) {
            let _ = inotify::remove_watch(&self.notify, watch);
            return too_many.map(|_| false);
        }
        self.names += fresh.count;
        self.watched.insert(watch, key);
        self.directories.insert(key, fresh);
        Ok(true)
    }

    /// Takes in what happened since.
    fn take_in(&mut self) {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut lost = false;
        let mut reader = inotify::Reader::new(&self.notify, &mut buffer);
        while let Ok(event) = reader.next() {
            let flags = event.events();
            if flags.contains(ReadFlags::QUEUE_OVERFLOW) {
                lost = true;
                continue;
            }
            let Some(key) = self.watched.get(&event.wd()).copied() else { continue };
            if flags.contains(ReadFlags::IGNORED) {
                self.watched.remove(&event.wd());
                self.names -= self.directories.remove(&key).map_or(0, |gone| gone.count);
                continue;
            }
            let Some(directory) = self.directories.get_mut(&key) else { continue };
            let Some(name) = event.file_name().and_then(|name| name.to_str().ok()) else { continue };
            let before = directory.count;
            if flags.intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO) {
                directory.add(name);
            } else {
                directory.remove(name);
            }
            self.names = self.names + directory.count - before;
        }
        if lost {
            let all: Vec<_> = self.directories.keys().copied().collect();
            all.into_iter().for_each(|key| self.forget(key));
        }
    }

    fn forget(&mut self, key: FileKey) {
        if let Some(gone) = self.directories.remove(&key) {
            self.names -= gone.count;
            self.watched.remove(&gone.watch);
            let _ = inotify::remove_watch(&self.notify, gone.watch);
        }
    }

    /// Forgets what was used longest ago until what is left is within bounds; `current` stays.
    fn shrink(&mut self, current: FileKey) {
        while self.directories.len() > MOST_DIRECTORIES || self.names > MOST_NAMES {
            let others = self.directories.iter().filter(|(key, _)| **key != current);
            let Some(oldest) = others.min_by_key(|(_, directory)| directory.used).map(|(key, _)| *key) else {
                // It has grown too large by itself.
                return if self.names > MOST_NAMES {
                    self.forget(current)
                };
            };
            self.forget(oldest);
        }
    }
}
