//! CLOSE — [MS-SMB2] 3.3.5.10.

use super::{info, times};
use crate::{
    backend::Metadata,
    driver::{Answer, Outcome, Request, close_open},
};
use smb_proto::{
    msg::{CloseFlags, CloseRequest, CloseResponse},
    status::NtStatus,
};

/// Ends an open.
pub(crate) async fn handle(request: &Request) -> Outcome {
    let close: CloseRequest = request.parse()?;
    let open = request.open(close.file_id)?;
    let open = request.session()?.opens.remove(open.id).ok_or(NtStatus::FILE_CLOSED)?;
    let wanted = close.flags.contains(CloseFlags::POSTQUERY_ATTRIB);
    times::closing(&open).await;
    let metadata = if wanted { times::metadata(&open).await.ok() } else { None };
    close_open(&open, Some(&request.conn)).await?;
    Ok(Answer::of(&metadata.map_or_else(CloseResponse::default, response)).on(open.id))
}

fn response(metadata: Metadata) -> CloseResponse {
    CloseResponse {
        flags: CloseFlags::POSTQUERY_ATTRIB,
        times: metadata.times,
        allocation_size: metadata.allocation_size,
        end_of_file: metadata.end_of_file,
        file_attributes: info::attributes(&metadata),
    }
}
