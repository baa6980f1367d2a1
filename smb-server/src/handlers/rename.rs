//! Renaming and linking — [MS-FSA] 2.1.5.15.6, 2.1.5.15.12.

use super::security::{Directory, directory, named};
use crate::{
    backend::{Handle, Metadata, Type, case::same},
    core::{
        open::Open,
        path,
        share_mode::{Claim, Deleting, Key},
    },
    driver::Request,
};
use smb_proto::{
    fscc::{LinkInformationEx, RenameFlags, RenameInformationEx},
    msg::{Access, FileAttributes, ShareAccess},
    status::NtStatus,
};
use std::sync::Arc;

/// How often what is to be replaced is looked for again because it was replaced by others.
const ATTEMPTS: usize = 16;

/// Where something gets a name.
struct Destination {
    path: Vec<String>,
    /// Held while the name is given: nobody removes the directory meanwhile.
    _directory: Claim,
    /// Nobody opens meanwhile what is replaced.
    replaced: Option<Replaced>,
}

/// A file that gives way. The handle is dropped last: the number that its name is held by is its name's only as long as
/// there is a handle on it.
struct Replaced {
    _deleting: Deleting,
    handle: Arc<dyn Handle>,
}

impl Destination {
    /// Whether something is there to be replaced, and nothing else than that.
    fn replaces(&self) -> bool {
        self.replaced.is_some()
    }
}

/// Why the name cannot be had. Where a file there was to give way, one came that may be open by now.
fn refused(status: NtStatus, replace: bool) -> NtStatus {
    if replace && status == NtStatus::OBJECT_NAME_COLLISION { NtStatus::ACCESS_DENIED } else { status }
}

