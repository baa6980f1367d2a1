//! CREATE — [MS-SMB2] 3.3.5.9, [MS-FSA] 2.1.5.1.
//!
//! ```text
//! fields · contexts · path ─▶ back end opens ─▶ access check ─▶ place among the opens ─▶ still there? ─▶ replaced? ─▶ answer
//!                             (asks Heir what   ▲                (share_mode, table)          │
//!                              a new file gets) └──────────── removed meanwhile ◀─────────────┘
//! ```

mod contexts;
mod fields;
mod grant;

use super::{info, pipe, times};
use crate::{
    backend::{Caller, Maker, Metadata, OpenRequest, Opened, case::fold},
    core::{
        access,
        open::{NewOpen, Open, Vacancy},
        path::{self, Target},
        security::Heir,
        share_mode::{Claim, Key},
    },
    driver::{Answer, Outcome, Request, give_up},
    entropy,
    share::Share,
};
use contexts::Contexts;
use grant::Grant;
use smb_proto::{
    msg::{
        Access, CreateAction, CreateDisposition, CreateOptions, CreateRequest, CreateResponse,
        FileAttributes, NotifyFilter, OplockLevel,
    },
    status::NtStatus,
};
use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

/// How often an open starts again because what it found was removed.
const ATTEMPTS: usize = 16;

/// Opens or creates a file or directory.
pub(crate) async fn handle(request: &Request) -> Outcome {
    let create: CreateRequest = request.parse()?;
    let Some(share) = request.disk() else {
        fields::check(&create)?;
        return pipe::create(request, &create);
    };
    // Rights that there are not come before all else.
    let wish = access::grant(create.desired_access, request.tree()?.maximal);
    if create.desired_access.0 & access::RESERVED != 0 {
        return wish.and(Err(NtStatus::ACCESS_DENIED));
    }
    fields::check(&create)?;
    let mut contexts = Contexts::read(&create.contexts)?;
    let target = path::target(&create.name)?;
    let capabilities = share.backend().capabilities();
    if target.stream.is_some() && !capabilities.named_streams {
        return Err(NtStatus::OBJECT_NAME_INVALID);
    }
    if !contexts.extended.is_empty() && !capabilities.extended_attributes {
        return Err(NtStatus::EAS_NOT_SUPPORTED);
    }
    let heir = Heir {
        token: request.session()?.token.clone(),
        descriptor: contexts.security.take(),
        extended: contexts.extended.clone(),
        share: share.number(),
        modes: request.conn.shared.modes.clone(),
    };
    let creation =
        Creation { request, share, wish: wish?, target, create: &create, contexts, maker: Arc::new(heir) };
    creation.check()?;
    creation.run().await
}

struct Creation<'a> {
    request: &'a Request,
    share: &'a Arc<Share>,
    create: &'a CreateRequest,
    /// What is granted at most.
    wish: Access,
    target: Target,
    contexts: Contexts,
    maker: Arc<dyn Maker>,
}

