//! SMB2 SET_INFO — [MS-SMB2] 2.2.39, 2.2.40.

use crate::{
    codec::{
        Body, Message,
        message::variable_offset,
        num::{fixed, le_u8, le_u16, le_u32, len16, len32, structure_size},
    },
    command::Command,
    dtyp::{SecurityDescriptor, SecurityInformation},
    error::ParseError,
    msg::{query_info::InfoType, types::FileId},
};
use bytes::BufMut;

/// SMB2 SET_INFO Request — [MS-SMB2] 2.2.39.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetInfoRequest {
    /// File, file system, security or quota.
    pub info_type: InfoType,
    /// The class, in the numbering of the type.
    pub class: u8,
    /// For security: which parts ([`security_information`](Self::security_information)).
    pub additional_information: u32,
    /// The open.
    pub file_id: FileId,
    /// The information, in the form of the class.
    pub input: Vec<u8>,
}

impl SetInfoRequest {
    /// Sets parts of the security descriptor.
    pub fn security(file_id: FileId, parts: SecurityInformation, descriptor: &SecurityDescriptor) -> Self {
        let (info_type, input) = (InfoType::SECURITY, descriptor.to_bytes());
        Self { info_type, class: 0, additional_information: parts.0, file_id, input }
    }

    /// For security: the parts to set.
    pub const fn security_information(&self) -> SecurityInformation {
        SecurityInformation(self.additional_information)
    }
}

const REQUEST_FIXED: usize = 32;

impl<'a> Message<'a> for SetInfoRequest {
    const COMMAND: Command = Command::SET_INFO;

    fn parse(body: &Body<'a>) -> Result<Self, ParseError> {
        const WHAT: &str = "SET_INFO request";
        let parser = (le_u16, le_u8, le_u8, le_u32, le_u16, le_u16, le_u32, FileId::parse);
        let (_, (size, info_type, class, len, offset, _, additional_information, file_id)) =
            fixed(WHAT, body.fixed(), parser)?;
        structure_size(WHAT, 33, size)?;
        Ok(Self {
            info_type: InfoType(info_type),
            class,
            additional_information,
            file_id,
            input: body.slice_at("SET_INFO input", offset, len)?.to_vec(),
        })
    }

    fn wire_len(&self) -> usize {
        REQUEST_FIXED + self.input.len().max(1)
    }

    fn emit(&self, out: &mut impl BufMut) {
        out.put_u16_le(33);
        out.put_u8(self.info_type.0);
        out.put_u8(self.class);
        out.put_u32_le(len32(self.input.len()));
        out.put_u16_le(len16(variable_offset(REQUEST_FIXED)));
        out.put_u16_le(0);
        out.put_u32_le(self.additional_information);
        self.file_id.emit(out);
        out.put_slice(&self.input);
        if self.input.is_empty() {
            out.put_u8(0);
        }
    }
}

/// SMB2 SET_INFO Response — [MS-SMB2] 2.2.40.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SetInfoResponse;

impl<'a> Message<'a> for SetInfoResponse {
    const COMMAND: Command = Command::SET_INFO;

    fn parse(body: &Body<'a>) -> Result<Self, ParseError> {
        let (_, size) = fixed("SET_INFO response", body.fixed(), le_u16)?;
        structure_size("SET_INFO response", 2, size)?;
        Ok(Self)
    }

    fn wire_len(&self) -> usize {
        2
    }

    fn emit(&self, out: &mut impl BufMut) {
        out.put_u16_le(2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn security_is_set_by_parts() {
        let descriptor = SecurityDescriptor::default();
        let parts = SecurityInformation::DACL;
        let request = SetInfoRequest::security(FileId::ANY, parts, &descriptor);
        assert_eq!((request.info_type, request.class), (InfoType::SECURITY, 0));
        assert_eq!(request.security_information(), parts);
        assert_eq!(SecurityDescriptor::parse(&request.input).unwrap(), descriptor);
    }
    use crate::codec::testing::{Part, message_tests};
    use proptest::prelude::*;

    fn request() -> impl Strategy<Value = SetInfoRequest> {
        let input = prop::collection::vec(any::<u8>(), 0..60);
        (any::<(u8, u8, u32, u64, u64)>(), input).prop_map(|(head, input)| SetInfoRequest {
            info_type: InfoType(head.0),
            class: head.1,
            additional_information: head.2,
            file_id: FileId { persistent: head.3, volatile: head.4 },
            input,
        })
    }

    message_tests!(set_info_request, SetInfoRequest, request(), |m: &SetInfoRequest| vec![Part::new(
        (8, 2),
        (4, 4),
        m.input.clone()
    )]);
    message_tests!(set_info_response, SetInfoResponse, Just(SetInfoResponse));
}
