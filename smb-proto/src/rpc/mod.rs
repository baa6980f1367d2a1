//! Just enough DCE/RPC — C706, [MS-RPCE] — to list a server's shares with srvsvc, [MS-SRVS], on both sides of the pipe of
//! that name under IPC$.
//!
//! [`Server`] is the whole pipe of a server: bytes written to it in, answers to read out, the shares an argument.
//! [`Client`] makes the messages of a client and understands the answers; [`srvsvc`] has the calls. Little-endian NDR
//! without authentication at this level: the SMB session has done that.
//!
//! ```
//! use smb_proto::rpc::{Client, Server, srvsvc::{self, ShareEnumRequest, ShareEnumResponse, ShareInfo, ShareLevel}};
//!
//! let shares = [ShareInfo::disk("docs", "Documents")];
//! let mut server = Server::new(0x53f0);
//! // What a driver carries by FSCTL_PIPE_TRANSCEIVE, or by WRITE and READ.
//! let mut transceive = |message: &[u8]| {
//!     server.write(message, &shares)?;
//!     Ok::<_, Box<dyn std::error::Error>>(server.read(4280).ok_or("no answer")?.bytes)
//! };
//!
//! let mut client = Client::new(srvsvc::INTERFACE);
//! client.bound(&transceive(&client.bind())?)?;
//! let call = ShareEnumRequest::new("server", ShareLevel::NAME_TYPE_COMMENT);
//! let mut found = None;
//! for fragment in client.request(ShareEnumRequest::OPNUM, &call.to_stub()) {
//!     found = client.receive(&transceive(&fragment)?)?;
//! }
//! let found = ShareEnumResponse::parse(&found.ok_or("more to read")?)?;
//! assert_eq!(found.shares, shares);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod bind;
mod client;
mod ndr;
mod pdu;
mod server;
pub mod srvsvc;

pub use bind::{Bind, BindAck, BindNak, ContextResult, NakReason, PresentationContext, Syntax};
pub use client::{Client, RpcError};
pub use pdu::{Fault, FaultStatus};
pub use pdu::{Pdu, PduBody, PduFlags, PduType, Request, Response};
pub use server::{Answer, PipeBroken, Server};
