//! A server that does what a test tells it to, over an in-memory connection: enough of one to log a client on, and
//! free to lie from then on.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::as_conversions)]

use smb_client::{Client, ClientBuilder, Error, File, Session, Signing};
use smb_proto::{
    auth::{MicPolicy, NtHash, ServerAuth, ServerConfig, ServerStep},
    codec::{Body, Message},
    command::Command,
    compound,
    crypto::{PreauthHash, SessionKeys, SigningKey},
    dialect::{Cipher, Dialect, HashAlgorithm, SigningAlgorithm},
    header::{Header, HeaderFlags, Route},
    msg::*,
    status::NtStatus,
};
use smb_transport::{
    Halves, IoBuf, Msg, RecvHalf, SendHalf, Token, Transport,
    memory::{MemoryOptions, MemoryTransport, pair},
};

pub const FILE: FileId = FileId { persistent: 11, volatile: 22 };
pub const TREE: u32 = 5;
pub const SESSION: u64 = 77;

/// A request as it came.
pub struct Request {
    pub header: Header,
    pub message: IoBuf,
}

impl Request {
    pub fn parse<'a, M: Message<'a>>(&'a self) -> M {
        assert_eq!(self.header.command, M::COMMAND);
        M::parse(&Body::new(&self.message).unwrap()).unwrap()
    }
}

pub struct Fake {
    pub sender: Box<dyn SendHalf>,
    pub receiver: Box<dyn RecvHalf>,
    pub placement: Option<std::sync::Arc<dyn smb_transport::Placement>>,
    /// Signs the answers to signed requests.
    pub key: Option<SigningKey>,
    pub dialect: Dialect,
    pub flags: SessionFlags,
    pub max_size: u32,
    /// Credits granted with each answer; what was asked for where `None`.
    pub grant: Option<u16>,
    /// The session that the client must say it has lost.
    pub previous: Option<u64>,
    /// Of a compound that is being read.
    waiting: std::collections::VecDeque<Request>,
}

/// A client that signs nothing unless it must, and a server for it.
pub fn plain() -> ClientBuilder {
    Client::builder().user("alice", "secret").signing(Signing::Allowed)
}

pub fn fake(options: MemoryOptions) -> (MemoryTransport, Fake) {
    let (client, server) = pair(options);
    let Halves { sender, receiver, placement, .. } = Box::new(server).split();
    let fake = Fake {
        sender,
        receiver,
        placement,
        key: None,
        dialect: Dialect::SMB_3_1_1,
        flags: SessionFlags::NONE,
        max_size: 1 << 20,
        grant: None,
        previous: None,
        waiting: Default::default(),
    };
    (client, fake)
}

/// Logs `client` on to a fake that then runs `script`.
pub async fn with<F, S>(client: ClientBuilder, options: MemoryOptions, script: S) -> Result<Session, Error>
where
    F: Future<Output = ()> + Send + 'static,
    S: FnOnce(Fake) -> F,
{
    let (transport, fake) = fake(options);
    tokio::spawn(script(fake));
    client.connect_over(Box::new(transport), "server").await
}

/// A file of `size` bytes on a server that then runs `script`.
pub async fn file_on<F, S>(size: u64, script: S) -> File
where
    F: Future<Output = ()> + Send + 'static,
    S: FnOnce(Fake) -> F + Send + 'static,
{
    let session = with(plain(), MemoryOptions::plain(), move |mut fake| async move {
        fake.up_to_file(size).await;
        script(fake).await;
    });
    session.await.unwrap().tree("share").await.unwrap().open("file").await.unwrap()
}

impl Fake {
    /// The next request, `None` when the client has gone.
    pub async fn recv(&mut self) -> Option<Request> {
        if let Some(request) = self.waiting.pop_front() {
            return Some(request);
        }
        self.receiver.set_limit(32 << 20);
        let message = self.receiver.recv().await.ok()??.message;
        for range in compound::ranges(&message) {
            let message = IoBuf::copied(&message[range.unwrap()]);
            let (header, _) = Header::parse(&message).unwrap();
            self.waiting.push_back(Request { header, message });
        }
        self.waiting.pop_front()
    }

