//! A share connection: names and what can be done with them.

use crate::{
    api::{Directory, File, Metadata, OpenOptions, Session, path::to_wire},
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
    fscc::{DispositionInformation, FileInformationClass, Information, RenameInformation},
    msg::{
        Access, CloseFlags, CloseRequest, CreateDisposition, CreateOptions, CreateRequest, CtlCode, FileId,
        IoctlRequest, IoctlResponse, SetInfoRequest, ShareFlags, ShareType, TreeConnectFlags,
        TreeConnectRequest, TreeConnectResponse, TreeDisconnectRequest,
        fsctl::validate_negotiate::ValidateNegotiateResponse,
    },
};
use std::sync::Arc;

/// A share. Clones share the connection to it; the last one to go leaves it, in the background.
#[derive(Debug, Clone)]
pub struct Tree {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    session: Session,
    id: u32,
    need: Need,
    response: TreeConnectResponse,
}

impl Tree {
    pub(crate) async fn connect(session: &Session, share: &str) -> Result<Self, Error> {
        if share.is_empty() || share.contains(['/', '\\']) {
            return Err(UsageError::Path("a share's name is one component").into());
        }
        let path = format!("\\\\{}\\{share}", session.server_name());
        let channel = session.channel();
        let request = TreeConnectRequest { flags: TreeConnectFlags::NONE, path };
        // From 3.1.1 on the share's name is protected even where nothing else is ([MS-SMB2] 3.2.4.2.4).
        let sign = channel.agreed().is_some_and(|agreed| agreed.dialect == Dialect::SMB_3_1_1);
        let request = Request::new(&request, 0).needing(Need { sign, seal: false });
        let reply = channel.submit_one(request).await?.answer().await?;
        let response: TreeConnectResponse = reply.parse()?;
        let seal = response.flags.contains(ShareFlags::ENCRYPT_DATA);
        let need = Need { sign: false, seal };
        let inner = Inner { session: session.clone(), id: reply.header.tree_id(), need, response };
        let tree = Self { inner: Arc::new(inner) };
        if seal && channel.security().is_none_or(|security| security.sealer.is_none()) {
            let dialect = channel.agreed().map_or_else(Dialect::default, |agreed| agreed.dialect);
            return Err(UsageError::NoCipher { dialect }.into());
        }
        tree.validate_negotiation().await?;
        Ok(tree)
    }

