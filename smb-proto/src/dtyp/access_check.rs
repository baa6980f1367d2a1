//! Whether somebody may do what he asks for — [MS-DTYP] 2.5.2, 2.5.3.2.

use super::{Ace, AceBody, Acl, AclPart, Effect, SecurityDescriptor, Sid};
use crate::msg::Access;

/// What somebody may do whatever a descriptor says — [MS-DTYP] 2.5.2.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Privileges {
    /// SeSecurityPrivilege: read and change what is audited.
    pub security: bool,
    /// SeTakeOwnershipPrivilege: become the owner.
    pub take_ownership: bool,
    /// SeRestorePrivilege: give files to others.
    pub restore: bool,
}

/// Who asks — [MS-DTYP] 2.5.2: a user and the groups he is a member of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The user.
    pub user: Sid,
    /// The groups, [`Sid::EVERYONE`] and its kin included; the first is the primary group.
    pub groups: Vec<Sid>,
    /// What is allowed without a descriptor.
    pub privileges: Privileges,
    /// The list of a new object that inherits none.
    pub default_dacl: Acl,
}

impl Token {
    /// Somebody without privileges. By default his new files are his and the system's.
    pub fn new(user: Sid, groups: impl IntoIterator<Item = Sid>) -> Self {
        let default_dacl =
            Acl::new([Ace::allow(user, Access::FILE_ALL), Ace::allow(Sid::SYSTEM, Access::FILE_ALL)]);
        let groups = groups.into_iter().collect();
        Self { user, groups, privileges: Privileges::default(), default_dacl }
    }

    /// Whether `sid` names the user or one of his groups.
    pub fn has(&self, sid: &Sid) -> bool {
        self.user == *sid || self.groups.contains(sid)
    }

    /// Whether the user may make `owner` the owner of a file: himself always, others with the privilege to restore.
    pub fn may_assign_owner(&self, owner: &Sid) -> bool {
        self.user == *owner || self.privileges.restore
    }
}

impl SecurityDescriptor {
    /// What `token` gets when it asks for `desired`: `None` is access denied — [MS-DTYP] 2.5.3.2. Generic rights are those of
    /// a file; with MAXIMUM_ALLOWED all that is allowed is granted, and the rest of `desired` must be among it.
    pub fn access_check(&self, token: &Token, desired: Access) -> Option<Access> {
        let wanted = desired.mapped().without(Access::MAXIMUM_ALLOWED);
        let mut allowed = self.maximal_access(token);
        if wanted.contains(Access::SYSTEM_SECURITY) && token.privileges.security {
            allowed = allowed | Access::SYSTEM_SECURITY;
        }
        if !allowed.contains(wanted) {
            return None;
        }
        Some(if desired.contains(Access::MAXIMUM_ALLOWED) { allowed } else { wanted })
    }

    /// All that `token` may do: for MAXIMUM_ALLOWED and the MxAc create context. ACCESS_SYSTEM_SECURITY is never in it, as it
    /// is a privilege to be asked for.
    pub fn maximal_access(&self, token: &Token) -> Access {
        let by_list = match &self.dacl {
            AclPart::Absent | AclPart::Null => Access::FILE_ALL,
            AclPart::List(acl) => self.by_list(acl, token),
        };
        let by_privilege = if token.privileges.take_ownership { Access::WRITE_OWNER } else { Access::NONE };
        by_list | by_privilege
    }

    fn by_list(&self, acl: &Acl, token: &Token) -> Access {
        let is_owner = self.owner.as_ref().is_some_and(|owner| token.has(owner));
        let effective = || acl.aces.iter().filter(|ace| ace.is_effective());
        let limits_owners = effective().any(|ace| ace.sid() == Some(&Sid::OWNER_RIGHTS));
        let mut granted = Access::NONE;
        let mut denied = Access::SYSTEM_SECURITY;
        if is_owner && !limits_owners {
            granted = Access::READ_CONTROL | Access::WRITE_DAC;
        }
        for ace in effective() {
            let AceBody::Access { effect, mask, sid, scope, callback, .. } = &ace.body else { continue };
            if !(token.has(sid) || is_owner && *sid == Sid::OWNER_RIGHTS) {
                continue;
            }
            // A condition that nobody evaluates here, or a part that a file does not have: never allows, always denies.
            let is_certain = !*callback && scope.as_ref().is_none_or(|scope| scope.object_type.is_none());
            match effect {
                Effect::Allow if is_certain => granted = granted | mask.mapped().without(denied),
                Effect::Deny => denied = denied | mask.mapped().without(granted),
                Effect::Allow | Effect::Audit | Effect::Alarm => {}
            }
        }
        granted.without(Access::MAXIMUM_ALLOWED)
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{AceFlags, ObjectScope, testing},
        *,
    };
    use proptest::prelude::*;