impl Creation<'_> {
    fn check(&self) -> Result<(), NtStatus> {
        let disposition = self.create.disposition;
        let deletes = self.deletes();
        let root = self.target.path.is_empty() && self.target.stream.is_none();
        if deletes && (!self.wish.contains(Access::DELETE) || root) {
            return Err(if root { NtStatus::CANNOT_DELETE } else { NtStatus::ACCESS_DENIED });
        }
        let creates = !matches!(disposition, CreateDisposition::OPEN | CreateDisposition::OVERWRITE);
        if deletes && creates && self.create.file_attributes.contains(FileAttributes::READONLY) {
            return Err(NtStatus::CANNOT_DELETE);
        }
        let changes = !matches!(disposition, CreateDisposition::OPEN | CreateDisposition::OPEN_IF);
        if changes && !self.writable() {
            return Err(NtStatus::ACCESS_DENIED);
        }
        Ok(())
    }

    fn writable(&self) -> bool {
        self.request.tree.as_ref().is_some_and(|tree| tree.writable())
    }

    fn deletes(&self) -> bool {
        self.create.options.contains(CreateOptions::DELETE_ON_CLOSE)
    }

    fn replaces(&self) -> bool {
        fields::replaces(self.create.disposition)
    }

    async fn run(&self) -> Outcome {
        for _ in 0..ATTEMPTS {
            let opened = self.open().await?;
            let done = self.admit(&opened).await;
            if let Ok(Some(answer)) = done {
                return Ok(answer);
            }
            if opened.created && done.is_err() {
                self.take_back(&opened).await;
            }
            let _ = opened.handle.close(false).await;
            done?;
        }
        // Somebody keeps removing what is there.
        Err(NtStatus::SHARING_VIOLATION)
    }

    /// Removes what was created for nothing, unless somebody else has found it.
    async fn take_back(&self, opened: &Opened) {
        let modes = &self.request.conn.shared.modes;
        if let Some(_deleting) = modes.seize(self.key(&opened.metadata), opened.handle.link_id()) {
            let _ = opened.handle.remove().await;
        }
    }

    /// Asks the back end; where as much as possible was asked for, again for less.
    async fn open(&self) -> Result<Opened, NtStatus> {
        const DATA: Access = Access(Access::WRITE_DATA.0 | Access::APPEND_DATA.0);
        let caller = Caller { user: self.request.session()?.owner.user.clone() };
        let read = self.wish.intersects(Access::READ_DATA.with(Access::EXECUTE));
        let write = self.wish.intersects(DATA) || self.replaces();
        let result = self.ask(&caller, read, write).await;
        let asked = self.create.desired_access;
        let less = asked.contains(Access::MAXIMUM_ALLOWED) && !asked.mapped().intersects(DATA);
        match result {
            Err(NtStatus::ACCESS_DENIED) if less && write && !self.replaces() => {
                self.ask(&caller, read, false).await
            }
            // What could not be created on a share that nothing is created on.
            Err(NtStatus::OBJECT_NAME_NOT_FOUND)
                if self.create.disposition == CreateDisposition::OPEN_IF && !self.writable() =>
            {
                Err(NtStatus::ACCESS_DENIED)
            }
            result => result,
        }
    }

    /// Asks it once. The consumer of a stream may take its time over whether to take it; nobody waits for that longer than
    /// the client.
    async fn ask(&self, caller: &Caller, read: bool, write: bool) -> Result<Opened, NtStatus> {
        let backend = self.share.backend();
        let opened = backend.open(caller, self.backend_request(read, write)?);
        if !backend.capabilities().stream {
            return opened.await;
        }
        tokio::select! {
            biased;
            opened = opened => opened,
            status = self.request.given_up() => Err(status),
        }
    }

    fn backend_request(&self, read: bool, write: bool) -> Result<OpenRequest<'_>, NtStatus> {
        Ok(OpenRequest {
            path: &self.target.path,
            stream: self.target.stream.as_deref(),
            wanted: fields::wanted(self.create.options, self.target.data)?,
            existing: fields::existing(self.create.disposition, self.writable()),
            read,
            write,
            attributes: fields::attributes(self.create),
            maker: &self.maker,
        })
    }

    /// Fits an open that the back end granted among the file's other opens and into the session's table. `None`: what
    /// was opened is gone.
    async fn admit(&self, opened: &Opened) -> Result<Option<Answer>, NtStatus> {
        let attributes = if opened.created { FileAttributes::NONE } else { opened.metadata.attributes };
        let replaces = self.replaces() && !opened.created;
        let Grant { granted, maximal } = self.grant(opened).await?;
        let granted = access::within_attributes(granted, self.create.desired_access, attributes)?;
        let read_only = attributes.contains(FileAttributes::READONLY);
        if read_only && self.deletes() {
            return Err(NtStatus::CANNOT_DELETE);
        }
        // The most that is allowed may be nothing, or all but to delete.
        if granted == Access::NONE || (self.deletes() && !granted.contains(Access::DELETE)) {
            return Err(NtStatus::ACCESS_DENIED);
        }
        if replaces {
            self.check_replacement(&opened.metadata)?;
        }
        // Replacing a file is writing it, whatever else the open may do.
        let uses = if replaces { granted.with(Access::WRITE_DATA) } else { granted };
        let vacancy = self.request.session()?.opens.vacancy()?;
        let key = self.key(&opened.metadata);
        let modes = &self.request.conn.shared.modes;
        let claim = modes.claim(key, opened.handle.link_id(), uses, self.create.share_access)?;
        let open = Arc::new(self.new_open(opened, granted, claim)?);
        let entered = self.enter(opened, &open, vacancy, replaces).await;
        let Ok(Some(metadata)) = entered else {
            // Whoever wanted the file deleted may have closed it in the meantime, and left that to this open.
            if let Some(claim) = open.take_claim() {
                give_up(&open, claim).await;
            }
            return entered.map(|_| None);
        };
        self.tell(&open, opened.created, replaces);
        let metadata = times::told(&open, metadata);
        let response = CreateResponse {
            // Oplocks and leases are declined: the client does not cache.
            oplock_level: OplockLevel::NONE,
            flags: 0,
            action: self.action(opened.created),
            times: metadata.times,
            allocation_size: metadata.allocation_size,
            end_of_file: metadata.end_of_file,
            file_attributes: info::attributes(&metadata),
            file_id: open.id,
            contexts: self.contexts.answer(maximal, &metadata),
        };
        Ok(Some(Answer::of(&response).on(open.id)))
    }

    /// Makes of what is there what was asked for, and puts the open that keeps it there into the session's table.
    async fn enter(
        &self,
        opened: &Opened,
        open: &Arc<Open>,
        vacancy: Vacancy<'_>,
        replaces: bool,
    ) -> Result<Option<Metadata>, NtStatus> {
        if !opened.handle.has_name().await? {
            return Ok(None);
        }
        let mut metadata = opened.metadata;
        if replaces {
            let attributes = fields::attributes(self.create);
            metadata = opened.handle.overwrite(attributes, &self.contexts.extended).await?;
        }
        if self.contexts.allocation > 0 && (opened.created || replaces) && !metadata.is_directory() {
            opened.handle.reserve(self.contexts.allocation).await?;
            metadata = opened.handle.metadata().await?;
        }
        vacancy.fill(open.clone())?;
        Ok(Some(metadata))
    }

    /// Tells those who watch the directory.
    fn tell(&self, open: &Open, created: bool, replaced: bool) {
        if self.target.stream.is_some() {
            return;
        }
        if created {
            open.tell_created();
        } else if replaced {
            open.tell_modified(NotifyFilter::ATTRIBUTES | NotifyFilter::SIZE | NotifyFilter::LAST_WRITE);
        }
    }

    /// Whether an existing file can be emptied.
    fn check_replacement(&self, metadata: &Metadata) -> Result<(), NtStatus> {
        if metadata.is_directory() {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        let kept = self.target.stream.is_none() && fields::would_reveal(metadata.attributes, self.create);
        if metadata.attributes.contains(FileAttributes::READONLY) || kept {
            return Err(NtStatus::ACCESS_DENIED);
        }
        Ok(())
    }

    fn key(&self, metadata: &Metadata) -> Key {
        let number = |name: &String| {
            let mut hasher = DefaultHasher::new();
            fold(name).hash(&mut hasher);
            hasher.finish().max(Key::MAIN + 1)
        };
        let stream = self.target.stream.as_ref().map_or(Key::MAIN, number);
        Key { stream, ..Key::file(self.share.number(), metadata.key) }
    }

    fn new_open(&self, opened: &Opened, granted: Access, claim: Claim) -> Result<Open, NtStatus> {
        Ok(Open::new(NewOpen {
            id: entropy::random_file_id(),
            tree_id: self.request.tree()?.id,
            share: self.share.clone(),
            granted,
            directory: opened.metadata.is_directory(),
            delete_on_close: self.deletes(),
            mode: fields::mode(self.create.options),
            handle: opened.handle.clone(),
            token: self.request.session()?.token.clone(),
            path: self.target.path.clone(),
            stream: self.target.stream.clone(),
            locker: self.request.conn.shared.byte_locks.owner(claim.key()),
            watches: self.request.conn.shared.watches.clone(),
            claim,
        }))
    }

    fn action(&self, created: bool) -> CreateAction {
        match self.create.disposition {
            _ if created => CreateAction::CREATED,
            CreateDisposition::SUPERSEDE => CreateAction::SUPERSEDED,
            CreateDisposition::OVERWRITE | CreateDisposition::OVERWRITE_IF => CreateAction::OVERWRITTEN,
            _ => CreateAction::OPENED,
        }
    }
}
