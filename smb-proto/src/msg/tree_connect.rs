//! SMB2 TREE_CONNECT — [MS-SMB2] 2.2.9, 2.2.10.

use crate::{
    codec::{
        Body, Message,
        message::variable_offset,
        num::{fixed, le_u8, le_u16, le_u32, len16, structure_size},
        utf16,
    },
    command::{Command, wire_enum, wire_flags},
    error::ParseError,
    msg::types::Access,
};
use bytes::BufMut;

wire_flags! {
    /// Flags of a TREE_CONNECT request (3.1.1; reserved before).
    TreeConnectFlags: u16 {
        /// SMB2_TREE_CONNECT_FLAG_CLUSTER_RECONNECT.
        CLUSTER_RECONNECT = 0x0001,
        /// SMB2_TREE_CONNECT_FLAG_REDIRECT_TO_OWNER.
        REDIRECT_TO_OWNER = 0x0002,
        /// SMB2_TREE_CONNECT_FLAG_EXTENSION_PRESENT.
        EXTENSION_PRESENT = 0x0004,
    }
}

wire_enum! {
    /// ShareType of a TREE_CONNECT response.
    ShareType: u8 {
        /// A file share.
        DISK = 0x01,
        /// Named pipes: IPC$.
        PIPE = 0x02,
        /// A printer.
        PRINT = 0x03,
    }
}

wire_flags! {
    /// ShareFlags of a TREE_CONNECT response. The caching policy is a two-bit number, so
    /// its value 0 (manual caching) has no flag.
    ShareFlags: u32 {
        /// SMB2_SHAREFLAG_DFS.
        DFS = 0x0000_0001,
        /// SMB2_SHAREFLAG_DFS_ROOT.
        DFS_ROOT = 0x0000_0002,
        /// SMB2_SHAREFLAG_AUTO_CACHING.
        AUTO_CACHING = 0x0000_0010,
        /// SMB2_SHAREFLAG_VDO_CACHING.
        VDO_CACHING = 0x0000_0020,
        /// SMB2_SHAREFLAG_RESTRICT_EXCLUSIVE_OPENS.
        RESTRICT_EXCLUSIVE_OPENS = 0x0000_0100,
        /// SMB2_SHAREFLAG_FORCE_SHARED_DELETE.
        FORCE_SHARED_DELETE = 0x0000_0200,
        /// SMB2_SHAREFLAG_ALLOW_NAMESPACE_CACHING.
        ALLOW_NAMESPACE_CACHING = 0x0000_0400,
        /// SMB2_SHAREFLAG_ACCESS_BASED_DIRECTORY_ENUM.
        ACCESS_BASED_DIRECTORY_ENUM = 0x0000_0800,
        /// SMB2_SHAREFLAG_FORCE_LEVELII_OPLOCK.
        FORCE_LEVELII_OPLOCK = 0x0000_1000,
        /// SMB2_SHAREFLAG_ENABLE_HASH_V1.
        ENABLE_HASH_V1 = 0x0000_2000,
        /// SMB2_SHAREFLAG_ENABLE_HASH_V2.
        ENABLE_HASH_V2 = 0x0000_4000,
        /// SMB2_SHAREFLAG_ENCRYPT_DATA: everything on this share must be sealed.
        ENCRYPT_DATA = 0x0000_8000,
        /// SMB2_SHAREFLAG_IDENTITY_REMOTING.
        IDENTITY_REMOTING = 0x0004_0000,
        /// SMB2_SHAREFLAG_COMPRESS_DATA.
        COMPRESS_DATA = 0x0010_0000,
        /// SMB2_SHAREFLAG_ISOLATED_TRANSPORT.
        ISOLATED_TRANSPORT = 0x0020_0000,
    }
}

wire_flags! {
    /// Capabilities of a share.
    ShareCapabilities: u32 {
        /// SMB2_SHARE_CAP_DFS.
        DFS = 0x0000_0008,
        /// SMB2_SHARE_CAP_CONTINUOUS_AVAILABILITY.
        CONTINUOUS_AVAILABILITY = 0x0000_0010,
        /// SMB2_SHARE_CAP_SCALEOUT.
        SCALEOUT = 0x0000_0020,
        /// SMB2_SHARE_CAP_CLUSTER.
        CLUSTER = 0x0000_0040,
        /// SMB2_SHARE_CAP_ASYMMETRIC.
        ASYMMETRIC = 0x0000_0080,
        /// SMB2_SHARE_CAP_REDIRECT_TO_OWNER.
        REDIRECT_TO_OWNER = 0x0000_0100,
    }
}

