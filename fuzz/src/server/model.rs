//! What a client may expect of its connection, kept beside the server under test.

use super::login::Login;
use smb_proto::{
    command::Command,
    compound,
    header::{Header, HeaderFlags, Role, Route},
    msg::{FileId, Request},
    status::NtStatus,
};
use std::collections::{BTreeMap, BTreeSet};

/// A request that waits for its answer.
#[derive(Debug, Clone)]
pub struct Asked {
    pub command: Command,
    pub session_id: u64,
    /// The answer must be signed, if the session still lives.
    pub signed: bool,
    pub sealed: bool,
    /// It came less protected than its session demands: nothing but an error will do.
    pub refused: bool,
    pub async_id: Option<u64>,
    /// It came in a frame of its own.
    pub alone: bool,
    /// The open it names by itself.
    pub file_id: Option<FileId>,
}

/// The windows and the requests of one connection.
#[derive(Debug)]
pub struct Model {
    granted: BTreeSet<u64>,
    high: u64,
    maximum: usize,
    pub multi_credit: bool,
    pub negotiated: bool,
    pub asked: BTreeMap<u64, Asked>,
}

/// What becomes of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Its requests are answered.
    Served,
    /// It ends the connection.
    Fatal,
}

impl Model {
    pub fn new(maximum: u16) -> Self {
        Self {
            granted: BTreeSet::from([0]),
            high: 1,
            maximum: maximum.max(1).into(),
            multi_credit: false,
            negotiated: false,
            asked: BTreeMap::new(),
        }
    }

    pub fn credits(&self) -> usize {
        self.granted.len()
    }

    fn ids(&self, header: &Header) -> Option<std::ops::Range<u64>> {
        let charge = if self.multi_credit { header.credit_charge.max(1) } else { 1 };
        Some(header.message_id..header.message_id.checked_add(charge.into())?)
    }

    /// What a server makes of a frame in the clear.
    pub fn fate(&self, frame: &[u8]) -> Fate {
        let Some(headers) = headers(frame) else { return Fate::Fatal };
        let mut granted = self.granted.clone();
        for header in &headers {
            let request = matches!(header.role, Role::Request { .. });
            if !request || (header.command == Command::NEGOTIATE) == self.negotiated {
                return Fate::Fatal;
            }
            if header.command == Command::CANCEL {
                continue;
            }
            match self.ids(header) {
                Some(ids) if ids.clone().all(|id| granted.contains(&id)) => {
                    ids.for_each(|id| _ = granted.remove(&id));
                }
                _ => return Fate::Fatal,
            }
        }
        Fate::Served
    }

    /// A frame that will be served is on its way.
    pub fn sent(&mut self, frame: &[u8], sealed: bool, logins: &[Login]) {
        let mut first = None;
        for range in compound::ranges(frame).map_while(Result::ok) {
            let Some((mut header, _)) = frame.get(range.clone()).and_then(|part| Header::parse(part).ok())
            else {
                return;
            };
            if header.command == Command::CANCEL {
                continue;
            }
            self.ids(&header).into_iter().flatten().for_each(|id| _ = self.granted.remove(&id));
            let related = header.flags.contains(HeaderFlags::RELATED_OPERATIONS);
            match first {
                Some(session_id) if related => header.session_id = session_id,
                None if related => {}
                _ => first = Some(header.session_id),
            }
            let part = frame.get(range).unwrap_or_default();
            let asked = Asked { alone: part.len() == frame.len(), ..asked(&header, part, sealed, logins) };
            assert!(self.asked.insert(header.message_id, asked).is_none(), "ids are used once");
        }
    }

    /// Takes an answer; the request, where it is the last one to it.
    pub fn answered(&mut self, header: &Header) -> Option<Asked> {
        let Role::Response { status } = header.role else { panic!("not a response: {header:?}") };
        let id = header.message_id;
        let Some(asked) = self.asked.get_mut(&id) else { panic!("nobody asked for {header:?}") };
        assert_eq!(asked.command, header.command, "answers another command");
        let setup = asked.command == Command::SESSION_SETUP && asked.session_id == 0;
        if !setup {
            assert_eq!(asked.session_id, header.session_id, "another session's id");
        }
        self.granted.extend(self.high..self.high + u64::from(header.credits));
        self.high += u64::from(header.credits);
        assert!(self.granted.len() <= self.maximum, "{} credits", self.granted.len());
        match (header.route, asked.async_id) {
            (Route::Async { async_id }, None) => {
                assert_eq!(status, NtStatus::PENDING, "asynchronous without an interim answer");
                assert!(async_id != 0);
                asked.async_id = Some(async_id);
                let same = self.asked.values().filter(|other| other.async_id == Some(async_id));
                assert_eq!(same.count(), 1, "an AsyncId means one request");
                None
            }
            (Route::Async { async_id }, Some(known)) => {
                assert_eq!(async_id, known, "another AsyncId");
                assert_ne!(status, NtStatus::PENDING, "a second interim answer");
                assert_eq!(header.credits, 0, "credits granted twice");
                self.asked.remove(&id)
            }
            (Route::Sync { .. }, known) => {
                assert_eq!(known, None, "the answer lost its AsyncId");
                assert_ne!(status, NtStatus::PENDING, "an interim answer without an AsyncId");
                self.asked.remove(&id)
            }
        }
    }

    /// Nothing is under way: the client must be able to go on.
    pub fn check_idle(&self) {
        assert!(!self.asked.is_empty() || !self.granted.is_empty(), "no credits, and nothing under way");
    }
}

/// The headers of a frame, if all of it is readable.
pub fn headers(frame: &[u8]) -> Option<Vec<Header>> {
    let header = |range: std::ops::Range<usize>| Some(Header::parse(frame.get(range)?).ok()?.0);
    frame
        .starts_with(b"\xfeSMB")
        .then(|| compound::ranges(frame).map(|range| header(range.ok()?)).collect())?
}

fn asked(header: &Header, part: &[u8], sealed: bool, logins: &[Login]) -> Asked {
    let login = logins.iter().find(|login| login.id == header.session_id);
    let signed = header.flags.contains(HeaderFlags::SIGNED)
        && login
            .and_then(|login| login.key.as_ref())
            .is_some_and(|key| key.verify(&mut part.to_vec()).is_ok());
    let needs_session =
        !matches!(header.command, Command::SESSION_SETUP | Command::ECHO | Command::NEGOTIATE);
    let demands =
        login.is_some_and(|login| (login.encrypt && !sealed) || (login.must_sign && !signed && !sealed));
    Asked {
        command: header.command,
        session_id: header.session_id,
        signed: !sealed && login.is_some_and(|login| signed || (login.must_sign && needs_session)),
        sealed,
        refused: needs_session && demands,
        async_id: None,
        alone: false,
        file_id: file_of(header, part),
    }
}

fn file_of(header: &Header, part: &[u8]) -> Option<FileId> {
    let body = smb_proto::codec::Body::new(part).ok()?;
    let file_id = match Request::parse(header, &body).ok()? {
        Request::Read(request) => request.file_id,
        Request::Write(request) => request.file_id,
        Request::Close(request) => request.file_id,
        Request::QueryInfo(request) => request.file_id,
        Request::SetInfo(request) => request.file_id,
        Request::QueryDirectory(request) => request.file_id,
        Request::Lock(request) => request.file_id,
        _ => return None,
    };
    (file_id != FileId::ANY).then_some(file_id)
}
