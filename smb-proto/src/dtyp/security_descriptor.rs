//! Self-relative security descriptors — [MS-DTYP] 2.4.6.

use super::{
    Acl, Effect, SecurityInformation, Sid,
    ace::{Ace, AceBody, SystemRule},
};
use crate::{
    codec::{
        Body,
        num::{fixed, le_u8, le_u16, le_u32, len32},
    },
    command::wire_flags,
    error::ParseError,
};
use bytes::BufMut;

const WHAT: &str = "security descriptor";
const HEADER: usize = 20;
const REVISION: u8 = 1;

wire_flags! {
    /// Control — [MS-DTYP] 2.4.6: what is not said by the parts themselves. Whether the lists are present and the form
    /// are not among them: they are written as is so.
    Control: u16 {
        /// SE_OWNER_DEFAULTED.
        OWNER_DEFAULTED = 0x0001,
        /// SE_GROUP_DEFAULTED.
        GROUP_DEFAULTED = 0x0002,
        /// SE_DACL_DEFAULTED.
        DACL_DEFAULTED = 0x0008,
        /// SE_SACL_DEFAULTED.
        SACL_DEFAULTED = 0x0020,
        /// DACL trusted.
        DACL_TRUSTED = 0x0040,
        /// Server security.
        SERVER_SECURITY = 0x0080,
        /// SE_DACL_AUTO_INHERIT_REQ: whoever sets the list has handed it on to what is inside.
        DACL_AUTO_INHERIT_REQ = 0x0100,
        /// SE_SACL_AUTO_INHERIT_REQ.
        SACL_AUTO_INHERIT_REQ = 0x0200,
        /// SE_DACL_AUTO_INHERITED: inherited entries are marked as such.
        DACL_AUTO_INHERITED = 0x0400,
        /// SE_SACL_AUTO_INHERITED.
        SACL_AUTO_INHERITED = 0x0800,
        /// SE_DACL_PROTECTED: inherits nothing.
        DACL_PROTECTED = 0x1000,
        /// SE_SACL_PROTECTED.
        SACL_PROTECTED = 0x2000,
        /// SE_RM_CONTROL_VALID: the resource manager's byte means something.
        RM_CONTROL_VALID = 0x4000,
    }
}

const DACL_PRESENT: Control = Control(0x0004);
const SACL_PRESENT: Control = Control(0x0010);
const SELF_RELATIVE: Control = Control(0x8000);
const COMPUTED: Control = Control(0x8014);

impl Control {
    /// All about the DACL.
    pub(super) const OF_DACL: Self = Self(0x1548);
    /// All about the SACL.
    pub(super) const OF_SACL: Self = Self(0x2a20);
}

/// A list of a descriptor.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum AclPart {
    /// There is none. As the list that guards an object: everything is allowed.
    #[default]
    Absent,
    /// Present without a list: everything is allowed, and on purpose.
    Null,
    /// The list. An empty one allows nothing.
    List(Acl),
}

impl AclPart {
    /// The list, if there is one.
    pub const fn list(&self) -> Option<&Acl> {
        match self {
            Self::List(acl) => Some(acl),
            Self::Absent | Self::Null => None,
        }
    }

    const fn is_present(&self) -> bool {
        !matches!(self, Self::Absent)
    }
}

impl From<Acl> for AclPart {
    fn from(acl: Acl) -> Self {
        Self::List(acl)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Owner,
    Group,
    Sacl,
    Dacl,
}

/// The order in which a peer lays out the parts: kept, so that its descriptors come back byte for byte. It means nothing,
/// so all orders are equal: descriptors that differ in it alone are the same.
#[derive(Debug, Clone, Copy)]
pub struct PartOrder([Part; 4]);

impl PartialEq for PartOrder {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for PartOrder {}

impl std::hash::Hash for PartOrder {
    fn hash<H: std::hash::Hasher>(&self, _: &mut H) {}
}

impl PartOrder {
    /// Owner, group, SACL, DACL: as Samba writes them.
    pub const OWNER_FIRST: Self = Self([Part::Owner, Part::Group, Part::Sacl, Part::Dacl]);
    /// SACL, DACL, owner, group: as Windows writes them.
    pub const LISTS_FIRST: Self = Self([Part::Sacl, Part::Dacl, Part::Owner, Part::Group]);

