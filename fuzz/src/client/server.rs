//! What an honest server answers.

use super::{SIZE, byte};
use smb_proto::{
    auth::{MicPolicy, NtHash, ServerAuth, ServerConfig, ServerStep},
    codec::{Body, Message},
    crypto::{
        kdf::SessionKeys,
        preauth::PreauthHash,
        seal::{NonceCounter, SealingKey},
        sign::{SigningKey, default_algorithm},
    },
    dialect::{Cipher, Dialect, HashAlgorithm, SigningAlgorithm},
    header::{Header, HeaderFlags, Route},
    msg::*,
    status::NtStatus,
};

pub const USER: &str = "alice";
pub const PASSWORD: &str = "secret";
pub const SESSION: u64 = 77;
const FILE: FileId = FileId { persistent: 11, volatile: 22 };

/// The session's keys.
pub struct Keys {
    pub signing: SigningKey,
    /// Opens requests, seals answers.
    pub sealing: Option<(SealingKey, SealingKey, NonceCounter)>,
}

/// An honest server of one client.
pub struct Honest {
    auth: ServerAuth,
    preauth: PreauthHash,
    dialect: Dialect,
    pub keys: Option<Keys>,
}

/// An answer, before it is protected.
pub struct Answer {
    pub header: Header,
    pub body: Vec<u8>,
}

fn emitted<'a>(message: &impl Message<'a>) -> Vec<u8> {
    let mut out = Vec::new();
    message.emit(&mut out);
    out
}

impl Answer {
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.header.emit(0, &mut out);
        out.extend_from_slice(&self.body);
        out
    }

    pub fn failed(request: &Header, status: NtStatus) -> Self {
        Self { header: request.response(status), body: emitted(&ErrorResponse::default()) }
    }
}

impl Honest {
    pub fn new() -> Self {
        let auth = ServerAuth::new(ServerConfig {
            netbios_name: "SERVER".into(),
            netbios_domain: "WORKGROUP".into(),
            dns_name: "server.example".into(),
            dns_domain: "example".into(),
            now: 133_000_000_000_000_000,
            challenge: [3; 8],
            mic: MicPolicy::Required,
        });
        Self { auth, preauth: PreauthHash::new(), dialect: Dialect::SMB_3_1_1, keys: None }
    }

    /// The answer to a request.
    pub fn answer(&mut self, header: &Header, message: &[u8]) -> Answer {
        let body = Body::new(message).expect("our own request");
        let request = Request::parse(header, &body).unwrap_or_else(|error| panic!("{error}: {header:?}"));
        let ok = |body: Vec<u8>| Answer { header: header.response(NtStatus::SUCCESS), body };
        match request {
            Request::Negotiate(request) => self.negotiate(header, message, &request),
            Request::SessionSetup(request) => self.session_setup(header, message, &request),
            Request::TreeConnect(_) => {
                let mut answer = ok(emitted(&TreeConnectResponse {
                    share_type: ShareType::DISK,
                    flags: ShareFlags::NONE,
                    capabilities: ShareCapabilities::NONE,
                    maximal_access: Access::FILE_ALL,
                }));
                answer.header.route = Route::tree(5);
                answer
            }
            Request::Create(_) => ok(emitted(&CreateResponse {
                oplock_level: OplockLevel::NONE,
                flags: 0,
                action: CreateAction::OPENED,
                times: FileTimes::default(),
                allocation_size: SIZE,
                end_of_file: SIZE,
                file_attributes: FileAttributes::NORMAL,
                file_id: FILE,
                contexts: Vec::new(),
            })),
            Request::Read(request) => read(header, &request),
            Request::Write(request) => {
                let count = u32::try_from(request.data.len()).unwrap_or(0);
                ok(emitted(&WriteResponse { count }))
            }
            Request::Echo(_) => ok(emitted(&EchoResponse)),
            Request::Flush(_) => ok(emitted(&FlushResponse)),
            Request::Logoff(_) => ok(emitted(&LogoffResponse)),
            Request::TreeDisconnect(_) => ok(emitted(&TreeDisconnectResponse)),
            Request::SetInfo(_) => ok(emitted(&SetInfoResponse)),
            Request::Close(_) => ok(emitted(&CloseResponse::default())),
            Request::QueryInfo(_) => {
                let mut output = SIZE.to_le_bytes().repeat(2);
                output.extend([1, 0, 0, 0, 0, 0, 0, 0]);
                ok(emitted(&QueryInfoResponse { output }))
            }
            Request::QueryDirectory(_) => Answer::failed(header, NtStatus::NO_MORE_FILES),
            _ => Answer::failed(header, NtStatus::NOT_SUPPORTED),
        }
    }

