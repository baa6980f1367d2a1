//! What each command needs before its handler runs — [MS-SMB2] 3.3.5.2.

use super::session::Session;
use smb_proto::{
    command::Command,
    header::{Header, HeaderFlags},
    msg::FileId,
    status::NtStatus,
};

/// What a command needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// A valid session.
    pub session: bool,
    /// A share connection.
    pub tree: bool,
    /// The session may have expired.
    pub even_expired: bool,
    /// What may be done while it waits.
    pub wait: Wait,
}

/// What may be done with a request that waits, each more than the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wait {
    /// Nothing: it is soon done.
    Brief,
    /// It gets an interim response: the consumer of a stream may take its time over a CREATE and a CLOSE.
    Long,
    /// It can be cancelled, too: giving it up midway leaves nothing behind.
    Cancellable,
    /// It waits for what others may do, perhaps for ever, too: a server that stops gives it up.
    Idle,
}

/// What `command` needs; `None` for one that is unknown.
pub fn needs(command: Command) -> Option<Needs> {
    let plain = Needs { session: true, tree: true, even_expired: false, wait: Wait::Brief };
    Some(match command {
        Command::NEGOTIATE | Command::SESSION_SETUP | Command::ECHO | Command::CANCEL => {
            Needs { session: false, tree: false, even_expired: true, ..plain }
        }
        Command::LOGOFF => Needs { tree: false, even_expired: true, ..plain },
        Command::TREE_CONNECT => Needs { tree: false, ..plain },
        Command::TREE_DISCONNECT | Command::OPLOCK_BREAK => Needs { even_expired: true, ..plain },
        Command::CREATE => Needs { wait: Wait::Long, ..plain },
        Command::CLOSE => Needs { even_expired: true, wait: Wait::Long, ..plain },
        Command::LOCK => Needs { even_expired: true, wait: Wait::Idle, ..plain },
        Command::CHANGE_NOTIFY => Needs { wait: Wait::Idle, ..plain },
        Command::FLUSH | Command::READ | Command::WRITE | Command::QUERY_DIRECTORY | Command::IOCTL => {
            Needs { wait: Wait::Cancellable, ..plain }
        }
        Command::QUERY_INFO | Command::SET_INFO => plain,
        _ => return None,
    })
}

/// How a request came over the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protection {
    /// Its signature verified.
    pub signed: bool,
    /// It came sealed.
    pub sealed: bool,
}

/// Whether a request of `session` came as protected as the session demands — [MS-SMB2] 3.3.5.2.4, 3.3.5.2.5.
pub fn admit(session: &Session, protection: Protection) -> Result<(), NtStatus> {
    if session.encrypt && !protection.sealed {
        return Err(NtStatus::ACCESS_DENIED);
    }
    if session.signing_required && !protection.signed && !protection.sealed {
        return Err(NtStatus::ACCESS_DENIED);
    }
    Ok(())
}

/// What the requests of a related compound hand on — [MS-SMB2] 3.3.5.2.7.2.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Chain {
    session_id: u64,
    tree_id: u32,
    /// The file of the last request that had one.
    file_id: Option<FileId>,
    /// Why the CREATE, or what came after it, failed.
    failed: Option<NtStatus>,
    begun: bool,
    /// A request found no session or share connection; nothing related to it finds one.
    astray: bool,
}

