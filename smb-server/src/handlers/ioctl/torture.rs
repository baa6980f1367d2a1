//! Private control codes by which smbtorture makes a server behave oddly, so as to test clients and the server's own
//! handling of it. Offered only where the configuration says so.

use super::{answer, buffer};
use crate::driver::{Answer, Outcome, Payload, Request};
use smb_proto::{
    codec::Message,
    msg::{CtlCode, FileId, IoctlRequest, IoctlResponse},
    status::NtStatus,
};
use std::time::Duration;

/// Answers with eight bytes between the fixed part and the output.
const PADDED_ANSWER: CtlCode = CtlCode(0x8384_8013);
/// The same for all READs of the connection from now on.
const PADDED_READS: CtlCode = CtlCode(0x8384_8023);
/// Answers after so many milliseconds as the input's one byte says.
const SLEEP: CtlCode = CtlCode(0x8384_8043);
/// Where InputCount lies in the response.
const INPUT_COUNT: std::ops::Range<usize> = 28..32;

/// The code's answer; `None` for a code that is none of these.
pub(super) async fn handle(request: &Request, ioctl: &IoctlRequest) -> Option<Outcome> {
    if !request.conn.shared.config.torture_fsctl {
        return None;
    }
    Some(match ioctl.ctl_code {
        PADDED_ANSWER if ioctl.input.is_empty() => padded(ioctl),
        PADDED_READS if ioctl.input.is_empty() => {
            request.conn.pad_reads();
            answer(ioctl, ioctl.file_id, Vec::new())
        }
        SLEEP => sleep(request, ioctl).await,
        PADDED_ANSWER | PADDED_READS => Err(NtStatus::INVALID_PARAMETER),
        _ => return None,
    })
}

/// As many eights as are wanted, behind eight bytes that look like input and are not announced.
fn padded(ioctl: &IoctlRequest) -> Outcome {
    let output = vec![8; buffer(ioctl.max_output_response)];
    let ctl_code = ioctl.ctl_code;
    let response = IoctlResponse { ctl_code, file_id: FileId::ANY, input: vec![0; 8], output };
    let mut bytes = Vec::with_capacity(response.wire_len());
    response.emit(&mut bytes);
    bytes.get_mut(INPUT_COUNT).ok_or(NtStatus::INTERNAL_ERROR)?.fill(0);
    Ok(Answer::raw(NtStatus::SUCCESS, Payload::Bytes(bytes)))
}

async fn sleep(request: &Request, ioctl: &IoctlRequest) -> Outcome {
    let open = request.open(ioctl.file_id)?;
    let [milliseconds] = *ioctl.input.as_slice() else { return Err(NtStatus::INVALID_PARAMETER) };
    tokio::time::sleep(Duration::from_millis(milliseconds.into())).await;
    answer(ioctl, open.id, Vec::new())
}
