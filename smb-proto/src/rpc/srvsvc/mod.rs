//! The server service, as far as it is about listing shares — [MS-SRVS] 2.2.4, 3.1.4.

mod calls;
mod share;

pub use calls::{
    ShareEnumRequest, ShareEnumResponse, ShareGetInfoRequest, ShareGetInfoResponse, WinError, answer,
};
pub use share::{ShareInfo, ShareKind, ShareLevel};

use super::Syntax;

/// The interface: 4b324fc8-1670-01d3-1278-5a47bf6ee188, version 3.0 — [MS-SRVS] 1.9.
pub const INTERFACE: Syntax = Syntax {
    uuid: [0xc8, 0x4f, 0x32, 0x4b, 0x70, 0x16, 0xd3, 0x01, 0x12, 0x78, 0x5a, 0x47, 0xbf, 0x6e, 0xe1, 0x88],
    version: 3,
};

/// The name of the pipe under IPC$.
pub const PIPE: &str = "srvsvc";
