//! Whole trees: down, up, and from share to share.
//!
//! ```text
//!   jobs (a stack) ── at most AT_ONCE under way ──▶ Directory: made at the target, a page of its entries ──▶ more jobs
//!                                                   File: moved as a whole, by the same means as a single one
//! ```
//! A page of a directory is worked off before the next is fetched, and what is deepest comes first: what is kept grows with
//! the depth of the tree, and not with its size.

use super::{
    Level, Summary, TransferOptions,
    checkpoint::{blocking, is_checkpoint},
    local::download_file,
    upload_file,
};
use crate::{
    api::{Directory, OpenOptions, Tree, copy_file, to_wire},
    error::{Error, TransferError, UsageError},
};
use smb_proto::status::NtStatus;
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{task::JoinSet, time::Instant};

/// Files and directories under way at a time.
const AT_ONCE: usize = 16;
/// Local entries read at a time.
const PAGE: usize = 1024;
/// Names of what was skipped that are kept.
const SKIPPED: usize = 1000;

/// A tree that is complete and durable at its target, but for what was skipped.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TreeSummary {
    /// Files.
    pub files: u64,
    /// Directories, the first included.
    pub directories: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// Symbolic links, mount points, devices and the like, which were left out: the paths of the first 1000.
    pub skipped: Vec<String>,
    /// How sure every file is.
    pub level: Level,
    /// How long it took.
    pub elapsed: Duration,
}

/// Downloads the directory `path` of `tree` and all below it into the local directory `into`, which is made where it is not
/// there; what is there already stays, unless a file has the same name. Each file is whole under its name or not there: until
/// then its name is `.DIGEST.part`. Symbolic links, mount points and special files are skipped
/// ([`Entry::is_special`](crate::Entry::is_special)).
///
/// It stops at the first failure, and then, as when its future is dropped, a part of the tree is there.
pub async fn download_tree(
    tree: &Tree,
    path: &str,
    into: &Path,
    options: &TransferOptions,
) -> Result<TreeSummary, Error> {
    let from = Place::Share(tree.clone(), path.trim_matches(['/', '\\']).to_owned());
    run(from, Place::Local(into.to_owned()), options).await
}

/// Uploads the local directory `from` and all below it to the directory `path` of `tree`; else as [`download_tree`]. A file
/// that fails is incomplete on the share. With [`TransferOptions::resume`] the checkpoints of interrupted transfers are left
/// out.
pub async fn upload_tree(
    from: &Path,
    tree: &Tree,
    path: &str,
    options: &TransferOptions,
) -> Result<TreeSummary, Error> {
    let to = Place::Share(tree.clone(), path.trim_matches(['/', '\\']).to_owned());
    run(Place::Local(from.to_owned()), to, options).await
}

/// Copies the directory `from_path` of `from` and all below it to `to_path` of `to`; on the server where both are on one
/// share and the server can. Else as [`upload_tree`].
pub async fn copy_tree(
    from: &Tree,
    from_path: &str,
    to: &Tree,
    to_path: &str,
    options: &TransferOptions,
) -> Result<TreeSummary, Error> {
    let (from_path, to_path) = (to_wire(from_path)?, to_wire(to_path)?);
    if from.is_same_share(to) && is_below(&to_path, &from_path) {
        return Err(UsageError::Path("a directory cannot be copied into itself").into());
    }
    run(Place::Share(from.clone(), from_path), Place::Share(to.clone(), to_path), options).await
}

/// Of paths as they are on the wire.
fn is_below(path: &str, above: &str) -> bool {
    let (path, above) = (path.to_lowercase(), above.to_lowercase());
    let rest = path.strip_prefix(&above);
    rest.is_some_and(|rest| above.is_empty() || rest.is_empty() || rest.starts_with('\\'))
}

/// One end of a transfer.
#[derive(Debug, Clone)]
enum Place {
    Share(Tree, String),
    Local(PathBuf),
}

/// What is below a directory.
#[derive(Debug)]
enum Item {
    Directory(String),
    File(String),
    Other(String),
}

/// A directory that is being listed.
#[derive(Debug)]
enum Lister {
    Share(Directory),
    Local(fs::ReadDir),
}

/// Paths are from the top of the tree, with `/` between components; empty for the top.
#[derive(Debug)]
enum Job {
    Directory(String, Option<Lister>),
    File(String),
}

