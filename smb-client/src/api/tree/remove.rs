//! Removing whole trees.
//!
//! ```text
//!   jobs (a stack)          under way (at most AT_ONCE)
//!   ┌ Remove file ┐  pop    ┌──────────────┐  done   the directory above has one less; its last one
//!   │ List page   │ ──────▶ │ one job each │ ──────▶ makes it a job itself: Remove directory
//!   └─────────────┘         └──────────────┘
//! ```
//! A page of a directory is worked off before the next is fetched, and what is deepest comes first: what is kept grows
//! with the depth of the tree, which the length of a path bounds, and not with its size.

use super::Tree;
use crate::{
    api::{Directory, Entry, path::to_wire},
    error::{Error, TransferError, UsageError},
};
use smb_proto::{msg::CreateOptions, status::NtStatus};
use std::{collections::HashMap, sync::Arc};
use tokio::task::JoinSet;

/// Operations under way at a time.
const AT_ONCE: usize = 32;
/// Times a directory that is not empty after all its entries were removed is listed again: somebody else, or a server
/// that skips entries while they are removed.
const AGAIN: u8 = 3;

/// What was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Removed {
    /// Files, symbolic links and other reparse points.
    pub files: u64,
    /// Directories.
    pub directories: u64,
}

type DirectoryId = u64;

/// A directory that is being emptied.
#[derive(Debug)]
struct Emptying {
    path: String,
    above: Option<DirectoryId>,
    /// Jobs that have to be done before it can be removed.
    pending: usize,
    listed: u8,
}

#[derive(Debug)]
enum Job {
    /// Fetch a page of entries.
    List(DirectoryId, Option<Directory>),
    /// Remove an entry that is no directory to go into.
    Remove(DirectoryId, String, CreateOptions),
    /// Remove the directory itself.
    Finish(DirectoryId, String),
}

#[derive(Debug)]
enum Done {
    Page(DirectoryId, Option<Directory>, Vec<Entry>),
    /// An entry; whether it was still there.
    Removed(DirectoryId, bool),
    /// The directory itself; whether it was still there.
    Finished(DirectoryId, bool),
    NotEmpty(DirectoryId, Error),
}

impl Tree {
    /// Removes the directory at `path` and all below it. Symbolic links and other reparse points are removed, never
    /// followed. Some 32 operations are under way at a time. What vanishes meanwhile is no error.
    ///
    /// It stops at the first failure, and then, as when its future is dropped, a part of the tree is left. The error is
    /// [`TransferError::In`] once something may have been removed, and names the entry.
    pub async fn remove_dir_all(&self, path: &str) -> Result<Removed, Error> {
        let wire = to_wire(path)?;
        if wire.is_empty() {
            return Err(UsageError::Path("the share's root cannot be removed").into());
        }
        // A link to a directory is not gone into, not even as the first.
        if self.symlink_metadata(&wire).await?.is_reparse_point() {
            self.remove(&wire, CreateOptions::NONE).await?;
            return Ok(Removed { files: 1, directories: 0 });
        }
        let mut removal = Removal::new(wire.clone());
        let mut under_way = JoinSet::new();
        loop {
            while under_way.len() < AT_ONCE {
                let Some(job) = removal.jobs.pop() else { break };
                under_way.spawn(named(self.clone(), removal.path_of(&job), job, wire.len()));
            }
            match under_way.join_next().await {
                Some(done) => removal.done(done.unwrap_or(Err(TransferError::Worker.into()))?)?,
                None => return Ok(removal.removed),
            }
        }
    }
}

/// Does a job; an error says where, from the top on, whose path has `top` bytes.
async fn named(tree: Tree, path: String, job: Job, top: usize) -> Result<Done, Error> {
    let first = matches!(job, Job::List(_, None)) && path.len() == top;
    let place = match &job {
        Job::Remove(_, name, _) => format!("{path}\\{name}"),
        Job::List(..) | Job::Finish(..) => path.clone(),
    };
    let named = |error| {
        if first {
            return error;
        }
        let path = place.get(top..).unwrap_or_default().trim_start_matches('\\').replace('\\', "/");
        TransferError::In { path, error: Arc::new(error) }.into()
    };
    match run(tree, path, job).await {
        Ok(Done::NotEmpty(id, error)) => Ok(Done::NotEmpty(id, named(error))),
        outcome => outcome.map_err(named),
    }
}

