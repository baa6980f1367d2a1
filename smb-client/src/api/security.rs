//! Security descriptors — [MS-SMB2] 3.2.4.10, 3.2.4.14; [MS-DTYP] 2.4.6.

use crate::{
    api::{File, OpenOptions, Tree},
    driver::request::Reply,
    error::{Error, UsageError},
};
use smb_proto::{
    dtyp::{SecurityDescriptor, SecurityInformation},
    msg::{CreateOptions, InfoType, QueryInfoResponse},
};

/// The most bytes of a descriptor: two ACLs of 64 KiB each and the rest.
const LARGEST: u32 = 160 * 1024;

impl Tree {
    /// The parts of the security descriptor of the file or directory at `path` that `parts` names. The rights that takes are
    /// asked for; where they are missing, STATUS_ACCESS_DENIED. One round trip.
    pub async fn security(
        &self,
        path: &str,
        parts: SecurityInformation,
    ) -> Result<SecurityDescriptor, Error> {
        let mut create = OpenOptions::metadata().request(path)?;
        create.desired_access = create.desired_access | parts.needed_to_query();
        let replies = self
            .with_open(&create, |at, file_id| {
                vec![at.query_raw(file_id, (InfoType::SECURITY, 0), parts.0, LARGEST)]
            })
            .await?;
        descriptor(replies.get(1).ok_or(UsageError::Closed)?)
    }

    /// Sets those parts; what `parts` does not name stays as it is. Whether what is below a directory inherits it is for the
    /// server to decide. One round trip.
    pub async fn set_security(
        &self,
        path: &str,
        parts: SecurityInformation,
        descriptor: &SecurityDescriptor,
    ) -> Result<(), Error> {
        let mut create = OpenOptions::metadata().request(path)?;
        create.desired_access = create.desired_access | parts.needed_to_set();
        create.options = CreateOptions::NONE;
        let bytes = descriptor.to_bytes();
        self.with_open(&create, |at, file_id| {
            vec![at.set_raw(file_id, (InfoType::SECURITY, 0), parts.0, bytes.clone())]
        })
        .await
        .map(drop)
    }
}

impl File {
    /// As [`Tree::security`]; the file must have been opened with the rights that takes
    /// ([`SecurityInformation::needed_to_query`]).
    pub async fn security(&self, parts: SecurityInformation) -> Result<SecurityDescriptor, Error> {
        let query = self.attached().query_raw(self.id(), (InfoType::SECURITY, 0), parts.0, LARGEST);
        descriptor(&self.ask(query).await?)
    }

    /// As [`Tree::set_security`], with [`SecurityInformation::needed_to_set`].
    pub async fn set_security(
        &self,
        parts: SecurityInformation,
        descriptor: &SecurityDescriptor,
    ) -> Result<(), Error> {
        let bytes = descriptor.to_bytes();
        let set = self.attached().set_raw(self.id(), (InfoType::SECURITY, 0), parts.0, bytes);
        self.ask(set).await?.accept(&[])
    }
}

fn descriptor(reply: &Reply) -> Result<SecurityDescriptor, Error> {
    Ok(SecurityDescriptor::parse(&reply.parse::<QueryInfoResponse>()?.output)?)
}
