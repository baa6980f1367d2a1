//! One connection of a client: sends what the fuzzer chose, and holds every answer against the model.

use super::{
    login::{Agreed, Login, auth},
    model::{Asked, Fate, Model},
};
use crate::source::Source;
use smb_proto::{
    auth::ClientStep,
    codec::{Body, Message},
    command::Command,
    compound,
    crypto::preauth::PreauthHash,
    dialect::Dialect,
    header::{Header, HeaderFlags, Route},
    msg::*,
    status::NtStatus,
    transform::encryption::{TRANSFORM_HEADER_LEN, TransformHeader},
};
use smb_server::Handle;
use smb_transport::{
    Halves, IoBuf, Msg, RecvHalf, SendHalf, Transport,
    memory::{MemoryOptions, pair},
};
use std::{
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

/// Polls once.
pub fn now<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(out) => Some(out),
        Poll::Pending => None,
    }
}

/// A final answer.
pub struct Reply {
    pub header: Header,
    pub bytes: Vec<u8>,
}

impl Reply {
    pub fn status(&self) -> NtStatus {
        self.header.status().expect("an answer has a status")
    }

    /// The body of a success.
    pub fn body<M: for<'a> Message<'a>>(&self) -> M {
        let body = Body::new(&self.bytes).expect("a whole header");
        M::parse(&body).unwrap_or_else(|error| panic!("{error}: {:?}", self.header))
    }
}

/// An open, and the session it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenFile {
    pub session_id: u64,
    pub file_id: FileId,
}

/// How frames go out.
#[derive(Debug, Clone, Copy, Default)]
pub struct Manner {
    pub sign: bool,
    pub seal: bool,
}

pub struct Peer {
    sender: Box<dyn SendHalf>,
    receiver: Box<dyn RecvHalf>,
    pub model: Model,
    pub logins: Vec<Login>,
    pub trees: Vec<(u64, u32)>,
    pub next: u64,
    pub agreed: Option<Agreed>,
    preauth: PreauthHash,
    pub replies: Vec<Reply>,
    /// All that was sent keeps the rules: the server has no reason to end the connection.
    pub lawful: bool,
    pub gone: bool,
}

impl Peer {
    pub fn connect(server: &Handle, maximum: u16) -> Self {
        let mut options = MemoryOptions::plain();
        (options.queue_messages, options.queue_bytes) = (1 << 20, 1 << 30);
        let (ours, theirs) = pair(options);
        let server = server.clone();
        tokio::spawn(async move { server.serve(theirs).await });
        let Halves { sender, mut receiver, .. } = Box::new(ours).split();
        receiver.set_limit(1 << 20);
        Self {
            sender,
            receiver,
            model: Model::new(maximum),
            logins: Vec::new(),
            trees: Vec::new(),
            next: 0,
            agreed: None,
            preauth: PreauthHash::new(),
            replies: Vec::new(),
            lawful: true,
            gone: false,
        }
    }

    /// The header of the next request; `None` without credits.
    pub fn header(&mut self, command: Command, session_id: u64, tree_id: u32) -> Option<Header> {
        if self.model.credits() == 0 {
            return None;
        }
        let mut header = Header::request(command, self.next);
        self.next += 1;
        header.credit_charge = 1;
        header.session_id = session_id;
        header.route = Route::tree(tree_id);
        Some(header)
    }

    async fn post(&mut self, bytes: &[u8]) {
        // The server may have ended the connection.
        let _ = self.sender.send(Msg::inline(IoBuf::copied(bytes))).await;
    }

