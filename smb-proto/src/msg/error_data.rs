//! What an ERROR response says beyond its status — [MS-SMB2] 2.2.2.1, 2.2.2.2.
//!
//! 3.1.1 wraps each statement in a context; older dialects have one without a wrapper. [`ErrorResponse::statements`] reads
//! both.

use crate::{
    codec::{
        Body,
        num::{fixed, le_u16, le_u32, len16, len32, pad8, size, take},
        utf16,
    },
    error::ParseError,
    msg::{ErrorResponse, fsctl::reparse::SYMLINK},
    status::NtStatus,
};
use bytes::BufMut;
use std::net::{Ipv4Addr, Ipv6Addr};

/// SMB2_ERROR_ID_DEFAULT: what the statement is depends on the status.
const ID_DEFAULT: u32 = 0;
/// SMB2_ERROR_ID_SHARE_REDIRECT.
const ID_SHARE_REDIRECT: u32 = 0x7264_5253;
/// SymLinkErrorTag.
const SYMLINK_TAG: u32 = 0x4c4d_5953;
/// SYMLINK_FLAG_RELATIVE.
const RELATIVE: u32 = 1;

/// Symbolic Link Error Response — [MS-SMB2] 2.2.2.2.1, with STATUS_STOPPED_ON_SYMLINK: the path leads over a link, which
/// the client must follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SymlinkError {
    /// Bytes of the path, from its end, that were not looked at yet.
    pub unparsed_path_length: u16,
    /// The link's target as the file system takes it.
    pub substitute_name: String,
    /// The link's target as users see it.
    pub print_name: String,
    /// Whether the target is relative to the link's directory.
    pub relative: bool,
}

/// Share Redirect Error Context Response — [MS-SMB2] 2.2.2.2.2, with STATUS_BAD_NETWORK_NAME: the share is to be reached at
/// another node of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareRedirect {
    /// The share, `\\server\share`.
    pub resource_name: String,
    /// Where to go.
    pub addresses: Vec<std::net::IpAddr>,
}

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorStatement {
    /// With STATUS_STOPPED_ON_SYMLINK.
    Symlink(SymlinkError),
    /// With STATUS_BAD_NETWORK_NAME.
    ShareRedirect(ShareRedirect),
    /// With STATUS_BUFFER_TOO_SMALL: the bytes the answer needs.
    BufferTooSmall(u32),
    /// Another one, as it came.
    Other {
        /// ErrorId, 0 outside of a context.
        id: u32,
        /// Its data.
        data: Vec<u8>,
    },
}

impl SymlinkError {
    fn parse(data: &[u8]) -> Result<Self, ParseError> {
        const WHAT: &str = "symbolic link error";
        let (rest, (_, tag, reparse_tag, _, unparsed_path_length)) =
            fixed(WHAT, data, (le_u32, le_u32, le_u32, le_u16, le_u16))?;
        if (tag, reparse_tag) != (SYMLINK_TAG, SYMLINK) {
            return Err(ParseError::Value { what: WHAT, value: tag.into() });
        }
        let (path, (at, len, print_at, print_len, flags)) =
            fixed(WHAT, rest, (le_u16, le_u16, le_u16, le_u16, le_u32))?;
        let path = Body::over(path, 0);
        Ok(Self {
            unparsed_path_length,
            substitute_name: utf16::decode(WHAT, path.slice_at(WHAT, at, len)?)?,
            print_name: utf16::decode(WHAT, path.slice_at(WHAT, print_at, print_len)?)?,
            relative: flags & RELATIVE != 0,
        })
    }

    fn to_bytes(&self) -> Vec<u8> {
        let (substitute, print) = (utf16::to_bytes(&self.substitute_name), utf16::to_bytes(&self.print_name));
        let names = substitute.len() + print.len();
        let mut out = Vec::with_capacity(28 + names);
        out.put_u32_le(len32(24 + names));
        out.put_u32_le(SYMLINK_TAG);
        out.put_u32_le(SYMLINK);
        out.put_u16_le(len16(12 + names));
        out.put_u16_le(self.unparsed_path_length);
        out.put_u16_le(0);
        out.put_u16_le(len16(substitute.len()));
        out.put_u16_le(len16(substitute.len()));
        out.put_u16_le(len16(print.len()));
        out.put_u32_le(if self.relative { RELATIVE } else { 0 });
        out.put_slice(&substitute);
        out.put_slice(&print);
        out
    }
}