#[derive(Debug)]
enum Done {
    /// A page of the directory; the lister where there may be more.
    Page {
        path: String,
        first: bool,
        more: Option<Lister>,
        items: Vec<Item>,
    },
    File(Summary),
}

async fn run(from: Place, to: Place, options: &TransferOptions) -> Result<TreeSummary, Error> {
    let started = Instant::now();
    let ends = Arc::new((from, to));
    let mut jobs = vec![Job::Directory(String::new(), None)];
    let mut under_way: JoinSet<Result<Done, Error>> = JoinSet::new();
    let mut summary = TreeSummary {
        files: 0,
        directories: 0,
        bytes: 0,
        skipped: Vec::new(),
        level: Level::SizeIntegrity,
        elapsed: Duration::ZERO,
    };
    options.progress.begin(None);
    loop {
        while under_way.len() < AT_ONCE {
            let Some(job) = jobs.pop() else { break };
            let window = ends.0.window().or(ends.1.window()).unwrap_or(usize::MAX);
            let (ends, options) = (ends.clone(), options.part(window, AT_ONCE));
            under_way.spawn(async move { one(&ends.0, &ends.1, job, &options).await });
        }
        match under_way.join_next().await {
            Some(done) => take(&mut summary, &mut jobs, done.unwrap_or(Err(TransferError::Worker.into()))?),
            None => break,
        }
    }
    summary.elapsed = started.elapsed();
    Ok(summary)
}

