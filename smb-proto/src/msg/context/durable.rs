//! Opens that outlive their connection — [MS-SMB2] 2.2.13.2.3, .4, .11, .12 and 2.2.14.2.3, .12.

use super::typed::ContextData;
use crate::{
    codec::num::{array, fixed, le_u32, le_u64},
    command::wire_flags,
    error::ParseError,
    msg::types::FileId,
};
use bytes::BufMut;

macro_rules! reserved_context {
    ($(#[$doc:meta])* $name:ident: $wire:literal, $len:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub struct $name;

        impl ContextData for $name {
            const NAME: &'static [u8] = $wire;

            fn parse(data: &[u8]) -> Result<Self, ParseError> {
                fixed(stringify!($name), data, array::<$len>).map(|_| Self)
            }

            fn to_data(&self) -> Vec<u8> {
                vec![0; $len]
            }
        }
    };
}

reserved_context!(
    /// SMB2_CREATE_DURABLE_HANDLE_REQUEST — [MS-SMB2] 2.2.13.2.3.
    DurableRequest: b"DHnQ", 16
);
reserved_context!(
    /// SMB2_CREATE_DURABLE_HANDLE_RESPONSE — [MS-SMB2] 2.2.14.2.3: it was granted.
    DurableResponse: b"DHnQ", 8
);

/// SMB2_CREATE_DURABLE_HANDLE_RECONNECT — [MS-SMB2] 2.2.13.2.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DurableReconnect {
    /// The open as it was named before.
    pub file_id: FileId,
}

impl ContextData for DurableReconnect {
    const NAME: &'static [u8] = b"DHnC";

    fn parse(data: &[u8]) -> Result<Self, ParseError> {
        fixed("durable reconnect", data, FileId::parse).map(|(_, file_id)| Self { file_id })
    }

    fn to_data(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(16);
        self.file_id.emit(&mut out);
        out
    }
}

wire_flags! {
    /// Flags of the second version's contexts.
    DurableFlags: u32 {
        /// SMB2_DHANDLE_FLAG_PERSISTENT.
        PERSISTENT = 0x0000_0002,
    }
}

/// SMB2_CREATE_DURABLE_HANDLE_REQUEST_V2 — [MS-SMB2] 2.2.13.2.11.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DurableRequestV2 {
    /// Milliseconds the open is to outlive its connection; 0 leaves it to the server.
    pub timeout: u32,
    /// Whether it is to be persistent.
    pub flags: DurableFlags,
    /// Names this CREATE, so that a replay of it is known.
    pub create_guid: [u8; 16],
}

impl ContextData for DurableRequestV2 {
    const NAME: &'static [u8] = b"DH2Q";

    fn parse(data: &[u8]) -> Result<Self, ParseError> {
        let (_, (timeout, flags, _, create_guid)) =
            fixed("durable request v2", data, (le_u32, le_u32, le_u64, array::<16>))?;
        Ok(Self { timeout, flags: DurableFlags(flags), create_guid })
    }

    fn to_data(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(32);
        out.put_u32_le(self.timeout);
        out.put_u32_le(self.flags.0);
        out.put_u64_le(0);
        out.put_slice(&self.create_guid);
        out
    }
}

/// SMB2_CREATE_DURABLE_HANDLE_RESPONSE_V2 — [MS-SMB2] 2.2.14.2.12.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DurableResponseV2 {
    /// Milliseconds the open outlives its connection.
    pub timeout: u32,
    /// Whether it is persistent.
    pub flags: DurableFlags,
}

impl ContextData for DurableResponseV2 {
    const NAME: &'static [u8] = b"DH2Q";

    fn parse(data: &[u8]) -> Result<Self, ParseError> {
        let (_, (timeout, flags)) = fixed("durable response v2", data, (le_u32, le_u32))?;
        Ok(Self { timeout, flags: DurableFlags(flags) })
    }

    fn to_data(&self) -> Vec<u8> {
        [self.timeout, self.flags.0].map(u32::to_le_bytes).concat()
    }
}

/// SMB2_CREATE_DURABLE_HANDLE_RECONNECT_V2 — [MS-SMB2] 2.2.13.2.12.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DurableReconnectV2 {
    /// The open as it was named before.
    pub file_id: FileId,
    /// The CREATE that made it.
    pub create_guid: [u8; 16],
    /// Whether it is persistent.
    pub flags: DurableFlags,
}

impl ContextData for DurableReconnectV2 {
    const NAME: &'static [u8] = b"DH2C";

    fn parse(data: &[u8]) -> Result<Self, ParseError> {
        let (_, (file_id, create_guid, flags)) =
            fixed("durable reconnect v2", data, (FileId::parse, array::<16>, le_u32))?;
        Ok(Self { file_id, create_guid, flags: DurableFlags(flags) })
    }

    fn to_data(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(36);
        self.file_id.emit(&mut out);
        out.put_slice(&self.create_guid);
        out.put_u32_le(self.flags.0);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::{super::typed::check, *};
    use crate::codec::field::testing::hex;

    const FILE_ID: FileId = FileId { persistent: 0xfe9d_9e21, volatile: 0x3c76_4f4f };

    #[test]
    fn first_version() {
        check(&DurableRequest, &[0; 16]);
        check(&DurableResponse, &[0; 8]);
        check(&DurableReconnect { file_id: FILE_ID }, &hex("219e9dfe00000000 4f4f763c00000000"));
    }

    #[test]
    fn second_version() {
        let create_guid = [7; 16];
        let guid = "07070707070707070707070707070707";
        let flags = DurableFlags::PERSISTENT;
        let request = DurableRequestV2 { timeout: u32::MAX, flags, create_guid };
        check(&request, &hex(&format!("ffffffff 02000000 0000000000000000 {guid}")));
        check(&DurableResponseV2 { timeout: 300_000, flags }, &hex("e0930400 02000000"));
        let reconnect = DurableReconnectV2 { file_id: FILE_ID, create_guid, flags };
        check(&reconnect, &hex(&format!("219e9dfe00000000 4f4f763c00000000 {guid} 02000000")));
    }
}