/// Bytes of MOVE_DST_IPADDR ([MS-SMB2] 2.2.2.2.2.1): type, reserved, and room for an IPv6 address.
const ADDRESS: usize = 24;
const IPV4: u32 = 1;
const IPV6: u32 = 2;
/// NotificationType of a share redirect: SHARE_MOVE_NOTIFICATION.
const SHARE_MOVE: u32 = 3;
const REDIRECT_FIXED: usize = 24;
/// StructureSize of a share redirect, whatever it holds.
const REDIRECT_SIZE: u32 = 48;

impl ShareRedirect {
    fn parse(data: &[u8]) -> Result<Self, ParseError> {
        const WHAT: &str = "share redirect";
        let (rest, (_, _, name_at, name_len)) = fixed(WHAT, data, (le_u32, le_u32, le_u32, le_u32))?;
        let (mut rest, (_, _, count)) = fixed(WHAT, rest, (le_u16, le_u16, le_u32))?;
        let mut addresses = Vec::new();
        for _ in 0..count {
            let (behind, (kind, _, address)) = fixed(WHAT, rest, (le_u32, le_u32, take(16usize)))?;
            addresses.extend(Self::address(kind, address));
            rest = behind;
        }
        let name = Body::over(data, REDIRECT_FIXED).slice_at(WHAT, name_at, name_len)?;
        Ok(Self { resource_name: utf16::decode(WHAT, name)?, addresses })
    }

    /// Addresses of other families are left out.
    fn address(kind: u32, bytes: &[u8]) -> Option<std::net::IpAddr> {
        match kind {
            IPV4 => Some(Ipv4Addr::from(*bytes.first_chunk::<4>()?).into()),
            IPV6 => Some(Ipv6Addr::from(*bytes.first_chunk::<16>()?).into()),
            _ => None,
        }
    }

    fn to_bytes(&self) -> Vec<u8> {
        let name_at = REDIRECT_FIXED + ADDRESS * self.addresses.len();
        let name_len = utf16::encoded_len(&self.resource_name);
        let mut out = Vec::with_capacity(name_at + name_len);
        out.put_u32_le(REDIRECT_SIZE);
        out.put_u32_le(SHARE_MOVE);
        out.put_u32_le(len32(name_at));
        out.put_u32_le(len32(name_len));
        out.put_u32_le(0);
        out.put_u32_le(len32(self.addresses.len()));
        for address in &self.addresses {
            let (kind, octets) = match address {
                std::net::IpAddr::V4(address) => (IPV4, address.octets().to_vec()),
                std::net::IpAddr::V6(address) => (IPV6, address.octets().to_vec()),
            };
            out.put_u32_le(kind);
            out.put_u32_le(0);
            out.put_slice(&octets);
            out.put_bytes(0, 16 - octets.len());
        }
        utf16::encode(&self.resource_name, &mut out);
        out
    }
}

impl ErrorStatement {
    fn parse(status: NtStatus, id: u32, data: &[u8]) -> Result<Self, ParseError> {
        match (id, status) {
            (ID_SHARE_REDIRECT, _) => ShareRedirect::parse(data).map(Self::ShareRedirect),
            (ID_DEFAULT, NtStatus::STOPPED_ON_SYMLINK) => SymlinkError::parse(data).map(Self::Symlink),
            (ID_DEFAULT, NtStatus::BUFFER_TOO_SMALL) => {
                fixed("buffer too small", data, le_u32).map(|(_, bytes)| Self::BufferTooSmall(bytes))
            }
            _ => Ok(Self::Other { id, data: data.to_vec() }),
        }
    }

    fn id(&self) -> u32 {
        match self {
            Self::ShareRedirect(_) => ID_SHARE_REDIRECT,
            Self::Other { id, .. } => *id,
            _ => ID_DEFAULT,
        }
    }

    fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Symlink(error) => error.to_bytes(),
            Self::ShareRedirect(redirect) => redirect.to_bytes(),
            Self::BufferTooSmall(bytes) => bytes.to_le_bytes().into(),
            Self::Other { data, .. } => data.clone(),
        }
    }
}

