//! Security identifiers — [MS-DTYP] 2.4.2.

use crate::{
    codec::num::{array, count, fixed, le_u8, le_u32},
    error::ParseError,
};
use bytes::BufMut;
use nom::Parser;
use std::{fmt, str::FromStr};

const WHAT: &str = "SID";
const REVISION: u8 = 1;
const MOST: usize = 15;
/// Revision, count and authority.
const FIXED: usize = 8;

/// A security identifier: who a user or group is — [MS-DTYP] 2.4.2. Its text is the usual one, `S-1-5-32-544`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sid {
    /// Big-endian, as on the wire.
    authority: [u8; 6],
    count: u8,
    /// Those behind `count` are zero.
    sub_authorities: [u32; MOST],
}

/// Well-known identifiers — [MS-DTYP] 2.4.2.4.
impl Sid {
    /// Nobody.
    pub const NOBODY: Self = Self::one(0, 0);
    /// Everyone, also those who are not authenticated.
    pub const EVERYONE: Self = Self::one(1, 0);
    /// In an entry to inherit: who creates the object, its owner.
    pub const CREATOR_OWNER: Self = Self::one(3, 0);
    /// In an entry to inherit: the group of the object.
    pub const CREATOR_GROUP: Self = Self::one(3, 1);
    /// The owner of the object; replaces the rights every owner has.
    pub const OWNER_RIGHTS: Self = Self::one(3, 4);
    /// Whoever came over the network.
    pub const NETWORK: Self = Self::one(5, 2);
    /// Who gave no name.
    pub const ANONYMOUS: Self = Self::one(5, 7);
    /// Everyone who proved who they are.
    pub const AUTHENTICATED_USERS: Self = Self::one(5, 11);
    /// The operating system.
    pub const SYSTEM: Self = Self::one(5, 18);
    /// The group of administrators.
    pub const ADMINISTRATORS: Self = Self::two(5, 32, 544);
    /// The group of ordinary users.
    pub const USERS: Self = Self::two(5, 32, 545);
    /// The group of guests.
    pub const GUESTS: Self = Self::two(5, 32, 546);

    /// A user of a Unix host, as Samba maps those without an account of their own.
    pub const fn unix_user(uid: u32) -> Self {
        Self::two(22, 1, uid)
    }

    /// A group of a Unix host, as Samba maps those without an account of their own.
    pub const fn unix_group(gid: u32) -> Self {
        Self::two(22, 2, gid)
    }
}

impl Sid {
    const fn one(authority: u8, first: u32) -> Self {
        let sub_authorities = [first, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        Self { authority: [0, 0, 0, 0, 0, authority], count: 1, sub_authorities }
    }

    const fn two(authority: u8, first: u32, second: u32) -> Self {
        let sub_authorities = [first, second, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        Self { authority: [0, 0, 0, 0, 0, authority], count: 2, sub_authorities }
    }

    /// An identifier of its parts; `None` for an authority of more than 48 bits or over 15 sub-authorities.
    pub fn new(authority: u64, sub_authorities: &[u32]) -> Option<Self> {
        let [0, 0, authority @ ..] = authority.to_be_bytes() else { return None };
        let mut all = [0; MOST];
        all.get_mut(..sub_authorities.len())?.copy_from_slice(sub_authorities);
        Some(Self { authority, count: u8::try_from(sub_authorities.len()).ok()?, sub_authorities: all })
    }

    /// The member `rid` of this domain; `None` where there is no room for one more number.
    pub fn member(&self, rid: u32) -> Option<Self> {
        Self::new(self.authority(), &[self.sub_authorities(), &[rid]].concat())
    }

    /// IdentifierAuthority: who gave the identifier.
    pub fn authority(&self) -> u64 {
        let [a, b, c, d, e, f] = self.authority;
        u64::from_be_bytes([0, 0, a, b, c, d, e, f])
    }

    /// SubAuthority: the domain's numbers, then the relative identifier.
    pub fn sub_authorities(&self) -> &[u32] {
        self.sub_authorities.get(..self.count.into()).unwrap_or(&[])
    }

    /// The last number: which user or group of the domain.
    pub fn rid(&self) -> Option<u32> {
        self.sub_authorities().last().copied()
    }

    /// Reads an identifier; bytes behind it are ignored.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        Self::read(bytes).map(|(_, sid)| sid)
    }

    /// As [`parse`](Self::parse), and what stands behind it.
    pub(crate) fn read(bytes: &[u8]) -> Result<(&[u8], Self), ParseError> {
        let (rest, (revision, number, authority)) = fixed(WHAT, bytes, (le_u8, le_u8, array::<6>))?;
        if revision != REVISION {
            return Err(ParseError::Value { what: "SID revision", value: revision.into() });
        }
        let mut sub_authorities = [0; MOST];
        let Some(places) = sub_authorities.get_mut(..number.into()) else {
            return Err(ParseError::Value { what: "SID sub-authority count", value: number.into() });
        };
        let (rest, list) = fixed(WHAT, rest, |i| count(le_u32, number.into()).parse(i))?;
        places.copy_from_slice(&list);
        Ok((rest, Self { authority, count: number, sub_authorities }))
    }

    /// The number of bytes [`emit`](Self::emit) writes.
    pub fn wire_len(&self) -> usize {
        FIXED + 4 * usize::from(self.count)
    }

    /// Writes the identifier.
    pub fn emit(&self, out: &mut impl BufMut) {
        out.put_u8(REVISION);
        out.put_u8(self.count);
        out.put_slice(&self.authority);
        self.sub_authorities().iter().for_each(|number| out.put_u32_le(*number));
    }

    /// The identifier as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.wire_len());
        self.emit(&mut out);
        out
    }
}

