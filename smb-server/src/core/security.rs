//! Who may do what with a file — [MS-DTYP] 2.5, [MS-FSA] 2.1.5.1.2.1.
//!
//! Back ends keep descriptors as bytes. What is missing in them is the default: files belong to the administrators, and
//! everybody who is let into the share may do what the share allows, there and below. So a file in a directory whose list was
//! never set keeps its owner only.

use super::{
    session::Owner,
    share_mode::{Key, ShareModes},
};
use crate::backend::{Initial, Maker, Parent, Result, Type};
use smb_proto::{
    dtyp::{Ace, AceFlags, Acl, AclPart, SecurityDescriptor, Sid, Token},
    fscc::ea::ExtendedAttribute,
    msg::Access,
    status::NtStatus,
};
use std::sync::Arc;

/// The relative identifiers of users and of the guest.
const USER: u32 = 1000;
const GUEST: u32 = 501;

/// The identifier of a user: his name's digest in the place of a domain, so that descriptors stay true when the server
/// starts again.
pub fn user_sid(name: &str, rid: u32) -> Sid {
    let digest = blake3::hash(name.to_lowercase().as_bytes());
    let mut parts = digest.as_bytes().as_chunks::<4>().0.iter().map(|chunk| u32::from_le_bytes(*chunk));
    let mut part = || parts.next().unwrap_or_default();
    Sid::new(5, &[21, part(), part(), part(), rid]).unwrap_or(Sid::NOBODY)
}

/// Who asks, for the access check.
pub fn token(owner: &Owner) -> Token {
    let name = &owner.user;
    match (owner.anonymous, owner.guest) {
        (true, _) => Token::new(Sid::ANONYMOUS, [Sid::EVERYONE, Sid::NETWORK]),
        (_, true) => Token::new(user_sid(name, GUEST), [Sid::GUESTS, Sid::EVERYONE, Sid::NETWORK]),
        _ => Token::new(
            user_sid(name, USER),
            [Sid::USERS, Sid::EVERYONE, Sid::NETWORK, Sid::AUTHENTICATED_USERS],
        ),
    }
}

fn default_dacl(directory: bool) -> AclPart {
    let flags =
        if directory { AceFlags::OBJECT_INHERIT.with(AceFlags::CONTAINER_INHERIT) } else { AceFlags::NONE };
    AclPart::List(Acl::new([Ace::allow(Sid::EVERYONE, Access::FILE_ALL).with_flags(flags)]))
}

/// The descriptor of a file: what is kept, completed. What cannot be read lets nobody in.
pub fn effective(kept: Option<&[u8]>, directory: bool) -> SecurityDescriptor {
    let mut descriptor = match kept.map(SecurityDescriptor::parse) {
        None => SecurityDescriptor::default(),
        Some(Ok(descriptor)) => descriptor,
        Some(Err(_)) => {
            SecurityDescriptor { dacl: AclPart::List(Acl::new([])), ..SecurityDescriptor::default() }
        }
    };
    descriptor.owner.get_or_insert(Sid::ADMINISTRATORS);
    descriptor.group.get_or_insert(Sid::USERS);
    if descriptor.dacl == AclPart::Absent {
        descriptor.dacl = default_dacl(directory);
    }
    descriptor
}

/// A descriptor as it is kept.
pub fn kept(mut descriptor: SecurityDescriptor) -> Vec<u8> {
    // An absent list is the default, no list at all lets everybody in.
    if descriptor.dacl == AclPart::Absent {
        descriptor.dacl = AclPart::Null;
    }
    descriptor.to_bytes()
}

/// Whether `owner` may become the owner of a file, as a request of `token`'s says: the user, or a group of his.
pub fn check_owner(token: &Token, owner: Option<&Sid>) -> Result<()> {
    match owner {
        Some(owner) if !token.has(owner) && !token.may_assign_owner(owner) => Err(NtStatus::INVALID_OWNER),
        _ => Ok(()),
    }
}

/// What new files get from their directory, their creator and the request.
#[derive(Debug)]
pub struct Heir {
    /// Who creates.
    pub token: Arc<Token>,
    /// The descriptor in the request.
    pub descriptor: Option<SecurityDescriptor>,
    /// The extended attributes in the request.
    pub extended: Vec<ExtendedAttribute>,
    /// The share's number.
    pub share: u64,
    /// What is open, and what is to go.
    pub modes: Arc<ShareModes>,
}

