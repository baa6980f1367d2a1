//! Access checks as Samba decides them: `tests/tools/access.py` drew the descriptors and asked it.
#![allow(clippy::unwrap_used, clippy::panic)]

use smb_proto::{
    dtyp::{SecurityDescriptor, Sid, Token},
    msg::Access,
};

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<_> = text.chars().filter_map(|c| c.to_digit(16)).collect();
    digits.as_chunks::<2>().0.iter().map(|[high, low]| u8::try_from(high << 4 | low).unwrap()).collect()
}

fn access(text: &str) -> Access {
    Access(u32::from_str_radix(text, 16).unwrap())
}

#[test]
fn samba_decides_the_same() {
    let (mut granted, mut denied) = (0, 0);
    for (number, line) in include_str!("data/dtyp/access.tsv").lines().enumerate() {
        let columns: Vec<_> = line.split('\t').collect();
        let [descriptor, people, desired, expected] = columns.as_slice() else { panic!("line {number}") };
        let wire = unhex(descriptor);
        let descriptor = SecurityDescriptor::parse(&wire).unwrap();
        assert_eq!(descriptor.to_bytes(), wire, "line {number}");
        let mut people = people.split(',').map(|sid| sid.parse::<Sid>().unwrap());
        let token = Token::new(people.next().unwrap(), people);
        let found = descriptor.access_check(&token, access(desired));
        if *expected == "denied" {
            // With nothing allowed at all, MAXIMUM_ALLOWED is an error to Samba and an empty grant here.
            assert_eq!(found.filter(|found| *found != Access::NONE), None, "line {number}: {descriptor:?}");
            denied += 1;
        } else {
            assert_eq!(found, Some(access(expected)), "line {number}: {descriptor:?} {token:?}");
            granted += 1;
        }
    }
    assert!(granted > 200 && denied > 150, "{granted} granted, {denied} denied");
}