    /// Sends a frame of SMB2 messages, signed or sealed as its first session can.
    pub async fn send(&mut self, mut frame: Vec<u8>, manner: Manner, files: &mut Vec<OpenFile>) {
        if self.model.fate(&frame) == Fate::Fatal {
            // Credits may be on their way.
            self.settle(files).await;
        }
        let fate = self.model.fate(&frame);
        let session = super::model::headers(&frame).and_then(|headers| Some(headers.first()?.session_id));
        let login = self.logins.iter().find(|login| Some(login.id) == session);
        let sealer = login.filter(|login| !login.over && manner.seal).and_then(|login| login.sealer.as_ref());
        if manner.sign && sealer.is_none() {
            sign(&mut frame, &self.logins);
        }
        crate::tell(|| format!("{fate:?} sealed {}: {:?}", sealer.is_some(), super::model::headers(&frame)));
        let wire = sealer.map(|sealer| {
            let mut whole = [&[0; TRANSFORM_HEADER_LEN], &frame[..]].concat();
            let nonce = sealer.nonces.next(sealer.seal.cipher()).expect("nonces are left");
            sealer.seal.seal(nonce, session.unwrap_or(0), &mut whole).expect("can be sealed");
            whole
        });
        let wire = wire.as_deref().unwrap_or(&frame);
        let ends = |asked: &Asked| matches!(asked.command, Command::LOGOFF | Command::SESSION_SETUP);
        let leaving = self.model.asked.values().any(ends);
        if sealer.is_some() && leaving {
            // Where the session is gone by then, nobody can open it, and the connection ends: [MS-SMB2] 3.3.5.2.1.1.
            self.lawful = false;
        }
        let fate = if wire.len() > super::LONGEST { Fate::Fatal } else { fate };
        if fate == Fate::Served {
            self.model.sent(&frame, sealer.is_some(), &self.logins);
        }
        self.post(wire).await;
        if fate == Fate::Fatal {
            self.must_end(files).await;
        } else if ends_session(&frame) {
            self.settle(files).await;
        }
    }

    /// Sends bytes that are no frame, or a frame that was tampered with: the connection ends where nothing can be made
    /// of them.
    pub async fn send_raw(&mut self, bytes: &[u8], files: &mut Vec<OpenFile>) {
        self.lawful = false;
        if bytes.starts_with(b"\xfeSMB") {
            return self.send(bytes.to_vec(), Manner::default(), files).await;
        }
        self.settle(files).await;
        self.post(bytes).await;
        if bytes.starts_with(b"\xffSMB") {
            // The answer to an SMB1 NEGOTIATE belongs to no request of SMB2.
            self.abandon();
        } else {
            self.must_end(files).await;
        }
    }

    async fn must_end(&mut self, files: &mut Vec<OpenFile>) {
        self.lawful = false;
        self.settle(files).await;
        // With so many under way it is not read before an answer has left: `Limits::max_pending`.
        assert!(
            self.gone || self.model.asked.len() >= super::PENDING,
            "what breaks the rules ends the connection"
        );
        self.abandon();
    }

    /// Looks at nothing any more that comes from this connection.
    fn abandon(&mut self) {
        self.gone = true;
        self.model.asked.clear();
    }

    /// Lets the server come to rest and takes all it has to say.
    pub async fn settle(&mut self, files: &mut Vec<OpenFile>) {
        loop {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let mut heard = false;
            while !self.gone
                && let Some(received) = now(self.receiver.recv())
            {
                heard = true;
                match received {
                    Ok(Some(received)) => self.frame(received.message, files),
                    _ => {
                        assert!(!self.lawful, "the server drops a client that keeps the rules");
                        self.abandon();
                    }
                }
            }
            if !heard {
                break;
            }
        }
        if !self.gone {
            self.model.check_idle();
        }
    }

