//! The fields of a CREATE, and what they mean — [MS-SMB2] 2.2.13, [MS-FSA] 2.1.5.1.

use crate::backend::{Existing, Type};
use smb_proto::{
    msg::{
        Access, CreateDisposition, CreateOptions, CreateRequest, FileAttributes, ImpersonationLevel,
        ShareAccess,
    },
    status::NtStatus,
};

/// Options that are refused: by file id, for an oplock to come, and FILE_CREATE_TREE_CONNECTION.
const UNSUPPORTED: CreateOptions =
    CreateOptions(CreateOptions::OPEN_BY_FILE_ID.0 | CreateOptions::RESERVE_OPFILTER.0 | 0x80);
/// Options that have a meaning.
const KNOWN: u32 = 0x00ff_ffff;
/// Attributes that nothing can have: FILE_ATTRIBUTE_DEVICE, the volume label's, and those that have no name.
const IMPOSSIBLE: FileAttributes = FileAttributes(0xffff_8048);
/// What FileModeInformation tells of the options.
const MODE: u32 = 0x0000_103e;

/// Refuses what is not a request.
pub(super) fn check(create: &CreateRequest) -> Result<(), NtStatus> {
    let options = create.options;
    if create.impersonation_level > ImpersonationLevel::DELEGATE {
        return Err(NtStatus::BAD_IMPERSONATION_LEVEL);
    }
    let both = CreateOptions::DIRECTORY_FILE.with(CreateOptions::NON_DIRECTORY_FILE);
    if create.disposition > CreateDisposition::OVERWRITE_IF
        || !ShareAccess::ALL.contains(create.share_access)
        || options.0 & !KNOWN != 0
        || create.file_attributes.intersects(IMPOSSIBLE)
        || options.contains(both)
        || (replaces(create.disposition) && options.contains(CreateOptions::DIRECTORY_FILE))
    {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    if options.intersects(UNSUPPORTED) { Err(NtStatus::NOT_SUPPORTED) } else { Ok(()) }
}

/// Whether an existing file is emptied.
pub(super) fn replaces(disposition: CreateDisposition) -> bool {
    matches!(
        disposition,
        CreateDisposition::SUPERSEDE | CreateDisposition::OVERWRITE | CreateDisposition::OVERWRITE_IF
    )
}

/// What replacing an existing file takes beside what is asked for — [MS-FSA] 2.1.5.1.2.
pub(super) fn to_replace(disposition: CreateDisposition) -> Access {
    match disposition {
        CreateDisposition::SUPERSEDE => Access::DELETE,
        CreateDisposition::OVERWRITE | CreateDisposition::OVERWRITE_IF => Access::WRITE_DATA,
        _ => Access::NONE,
    }
}

/// File or directory. `data` says that the name is a file's data.
pub(super) fn wanted(options: CreateOptions, data: bool) -> Result<Type, NtStatus> {
    match (options.contains(CreateOptions::DIRECTORY_FILE), data) {
        (true, true) => Err(NtStatus::NOT_A_DIRECTORY),
        (true, false) => Ok(Type::Directory),
        _ if data || options.contains(CreateOptions::NON_DIRECTORY_FILE) => Ok(Type::File),
        _ => Ok(Type::Any),
    }
}

/// What may be there already.
pub(super) fn existing(disposition: CreateDisposition, writable: bool) -> Existing {
    match disposition {
        CreateDisposition::OPEN | CreateDisposition::OVERWRITE => Existing::Required,
        CreateDisposition::CREATE => Existing::Forbidden,
        CreateDisposition::OPEN_IF if !writable => Existing::Required,
        _ => Existing::Welcome,
    }
}

/// Attributes of a file that is created or replaced.
pub(super) fn attributes(create: &CreateRequest) -> FileAttributes {
    const SETTABLE: u32 = FileAttributes::READONLY.0
        | FileAttributes::HIDDEN.0
        | FileAttributes::SYSTEM.0
        | FileAttributes::ARCHIVE.0
        | FileAttributes::TEMPORARY.0
        | FileAttributes::NOT_CONTENT_INDEXED.0;
    let asked = FileAttributes(create.file_attributes.0 & SETTABLE);
    if create.options.contains(CreateOptions::DIRECTORY_FILE) {
        asked.without(FileAttributes::TEMPORARY)
    } else {
        asked.with(FileAttributes::ARCHIVE)
    }
}

/// Whether a hidden file or one of the system would cease to be one without that being said — [MS-FSA] 2.1.5.1.2.
pub(super) fn would_reveal(attributes: FileAttributes, create: &CreateRequest) -> bool {
    let kept = FileAttributes::HIDDEN.with(FileAttributes::SYSTEM);
    let had = FileAttributes(attributes.0 & kept.0);
    !create.file_attributes.contains(had)
}

/// The options that FileModeInformation tells.
pub(super) fn mode(options: CreateOptions) -> u32 {
    options.0 & MODE
}
