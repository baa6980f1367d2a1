//! The contexts of a CREATE — [MS-SMB2] 3.3.5.9.1 to 3.3.5.9.13.

use super::super::extended;
use crate::backend::Metadata;
use smb_proto::{
    dtyp::SecurityDescriptor,
    fscc::ea::ExtendedAttribute,
    msg::{
        Access, CreateContext,
        context::create::{MAXIMAL_ACCESS, MaximalAccessResponse, OnDiskId, QUERY_ON_DISK_ID},
    },
    status::NtStatus,
};

/// What the contexts of a request ask for.
#[derive(Debug, Default)]
pub(super) struct Contexts {
    /// SMB2_CREATE_EA_BUFFER.
    pub(super) extended: Vec<ExtendedAttribute>,
    /// SMB2_CREATE_SD_BUFFER.
    pub(super) security: Option<SecurityDescriptor>,
    /// SMB2_CREATE_ALLOCATION_SIZE.
    pub(super) allocation: u64,
    maximal: bool,
    on_disk: bool,
}

impl Contexts {
    /// Reads them. Refuses those that cannot be ignored: a reconnect to an open that there cannot be, an older version of
    /// the file.
    pub(super) fn read(contexts: &[CreateContext]) -> Result<Self, NtStatus> {
        let mut asked = Self::default();
        for CreateContext { name, data } in contexts {
            if name.len() < 4 {
                return Err(NtStatus::INVALID_PARAMETER);
            }
            match name.as_slice() {
                b"DHnC" | b"DH2C" => return Err(NtStatus::OBJECT_NAME_NOT_FOUND),
                // No snapshots are taken: only "now" is there.
                b"TWrp" if number(data)? != 0 => return Err(NtStatus::OBJECT_NAME_NOT_FOUND),
                b"ExtA" => asked.extended = extended::parse(data)?,
                b"SecD" => {
                    let descriptor = SecurityDescriptor::parse(data);
                    asked.security = Some(descriptor.map_err(|_| NtStatus::INVALID_SECURITY_DESCR)?);
                }
                b"AlSi" => asked.allocation = number(data)?,
                MAXIMAL_ACCESS => asked.maximal = true,
                QUERY_ON_DISK_ID => asked.on_disk = true,
                _ => {}
            }
        }
        Ok(asked)
    }

    /// Those of the answer.
    pub(super) fn answer(&self, maximal: Access, metadata: &Metadata) -> Vec<CreateContext> {
        let mut contexts = Vec::new();
        if self.maximal {
            contexts.push(MaximalAccessResponse { status: NtStatus::SUCCESS, access: maximal }.context());
        }
        if self.on_disk {
            let key = metadata.key;
            contexts.push(OnDiskId { file_id: key.file, volume_id: key.volume }.context());
        }
        contexts
    }
}

fn number(data: &[u8]) -> Result<u64, NtStatus> {
    data.try_into().map(u64::from_le_bytes).map_err(|_| NtStatus::INVALID_PARAMETER)
}
