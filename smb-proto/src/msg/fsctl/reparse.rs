//! Reparse points: FSCTL_GET_REPARSE_POINT, FSCTL_SET_REPARSE_POINT, FSCTL_DELETE_REPARSE_POINT — [MS-FSCC] 2.1.2.

use crate::{
    codec::{
        Body,
        num::{array, fixed, le_u16, le_u32, len16, take},
        utf16,
    },
    error::ParseError,
};
use bytes::BufMut;

/// IO_REPARSE_TAG_SYMLINK.
pub const SYMLINK: u32 = 0xa000_000c;
/// IO_REPARSE_TAG_MOUNT_POINT.
pub const MOUNT_POINT: u32 = 0xa000_0003;
/// SYMLINK_FLAG_RELATIVE.
const RELATIVE: u32 = 1;
const WHAT: &str = "REPARSE_DATA_BUFFER";

/// The bit of a tag that is Microsoft's: others come with a GUID.
const MICROSOFT: u32 = 0x8000_0000;

/// REPARSE_DATA_BUFFER and REPARSE_GUID_DATA_BUFFER — [MS-FSCC] 2.1.2.2 to 2.1.2.5.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReparsePoint {
    /// A symbolic link.
    Symlink {
        /// The target as the file system takes it.
        substitute_name: String,
        /// The target as users see it.
        print_name: String,
        /// Whether the target is relative to the link's directory.
        relative: bool,
    },
    /// A junction or a mounted volume.
    MountPoint {
        /// The target as the file system takes it.
        substitute_name: String,
        /// The target as users see it.
        print_name: String,
    },
    /// Another kind of Microsoft's, as it came.
    Other {
        /// Its tag, whose high bit is set.
        tag: u32,
        /// Its data.
        data: Vec<u8>,
    },
    /// A kind of somebody else's, as it came.
    Foreign {
        /// Its tag, whose high bit is clear.
        tag: u32,
        /// Whose it is: ReparseGuid.
        guid: [u8; 16],
        /// Its data.
        data: Vec<u8>,
    },
}

/// The two names at their offsets in the path buffer.
fn names(buffer: &[u8], at: (u16, u16), print_at: (u16, u16)) -> Result<(String, String), ParseError> {
    let buffer = Body::over(buffer, 0);
    let name = |(offset, len): (u16, u16)| utf16::decode(WHAT, buffer.slice_at(WHAT, offset, len)?);
    Ok((name(at)?, name(print_at)?))
}

/// Offsets and lengths of the names, and, behind `flags`, the names.
fn emit_names(substitute: &str, print: &str, flags: Option<u32>, out: &mut Vec<u8>) {
    let substitute_len = utf16::encoded_len(substitute);
    out.put_u16_le(0);
    out.put_u16_le(len16(substitute_len));
    out.put_u16_le(len16(substitute_len));
    out.put_u16_le(len16(utf16::encoded_len(print)));
    if let Some(flags) = flags {
        out.put_u32_le(flags);
    }
    utf16::encode(substitute, out);
    utf16::encode(print, out);
}

impl ReparsePoint {
    /// Its tag.
    pub fn tag(&self) -> u32 {
        match self {
            Self::Symlink { .. } => SYMLINK,
            Self::MountPoint { .. } => MOUNT_POINT,
            Self::Other { tag, .. } | Self::Foreign { tag, .. } => *tag,
        }
    }

    /// Reads the buffer.
    pub fn parse(buffer: &[u8]) -> Result<Self, ParseError> {
        let (rest, (tag, len, _)) = fixed(WHAT, buffer, (le_u32, le_u16, le_u16))?;
        if tag & MICROSOFT == 0 {
            let (_, (guid, data)) = fixed(WHAT, rest, (array::<16>, take(len)))?;
            return Ok(Self::Foreign { tag, guid, data: data.to_vec() });
        }
        let (_, data) = fixed(WHAT, rest, take(len))?;
        match tag {
            SYMLINK => {
                let parts = (le_u16, le_u16, le_u16, le_u16, le_u32);
                let (path, (at, len, print_at, print_len, flags)) = fixed(WHAT, data, parts)?;
                let (substitute_name, print_name) = names(path, (at, len), (print_at, print_len))?;
                Ok(Self::Symlink { substitute_name, print_name, relative: flags & RELATIVE != 0 })
            }
            MOUNT_POINT => {
                let (path, (at, len, print_at, print_len)) =
                    fixed(WHAT, data, (le_u16, le_u16, le_u16, le_u16))?;
                let (substitute_name, print_name) = names(path, (at, len), (print_at, print_len))?;
                Ok(Self::MountPoint { substitute_name, print_name })
            }
            tag => Ok(Self::Other { tag, data: data.to_vec() }),
        }
    }

    /// The buffer.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut data = Vec::new();
        match self {
            Self::Symlink { substitute_name, print_name, relative } => {
                let flags = if *relative { RELATIVE } else { 0 };
                emit_names(substitute_name, print_name, Some(flags), &mut data);
            }
            Self::MountPoint { substitute_name, print_name } => {
                emit_names(substitute_name, print_name, None, &mut data);
            }
            Self::Other { data: opaque, .. } | Self::Foreign { data: opaque, .. } => data.put_slice(opaque),
        }
        let mut out = Vec::with_capacity(24 + data.len());
        out.put_u32_le(self.tag());
        out.put_u16_le(len16(data.len()));
        out.put_u16_le(0);
        if let Self::Foreign { guid, .. } = self {
            // Not counted by the length.
            out.put_slice(guid);
        }
        out.put_slice(&data);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::field::testing::{check_buffer, hex};

    #[test]
    fn links_mount_points_and_others() {
        let link =
            ReparsePoint::Symlink { substitute_name: "..\\a".into(), print_name: "b".into(), relative: true };
        let wire = "0c0000a0 1600 0000 0000 0800 0800 0200 01000000 2e00 2e00 5c00 6100 6200";
        check_buffer!(ReparsePoint, link, hex(wire));
        let mount = ReparsePoint::MountPoint { substitute_name: "a".into(), print_name: "bc".into() };
        check_buffer!(ReparsePoint, mount, hex("030000a0 0e00 0000 0000 0200 0200 0400 6100 6200 6300"));
        let other = ReparsePoint::Other { tag: 0x8000_0013, data: vec![1, 2, 3] };
        check_buffer!(ReparsePoint, other, hex("13000080 0300 0000 010203"));
        let foreign = ReparsePoint::Foreign { tag: 0x13, guid: [7; 16], data: vec![1, 2, 3] };
        let guid = "07070707 07070707 07070707 07070707";
        check_buffer!(ReparsePoint, foreign, hex(&format!("13000000 0300 0000 {guid} 010203")));
    }

    #[test]
    fn names_are_found_by_their_offsets() {
        let wire = hex("0c0000a0 1400 0000 0400 0200 0000 0200 00000000 6200 ffff 6100 0000");
        let ReparsePoint::Symlink { substitute_name, print_name, relative } =
            ReparsePoint::parse(&wire).unwrap()
        else {
            panic!("a link");
        };
        assert_eq!((substitute_name.as_str(), print_name.as_str(), relative), ("a", "b", false));
        let outside = hex("0c0000a0 0e00 0000 0400 0200 0000 0200 00000000 6200");
        assert!(ReparsePoint::parse(&outside).is_err());
    }
}