impl ErrorResponse {
    /// What the error says beyond its status. Nothing for most.
    pub fn statements(&self, status: NtStatus) -> Result<Vec<ErrorStatement>, ParseError> {
        const WHAT: &str = "error context";
        if self.data.is_empty() {
            return Ok(Vec::new());
        }
        if self.context_count == 0 {
            return Ok(vec![ErrorStatement::parse(status, ID_DEFAULT, &self.data)?]);
        }
        let mut rest = self.data.as_slice();
        let mut statements = Vec::new();
        for _ in 0..self.context_count {
            let (behind, (len, id)) = fixed(WHAT, rest, (le_u32, le_u32))?;
            let (behind, data) = fixed(WHAT, behind, take(size(len)))?;
            statements.push(ErrorStatement::parse(status, id, data)?);
            // The last context has no padding.
            rest = behind.get(pad8(data.len())..).unwrap_or(&[]);
        }
        Ok(statements)
    }

    /// An error that says more than its status; `contexts` for dialect 3.1.1, which wraps each statement. Older dialects
    /// have room for the first alone.
    pub fn with_statements(statements: &[ErrorStatement], contexts: bool) -> Self {
        if !contexts {
            let data = statements.first().map_or(Vec::new(), ErrorStatement::to_bytes);
            return Self { context_count: 0, data };
        }
        let mut data = Vec::new();
        for statement in statements {
            data.resize(data.len().next_multiple_of(8), 0);
            let bytes = statement.to_bytes();
            data.put_u32_le(len32(bytes.len()));
            data.put_u32_le(statement.id());
            data.put_slice(&bytes);
        }
        Self { context_count: u8::try_from(statements.len()).unwrap_or(u8::MAX), data }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::field::testing::hex;

    fn symlink() -> ErrorStatement {
        ErrorStatement::Symlink(SymlinkError {
            unparsed_path_length: 6,
            substitute_name: "..\\a".into(),
            print_name: "b".into(),
            relative: true,
        })
    }

    const SYMLINK_WIRE: &str = "22000000 53594d4c 0c0000a0 1600 0600 0000 0800 0800 0200 01000000
        2e00 2e00 5c00 6100 6200";

    fn check(status: NtStatus, statements: &[ErrorStatement], contexts: bool) -> Vec<u8> {
        let error = ErrorResponse::with_statements(statements, contexts);
        assert_eq!(error.statements(status).unwrap(), statements);
        for cut in 1..error.data.len() {
            let data = error.data[..cut].to_vec();
            assert!(ErrorResponse { data, ..error }.statements(status).is_err(), "cut to {cut}");
        }
        error.data
    }

    #[test]
    fn symbolic_links() {
        let status = NtStatus::STOPPED_ON_SYMLINK;
        assert_eq!(check(status, &[symlink()], false), hex(SYMLINK_WIRE));
        assert_eq!(check(status, &[symlink()], true), hex(&format!("26000000 00000000 {SYMLINK_WIRE}")));
    }

    #[test]
    fn redirects_and_sizes() {
        let redirect = ErrorStatement::ShareRedirect(ShareRedirect {
            resource_name: "\\\\s\\t".into(),
            addresses: vec!["192.0.2.7".parse().unwrap(), "2001:db8::1".parse().unwrap()],
        });
        let data = check(NtStatus::BAD_NETWORK_NAME, &[redirect], true);
        assert_eq!(data[8..32], hex("30000000 03000000 48000000 0a000000 0000 0000 02000000"));
        assert_eq!(data[32..44], hex("01000000 00000000 c0000207"));
        let mut inside = ErrorResponse { context_count: 1, data };
        inside.data[16] = 20;
        assert!(inside.statements(NtStatus::BAD_NETWORK_NAME).is_err(), "a name in the fixed part");
        let status = NtStatus::BUFFER_TOO_SMALL;
        assert_eq!(check(status, &[ErrorStatement::BufferTooSmall(77)], false), hex("4d000000"));
        assert!(ErrorResponse::default().statements(status).unwrap().is_empty());
    }

    #[test]
    fn several_contexts_lie_at_multiples_of_eight() {
        let other = |id, len| ErrorStatement::Other { id, data: vec![7; len] };
        let error = ErrorResponse::with_statements(&[other(1, 3), other(2, 4)], true);
        assert_eq!(error.data, hex("03000000 01000000 070707 0000000000 04000000 02000000 07070707"));
        assert_eq!(error.statements(NtStatus::ACCESS_DENIED).unwrap(), [other(1, 3), other(2, 4)]);
    }
}