    fn negotiate(&mut self, header: &Header, message: &[u8], request: &NegotiateRequest) -> Answer {
        self.dialect = request.dialects.last().copied().unwrap_or_default();
        let contexts = vec![
            NegotiateContext::Preauth { hashes: vec![HashAlgorithm::SHA_512], salt: vec![1; 32] },
            NegotiateContext::Encryption(vec![Cipher::AES_128_GCM]),
            NegotiateContext::Signing(vec![SigningAlgorithm::AES_GMAC]),
        ];
        let new = self.dialect == Dialect::SMB_3_1_1;
        let capabilities = match self.dialect {
            Dialect::SMB_2_0_2 => Capabilities::NONE,
            dialect if dialect.is_smb3() => Capabilities::LARGE_MTU.with(Capabilities::ENCRYPTION),
            _ => Capabilities::LARGE_MTU,
        };
        let body = emitted(&NegotiateResponse {
            security_mode: SecurityMode::SIGNING_ENABLED,
            dialect: self.dialect,
            server_guid: [9; 16],
            capabilities,
            max_transact_size: 1 << 17,
            max_read_size: 1 << 17,
            max_write_size: 1 << 17,
            system_time: FileTime::NONE,
            server_start_time: FileTime::NONE,
            token: ServerAuth::initial_token(),
            contexts: if new { contexts } else { Vec::new() },
        });
        self.preauth.update(message);
        Answer { header: header.response(NtStatus::SUCCESS), body }
    }

    /// Takes an answer of the log-on into its hash, as it goes out.
    pub fn hash(&mut self, answer: &Header, bytes: &[u8]) {
        use smb_proto::command::Command;
        let going_on = answer.status() == Some(NtStatus::MORE_PROCESSING_REQUIRED);
        if answer.command == Command::NEGOTIATE || going_on {
            self.preauth.update(bytes);
        }
    }

    fn session_setup(&mut self, header: &Header, message: &[u8], request: &SessionSetupRequest) -> Answer {
        let accounts = |user: &str, _: &str| (user == USER).then(|| NtHash::from_password(PASSWORD));
        self.preauth.update(message);
        let (status, flags, token) = match self.auth.step(&request.token, &accounts) {
            Ok(ServerStep::Continue(token)) => (NtStatus::MORE_PROCESSING_REQUIRED, HeaderFlags::NONE, token),
            Ok(ServerStep::Done(done)) => {
                if let Some(key) = &done.session_key {
                    self.derive(key.as_bytes());
                }
                (NtStatus::SUCCESS, HeaderFlags::SIGNED, done.token)
            }
            Err(error) => return Answer::failed(header, error.status()),
        };
        let body = emitted(&SessionSetupResponse { flags: SessionFlags::NONE, token });
        let mut header = header.response(status);
        header.session_id = SESSION;
        header.flags = header.flags.with(flags);
        Answer { header, body }
    }

    fn derive(&mut self, key: &[u8]) {
        let (cipher, algorithm) = match self.dialect {
            Dialect::SMB_3_1_1 => (Cipher::AES_128_GCM, SigningAlgorithm::AES_GMAC),
            dialect if dialect.is_smb3() => (Cipher::AES_128_CCM, default_algorithm(dialect)),
            dialect => (Cipher::NONE, default_algorithm(dialect)),
        };
        let preauth = (self.dialect == Dialect::SMB_3_1_1).then(|| self.preauth.value());
        let keys = SessionKeys::derive(self.dialect, key, preauth, cipher);
        let sealing = |bytes: &[u8]| SealingKey::new(cipher, bytes).expect("a key");
        self.keys = Some(Keys {
            signing: SigningKey::new(algorithm, keys.signing.as_bytes()).expect("a key"),
            sealing: keys.cipher.as_ref().map(|pair| {
                let (open, seal) = (pair.client_to_server.as_bytes(), pair.server_to_client.as_bytes());
                (sealing(open), sealing(seal), NonceCounter::new([0; 4]))
            }),
        });
    }
}

fn read(header: &Header, request: &ReadRequest) -> Answer {
    let end = request.offset.saturating_add(request.length.into()).min(SIZE);
    if request.offset >= end {
        return Answer::failed(header, NtStatus::END_OF_FILE);
    }
    let data: Vec<u8> = (request.offset..end).map(byte).collect();
    let body = emitted(&ReadResponse { data: &data, remaining: 0, flags: 0 });
    Answer { header: header.response(NtStatus::SUCCESS), body }
}
