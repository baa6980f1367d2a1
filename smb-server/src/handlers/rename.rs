//! Renaming — [MS-FSA] 2.1.5.15.12.

use crate::core::{open::Open, path};
use smb_proto::{
    fscc::{RenameFlags, RenameInformationEx},
    msg::Access,
    status::NtStatus,
};

/// FileRenameInformation.
pub(super) async fn rename(open: &Open, name: &str, replace: bool) -> Result<(), NtStatus> {
    open.require(Access::DELETE)?;
    // Some clients put a separator in front.
    let to = path::split(name.strip_prefix('\\').unwrap_or(name))?;
    let from = open.path();
    if from.is_empty() || to.is_empty() {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    // A directory cannot move into itself.
    if open.directory && to.len() > from.len() && to.starts_with(&from) {
        return Err(NtStatus::ACCESS_DENIED);
    }
    if open.delete_pending() {
        return Err(NtStatus::DELETE_PENDING);
    }
    open.handle.rename(&to, replace).await?;
    open.set_path(to);
    open.tell_renamed(&from);
    Ok(())
}

/// FileRenameInformationEx: without POSIX semantics.
pub(super) async fn rename_ex(open: &Open, information: RenameInformationEx) -> Result<(), NtStatus> {
    if information.flags.contains(RenameFlags::POSIX_SEMANTICS) {
        return Err(NtStatus::NOT_SUPPORTED);
    }
    rename(open, &information.name, information.flags.contains(RenameFlags::REPLACE_IF_EXISTS)).await
}
