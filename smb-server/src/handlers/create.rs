//! CREATE — [MS-SMB2] 3.3.5.9, [MS-FSA] 2.1.5.1.

use super::info;
use crate::{
    backend::{Caller, Existing, Maker, Metadata, OpenRequest, Opened, PlainMaker, Type},
    core::{
        access,
        open::{NewOpen, Open},
        path,
        share_mode::{Claim, Key},
    },
    driver::{Answer, Outcome, Request},
    entropy,
    share::Share,
};
use smb_proto::{
    msg::{
        Access, CreateAction, CreateContext, CreateDisposition, CreateOptions, CreateRequest, CreateResponse,
        FileAttributes, FileId, ImpersonationLevel, NotifyFilter, OplockLevel, ShareAccess,
        context::create::{MAXIMAL_ACCESS, MaximalAccessResponse, OnDiskId, QUERY_ON_DISK_ID},
    },
    status::NtStatus,
};
use std::sync::Arc;

/// Options that are refused: by file id, by oplock, and FILE_CREATE_TREE_CONNECTION.
const UNSUPPORTED: CreateOptions = CreateOptions(
    CreateOptions::OPEN_BY_FILE_ID.0
        | CreateOptions::RESERVE_OPFILTER.0
        | CreateOptions::OPEN_REQUIRING_OPLOCK.0
        | 0x80,
);
/// Options that have a meaning.
const KNOWN: u32 = 0x00ff_ffff;
/// Attributes that nothing can have: FILE_ATTRIBUTE_DEVICE and the volume label's.
const IMPOSSIBLE: FileAttributes = FileAttributes(0x48);
/// What FileModeInformation tells of the options.
const MODE: u32 = 0x0000_103e;

/// Opens or creates a file or directory.
pub(crate) async fn handle(request: &Request) -> Outcome {
    let create: CreateRequest = request.parse()?;
    // There are no named pipes behind IPC$.
    let share = request.disk().ok_or(NtStatus::OBJECT_NAME_NOT_FOUND)?;
    check_fields(&create)?;
    check_contexts(&create.contexts)?;
    let creation = Creation {
        request,
        share,
        granted: access::grant(create.desired_access, request.tree()?.maximal)?,
        path: path::split(&create.name)?,
        create: &create,
        maker: Arc::new(PlainMaker),
    };
    creation.check()?;
    let (open, action, metadata) = creation.run().await?;
    Ok(Answer::of(&respond(&create, &open, action, &metadata)).on(open.id))
}

fn check_fields(create: &CreateRequest) -> Result<(), NtStatus> {
    let options = create.options;
    if create.impersonation_level > ImpersonationLevel::DELEGATE {
        return Err(NtStatus::BAD_IMPERSONATION_LEVEL);
    }
    let both = CreateOptions::DIRECTORY_FILE.with(CreateOptions::NON_DIRECTORY_FILE);
    let replaces = matches!(
        create.disposition,
        CreateDisposition::SUPERSEDE | CreateDisposition::OVERWRITE | CreateDisposition::OVERWRITE_IF
    );
    if create.disposition > CreateDisposition::OVERWRITE_IF
        || !ShareAccess::ALL.contains(create.share_access)
        || options.0 & !KNOWN != 0
        || create.file_attributes.intersects(IMPOSSIBLE)
        || options.contains(both)
        || (replaces && options.contains(CreateOptions::DIRECTORY_FILE))
    {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    if options.intersects(UNSUPPORTED) { Err(NtStatus::NOT_SUPPORTED) } else { Ok(()) }
}

/// Refuses the contexts that cannot be ignored: a reconnect to an open that there cannot be, an older version of the
/// file, extended attributes.
fn check_contexts(contexts: &[CreateContext]) -> Result<(), NtStatus> {
    for context in contexts {
        match context.name.as_slice() {
            b"DHnC" | b"DH2C" | b"TWrp" => return Err(NtStatus::OBJECT_NAME_NOT_FOUND),
            b"ExtA" if !context.data.is_empty() => return Err(NtStatus::EAS_NOT_SUPPORTED),
            _ => {}
        }
    }
    Ok(())
}

struct Creation<'a> {
    request: &'a Request,
    share: &'a Arc<Share>,
    create: &'a CreateRequest,
    granted: Access,
    path: Vec<String>,
    maker: Arc<dyn Maker>,
}

