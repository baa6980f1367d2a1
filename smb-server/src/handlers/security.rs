//! Security descriptors in QUERY_INFO and SET_INFO — [MS-SMB2] 3.3.5.20.3, 3.3.5.21.3.

use crate::{
    backend::{Caller, Existing, FileKey, Maker, OpenRequest, Opened, Path, PlainMaker, Type},
    core::{open::Open, security},
    driver::{Answer, Outcome, Request},
};
use smb_proto::{
    dtyp::{SecurityDescriptor, SecurityInformation},
    msg::{ErrorResponse, FileAttributes, QueryInfoResponse},
    status::NtStatus,
};
use std::sync::Arc;

/// The parts asked for.
pub(super) async fn query(open: &Open, parts: SecurityInformation, limit: usize) -> Outcome {
    open.require_all(parts.needed_to_query())?;
    let kept = open.handle.security().await?;
    let output = security::effective(kept.as_deref(), open.directory).only(parts).to_bytes();
    if output.len() > limit {
        let needed = u32::try_from(output.len()).unwrap_or(u32::MAX).to_le_bytes();
        let error = ErrorResponse { context_count: 0, data: needed.to_vec() };
        return Ok(Answer::with_status(NtStatus::BUFFER_TOO_SMALL, &error).on(open.id));
    }
    Ok(Answer::of(&QueryInfoResponse { output }).on(open.id))
}

/// Sets the parts named.
pub(super) async fn set(open: &Open, parts: SecurityInformation, input: &[u8]) -> Result<(), NtStatus> {
    open.require_all(parts.needed_to_set())?;
    if !open.share.backend().capabilities().security {
        return Err(NtStatus::NOT_SUPPORTED);
    }
    let new = SecurityDescriptor::parse(input).map_err(|_| NtStatus::INVALID_SECURITY_DESCR)?;
    let kept = open.handle.security().await?;
    let mut all = security::effective(kept.as_deref(), open.directory);
    if parts.contains(SecurityInformation::OWNER) && new.owner != all.owner {
        security::check_owner(&open.token, new.owner.as_ref())?;
    }
    all.set(parts, &new);
    open.handle.set_security(&security::kept(all)).await
}

/// A directory, and who may do what there.
pub(super) struct Directory {
    pub(super) key: FileKey,
    /// Which of its names was looked up.
    pub(super) link: u64,
    pub(super) descriptor: SecurityDescriptor,
}

/// The directory at `path`.
pub(super) async fn directory(request: &Request, path: &Path) -> Result<Directory, NtStatus> {
    let opened = named(request, path, Type::Directory).await.map_err(|status| match status {
        NtStatus::OBJECT_NAME_NOT_FOUND | NtStatus::NOT_A_DIRECTORY => NtStatus::OBJECT_PATH_NOT_FOUND,
        other => other,
    })?;
    let descriptor = security::effective(opened.security.as_deref(), true);
    Ok(Directory { key: opened.metadata.key, link: opened.handle.link_id(), descriptor })
}

/// Opens what is at `path`, only to name it.
pub(super) async fn named(request: &Request, path: &Path, wanted: Type) -> Result<Opened, NtStatus> {
    let share = request.disk().ok_or(NtStatus::NETWORK_NAME_DELETED)?;
    let caller = Caller { user: request.session()?.owner.user.clone() };
    let maker: Arc<dyn Maker> = Arc::new(PlainMaker);
    let asked = OpenRequest {
        path,
        stream: None,
        wanted,
        existing: Existing::Required,
        read: false,
        write: false,
        attributes: FileAttributes::NONE,
        maker: &maker,
    };
    share.backend().open(&caller, asked).await
}
