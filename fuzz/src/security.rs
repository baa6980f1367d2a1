//! Security descriptors, and what is decided with them.

use smb_proto::{
    dtyp::{Acl, SecurityDescriptor, SecurityInformation, Sid, Token},
    msg::Access,
};

/// What is inherited may be longer: an entry for the creator names him, and is handed on, too. Longer descriptors than these
/// might yield lists that have no length on the wire.
const LONGEST: usize = 2048;

/// Any descriptor, list and identifier; then the descriptor as that of a file, of its directory, and as one to set.
pub fn run(data: &[u8]) {
    crate::fixed_point!(data, Sid::parse, Sid::to_bytes);
    crate::fixed_point!(data, Acl::parse, |acl: &Acl| {
        let wire = acl.to_bytes();
        assert_eq!(wire.len(), acl.wire_len());
        wire
    });
    crate::fixed_point!(data, SecurityDescriptor::parse, |descriptor: &SecurityDescriptor| {
        let wire = descriptor.to_bytes();
        assert_eq!(wire.len(), descriptor.wire_len());
        wire
    });
    if let (Ok(descriptor), true) = (SecurityDescriptor::parse(data), data.len() <= LONGEST) {
        decide(&descriptor);
    }
    text(data);
}

fn decide(descriptor: &SecurityDescriptor) {
    let token = Token::new(descriptor.owner.unwrap_or(Sid::USERS), [Sid::EVERYONE, Sid::CREATOR_GROUP]);
    let maximal = descriptor.maximal_access(&token);
    assert!(!maximal.contains(Access::SYSTEM_SECURITY));
    assert_eq!(descriptor.access_check(&token, Access::MAXIMUM_ALLOWED), Some(maximal));
    assert_eq!(descriptor.access_check(&token, maximal), Some(maximal));
    for is_directory in [false, true] {
        for creator in [None, Some(descriptor)] {
            let child = SecurityDescriptor::inherited(descriptor, creator, is_directory, &token);
            assert!(child.owner.is_some() && child.dacl.list().is_none_or(|acl| fits(acl)));
            let again = SecurityDescriptor::inherited(&child, None, is_directory, &token);
            let third = SecurityDescriptor::inherited(&again, None, is_directory, &token);
            assert!(third.wire_len() <= again.wire_len().max(1024), "grows with each generation");
        }
    }
    for bit in 0..8 {
        let parts = SecurityInformation(1 << bit);
        let only = descriptor.only(parts);
        assert_eq!(only.only(parts), only);
        let mut changed = SecurityDescriptor::default();
        changed.set(parts, descriptor);
        changed.set(parts, &SecurityDescriptor::default());
        assert_eq!(SecurityDescriptor::parse(&changed.to_bytes()).as_ref(), Ok(&changed));
    }
}

fn fits(acl: &Acl) -> bool {
    acl.wire_len() <= Acl::MAX_LEN
}

fn text(data: &[u8]) {
    let Some(sid) = std::str::from_utf8(data).ok().and_then(|text| text.parse::<Sid>().ok()) else { return };
    assert_eq!(sid.to_string().parse(), Ok(sid));
}