impl Maker for Heir {
    fn make(&self, parent: Parent<'_>, kind: Type) -> Result<Initial> {
        // Else it would not go: it would not be empty.
        if self.modes.is_doomed(Key::file(self.share, parent.key)) {
            return Err(NtStatus::DELETE_PENDING);
        }
        let directory = kind == Type::Directory;
        let needed = if directory { Access::APPEND_DATA } else { Access::WRITE_DATA };
        let above = effective(parent.security, true);
        if above.access_check(&self.token, needed).is_none() {
            return Err(NtStatus::ACCESS_DENIED);
        }
        check_owner(&self.token, self.descriptor.as_ref().and_then(|descriptor| descriptor.owner.as_ref()))?;
        let own = SecurityDescriptor::inherited(&above, self.descriptor.as_ref(), directory, &self.token);
        let security = if self.descriptor.is_none() && above.dacl == default_dacl(true) {
            SecurityDescriptor { owner: own.owner, ..SecurityDescriptor::default() }.to_bytes()
        } else {
            kept(own)
        };
        Ok(Initial { security: Some(security), extended: self.extended.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::FileKey;
    use smb_proto::msg::ShareAccess;

    fn owner(user: &str) -> Owner {
        Owner { user: user.into(), guest: false, anonymous: false }
    }

    fn heir(user: &str) -> Heir {
        let (token, modes) = (Arc::new(token(&owner(user))), Arc::default());
        Heir { token, descriptor: None, extended: Vec::new(), share: 1, modes }
    }

    const DIRECTORY: FileKey = FileKey { volume: 1, file: 2 };

    fn parent(security: Option<&[u8]>) -> Parent<'_> {
        Parent { key: DIRECTORY, security }
    }

    #[test]
    fn users_are_told_apart() {
        assert_eq!(user_sid("Alice", USER), user_sid("alice", USER));
        assert_ne!(user_sid("alice", USER), user_sid("bob", USER));
        let guest = Owner { guest: true, ..owner("guest") };
        assert_ne!(token(&guest).user, token(&owner("guest")).user);
        assert!(!token(&guest).has(&Sid::AUTHENTICATED_USERS));
        assert!(token(&owner("alice")).has(&Sid::EVERYONE));
    }

    #[test]
    fn by_default_everybody_does_everything() {
        for directory in [true, false] {
            let descriptor = effective(None, directory);
            assert_eq!(descriptor.maximal_access(&token(&owner("x"))), Access::FILE_ALL);
        }
        assert_eq!(effective(Some(b"garbage"), false).maximal_access(&token(&owner("x"))), Access::NONE);
    }

    #[test]
    fn a_file_keeps_its_owner_and_no_list_that_is_the_default() {
        let alice = heir("alice");
        let made = alice.make(parent(None), Type::File).unwrap().security.unwrap();
        let descriptor = SecurityDescriptor::parse(&made).unwrap();
        assert_eq!((descriptor.owner, descriptor.dacl), (Some(alice.token.user), AclPart::Absent));
        let above = alice.make(parent(None), Type::Directory).unwrap().security;
        let below = alice.make(parent(above.as_deref()), Type::File);
        assert_eq!(below.unwrap().security, Some(made));
    }

    #[test]
    fn the_directory_decides_who_creates() {
        let allow = |user: &str, access| {
            let list = Acl::new([Ace::allow(token(&owner(user)).user, access)]);
            kept(SecurityDescriptor { dacl: AclPart::List(list), ..SecurityDescriptor::default() })
        };
        let files = allow("alice", Access::WRITE_DATA);
        assert!(heir("alice").make(parent(Some(&files)), Type::File).is_ok());
        for (user, kind) in [("alice", Type::Directory), ("bob", Type::File)] {
            assert_eq!(heir(user).make(parent(Some(&files)), kind), Err(NtStatus::ACCESS_DENIED));
        }
    }

    #[test]
    fn nobody_gives_files_away() {
        let bob = token(&owner("bob")).user;
        let descriptor = Some(SecurityDescriptor { owner: Some(bob), ..SecurityDescriptor::default() });
        let refused = Heir { descriptor, ..heir("alice") }.make(parent(None), Type::File);
        assert_eq!(refused, Err(NtStatus::INVALID_OWNER));
    }

    #[test]
    fn nothing_new_goes_into_a_directory_that_goes() {
        let alice = heir("alice");
        let key = Key::file(alice.share, DIRECTORY);
        let claim = alice.modes.claim(key, 0, Access::DELETE, ShareAccess::ALL).unwrap();
        claim.set_delete_pending(true);
        assert_eq!(alice.make(parent(None), Type::File), Err(NtStatus::DELETE_PENDING));
        claim.set_delete_pending(false);
        assert!(alice.make(parent(None), Type::File).is_ok());
    }

    #[test]
    fn no_list_is_kept_as_none() {
        let bytes = kept(SecurityDescriptor::default());
        assert_eq!(SecurityDescriptor::parse(&bytes).unwrap().dacl, AclPart::Null);
    }
}
