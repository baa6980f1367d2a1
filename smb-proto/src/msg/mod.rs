//! One file per SMB2 command: request, response, tests — [MS-SMB2] 2.2.

mod any;
pub mod change_notify;
mod channel;
pub mod close;
pub mod context;
pub mod create;
mod empty;
pub mod error;
pub mod error_data;
mod flush;
pub mod fsctl;
pub mod ioctl;
pub mod lock;
pub mod negotiate;
pub mod oplock_break;
pub mod query_directory;
pub mod query_info;
pub mod read;
pub mod server_notification;
pub mod session_setup;
mod set_info;
pub mod smb1;
pub mod tree_connect;
mod types;
pub mod write;

pub use any::{Request, Response};
pub use change_notify::{ChangeNotifyRequest, NotifyFilter};
pub use channel::Channel;
pub use close::{CloseFlags, CloseRequest, CloseResponse};
pub use context::{create::CreateContext, negotiate::NegotiateContext};
pub use create::{
    CreateAction, CreateDisposition, CreateOptions, CreateRequest, CreateResponse, ImpersonationLevel,
    OplockLevel, ShareAccess,
};
pub use empty::{
    CancelRequest, EchoRequest, EchoResponse, FlushResponse, LockResponse, LogoffRequest, LogoffResponse,
    TreeDisconnectRequest, TreeDisconnectResponse,
};
pub use error::ErrorResponse;
pub use flush::FlushRequest;
pub use ioctl::{CtlCode, IoctlRequest, IoctlResponse};
pub use lock::{LockElement, LockFlags, LockRequest, LockSequence};
pub use negotiate::{Capabilities, NegotiateRequest, NegotiateResponse, SecurityMode};
pub use oplock_break::{
    LeaseBreakAck, LeaseBreakNotification, LeaseState, OplockBreak, OplockBreakRequest, OplockBreakResponse,
};
pub use query_directory::{QueryDirectoryFlags, QueryDirectoryRequest};
pub use query_info::{
    ChangeNotifyResponse, InfoType, QueryDirectoryResponse, QueryInfoRequest, QueryInfoResponse,
};
pub use read::{ReadFlags, ReadRequest, ReadResponse};
pub use server_notification::{NotificationType, ServerNotification};
pub use session_setup::{SessionFlags, SessionSetupFlags, SessionSetupRequest, SessionSetupResponse};
pub use set_info::{SetInfoRequest, SetInfoResponse};
pub use smb1::Smb1NegotiateRequest;
pub use tree_connect::{
    ShareCapabilities, ShareFlags, ShareType, TreeConnectFlags, TreeConnectRequest, TreeConnectResponse,
};
pub use types::{Access, FileAttributes, FileId, FileTime, FileTimes};
pub use write::{WriteFlags, WriteRequest, WriteResponse};

#[cfg(test)]
pub(crate) mod testing {
    use super::types::{FileTime, FileTimes};

    pub(crate) fn times([creation, last_access, last_write, change]: [u64; 4]) -> FileTimes {
        FileTimes {
            creation: FileTime(creation),
            last_access: FileTime(last_access),
            last_write: FileTime(last_write),
            change: FileTime(change),
        }
    }
}