/// FileRenameInformation.
pub(super) async fn rename(
    request: &Request,
    open: &Open,
    name: &str,
    replace: bool,
) -> Result<(), NtStatus> {
    open.require(Access::DELETE)?;
    if open.delete_pending() {
        return Err(NtStatus::DELETE_PENDING);
    }
    if open.stream().is_some() {
        return rename_stream(open, name, replace).await;
    }
    let to = new_path(name)?;
    let from = open.path();
    if from.is_empty() || to.is_empty() {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    // A directory cannot move into itself.
    let case_sensitive = open.share.backend().capabilities().case_sensitive;
    if open.directory && path::is_below(&to, &from, case_sensitive) {
        return Err(NtStatus::ACCESS_DENIED);
    }
    if is_in_use(request, open, &from) {
        return Err(NtStatus::ACCESS_DENIED);
    }
    let to = destination(request, open, to, replace).await?;
    open.handle.rename(&to.path, to.replaces()).await.map_err(|status| refused(status, replace))?;
    moved(request, open, &from, &to.path);
    open.tell_renamed(&from);
    Ok(())
}

/// FileRenameInformationEx: without POSIX semantics.
pub(super) async fn rename_ex(
    request: &Request,
    open: &Open,
    information: RenameInformationEx,
) -> Result<(), NtStatus> {
    if information.flags.contains(RenameFlags::POSIX_SEMANTICS) {
        return Err(NtStatus::NOT_SUPPORTED);
    }
    let replace = information.flags.contains(RenameFlags::REPLACE_IF_EXISTS);
    rename(request, open, &information.name, replace).await
}

/// FileLinkInformation.
pub(super) async fn link(request: &Request, open: &Open, name: &str, replace: bool) -> Result<(), NtStatus> {
    if !open.share.backend().capabilities().hard_links {
        return Err(NtStatus::NOT_SUPPORTED);
    }
    open.require(Access::WRITE_ATTRIBUTES.with(Access::WRITE_DATA).with(Access::DELETE))?;
    if open.directory || open.stream().is_some() {
        return Err(if open.directory { NtStatus::FILE_IS_A_DIRECTORY } else { NtStatus::INVALID_PARAMETER });
    }
    if open.delete_pending() {
        return Err(NtStatus::ACCESS_DENIED);
    }
    let to = new_path(name)?;
    if to.is_empty() {
        return Err(NtStatus::OBJECT_NAME_INVALID);
    }
    let to = destination(request, open, to, replace).await?;
    open.handle.link(&to.path, to.replaces()).await.map_err(|status| refused(status, replace))
}

/// FileLinkInformationEx: without POSIX semantics.
pub(super) async fn link_ex(
    request: &Request,
    open: &Open,
    information: LinkInformationEx,
) -> Result<(), NtStatus> {
    if information.flags.contains(RenameFlags::POSIX_SEMANTICS) {
        return Err(NtStatus::NOT_SUPPORTED);
    }
    let replace = information.flags.contains(RenameFlags::REPLACE_IF_EXISTS);
    link(request, open, &information.name, replace).await
}

/// Some clients put a separator in front.
fn new_path(name: &str) -> Result<Vec<String>, NtStatus> {
    path::split(name.strip_prefix('\\').unwrap_or(name))
}

/// A stream's new name is that of a stream of the same file: `:name:$DATA`.
async fn rename_stream(open: &Open, name: &str, replace: bool) -> Result<(), NtStatus> {
    let name = name.strip_prefix(':').ok_or(NtStatus::INVALID_PARAMETER)?;
    let (name, kind) = name.split_once(':').unwrap_or((name, "$DATA"));
    if !kind.eq_ignore_ascii_case("$DATA") {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    // The file's own data takes no other name, and no other takes its place.
    if name.is_empty() {
        return Err(NtStatus::NOT_SUPPORTED);
    }
    let name = path::stream_name(name)?;
    open.handle.rename_stream(&name, replace).await?;
    open.set_stream(name);
    Ok(())
}

/// Whether something is open that a rename would pull away: what is in the directory, or a stream of the file.
fn is_in_use(request: &Request, open: &Open, from: &[String]) -> bool {
    let shared = &request.conn.shared;
    if open.key().is_some_and(|key| shared.modes.has_open_streams(key)) {
        return true;
    }
    let case_sensitive = open.share.backend().capabilities().case_sensitive;
    let below = |other: &Open| {
        other.share.number() == open.share.number() && path::is_below(&other.path(), from, case_sensitive)
    };
    open.directory && shared.sessions.all().iter().any(|session| session.opens.any(below))
}

/// Checks whether something may be called `to` — the directory must let files be added, and let it be done now — and
/// whether what is called so gives way.
async fn destination(
    request: &Request,
    open: &Open,
    to: Vec<String>,
    replace: bool,
) -> Result<Destination, NtStatus> {
    let above = to.split_last().map_or(&[][..], |(_, above)| above);
    let Directory { key, link, descriptor } = directory(request, above).await?;
    let adds = if open.directory { Access::APPEND_DATA } else { Access::WRITE_DATA };
    let allowed = descriptor.maximal_access(&open.token);
    if !allowed.contains(adds) {
        return Err(NtStatus::ACCESS_DENIED);
    }
    // As if the directory were opened for it.
    let shared = ShareAccess::READ.with(ShareAccess::WRITE);
    let key = Key::file(open.share.number(), key);
    let claim = request.conn.shared.modes.claim(key, link, adds, shared)?;
    let replaced = match replace {
        true => gives_way(request, open, &to, allowed.contains(Access::DELETE_CHILD)).await?,
        false => None,
    };
    Ok(Destination { path: to, _directory: claim, replaced })
}

/// Takes hold of a file that is called `to` and can be replaced: nobody has it open, and it may be deleted.
async fn gives_way(
    request: &Request,
    open: &Open,
    to: &[String],
    by_directory: bool,
) -> Result<Option<Replaced>, NtStatus> {
    for _ in 0..ATTEMPTS {
        let there = match named(request, to, Type::Any).await {
            Err(NtStatus::OBJECT_NAME_NOT_FOUND) => return Ok(None),
            other => other?,
        };
        let key = Key::file(open.share.number(), there.metadata.key);
        if open.key().is_some_and(|own| own.file == key.file) {
            return Ok(None);
        }
        let descriptor = crate::core::security::effective(there.security.as_deref(), false);
        let deletes = by_directory || descriptor.maximal_access(&open.token).contains(Access::DELETE);
        // Nobody is to be kept from what stays.
        if !deletes || stays(&there.metadata) {
            return Err(NtStatus::ACCESS_DENIED);
        }
        let seized = request.conn.shared.modes.seize(key, there.handle.link_id());
        let held = Replaced { _deleting: seized.ok_or(NtStatus::ACCESS_DENIED)?, handle: there.handle };
        if held.handle.has_name().await? {
            return Ok(Some(held));
        }
    }
    Err(NtStatus::ACCESS_DENIED)
}

/// Whether nothing takes its place, whoever asks — [MS-FSA] 2.1.5.15.12.
fn stays(there: &Metadata) -> bool {
    there.is_directory() || there.attributes.contains(FileAttributes::READONLY)
}

/// All opens of the file by its old name know the new one.
fn moved(request: &Request, open: &Open, from: &[String], to: &[String]) {
    open.set_path(to.to_vec());
    let Some(key) = open.key() else { return };
    let modes = &request.conn.shared.modes;
    if modes.count(key) < 2 {
        return;
    }
    let is = |a: &[String]| a.len() == from.len() && a.iter().zip(from).all(|(a, b)| same(a, b));
    for session in request.conn.shared.sessions.all() {
        session.opens.any(|other| {
            if other.key().is_some_and(|other| other.file == key.file && other.share == key.share)
                && is(&other.path())
            {
                other.set_path(to.to_vec());
            }
            false
        });
    }
}