    fn frame(&mut self, mut frame: IoBuf, files: &mut Vec<OpenFile>) {
        let sealed = TransformHeader::matches(&frame);
        let mut sealer_of = None;
        if sealed {
            let (header, _) = TransformHeader::parse(&frame).expect("a whole transform header");
            let login = self.logins.iter().find(|login| login.id == header.session_id);
            let sealer = login.and_then(|login| login.sealer.as_ref()).expect("a session that can be sealed");
            let text = sealer.open.open(&mut frame).expect("sealed with the session's key");
            frame.narrow(text);
            sealer_of = Some(header.session_id);
        }
        for range in compound::ranges(&frame) {
            let part = &frame[range.expect("a whole frame")];
            let (header, _) = Header::parse(part).expect("a whole header");
            assert!(sealer_of.is_none_or(|id| id == header.session_id), "sealed for another session");
            crate::tell(|| format!("  sealed {sealed}: {header:?}"));
            if header.status() == Some(NtStatus::USER_SESSION_DELETED) {
                // A log-on that failed may have ended it: there is no key any more to answer the rest with.
                let ended = self.logins.iter_mut().filter(|login| login.id == header.session_id);
                ended.for_each(|login| login.over = true);
            }
            let asked = self.model.asked.get(&header.message_id).cloned();
            if let Some(asked) = &asked {
                self.check_protection(asked, &header, part, sealed);
            }
            if let Some(asked) = self.model.answered(&header) {
                self.answered(&asked, Reply { header, bytes: part.to_vec() }, files);
            }
        }
    }

    fn check_protection(&self, asked: &Asked, header: &Header, part: &[u8], sealed: bool) {
        let status = header.status().expect("an answer has a status");
        assert_eq!(asked.sealed, sealed, "{header:?} to {asked:?}");
        let login = self.logins.iter().find(|login| login.id == header.session_id);
        if header.flags.contains(HeaderFlags::SIGNED) {
            // The last answer to a log-on is verified by who has just derived its key.
            if let Some(key) = login.and_then(|login| login.key.as_ref()) {
                key.verify(&mut part.to_vec()).unwrap_or_else(|_| panic!("a bad signature: {header:?}"));
            }
        } else if asked.signed {
            let bare = matches!(status, NtStatus::PENDING | NtStatus::USER_SESSION_DELETED);
            assert!(bare || login.is_none_or(|login| login.over), "unsigned: {header:?} to {asked:?}");
        }
        if asked.refused {
            assert!(status.is_error(), "served unprotected: {header:?} to {asked:?}");
        }
    }

    fn answered(&mut self, asked: &Asked, reply: Reply, files: &mut Vec<OpenFile>) {
        let header = reply.header;
        if reply.status() == NtStatus::SUCCESS {
            if let Some(file_id) = asked.file_id {
                let owner = files.iter().find(|file| file.file_id == file_id);
                let owned = owner.is_some_and(|file| file.session_id == header.session_id);
                assert!(owned, "another session's open, or none: {header:?}");
            }
            match header.command {
                Command::NEGOTIATE => {
                    let response: NegotiateResponse = reply.body();
                    self.model.negotiated = response.dialect != Dialect::WILDCARD;
                    self.model.multi_credit = response.capabilities.contains(Capabilities::LARGE_MTU);
                    self.agreed = Some(Agreed::of(&response));
                    self.preauth.update(&reply.bytes);
                }
                Command::LOGOFF => {
                    let ended = self.logins.iter_mut().filter(|login| login.id == header.session_id);
                    ended.for_each(|login| login.over = true);
                }
                Command::TREE_CONNECT => self.trees.push((header.session_id, header.tree_id())),
                Command::CREATE => {
                    let file_id = reply.body::<CreateResponse>().file_id;
                    let known = files.iter().any(|file| file.file_id == file_id);
                    assert!(!known, "a file id given out twice");
                    files.push(OpenFile { session_id: header.session_id, file_id });
                }
                _ => {}
            }
        }
        self.replies.push(reply);
    }

    /// The answer to the request just sent, if there is one by now.
    async fn reply(&mut self, message_id: u64, files: &mut Vec<OpenFile>) -> Option<Reply> {
        self.settle(files).await;
        if self.gone {
            // What has this id is the answer to an earlier request.
            return None;
        }
        let at = self.replies.iter().position(|reply| reply.header.message_id == message_id)?;
        Some(self.replies.swap_remove(at))
    }