    const ALICE: Sid = Sid::unix_user(1);
    const BOB: Sid = Sid::unix_user(2);
    const STAFF: Sid = Sid::unix_group(1);
    const MAXIMUM: Access = Access::MAXIMUM_ALLOWED;

    fn token() -> Token {
        Token::new(ALICE, [STAFF, Sid::EVERYONE])
    }

    fn guarded(owner: Sid, aces: impl IntoIterator<Item = Ace>) -> SecurityDescriptor {
        let dacl = Acl::new(aces).into();
        SecurityDescriptor { owner: Some(owner), dacl, ..SecurityDescriptor::default() }
    }

    #[test]
    fn without_a_list_everything_is_allowed_and_with_an_empty_one_nothing() {
        for dacl in [AclPart::Absent, AclPart::Null] {
            let open = SecurityDescriptor { dacl, ..SecurityDescriptor::default() };
            assert_eq!(open.access_check(&token(), Access::GENERIC_ALL), Some(Access::FILE_ALL));
            assert_eq!(open.access_check(&token(), Access::SYSTEM_SECURITY), None);
        }
        let closed = guarded(BOB, []);
        assert_eq!(closed.access_check(&token(), Access::READ_ATTRIBUTES), None);
        assert_eq!(closed.access_check(&token(), MAXIMUM), Some(Access::NONE));
    }

    #[test]
    fn the_owner_reads_and_changes_the_list() {
        let mine = guarded(ALICE, [Ace::deny(ALICE, Access::WRITE_DAC)]);
        let implied = Access::READ_CONTROL | Access::WRITE_DAC;
        assert_eq!(mine.access_check(&token(), implied), Some(implied), "a denial comes too late");
        assert_eq!(mine.access_check(&token(), Access::DELETE), None);
        assert_eq!(guarded(STAFF, []).maximal_access(&token()), implied, "a group owns, too");
    }

    #[test]
    fn owner_rights_replace_what_owners_have() {
        let mine = guarded(ALICE, [Ace::allow(Sid::OWNER_RIGHTS, Access::READ_DATA)]);
        assert_eq!(mine.maximal_access(&token()), Access::READ_DATA);
        let only = Ace::allow(Sid::OWNER_RIGHTS, Access::READ_DATA).with_flags(AceFlags::INHERIT_ONLY);
        assert_eq!(guarded(ALICE, [only]).maximal_access(&token()), Access::READ_CONTROL | Access::WRITE_DAC);
        let other = guarded(BOB, [Ace::allow(Sid::OWNER_RIGHTS, Access::READ_DATA)]);
        assert_eq!(other.maximal_access(&token()), Access::NONE);
    }

    #[test]
    fn the_first_entry_about_a_right_decides() {
        let read = Access::READ_DATA;
        let allow_first = guarded(BOB, [Ace::allow(STAFF, read), Ace::deny(ALICE, read)]);
        let deny_first = guarded(BOB, [Ace::deny(ALICE, read), Ace::allow(STAFF, read)]);
        assert_eq!(allow_first.access_check(&token(), read), Some(read));
        assert_eq!(deny_first.access_check(&token(), read), None);
        let partly = guarded(BOB, [Ace::deny(STAFF, read), Ace::allow(Sid::EVERYONE, Access::GENERIC_ALL)]);
        assert_eq!(partly.maximal_access(&token()), Access::FILE_ALL.without(read));
        assert_eq!(partly.access_check(&token(), MAXIMUM | read), None, "what is named must be allowed");
    }

    #[test]
    fn entries_about_others_or_only_to_inherit_do_not_count() {
        let read = Access::READ_DATA;
        let inherit = Ace::allow(ALICE, read).with_flags(AceFlags::INHERIT_ONLY);
        let descriptor = guarded(BOB, [Ace::allow(BOB, read), inherit, Ace::allow(STAFF, Access::DELETE)]);
        assert_eq!(descriptor.maximal_access(&token()), Access::DELETE);
    }

