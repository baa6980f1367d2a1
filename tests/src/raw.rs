//! A client made by hand: it sends what no client of good faith does.

use crate::{PASSWORD, USER, bounded};
use smb_proto::{
    auth::{ClientAuth, ClientConfig, ClientEntropy, ClientStep, Credentials},
    codec::{Body, Message},
    command::Command,
    compound,
    credit::credit_charge,
    dialect::Dialect,
    header::{Header, Route},
    msg::{
        Access, Capabilities, Channel, CreateDisposition, CreateOptions, CreateRequest, CreateResponse,
        FileAttributes, FileId, ImpersonationLevel, NegotiateRequest, NegotiateResponse, OplockLevel,
        ReadFlags, ReadRequest, ReadResponse, SecurityMode, SessionSetupFlags, SessionSetupRequest,
        SessionSetupResponse, ShareAccess, TreeConnectFlags, TreeConnectRequest, WriteFlags, WriteRequest,
    },
    status::NtStatus,
};
use smb_transport::{Halves, IoBuf, Msg, Transport, TransportError};

/// A connection on which messages are made by hand. Dialect 3.0.2, neither signed nor sealed.
pub struct Raw {
    /// The connection.
    pub halves: Halves,
    /// The next MessageId.
    pub next: u64,
    /// The session, once there is one.
    pub session_id: u64,
    /// The share connection, once there is one.
    pub tree_id: u32,
}

impl Raw {
    /// Nothing said yet.
    pub fn over(transport: impl Transport + 'static) -> Self {
        let mut halves = (Box::new(transport) as Box<dyn Transport>).split();
        halves.receiver.set_limit(usize::MAX);
        Self { halves, next: 0, session_id: 0, tree_id: 0 }
    }

    /// Logged on and on the share.
    pub async fn on_share(transport: impl Transport + 'static, share: &str) -> Self {
        let mut raw = Self::over(transport);
        let token = raw.negotiate().await;
        raw.log_on(&token).await;
        let path = format!("\\\\server\\{share}");
        let request = TreeConnectRequest { flags: TreeConnectFlags::NONE, path };
        let (header, _) = raw.ask(&request, 1).await;
        assert_eq!(header.status(), Some(NtStatus::SUCCESS));
        raw.tree_id = header.tree_id();
        raw
    }

    /// Sends a whole frame as it is.
    pub async fn send(&mut self, frame: &[u8]) -> Result<(), TransportError> {
        self.halves.sender.send(Msg::inline(IoBuf::copied(frame))).await
    }

    /// The next frame.
    pub async fn receive(&mut self) -> Result<Option<IoBuf>, TransportError> {
        let received = bounded("an answer", self.halves.receiver.recv()).await?;
        Ok(received.map(|received| received.message))
    }

    /// Passes over answers until the connection ends.
    pub async fn ends(&mut self) {
        while let Ok(Some(_)) = self.receive().await {}
    }

    /// The header of the next request, which costs `charge` credits.
    pub fn header(&mut self, command: Command, charge: u16) -> Header {
        let mut header = Header::request(command, self.next);
        self.next += u64::from(charge.max(1));
        header.credit_charge = charge;
        header.credits = 256;
        header.session_id = self.session_id;
        header.route = Route::tree(self.tree_id);
        header
    }

    /// The next request, as a frame.
    pub fn frame<'a, M: Message<'a>>(&mut self, message: &M, charge: u16) -> Vec<u8> {
        compound::single(&self.header(M::COMMAND, charge), message)
    }

    /// Sends a request; gives its final answer.
    pub async fn ask<'a, M: Message<'a>>(&mut self, message: &M, charge: u16) -> (Header, IoBuf) {
        let frame = self.frame(message, charge);
        self.send(&frame).await.expect("sent");
        self.answer().await
    }

