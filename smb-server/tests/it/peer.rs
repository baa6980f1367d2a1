//! A client by hand.

use smb_proto::{
    auth::{ClientAuth, ClientConfig, ClientEntropy, ClientStep, Credentials},
    codec::{Body, Message},
    command::Command,
    compound,
    crypto::{
        kdf::SessionKeys,
        preauth::PreauthHash,
        seal::{NonceCounter, SealingKey},
        sign::SigningKey,
    },
    dialect::{Cipher, Dialect, HashAlgorithm, SigningAlgorithm},
    fscc::Information,
    header::{Header, HeaderFlags, Route},
    msg::*,
    status::NtStatus,
    transform::encryption::TRANSFORM_HEADER_LEN,
};
use smb_server::{Builder, Handle, Server, Share};
use smb_transport::{
    Buffers, Halves, IoBuf, Msg, Placement, RecvHalf, SendHalf, Transport,
    memory::{MemoryOptions, pair},
};
use std::{sync::Arc, time::Duration};

pub const USER: &str = "alice";
pub const PASSWORD: &str = "Passw0rd";

/// A server with one share, `data`.
pub fn server(share: Share, change: impl FnOnce(Builder) -> Builder) -> Handle {
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
    change(Server::builder().user(USER, PASSWORD).share(share)).build().unwrap().handle()
}

pub fn memory() -> Share {
    Share::new("data", smb_server::backend::MemoryShare::new())
}

/// A server with a share in memory.
pub fn plain() -> Handle {
    server(memory(), |builder| builder)
}

pub struct Sealer {
    seal: SealingKey,
    open: SealingKey,
    nonces: NonceCounter,
}

pub struct Peer {
    pub sender: Box<dyn SendHalf>,
    pub receiver: Box<dyn RecvHalf>,
    pub buffers: Arc<dyn Buffers>,
    pub placement: Option<Arc<dyn Placement>>,
    pub next: u64,
    pub session: u64,
    pub tree: u32,
    pub key: Option<SigningKey>,
    pub sealer: Option<Sealer>,
    /// Sign what need not be signed.
    pub signs: bool,
    /// Seal everything.
    pub seals: bool,
    pub ask: u16,
    preauth: PreauthHash,
    cipher: Cipher,
    dialect: Dialect,
}

/// A whole answer.
pub struct Reply {
    pub header: Header,
    pub bytes: Vec<u8>,
}

impl Reply {
    pub fn status(&self) -> NtStatus {
        self.header.status().unwrap()
    }

    pub fn body<M: for<'a> Message<'a>>(&self) -> M {
        M::parse(&Body::new(&self.bytes).unwrap()).unwrap()
    }
}

/// Fails a test that hangs.
pub async fn watched<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future).await.expect("the test hangs")
}

impl Peer {
    pub fn connect(server: &Handle) -> Self {
        Self::over(server, MemoryOptions::default())
    }

    pub fn over(server: &Handle, options: MemoryOptions) -> Self {
        let (ours, theirs) = pair(options);
        let server = server.clone();
        tokio::spawn(async move { server.serve(theirs).await });
        Self::on(Box::new(ours))
    }

    pub fn on(transport: Box<dyn Transport>) -> Self {
        let Halves { sender, mut receiver, buffers, placement, .. } = transport.split();
        receiver.set_limit(16 << 20);
        Self {
            sender,
            receiver,
            buffers,
            placement,
            next: 0,
            session: 0,
            tree: 0,
            key: None,
            sealer: None,
            signs: false,
            seals: false,
            ask: 32,
            preauth: PreauthHash::new(),
            cipher: Cipher::NONE,
            dialect: Dialect::SMB_3_1_1,
        }
    }

    /// Logged on and connected to `data`.
    pub async fn ready(server: &Handle) -> Self {
        Self::ready_over(server, MemoryOptions::default()).await
    }

    pub async fn ready_over(server: &Handle, options: MemoryOptions) -> Self {
        let mut peer = Self::over(server, options);
        peer.negotiate().await;
        peer.login(USER, PASSWORD).await.unwrap();
        peer.connect_tree("data").await.unwrap();
        peer
    }

    pub fn header(&mut self, command: Command) -> Header {
        let mut header = Header::request(command, self.next);
        self.next += 1;
        header.credits = self.ask;
        header.credit_charge = 1;
        header.session_id = self.session;
        header.route = Route::tree(self.tree);
        header
    }