/// The text form — [MS-DTYP] 2.4.2.1: authorities over 32 bits in hexadecimal.
impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match u32::try_from(self.authority()) {
            Ok(authority) => write!(f, "S-1-{authority}")?,
            Err(_) => write!(f, "S-1-{:#014x}", self.authority())?,
        }
        self.sub_authorities().iter().try_for_each(|number| write!(f, "-{number}"))
    }
}

impl fmt::Debug for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is not a security identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a security identifier like S-1-5-32-544")]
pub struct ParseSidError;

impl FromStr for Sid {
    type Err = ParseSidError;

    fn from_str(text: &str) -> Result<Self, ParseSidError> {
        let mut words = text.split('-');
        let head = (words.next(), words.next());
        let (Some("S" | "s"), Some("1")) = head else { return Err(ParseSidError) };
        let authority = words.next().and_then(authority).ok_or(ParseSidError)?;
        let numbers: Option<Vec<u32>> = words.map(decimal).collect();
        numbers.and_then(|numbers| Self::new(authority, &numbers)).ok_or(ParseSidError)
    }
}

/// Digits only: the standard library takes a sign, too.
fn decimal<T: FromStr>(word: &str) -> Option<T> {
    word.bytes().all(|byte| byte.is_ascii_digit()).then(|| word.parse().ok())?
}

fn authority(word: &str) -> Option<u64> {
    match word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")) {
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            u64::from_str_radix(digits, 16).ok()
        }
        Some(_) => None,
        None => decimal(word),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing, *};
    use crate::codec::field::testing::hex;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bytes_and_text_come_back(sid in testing::sid()) {
            let wire = sid.to_bytes();
            prop_assert_eq!(wire.len(), sid.wire_len());
            prop_assert_eq!(Sid::parse(&wire).unwrap(), sid);
            prop_assert!((0..wire.len()).all(|cut| Sid::parse(&wire[..cut]).is_err()));
            prop_assert_eq!(sid.to_string().parse::<Sid>().unwrap(), sid);
        }

        #[test]
        fn no_text_panics(text in "[Ss]?-?1?[-0-9a-fx+]{0,40}") {
            _ = text.parse::<Sid>();
        }
    }

    #[test]
    fn known_ones_in_bytes_and_text() {
        for (sid, wire, text) in [
            (Sid::EVERYONE, "0101 000000000001 00000000", "S-1-1-0"),
            (Sid::CREATOR_OWNER, "0101 000000000003 00000000", "S-1-3-0"),
            (Sid::SYSTEM, "0101 000000000005 12000000", "S-1-5-18"),
            (Sid::ADMINISTRATORS, "0102 000000000005 20000000 20020000", "S-1-5-32-544"),
            (Sid::unix_user(1000), "0102 000000000016 01000000 e8030000", "S-1-22-1-1000"),
            (Sid::unix_group(0), "0102 000000000016 02000000 00000000", "S-1-22-2-0"),
        ] {
            assert_eq!(sid.to_bytes(), hex(wire));
            assert_eq!(sid.to_string(), text);
            assert_eq!(text.parse(), Ok(sid));
        }
    }

    #[test]
    fn large_authorities_are_hexadecimal() {
        let sid = Sid::new(0x0102_0304_0506, &[7]).unwrap();
        assert_eq!(sid.to_string(), "S-1-0x010203040506-7");
        assert_eq!("s-1-0x010203040506-7".parse(), Ok(sid));
        assert_eq!(Sid::new(1 << 48, &[]), None);
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in ["", "S-1", "S-2-5-1", "S-1-5-", "S-1-5-+1", "S-1--1", "S-1-5-4294967296", "S-1-0x-1"] {
            assert_eq!(text.parse::<Sid>(), Err(ParseSidError), "{text}");
        }
        assert_eq!(format!("S-1-5{}", "-1".repeat(16)).parse::<Sid>(), Err(ParseSidError));
        assert!(Sid::parse(&hex("0201 000000000001 00000000")).is_err(), "revision");
        assert!(Sid::parse(&[&hex("0110 000000000001")[..], &[0; 64]].concat()).is_err(), "count");
    }

    #[test]
    fn members_of_a_domain() {
        let domain: Sid = "S-1-5-21-1-2-3".parse().unwrap();
        let member = domain.member(500).unwrap();
        assert_eq!((member.to_string().as_str(), member.rid()), ("S-1-5-21-1-2-3-500", Some(500)));
        assert_eq!(Sid::new(5, &[1; 15]).unwrap().member(1), None);
    }
}
