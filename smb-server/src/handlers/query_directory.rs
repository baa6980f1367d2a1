//! QUERY_DIRECTORY — [MS-SMB2] 3.3.5.18, [MS-FSA] 2.1.5.6.3.

use super::info;
use crate::{
    backend::Entry,
    core::{
        open::{Cursor, Open, Scan},
        pattern::Pattern,
        security,
    },
    driver::{Answer, Outcome, Request},
};
use smb_proto::{
    fscc::DirectoryWriter,
    msg::{Access, QueryDirectoryFlags, QueryDirectoryRequest, QueryDirectoryResponse},
    status::NtStatus,
};

/// Entries asked of the back end at a time.
const PAGE: usize = 256;

/// Lists a directory, as much as fits.
pub(crate) async fn handle(request: &Request) -> Outcome {
    let query: QueryDirectoryRequest = request.parse()?;
    let open = request.open(query.file_id)?;
    if !open.directory || query.output_len > request.conn.agreed()?.max_transact {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    open.require(Access::READ_DATA)?;
    request.covers(0, query.output_len)?;
    let limit = usize::try_from(query.output_len).map_err(|_| NtStatus::INVALID_PARAMETER)?;
    let writer = DirectoryWriter::new(query.class, limit).ok_or(NtStatus::INVALID_INFO_CLASS)?;
    if writer.is_too_small() {
        return Err(NtStatus::INFO_LENGTH_MISMATCH);
    }
    let room = request.reserve(query.output_len).await?;
    let scan = begin(&open, &query);
    let pattern = Pattern::new(&scan.pattern, open.share.backend().capabilities().case_sensitive)?;
    let hides = open.share.backend().capabilities().hide_unreadable;
    let single = query.flags.contains(QueryDirectoryFlags::RETURN_SINGLE_ENTRY);
    let mut listing = Listing { open: &open, pattern, writer, scan, single, full: false, hides };
    listing.run().await?;
    let answer = listing.finish()?;
    Ok(answer.on(open.id).within(room))
}

/// Where the listing goes on. A new pattern counts only with a new listing.
fn begin(open: &Open, query: &QueryDirectoryRequest) -> Scan {
    let fresh = |pattern: String| Scan { pattern, after: Cursor::Start, matched: false };
    let reopen = query.flags.contains(QueryDirectoryFlags::REOPEN);
    let restart = query.flags.contains(QueryDirectoryFlags::RESTART_SCANS);
    match open.scan() {
        Some(_) if reopen => fresh(query.pattern.clone()),
        Some(scan) if restart && query.pattern.is_empty() => fresh(scan.pattern),
        Some(_) if restart => fresh(query.pattern.clone()),
        Some(scan) => scan,
        None => fresh(query.pattern.clone()),
    }
}

struct Listing<'a> {
    open: &'a Open,
    pattern: Pattern,
    writer: DirectoryWriter,
    scan: Scan,
    single: bool,
    full: bool,
    /// What cannot be read is left out.
    hides: bool,
}

impl Listing<'_> {
    async fn run(&mut self) -> Result<(), NtStatus> {
        self.dots().await?;
        while !self.full {
            let after = match &self.scan.after {
                Cursor::Name(name) => Some(name.clone()),
                _ => None,
            };
            let page = self.open.handle.list(after.as_deref(), PAGE).await?;
            if page.is_empty() {
                return Ok(());
            }
            for entry in page {
                if self.hides && !self.can_read(&entry) {
                    self.scan.after = Cursor::Name(entry.name);
                    continue;
                }
                self.offer(&entry.name, &entry.metadata, Cursor::Name(entry.name.clone()));
                if self.full {
                    break;
                }
            }
            // Where hardly anything matches, others have their turn meanwhile.
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Whether whoever lists may read the entry in every way.
    fn can_read(&self, entry: &Entry) -> bool {
        const READ: Access = Access(
            Access::READ_DATA.0 | Access::READ_EA.0 | Access::READ_ATTRIBUTES.0 | Access::READ_CONTROL.0,
        );
        let descriptor = security::effective(entry.security.as_deref(), entry.metadata.is_directory());
        descriptor.maximal_access(&self.open.token).contains(READ)
    }

    /// The directory itself and its parent, of which no more is told than of the directory.
    async fn dots(&mut self) -> Result<(), NtStatus> {
        if !matches!(self.scan.after, Cursor::Start | Cursor::Dot) {
            return Ok(());
        }
        let metadata = self.open.handle.metadata().await?;
        if self.scan.after == Cursor::Start {
            self.offer(".", &metadata, Cursor::Dot);
        }
        if self.scan.after == Cursor::Dot && !self.full {
            self.offer("..", &metadata, Cursor::DotDot);
        }
        Ok(())
    }

    /// Lists an entry if it matches, and moves on unless it did not fit.
    fn offer(&mut self, name: &str, metadata: &crate::backend::Metadata, behind: Cursor) {
        if self.pattern.matches(name) {
            if !self.writer.push(&info::entry(name, metadata)) {
                self.full = true;
                return;
            }
            self.scan.matched = true;
            self.full = self.single;
        }
        self.scan.after = behind;
    }

    fn finish(self) -> Outcome {
        let Self { open, writer, scan, full, .. } = self;
        let matched = scan.matched;
        open.set_scan(scan);
        if !writer.is_empty() {
            return Ok(Answer::of(&QueryDirectoryResponse { output: writer.finish() }));
        }
        Err(match (full, matched) {
            (true, _) => NtStatus::BUFFER_OVERFLOW,
            (false, true) => NtStatus::NO_MORE_FILES,
            (false, false) => NtStatus::NO_SUCH_FILE,
        })
    }
}
