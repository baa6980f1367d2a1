//! TREE_CONNECT and TREE_DISCONNECT — [MS-SMB2] 3.3.5.7, 3.3.5.8.

use crate::{
    core::{access, path, tree::Target},
    driver::{Answer, Outcome, Request, close_open},
};
use smb_proto::{
    command::Command,
    dialect::Dialect,
    error::PeerViolation,
    msg::{
        Access, ShareCapabilities, ShareFlags, ShareType, TreeConnectFlags, TreeConnectRequest,
        TreeConnectResponse, TreeDisconnectRequest, TreeDisconnectResponse,
    },
    status::NtStatus,
};

/// The caching policy SMB2_SHAREFLAG_NO_CACHING: both bits.
const NO_CACHING: ShareFlags = ShareFlags(0x30);

/// Connects to a share.
pub(crate) fn connect(request: &Request) -> Outcome {
    let connect: TreeConnectRequest = request.parse()?;
    let session = request.session()?;
    let proven = !session.owner.unproven();
    if request.conn.agreed()?.dialect == Dialect::SMB_3_1_1 && proven && !request.protected() {
        request.conn.violated(PeerViolation::Unsigned(Command::TREE_CONNECT));
        return Err(NtStatus::ACCESS_DENIED);
    }
    if connect.flags.contains(TreeConnectFlags::EXTENSION_PRESENT) {
        return Err(NtStatus::NOT_SUPPORTED);
    }
    let name = path::share_name(&connect.path).ok_or(NtStatus::BAD_NETWORK_NAME)?;
    let mut hides = false;
    let (share_type, target, maximal) = if name.eq_ignore_ascii_case("IPC$") {
        (ShareType::PIPE, Target::Pipes, access::maximal(true))
    } else {
        let share = request.conn.shared.share(name).ok_or(NtStatus::BAD_NETWORK_NAME)?;
        let maximal = share.access_of(&session.owner).ok_or(NtStatus::ACCESS_DENIED)?;
        hides = share.backend().capabilities().hide_unreadable;
        (ShareType::DISK, Target::Disk(share), maximal)
    };
    let tree = session.trees.connect(target, maximal)?;
    let response = response(share_type, maximal, hides);
    Ok(Answer { tree_id: Some(tree.id), ..Answer::of(&response) })
}

fn response(share_type: ShareType, maximal_access: Access, hides: bool) -> TreeConnectResponse {
    // Without oplocks clients cannot cache; saying so spares them the attempt.
    let flags = if share_type == ShareType::DISK { NO_CACHING } else { ShareFlags::NONE };
    let flags = if hides { flags.with(ShareFlags::ACCESS_BASED_DIRECTORY_ENUM) } else { flags };
    TreeConnectResponse { share_type, flags, capabilities: ShareCapabilities::NONE, maximal_access }
}

/// Leaves a share; what is still open there is closed as a lost client's.
pub(crate) async fn disconnect(request: &Request) -> Outcome {
    request.parse::<TreeDisconnectRequest>()?;
    let session = request.session()?;
    let tree = session.trees.disconnect(request.header.tree_id()).ok_or(NtStatus::NETWORK_NAME_DELETED)?;
    for open in session.opens.remove_tree(tree.id) {
        let _ = close_open(&open, None).await;
    }
    Ok(Answer::of(&TreeDisconnectResponse))
}
