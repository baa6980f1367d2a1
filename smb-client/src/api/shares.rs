//! The shares of a server, over the pipe `srvsvc` — [MS-SRVS] 3.1.4.8, [MS-SMB2] 3.2.4.20.4.

use crate::{
    api::{File, OpenOptions, Session},
    error::{Error, UsageError},
};
use smb_proto::{
    command::Command,
    error::PeerViolation,
    msg::{Access, CreateOptions, CtlCode, IoctlResponse},
    rpc::{
        Client as Rpc,
        srvsvc::{INTERFACE, PIPE, ShareEnumRequest, ShareEnumResponse, ShareInfo, ShareLevel, WinError},
    },
    status::NtStatus,
};

/// More shares than any server has.
const MOST: usize = 1 << 16;
/// Bytes of one answer; longer ones are read on.
const ANSWER: u32 = 64 * 1024;

impl Session {
    /// The shares the server tells of: name, kind and comment of each. Hidden ones (`IPC$`, `C$`) are among them where the
    /// server lists them.
    ///
    /// Five round trips, by DCE/RPC over the share `IPC$`; a server without the service refuses to open the pipe.
    pub async fn shares(&self) -> Result<Vec<ShareInfo>, Error> {
        let tree = self.tree("IPC$").await?;
        let access = Access::READ_DATA | Access::WRITE_DATA | Access::READ_ATTRIBUTES | Access::SYNCHRONIZE;
        let open = OpenOptions::metadata().access(access).options(CreateOptions::NON_DIRECTORY_FILE);
        let pipe = open.open(&tree, PIPE).await?;
        let mut rpc = Rpc::new(INTERFACE);
        rpc.bound(&transact(&pipe, rpc.bind()).await?)?;
        let mut shares = Vec::new();
        let mut request = ShareEnumRequest::new(self.server_name(), ShareLevel::NAME_TYPE_COMMENT);
        loop {
            let stub = call(&pipe, &mut rpc, &request).await?;
            let page = ShareEnumResponse::parse(&stub)?;
            let more = page.status == WinError::MORE_DATA && !page.shares.is_empty() && page.resume.is_some();
            if page.status != WinError::SUCCESS && !more {
                return Err(Error::Remote { call: "NetrShareEnum", code: page.status.0 });
            }
            shares.extend(page.shares);
            if shares.len() > MOST {
                let rule = "more shares than any server has";
                return Err(PeerViolation::Response { command: Command::IOCTL, rule }.into());
            }
            if !more {
                break;
            }
            request.resume = page.resume;
        }
        pipe.close().await?;
        tree.disconnect().await?;
        Ok(shares)
    }
}

async fn call(pipe: &File, rpc: &mut Rpc, request: &ShareEnumRequest) -> Result<Vec<u8>, Error> {
    let mut fragments = rpc.request(ShareEnumRequest::OPNUM, &request.to_stub());
    let last = fragments.pop().ok_or(UsageError::Closed)?;
    for fragment in fragments {
        pipe.write_at(0, fragment).await?;
    }
    let mut answer = transact(pipe, last).await?;
    loop {
        if let Some(stub) = rpc.receive(&answer)? {
            return Ok(stub);
        }
        answer = pipe.read_once(0, usize::try_from(ANSWER).unwrap_or(usize::MAX)).await?.to_vec();
        if answer.is_empty() {
            let rule = "the pipe ends in the middle of an answer";
            return Err(PeerViolation::Response { command: Command::READ, rule }.into());
        }
    }
}

/// Writes a message and reads what answers it, or its beginning.
async fn transact(pipe: &File, message: Vec<u8>) -> Result<Vec<u8>, Error> {
    let reply = pipe.fsctl_reply(CtlCode::PIPE_TRANSCEIVE, message, ANSWER).await?;
    reply.accept(&[NtStatus::BUFFER_OVERFLOW])?;
    Ok(reply.parse_any::<IoctlResponse>()?.output)
}