    /// By where they lie; 0 is nowhere.
    fn by_offset(offsets: [u32; 4]) -> Self {
        let mut order = Self::OWNER_FIRST.0;
        let [owner, group, sacl, dacl] = offsets.map(|offset| offset.wrapping_sub(1));
        order.sort_by_key(|part| match part {
            Part::Owner => owner,
            Part::Group => group,
            Part::Sacl => sacl,
            Part::Dacl => dacl,
        });
        Self(order)
    }
}

impl Default for PartOrder {
    fn default() -> Self {
        Self::OWNER_FIRST
    }
}

/// SECURITY_DESCRIPTOR in its self-relative form — [MS-DTYP] 2.4.6.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct SecurityDescriptor {
    /// What is not said by the parts themselves.
    pub control: Control,
    /// Sbz1: the resource manager's byte, see [`Control::RM_CONTROL_VALID`].
    pub resource_manager_control: u8,
    /// Who owns the object.
    pub owner: Option<Sid>,
    /// The primary group of the owner.
    pub group: Option<Sid>,
    /// What is audited, and further rules of the system.
    pub sacl: AclPart,
    /// Who may do what.
    pub dacl: AclPart,
    /// In which order the parts lie.
    pub order: PartOrder,
}

impl SecurityDescriptor {
    /// The parts `parts` alone, as the answer to a query. From the SACL only the entries of the kinds asked for.
    #[must_use]
    pub fn only(&self, parts: SecurityInformation) -> Self {
        let parts = whole(parts);
        let asked = |part| parts.contains(part);
        let dacl = asked(SecurityInformation::DACL);
        let sacl = parts.intersects(SecurityInformation::IN_SACL);
        let mut control = self.control;
        if !dacl {
            control = control.without(Control::OF_DACL);
        }
        if !sacl {
            control = control.without(Control::OF_SACL);
        }
        Self {
            control,
            owner: self.owner.filter(|_| asked(SecurityInformation::OWNER)),
            group: self.group.filter(|_| asked(SecurityInformation::GROUP)),
            sacl: if sacl { of_kinds(&self.sacl, parts) } else { AclPart::Absent },
            dacl: if dacl { self.dacl.clone() } else { AclPart::Absent },
            ..*self
        }
    }

    /// Takes the parts `parts` over from `new`, as a SET_INFO asks for — [MS-FSA] 2.1.5.17. Generic rights are mapped; that
    /// the lists were inherited is believed only of whoever says that he cared for what is inside
    /// ([`Control::DACL_AUTO_INHERIT_REQ`]).
    pub fn set(&mut self, parts: SecurityInformation, new: &Self) {
        let parts = whole(parts);
        if parts.contains(SecurityInformation::OWNER) && new.owner.is_some() {
            self.owner = new.owner;
        }
        if parts.contains(SecurityInformation::GROUP) && new.group.is_some() {
            self.group = new.group;
        }
        let control = new.stored_control();
        if parts.contains(SecurityInformation::DACL) {
            self.dacl = mapped(&new.dacl);
            self.control = self.control.without(Control::OF_DACL) | (control.only(Control::OF_DACL));
        }
        if parts.intersects(SecurityInformation::IN_SACL) {
            self.sacl = merged(&self.sacl, &new.sacl, parts);
            self.control = self.control.without(Control::OF_SACL) | (control.only(Control::OF_SACL));
        }
    }

    /// The control bits as they are stored: the requests in them are granted or forgotten.
    fn stored_control(&self) -> Control {
        let mut control = self.control;
        for (request, inherited) in [
            (Control::DACL_AUTO_INHERIT_REQ, Control::DACL_AUTO_INHERITED),
            (Control::SACL_AUTO_INHERIT_REQ, Control::SACL_AUTO_INHERITED),
        ] {
            if !control.contains(request) {
                control = control.without(inherited);
            }
            control = control.without(request);
        }
        control
    }

    /// Reads a descriptor. Parts may lie in any order; bytes between and behind them are skipped.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let head = (le_u8, le_u8, le_u16, le_u32, le_u32, le_u32, le_u32);
        let (_, (revision, resource_manager_control, control, owner, group, sacl, dacl)) =
            fixed(WHAT, bytes, head)?;
        if revision != REVISION {
            return Err(ParseError::Value { what: "security descriptor revision", value: revision.into() });
        }
        let control = Control(control);
        let list = |present, offset| match offset {
            _ if !control.contains(present) => Ok(AclPart::Absent),
            0 => Ok(AclPart::Null),
            offset => Acl::parse(part(bytes, offset)?).map(AclPart::List),
        };
        let sid = |offset| match offset {
            0 => Ok(None),
            offset => Sid::parse(part(bytes, offset)?).map(Some),
        };
        let lies = |list: &AclPart, offset| if list.list().is_some() { offset } else { 0 };
        let (sacl_part, dacl_part) = (list(SACL_PRESENT, sacl)?, list(DACL_PRESENT, dacl)?);
        let offsets = [owner, group, lies(&sacl_part, sacl), lies(&dacl_part, dacl)];
        Ok(Self {
            control: control.without(COMPUTED),
            resource_manager_control,
            owner: sid(owner)?,
            group: sid(group)?,
            order: PartOrder::by_offset(offsets),
            sacl: sacl_part,
            dacl: dacl_part,
        })
    }