impl Creation<'_> {
    fn writable(&self) -> bool {
        self.request.tree.as_ref().is_some_and(|tree| tree.writable())
    }

    fn check(&self) -> Result<(), NtStatus> {
        let deletes = self.create.options.contains(CreateOptions::DELETE_ON_CLOSE);
        if deletes && (!self.granted.contains(Access::DELETE) || self.path.is_empty()) {
            return Err(if self.path.is_empty() { NtStatus::CANNOT_DELETE } else { NtStatus::ACCESS_DENIED });
        }
        let creates =
            !matches!(self.create.disposition, CreateDisposition::OPEN | CreateDisposition::OVERWRITE);
        if deletes && creates && self.create.file_attributes.contains(FileAttributes::READONLY) {
            return Err(NtStatus::CANNOT_DELETE);
        }
        let changes =
            !matches!(self.create.disposition, CreateDisposition::OPEN | CreateDisposition::OPEN_IF);
        if changes && !self.writable() {
            return Err(NtStatus::ACCESS_DENIED);
        }
        Ok(())
    }

    async fn run(&self) -> Result<(Arc<Open>, CreateAction, Metadata), NtStatus> {
        let opened = self.open().await?;
        match self.admit(&opened).await {
            Ok(done) => Ok(done),
            Err(status) => {
                let _ = opened.handle.close(false).await;
                Err(status)
            }
        }
    }

    /// Asks the back end; where as much as possible was asked for, again for less.
    async fn open(&self) -> Result<Opened, NtStatus> {
        let backend = self.share.backend();
        let caller = Caller { user: self.request.session()?.owner.user.clone() };
        let read = self.granted.intersects(Access::READ_DATA.with(Access::EXECUTE));
        let write = self.writes();
        let result = backend.open(&caller, self.backend_request(read, write)).await;
        let less = self.create.desired_access.contains(Access::MAXIMUM_ALLOWED) && !self.asked_to_write();
        match result {
            Err(NtStatus::ACCESS_DENIED) if less && write => {
                backend.open(&caller, self.backend_request(read, false)).await
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

    fn writes(&self) -> bool {
        self.granted.intersects(Access::WRITE_DATA.with(Access::APPEND_DATA)) || self.replaces()
    }

    fn asked_to_write(&self) -> bool {
        let asked = self.create.desired_access.mapped();
        asked.intersects(Access::WRITE_DATA.with(Access::APPEND_DATA)) || self.replaces()
    }

    /// Whether an existing file is emptied.
    fn replaces(&self) -> bool {
        matches!(
            self.create.disposition,
            CreateDisposition::SUPERSEDE | CreateDisposition::OVERWRITE | CreateDisposition::OVERWRITE_IF
        )
    }

    fn backend_request(&self, read: bool, write: bool) -> OpenRequest<'_> {
        let options = self.create.options;
        let wanted = if options.contains(CreateOptions::DIRECTORY_FILE) {
            Type::Directory
        } else if options.contains(CreateOptions::NON_DIRECTORY_FILE) {
            Type::File
        } else {
            Type::Any
        };
        let existing = match self.create.disposition {
            CreateDisposition::OPEN | CreateDisposition::OVERWRITE => Existing::Required,
            CreateDisposition::CREATE => Existing::Forbidden,
            CreateDisposition::OPEN_IF if !self.writable() => Existing::Required,
            _ => Existing::Welcome,
        };
        OpenRequest {
            path: &self.path,
            stream: None,
            wanted,
            existing,
            read,
            write,
            attributes: self.attributes(),
            maker: &self.maker,
        }
    }

    /// Attributes of a file that is created or replaced.
    fn attributes(&self) -> FileAttributes {
        const SETTABLE: u32 = FileAttributes::READONLY.0
            | FileAttributes::HIDDEN.0
            | FileAttributes::SYSTEM.0
            | FileAttributes::ARCHIVE.0
            | FileAttributes::TEMPORARY.0
            | FileAttributes::NOT_CONTENT_INDEXED.0;
        let asked = FileAttributes(self.create.file_attributes.0 & SETTABLE);
        if self.create.options.contains(CreateOptions::DIRECTORY_FILE) {
            asked
        } else {
            asked.with(FileAttributes::ARCHIVE)
        }
    }

    /// Fits an open that the back end granted among the file's other opens and into the session's table.
    async fn admit(&self, opened: &Opened) -> Result<(Arc<Open>, CreateAction, Metadata), NtStatus> {
        let metadata = &opened.metadata;
        let attributes = if opened.created { FileAttributes::NONE } else { metadata.attributes };
        let granted = access::within_attributes(self.granted, self.create.desired_access, attributes)?;
        let read_only = attributes.contains(FileAttributes::READONLY);
        if read_only && self.create.options.contains(CreateOptions::DELETE_ON_CLOSE) {
            return Err(NtStatus::CANNOT_DELETE);
        }
        let replaces = self.replaces() && !opened.created;
        if replaces && (metadata.is_directory() || read_only) {
            return Err(if read_only { NtStatus::ACCESS_DENIED } else { NtStatus::INVALID_PARAMETER });
        }
        // Replacing a file is writing it, whatever else the open may do.
        let uses = if replaces { granted.with(Access::WRITE_DATA) } else { granted };
        let key = Key { share: self.share.number(), file: metadata.key };
        let claim = self.request.conn.shared.modes.claim(key, uses, self.create.share_access)?;
        let mut metadata = *metadata;
        if replaces {
            metadata = opened.handle.overwrite(self.attributes(), &[]).await?;
        }
        let open = Arc::new(self.new_open(opened, &metadata, granted, claim)?);
        self.request.session()?.opens.insert(open.clone())?;
        if opened.created {
            open.tell_created();
        } else if replaces {
            open.tell_modified(NotifyFilter::ATTRIBUTES | NotifyFilter::SIZE | NotifyFilter::LAST_WRITE);
        }
        Ok((open, self.action(opened.created), metadata))
    }

    fn new_open(
        &self,
        opened: &Opened,
        metadata: &Metadata,
        granted: Access,
        claim: Claim,
    ) -> Result<Open, NtStatus> {
        Ok(Open::new(NewOpen {
            id: FileId { persistent: entropy::random_id(), volatile: entropy::random_id() },
            tree_id: self.request.tree()?.id,
            share: self.share.clone(),
            maximal: self.request.tree()?.maximal,
            granted,
            directory: metadata.is_directory(),
            delete_on_close: self.create.options.contains(CreateOptions::DELETE_ON_CLOSE),
            mode: self.create.options.0 & MODE,
            handle: opened.handle.clone(),
            path: self.path.clone(),
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

fn respond(create: &CreateRequest, open: &Open, action: CreateAction, metadata: &Metadata) -> CreateResponse {
    CreateResponse {
        // Oplocks and leases are declined: the client does not cache.
        oplock_level: OplockLevel::NONE,
        flags: 0,
        action,
        times: metadata.times,
        allocation_size: metadata.allocation_size,
        end_of_file: metadata.end_of_file,
        file_attributes: info::attributes(metadata),
        file_id: open.id,
        contexts: contexts(create, open, metadata),
    }
}

fn contexts(create: &CreateRequest, open: &Open, metadata: &Metadata) -> Vec<CreateContext> {
    let mut contexts = Vec::new();
    if CreateContext::find(&create.contexts, MAXIMAL_ACCESS).is_some() {
        let access = open.maximal;
        contexts.push(MaximalAccessResponse { status: NtStatus::SUCCESS, access }.context());
    }
    if CreateContext::find(&create.contexts, QUERY_ON_DISK_ID).is_some() {
        let key = metadata.key;
        contexts.push(OnDiskId { file_id: key.file, volume_id: key.volume }.context());
    }
    contexts
}
