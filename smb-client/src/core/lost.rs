//! What an error says of the connection, and whether the request may be made again on another one.

use crate::error::{Error, Executed};
use smb_proto::status::NtStatus;

/// What is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    /// The connection, and with it all the rest.
    Connection,
    /// The session; the server keeps the connection — [MS-SMB2] 3.3.5.2.9.
    Session,
    /// The share connection — [MS-SMB2] 3.3.5.2.11.
    Share,
}

/// What is gone, where `error` says that something is.
pub(crate) fn of(error: &Error) -> Option<Loss> {
    match error {
        Error::Transport(_) | Error::NotSent(_) | Error::Stalled { .. } => Some(Loss::Connection),
        Error::Status(refused) => match refused.status {
            NtStatus::USER_SESSION_DELETED | NtStatus::NETWORK_SESSION_EXPIRED => Some(Loss::Session),
            NtStatus::NETWORK_NAME_DELETED => Some(Loss::Share),
            _ => None,
        },
        _ => None,
    }
}

/// Whether a request that failed so may be made again. A server that fell silent has had its time: it is not asked twice.
pub(crate) fn may_repeat(error: &Error, harmless: bool) -> bool {
    match error {
        Error::Stalled { .. } => false,
        Error::Transport(_) => harmless,
        _ => error.executed() == Executed::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smb_proto::{command::Command, error::StatusError};
    use smb_transport::TransportError;
    use std::{sync::Arc, time::Duration};

    fn refused(status: NtStatus) -> Error {
        StatusError { command: Command::CREATE, status }.into()
    }

    #[test]
    fn what_was_not_executed_may_be_made_again() {
        let closed = Error::from(TransportError::Closed);
        for (error, loss, repeated, harmless) in [
            (closed.clone(), Some(Loss::Connection), false, true),
            (Error::NotSent(Arc::new(closed)), Some(Loss::Connection), true, true),
            (Error::Stalled { silent: Duration::ZERO }, Some(Loss::Connection), false, false),
            (refused(NtStatus::USER_SESSION_DELETED), Some(Loss::Session), true, true),
            (refused(NtStatus::NETWORK_SESSION_EXPIRED), Some(Loss::Session), true, true),
            (refused(NtStatus::NETWORK_NAME_DELETED), Some(Loss::Share), true, true),
        ] {
            assert_eq!(of(&error), loss, "{error:?}");
            assert_eq!(
                (may_repeat(&error, false), may_repeat(&error, true)),
                (repeated, harmless),
                "{error:?}"
            );
        }
        assert_eq!(of(&refused(NtStatus::ACCESS_DENIED)), None);
    }
}
