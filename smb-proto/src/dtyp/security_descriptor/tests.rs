use super::{
    super::{AceFlags, testing},
    *,
};
use crate::{codec::field::testing::hex, msg::Access};
use proptest::prelude::*;

type Parts = SecurityInformation;

fn number(wire: &[u8], at: usize) -> usize {
    wire[at..at + 4].iter().rev().fold(0, |value, byte| value << 8 | usize::from(*byte))
}

proptest! {
    #[test]
    fn round_trip(descriptor in testing::descriptor()) {
        let wire = descriptor.to_bytes();
        prop_assert_eq!(wire.len(), descriptor.wire_len());
        let again = SecurityDescriptor::parse(&wire).unwrap();
        prop_assert_eq!(&again.to_bytes(), &wire);
        prop_assert_eq!(again, descriptor);
    }

    #[test]
    fn truncations_error(descriptor in testing::descriptor()) {
        let wire = descriptor.to_bytes();
        for cut in 0..wire.len() {
            if let Ok(parsed) = SecurityDescriptor::parse(&wire[..cut]) {
                prop_assert!(wire.len() - cut < 4 && wire[cut..].iter().all(|byte| *byte == 0), "only padding");
                prop_assert_eq!(parsed.to_bytes(), wire.as_slice());
            }
        }
    }

    /// An independent reader finds each part where the header says.
    #[test]
    fn parts_lie_at_their_offsets(descriptor in testing::descriptor()) {
        let wire = descriptor.to_bytes();
        let at = |field| number(&wire, field);
        let parts = [
            descriptor.owner.map(|sid| sid.to_bytes()),
            descriptor.group.map(|sid| sid.to_bytes()),
            descriptor.sacl.list().map(Acl::to_bytes),
            descriptor.dacl.list().map(Acl::to_bytes),
        ];
        for (field, part) in [4, 8, 12, 16].into_iter().zip(parts) {
            prop_assert_eq!(at(field) % 4, 0);
            match part {
                Some(bytes) => prop_assert_eq!(&wire[at(field)..][..bytes.len()], bytes),
                None => prop_assert_eq!(at(field), 0),
            }
        }
    }

    #[test]
    fn a_part_that_was_moved_is_followed(descriptor in testing::descriptor(), field in 0..4usize) {
        let mut wire = descriptor.to_bytes();
        let at = 4 + 4 * field;
        let from = number(&wire, at);
        if from != 0 {
            let to = wire.len() + 8;
            let tail = wire[from..].to_vec();
            wire.extend([0xdd; 8]);
            wire.extend(tail);
            wire[at..at + 4].copy_from_slice(&u32::try_from(to).unwrap().to_le_bytes());
            let parsed = SecurityDescriptor::parse(&wire).unwrap();
            prop_assert_eq!(parsed, descriptor);
        }
    }

    #[test]
    fn no_bytes_panic(bytes in testing::bytes(0..200)) {
        if let Ok(descriptor) = SecurityDescriptor::parse(&bytes) {
            let wire = descriptor.to_bytes();
            prop_assert_eq!(&SecurityDescriptor::parse(&wire).unwrap(), &descriptor);
        }
    }
}

fn sample() -> SecurityDescriptor {
    SecurityDescriptor {
        owner: Some(Sid::ADMINISTRATORS),
        group: Some(Sid::SYSTEM),
        dacl: Acl::new([Ace::allow(Sid::EVERYONE, Access::FILE_ALL)]).into(),
        ..SecurityDescriptor::default()
    }
}

const SAMPLE: &str = "01 00 0480 14000000 24000000 00000000 30000000
    01020000 00000005 20000000 20020000   01010000 00000005 12000000
    02 00 1c00 0100 0000 00 00 1400 ff011f00 01010000 00000001 00000000";

#[test]
fn a_descriptor_in_bytes() {
    assert_eq!(sample().to_bytes(), hex(SAMPLE));
    assert_eq!(SecurityDescriptor::parse(&hex(SAMPLE)).unwrap(), sample());
}

#[test]
fn the_order_of_windows_comes_back() {
    let descriptor = SecurityDescriptor { order: PartOrder::LISTS_FIRST, ..sample() };
    let wire = descriptor.to_bytes();
    assert_eq!(wire[16], 20, "the DACL lies first");
    assert_eq!(SecurityDescriptor::parse(&wire).unwrap().to_bytes(), wire);
}

#[test]
fn absent_null_and_empty_lists_differ() {
    let with = |dacl| SecurityDescriptor { dacl, ..SecurityDescriptor::default() };
    let wires =
        [AclPart::Absent, AclPart::Null, AclPart::List(Acl::default())].map(|dacl| with(dacl).to_bytes());
    assert_eq!(wires[0], hex("01 00 0080 00000000 00000000 00000000 00000000"));
    assert_eq!(wires[1], hex("01 00 0480 00000000 00000000 00000000 00000000"));
    assert_eq!(wires[2], hex("01 00 0480 00000000 00000000 00000000 14000000  02 00 0800 0000 0000"));
    // An offset without its bit says nothing.
    let stray = hex("01 00 0080 00000000 00000000 00000000 ff000000");
    assert_eq!(SecurityDescriptor::parse(&stray).unwrap().dacl, AclPart::Absent);
}

