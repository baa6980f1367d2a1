//! FSCTL_QUERY_NETWORK_INTERFACE_INFO — [MS-SMB2] 3.3.5.15.11: where else the server can be reached.

use super::answer;
use crate::{
    core::interfaces,
    driver::{Outcome, Request},
};
use smb_proto::{
    msg::{FileId, IoctlRequest, fsctl::network_interface::NetworkInterface},
    status::NtStatus,
};

/// Lists the addresses.
pub(super) fn query(request: &Request, ioctl: &IoctlRequest) -> Outcome {
    if !request.conn.agreed()?.dialect.is_smb3() {
        return Err(NtStatus::NOT_SUPPORTED);
    }
    if ioctl.file_id != FileId::ANY {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    let nics = smb_transport::nics().map_err(|_| NtStatus::INTERNAL_ERROR)?;
    let list = interfaces::list(&request.conn.shared.config.interfaces, &nics, request.conn.info.local);
    answer(ioctl, ioctl.file_id, NetworkInterface::to_bytes(&list))
}