    pub async fn negotiate(&mut self, request: &NegotiateRequest, files: &mut Vec<OpenFile>) {
        let Some(mut header) = self.header(Command::NEGOTIATE, 0, 0) else { return };
        header.credits = 8;
        let frame = compound::single(&header, request);
        if !self.model.negotiated {
            self.preauth = PreauthHash::new();
            self.preauth.update(&frame);
        }
        self.send(frame, Manner::default(), files).await;
        self.settle(files).await;
    }

    /// Logs on, or again where `again` is a session.
    pub async fn login(
        &mut self,
        user: &str,
        again: u64,
        choices: &mut Source<'_>,
        files: &mut Vec<OpenFile>,
    ) {
        let Some(agreed) = self.agreed.clone().filter(|_| self.model.negotiated) else { return };
        let mut auth = auth(user);
        let mut token = auth.start(&[]).expect("a first token");
        let mut preauth = self.preauth.clone();
        let required = choices.rarely(4);
        let mode = if required { SecurityMode::SIGNING_REQUIRED } else { SecurityMode::SIGNING_ENABLED };
        let (ask, manner) = (choices.u8().into(), Manner { sign: choices.rarely(2), seal: false });
        let mut session_id = again;
        loop {
            let Some(mut header) = self.header(Command::SESSION_SETUP, session_id, 0) else { return };
            header.credits = ask;
            let request = SessionSetupRequest {
                flags: SessionSetupFlags::NONE,
                security_mode: mode,
                capabilities: Capabilities::NONE,
                previous_session_id: 0,
                token,
            };
            let frame = compound::single(&header, &request);
            preauth.update(&frame);
            self.send(frame, manner, files).await;
            let Some(reply) = self.reply(header.message_id, files).await else { return };
            let status = reply.status();
            if status.is_error() && status != NtStatus::MORE_PROCESSING_REQUIRED {
                return;
            }
            let response: SessionSetupResponse = reply.body();
            session_id = reply.header.session_id;
            if status == NtStatus::MORE_PROCESSING_REQUIRED {
                preauth.update(&reply.bytes);
                let Ok(ClientStep::Send(next)) = auth.step(&response.token) else {
                    panic!("a bad challenge")
                };
                token = next;
                continue;
            }
            if again != 0 {
                return;
            }
            let unproven = response.flags.intersects(SessionFlags::IS_GUEST.with(SessionFlags::IS_NULL));
            let key = (!unproven).then(|| match auth.step(&response.token) {
                Ok(ClientStep::Done(key)) => key,
                other => panic!("not done: {:?}", other.is_ok()),
            });
            let key = key.as_ref().map(|key| &key.as_bytes()[..]);
            let mut login = agreed.login(session_id, key, &preauth, response.flags);
            login.must_sign |= required && !unproven;
            if let Some(key) = &login.key {
                key.verify(&mut reply.bytes.clone()).expect("signed with the new key");
            }
            return self.logins.push(login);
        }
    }
}

fn ends_session(frame: &[u8]) -> bool {
    let headers = super::model::headers(frame).unwrap_or_default();
    headers.iter().any(|header| header.command == Command::LOGOFF)
}

fn sign(frame: &mut [u8], logins: &[Login]) {
    let ranges: Vec<_> = compound::ranges(frame).map_while(Result::ok).collect();
    let mut first = None;
    for range in ranges {
        let Some(part) = frame.get_mut(range) else { return };
        let Ok((header, _)) = Header::parse(part) else { return };
        let related = header.flags.contains(HeaderFlags::RELATED_OPERATIONS);
        let session_id = first.filter(|_| related).unwrap_or(header.session_id);
        first = Some(session_id);
        let login = logins.iter().find(|login| login.id == session_id);
        if let (Some(key), Some(flags)) = (login.and_then(|login| login.key.as_ref()), part.get_mut(16)) {
            *flags |= 8;
            key.sign(part).expect("can be signed");
        }
    }
}
