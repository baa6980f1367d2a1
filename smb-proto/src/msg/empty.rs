//! Messages that say nothing beyond their command: LOGOFF, TREE_DISCONNECT, ECHO, CANCEL, the FLUSH and LOCK
//! responses — [MS-SMB2] 2.2.7, 2.2.8, 2.2.11, 2.2.12, 2.2.18, 2.2.27–2.2.30.

use crate::{
    codec::{
        Body, Message,
        num::{fixed, le_u16, structure_size},
    },
    command::Command,
    error::ParseError,
};
use bytes::BufMut;

macro_rules! empty_message {
    ($(#[$doc:meta])* $name:ident, $command:ident, $test:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub struct $name;

        impl<'a> Message<'a> for $name {
            const COMMAND: Command = Command::$command;

            fn parse(body: &Body<'a>) -> Result<Self, ParseError> {
                let (_, (size, _reserved)) = fixed(stringify!($name), body.fixed(), (le_u16, le_u16))?;
                structure_size(stringify!($name), 4, size)?;
                Ok(Self)
            }

            fn wire_len(&self) -> usize {
                4
            }

            fn emit(&self, out: &mut impl BufMut) {
                out.put_u16_le(4);
                out.put_u16_le(0);
            }
        }

        #[cfg(test)]
        crate::codec::testing::message_tests!($test, $name, Just($name));
    };
}

empty_message!(
    /// SMB2 LOGOFF Request — [MS-SMB2] 2.2.7.
    LogoffRequest, LOGOFF, logoff_request
);
empty_message!(
    /// SMB2 LOGOFF Response — [MS-SMB2] 2.2.8.
    LogoffResponse, LOGOFF, logoff_response
);
empty_message!(
    /// SMB2 TREE_DISCONNECT Request — [MS-SMB2] 2.2.11.
    TreeDisconnectRequest, TREE_DISCONNECT, tree_disconnect_request
);
empty_message!(
    /// SMB2 TREE_DISCONNECT Response — [MS-SMB2] 2.2.12.
    TreeDisconnectResponse, TREE_DISCONNECT, tree_disconnect_response
);
empty_message!(
    /// SMB2 FLUSH Response — [MS-SMB2] 2.2.18.
    FlushResponse, FLUSH, flush_response
);
empty_message!(
    /// SMB2 LOCK Response — [MS-SMB2] 2.2.27.
    LockResponse, LOCK, lock_response
);
empty_message!(
    /// SMB2 ECHO Request — [MS-SMB2] 2.2.28.
    EchoRequest, ECHO, echo_request
);
empty_message!(
    /// SMB2 ECHO Response — [MS-SMB2] 2.2.29.
    EchoResponse, ECHO, echo_response
);
empty_message!(
    /// SMB2 CANCEL Request — [MS-SMB2] 2.2.30. There is no response: the cancelled request gets one.
    CancelRequest, CANCEL, cancel_request
);
