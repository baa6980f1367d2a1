//! The descriptor of a new file or directory — [MS-DTYP] 2.5.3.4.

use super::{Ace, AceFlags, Acl, AclPart, Control, SecurityDescriptor, Sid, Token};

/// Who stands for CREATOR OWNER and CREATOR GROUP, and what inherits.
struct Heir {
    owner: Sid,
    group: Option<Sid>,
    is_directory: bool,
    /// What marks an inherited entry.
    mark: AceFlags,
}

impl SecurityDescriptor {
    /// The descriptor of a file or directory that `token` creates in a directory with the descriptor `parent` —
    /// [MS-DTYP] 2.5.3.4.1. `creator` is the descriptor that came with the request (SMB2_CREATE_SD_BUFFER), if one did.
    ///
    /// Owner and group are the creator's own where he names none. His lists stand, together with what is inherited where
    /// the parent hands on automatically and the list is not protected; without his, what is inherited; without that, the
    /// token's default. Whether he may give the file to another owner is [`Token::may_assign_owner`].
    pub fn inherited(parent: &Self, creator: Option<&Self>, is_directory: bool, token: &Token) -> Self {
        let none = Self::default();
        let creator = creator.unwrap_or(&none);
        let owner = creator.owner.unwrap_or(token.user);
        let group = creator.group.or_else(|| token.groups.first().copied());
        let heir = |inherited| {
            let mark = if parent.control.contains(inherited) { AceFlags::INHERITED } else { AceFlags::NONE };
            Heir { owner, group, is_directory, mark }
        };
        let (dacl, dacl_control) = heir(Control::DACL_AUTO_INHERITED).list(
            &parent.dacl,
            &creator.dacl,
            creator.control.contains(Control::DACL_PROTECTED),
        );
        let (sacl, sacl_control) = heir(Control::SACL_AUTO_INHERITED).list(
            &parent.sacl,
            &creator.sacl,
            creator.control.contains(Control::SACL_PROTECTED),
        );
        let dacl = match dacl {
            AclPart::Absent => AclPart::List(token.default_dacl.clone()),
            given => given,
        };
        let set = |is_inherited, flag| if is_inherited { flag } else { Control::NONE };
        let kept = Control::DACL_PROTECTED | Control::SACL_PROTECTED;
        let control = Control(creator.control.0 & kept.0)
            | set(dacl_control, Control::DACL_AUTO_INHERITED)
            | set(sacl_control, Control::SACL_AUTO_INHERITED);
        Self { control, owner: Some(owner), group, sacl, dacl, ..Self::default() }
    }
}

impl Heir {
    /// The list of the new object, and whether inherited entries in it are marked — [MS-DTYP] 2.5.3.4.2.
    fn list(&self, parent: &AclPart, creator: &AclPart, is_protected: bool) -> (AclPart, bool) {
        let marks = self.mark != AceFlags::NONE;
        let inherits = || {
            let aces: Vec<_> = parent
                .list()
                .map_or(&[][..], |acl| &acl.aces)
                .iter()
                .flat_map(|ace| self.entries(ace))
                .collect();
            (!aces.is_empty()).then_some(aces)
        };
        match creator {
            AclPart::Absent => match inherits() {
                Some(aces) => (AclPart::List(Acl::new(aces)), marks),
                None => (AclPart::Absent, false),
            },
            AclPart::Null => (AclPart::Null, false),
            AclPart::List(acl) if is_protected || !marks => {
                (AclPart::List(self.own(acl.aces.iter().cloned())), false)
            }
            AclPart::List(acl) => {
                let explicit =
                    acl.aces.iter().filter(|ace| !ace.flags.contains(AceFlags::INHERITED)).cloned();
                let all = self.own(explicit).aces.into_iter().chain(inherits().unwrap_or_default());
                (AclPart::List(Acl::new(all)), true)
            }
        }
    }

    /// The creator's entries: the creator names stand for who he is, generic rights for those of a file.
    fn own(&self, aces: impl Iterator<Item = Ace>) -> Acl {
        Acl::new(aces.map(|ace| if ace.is_effective() { self.made_real(ace) } else { ace }))
    }

    /// The entry about the object itself.
    fn made_real(&self, ace: Ace) -> Ace {
        let Some(sid) = ace.sid().copied() else { return ace };
        let sid = match sid {
            Sid::CREATOR_OWNER => self.owner,
            Sid::CREATOR_GROUP => self.group.unwrap_or(sid),
            sid => sid,
        };
        let mask = ace.mask().mapped();
        ace.about(sid, mask)
    }

