//! Strategies for the tests of this module and of what carries descriptors.

use super::{
    Ace, AceBody, AceFlags, AceType, Acl, AclPart, AclRevision, Control, Effect, ObjectScope, PartOrder,
    SecurityDescriptor, Sid, SystemRule,
};
use crate::msg::Access;
use proptest::{
    collection::{SizeRange, vec},
    option,
    prelude::*,
    sample::select,
};

pub(crate) fn bytes(len: impl Into<SizeRange>) -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), len)
}

pub(crate) fn sid() -> impl Strategy<Value = Sid> {
    (0..1u64 << 48, vec(any::<u32>(), 0..=15))
        .prop_map(|(authority, list)| Sid::new(authority, &list).unwrap())
}

fn scope() -> impl Strategy<Value = ObjectScope> {
    option::of(any::<[u8; 16]>()).prop_flat_map(|object_type| {
        option::of(any::<[u8; 16]>())
            .prop_map(move |inherited_object_type| ObjectScope { object_type, inherited_object_type })
    })
}

fn body() -> impl Strategy<Value = AceBody> {
    let effects = select(vec![Effect::Allow, Effect::Deny, Effect::Audit, Effect::Alarm]);
    let rules =
        select(vec![SystemRule::MandatoryLabel, SystemRule::ResourceAttribute, SystemRule::ScopedPolicy]);
    let access = (effects, any::<u32>(), sid(), option::of(scope()), any::<bool>(), bytes(0..9)).prop_map(
        |(effect, mask, sid, scope, callback, data)| AceBody::Access {
            effect,
            mask: Access(mask),
            sid,
            scope,
            callback,
            data,
        },
    );
    let system = (rules, any::<u32>(), sid(), bytes(0..9))
        .prop_map(|(rule, mask, sid, data)| AceBody::System { rule, mask: Access(mask), sid, data });
    let other = (0x14..=0xffu8, bytes(0..20))
        .prop_map(|(number, body)| AceBody::Other { ace_type: AceType(number), body });
    prop_oneof![4 => access, 1 => system, 1 => other]
}

pub(crate) fn ace() -> impl Strategy<Value = Ace> {
    (any::<u8>(), body()).prop_map(|(flags, body)| Ace { flags: AceFlags(flags), body })
}

pub(crate) fn acl() -> impl Strategy<Value = Acl> {
    (select(vec![AclRevision::BASIC, AclRevision::DIRECTORY_SERVICE]), vec(ace(), 0..4))
        .prop_map(|(revision, aces)| Acl { revision, aces })
}

fn part() -> impl Strategy<Value = AclPart> {
    prop_oneof![Just(AclPart::Absent), Just(AclPart::Null), acl().prop_map(AclPart::List)]
}

pub(crate) fn descriptor() -> impl Strategy<Value = SecurityDescriptor> {
    let orders = select(vec![PartOrder::OWNER_FIRST, PartOrder::LISTS_FIRST]);
    (any::<(u16, u8)>(), option::of(sid()), option::of(sid()), part(), part(), orders).prop_map(
        |((control, resource_manager_control), owner, group, sacl, dacl, order)| SecurityDescriptor {
            control: Control(control & 0x7feb),
            resource_manager_control,
            owner,
            group,
            sacl,
            dacl,
            order,
        },
    )
}
