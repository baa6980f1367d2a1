//! FLUSH — [MS-SMB2] 3.3.5.11.

use super::times;
use crate::driver::{Answer, Outcome, Request};
use smb_proto::msg::{Access, FlushRequest, FlushResponse};

/// Makes what was written durable; on a stream, commits it.
pub(crate) async fn handle(request: &Request) -> Outcome {
    let flush: FlushRequest = request.parse()?;
    let open = request.open(flush.file_id)?;
    open.require(Access::WRITE_DATA.with(Access::APPEND_DATA))?;
    open.handle.flush().await?;
    times::settle(&open).await?;
    Ok(Answer::of(&FlushResponse).on(open.id))
}
