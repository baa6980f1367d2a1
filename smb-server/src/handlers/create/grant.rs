//! What an open is granted — [MS-FSA] 2.1.5.1.2.1.

use super::{Creation, fields};
use crate::{
    backend::{Opened, Path},
    core::{access::within_descriptor, security},
    driver::Request,
    handlers::security::directory,
};
use smb_proto::{dtyp::Token, msg::Access, status::NtStatus};

/// The rights of an open.
pub(super) struct Grant {
    pub(super) granted: Access,
    /// The most the user could have.
    pub(super) maximal: Access,
}

/// What the directory may allow where the file does not: to delete, where it lets its children be deleted, and to read
/// attributes, where it can be listed.
const BY_DIRECTORY: [(Access, Access); 2] =
    [(Access::DELETE, Access::DELETE_CHILD), (Access::READ_ATTRIBUTES, Access::READ_DATA)];

impl Creation<'_> {
    /// Checks what was asked for against the file's descriptor.
    pub(super) async fn grant(&self, opened: &Opened) -> Result<Grant, NtStatus> {
        let limit = self.request.tree()?.maximal;
        let token = &self.request.session()?.token;
        let directory = opened.metadata.is_directory();
        let descriptor = security::effective(opened.security.as_deref(), directory);
        let mut allowed = descriptor.maximal_access(token);
        let desired = self.create.desired_access;
        if opened.created && self.target.stream.is_none() {
            // Whoever makes a file has what he asked for, whatever its list will say of others.
            return Ok(Grant { granted: self.wish, maximal: Access(allowed.0 & limit.0) });
        }
        // What replacing takes, the file itself must allow.
        if self.replaces() && !allowed.contains(fields::to_replace(self.create.disposition)) {
            return Err(NtStatus::ACCESS_DENIED);
        }
        let children = Access::DELETE.with(Access::READ_ATTRIBUTES);
        let all = desired.contains(Access::MAXIMUM_ALLOWED);
        let needed = if all { desired.mapped().with(children) } else { desired.mapped() };
        if needed.without(allowed).intersects(children) {
            allowed = allowed.with(by_directory(self.request, &self.target.path, token).await?);
        }
        let granted = within_descriptor(desired, allowed, limit).map_err(|_| NtStatus::ACCESS_DENIED)?;
        Ok(Grant { granted, maximal: Access(allowed.0 & limit.0) })
    }
}

/// What the directory of `path` allows with what is in it.
async fn by_directory(request: &Request, path: &Path, token: &Token) -> Result<Access, NtStatus> {
    let Some((_, above)) = path.split_last() else { return Ok(Access::NONE) };
    let theirs = directory(request, above).await?.descriptor.maximal_access(token);
    let allowed = BY_DIRECTORY.iter().filter(|(_, needed)| theirs.contains(*needed));
    Ok(allowed.fold(Access::NONE, |all, (right, _)| all.with(*right)))
}