#[test]
fn offsets_into_the_header_or_outside_are_refused() {
    for offset in [1, 19, 80, 0x7fff_ffff, u32::MAX] {
        for field in [4, 8, 16] {
            let mut wire = hex(SAMPLE);
            wire[field..field + 4].copy_from_slice(&offset.to_le_bytes());
            assert!(SecurityDescriptor::parse(&wire).is_err(), "{offset} in {field}");
        }
    }
    let mut wire = hex(SAMPLE);
    wire[0] = 2;
    assert!(SecurityDescriptor::parse(&wire).is_err(), "revision");
}

fn with_sacl() -> SecurityDescriptor {
    let system = |rule| {
        let body = AceBody::System { rule, mask: Access(1), sid: Sid::EVERYONE, data: Vec::new() };
        Ace { flags: AceFlags::NONE, body }
    };
    let mut audit = Ace::allow(Sid::EVERYONE, Access(2));
    if let AceBody::Access { effect, .. } = &mut audit.body {
        *effect = Effect::Audit;
    }
    let control = Control::DACL_PROTECTED | Control::SACL_PROTECTED;
    let sacl = Acl::new([system(SystemRule::MandatoryLabel), audit, system(SystemRule::ScopedPolicy)]).into();
    SecurityDescriptor { sacl, control, ..sample() }
}

fn kinds(part: &AclPart) -> Vec<SecurityInformation> {
    part.list().unwrap().aces.iter().map(kind).collect()
}

#[test]
fn an_answer_has_what_was_asked_for() {
    let whole = with_sacl();
    let owner = whole.only(Parts::OWNER);
    assert_eq!((owner.owner, owner.group), (whole.owner, None));
    assert_eq!((owner.dacl, owner.sacl, owner.control), (AclPart::Absent, AclPart::Absent, Control::NONE));
    let dacl = whole.only(Parts::DACL);
    assert_eq!((&dacl.dacl, dacl.control), (&whole.dacl, Control::DACL_PROTECTED));
    assert_eq!(kinds(&whole.only(Parts::SACL).sacl), [Parts::SACL]);
    assert_eq!(kinds(&whole.only(Parts::LABEL | Parts::SCOPE).sacl), [Parts::LABEL, Parts::SCOPE]);
    assert_eq!(whole.only(Parts::BACKUP), whole);
    assert_eq!(sample().only(Parts::NONE).to_bytes().len(), HEADER);
}

#[test]
fn a_change_takes_the_parts_named() {
    let mut descriptor = with_sacl();
    let new = SecurityDescriptor {
        owner: Some(Sid::USERS),
        group: Some(Sid::GUESTS),
        dacl: Acl::new([Ace::allow(Sid::USERS, Access::GENERIC_READ)]).into(),
        ..SecurityDescriptor::default()
    };
    descriptor.set(Parts::OWNER, &new);
    assert_eq!(descriptor, SecurityDescriptor { owner: Some(Sid::USERS), ..with_sacl() });
    descriptor.set(Parts::DACL, &new);
    assert_eq!(descriptor.dacl.list().unwrap().aces[0].mask(), Access::FILE_READ, "mapped");
    assert_eq!(descriptor.control, Control::SACL_PROTECTED, "the DACL's control came with it");
    descriptor.set(Parts::SACL, &new);
    assert_eq!(kinds(&descriptor.sacl), [Parts::LABEL, Parts::SCOPE], "no more audit");
    descriptor.set(Parts::SACL | Parts::LABEL | Parts::SCOPE, &new);
    assert_eq!(descriptor.sacl, AclPart::Absent);
    descriptor.set(Parts::GROUP, &SecurityDescriptor::default());
    assert_eq!(descriptor.group, Some(Sid::SYSTEM), "no group is no change");
}

#[test]
fn that_entries_were_inherited_is_believed_with_the_request_only() {
    let both = Control::DACL_AUTO_INHERITED | Control::DACL_AUTO_INHERIT_REQ;
    for (sent, stored) in [
        (Control::DACL_AUTO_INHERITED, Control::NONE),
        (Control::DACL_AUTO_INHERIT_REQ, Control::NONE),
        (both, Control::DACL_AUTO_INHERITED),
        (both | Control::DACL_PROTECTED, Control::DACL_AUTO_INHERITED | Control::DACL_PROTECTED),
    ] {
        let mut descriptor = sample();
        descriptor.set(Parts::DACL, &SecurityDescriptor { control: sent, ..sample() });
        assert_eq!(descriptor.control, stored, "{sent:?}");
    }
}