    fn part_len(&self, part: Part) -> usize {
        let sid = |sid: &Option<Sid>| sid.as_ref().map_or(0, Sid::wire_len);
        let list = |part: &AclPart| part.list().map_or(0, Acl::wire_len);
        let len = match part {
            Part::Owner => sid(&self.owner),
            Part::Group => sid(&self.group),
            Part::Sacl => list(&self.sacl),
            Part::Dacl => list(&self.dacl),
        };
        len.next_multiple_of(4)
    }

    /// The number of bytes [`emit`](Self::emit) writes.
    pub fn wire_len(&self) -> usize {
        HEADER + self.order.0.iter().map(|part| self.part_len(*part)).sum::<usize>()
    }

    fn offset(&self, wanted: Part) -> u32 {
        if self.part_len(wanted) == 0 {
            return 0;
        }
        let before = self.order.0.iter().take_while(|part| **part != wanted);
        len32(HEADER + before.map(|part| self.part_len(*part)).sum::<usize>())
    }

    /// Writes the descriptor.
    pub fn emit(&self, out: &mut impl BufMut) {
        let present = |part: &AclPart, flag| if part.is_present() { flag } else { Control::NONE };
        let control = self.control.without(COMPUTED)
            | SELF_RELATIVE
            | present(&self.sacl, SACL_PRESENT)
            | present(&self.dacl, DACL_PRESENT);
        out.put_u8(REVISION);
        out.put_u8(self.resource_manager_control);
        out.put_u16_le(control.0);
        for part in PartOrder::OWNER_FIRST.0 {
            out.put_u32_le(self.offset(part));
        }
        for part in self.order.0 {
            self.emit_part(part, out);
        }
    }

    fn emit_part(&self, part: Part, out: &mut impl BufMut) {
        let list = |part: &AclPart, out| {
            part.list().map_or(0, |acl| {
                acl.emit(out);
                acl.wire_len()
            })
        };
        let sid = |sid: &Option<Sid>, out| {
            sid.as_ref().map_or(0, |sid| {
                sid.emit(out);
                sid.wire_len()
            })
        };
        let written = match part {
            Part::Owner => sid(&self.owner, out),
            Part::Group => sid(&self.group, out),
            Part::Sacl => list(&self.sacl, out),
            Part::Dacl => list(&self.dacl, out),
        };
        out.put_bytes(0, written.wrapping_neg() & 3);
    }

    /// The descriptor as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.wire_len());
        self.emit(&mut out);
        out
    }
}

impl Control {
    const fn only(self, mask: Self) -> Self {
        Self(self.0 & mask.0)
    }
}

/// What lies at `offset`: not the header.
fn part(bytes: &[u8], offset: u32) -> Result<&[u8], ParseError> {
    Body::over(bytes, HEADER).slice_from(WHAT, offset)
}

/// What the parts stand for: backup and restore for all.
fn whole(parts: SecurityInformation) -> SecurityInformation {
    if parts.contains(SecurityInformation::BACKUP) {
        parts | SecurityInformation::ORDINARY | SecurityInformation::IN_SACL
    } else {
        parts
    }
}

/// The kind of an entry of the SACL.
fn kind(ace: &Ace) -> SecurityInformation {
    match &ace.body {
        AceBody::System { rule: SystemRule::MandatoryLabel, .. } => SecurityInformation::LABEL,
        AceBody::System { rule: SystemRule::ResourceAttribute, .. } => SecurityInformation::ATTRIBUTE,
        AceBody::System { rule: SystemRule::ScopedPolicy, .. } => SecurityInformation::SCOPE,
        AceBody::Access { effect: Effect::Audit | Effect::Alarm | Effect::Allow | Effect::Deny, .. }
        | AceBody::Other { .. } => SecurityInformation::SACL,
    }
}

fn of_kinds(sacl: &AclPart, kinds: SecurityInformation) -> AclPart {
    let AclPart::List(acl) = sacl else { return sacl.clone() };
    let aces = acl.aces.iter().filter(|ace| kinds.contains(kind(ace))).cloned().collect();
    AclPart::List(Acl { aces, ..*acl })
}

fn mapped(part: &AclPart) -> AclPart {
    match part {
        AclPart::List(acl) => AclPart::List(acl.clone().mapped()),
        other => other.clone(),
    }
}

/// The entries of `old` of other kinds than `kinds`, and those of `new` of these.
fn merged(old: &AclPart, new: &AclPart, kinds: SecurityInformation) -> AclPart {
    let kept = old.list().map_or(Vec::new(), |acl| {
        acl.aces.iter().filter(|ace| !kinds.contains(kind(ace))).cloned().collect()
    });
    match new {
        new if kept.is_empty() => of_kinds(&mapped(new), kinds),
        AclPart::List(acl) => {
            let taken = acl.aces.iter().filter(|ace| kinds.contains(kind(ace))).cloned();
            AclPart::List(Acl::new(kept.into_iter().chain(taken)).mapped())
        }
        AclPart::Absent | AclPart::Null => AclPart::List(Acl::new(kept)),
    }
}

#[cfg(test)]
mod tests;
