use super::{super::testing, *};
use crate::codec::field::testing::hex;
use proptest::prelude::*;

fn bytes_of(ace: &Ace) -> Vec<u8> {
    let mut out = Vec::new();
    ace.emit(&mut out);
    out
}

proptest! {
    #[test]
    fn round_trip(ace in testing::ace()) {
        let wire = bytes_of(&ace);
        prop_assert_eq!(wire.len(), ace.wire_len());
        prop_assert_eq!(wire[0], ace.ace_type().0);
        prop_assert_eq!(Ace::read(&wire).unwrap(), (&[][..], ace));
        prop_assert!((0..wire.len()).all(|cut| Ace::read(&wire[..cut]).is_err()));
    }

    #[test]
    fn nothing_panics_and_sizes_hold(bytes in testing::bytes(0..80)) {
        if let Ok((rest, ace)) = Ace::read(&bytes) {
            let kept = match ace.body {
                AceBody::Other { ace_type, .. } => ACCESS_TYPES.iter().any(|row| row.0 == ace_type),
                _ => false,
            };
            prop_assert!(!kept, "a type with a form of its own");
            prop_assert!(rest.len() + HEADER <= bytes.len());
        }
    }
}

#[test]
fn forms_as_the_specification_lays_them_out() {
    let everyone = "0101 000000000001 00000000";
    let plain = Ace::allow(Sid::EVERYONE, Access(0x0012_0089)).with_flags(AceFlags(0x13));
    assert_eq!(bytes_of(&plain), hex(&format!("00 13 1400 89001200 {everyone}")));
    let deny = Ace::deny(Sid::EVERYONE, Access(1));
    assert_eq!(bytes_of(&deny), hex(&format!("01 00 1400 01000000 {everyone}")));
    let scope = ObjectScope { object_type: None, inherited_object_type: Some([7; 16]) };
    let mut object = deny.clone();
    if let AceBody::Access { scope: place, callback, data, .. } = &mut object.body {
        (*place, *callback, *data) = (Some(scope), true, b"artx".to_vec());
    }
    let wire =
        hex(&format!("0c 00 2c00 01000000 02000000 07070707070707070707070707070707 {everyone} 61727478"));
    assert_eq!(bytes_of(&object), wire);
    assert_eq!(Ace::read(&wire).unwrap().1, object);
    let label = hex("11 00 1400 01000000 0101 000000000010 00300000");
    let (_, read) = Ace::read(&label).unwrap();
    assert!(matches!(read.body, AceBody::System { rule: SystemRule::MandatoryLabel, .. }), "{read:?}");
    assert_eq!(read.sid().unwrap().to_string(), "S-1-16-12288");
    let unknown = hex("55 00 0800 01020304");
    assert_eq!(Ace::read(&unknown).unwrap().1.ace_type(), AceType(0x55));
}

#[test]
fn every_type_has_its_form() {
    for number in 0..0x14u8 {
        let wire = [hex(&format!("{number:02x} 00 1800 01000000 00000000")), Sid::SYSTEM.to_bytes()].concat();
        let plain = [hex(&format!("{number:02x} 00 1400 01000000")), Sid::SYSTEM.to_bytes()].concat();
        let is_object = matches!(number, 5..=8 | 0x0b | 0x0c | 0x0f | 0x10);
        let wire = if is_object { wire } else { plain };
        let (_, ace) = Ace::read(&wire).unwrap();
        assert_eq!(ace.sid().is_some(), number != 4, "{ace:?}");
        assert_eq!(bytes_of(&ace), wire);
    }
}

#[test]
fn sizes_that_cannot_be_are_refused() {
    for wire in ["00 00 0000 01000000", "00 00 0300 01000000", "00 00 0900 01000000", "00 00 0800 01000000"] {
        assert!(Ace::read(&hex(wire)).is_err(), "{wire}");
    }
}