    #[test]
    fn generic_rights_mean_those_of_a_file() {
        let descriptor = guarded(BOB, [Ace::allow(ALICE, Access::GENERIC_READ)]);
        assert_eq!(descriptor.access_check(&token(), Access::GENERIC_READ), Some(Access::FILE_READ));
        assert_eq!(descriptor.access_check(&token(), Access::FILE_READ), Some(Access::FILE_READ));
    }

    #[test]
    fn conditions_and_objects_never_allow_and_always_deny() {
        let read = Access::READ_DATA;
        let special = |effect, callback, object_type| {
            let mut ace = Ace::allow(ALICE, read);
            let scope = Some(ObjectScope { object_type, inherited_object_type: None });
            ace.body = match ace.body {
                AceBody::Access { mask, sid, data, .. } => {
                    AceBody::Access { effect, mask, sid, scope, callback, data }
                }
                other => other,
            };
            ace
        };
        for (callback, object_type, allowed) in
            [(true, None, false), (false, Some([1; 16]), false), (false, None, true)]
        {
            let allow = guarded(BOB, [special(Effect::Allow, callback, object_type)]);
            assert_eq!(allow.access_check(&token(), read).is_some(), allowed);
            let deny = special(Effect::Deny, callback, object_type);
            let deny = guarded(BOB, [deny, Ace::allow(ALICE, read)]);
            assert_eq!(deny.access_check(&token(), read), None);
        }
    }

    #[test]
    fn privileges_reach_further_than_lists() {
        let closed = guarded(BOB, []);
        let mut token = token();
        token.privileges.take_ownership = true;
        assert_eq!(closed.access_check(&token, Access::WRITE_OWNER), Some(Access::WRITE_OWNER));
        token.privileges.security = true;
        assert_eq!(closed.access_check(&token, Access::SYSTEM_SECURITY), Some(Access::SYSTEM_SECURITY));
        assert!(!closed.maximal_access(&token).contains(Access::SYSTEM_SECURITY));
        assert!(token.may_assign_owner(&ALICE) && !token.may_assign_owner(&BOB));
        token.privileges.restore = true;
        assert!(token.may_assign_owner(&BOB));
    }

    /// As the specification says it: the entries in turn, until all is granted or something is denied.
    fn in_turn(descriptor: &SecurityDescriptor, token: &Token, desired: Access) -> bool {
        let mut left = desired;
        if descriptor.owner.as_ref().is_some_and(|owner| token.has(owner)) {
            left = left.without(Access::READ_CONTROL | Access::WRITE_DAC);
        }
        for ace in &descriptor.dacl.list().unwrap().aces {
            let applies = ace.is_effective() && ace.sid().is_some_and(|sid| token.has(sid));
            match ace.effect() {
                Some(Effect::Allow) if applies => left = left.without(ace.mask().mapped()),
                Some(Effect::Deny) if applies && left.intersects(ace.mask().mapped()) => return false,
                _ => {}
            }
        }
        left == Access::NONE
    }

    proptest! {
        #[test]
        fn agrees_with_the_entries_in_turn(
            rows in prop::collection::vec((any::<bool>(), 0..5usize, any::<u32>(), 0..16u8), 0..6),
            owner in 0..2usize,
            desired in any::<u32>(),
        ) {
            let sids = [ALICE, BOB, STAFF, Sid::EVERYONE, Sid::SYSTEM];
            let aces = rows.into_iter().map(|(allow, who, mask, flags)| {
                let make = if allow { Ace::allow } else { Ace::deny };
                make(sids[who], Access(mask).mapped()).with_flags(AceFlags(flags))
            });
            let descriptor = guarded(sids[owner], aces);
            let desired = Access(desired & 0x001f_01ff & desired.rotate_left(7));
            let granted = descriptor.access_check(&token(), desired);
            prop_assert_eq!(granted.is_some(), in_turn(&descriptor, &token(), desired));
            prop_assert!(granted.is_none_or(|granted| granted == desired));
        }

        #[test]
        fn any_descriptor_is_decided(descriptor in testing::descriptor(), desired in any::<u32>()) {
            let maximal = descriptor.maximal_access(&token());
            prop_assert!(!maximal.contains(Access::SYSTEM_SECURITY) && maximal.mapped() == maximal);
            if let Some(granted) = descriptor.access_check(&token(), Access(desired)) {
                prop_assert!(maximal.contains(granted));
            }
        }
    }
}
