//! An open directory.

use crate::{
    api::{Metadata, OpenOptions, Tree},
    driver::{janitor::Chore, request::Request},
    error::Error,
};
use smb_proto::{
    command::Command,
    error::PeerViolation,
    fscc::{DirectoryEntry, FileInformationClass, directory::entries},
    msg::{
        Access, CreateOptions, CreateResponse, FileId, QueryDirectoryFlags, QueryDirectoryRequest,
        QueryDirectoryResponse,
    },
    status::NtStatus,
};
use std::collections::VecDeque;

/// What is asked for at a time: enough for some thousand entries.
const PAGE: usize = 256 * 1024;

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
}

/// The entries of a directory, page by page; closed when dropped.
#[derive(Debug)]
pub struct Directory {
    tree: Tree,
    id: FileId,
    pattern: String,
    entries: VecDeque<Entry>,
    started: bool,
    ended: bool,
}

impl Directory {
    pub(crate) async fn open(tree: &Tree, path: &str, pattern: &str) -> Result<Self, Error> {
        let mut create = OpenOptions::metadata().request(path)?;
        create.desired_access = Access::READ_DATA | Access::READ_ATTRIBUTES | Access::SYNCHRONIZE;
        create.options = create.options.with(CreateOptions::DIRECTORY_FILE);
        let request = tree.request(Request::new(&create, tree.id()));
        let reply = tree.channel().submit_one(request).await?.answer().await?;
        let id = reply.parse::<CreateResponse>()?.file_id;
        let (pattern, entries) = (pattern.to_owned(), VecDeque::new());
        Ok(Self { tree: tree.clone(), id, pattern, entries, started: false, ended: false })
    }

    /// The next entry, `None` behind the last. The directory itself and its parent are left out. After an error there is
    /// nothing more.
    ///
    /// Dropping the future loses no entry that was returned, but may skip the page it was fetching.
    pub async fn next(&mut self) -> Option<Result<Entry, Error>> {
        while self.entries.is_empty() && !self.ended {
            if let Err(error) = self.fetch().await {
                self.ended = true;
                return Some(Err(error));
            }
        }
        self.entries.pop_front().map(Ok)
    }

    /// All that is left.
    pub async fn collect(mut self) -> Result<Vec<Entry>, Error> {
        let mut all = Vec::new();
        while let Some(entry) = self.next().await {
            all.push(entry?);
        }
        Ok(all)
    }

    async fn fetch(&mut self) -> Result<(), Error> {
        let channel = self.tree.channel();
        let output_len = u32::try_from(PAGE.min(channel.max_transact())).unwrap_or(u32::MAX);
        let query = QueryDirectoryRequest {
            class: FileInformationClass::DIRECTORY,
            flags: QueryDirectoryFlags::NONE,
            file_index: 0,
            file_id: self.id,
            pattern: self.pattern.clone(),
            output_len,
        };
        let request = Request::new(&query, self.tree.id()).charged(0, output_len);
        let reply = channel.submit_one(self.tree.request(request)).await?.answer().await?;
        let nothing = match reply.status() {
            NtStatus::NO_MORE_FILES => true,
            // What a pattern gets that matches nothing.
            NtStatus::NO_SUCH_FILE => !self.started,
            _ => false,
        };
        if nothing {
            self.ended = true;
            return Ok(());
        }
        let response: QueryDirectoryResponse = reply.parse()?;
        let page: Vec<_> =
            entries(FileInformationClass::DIRECTORY, &response.output).collect::<Result<_, _>>()?;
        if page.is_empty() {
            return Err(violation("a page without entries"));
        }
        self.started = true;
        for entry in &page {
            self.take(entry)?;
        }
        Ok(())
    }

    fn take(&mut self, entry: &DirectoryEntry) -> Result<(), Error> {
        let name = entry.name.as_str();
        if name == "." || name == ".." {
            return Ok(());
        }
        // A name with a separator would lead a caller who copies by names out of its directory.
        if name.is_empty() || name.contains(['/', '\\', '\0']) {
            return Err(violation("a name that is not one component"));
        }
        let (name, metadata) = (name.to_owned(), Metadata::of_entry(entry));
        self.entries.push_back(Entry { name, lossy: entry.name.is_lossy(), metadata });
        Ok(())
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let (tree_id, need) = (self.tree.id(), self.tree.need());
        self.tree.channel().chore(Chore::Close { tree_id, need, file_id: self.id });
    }
}

fn violation(rule: &'static str) -> Error {
    PeerViolation::Response { command: Command::QUERY_DIRECTORY, rule }.into()
}
