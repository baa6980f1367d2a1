//! What an open is granted — [MS-SMB2] 3.3.5.9, [MS-FSA] 2.1.5.1.2.1.

use smb_proto::{
    msg::{Access, FileAttributes},
    status::NtStatus,
};

/// Rights that change a file, or its directory.
const CHANGES: Access = Access(
    Access::WRITE_DATA.0
        | Access::APPEND_DATA.0
        | Access::WRITE_EA.0
        | Access::DELETE_CHILD.0
        | Access::WRITE_ATTRIBUTES.0
        | Access::DELETE.0
        | Access::WRITE_DAC.0
        | Access::WRITE_OWNER.0,
);
/// Bits of an access mask that mean nothing.
pub const RESERVED: u32 = !(0x001f_01ff | 0x0300_0000 | 0xf000_0000);

/// The most that opens of a share may be granted.
pub const fn maximal(writable: bool) -> Access {
    if writable { Access::FILE_ALL } else { Access::FILE_ALL.without(CHANGES) }
}

/// What `desired` asks for at most on a share of that `maximal` access.
pub fn grant(desired: Access, maximal: Access) -> Result<Access, NtStatus> {
    if desired.0 == 0 || desired.0 & RESERVED != 0 {
        return Err(NtStatus::ACCESS_DENIED);
    }
    let wanted = desired.mapped().without(Access::MAXIMUM_ALLOWED);
    // Nobody here has the privilege that it takes.
    if wanted.contains(Access::SYSTEM_SECURITY) {
        return Err(NtStatus::PRIVILEGE_NOT_HELD);
    }
    if !maximal.contains(wanted) {
        return Err(NtStatus::ACCESS_DENIED);
    }
    Ok(if desired.contains(Access::MAXIMUM_ALLOWED) { maximal } else { wanted })
}

/// What `desired` is granted where the file's descriptor allows `allowed` and the share `maximal`; else what is missing.
pub fn within_descriptor(desired: Access, allowed: Access, maximal: Access) -> Result<Access, Access> {
    let wanted = desired.mapped().without(Access::MAXIMUM_ALLOWED);
    let missing = wanted.without(allowed);
    if missing != Access::NONE {
        return Err(missing);
    }
    Ok(if desired.contains(Access::MAXIMUM_ALLOWED) { Access(allowed.0 & maximal.0) } else { wanted })
}

/// What a file's attributes leave of a grant: a read-only file's data is not written. `asked` is what was asked for
/// by name; only the maximum gives way silently.
pub fn within_attributes(
    granted: Access,
    asked: Access,
    attributes: FileAttributes,
) -> Result<Access, NtStatus> {
    const DATA: Access = Access(Access::WRITE_DATA.0 | Access::APPEND_DATA.0);
    let protected = attributes.contains(FileAttributes::READONLY)
        && !attributes.contains(FileAttributes::DIRECTORY)
        && granted.intersects(DATA);
    match protected {
        true if asked.mapped().intersects(DATA) => Err(NtStatus::ACCESS_DENIED),
        true => Ok(granted.without(DATA)),
        false => Ok(granted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_what_the_share_allows() {
        let (all, read) = (maximal(true), maximal(false));
        assert_eq!(grant(Access::GENERIC_READ, read), Ok(Access::FILE_READ));
        assert_eq!(grant(Access::GENERIC_WRITE, read), Err(NtStatus::ACCESS_DENIED));
        assert_eq!(grant(Access::DELETE, read), Err(NtStatus::ACCESS_DENIED));
        assert_eq!(grant(Access::MAXIMUM_ALLOWED, read), Ok(read));
        assert_eq!(grant(Access::MAXIMUM_ALLOWED.with(Access::DELETE), read), Err(NtStatus::ACCESS_DENIED));
        assert_eq!(grant(Access::GENERIC_ALL, all), Ok(Access::FILE_ALL));
        assert_eq!(grant(Access::NONE, all), Err(NtStatus::ACCESS_DENIED));
        assert_eq!(grant(Access(0x0400_0000), all), Err(NtStatus::ACCESS_DENIED));
        assert_eq!(grant(Access::SYSTEM_SECURITY, all), Err(NtStatus::PRIVILEGE_NOT_HELD));
    }

    #[test]
    fn a_descriptor_limits_and_says_what_is_missing() {
        let allowed = Access::FILE_READ.with(Access::DELETE);
        let within = |desired| within_descriptor(desired, allowed, Access::FILE_READ);
        assert_eq!(within(Access::GENERIC_READ), Ok(Access::FILE_READ));
        assert_eq!(within(Access::READ_DATA.with(Access::WRITE_DATA)), Err(Access::WRITE_DATA));
        assert_eq!(within(Access::MAXIMUM_ALLOWED), Ok(Access::FILE_READ), "the share allows no more");
        assert_eq!(within(Access::MAXIMUM_ALLOWED.with(Access::WRITE_DAC)), Err(Access::WRITE_DAC));
    }

    #[test]
    fn read_only_files_keep_their_data() {
        let attributes = FileAttributes::READONLY;
        let asked = Access::WRITE_DATA;
        assert_eq!(within_attributes(asked, asked, attributes), Err(NtStatus::ACCESS_DENIED));
        let granted = within_attributes(Access::FILE_ALL, Access::MAXIMUM_ALLOWED, attributes).unwrap();
        assert!(!granted.intersects(Access::WRITE_DATA) && granted.contains(Access::READ_DATA));
        let directory = attributes.with(FileAttributes::DIRECTORY);
        assert_eq!(within_attributes(Access::FILE_ALL, asked, directory), Ok(Access::FILE_ALL));
    }
}
