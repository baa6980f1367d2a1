//! A share connection on one connection.

use crate::{
    api::session::{Link, Session},
    core::{protect::Need, validate},
    driver::{
        channel::Channel,
        janitor::Chore,
        request::{Reply, Request},
    },
    error::{Error, UsageError},
};
use smb_proto::{
    dialect::Dialect,
    error::PeerViolation,
    fscc::{FileInformationClass, Information},
    msg::{
        CtlCode, FileId, InfoType, IoctlRequest, IoctlResponse, QueryInfoRequest, QueryInfoResponse,
        SetInfoRequest, ShareFlags, TreeConnectFlags, TreeConnectRequest, TreeConnectResponse,
        fsctl::validate_negotiate::ValidateNegotiateResponse,
    },
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// A share connection; left when the last handle to it goes.
#[derive(Debug)]
pub(crate) struct Attached {
    link: Arc<Link>,
    id: u32,
    need: Need,
    pub response: TreeConnectResponse,
    /// The server says that it is gone.
    gone: AtomicBool,
}

impl Attached {
    /// Connects to `share` over a sound connection of `session` — [MS-SMB2] 3.2.4.2.4.
    pub async fn connect(session: &Session, share: &str) -> Result<Arc<Self>, Error> {
        let link = session.live().await?;
        let channel = link.channel();
        let path = format!("\\\\{}\\{share}", session.server_name());
        let request = TreeConnectRequest { flags: TreeConnectFlags::NONE, path };
        // From 3.1.1 on the share's name is protected even where nothing else is.
        let sign = channel.agreed().is_some_and(|agreed| agreed.dialect == Dialect::SMB_3_1_1);
        let request = Request::new(&request, 0).needing(Need { sign, seal: false });
        let reply = channel.submit_one(request).await?.answer().await?;
        let response: TreeConnectResponse = reply.parse()?;
        let seal = response.flags.contains(ShareFlags::ENCRYPT_DATA);
        let (id, need, gone) = (reply.header.tree_id(), Need { sign: false, seal }, AtomicBool::new(false));
        let attached = Self { link, id, need, response, gone };
        let channel = attached.channel();
        if seal && channel.security().is_none_or(|security| security.sealer.is_none()) {
            let dialect = channel.agreed().map_or_else(Dialect::default, |agreed| agreed.dialect);
            return Err(UsageError::NoCipher { dialect }.into());
        }
        attached.validate_negotiation().await?;
        Ok(Arc::new(attached))
    }

    /// Makes sure that nobody has tampered with the negotiation — [MS-SMB2] 3.2.5.5. Without a key (guests) nothing
    /// can be made sure of.
    async fn validate_negotiation(&self) -> Result<(), Error> {
        let channel = self.channel();
        let (Some(agreed), Some(security)) = (channel.agreed(), channel.security()) else { return Ok(()) };
        let offer = &self.link.offer;
        if !validate::is_needed(offer, agreed) || security.signing.is_none() {
            return Ok(());
        }
        let input = validate::request(offer).to_bytes();
        let request = self.fsctl(FileId::ANY, CtlCode::VALIDATE_NEGOTIATE_INFO, input, 24);
        let need = Need { sign: true, ..request.need };
        let reply = channel.submit_one(request.needing(need)).await?.answer().await?;
        let verdict = match reply.accept(&[]) {
            Ok(()) => validate::check(
                agreed,
                &ValidateNegotiateResponse::parse(&reply.parse::<IoctlResponse>()?.output)?,
            ),
            Err(_) if validate::excuses(agreed.dialect, reply.status()) => Ok(()),
            Err(_) => Err(PeerViolation::Downgrade("the server does not confirm the negotiation")),
        };
        verdict.map_err(|violation| {
            channel.end(violation.into());
            violation.into()
        })
    }

    /// The connection it is on.
    pub fn channel(&self) -> &Arc<Channel> {
        self.link.channel()
    }

    pub fn id(&self) -> u32 {
        self.id
    }

    pub fn need(&self) -> Need {
        self.need
    }

    /// Whether it can be used, as far as is known.
    pub fn is_sound(&self) -> bool {
        !self.gone.load(Ordering::Acquire) && self.channel().is_sound()
    }

    /// The server does not know it any more.
    pub fn has_gone(&self) {
        self.gone.store(true, Ordering::Release);
    }

    /// The request, protected as the share requires.
    pub fn request(&self, request: Request) -> Request {
        request.needing(self.need)
    }

    /// Sends one request and waits for its answer, whatever its status.
    pub async fn ask(&self, request: Request) -> Result<Reply, Error> {
        self.channel().submit_one(self.request(request)).await?.answer().await
    }

    /// A QUERY_INFO of one class.
    pub fn query<I: Information>(&self, file_id: FileId, max_output: u32) -> Request {
        self.query_raw(file_id, (I::INFO_TYPE, I::CLASS), 0, max_output)
    }

    /// A QUERY_INFO of at most `max_output` bytes.
    pub fn query_raw(
        &self,
        file_id: FileId,
        (info_type, class): (InfoType, u8),
        additional_information: u32,
        max_output: u32,
    ) -> Request {
        let (flags, input) = (0, Vec::new());
        let query = QueryInfoRequest {
            info_type,
            class,
            output_len: max_output,
            additional_information,
            flags,
            file_id,
            input,
        };
        self.request(Request::new(&query, self.id).charged(0, max_output))
    }

    /// A SET_INFO of one class.
    pub fn set<I: Information>(&self, file_id: FileId, information: &I) -> Request {
        let mut input = information.to_bytes();
        if I::CLASS == FileInformationClass::RENAME.0 {
            // Servers want at least the C structure, whose size is a multiple of eight.
            input.resize(input.len().max(24), 0);
        }
        self.set_raw(file_id, (I::INFO_TYPE, I::CLASS), 0, input)
    }

    /// A SET_INFO of those bytes.
    pub fn set_raw(
        &self,
        file_id: FileId,
        (info_type, class): (InfoType, u8),
        additional_information: u32,
        input: Vec<u8>,
    ) -> Request {
        let sends = u32::try_from(input.len()).unwrap_or(u32::MAX);
        let set = SetInfoRequest { info_type, class, additional_information, file_id, input };
        self.request(Request::new(&set, self.id).charged(sends, 0))
    }

    /// An IOCTL that is a file system control, with at most `max_output` bytes of output.
    pub fn fsctl(&self, file_id: FileId, code: CtlCode, input: Vec<u8>, max_output: u32) -> Request {
        let sends = u32::try_from(input.len()).unwrap_or(u32::MAX);
        let request = IoctlRequest {
            ctl_code: code,
            file_id,
            input,
            max_input_response: 0,
            max_output_response: max_output,
            is_fsctl: true,
        };
        self.request(Request::new(&request, self.id).charged(sends, max_output))
    }
}

/// What a QUERY_INFO brought.
pub(crate) fn queried<I: Information>(reply: &Reply) -> Result<I, Error> {
    Ok(I::parse(&reply.parse::<QueryInfoResponse>()?.output)?)
}

impl Drop for Attached {
    fn drop(&mut self) {
        if self.is_sound() {
            self.channel().chore(Chore::LeaveTree { tree_id: self.id, need: self.need });
        }
    }
}
