//! SMB2 QUERY_INFO — [MS-SMB2] 2.2.37, 2.2.38 — and the responses that QUERY_DIRECTORY and CHANGE_NOTIFY
//! have in the same form — 2.2.34, 2.2.36.

use crate::{
    codec::{
        Body, Message,
        message::variable_offset,
        num::{fixed, le_u8, le_u16, le_u32, len16, len32, structure_size},
    },
    command::{Command, wire_enum},
    dtyp::SecurityInformation,
    error::ParseError,
    msg::types::FileId,
};
use bytes::BufMut;

wire_enum! {
    /// InfoType of QUERY_INFO and SET_INFO.
    InfoType: u8 {
        /// SMB2_0_INFO_FILE.
        FILE = 0x01,
        /// SMB2_0_INFO_FILESYSTEM.
        FILESYSTEM = 0x02,
        /// SMB2_0_INFO_SECURITY.
        SECURITY = 0x03,
        /// SMB2_0_INFO_QUOTA.
        QUOTA = 0x04,
    }
}

/// SMB2 QUERY_INFO Request — [MS-SMB2] 2.2.37.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryInfoRequest {
    /// File, file system, security or quota.
    pub info_type: InfoType,
    /// The class, in the numbering of the type.
    pub class: u8,
    /// The most bytes wanted.
    pub output_len: u32,
    /// For security: which parts ([`security_information`](Self::security_information)). For extended attributes: the index to begin at.
    pub additional_information: u32,
    /// SL_RESTART_SCAN and its kin, for extended attributes.
    pub flags: u32,
    /// The open.
    pub file_id: FileId,
    /// For quotas and extended attributes: what to look for.
    pub input: Vec<u8>,
}

impl QueryInfoRequest {
    /// Asks for parts of the security descriptor; the answer is a
    /// [`SecurityDescriptor`](crate::dtyp::SecurityDescriptor).
    pub const fn security(file_id: FileId, parts: SecurityInformation, output_len: u32) -> Self {
        Self {
            info_type: InfoType::SECURITY,
            class: 0,
            output_len,
            additional_information: parts.0,
            flags: 0,
            file_id,
            input: Vec::new(),
        }
    }

    /// For security: the parts asked for.
    pub const fn security_information(&self) -> SecurityInformation {
        SecurityInformation(self.additional_information)
    }
}

const REQUEST_FIXED: usize = 40;
const RESPONSE_FIXED: usize = 8;

impl<'a> Message<'a> for QueryInfoRequest {
    const COMMAND: Command = Command::QUERY_INFO;

    fn parse(body: &Body<'a>) -> Result<Self, ParseError> {
        const WHAT: &str = "QUERY_INFO request";
        let head = (le_u16, le_u8, le_u8, le_u32, le_u16, le_u16, le_u32, le_u32, le_u32, FileId::parse);
        let (_, (size, info_type, class, output_len, input_at, _, input_len, additional, flags, file_id)) =
            fixed(WHAT, body.fixed(), head)?;
        structure_size(WHAT, 41, size)?;
        Ok(Self {
            info_type: InfoType(info_type),
            class,
            output_len,
            additional_information: additional,
            flags,
            file_id,
            input: body.slice_at("QUERY_INFO input", input_at, input_len)?.to_vec(),
        })
    }

    fn wire_len(&self) -> usize {
        REQUEST_FIXED + self.input.len().max(1)
    }

    fn emit(&self, out: &mut impl BufMut) {
        out.put_u16_le(41);
        out.put_u8(self.info_type.0);
        out.put_u8(self.class);
        out.put_u32_le(self.output_len);
        out.put_u16_le(if self.input.is_empty() { 0 } else { len16(variable_offset(REQUEST_FIXED)) });
        out.put_u16_le(0);
        out.put_u32_le(len32(self.input.len()));
        out.put_u32_le(self.additional_information);
        out.put_u32_le(self.flags);
        self.file_id.emit(out);
        out.put_slice(&self.input);
        if self.input.is_empty() {
            out.put_u8(0);
        }
    }
}