    /// The next final answer.
    pub async fn answer(&mut self) -> (Header, IoBuf) {
        loop {
            let frame = self.receive().await.expect("no error").expect("no end");
            let (header, _) = Header::parse(&frame).expect("a header");
            if header.status() != Some(NtStatus::PENDING) {
                return (header, frame);
            }
        }
    }

    /// NEGOTIATE; gives the server's token.
    pub async fn negotiate(&mut self) -> Vec<u8> {
        let request = NegotiateRequest {
            security_mode: SecurityMode::SIGNING_ENABLED,
            capabilities: Capabilities::LARGE_MTU,
            client_guid: [7; 16],
            dialects: vec![Dialect::SMB_3_0_2],
            contexts: Vec::new(),
        };
        let (_, answer) = self.ask(&request, 1).await;
        NegotiateResponse::parse(&Body::new(&answer).unwrap()).expect("negotiated").token
    }

    /// SESSION_SETUP to its end.
    pub async fn log_on(&mut self, hint: &[u8]) {
        let mut auth = ClientAuth::new(ClientConfig {
            credentials: Credentials::password(USER, "", PASSWORD),
            target: "cifs/server".into(),
            workstation: String::new(),
            channel_bindings: None,
            now: 133_000_000_000_000_000,
            entropy: ClientEntropy { challenge: [1; 8], session_key: [2; 16] },
        });
        let mut token = auth.start(hint).unwrap();
        loop {
            let request = SessionSetupRequest {
                flags: SessionSetupFlags::NONE,
                security_mode: SecurityMode::SIGNING_ENABLED,
                capabilities: Capabilities::NONE,
                previous_session_id: 0,
                token: std::mem::take(&mut token),
            };
            let (header, answer) = self.ask(&request, 1).await;
            self.session_id = header.session_id;
            match header.status() {
                Some(NtStatus::SUCCESS) => return,
                Some(NtStatus::MORE_PROCESSING_REQUIRED) => {
                    let answer = SessionSetupResponse::parse(&Body::new(&answer).unwrap()).unwrap();
                    let ClientStep::Send(next) = auth.step(&answer.token).unwrap() else { panic!("done") };
                    token = next;
                }
                status => panic!("logging on: {status:?}"),
            }
        }
    }

    /// What creates a file, or opens it.
    pub fn create_request(name: &str) -> CreateRequest {
        CreateRequest {
            oplock_level: OplockLevel::NONE,
            impersonation_level: ImpersonationLevel::IMPERSONATION,
            desired_access: Access::READ_DATA | Access::WRITE_DATA | Access::READ_ATTRIBUTES,
            file_attributes: FileAttributes::NONE,
            share_access: ShareAccess::ALL,
            disposition: CreateDisposition::OPEN_IF,
            options: CreateOptions::NON_DIRECTORY_FILE,
            name: name.into(),
            contexts: Vec::new(),
        }
    }

    /// Creates a file, or opens it.
    pub async fn create(&mut self, name: &str) -> FileId {
        let (_, answer) = self.ask(&Self::create_request(name), 1).await;
        CreateResponse::parse(&Body::new(&answer).unwrap()).expect("created").file_id
    }

    /// What `len` bytes cost.
    pub fn charge(len: usize) -> u16 {
        credit_charge(u32::try_from(len).unwrap(), 0)
    }
}

/// A READ whose data comes in the answer.
pub fn read(file_id: FileId, offset: u64, length: u32) -> ReadRequest {
    ReadRequest {
        padding: ReadResponse::DATA_OFFSET,
        flags: ReadFlags::NONE,
        length,
        offset,
        file_id,
        minimum_count: 0,
        channel: Channel::Inline,
        remaining_bytes: 0,
    }
}

/// A WRITE of the data it carries.
pub fn write(file_id: FileId, offset: u64, data: &[u8]) -> WriteRequest<'_> {
    let (channel, flags) = (Channel::Inline, WriteFlags::NONE);
    WriteRequest { offset, file_id, channel, remaining_bytes: 0, flags, data }
}