async fn run(tree: Tree, path: String, job: Job) -> Result<Done, Error> {
    match job {
        Job::List(id, directory) => match page(&tree, &path, directory).await {
            Ok((more, entries)) => Ok(Done::Page(id, more, entries)),
            Err(error) if is_gone(&error) => Ok(Done::Page(id, None, Vec::new())),
            Err(error) => Err(error),
        },
        Job::Remove(id, name, kind) => {
            let there = was_there(tree.remove(&format!("{path}\\{name}"), kind).await)?;
            Ok(Done::Removed(id, there))
        }
        Job::Finish(id, _) => match was_there(tree.remove(&path, CreateOptions::DIRECTORY_FILE).await) {
            Err(error) if error.status() == Some(NtStatus::DIRECTORY_NOT_EMPTY) => {
                Ok(Done::NotEmpty(id, error))
            }
            outcome => outcome.map(|there| Done::Finished(id, there)),
        },
    }
}

/// The next page of a directory, and the directory where there may be more. Behind the last page it is closed before
/// anything else is done: while somebody lists it, it cannot go.
async fn page(
    tree: &Tree,
    path: &str,
    directory: Option<Directory>,
) -> Result<(Option<Directory>, Vec<Entry>), Error> {
    let mut directory = match directory {
        Some(directory) => directory,
        None => Directory::open_to_empty(tree, path).await?,
    };
    match directory.next_page().await? {
        Some(entries) => Ok((Some(directory), entries)),
        None => {
            directory.close().await?;
            Ok((None, Vec::new()))
        }
    }
}

fn is_gone(error: &Error) -> bool {
    error.is_not_found() || error.status() == Some(NtStatus::DELETE_PENDING)
}

fn was_there(outcome: Result<(), Error>) -> Result<bool, Error> {
    match outcome {
        Err(error) if is_gone(&error) => Ok(false),
        outcome => outcome.map(|()| true),
    }
}

/// What is known of a tree that is being removed.
#[derive(Debug)]
struct Removal {
    directories: HashMap<DirectoryId, Emptying>,
    next: DirectoryId,
    jobs: Vec<Job>,
    removed: Removed,
}

impl Removal {
    fn new(path: String) -> Self {
        let mut removal =
            Self { directories: HashMap::new(), next: 0, jobs: Vec::new(), removed: Removed::default() };
        removal.enter(path, None);
        removal
    }

    /// Begins to empty a directory.
    fn enter(&mut self, path: String, above: Option<DirectoryId>) {
        let id = self.next;
        self.next = self.next.saturating_add(1);
        self.directories.insert(id, Emptying { path, above, pending: 1, listed: 0 });
        self.jobs.push(Job::List(id, None));
    }

    fn path_of(&self, job: &Job) -> String {
        match job {
            Job::List(id, _) | Job::Remove(id, ..) => {
                self.directories.get(id).map(|directory| directory.path.clone()).unwrap_or_default()
            }
            Job::Finish(_, path) => path.clone(),
        }
    }

    fn done(&mut self, done: Done) -> Result<(), Error> {
        match done {
            Done::Page(id, more, entries) => {
                // Below its entries on the stack: the next page waits until they are gone.
                if more.is_some() {
                    self.jobs.push(Job::List(id, more));
                    self.pend(id);
                }
                entries.into_iter().for_each(|entry| self.entry(id, entry));
                self.one_less(id);
            }
            Done::Removed(id, there) => {
                self.removed.files = self.removed.files.saturating_add(there.into());
                self.one_less(id);
            }
            Done::Finished(id, there) => {
                self.removed.directories = self.removed.directories.saturating_add(there.into());
                let above = self.directories.remove(&id).and_then(|directory| directory.above);
                above.into_iter().for_each(|above| self.one_less(above));
            }
            Done::NotEmpty(id, refused) => {
                if !self.again(id) {
                    return Err(refused);
                }
                self.pend(id);
                self.jobs.push(Job::List(id, None));
            }
        }
        Ok(())
    }

    /// Whether a directory that has something in it again is to be listed once more.
    fn again(&mut self, id: DirectoryId) -> bool {
        self.directories.get_mut(&id).is_some_and(|directory| {
            directory.listed = directory.listed.saturating_add(1);
            directory.listed <= AGAIN
        })
    }

    fn entry(&mut self, id: DirectoryId, entry: Entry) {
        self.pend(id);
        let Some(directory) = self.directories.get(&id) else { return };
        if entry.metadata.is_dir() && !entry.metadata.is_reparse_point() {
            let path = format!("{}\\{}", directory.path, entry.name);
            self.enter(path, Some(id));
        } else {
            // Whatever it is: it is opened as the reparse point it may be.
            self.jobs.push(Job::Remove(id, entry.name, CreateOptions::NONE));
        }
    }

    fn pend(&mut self, id: DirectoryId) {
        if let Some(directory) = self.directories.get_mut(&id) {
            directory.pending = directory.pending.saturating_add(1);
        }
    }

    fn one_less(&mut self, id: DirectoryId) {
        let Some(directory) = self.directories.get_mut(&id) else { return };
        directory.pending = directory.pending.saturating_sub(1);
        if directory.pending == 0 {
            self.jobs.push(Job::Finish(id, directory.path.clone()));
        }
    }
}