    /// The next request, which must be of that command.
    pub async fn expect(&mut self, command: Command) -> Request {
        let request = self.recv().await.expect("a request");
        assert_eq!(request.header.command, command);
        request
    }

    /// The header of the answer to `request`.
    pub fn header(&self, request: &Header, status: NtStatus) -> Header {
        let mut header = request.response(status);
        header.credits = self.grant.unwrap_or(request.credits);
        if request.flags.contains(HeaderFlags::SIGNED) {
            header.flags = header.flags | HeaderFlags::SIGNED;
        }
        header
    }

    pub async fn send(&mut self, message: Vec<u8>) {
        // The client may have dropped the connection, as it should after some lies.
        let _ = self.sender.send(Msg::inline(IoBuf::copied(&message))).await;
    }

    /// Signs where the header says so, and sends.
    pub async fn send_signed(&mut self, mut message: Vec<u8>) {
        let (header, _) = Header::parse(&message).unwrap();
        if header.flags.contains(HeaderFlags::SIGNED) {
            self.key.as_ref().unwrap().sign(&mut message).unwrap();
        }
        self.send(message).await;
    }

    pub async fn answer<'a>(&mut self, request: &Header, body: &impl Message<'a>) {
        let header = self.header(request, NtStatus::SUCCESS);
        self.send_signed(compound::single(&header, body)).await;
    }

    pub async fn refuse(&mut self, request: &Header, status: NtStatus) {
        let header = self.header(request, status);
        self.send_signed(compound::single(&header, &ErrorResponse::default())).await;
    }

    /// An interim answer.
    pub async fn pend(&mut self, request: &Header, async_id: u64) {
        let mut header = self.header(request, NtStatus::PENDING);
        header.flags = HeaderFlags::NONE;
        header.route = Route::Async { async_id };
        self.send(compound::single(&header, &ErrorResponse::default())).await;
    }

    pub fn negotiate_response(&self) -> NegotiateResponse {
        let contexts = vec![
            NegotiateContext::Preauth { hashes: vec![HashAlgorithm::SHA_512], salt: vec![1; 32] },
            NegotiateContext::Encryption(vec![Cipher::AES_128_GCM]),
            NegotiateContext::Signing(vec![SigningAlgorithm::AES_GMAC]),
        ];
        NegotiateResponse {
            security_mode: SecurityMode::SIGNING_ENABLED,
            dialect: self.dialect,
            server_guid: [9; 16],
            capabilities: Capabilities::LARGE_MTU,
            max_transact_size: self.max_size,
            max_read_size: self.max_size,
            max_write_size: self.max_size,
            system_time: FileTime::NONE,
            server_start_time: FileTime::NONE,
            token: ServerAuth::initial_token(),
            contexts: if self.dialect == Dialect::SMB_3_1_1 { contexts } else { Vec::new() },
        }
    }

    /// Answers NEGOTIATE; returns the hash of both messages.
    pub async fn negotiate(&mut self) -> PreauthHash {
        let request = self.expect(Command::NEGOTIATE).await;
        let mut preauth = PreauthHash::new();
        preauth.update(&request.message);
        let answer =
            compound::single(&self.header(&request.header, NtStatus::SUCCESS), &self.negotiate_response());
        preauth.update(&answer);
        self.send(answer).await;
        preauth
    }

    /// Lets `alice` in whose password is `secret`. Whether it has.
    pub async fn log_on(&mut self) -> bool {
        let mut preauth = self.negotiate().await;
        let mut auth = ServerAuth::new(ServerConfig {
            netbios_name: "SERVER".into(),
            netbios_domain: "WORKGROUP".into(),
            dns_name: "server.example".into(),
            dns_domain: "example".into(),
            now: 133_000_000_000_000_000,
            challenge: [3; 8],
            mic: MicPolicy::Required,
        });
        let accounts = |user: &str, _: &str| (user == "alice").then(|| NtHash::from_password("secret"));
        loop {
            let request = self.expect(Command::SESSION_SETUP).await;
            preauth.update(&request.message);
            let setup = request.parse::<SessionSetupRequest>();
            if let Some(previous) = self.previous {
                assert_eq!(setup.previous_session_id, previous);
            }
            match auth.step(&setup.token, &accounts) {
                Ok(ServerStep::Continue(token)) => {
                    let mut header = self.header(&request.header, NtStatus::MORE_PROCESSING_REQUIRED);
                    header.session_id = SESSION;
                    let body = SessionSetupResponse { flags: SessionFlags::NONE, token };
                    let answer = compound::single(&header, &body);
                    preauth.update(&answer);
                    self.send(answer).await;
                }
                Ok(ServerStep::Done(done)) => {
                    self.finish(&request, &preauth, &done).await;
                    return true;
                }
                Err(error) => {
                    self.refuse(&request.header, error.status()).await;
                    return false;
                }
            }
        }
    }

    async fn finish(
        &mut self,
        request: &Request,
        preauth: &PreauthHash,
        done: &smb_proto::auth::Authenticated,
    ) {
        let key = done.session_key.as_ref().unwrap();
        let keys =
            SessionKeys::derive(self.dialect, key.as_bytes(), Some(preauth.value()), Cipher::AES_128_GCM);
        let algorithm = match self.dialect {
            Dialect::SMB_3_1_1 => SigningAlgorithm::AES_GMAC,
            dialect => smb_proto::crypto::sign::default_algorithm(dialect),
        };
        self.key = Some(SigningKey::new(algorithm, keys.signing.as_bytes()).unwrap());
        let mut header = self.header(&request.header, NtStatus::SUCCESS);
        header.session_id = SESSION;
        if self.flags == SessionFlags::NONE {
            header.flags = header.flags | HeaderFlags::SIGNED;
        }
        let body = SessionSetupResponse { flags: self.flags, token: done.token.clone() };
        self.send_signed(compound::single(&header, &body)).await;
    }

    /// Lets the client in to any share.
    pub async fn share(&mut self) {
        let request = self.expect(Command::TREE_CONNECT).await;
        let mut header = self.header(&request.header, NtStatus::SUCCESS);
        header.route = Route::tree(TREE);
        let body = TreeConnectResponse {
            share_type: ShareType::DISK,
            flags: ShareFlags::NONE,
            capabilities: ShareCapabilities::NONE,
            maximal_access: Access::FILE_ALL,
        };
        self.send_signed(compound::single(&header, &body)).await;
    }

    /// Opens any file, of that size.
    pub async fn open(&mut self, size: u64) -> Request {
        let request = self.expect(Command::CREATE).await;
        self.answer(&request.header, &created(size)).await;
        request
    }

    /// Logs on, connects and opens.
    pub async fn up_to_file(&mut self, size: u64) {
        assert!(self.log_on().await);
        self.share().await;
        self.open(size).await;
    }

    /// Goes on receiving without a word.
    pub async fn be_silent(&mut self) {
        while self.recv().await.is_some() {}
    }

    /// Answers ECHO and nothing else.
    pub async fn only_echo(&mut self) {
        while let Some(request) = self.recv().await {
            if request.header.command == Command::ECHO {
                self.answer(&request.header, &EchoResponse).await;
            }
        }
    }

    /// Sends with an invalidation.
    pub async fn answer_invalidating<'a>(&mut self, request: &Header, body: &impl Message<'a>, token: u32) {
        let message = compound::single(&self.header(request, NtStatus::SUCCESS), body);
        let mut message = Msg::inline(IoBuf::copied(&message));
        message.invalidate = Some(Token(token));
        self.sender.send(message).await.unwrap();
    }
}

pub fn created(size: u64) -> CreateResponse {
    CreateResponse {
        oplock_level: OplockLevel::NONE,
        flags: 0,
        action: CreateAction::OPENED,
        times: FileTimes::default(),
        allocation_size: size,
        end_of_file: size,
        file_attributes: FileAttributes::NORMAL,
        file_id: FILE,
        contexts: Vec::new(),
    }
}