    pub async fn raw(&mut self, bytes: &[u8]) {
        let mut head = self.buffers.buffer(bytes.len());
        head.copy_from_slice(bytes);
        self.sender.send(Msg::inline(head)).await.unwrap();
    }

    /// Signs or seals a frame of one message, and sends it.
    pub async fn send_frame(&mut self, mut frame: Vec<u8>, sign: bool) {
        if self.seals {
            let sealer = self.sealer.as_ref().unwrap();
            let mut whole = vec![0; TRANSFORM_HEADER_LEN];
            whole.append(&mut frame);
            let nonce = sealer.nonces.next(sealer.seal.cipher()).unwrap();
            sealer.seal.seal(nonce, self.session, &mut whole).unwrap();
            return self.raw(&whole).await;
        }
        if let Some(key) = self.key.as_ref().filter(|_| sign || self.signs) {
            frame[16] |= HeaderFlags::SIGNED.0 as u8;
            key.sign(&mut frame).unwrap();
        }
        self.raw(&frame).await;
    }

    pub async fn send<'a>(&mut self, message: &impl Message<'a>, charge: u16) -> u64
where {
        let command = command_of(message);
        let mut header = self.header(command);
        header.credit_charge = charge;
        self.next += u64::from(charge.max(1)) - 1;
        let frame = compound::single(&header, message);
        self.send_frame(frame, command == Command::TREE_CONNECT).await;
        header.message_id
    }

    /// The next answer; `None` when the server has closed the connection.
    pub async fn try_recv(&mut self) -> Option<Reply> {
        let received = watched(self.receiver.recv()).await;
        let received =
            received.inspect_err(|error| tracing::debug!(%error, "the peer's receiver")).ok()??;
        let mut message = received.message;
        if message.starts_with(b"\xfdSMB") {
            let range = self.sealer.as_ref().unwrap().open.open(&mut message).unwrap();
            message.narrow(range);
        } else {
            assert!(!self.seals, "an answer in the clear to a sealed request");
        }
        let (header, _) = Header::parse(&message).unwrap();
        if header.flags.contains(HeaderFlags::SIGNED) {
            self.key.as_ref().unwrap().verify(&mut message).unwrap();
        }
        Some(Reply { header, bytes: message.to_vec() })
    }

    /// The next frame as it came.
    pub async fn received(&mut self) -> Vec<u8> {
        watched(self.receiver.recv())
            .await
            .unwrap()
            .expect("the server closed the connection")
            .message
            .to_vec()
    }

    pub async fn recv(&mut self) -> Reply {
        self.try_recv().await.expect("the server closed the connection")
    }

    /// The final answer to a request.
    pub async fn answer(&mut self, message_id: u64) -> Reply {
        loop {
            let reply = self.recv().await;
            assert_eq!(reply.header.message_id, message_id);
            if reply.status() != NtStatus::PENDING {
                return reply;
            }
        }
    }

    pub async fn ask<'a>(&mut self, message: &impl Message<'a>) -> Reply {
        let id = self.send(message, 1).await;
        self.answer(id).await
    }

    pub async fn call<'a, R: for<'b> Message<'b>>(
        &mut self,
        message: &impl Message<'a>,
    ) -> Result<R, NtStatus> {
        let reply = self.ask(message).await;
        if reply.status() == NtStatus::SUCCESS { Ok(reply.body()) } else { Err(reply.status()) }
    }

    pub async fn negotiate(&mut self) -> NegotiateResponse {
        self.negotiate_with(&Dialect::ALL, Capabilities::ENCRYPTION).await.unwrap()
    }

    pub async fn negotiate_with(
        &mut self,
        dialects: &[Dialect],
        capabilities: Capabilities,
    ) -> Result<NegotiateResponse, NtStatus> {
        let request = NegotiateRequest {
            security_mode: SecurityMode::SIGNING_ENABLED,
            capabilities,
            client_guid: [7; 16],
            dialects: dialects.to_vec(),
            contexts: vec![
                NegotiateContext::Preauth { hashes: vec![HashAlgorithm::SHA_512], salt: vec![1; 32] },
                NegotiateContext::Encryption(vec![Cipher::AES_128_GCM]),
                NegotiateContext::Signing(vec![SigningAlgorithm::AES_GMAC]),
            ],
        };
        let header = self.header(Command::NEGOTIATE);
        let frame = compound::single(&header, &request);
        self.preauth.update(&frame);
        self.raw(&frame).await;
        let reply = self.recv().await;
        if reply.status() != NtStatus::SUCCESS {
            return Err(reply.status());
        }
        self.preauth.update(&reply.bytes);
        let response: NegotiateResponse = reply.body();
        self.dialect = response.dialect;
        self.cipher = match response.dialect {
            Dialect::SMB_3_1_1 => Cipher::AES_128_GCM,
            dialect if dialect.is_smb3() => Cipher::AES_128_CCM,
            _ => Cipher::NONE,
        };
        Ok(response)
    }

    pub async fn login(&mut self, user: &str, password: &str) -> Result<SessionSetupResponse, NtStatus> {
        self.login_as(Credentials::password(user, "", password), 0).await
    }

    pub async fn login_as(
        &mut self,
        credentials: Credentials,
        previous: u64,
    ) -> Result<SessionSetupResponse, NtStatus> {
        let mut auth = ClientAuth::new(client_config(credentials));
        let mut token = auth.start(&[]).unwrap();
        let mut preauth = self.preauth.clone();
        loop {
            let request = SessionSetupRequest {
                flags: SessionSetupFlags::NONE,
                security_mode: SecurityMode::SIGNING_ENABLED,
                capabilities: Capabilities::NONE,
                previous_session_id: previous,
                token,
            };
            let header = self.header(Command::SESSION_SETUP);
            let frame = compound::single(&header, &request);
            preauth.update(&frame);
            self.raw(&frame).await;
            let received = watched(self.receiver.recv()).await.unwrap().unwrap().message.to_vec();
            let (header, _) = Header::parse(&received).unwrap();
            let status = header.status().unwrap();
            if status.is_error() && status != NtStatus::MORE_PROCESSING_REQUIRED {
                return Err(status);
            }
            self.session = header.session_id;
            let response = SessionSetupResponse::parse(&Body::new(&received).unwrap()).unwrap();
            if status == NtStatus::MORE_PROCESSING_REQUIRED {
                preauth.update(&received);
                let ClientStep::Send(next) = auth.step(&response.token).unwrap() else { panic!() };
                token = next;
                continue;
            }
            let unproven = response.flags.intersects(SessionFlags::IS_GUEST.with(SessionFlags::IS_NULL));
            if !unproven {
                let ClientStep::Done(key) = auth.step(&response.token).unwrap() else { panic!() };
                self.keys(key.as_bytes(), &preauth);
                self.key.as_ref().unwrap().verify(&mut received.clone()).expect("signed log-on");
            }
            return Ok(response);
        }
    }

    /// Authenticates the session again; its keys stay, and the last answer is signed with them.
    pub async fn login_again(&mut self, credentials: Credentials) -> Result<(), NtStatus> {
        let mut auth = ClientAuth::new(client_config(credentials));
        let mut token = auth.start(&[]).unwrap();
        loop {
            let request = SessionSetupRequest {
                flags: SessionSetupFlags::NONE,
                security_mode: SecurityMode::SIGNING_ENABLED,
                capabilities: Capabilities::NONE,
                previous_session_id: 0,
                token,
            };
            let reply = self.ask(&request).await;
            assert_eq!(reply.header.session_id, self.session);
            if reply.status() == NtStatus::SUCCESS {
                assert!(reply.header.flags.contains(HeaderFlags::SIGNED));
                return Ok(());
            }
            if reply.status() != NtStatus::MORE_PROCESSING_REQUIRED {
                return Err(reply.status());
            }
            let step = auth.step(&reply.body::<SessionSetupResponse>().token);
            let ClientStep::Send(next) = step.unwrap() else { panic!("nothing to send") };
            token = next;
        }
    }

    fn keys(&mut self, key: &[u8], preauth: &PreauthHash) {
        let algorithm = match self.dialect {
            Dialect::SMB_3_1_1 => SigningAlgorithm::AES_GMAC,
            dialect if dialect.is_smb3() => SigningAlgorithm::AES_CMAC,
            _ => SigningAlgorithm::HMAC_SHA256,
        };
        let keys = SessionKeys::derive(self.dialect, key, Some(preauth.value()), self.cipher);
        self.key = Some(SigningKey::new(algorithm, keys.signing.as_bytes()).unwrap());
        self.sealer = keys.cipher.map(|keys| Sealer {
            seal: SealingKey::new(self.cipher, keys.client_to_server.as_bytes()).unwrap(),
            open: SealingKey::new(self.cipher, keys.server_to_client.as_bytes()).unwrap(),
            nonces: NonceCounter::new([0; 4]),
        });
    }

    pub async fn connect_tree(&mut self, share: &str) -> Result<TreeConnectResponse, NtStatus> {
        let path = format!("\\\\server\\{share}");
        let reply = self.ask(&TreeConnectRequest { flags: TreeConnectFlags::NONE, path }).await;
        if reply.status() != NtStatus::SUCCESS {
            return Err(reply.status());
        }
        self.tree = reply.header.tree_id();
        Ok(reply.body())
    }

    pub async fn create(&mut self, request: &CreateRequest) -> Result<CreateResponse, NtStatus> {
        self.call(request).await
    }

    /// A new file, open for everything.
    pub async fn file(&mut self, name: &str) -> FileId {
        let request = create(name, CreateDisposition::OVERWRITE_IF);
        self.create(&request).await.unwrap().file_id
    }

    pub async fn write(&mut self, file_id: FileId, offset: u64, data: &[u8]) -> Result<u32, NtStatus> {
        let id = self.send(&write(file_id, offset, data), charge(data.len())).await;
        let reply = self.answer(id).await;
        if reply.status() != NtStatus::SUCCESS {
            return Err(reply.status());
        }
        Ok(reply.body::<WriteResponse>().count)
    }

    pub async fn read(&mut self, file_id: FileId, offset: u64, length: u32) -> Result<Vec<u8>, NtStatus> {
        let id = self.send(&read(file_id, offset, length), charge(length as usize)).await;
        let reply = self.answer(id).await;
        if reply.status() != NtStatus::SUCCESS {
            return Err(reply.status());
        }
        Ok(ReadResponse::parse(&Body::new(&reply.bytes).unwrap()).unwrap().data.to_vec())
    }

    pub async fn close(&mut self, file_id: FileId) -> Result<CloseResponse, NtStatus> {
        self.call(&CloseRequest { flags: CloseFlags::POSTQUERY_ATTRIB, file_id }).await
    }

    /// Whether the server has ended the connection.
    pub async fn is_dropped(&mut self) -> bool {
        self.try_recv().await.is_none()
    }
}

