//! The security descriptor that every file has here — [MS-DTYP] 2.4.6: the back ends keep none, so it says what
//! is so: everybody who is let into the share may do what the share allows.

use smb_proto::{
    dtyp::{Ace, Acl, AclPart, SecurityDescriptor, SecurityInformation, Sid},
    msg::Access,
};

/// The parts asked for of the descriptor of a file whose share allows `access`.
pub(super) fn descriptor(parts: SecurityInformation, access: Access) -> SecurityDescriptor {
    let whole = SecurityDescriptor {
        owner: Some(Sid::ADMINISTRATORS),
        group: Some(Sid::ADMINISTRATORS),
        // Present and null: nothing is audited.
        sacl: AclPart::Null,
        dacl: Acl::new([Ace::allow(Sid::EVERYONE, access)]).into(),
        ..SecurityDescriptor::default()
    };
    whole.only(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_the_share_allows() {
        let found = descriptor(SecurityInformation::ORDINARY, Access::FILE_READ);
        assert_eq!((found.owner, &found.sacl), (Some(Sid::ADMINISTRATORS), &AclPart::Absent));
        assert_eq!(found.dacl, Acl::new([Ace::allow(Sid::EVERYONE, Access::FILE_READ)]).into());
        assert_eq!(descriptor(SecurityInformation::SACL, Access::FILE_ALL).sacl, AclPart::Null);
        assert_eq!(descriptor(SecurityInformation::NONE, Access::FILE_ALL), SecurityDescriptor::default());
    }
}