    /// Makes sure that nobody has tampered with the negotiation — [MS-SMB2] 3.2.5.5. Without a key (guests) nothing
    /// can be made sure of.
    async fn validate_negotiation(&self) -> Result<(), Error> {
        let channel = self.channel();
        let (Some(agreed), Some(security)) = (channel.agreed(), channel.security()) else { return Ok(()) };
        let offer = self.inner.session.offer();
        if !validate::is_needed(offer, agreed) || security.signing.is_none() {
            return Ok(());
        }
        let request = IoctlRequest {
            ctl_code: CtlCode::VALIDATE_NEGOTIATE_INFO,
            file_id: FileId::ANY,
            input: validate::request(offer).to_bytes(),
            max_input_response: 0,
            max_output_response: 24,
            is_fsctl: true,
        };
        let request = self.request(Request::new(&request, self.id()));
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

    /// Its session.
    pub fn session(&self) -> &Session {
        &self.inner.session
    }

    /// Disk, pipe or printer.
    pub fn share_type(&self) -> ShareType {
        self.inner.response.share_type
    }

    /// The most that may be asked for on this share.
    pub fn maximal_access(&self) -> Access {
        self.inner.response.maximal_access
    }

    /// Whether everything on it is sealed, though the session is not.
    pub fn is_sealed(&self) -> bool {
        self.inner.need.seal
    }

    /// Opens an existing file for reading.
    pub async fn open(&self, path: &str) -> Result<File, Error> {
        OpenOptions::read().open(self, path).await
    }

    /// Creates a file for writing, or empties the one that is there.
    pub async fn create(&self, path: &str) -> Result<File, Error> {
        OpenOptions::write().open(self, path).await
    }

    /// Opens a directory to list it.
    pub async fn read_dir(&self, path: &str) -> Result<Directory, Error> {
        Directory::open(self, path, "*").await
    }

    /// Opens a directory to list what matches `pattern` (`*` and `?`).
    pub async fn read_dir_matching(&self, path: &str, pattern: &str) -> Result<Directory, Error> {
        Directory::open(self, path, pattern).await
    }

    /// What is known of a file or directory; one round trip.
    pub async fn metadata(&self, path: &str) -> Result<Metadata, Error> {
        let create = OpenOptions::metadata().request(path)?;
        let replies = self.with_open(&create, |_| Vec::new()).await?;
        let created = replies.first().ok_or_else(|| self.channel().error())?;
        Ok(Metadata::of_create(&created.parse()?))
    }

    /// Creates a directory.
    pub async fn create_dir(&self, path: &str) -> Result<(), Error> {
        let mut create = OpenOptions::metadata().request(path)?;
        create.disposition = CreateDisposition::CREATE;
        create.options = create.options.with(CreateOptions::DIRECTORY_FILE);
        self.with_open(&create, |_| Vec::new()).await.map(drop)
    }

    /// Removes a file.
    pub async fn remove_file(&self, path: &str) -> Result<(), Error> {
        self.remove(path, CreateOptions::NON_DIRECTORY_FILE).await
    }

    /// Removes an empty directory.
    pub async fn remove_dir(&self, path: &str) -> Result<(), Error> {
        self.remove(path, CreateOptions::DIRECTORY_FILE).await
    }

    async fn remove(&self, path: &str, kind: CreateOptions) -> Result<(), Error> {
        let mut create = OpenOptions::metadata().request(path)?;
        if create.name.is_empty() {
            return Err(UsageError::Path("the share's root cannot be removed").into());
        }
        create.desired_access = Access::DELETE | Access::READ_ATTRIBUTES;
        create.options = create.options.with(kind).with(CreateOptions::OPEN_REPARSE_POINT);
        // Unlike FILE_DELETE_ON_CLOSE it fails at once where it cannot be done.
        let delete = DispositionInformation { delete_pending: true };
        self.with_open(&create, |file_id| vec![self.set_info(file_id, &delete)]).await.map(drop)
    }

    /// Renames or moves within the share. `replace` lets it replace a file that is there.
    pub async fn rename(&self, from: &str, to: &str, replace: bool) -> Result<(), Error> {
        let mut create = OpenOptions::metadata().request(from)?;
        let to = to_wire(to)?;
        if create.name.is_empty() || to.is_empty() {
            return Err(UsageError::Path("the share's root cannot be renamed").into());
        }
        create.desired_access = Access::DELETE | Access::READ_ATTRIBUTES;
        create.options = create.options.with(CreateOptions::OPEN_REPARSE_POINT);
        let information = RenameInformation { replace_if_exists: replace, name: to };
        self.with_open(&create, |file_id| vec![self.set_info(file_id, &information)]).await.map(drop)
    }

    pub(crate) fn set_info<I: Information>(&self, file_id: FileId, information: &I) -> Request {
        let mut input = information.to_bytes();
        if I::CLASS == FileInformationClass::RENAME.0 {
            // Servers want at least the C structure, whose size is a multiple of eight.
            input.resize(input.len().max(24), 0);
        }
        let sends = u32::try_from(input.len()).unwrap_or(u32::MAX);
        let (info_type, class) = (I::INFO_TYPE, I::CLASS);
        let set = SetInfoRequest { info_type, class, additional_information: 0, file_id, input };
        self.request(Request::new(&set, self.id()).charged(sends, 0))
    }

    /// CREATE, what `between` says, and CLOSE, as one compound: one round trip. All must succeed; the answers but
    /// CLOSE's are returned.
    pub(crate) async fn with_open(
        &self,
        create: &CreateRequest,
        between: impl FnOnce(FileId) -> Vec<Request>,
    ) -> Result<Vec<Reply>, Error> {
        let create = self.request(Request::new(create, self.id()));
        if self.channel().is_stingy() {
            return self.with_open_in_steps(create, between).await;
        }
        let mut requests = vec![create];
        requests.extend(between(FileId::ANY).into_iter().map(Request::related));
        let close = CloseRequest { flags: CloseFlags::NONE, file_id: FileId::ANY };
        requests.push(self.request(Request::new(&close, self.id())).related());
        let mut replies = Vec::with_capacity(requests.len());
        for waiting in self.channel().submit(requests).await? {
            replies.push(waiting.answer().await?);
        }
        // The first that failed is the one to tell of: those behind it fail with it.
        for reply in &replies {
            reply.accept(&[])?;
        }
        replies.pop();
        Ok(replies)
    }

    /// The same for a server that does not grant the credits for a compound.
    async fn with_open_in_steps(
        &self,
        create: Request,
        between: impl FnOnce(FileId) -> Vec<Request>,
    ) -> Result<Vec<Reply>, Error> {
        let opened = self.channel().submit_one(create).await?.answer().await?;
        let file = File::new(self.clone(), &opened.parse()?);
        let mut replies = vec![opened];
        for request in between(file.id()) {
            let reply = self.channel().submit_one(request).await?.answer().await?;
            reply.accept(&[])?;
            replies.push(reply);
        }
        file.close().await?;
        Ok(replies)
    }

    pub(crate) fn id(&self) -> u32 {
        self.inner.id
    }

    pub(crate) fn need(&self) -> Need {
        self.inner.need
    }

    pub(crate) fn channel(&self) -> &Arc<Channel> {
        self.inner.session.channel()
    }

    /// The request, protected as the share requires.
    pub(crate) fn request(&self, request: Request) -> Request {
        request.needing(self.inner.need)
    }

    /// Leaves the share. Files still open on it are closed by the server.
    pub async fn disconnect(self) -> Result<(), Error> {
        let request = self.request(Request::new(&TreeDisconnectRequest, self.id()));
        self.channel().submit_one(request).await?.answer().await?.accept(&[])
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.session.channel().chore(Chore::LeaveTree { tree_id: self.id, need: self.need });
    }
}