    /// What becomes of an entry of the parent: none, one, or two — [MS-DTYP] 2.5.3.4.3.
    fn entries(&self, ace: &Ace) -> Vec<Ace> {
        let hands_on = !ace.flags.contains(AceFlags::NO_PROPAGATE_INHERIT);
        let to_files = ace.flags.contains(AceFlags::OBJECT_INHERIT);
        let to_directories = ace.flags.contains(AceFlags::CONTAINER_INHERIT);
        let kept = ace.flags.without(AceFlags::INHERITANCE.with(AceFlags::INHERITED)).with(self.mark);
        let real = || self.made_real(ace.clone()).with_flags(kept);
        let handed = ace.flags.without(AceFlags::INHERIT_ONLY | AceFlags::INHERITED).with(self.mark);
        let only = || ace.clone().with_flags(handed | AceFlags::INHERIT_ONLY);
        if !self.is_directory {
            return if to_files { vec![real()] } else { Vec::new() };
        }
        match (to_directories, to_files, hands_on) {
            (true, _, false) => vec![real()],
            (true, _, true) => {
                let one = real().with_flags(handed);
                // Where the object's own entry differs from what it hands on, these are two.
                if one.body == ace.body { vec![one] } else { vec![real(), only()] }
            }
            // Said of files further down.
            (false, true, true) => vec![only()],
            (false, _, _) => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing, *};
    use crate::msg::Access;
    use proptest::prelude::*;

    const ALICE: Sid = Sid::unix_user(1);
    const STAFF: Sid = Sid::unix_group(1);
    const OI: AceFlags = AceFlags::OBJECT_INHERIT;
    const CI: AceFlags = AceFlags::CONTAINER_INHERIT;
    const NP: AceFlags = AceFlags::NO_PROPAGATE_INHERIT;
    const IO: AceFlags = AceFlags::INHERIT_ONLY;
    const ID: AceFlags = AceFlags::INHERITED;

    fn token() -> Token {
        Token::new(ALICE, [STAFF, Sid::EVERYONE])
    }

    fn parent(control: Control, aces: impl IntoIterator<Item = Ace>) -> SecurityDescriptor {
        SecurityDescriptor { control, dacl: Acl::new(aces).into(), ..SecurityDescriptor::default() }
    }

    fn child(parent: &SecurityDescriptor, is_directory: bool) -> Vec<Ace> {
        SecurityDescriptor::inherited(parent, None, is_directory, &token()).dacl.list().unwrap().aces.clone()
    }

    /// Flags of the parent's entry; those of the file's and of the directory's, `None` where it has none. As Windows does
    /// it, by smbtorture's smb2.acls.INHERITANCE.
    const TABLE: [(AceFlags, Option<AceFlags>, Option<AceFlags>); 16] = [
        (AceFlags(0), None, None),
        (OI, Some(AceFlags(0)), Some(OI.with(IO))),
        (CI, None, Some(CI)),
        (OI.with(CI), Some(AceFlags(0)), Some(OI.with(CI))),
        (NP, None, None),
        (NP.with(OI), Some(AceFlags(0)), None),
        (NP.with(CI), None, Some(AceFlags(0))),
        (NP.with(OI).with(CI), Some(AceFlags(0)), Some(AceFlags(0))),
        (IO, None, None),
        (IO.with(OI), Some(AceFlags(0)), Some(OI.with(IO))),
        (IO.with(CI), None, Some(CI)),
        (IO.with(OI).with(CI), Some(AceFlags(0)), Some(OI.with(CI))),
        (IO.with(NP), None, None),
        (IO.with(NP).with(OI), Some(AceFlags(0)), None),
        (IO.with(NP).with(CI), None, Some(AceFlags(0))),
        (IO.with(NP).with(OI).with(CI), Some(AceFlags(0)), Some(AceFlags(0))),
    ];

    #[test]
    fn flags_as_windows_has_them() {
        for (control, mark) in [(Control::NONE, AceFlags::NONE), (Control::DACL_AUTO_INHERITED, ID)] {
            for (flags, file, directory) in TABLE {
                let ace = Ace::allow(Sid::USERS, Access::WRITE_DATA);
                let parent = parent(control, [ace.clone().with_flags(flags)]);
                for (is_directory, expected) in [(false, file), (true, directory)] {
                    let wanted = match expected {
                        Some(flags) => vec![ace.clone().with_flags(flags | mark)],
                        None => token().default_dacl.aces,
                    };
                    assert_eq!(child(&parent, is_directory), wanted, "{flags:?} {is_directory}");
                }
            }
        }
    }

    #[test]
    fn the_creator_gets_what_is_said_of_creators() {
        let full = Ace::allow(Sid::CREATOR_OWNER, Access::FILE_ALL).with_flags(OI | CI | IO);
        let read = Ace::allow(Sid::CREATOR_GROUP, Access::FILE_READ).with_flags(OI | CI | NP);
        let parent = parent(Control::NONE, [full.clone(), read]);
        let mine = Ace::allow(ALICE, Access::FILE_ALL);
        let groups = Ace::allow(STAFF, Access::FILE_READ);
        assert_eq!(child(&parent, false), [mine.clone(), groups.clone()]);
        assert_eq!(child(&parent, true), [mine, full, groups]);
    }

    #[test]
    fn generic_rights_are_mapped_for_the_object_and_handed_on_as_they_are() {
        let ace = Ace::allow(Sid::USERS, Access::GENERIC_READ).with_flags(OI | CI);
        let parent = parent(Control::DACL_AUTO_INHERITED, [ace.clone()]);
        let real = Ace::allow(Sid::USERS, Access::FILE_READ).with_flags(ID);
        assert_eq!(child(&parent, false), std::slice::from_ref(&real));
        assert_eq!(child(&parent, true), [real, ace.with_flags(OI | CI | IO | ID)]);
    }

    #[test]
    fn owner_group_and_list_of_the_creator_stand() {
        let inheritable = Ace::allow(Sid::USERS, Access::FILE_READ).with_flags(OI);
        let explicit = Ace::allow(Sid::CREATOR_OWNER, Access::GENERIC_ALL);
        let stale = Ace::deny(Sid::GUESTS, Access::FILE_ALL).with_flags(ID);
        let creator = |control| SecurityDescriptor {
            control,
            owner: Some(Sid::SYSTEM),
            group: Some(Sid::USERS),
            dacl: Acl::new([explicit.clone(), stale.clone()]).into(),
            ..SecurityDescriptor::default()
        };
        let real = Ace::allow(Sid::SYSTEM, Access::FILE_ALL);
        let handed = inheritable.clone().with_flags(ID);
        for (parent_control, protect, expected) in [
            (Control::NONE, Control::NONE, vec![real.clone(), stale.clone()]),
            (Control::DACL_AUTO_INHERITED, Control::NONE, vec![real.clone(), handed]),
            (Control::DACL_AUTO_INHERITED, Control::DACL_PROTECTED, vec![real.clone(), stale.clone()]),
        ] {
            let parent = parent(parent_control, [inheritable.clone()]);
            let new = SecurityDescriptor::inherited(&parent, Some(&creator(protect)), false, &token());
            assert_eq!((new.owner, new.group), (Some(Sid::SYSTEM), Some(Sid::USERS)));
            assert_eq!(new.dacl.list().unwrap().aces, expected, "{parent_control:?} {protect:?}");
            assert_eq!(new.control.contains(Control::DACL_PROTECTED), protect != Control::NONE);
        }
    }

    #[test]
    fn without_anything_the_default_of_the_token() {
        let new = SecurityDescriptor::inherited(&SecurityDescriptor::default(), None, true, &token());
        assert_eq!(new.dacl, AclPart::List(token().default_dacl));
        assert_eq!((new.owner, new.group, new.sacl), (Some(ALICE), Some(STAFF), AclPart::Absent));
        let null = SecurityDescriptor { dacl: AclPart::Null, ..SecurityDescriptor::default() };
        let new = SecurityDescriptor::inherited(&null, Some(&null), true, &token());
        assert_eq!(new.dacl, AclPart::Null, "asked for");
    }

    proptest! {
        /// Files get no flags of inheritance, and nothing that is inherited is longer than twice the parent's list.
        #[test]
        fn any_parent_is_inherited_from(parent in testing::descriptor(), is_directory in any::<bool>()) {
            let new = SecurityDescriptor::inherited(&parent, None, is_directory, &token());
            let aces = &new.dacl.list().unwrap().aces;
            prop_assert!(is_directory || aces.iter().all(|ace| !ace.flags.intersects(AceFlags::INHERITANCE)));
            let most = parent.dacl.list().map_or(0, |acl| acl.aces.len()) * 2;
            prop_assert!(aces.len() <= most.max(2));
        }
    }
}