impl Chain {
    /// Fits a request into the compound: a related one gets the ids of those before it. The error is what it is
    /// answered with instead of being run.
    pub fn enter(&mut self, header: &mut Header) -> Result<(), NtStatus> {
        let related = header.flags.contains(HeaderFlags::RELATED_OPERATIONS);
        if !related {
            *self = Self {
                session_id: header.session_id,
                tree_id: header.tree_id(),
                begun: true,
                ..Self::default()
            };
            return Ok(());
        }
        if !self.begun {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        header.session_id = self.session_id;
        if let smb_proto::header::Route::Sync { tree_id, .. } = &mut header.route {
            *tree_id = self.tree_id;
        }
        if self.astray { Err(NtStatus::INVALID_PARAMETER) } else { Ok(()) }
    }

    /// The file a request means: its own, or the compound's.
    pub fn file(&self, header: &Header, file_id: FileId) -> Result<FileId, NtStatus> {
        let related = header.flags.contains(HeaderFlags::RELATED_OPERATIONS);
        if !related || file_id != FileId::ANY {
            return Ok(file_id);
        }
        match (self.failed, self.file_id) {
            (Some(status), _) => Err(status),
            (None, Some(file_id)) => Ok(file_id),
            (None, None) => Err(NtStatus::FILE_CLOSED),
        }
    }

    /// Takes note that a request got no further than to be looked at.
    pub fn refuse(&mut self, command: Command, status: NtStatus) {
        self.astray |= matches!(status, NtStatus::USER_SESSION_DELETED | NtStatus::NETWORK_NAME_DELETED);
        self.leave(command, status, None, None);
    }

    /// Takes note of how a request ended. `file_id` is the file it opened or meant, `tree_id` the share connection it
    /// made.
    pub fn leave(
        &mut self,
        command: Command,
        status: NtStatus,
        file_id: Option<FileId>,
        tree_id: Option<u32>,
    ) {
        if let Some(tree_id) = tree_id {
            self.tree_id = tree_id;
        }
        match file_id {
            Some(file_id) if status != NtStatus::FILE_CLOSED => {
                self.file_id = Some(file_id);
                if command == Command::CREATE {
                    self.failed = None;
                }
            }
            _ => {}
        }
        if command == Command::CREATE && status.is_error() {
            self.failed = Some(status);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smb_proto::header::Route;

    fn request(related: bool) -> Header {
        let mut header = Header::request(Command::CLOSE, 1);
        header.route = Route::tree(u32::MAX);
        header.session_id = u64::MAX;
        if related {
            header.flags = HeaderFlags::RELATED_OPERATIONS;
        }
        header
    }

    #[test]
    fn related_requests_inherit() {
        let mut chain = Chain::default();
        let mut first = Header { session_id: 5, route: Route::tree(6), ..request(false) };
        chain.enter(&mut first).unwrap();
        let file = FileId { persistent: 1, volatile: 2 };
        chain.leave(Command::CREATE, NtStatus::SUCCESS, Some(file), None);
        let mut second = request(true);
        chain.enter(&mut second).unwrap();
        assert_eq!((second.session_id, second.tree_id()), (5, 6));
        assert_eq!(chain.file(&second, FileId::ANY), Ok(file));
        let other = FileId { persistent: 3, volatile: 4 };
        assert_eq!(chain.file(&second, other), Ok(other));
    }

    #[test]
    fn a_failed_create_fails_what_needs_its_file() {
        let mut chain = Chain::default();
        chain.enter(&mut request(false)).unwrap();
        chain.leave(Command::CREATE, NtStatus::OBJECT_NAME_NOT_FOUND, None, None);
        let mut second = request(true);
        chain.enter(&mut second).unwrap();
        assert_eq!(chain.file(&second, FileId::ANY), Err(NtStatus::OBJECT_NAME_NOT_FOUND));
        assert_eq!(chain.file(&second, FileId::ANY), Err(NtStatus::OBJECT_NAME_NOT_FOUND));
    }

    #[test]
    fn the_first_cannot_be_related() {
        assert_eq!(Chain::default().enter(&mut request(true)), Err(NtStatus::INVALID_PARAMETER));
        let mut chain = Chain::default();
        chain.enter(&mut request(false)).unwrap();
        assert_eq!(chain.file(&request(true), FileId::ANY), Err(NtStatus::FILE_CLOSED));
        assert_eq!(chain.file(&request(false), FileId::ANY), Ok(FileId::ANY));
    }

    #[test]
    fn nothing_follows_a_request_without_a_session() {
        let mut chain = Chain::default();
        chain.enter(&mut request(false)).unwrap();
        chain.refuse(Command::CREATE, NtStatus::USER_SESSION_DELETED);
        assert_eq!(chain.enter(&mut request(true)), Err(NtStatus::INVALID_PARAMETER));
        assert_eq!(chain.enter(&mut request(false)), Ok(()));
        assert_eq!(chain.enter(&mut request(true)), Ok(()));
    }

    #[test]
    fn every_command_is_known() {
        for command in 0..=0x12 {
            assert!(needs(Command(command)).is_some(), "{command}");
        }
        assert_eq!(needs(Command(0x20)), None);
    }
}
