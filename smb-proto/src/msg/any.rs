//! Any message: the body that fits a header.

use super::*;
use crate::{
    codec::{Body, Message},
    command::Command,
    error::ParseError,
    header::Header,
    status::NtStatus,
};
use ::bytes::BufMut;

macro_rules! messages {
    ($(#[$doc:meta])* $name:ident: $($variant:ident $command:ident $type:ty,)* $(; $other:ident $other_type:ty)?) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum $name<'a> {
            $(
                #[doc = concat!("The body of ", stringify!($command), ".")]
                $variant($type),
            )*
            $(
                /// What a request that failed is answered with, whatever its command.
                $other($other_type),
            )?
        }

        impl<'a> $name<'a> {
            fn of(command: Command, body: &Body<'a>) -> Result<Self, ParseError> {
                match command {
                    $(Command::$command => Message::parse(body).map(Self::$variant),)*
                    other => Err(ParseError::Value { what: "Command", value: other.0.into() }),
                }
            }

            /// The number of bytes [`emit`](Self::emit) writes.
            pub fn wire_len(&self) -> usize {
                match self {
                    $(Self::$variant(message) => message.wire_len(),)*
                    $(Self::$other(message) => message.wire_len(),)?
                }
            }

            /// Writes the body, to stand directly behind a header.
            pub fn emit(&self, out: &mut impl BufMut) {
                match self {
                    $(Self::$variant(message) => message.emit(out),)*
                    $(Self::$other(message) => message.emit(out),)?
                }
            }
        }
    };
}

messages! {
    /// The body of any request.
    Request:
    Negotiate NEGOTIATE NegotiateRequest,
    SessionSetup SESSION_SETUP SessionSetupRequest,
    Logoff LOGOFF LogoffRequest,
    TreeConnect TREE_CONNECT TreeConnectRequest,
    TreeDisconnect TREE_DISCONNECT TreeDisconnectRequest,
    Create CREATE CreateRequest,
    Close CLOSE CloseRequest,
    Flush FLUSH FlushRequest,
    Read READ ReadRequest,
    Write WRITE WriteRequest<'a>,
    Lock LOCK LockRequest,
    Ioctl IOCTL IoctlRequest,
    Cancel CANCEL CancelRequest,
    Echo ECHO EchoRequest,
    QueryDirectory QUERY_DIRECTORY QueryDirectoryRequest,
    ChangeNotify CHANGE_NOTIFY ChangeNotifyRequest,
    QueryInfo QUERY_INFO QueryInfoRequest,
    SetInfo SET_INFO SetInfoRequest,
    OplockBreak OPLOCK_BREAK OplockBreakRequest,
}

messages! {
    /// The body of any response.
    Response:
    Negotiate NEGOTIATE NegotiateResponse,
    SessionSetup SESSION_SETUP SessionSetupResponse,
    Logoff LOGOFF LogoffResponse,
    TreeConnect TREE_CONNECT TreeConnectResponse,
    TreeDisconnect TREE_DISCONNECT TreeDisconnectResponse,
    Create CREATE CreateResponse,
    Close CLOSE CloseResponse,
    Flush FLUSH FlushResponse,
    Read READ ReadResponse<'a>,
    Write WRITE WriteResponse,
    Lock LOCK LockResponse,
    Ioctl IOCTL IoctlResponse,
    Echo ECHO EchoResponse,
    QueryDirectory QUERY_DIRECTORY QueryDirectoryResponse,
    ChangeNotify CHANGE_NOTIFY ChangeNotifyResponse,
    QueryInfo QUERY_INFO QueryInfoResponse,
    SetInfo SET_INFO SetInfoResponse,
    OplockBreak OPLOCK_BREAK OplockBreakResponse,
    ServerNotification SERVER_TO_CLIENT_NOTIFICATION ServerNotification,
    ; Error ErrorResponse
}

impl<'a> Request<'a> {
    /// Reads the body that follows `header`.
    pub fn parse(header: &Header, body: &Body<'a>) -> Result<Self, ParseError> {
        Self::of(header.command, body)
    }
}

impl<'a> Response<'a> {
    /// Reads the body that follows `header`: [`Response::Error`] where the status says so.
    pub fn parse(header: &Header, body: &Body<'a>) -> Result<Self, ParseError> {
        let status = header.status().unwrap_or_default();
        if has_error_body(header.command, status, body) {
            return ErrorResponse::parse(body).map(Self::Error);
        }
        Self::of(header.command, body)
    }
}

/// Whether a response of that status has the body of an ERROR response — [MS-SMB2] 3.3.4.4.
fn has_error_body(command: Command, status: NtStatus, body: &Body<'_>) -> bool {
    /// StructureSize of an IOCTL response.
    const IOCTL: &[u8] = &[49, 0];
    match (command, status) {
        // Interim responses.
        (_, NtStatus::PENDING) => true,
        // Not a failure, but servers (Samba) send an ERROR response. Both begin alike; the offset is none of its fields.
        (Command::CHANGE_NOTIFY, NtStatus::NOTIFY_ENUM_DIR) => body.fixed().get(2..4) == Some(&[0, 0]),
        (Command::SESSION_SETUP, NtStatus::MORE_PROCESSING_REQUIRED) => false,
        (Command::READ | Command::QUERY_INFO, NtStatus::BUFFER_OVERFLOW) => false,
        // Answers that failed in part (a pipe with more to come, a copy refused for its size) keep their body.
        (Command::IOCTL, _) if body.fixed().starts_with(IOCTL) => false,
        (_, status) => !status.is_success(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::field::testing::hex;

    /// The answer to a CHANGE_NOTIFY with that body.
    fn notified(status: NtStatus, body: &str) -> Response<'static> {
        let header = Header::request(Command::CHANGE_NOTIFY, 1).response(status);
        let mut wire = Vec::new();
        header.emit(0, &mut wire);
        wire.extend(hex(body));
        match Response::parse(&header, &Body::new(&wire).unwrap()).unwrap() {
            Response::ChangeNotify(response) => Response::ChangeNotify(response),
            Response::Error(response) => Response::Error(response),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn too_many_changes_are_told_in_either_form() {
        let status = NtStatus::NOTIFY_ENUM_DIR;
        let empty = ChangeNotifyResponse { output: Vec::new() };
        assert_eq!(notified(status, "0900 4800 00000000"), Response::ChangeNotify(empty));
        let part = ChangeNotifyResponse { output: vec![1, 2] };
        assert_eq!(notified(status, "0900 4800 02000000 0102"), Response::ChangeNotify(part));
        let error = Response::Error(ErrorResponse::default());
        assert_eq!(notified(status, "0900 0000 00000000 00"), error, "as Samba has it");
        assert_eq!(notified(NtStatus::CANCELLED, "0900 0000 00000000 00"), error);
    }
}
