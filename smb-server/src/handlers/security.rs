//! The security descriptor that every file has here — [MS-DTYP] 2.4.6: the back ends keep none, so it says what
//! is so: everybody who is let into the share may do what the share allows.

use smb_proto::msg::Access;

/// AdditionalInformation: which parts are asked for — [MS-SMB2] 2.2.37.
const OWNER: u32 = 1;
const GROUP: u32 = 2;
const DACL: u32 = 4;
const SACL: u32 = 8;

/// Header of a self-relative descriptor.
const HEADER: usize = 20;
const SELF_RELATIVE: u16 = 0x8000;
const DACL_PRESENT: u16 = 0x0004;
const SACL_PRESENT: u16 = 0x0010;
/// BUILTIN\Administrators, S-1-5-32-544.
const ADMINISTRATORS: [u8; 16] = [1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0];
/// Everyone, S-1-1-0.
const EVERYONE: [u8; 12] = [1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0];

/// The parts asked for of the descriptor of a file whose share allows `access`.
pub(super) fn descriptor(parts: u32, access: Access) -> Vec<u8> {
    let mut control = SELF_RELATIVE;
    let mut body = Vec::new();
    let mut place = |part: &[u8]| {
        let at = u32::try_from(HEADER + body.len()).unwrap_or(0);
        body.extend_from_slice(part);
        at
    };
    let owner = if parts & OWNER != 0 { place(&ADMINISTRATORS) } else { 0 };
    let group = if parts & GROUP != 0 { place(&ADMINISTRATORS) } else { 0 };
    if parts & SACL != 0 {
        // Present and null: nothing is audited.
        control |= SACL_PRESENT;
    }
    let dacl = if parts & DACL != 0 {
        control |= DACL_PRESENT;
        place(&acl(access))
    } else {
        0
    };
    let mut out = vec![1, 0];
    out.extend(control.to_le_bytes());
    [owner, group, 0, dacl].into_iter().for_each(|offset| out.extend(offset.to_le_bytes()));
    out.extend(body);
    out
}

/// A list of one entry: everyone is allowed `access`.
fn acl(access: Access) -> Vec<u8> {
    const ACE: u8 = 8 + 12;
    const LIST: u8 = 8 + ACE;
    let mut out = vec![2, 0, LIST, 0, 1, 0, 0, 0];
    out.extend([0, 0, ACE, 0]);
    out.extend(access.0.to_le_bytes());
    out.extend(EVERYONE);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_lie_where_the_header_says() {
        let whole = descriptor(OWNER | GROUP | DACL, Access::FILE_ALL);
        assert_eq!(whole[..4], [1, 0, 0x04, 0x80]);
        let at = |field: usize| usize::from(whole[field]);
        assert_eq!(whole[at(4)..at(4) + 16], ADMINISTRATORS);
        assert_eq!(whole[at(8)..at(8) + 16], ADMINISTRATORS);
        let acl = &whole[at(16)..];
        assert_eq!(acl.len(), usize::from(acl[2]));
        assert_eq!(acl[12..16], Access::FILE_ALL.0.to_le_bytes());
        assert_eq!(whole[12..16], [0; 4]);
    }

    #[test]
    fn parts_not_asked_for_are_not_there() {
        assert_eq!(descriptor(0, Access::FILE_ALL).len(), HEADER);
        assert_eq!(descriptor(OWNER, Access::FILE_ALL).len(), HEADER + 16);
    }
}
