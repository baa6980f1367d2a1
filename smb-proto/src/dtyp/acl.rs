//! Access control lists — [MS-DTYP] 2.4.5.

use super::{Ace, ace::AceBody};
use crate::{
    codec::num::{fixed, le_u8, le_u16, len16},
    command::wire_enum,
    error::ParseError,
};
use bytes::BufMut;

const WHAT: &str = "ACL";
/// Revision, size and count.
const HEADER: usize = 8;

wire_enum! {
    /// AclRevision — [MS-DTYP] 2.4.5.
    AclRevision: u8 {
        /// ACL_REVISION: what files have.
        BASIC = 2,
        /// ACL_REVISION_DS: may have object entries.
        DIRECTORY_SERVICE = 4,
    }
}

/// An access control list — [MS-DTYP] 2.4.5. Earlier entries decide before later ones. Room that a peer left behind the
/// last entry is not kept.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Acl {
    /// Which entries may be in it.
    pub revision: AclRevision,
    /// The entries; 64 KiB at most on the wire.
    pub aces: Vec<Ace>,
}

impl Default for Acl {
    fn default() -> Self {
        Self { revision: AclRevision::BASIC, aces: Vec::new() }
    }
}

impl Acl {
    /// The most bytes a list may have on the wire.
    pub const MAX_LEN: usize = 0xffff;

    /// A list of these entries, with the lowest revision that may hold them.
    pub fn new(aces: impl IntoIterator<Item = Ace>) -> Self {
        let aces: Vec<_> = aces.into_iter().collect();
        let is_object = |ace: &Ace| matches!(ace.body, AceBody::Access { scope: Some(_), .. });
        let revision =
            if aces.iter().any(is_object) { AclRevision::DIRECTORY_SERVICE } else { AclRevision::BASIC };
        Self { revision, aces }
    }

    /// Replaces generic rights by those they stand for on a file, in the entries about the object itself: what is stored
    /// when a list is set ([MS-DTYP] 2.5.3.4.5).
    #[must_use]
    pub fn mapped(self) -> Self {
        let map = |ace: Ace| match ace.sid().copied() {
            Some(sid) if ace.is_effective() => {
                let mask = ace.mask().mapped();
                ace.about(sid, mask)
            }
            _ => ace,
        };
        Self { aces: self.aces.into_iter().map(map).collect(), ..self }
    }

    /// Reads a list; bytes behind it are ignored.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let (_, (revision, _, size, number, _)) = fixed(WHAT, bytes, (le_u8, le_u8, le_u16, le_u16, le_u16))?;
        if !(2..=4).contains(&revision) {
            return Err(ParseError::Value { what: "ACL revision", value: revision.into() });
        }
        let list = bytes.get(..size.into()).ok_or(ParseError::Truncated { what: WHAT })?;
        let mut rest =
            list.get(HEADER..).ok_or(ParseError::Value { what: "ACL size", value: size.into() })?;
        // Few entries are shorter than that: the list need not grow, and holds little that is only announced.
        let mut aces = Vec::with_capacity(usize::from(number).min(rest.len() / 16));
        for _ in 0..number {
            let (behind, ace) = Ace::read(rest)?;
            aces.push(ace);
            rest = behind;
        }
        Ok(Self { revision: AclRevision(revision), aces })
    }

    /// The number of bytes [`emit`](Self::emit) writes.
    pub fn wire_len(&self) -> usize {
        HEADER + self.aces.iter().map(Ace::wire_len).sum::<usize>()
    }

    /// Writes the list.
    pub fn emit(&self, out: &mut impl BufMut) {
        out.put_u8(self.revision.0);
        out.put_u8(0);
        out.put_u16_le(len16(self.wire_len()));
        out.put_u16_le(len16(self.aces.len()));
        out.put_u16_le(0);
        self.aces.iter().for_each(|ace| ace.emit(out));
    }

    /// The list as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.wire_len());
        self.emit(&mut out);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{AceFlags, Sid, testing},
        *,
    };
    use crate::{codec::field::testing::hex, msg::Access};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn round_trip(acl in testing::acl()) {
            let wire = acl.to_bytes();
            prop_assert_eq!(wire.len(), acl.wire_len());
            prop_assert_eq!(&Acl::parse(&wire).unwrap(), &acl);
            prop_assert!((0..wire.len()).all(|cut| Acl::parse(&wire[..cut]).is_err()));
        }
    }

    #[test]
    fn a_list_in_bytes() {
        let acl = Acl::new([Ace::allow(Sid::EVERYONE, Access(1)), Ace::deny(Sid::SYSTEM, Access(2))]);
        let wire = hex("02 00 3000 0200 0000 00 00 1400 01000000 0101 000000000001 00000000
             01 00 1400 02000000 0101 000000000005 12000000");
        assert_eq!(acl.to_bytes(), wire);
    }

    #[test]
    fn room_at_the_end_is_skipped_and_missing_entries_are_not() {
        let mut wire = hex("02 00 2000 0100 0000 00 00 1400 01000000 0101 000000000001 00000000 eeeeeeee");
        assert_eq!(Acl::parse(&wire).unwrap().aces.len(), 1);
        wire[4] = 2;
        assert!(Acl::parse(&wire).is_err(), "two announced, one there");
        assert!(Acl::parse(&hex("02 00 0700 0000 0000")).is_err(), "size below the header");
        assert!(Acl::parse(&hex("05 00 0800 0000 0000")).is_err(), "revision");
    }

    #[test]
    fn an_entry_does_not_reach_beyond_its_list() {
        let wire = hex("02 00 1800 0100 0000 00 00 1400 01000000 0101 000000000001 00000000");
        assert!(Acl::parse(&wire).is_err());
    }

    #[test]
    fn generic_rights_stay_where_they_are_only_to_inherit() {
        let ace = Ace::allow(Sid::EVERYONE, Access::GENERIC_READ);
        let only = ace.clone().with_flags(AceFlags::INHERIT_ONLY);
        let masks: Vec<_> = Acl::new([ace, only]).mapped().aces.iter().map(Ace::mask).collect();
        assert_eq!(masks, [Access::FILE_READ, Access::GENERIC_READ]);
    }
}
