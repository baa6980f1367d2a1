//! An open directory.

use crate::{
    api::{File, Metadata, OpenOptions, Tree, tree::attached::Attached},
    driver::request::{Reply, Request},
    error::Error,
};
use smb_proto::{
    command::Command,
    error::PeerViolation,
    fscc::{DirectoryEntry, FileInformationClass, directory::entries},
    msg::{
        Access, CreateOptions, FileId, QueryDirectoryFlags, QueryDirectoryRequest, QueryDirectoryResponse,
    },
    status::NtStatus,
};
use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

/// What is asked for at a time: enough for some thousand entries.
const PAGE: usize = 256 * 1024;
/// The smallest class that has the tags of reparse points.
const CLASS: FileInformationClass = FileInformationClass::FULL_DIRECTORY;

/// One entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// Its name: one component.
    pub name: String,
    /// The name is not valid UTF-16, and `name` only resembles it: no path made from it finds the file.
    pub lossy: bool,
    /// What is known of it.
    pub metadata: Metadata,
    /// The tag of a reparse point, which says what it is — [MS-FSCC] 2.1.2.1; zero of anything else.
    pub reparse_tag: u32,
}

/// The bit of tags that stand for another file or directory: symbolic links, mount points.
const NAME_SURROGATE: u32 = 0x2000_0000;
/// Sockets, pipes and devices of Unix systems (NFS, AF_UNIX, LX_FIFO, LX_CHR, LX_BLK), and what servers refuse to follow:
/// DFS, DFSR, APPEXECLINK.
const SPECIAL: [u32; 8] =
    [0x8000_0014, 0x8000_0023, 0x8000_0024, 0x8000_0025, 0x8000_0026, 0x8000_000a, 0x8000_0012, 0x8000_001b];

impl Entry {
    /// Whether it is a link, a mount point or a special file. Other reparse points, deduplicated, tiered and cloud files
    /// among them, are read as the files and directories they seem to be: what is behind is the server's affair.
    pub fn is_special(&self) -> bool {
        let tag = self.reparse_tag;
        self.metadata.is_reparse_point() && (tag & NAME_SURROGATE != 0 || SPECIAL.contains(&tag))
    }
}

/// The entries of a page; `None` where the enumeration has ended.
type Page = Option<Vec<Entry>>;
type Fetching = Pin<Box<dyn Future<Output = Result<Page, Error>> + Send + Sync>>;

