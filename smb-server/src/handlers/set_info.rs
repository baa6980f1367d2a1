//! SET_INFO — [MS-SMB2] 3.3.5.21, [MS-FSA] 2.1.5.15.

use super::{extended, pipe, rename, security, times};
use crate::{
    backend::SetMetadata,
    core::open::Open,
    driver::{Answer, Outcome, Request},
};
use smb_proto::{
    fscc::{
        AllocationInformation, BasicInformation, DispositionFlags, DispositionInformation,
        DispositionInformationEx, EndOfFileInformation, FileInformationClass, Information, LinkInformation,
        ModeInformation, PositionInformation, RenameInformation, ValidDataLengthInformation,
    },
    msg::{Access, FileAttributes, InfoType, NotifyFilter, SetInfoRequest, SetInfoResponse},
    status::NtStatus,
};
use std::sync::atomic::Ordering;

/// What FileModeInformation may set.
const SETTABLE_MODE: u32 = 0x0000_003e;

/// Sets what is asked of a file.
pub(crate) async fn handle(request: &Request) -> Outcome {
    let set: SetInfoRequest = request.parse()?;
    let open = request.open(set.file_id)?;
    if set.input.len() > usize::try_from(request.conn.agreed()?.max_transact).unwrap_or(usize::MAX) {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    request.covers(set.input.len(), 0)?;
    match set.info_type {
        InfoType::FILE => file(request, &open, FileInformationClass(set.class), &set.input).await?,
        InfoType::SECURITY => security::set(&open, set.security_information(), &set.input).await?,
        InfoType::FILESYSTEM | InfoType::QUOTA => return Err(NtStatus::NOT_SUPPORTED),
        _ => return Err(NtStatus::INVALID_PARAMETER),
    }
    Ok(Answer::of(&SetInfoResponse).on(open.id))
}

fn parse<T: Information>(input: &[u8]) -> Result<T, NtStatus> {
    T::parse(input).map_err(|_| NtStatus::INFO_LENGTH_MISMATCH)
}

async fn file(
    request: &Request,
    open: &Open,
    class: FileInformationClass,
    input: &[u8],
) -> Result<(), NtStatus> {
    use FileInformationClass as Class;
    match class {
        Class::BASIC => basic(open, parse(input)?).await,
        Class::END_OF_FILE => {
            let EndOfFileInformation { end_of_file } = parse(input)?;
            set_len(open, end_of_file).await
        }
        Class::ALLOCATION => allocation(open, parse(input)?).await,
        Class::RENAME => {
            let RenameInformation { replace_if_exists, name } = parse(input)?;
            rename::rename(request, open, &name, replace_if_exists).await
        }
        // The flags of the Ex form beyond the first byte's replace are of no consequence here.
        Class::RENAME_EX => rename::rename_ex(request, open, parse(input)?).await,
        Class::DISPOSITION => {
            let DispositionInformation { delete_pending } = parse(input)?;
            disposition(open, delete_pending, false).await
        }
        Class::DISPOSITION_EX => disposition_ex(open, parse(input)?).await,
        Class::POSITION => {
            let PositionInformation { current_byte_offset } = parse(input)?;
            open.position.store(current_byte_offset, Ordering::Relaxed);
            Ok(())
        }
        Class::MODE => mode(open, parse(input)?),
        // A pipe is read by messages and never waits, whatever is asked for.
        Class::PIPE if pipe::of(open).is_some() => Ok(()),
        Class::VALID_DATA_LENGTH => {
            parse::<ValidDataLengthInformation>(input).and(Err(NtStatus::PRIVILEGE_NOT_HELD))
        }
        Class::FULL_EA => {
            open.require(Access::WRITE_EA)?;
            if !open.share.backend().capabilities().extended_attributes {
                return Err(NtStatus::EAS_NOT_SUPPORTED);
            }
            open.handle.set_extended_attributes(&extended::parse(input)?).await
        }
        Class::LINK => {
            let LinkInformation { replace_if_exists, name } = parse(input)?;
            rename::link(request, open, &name, replace_if_exists).await
        }
        Class::LINK_EX => rename::link_ex(request, open, parse(input)?).await,
        Class::SHORT_NAME => Err(NtStatus::SHORT_NAMES_NOT_ENABLED_ON_VOLUME),
        _ => Err(NtStatus::INVALID_INFO_CLASS),
    }
}

async fn basic(open: &Open, information: BasicInformation) -> Result<(), NtStatus> {
    open.require(Access::WRITE_ATTRIBUTES)?;
    let BasicInformation { times, attributes } = information;
    let impossible = if open.directory { FileAttributes::TEMPORARY } else { FileAttributes::DIRECTORY };
    if attributes.intersects(impossible) {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    let mut set = times::to_set(times)?;
    // Whatever is set, a write that was kept back shows now.
    times::settle(open).await?;
    let before = times::metadata(open).await?;
    if attributes.0 != 0 {
        set.attributes = Some(attributes.without(FileAttributes::NORMAL).with(kept(before.attributes)));
    }
    if set != SetMetadata::default() {
        open.handle.set_metadata(set).await?;
        open.tell_modified(changes(&set));
    }
    times::were_set(open, times, &set, before.times.last_write);
    Ok(())
}

/// Whom it concerns that these were set.
fn changes(set: &SetMetadata) -> NotifyFilter {
    [
        (set.attributes.is_some(), NotifyFilter::ATTRIBUTES),
        (set.creation.is_some(), NotifyFilter::CREATION),
        (set.last_access.is_some(), NotifyFilter::LAST_ACCESS),
        (set.last_write.is_some(), NotifyFilter::LAST_WRITE),
    ]
    .into_iter()
    .filter(|(is_set, _)| *is_set)
    .fold(NotifyFilter::NONE, |all, (_, filter)| all.with(filter))
}

/// The attributes that are set by other ways only.
fn kept(attributes: FileAttributes) -> FileAttributes {
    let others = FileAttributes::SPARSE_FILE | FileAttributes::COMPRESSED | FileAttributes::REPARSE_POINT;
    FileAttributes(attributes.0 & others.0)
}

async fn set_len(open: &Open, len: u64) -> Result<(), NtStatus> {
    open.require(Access::WRITE_DATA)?;
    if open.directory || len > i64::MAX.cast_unsigned() {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    cut(open, len).await
}

async fn cut(open: &Open, len: u64) -> Result<(), NtStatus> {
    times::writing(open).await?;
    open.handle.set_len(len).await?;
    open.tell_modified(NotifyFilter::SIZE | NotifyFilter::LAST_WRITE);
    // A new size shows at once.
    times::settle(open).await
}

/// An allocation below the size cuts the file; one above it reserves space.
async fn allocation(open: &Open, information: AllocationInformation) -> Result<(), NtStatus> {
    let size = information.allocation_size;
    open.require(Access::WRITE_DATA)?;
    if open.directory || size > i64::MAX.cast_unsigned() {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    let cuts = size < open.handle.metadata().await?.end_of_file;
    if cuts { cut(open, size).await } else { open.handle.reserve(size).await }
}

async fn disposition(open: &Open, delete: bool, even_read_only: bool) -> Result<(), NtStatus> {
    open.require(Access::DELETE)?;
    if delete {
        deletable(open, even_read_only).await?;
    }
    open.set_delete_pending(delete);
    if delete {
        open.tell_doomed();
    }
    Ok(())
}

/// Whether the file may go: not the root, not read-only, not a directory with something in it.
async fn deletable(open: &Open, even_read_only: bool) -> Result<(), NtStatus> {
    let read_only = open.handle.metadata().await?.attributes.contains(FileAttributes::READONLY);
    if open.path().is_empty() || (read_only && !even_read_only) {
        return Err(NtStatus::CANNOT_DELETE);
    }
    if open.directory && !open.handle.is_empty().await? {
        return Err(NtStatus::DIRECTORY_NOT_EMPTY);
    }
    Ok(())
}

async fn disposition_ex(open: &Open, information: DispositionInformationEx) -> Result<(), NtStatus> {
    let flags = information.flags;
    // POSIX semantics and FILE_DISPOSITION_ON_CLOSE are not offered.
    if flags.intersects(DispositionFlags::POSIX_SEMANTICS.with(DispositionFlags::ON_CLOSE)) {
        return Err(NtStatus::NOT_SUPPORTED);
    }
    let even_read_only = flags.contains(DispositionFlags::IGNORE_READONLY_ATTRIBUTE);
    disposition(open, flags.contains(DispositionFlags::DELETE), even_read_only).await
}

fn mode(open: &Open, information: ModeInformation) -> Result<(), NtStatus> {
    if information.mode & !SETTABLE_MODE != 0 {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    let keep = open.mode.load(Ordering::Relaxed) & !SETTABLE_MODE;
    open.mode.store(keep | information.mode, Ordering::Relaxed);
    Ok(())
}
