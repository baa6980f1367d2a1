//! SMB2 SERVER_TO_CLIENT_NOTIFICATION — [MS-SMB2] 2.2.44.

use crate::{
    codec::{
        Body, Message,
        num::{fixed, le_u16, le_u32, structure_size},
    },
    command::{Command, wire_enum},
    error::ParseError,
};
use bytes::BufMut;

wire_enum! {
    /// NotificationType.
    NotificationType: u32 {
        /// SmbNotifySessionClosed: the server has ended the session that the header names.
        SESSION_CLOSED = 0x0000_0000,
    }
}

/// SMB2 SERVER_TO_CLIENT_NOTIFICATION — [MS-SMB2] 2.2.44.1. The MessageId is all ones, as nobody asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerNotification {
    /// What happened. What follows on the wire is reserved in the one type there is.
    pub notification_type: NotificationType,
}

impl<'a> Message<'a> for ServerNotification {
    const COMMAND: Command = Command::SERVER_TO_CLIENT_NOTIFICATION;

    fn parse(body: &Body<'a>) -> Result<Self, ParseError> {
        const WHAT: &str = "SERVER_TO_CLIENT_NOTIFICATION";
        let (_, (size, _, kind, _)) = fixed(WHAT, body.fixed(), (le_u16, le_u16, le_u32, le_u32))?;
        structure_size(WHAT, 4, size)?;
        Ok(Self { notification_type: NotificationType(kind) })
    }

    fn wire_len(&self) -> usize {
        12
    }

    fn emit(&self, out: &mut impl BufMut) {
        out.put_u16_le(4);
        out.put_u16_le(0);
        out.put_u32_le(self.notification_type.0);
        out.put_u32_le(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::testing::message_tests;
    use proptest::prelude::*;

    message_tests!(
        server_notification,
        ServerNotification,
        any::<u32>().prop_map(|kind| ServerNotification { notification_type: NotificationType(kind) })
    );
}
