//! IOCTL — [MS-SMB2] 3.3.5.15.

mod copy;
mod interfaces;
mod ranges;
mod torture;

use super::pipe;
use crate::{
    core::negotiate::best_dialect,
    driver::{Answer, Outcome, Request},
};
use smb_proto::{
    dialect::Dialect,
    error::PeerViolation,
    msg::{
        Access, CtlCode, FileId, IoctlRequest, IoctlResponse,
        fsctl::{
            stream_commit::StreamCommit,
            validate_negotiate::{ValidateNegotiateRequest, ValidateNegotiateResponse},
        },
    },
    status::NtStatus,
};

/// Does what the control code says.
pub(crate) async fn handle(request: &Request) -> Outcome {
    let ioctl: IoctlRequest = request.parse()?;
    if !ioctl.is_fsctl {
        return Err(NtStatus::NOT_SUPPORTED);
    }
    let max_transact = request.conn.agreed()?.max_transact;
    let sizes = [
        u32::try_from(ioctl.input.len()).ok(),
        Some(ioctl.max_output_response),
        Some(ioctl.max_input_response),
    ];
    if sizes.iter().any(|size| size.is_none_or(|size| size > max_transact)) {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    let expected = ioctl.max_input_response.max(ioctl.max_output_response);
    request.covers(ioctl.input.len(), expected)?;
    match ioctl.ctl_code {
        CtlCode::VALIDATE_NEGOTIATE_INFO => validate_negotiate(request, &ioctl),
        CtlCode::STREAM_COMMIT => stream_commit(request, &ioctl).await,
        CtlCode::SRV_REQUEST_RESUME_KEY => copy::resume_key(request, &ioctl),
        CtlCode::SRV_COPYCHUNK => copy::chunks(request, &ioctl, false).await,
        CtlCode::SRV_COPYCHUNK_WRITE => copy::chunks(request, &ioctl, true).await,
        CtlCode::DUPLICATE_EXTENTS_TO_FILE => copy::duplicate(request, &ioctl, false).await,
        CtlCode::DUPLICATE_EXTENTS_TO_FILE_EX => copy::duplicate(request, &ioctl, true).await,
        CtlCode::SET_SPARSE => ranges::set_sparse(request, &ioctl).await,
        CtlCode::SET_ZERO_DATA => ranges::zero(request, &ioctl).await,
        CtlCode::QUERY_ALLOCATED_RANGES => ranges::allocated(request, &ioctl).await,
        CtlCode::FILE_LEVEL_TRIM => ranges::trim(request, &ioctl).await,
        CtlCode::GET_COMPRESSION => ranges::get_compression(request, &ioctl),
        CtlCode::SET_COMPRESSION => ranges::set_compression(request, &ioctl),
        CtlCode::QUERY_NETWORK_INTERFACE_INFO => interfaces::query(request, &ioctl),
        CtlCode::CREATE_OR_GET_OBJECT_ID => object_id(request, &ioctl).await,
        // There is no DFS here.
        CtlCode::DFS_GET_REFERRALS => Err(NtStatus::NOT_FOUND),
        CtlCode::PIPE_WAIT => pipe::wait(request, &ioctl),
        CtlCode::PIPE_PEEK => pipe::peek(request, &ioctl),
        CtlCode::PIPE_TRANSCEIVE => pipe::transceive(request, &ioctl),
        _ => match torture::handle(request, &ioctl).await {
            Some(outcome) => outcome,
            None => on_file(request, &ioctl),
        },
    }
}

pub(super) fn buffer(bytes: u32) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

pub(super) fn answer(ioctl: &IoctlRequest, file_id: FileId, output: Vec<u8>) -> Outcome {
    answer_with(NtStatus::SUCCESS, ioctl, file_id, output)
}

/// An answer with output, whatever came of it.
pub(super) fn answer_with(
    status: NtStatus,
    ioctl: &IoctlRequest,
    file_id: FileId,
    output: Vec<u8>,
) -> Outcome {
    if output.len() > buffer(ioctl.max_output_response) {
        return Err(NtStatus::BUFFER_TOO_SMALL);
    }
    let response = IoctlResponse { ctl_code: ioctl.ctl_code, file_id, input: Vec::new(), output };
    Ok(Answer::with_status(status, &response).on(file_id))
}

/// Codes that mean a file and that nothing here can do: the file is looked up first.
fn on_file(request: &Request, ioctl: &IoctlRequest) -> Outcome {
    request.open(ioctl.file_id)?;
    Err(NtStatus::INVALID_DEVICE_REQUEST)
}

/// The file's object id, FILE_OBJECTID_BUFFER of type 1 — [MS-FSCC] 2.1.3.1: made of what identifies the file.
async fn object_id(request: &Request, ioctl: &IoctlRequest) -> Outcome {
    let open = request.open(ioctl.file_id)?;
    let key = open.handle.metadata().await?.key;
    let id = [key.volume.to_le_bytes(), key.file.to_le_bytes()].concat();
    let birth_volume = [key.volume.to_le_bytes(), [0; 8]].concat();
    const DOMAIN: [u8; 16] = [0; 16];
    answer(ioctl, open.id, [id.as_slice(), &birth_volume, &id, &DOMAIN].concat())
}

/// Compares what the client believes to have negotiated, now that it can sign — [MS-SMB2] 3.3.5.15.12. Whoever differs
/// was lied to on the way: the connection ends without an answer.
fn validate_negotiate(request: &Request, ioctl: &IoctlRequest) -> Outcome {
    let conn = &request.conn;
    let agreed = conn.agreed()?;
    let tampered = |what| {
        conn.violated(PeerViolation::Downgrade(what));
        NtStatus::ACCESS_DENIED
    };
    if agreed.dialect == Dialect::SMB_3_1_1 {
        return Err(tampered("VALIDATE_NEGOTIATE_INFO at 3.1.1"));
    }
    let claim = ValidateNegotiateRequest::parse(&ioctl.input).map_err(|_| tampered("unreadable"))?;
    if claim.client_guid != agreed.client_guid {
        return Err(tampered("ClientGuid"));
    }
    if claim.capabilities != agreed.client_capabilities {
        return Err(tampered("Capabilities"));
    }
    if claim.security_mode != agreed.client_security_mode {
        return Err(tampered("SecurityMode"));
    }
    if best_dialect(&conn.shared.config, &claim.dialects) != Some(agreed.dialect) {
        return Err(tampered("Dialects"));
    }
    let response = ValidateNegotiateResponse {
        capabilities: agreed.capabilities,
        server_guid: conn.shared.config.guid,
        security_mode: agreed.security_mode,
        dialect: agreed.dialect,
    };
    answer(ioctl, ioctl.file_id, response.to_bytes())
}

/// Tells a stream what it must have been when FLUSH commits it.
async fn stream_commit(request: &Request, ioctl: &IoctlRequest) -> Outcome {
    let open = request.open(ioctl.file_id)?;
    open.require(Access::WRITE_DATA)?;
    let commit = StreamCommit::parse(&ioctl.input).map_err(|_| NtStatus::INVALID_PARAMETER)?;
    open.handle.expect(commit).await?;
    answer(ioctl, open.id, Vec::new())
}