fn take(summary: &mut TreeSummary, jobs: &mut Vec<Job>, done: Done) {
    match done {
        Done::Page { path, first, more, items } => {
            summary.directories = summary.directories.saturating_add(first.into());
            // Below its entries on the stack: the next page waits until they are done.
            if more.is_some() {
                jobs.push(Job::Directory(path.clone(), more));
            }
            for item in items {
                match item {
                    Item::Directory(name) => jobs.push(Job::Directory(join(&path, &name), None)),
                    Item::File(name) => jobs.push(Job::File(join(&path, &name))),
                    Item::Other(name) if summary.skipped.len() < SKIPPED => {
                        summary.skipped.push(join(&path, &name));
                    }
                    Item::Other(_) => (),
                }
            }
        }
        Done::File(file) => {
            summary.files = summary.files.saturating_add(1);
            summary.bytes = summary.bytes.saturating_add(file.bytes);
            summary.level = file.level;
        }
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") }
}

async fn one(from: &Place, to: &Place, job: Job, options: &TransferOptions) -> Result<Done, Error> {
    let (path, outcome) = match job {
        Job::Directory(path, lister) => {
            let outcome = page(from, to, &path, lister, options.resume).await;
            (path, outcome)
        }
        Job::File(path) => {
            let outcome = file(from, to, &path, options).await.map(Done::File);
            (path, outcome)
        }
    };
    outcome.map_err(|error| TransferError::In { path, error: Arc::new(error) }.into())
}

/// Makes the directory, where it is the first page, and lists on.
async fn page(
    from: &Place,
    to: &Place,
    path: &str,
    lister: Option<Lister>,
    resume: bool,
) -> Result<Done, Error> {
    let first = lister.is_none();
    let lister = match lister {
        Some(lister) => lister,
        None => {
            let lister = from.list(path).await?;
            to.make_directory(path).await?;
            lister
        }
    };
    let (more, items) = lister.page(resume).await?;
    Ok(Done::Page { path: path.to_owned(), first, more, items })
}

async fn file(from: &Place, to: &Place, path: &str, options: &TransferOptions) -> Result<Summary, Error> {
    match (from, to) {
        (Place::Share(tree, _), Place::Local(_)) => {
            download_file(tree, &from.on_share(path), &to.on_disk(path), options).await
        }
        (Place::Local(_), Place::Share(tree, _)) => {
            upload_file(&from.on_disk(path), tree, &to.on_share(path), options).await
        }
        (Place::Share(source, _), Place::Share(target, _)) => {
            let started = Instant::now();
            let source = source.open_to_copy(&from.on_share(path)).await?;
            let target = OpenOptions::write_and_read().open(target, &to.on_share(path)).await?;
            let bytes = copy_file(&source, &target, options).await?.bytes;
            target.close().await?;
            let (level, elapsed) = (Level::SizeIntegrity, started.elapsed());
            Ok(Summary { bytes, resumed_at: 0, level, elapsed, digest: None })
        }
        (Place::Local(_), Place::Local(_)) => Err(UsageError::Path("neither end is on a share").into()),
    }
}

impl Place {
    fn window(&self) -> Option<usize> {
        match self {
            Self::Share(tree, _) => Some(tree.session().window()),
            Self::Local(_) => None,
        }
    }

    fn on_share(&self, path: &str) -> String {
        match self {
            Self::Share(_, top) if top.is_empty() => path.to_owned(),
            Self::Share(_, top) => format!("{top}/{path}"),
            Self::Local(_) => String::new(),
        }
    }

    fn on_disk(&self, path: &str) -> PathBuf {
        match self {
            // Names have no separators: this leads nowhere else.
            Self::Local(top) if !path.is_empty() => top.join(path),
            Self::Local(top) => top.clone(),
            Self::Share(..) => PathBuf::new(),
        }
    }

    async fn list(&self, path: &str) -> Result<Lister, Error> {
        match self {
            Self::Share(tree, _) => {
                Ok(Lister::Share(Directory::open(tree, &self.on_share(path), "*").await?))
            }
            Self::Local(_) => {
                let path = self.on_disk(path);
                let listing = blocking(move || fs::read_dir(path)).await;
                Ok(Lister::Local(listing.map_err(source_error)?))
            }
        }
    }

    async fn make_directory(&self, path: &str) -> Result<(), Error> {
        match self {
            Self::Share(tree, _) if path.is_empty() => tree.create_dir_all(&self.on_share(path)).await,
            Self::Share(tree, _) => {
                let path = self.on_share(path);
                match tree.create_dir(&path).await {
                    Err(error)
                        if error.status() == Some(NtStatus::OBJECT_NAME_COLLISION)
                            && tree.metadata(&path).await?.is_dir() =>
                    {
                        Ok(())
                    }
                    outcome => outcome,
                }
            }
            Self::Local(_) => {
                let path = self.on_disk(path);
                let made = blocking(move || fs::create_dir_all(path)).await;
                made.map_err(|error| TransferError::Sink { offset: 0, error: Arc::new(error) }.into())
            }
        }
    }
}

impl Lister {
    /// The next entries; the lister again where there may be more. Without checkpoints where transfers are resumed.
    async fn page(self, resume: bool) -> Result<(Option<Self>, Vec<Item>), Error> {
        match self {
            Self::Share(mut directory) => {
                let Some(page) = directory.next_page().await? else { return Ok((None, Vec::new())) };
                let items = page.into_iter().map(|entry| {
                    // A name that cannot be made a path of leads nowhere.
                    let other = entry.is_special() || entry.lossy;
                    let (metadata, name) = (entry.metadata, entry.name);
                    match () {
                        () if other => Item::Other(name),
                        () if metadata.is_dir() => Item::Directory(name),
                        () => Item::File(name),
                    }
                });
                let items = items.collect();
                Ok((Some(Self::Share(directory)), items))
            }
            Self::Local(mut listing) => {
                let read = move || -> io::Result<_> {
                    let mut items = Vec::new();
                    let mut more = false;
                    for entry in listing.by_ref().take(PAGE) {
                        let entry = entry?;
                        more = true;
                        if !(resume && is_checkpoint(&entry.path())) {
                            items.push(local_item(&entry)?);
                        }
                    }
                    Ok((more.then(|| Self::Local(listing)), items))
                };
                blocking(read).await.map_err(source_error)
            }
        }
    }
}

fn local_item(entry: &fs::DirEntry) -> io::Result<Item> {
    let kind = entry.file_type()?;
    Ok(match entry.file_name().into_string() {
        Ok(name) if kind.is_dir() => Item::Directory(name),
        Ok(name) if kind.is_file() => Item::File(name),
        Ok(name) => Item::Other(name),
        Err(name) => Item::Other(name.to_string_lossy().into_owned()),
    })
}

fn source_error(error: io::Error) -> Error {
    TransferError::Source { offset: 0, error: Arc::new(error) }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_is_by_components_and_without_case() {
        for (path, above, wanted) in [
            ("a\\b", "a", true),
            ("Ä\\b", "ä", true),
            ("a", "a", true),
            ("ab", "a", false),
            ("b", "a", false),
            ("a", "a\\b", false),
            ("a", "", true),
        ] {
            assert_eq!(is_below(path, above), wanted, "{path} {above}");
        }
    }
}