/// The entries of a directory, page by page; closed when dropped.
///
/// A page holds some thousand entries, and no more than that is kept, however large the directory. The first page comes
/// with the answer that opens the directory.
pub struct Directory {
    file: File,
    pattern: String,
    entries: VecDeque<Entry>,
    fetching: Option<Fetching>,
    started: bool,
    ended: bool,
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Directory {
    pub(crate) async fn open(tree: &Tree, path: &str, pattern: &str) -> Result<Self, Error> {
        Self::open_with(tree, path, pattern, CreateOptions::DIRECTORY_FILE).await
    }

    /// To remove what is in it: a link that has taken its place meanwhile is not followed.
    pub(crate) async fn open_to_empty(tree: &Tree, path: &str) -> Result<Self, Error> {
        let options = CreateOptions::DIRECTORY_FILE.with(CreateOptions::OPEN_REPARSE_POINT);
        Self::open_with(tree, path, "*", options).await
    }

    async fn open_with(
        tree: &Tree,
        path: &str,
        pattern: &str,
        options: CreateOptions,
    ) -> Result<Self, Error> {
        let mut create = OpenOptions::metadata().request(path)?;
        create.desired_access = Access::READ_DATA | Access::READ_ATTRIBUTES | Access::SYNCHRONIZE;
        create.options = options;
        let create = &create;
        tree.run(true, |attached| async move {
            let opening = attached.request(Request::new(create, attached.id()));
            let compound = vec![opening, query(&attached, FileId::ANY, pattern).related()];
            if attached.channel().is_stingy(&compound) {
                return Ok(Self::new(tree.open_as(create).await?, pattern));
            }
            Self::open_and_query(tree, attached, compound, &create.name, pattern).await
        })
        .await
    }

    /// CREATE and QUERY_DIRECTORY in one frame.
    async fn open_and_query(
        tree: &Tree,
        attached: Arc<Attached>,
        compound: Vec<Request>,
        path: &str,
        pattern: &str,
    ) -> Result<Self, Error> {
        let mut waiting = attached.channel().submit(compound).await?.into_iter();
        let (Some(created), Some(first)) = (waiting.next(), waiting.next()) else {
            return Err(attached.channel().error());
        };
        let created = created.answer().await?;
        let mut directory = Self::new(File::new(tree.clone(), attached, path, &created.parse()?), pattern);
        let page = read_page(&first.answer().await?, true)?;
        directory.take(page);
        Ok(directory)
    }

    fn new(file: File, pattern: &str) -> Self {
        let (pattern, entries) = (pattern.to_owned(), VecDeque::new());
        Self { file, pattern, entries, fetching: None, started: false, ended: false }
    }

    /// The next entry, `None` behind the last. The directory itself and its parent are left out. After an error there is
    /// nothing more.
    ///
    /// Dropping the future loses no entry.
    pub async fn next(&mut self) -> Option<Result<Entry, Error>> {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    /// The same to be polled, as streams are.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Entry, Error>>> {
        while self.entries.is_empty() && !self.ended {
            if let Err(error) = ready!(self.poll_fetch(cx)) {
                return Poll::Ready(Some(Err(error)));
            }
        }
        Poll::Ready(self.entries.pop_front().map(Ok))
    }

    /// All that is left.
    pub async fn collect(mut self) -> Result<Vec<Entry>, Error> {
        let mut all = Vec::new();
        while let Some(entry) = self.next().await {
            all.push(entry?);
        }
        Ok(all)
    }

    /// Closes it, and waits until the server has.
    pub async fn close(self) -> Result<(), Error> {
        self.file.close().await.map(drop)
    }

    /// The entries that are here, else those of the next page; `None` at the end.
    pub(crate) async fn next_page(&mut self) -> Result<Page, Error> {
        while self.entries.is_empty() && !self.ended {
            std::future::poll_fn(|cx| self.poll_fetch(cx)).await?;
        }
        let page = std::mem::take(&mut self.entries);
        Ok((!page.is_empty()).then(|| page.into()))
    }

    fn poll_fetch(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let (file, pattern, first) = (&self.file, &self.pattern, !self.started);
        let fetching =
            self.fetching.get_or_insert_with(|| Box::pin(fetch(file.clone(), pattern.clone(), first)));
        let page = ready!(fetching.as_mut().poll(cx));
        self.fetching = None;
        Poll::Ready(match page {
            Ok(page) => {
                self.take(page);
                Ok(())
            }
            Err(error) => {
                self.ended = true;
                Err(error)
            }
        })
    }

    fn take(&mut self, page: Page) {
        match page {
            Some(entries) => {
                self.started = true;
                self.entries.extend(entries);
            }
            None => self.ended = true,
        }
    }
}

fn query(attached: &Attached, file_id: FileId, pattern: &str) -> Request {
    let output_len = u32::try_from(PAGE.min(attached.channel().max_transact())).unwrap_or(u32::MAX);
    let query = QueryDirectoryRequest {
        class: CLASS,
        flags: QueryDirectoryFlags::NONE,
        file_index: 0,
        file_id,
        pattern: pattern.to_owned(),
        output_len,
    };
    attached.request(Request::new(&query, attached.id()).charged(0, output_len))
}

async fn fetch(file: File, pattern: String, first: bool) -> Result<Page, Error> {
    let request = query(file.attached(), file.id(), &pattern);
    read_page(&file.ask(request).await?, first)
}

/// What an answer to QUERY_DIRECTORY holds. `first`: it is the first of its directory.
fn read_page(reply: &Reply, first: bool) -> Result<Page, Error> {
    match reply.status() {
        NtStatus::NO_MORE_FILES => return Ok(None),
        // What a pattern gets that matches nothing.
        NtStatus::NO_SUCH_FILE if first => return Ok(None),
        _ => (),
    }
    let response: QueryDirectoryResponse = reply.parse()?;
    let mut page = Vec::new();
    let mut any = false;
    for entry in entries(CLASS, &response.output) {
        any = true;
        page.extend(read_entry(&entry?)?);
    }
    if any { Ok(Some(page)) } else { Err(violation("a page without entries")) }
}

fn read_entry(entry: &DirectoryEntry) -> Result<Option<Entry>, Error> {
    let name = entry.name.as_str();
    if name == "." || name == ".." {
        return Ok(None);
    }
    // A name with a separator would lead a caller who copies by names out of its directory.
    if name.is_empty() || name.contains(['/', '\\', '\0']) {
        return Err(violation("a name that is not one component"));
    }
    let (name, metadata) = (name.to_owned(), Metadata::of_entry(entry));
    let (lossy, reparse_tag) = (entry.name.is_lossy(), entry.reparse_tag);
    Ok(Some(Entry { name, lossy, metadata, reparse_tag }))
}

fn violation(rule: &'static str) -> Error {
    PeerViolation::Response { command: Command::QUERY_DIRECTORY, rule }.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use smb_proto::msg::FileAttributes;

    fn entry(attributes: FileAttributes, reparse_tag: u32) -> Entry {
        let found = DirectoryEntry {
            name: "x".into(),
            attributes: attributes | FileAttributes::ARCHIVE,
            reparse_tag,
            ..DirectoryEntry::default()
        };
        let mut page = smb_proto::fscc::directory::DirectoryWriter::new(CLASS, 4096).unwrap();
        assert!(page.push(&found));
        let page = page.finish();
        let found = entries(CLASS, &page).next().unwrap().unwrap();
        read_entry(&found).unwrap().unwrap()
    }

    #[test]
    fn only_what_stands_for_something_else_is_special() {
        let (symlink, mount_point, fifo) = (0xa000_000c, 0xa000_0003, 0x8000_0024);
        for tag in [symlink, mount_point, fifo] {
            assert!(entry(FileAttributes::REPARSE_POINT, tag).is_special(), "{tag:x}");
        }
        let (deduplicated, tiered, cloud) = (0x8000_0013, 0x8000_0008, 0x9000_001a);
        for tag in [deduplicated, tiered, cloud] {
            assert!(!entry(FileAttributes::REPARSE_POINT, tag).is_special(), "{tag:x}");
        }
        // The same field has the size of the attributes of anything else.
        assert!(!entry(FileAttributes::NONE, symlink).is_special());
    }
}
