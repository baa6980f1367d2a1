//! LOGOFF — [MS-SMB2] 3.3.5.6.

use crate::driver::{Answer, Outcome, Request, end_session};
use smb_proto::msg::{LogoffRequest, LogoffResponse};

/// Ends the session: its opens are closed as those of a lost client are.
pub(crate) async fn handle(request: &Request) -> Outcome {
    request.parse::<LogoffRequest>()?;
    let session = request.session()?;
    end_session(&request.conn.shared, session).await;
    request.conn.remove_channel(session.id);
    Ok(Answer::of(&LogoffResponse))
}