fn client_config(credentials: Credentials) -> ClientConfig {
    ClientConfig {
        credentials,
        target: "cifs/server".into(),
        workstation: "PEER".into(),
        channel_bindings: None,
        now: 133_000_000_000_000_000,
        entropy: ClientEntropy { challenge: [1; 8], session_key: [2; 16] },
    }
}

fn command_of<'a, M: Message<'a>>(_: &M) -> Command {
    M::COMMAND
}

pub fn charge(len: usize) -> u16 {
    (len.saturating_sub(1) / 65_536 + 1) as u16
}

pub fn create(name: &str, disposition: CreateDisposition) -> CreateRequest {
    CreateRequest {
        oplock_level: OplockLevel::NONE,
        impersonation_level: ImpersonationLevel::IMPERSONATION,
        desired_access: Access::FILE_ALL,
        file_attributes: FileAttributes::NONE,
        share_access: ShareAccess::ALL,
        disposition,
        options: CreateOptions::NONE,
        name: name.into(),
        contexts: Vec::new(),
    }
}

/// A SET_INFO of one class.
pub fn set_info<I: Information>(file_id: FileId, information: &I) -> SetInfoRequest {
    SetInfoRequest {
        info_type: I::INFO_TYPE,
        class: I::CLASS,
        additional_information: 0,
        file_id,
        input: information.to_bytes(),
    }
}

pub async fn set(peer: &mut Peer, file_id: FileId, information: &impl Information) -> Result<(), NtStatus> {
    peer.call::<SetInfoResponse>(&set_info(file_id, information)).await.map(|_| ())
}

pub fn write(file_id: FileId, offset: u64, data: &[u8]) -> WriteRequest<'_> {
    WriteRequest {
        offset,
        file_id,
        channel: Channel::Inline,
        remaining_bytes: 0,
        flags: WriteFlags::NONE,
        data,
    }
}

pub fn read(file_id: FileId, offset: u64, length: u32) -> ReadRequest {
    ReadRequest {
        padding: 0x50,
        flags: ReadFlags::NONE,
        length,
        offset,
        file_id,
        minimum_count: 0,
        channel: Channel::Inline,
        remaining_bytes: 0,
    }
}

/// A buffer with this content.
pub fn filled(buffers: &dyn Buffers, content: &[u8]) -> IoBuf {
    let mut buffer = buffers.buffer(content.len());
    buffer.copy_from_slice(content);
    buffer
}