/// SMB2 TREE_CONNECT Request — [MS-SMB2] 2.2.9. The extension (2.2.9.1) is not read: a request that has one
/// keeps its flag and its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeConnectRequest {
    /// Flags.
    pub flags: TreeConnectFlags,
    /// `\\server\share`.
    pub path: String,
}

const REQUEST_FIXED: usize = 8;

impl<'a> Message<'a> for TreeConnectRequest {
    const COMMAND: Command = Command::TREE_CONNECT;

    fn parse(body: &Body<'a>) -> Result<Self, ParseError> {
        const WHAT: &str = "TREE_CONNECT request";
        let (_, (size, flags, offset, len)) = fixed(WHAT, body.fixed(), (le_u16, le_u16, le_u16, le_u16))?;
        structure_size(WHAT, 9, size)?;
        let path = utf16::decode("tree path", body.slice_at("tree path", offset, len)?)?;
        Ok(Self { flags: TreeConnectFlags(flags), path })
    }

    fn wire_len(&self) -> usize {
        REQUEST_FIXED + utf16::encoded_len(&self.path)
    }

    fn emit(&self, out: &mut impl BufMut) {
        out.put_u16_le(9);
        out.put_u16_le(self.flags.0);
        out.put_u16_le(len16(variable_offset(REQUEST_FIXED)));
        out.put_u16_le(len16(utf16::encoded_len(&self.path)));
        utf16::encode(&self.path, out);
    }
}

/// SMB2 TREE_CONNECT Response — [MS-SMB2] 2.2.10.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeConnectResponse {
    /// Disk, pipe or printer.
    pub share_type: ShareType,
    /// Properties of the share.
    pub flags: ShareFlags,
    /// Capabilities of the share.
    pub capabilities: ShareCapabilities,
    /// The most the user may ask for on this share.
    pub maximal_access: Access,
}

impl<'a> Message<'a> for TreeConnectResponse {
    const COMMAND: Command = Command::TREE_CONNECT;

    fn parse(body: &Body<'a>) -> Result<Self, ParseError> {
        const WHAT: &str = "TREE_CONNECT response";
        let (_, (size, share_type, _, flags, capabilities, access)) =
            fixed(WHAT, body.fixed(), (le_u16, le_u8, le_u8, le_u32, le_u32, le_u32))?;
        structure_size(WHAT, 16, size)?;
        Ok(Self {
            share_type: ShareType(share_type),
            flags: ShareFlags(flags),
            capabilities: ShareCapabilities(capabilities),
            maximal_access: Access(access),
        })
    }

    fn wire_len(&self) -> usize {
        16
    }

    fn emit(&self, out: &mut impl BufMut) {
        out.put_u16_le(16);
        out.put_u8(self.share_type.0);
        out.put_u8(0);
        out.put_u32_le(self.flags.0);
        out.put_u32_le(self.capabilities.0);
        out.put_u32_le(self.maximal_access.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::testing::{Part, message_tests};
    use proptest::prelude::*;

    fn request() -> impl Strategy<Value = TreeConnectRequest> {
        (any::<u16>(), "\\PC{0,30}")
            .prop_map(|(flags, path)| TreeConnectRequest { flags: TreeConnectFlags(flags), path })
    }

    fn response() -> impl Strategy<Value = TreeConnectResponse> {
        any::<(u8, u32, u32, u32)>().prop_map(|(share_type, flags, capabilities, access)| {
            TreeConnectResponse {
                share_type: ShareType(share_type),
                flags: ShareFlags(flags),
                capabilities: ShareCapabilities(capabilities),
                maximal_access: Access(access),
            }
        })
    }

    message_tests!(tree_connect_request, TreeConnectRequest, request(), |m: &TreeConnectRequest| vec![
        Part::new((4, 2), (6, 2), utf16::to_bytes(&m.path))
    ]);
    message_tests!(tree_connect_response, TreeConnectResponse, response());
}
