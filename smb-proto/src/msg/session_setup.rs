//! SMB2 SESSION_SETUP — [MS-SMB2] 2.2.5, 2.2.6.

use crate::{
    codec::{
        Body, Message,
        message::variable_offset,
        num::{fixed, le_u8, le_u16, le_u32, le_u64, len16, structure_size},
    },
    command::{Command, wire_flags},
    error::ParseError,
    msg::negotiate::{Capabilities, SecurityMode},
};
use bytes::BufMut;

wire_flags! {
    /// Flags of a SESSION_SETUP request.
    SessionSetupFlags: u8 {
        /// SMB2_SESSION_FLAG_BINDING: bind this connection to an existing session.
        BINDING = 0x01,
    }
}

wire_flags! {
    /// SessionFlags of a SESSION_SETUP response.
    SessionFlags: u16 {
        /// SMB2_SESSION_FLAG_IS_GUEST.
        IS_GUEST = 0x0001,
        /// SMB2_SESSION_FLAG_IS_NULL: an anonymous session.
        IS_NULL = 0x0002,
        /// SMB2_SESSION_FLAG_ENCRYPT_DATA: the server requires encryption of the session.
        ENCRYPT_DATA = 0x0004,
    }
}

/// SMB2 SESSION_SETUP Request — [MS-SMB2] 2.2.5.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionSetupRequest {
    /// Whether this binds a channel.
    pub flags: SessionSetupFlags,
    /// The client's signing policy; one byte on the wire.
    pub security_mode: SecurityMode,
    /// The client's capabilities: only DFS is defined here.
    pub capabilities: Capabilities,
    /// A session of an earlier connection to end, 0 for none.
    pub previous_session_id: u64,
    /// The SPNEGO or NTLMSSP token.
    pub token: Vec<u8>,
}

const REQUEST_FIXED: usize = 24;
const RESPONSE_FIXED: usize = 8;

impl<'a> Message<'a> for SessionSetupRequest {
    const COMMAND: Command = Command::SESSION_SETUP;

    fn parse(body: &Body<'a>) -> Result<Self, ParseError> {
        const WHAT: &str = "SESSION_SETUP request";
        let parser = (le_u16, le_u8, le_u8, le_u32, le_u32, le_u16, le_u16, le_u64);
        let (_, (size, flags, mode, capabilities, _channel, offset, len, previous_session_id)) =
            fixed(WHAT, body.fixed(), parser)?;
        structure_size(WHAT, 25, size)?;
        Ok(Self {
            flags: SessionSetupFlags(flags),
            security_mode: SecurityMode(mode.into()),
            capabilities: Capabilities(capabilities),
            previous_session_id,
            token: body.slice_at("SecurityBuffer", offset, len)?.to_vec(),
        })
    }

    fn wire_len(&self) -> usize {
        REQUEST_FIXED + self.token.len()
    }

    fn emit(&self, out: &mut impl BufMut) {
        let [mode, _] = self.security_mode.0.to_le_bytes();
        out.put_u16_le(25);
        out.put_u8(self.flags.0);
        out.put_u8(mode);
        out.put_u32_le(self.capabilities.0);
        out.put_u32_le(0);
        out.put_u16_le(len16(variable_offset(REQUEST_FIXED)));
        out.put_u16_le(len16(self.token.len()));
        out.put_u64_le(self.previous_session_id);
        out.put_slice(&self.token);
    }
}

/// SMB2 SESSION_SETUP Response — [MS-SMB2] 2.2.6.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionSetupResponse {
    /// What kind of session it is.
    pub flags: SessionFlags,
    /// The SPNEGO or NTLMSSP token.
    pub token: Vec<u8>,
}

impl<'a> Message<'a> for SessionSetupResponse {
    const COMMAND: Command = Command::SESSION_SETUP;

    fn parse(body: &Body<'a>) -> Result<Self, ParseError> {
        const WHAT: &str = "SESSION_SETUP response";
        let (_, (size, flags, offset, len)) = fixed(WHAT, body.fixed(), (le_u16, le_u16, le_u16, le_u16))?;
        structure_size(WHAT, 9, size)?;
        let token = body.slice_at("SecurityBuffer", offset, len)?.to_vec();
        Ok(Self { flags: SessionFlags(flags), token })
    }

    fn wire_len(&self) -> usize {
        RESPONSE_FIXED + self.token.len()
    }

    fn emit(&self, out: &mut impl BufMut) {
        out.put_u16_le(9);
        out.put_u16_le(self.flags.0);
        out.put_u16_le(len16(variable_offset(RESPONSE_FIXED)));
        out.put_u16_le(len16(self.token.len()));
        out.put_slice(&self.token);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::testing::{Part, message_tests};
    use proptest::prelude::*;

    fn token() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(any::<u8>(), 0..100)
    }

    fn request() -> impl Strategy<Value = SessionSetupRequest> {
        (any::<(u8, u8, u32, u64)>(), token()).prop_map(
            |((flags, mode, capabilities, previous_session_id), token)| SessionSetupRequest {
                flags: SessionSetupFlags(flags),
                security_mode: SecurityMode(mode.into()),
                capabilities: Capabilities(capabilities),
                previous_session_id,
                token,
            },
        )
    }

    fn response() -> impl Strategy<Value = SessionSetupResponse> {
        (any::<u16>(), token())
            .prop_map(|(flags, token)| SessionSetupResponse { flags: SessionFlags(flags), token })
    }

    message_tests!(session_setup_request, SessionSetupRequest, request(), |m: &SessionSetupRequest| vec![
        Part::new((12, 2), (14, 2), m.token.clone())
    ]);
    message_tests!(
        session_setup_response,
        SessionSetupResponse,
        response(),
        |m: &SessionSetupResponse| vec![Part::new((4, 2), (6, 2), m.token.clone())]
    );
}