macro_rules! output_message {
    ($(#[$doc:meta])* $name:ident, $command:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name {
            /// The answer, in the form of the class asked for.
            pub output: Vec<u8>,
        }

        impl<'a> Message<'a> for $name {
            const COMMAND: Command = Command::$command;

            fn parse(body: &Body<'a>) -> Result<Self, ParseError> {
                let (_, (size, offset, len)) = fixed(stringify!($name), body.fixed(), (le_u16, le_u16, le_u32))?;
                structure_size(stringify!($name), 9, size)?;
                Ok(Self { output: body.slice_at("output buffer", offset, len)?.to_vec() })
            }

            fn wire_len(&self) -> usize {
                RESPONSE_FIXED + self.output.len().max(1)
            }

            fn emit(&self, out: &mut impl BufMut) {
                out.put_u16_le(9);
                out.put_u16_le(len16(variable_offset(RESPONSE_FIXED)));
                out.put_u32_le(len32(self.output.len()));
                out.put_slice(&self.output);
                if self.output.is_empty() {
                    out.put_u8(0);
                }
            }
        }
    };
}

output_message!(
    /// SMB2 QUERY_INFO Response — [MS-SMB2] 2.2.38.
    QueryInfoResponse, QUERY_INFO
);
output_message!(
    /// SMB2 QUERY_DIRECTORY Response — [MS-SMB2] 2.2.34.
    QueryDirectoryResponse, QUERY_DIRECTORY
);
output_message!(
    /// SMB2 CHANGE_NOTIFY Response — [MS-SMB2] 2.2.36: records of [`notify`](crate::fscc::notify).
    ChangeNotifyResponse, CHANGE_NOTIFY
);

#[cfg(test)]
mod tests {
    use super::*;

    /// As smbclient's `showacls` asks.
    #[test]
    fn security_is_asked_for_by_parts() {
        let parts = SecurityInformation::ORDINARY;
        let asked = QueryInfoRequest::security(FileId::ANY, parts, 0xffff);
        let mut wire = Vec::new();
        asked.emit(&mut wire);
        assert_eq!(
            wire[..24],
            [41, 0, 3, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0]
        );
        assert_eq!(asked.security_information(), parts);
    }
    use crate::codec::testing::{Part, message_tests};
    use proptest::prelude::*;

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(any::<u8>(), 0..60)
    }

    fn request() -> impl Strategy<Value = QueryInfoRequest> {
        (any::<(u8, u8, u32, u32, u32, u64, u64)>(), bytes()).prop_map(|(head, input)| QueryInfoRequest {
            info_type: InfoType(head.0),
            class: head.1,
            output_len: head.2,
            additional_information: head.3,
            flags: head.4,
            file_id: FileId { persistent: head.5, volatile: head.6 },
            input,
        })
    }

    message_tests!(query_info_request, QueryInfoRequest, request(), |m: &QueryInfoRequest| vec![Part::new(
        (8, 2),
        (12, 4),
        m.input.clone()
    )]);
    message_tests!(
        query_info_response,
        QueryInfoResponse,
        bytes().prop_map(|output| QueryInfoResponse { output }),
        |m: &QueryInfoResponse| vec![Part::new((2, 2), (4, 4), m.output.clone())]
    );
    message_tests!(
        query_directory_response,
        QueryDirectoryResponse,
        bytes().prop_map(|output| QueryDirectoryResponse { output }),
        |m: &QueryDirectoryResponse| vec![Part::new((2, 2), (4, 4), m.output.clone())]
    );
    message_tests!(
        change_notify_response,
        ChangeNotifyResponse,
        bytes().prop_map(|output| ChangeNotifyResponse { output }),
        |m: &ChangeNotifyResponse| vec![Part::new((2, 2), (4, 4), m.output.clone())]
    );
}
