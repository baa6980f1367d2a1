//! Access control entries — [MS-DTYP] 2.4.4.

use super::Sid;
use crate::{
    codec::num::{array, fixed, le_u8, le_u16, le_u32, len16},
    command::{wire_enum, wire_flags},
    error::ParseError,
    msg::Access,
};
use bytes::BufMut;

const WHAT: &str = "ACE";
/// Type, flags and size.
const HEADER: usize = 4;
/// ACE_OBJECT_TYPE_PRESENT, ACE_INHERITED_OBJECT_TYPE_PRESENT — [MS-DTYP] 2.4.4.3.
const OBJECT_TYPE: u32 = 1;
const INHERITED_OBJECT_TYPE: u32 = 2;

wire_flags! {
    /// AceFlags: what is inherited and audited — [MS-DTYP] 2.4.4.1.
    AceFlags: u8 {
        /// Files in the directory inherit the entry.
        OBJECT_INHERIT = 0x01,
        /// Directories in the directory inherit the entry.
        CONTAINER_INHERIT = 0x02,
        /// What inherits the entry does not hand it on.
        NO_PROPAGATE_INHERIT = 0x04,
        /// Only to inherit: says nothing about the object itself.
        INHERIT_ONLY = 0x08,
        /// Was inherited.
        INHERITED = 0x10,
        /// Audit: access that was granted.
        SUCCESSFUL_ACCESS = 0x40,
        /// Audit: access that was refused.
        FAILED_ACCESS = 0x80,
    }
}

impl AceFlags {
    /// All that direct inheritance.
    pub const INHERITANCE: Self = Self(0x0f);
}

wire_enum! {
    /// AceType — [MS-DTYP] 2.4.4.1.
    AceType: u8 {
        /// ACCESS_ALLOWED_ACE_TYPE.
        ACCESS_ALLOWED = 0x00,
        /// ACCESS_DENIED_ACE_TYPE.
        ACCESS_DENIED = 0x01,
        /// SYSTEM_AUDIT_ACE_TYPE.
        SYSTEM_AUDIT = 0x02,
        /// SYSTEM_ALARM_ACE_TYPE, reserved.
        SYSTEM_ALARM = 0x03,
        /// ACCESS_ALLOWED_COMPOUND_ACE_TYPE, reserved.
        ACCESS_ALLOWED_COMPOUND = 0x04,
        /// ACCESS_ALLOWED_OBJECT_ACE_TYPE.
        ACCESS_ALLOWED_OBJECT = 0x05,
        /// ACCESS_DENIED_OBJECT_ACE_TYPE.
        ACCESS_DENIED_OBJECT = 0x06,
        /// SYSTEM_AUDIT_OBJECT_ACE_TYPE.
        SYSTEM_AUDIT_OBJECT = 0x07,
        /// SYSTEM_ALARM_OBJECT_ACE_TYPE, reserved.
        SYSTEM_ALARM_OBJECT = 0x08,
        /// ACCESS_ALLOWED_CALLBACK_ACE_TYPE.
        ACCESS_ALLOWED_CALLBACK = 0x09,
        /// ACCESS_DENIED_CALLBACK_ACE_TYPE.
        ACCESS_DENIED_CALLBACK = 0x0a,
        /// ACCESS_ALLOWED_CALLBACK_OBJECT_ACE_TYPE.
        ACCESS_ALLOWED_CALLBACK_OBJECT = 0x0b,
        /// ACCESS_DENIED_CALLBACK_OBJECT_ACE_TYPE.
        ACCESS_DENIED_CALLBACK_OBJECT = 0x0c,
        /// SYSTEM_AUDIT_CALLBACK_ACE_TYPE.
        SYSTEM_AUDIT_CALLBACK = 0x0d,
        /// SYSTEM_ALARM_CALLBACK_ACE_TYPE, reserved.
        SYSTEM_ALARM_CALLBACK = 0x0e,
        /// SYSTEM_AUDIT_CALLBACK_OBJECT_ACE_TYPE.
        SYSTEM_AUDIT_CALLBACK_OBJECT = 0x0f,
        /// SYSTEM_ALARM_CALLBACK_OBJECT_ACE_TYPE, reserved.
        SYSTEM_ALARM_CALLBACK_OBJECT = 0x10,
        /// SYSTEM_MANDATORY_LABEL_ACE_TYPE.
        SYSTEM_MANDATORY_LABEL = 0x11,
        /// SYSTEM_RESOURCE_ATTRIBUTE_ACE_TYPE.
        SYSTEM_RESOURCE_ATTRIBUTE = 0x12,
        /// SYSTEM_SCOPED_POLICY_ID_ACE_TYPE.
        SYSTEM_SCOPED_POLICY_ID = 0x13,
    }
}

/// What an entry does with the rights in its mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Grants them.
    Allow,
    /// Refuses them.
    Deny,
    /// Records their use.
    Audit,
    /// Reserved.
    Alarm,
}

/// Entries of the system list that are not about access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SystemRule {
    /// Integrity level of the object — [MS-DTYP] 2.4.4.13.
    MandatoryLabel,
    /// A claim about the object — [MS-DTYP] 2.4.4.15.
    ResourceAttribute,
    /// A central policy — [MS-DTYP] 2.4.4.16.
    ScopedPolicy,
}

/// The part of a directory object that an object entry is about — [MS-DTYP] 2.4.4.3. Files have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ObjectScope {
    /// The property or extended right.
    pub object_type: Option<[u8; 16]>,
    /// The kind of objects that inherit the entry.
    pub inherited_object_type: Option<[u8; 16]>,
}

/// What an entry says. The type on the wire follows from it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AceBody {
    /// Rights allowed, denied or audited — [MS-DTYP] 2.4.4.2 to 2.4.4.12.
    Access {
        /// What happens with the rights.
        effect: Effect,
        /// The rights.
        mask: Access,
        /// Whose.
        sid: Sid,
        /// For object entries.
        scope: Option<ObjectScope>,
        /// A callback entry: holds under a condition, which `data` has.
        callback: bool,
        /// What stands behind the identifier: nothing, but for callback entries.
        data: Vec<u8>,
    },
    /// Further rules of the system list.
    System {
        /// Which.
        rule: SystemRule,
        /// Its rights or policy bits.
        mask: Access,
        /// The level, or who it is about.
        sid: Sid,
        /// What stands behind the identifier.
        data: Vec<u8>,
    },
    /// Any other type, as it came.
    Other {
        /// Its type: none that the variants above have.
        ace_type: AceType,
        /// All behind the header.
        body: Vec<u8>,
    },
}

/// An access control entry — [MS-DTYP] 2.4.4.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Ace {
    /// Inheritance and audit.
    pub flags: AceFlags,
    /// What it says.
    pub body: AceBody,
}

impl Ace {
    /// Allows `mask` to `sid`.
    pub const fn allow(sid: Sid, mask: Access) -> Self {
        Self::plain(Effect::Allow, sid, mask)
    }

    /// Denies `mask` to `sid`.
    pub const fn deny(sid: Sid, mask: Access) -> Self {
        Self::plain(Effect::Deny, sid, mask)
    }

    const fn plain(effect: Effect, sid: Sid, mask: Access) -> Self {
        let body = AceBody::Access { effect, mask, sid, scope: None, callback: false, data: Vec::new() };
        Self { flags: AceFlags::NONE, body }
    }

    /// The entry with these flags.
    #[must_use]
    pub fn with_flags(self, flags: AceFlags) -> Self {
        Self { flags, ..self }
    }

    /// What it does with rights, if it is about access.
    pub const fn effect(&self) -> Option<Effect> {
        match self.body {
            AceBody::Access { effect, .. } => Some(effect),
            _ => None,
        }
    }

    /// Whom it is about; `None` for entries kept as they came.
    pub const fn sid(&self) -> Option<&Sid> {
        match &self.body {
            AceBody::Access { sid, .. } | AceBody::System { sid, .. } => Some(sid),
            AceBody::Other { .. } => None,
        }
    }

    /// Its rights; none for entries kept as they came.
    pub const fn mask(&self) -> Access {
        match self.body {
            AceBody::Access { mask, .. } | AceBody::System { mask, .. } => mask,
            AceBody::Other { .. } => Access::NONE,
        }
    }

    /// The same entry about `sid` with `mask`.
    #[must_use]
    pub fn about(mut self, new_sid: Sid, new_mask: Access) -> Self {
        if let AceBody::Access { sid, mask, .. } | AceBody::System { sid, mask, .. } = &mut self.body {
            (*sid, *mask) = (new_sid, new_mask);
        }
        self
    }

    /// Whether it says something about the object itself.
    pub const fn is_effective(&self) -> bool {
        !self.flags.contains(AceFlags::INHERIT_ONLY)
    }

    /// AceType, as it is on the wire.
    pub fn ace_type(&self) -> AceType {
        match &self.body {
            AceBody::Access { effect, scope, callback, .. } => {
                access_type(*effect, scope.is_some(), *callback)
            }
            AceBody::System { rule: SystemRule::MandatoryLabel, .. } => AceType::SYSTEM_MANDATORY_LABEL,
            AceBody::System { rule: SystemRule::ResourceAttribute, .. } => AceType::SYSTEM_RESOURCE_ATTRIBUTE,
            AceBody::System { rule: SystemRule::ScopedPolicy, .. } => AceType::SYSTEM_SCOPED_POLICY_ID,
            AceBody::Other { ace_type, .. } => *ace_type,
        }
    }

    /// Reads an entry, and what stands behind it.
    pub(crate) fn read(bytes: &[u8]) -> Result<(&[u8], Self), ParseError> {
        let (_, (ace_type, flags, size)) = fixed(WHAT, bytes, (le_u8, le_u8, le_u16))?;
        let (entry, rest) =
            bytes.split_at_checked(size.into()).ok_or(ParseError::Truncated { what: WHAT })?;
        let wrong_size = ParseError::Value { what: "ACE size", value: size.into() };
        let body = entry.get(HEADER..).ok_or(wrong_size)?;
        Ok((rest, Self { flags: AceFlags(flags), body: AceBody::parse(AceType(ace_type), body)? }))
    }

    /// The number of bytes [`emit`](Self::emit) writes.
    pub fn wire_len(&self) -> usize {
        HEADER
            + match &self.body {
                AceBody::Access { sid, scope, data, .. } => {
                    4 + scope.as_ref().map_or(0, ObjectScope::wire_len) + sid.wire_len() + data.len()
                }
                AceBody::System { sid, data, .. } => 4 + sid.wire_len() + data.len(),
                AceBody::Other { body, .. } => body.len(),
            }
    }

    /// Writes the entry.
    pub fn emit(&self, out: &mut impl BufMut) {
        out.put_u8(self.ace_type().0);
        out.put_u8(self.flags.0);
        out.put_u16_le(len16(self.wire_len()));
        match &self.body {
            AceBody::Access { mask, sid, scope, data, .. } => {
                out.put_u32_le(mask.0);
                if let Some(scope) = scope {
                    scope.emit(out);
                }
                sid.emit(out);
                out.put_slice(data);
            }
            AceBody::System { mask, sid, data, .. } => {
                out.put_u32_le(mask.0);
                sid.emit(out);
                out.put_slice(data);
            }
            AceBody::Other { body, .. } => out.put_slice(body),
        }
    }
}

/// The one table of types: effect, object entry, callback entry.
const ACCESS_TYPES: [(AceType, Effect, bool, bool); 16] = [
    (AceType::ACCESS_ALLOWED, Effect::Allow, false, false),
    (AceType::ACCESS_DENIED, Effect::Deny, false, false),
    (AceType::SYSTEM_AUDIT, Effect::Audit, false, false),
    (AceType::SYSTEM_ALARM, Effect::Alarm, false, false),
    (AceType::ACCESS_ALLOWED_OBJECT, Effect::Allow, true, false),
    (AceType::ACCESS_DENIED_OBJECT, Effect::Deny, true, false),
    (AceType::SYSTEM_AUDIT_OBJECT, Effect::Audit, true, false),
    (AceType::SYSTEM_ALARM_OBJECT, Effect::Alarm, true, false),
    (AceType::ACCESS_ALLOWED_CALLBACK, Effect::Allow, false, true),
    (AceType::ACCESS_DENIED_CALLBACK, Effect::Deny, false, true),
    (AceType::SYSTEM_AUDIT_CALLBACK, Effect::Audit, false, true),
    (AceType::SYSTEM_ALARM_CALLBACK, Effect::Alarm, false, true),
    (AceType::ACCESS_ALLOWED_CALLBACK_OBJECT, Effect::Allow, true, true),
    (AceType::ACCESS_DENIED_CALLBACK_OBJECT, Effect::Deny, true, true),
    (AceType::SYSTEM_AUDIT_CALLBACK_OBJECT, Effect::Audit, true, true),
    (AceType::SYSTEM_ALARM_CALLBACK_OBJECT, Effect::Alarm, true, true),
];

fn access_type(effect: Effect, object: bool, callback: bool) -> AceType {
    let row = ACCESS_TYPES.iter().find(|row| (row.1, row.2, row.3) == (effect, object, callback));
    row.map_or(AceType::ACCESS_DENIED, |row| row.0)
}

impl AceBody {
    fn parse(ace_type: AceType, body: &[u8]) -> Result<Self, ParseError> {
        if let Some((_, effect, object, callback)) = ACCESS_TYPES.iter().find(|row| row.0 == ace_type) {
            let (rest, mask) = fixed(WHAT, body, le_u32)?;
            let (rest, scope) = if *object { ObjectScope::read(rest)? } else { (rest, None) };
            let (data, sid) = Sid::read(rest)?;
            let (effect, callback, mask) = (*effect, *callback, Access(mask));
            return Ok(Self::Access { effect, mask, sid, scope, callback, data: data.to_vec() });
        }
        let rule = match ace_type {
            AceType::SYSTEM_MANDATORY_LABEL => SystemRule::MandatoryLabel,
            AceType::SYSTEM_RESOURCE_ATTRIBUTE => SystemRule::ResourceAttribute,
            AceType::SYSTEM_SCOPED_POLICY_ID => SystemRule::ScopedPolicy,
            _ => return Ok(Self::Other { ace_type, body: body.to_vec() }),
        };
        let (rest, mask) = fixed(WHAT, body, le_u32)?;
        let (data, sid) = Sid::read(rest)?;
        Ok(Self::System { rule, mask: Access(mask), sid, data: data.to_vec() })
    }
}

impl ObjectScope {
    fn read(bytes: &[u8]) -> Result<(&[u8], Option<Self>), ParseError> {
        let (rest, flags) = fixed("object ACE", bytes, le_u32)?;
        let guid = |rest, bit| match flags & bit {
            0 => Ok((rest, None)),
            _ => fixed("object ACE", rest, array::<16>).map(|(rest, guid)| (rest, Some(guid))),
        };
        let (rest, object_type) = guid(rest, OBJECT_TYPE)?;
        let (rest, inherited_object_type) = guid(rest, INHERITED_OBJECT_TYPE)?;
        Ok((rest, Some(Self { object_type, inherited_object_type })))
    }

    fn guids(&self) -> impl Iterator<Item = &[u8; 16]> {
        self.object_type.iter().chain(&self.inherited_object_type)
    }

    fn wire_len(&self) -> usize {
        4 + 16 * self.guids().count()
    }

    fn emit(&self, out: &mut impl BufMut) {
        let bit = |guid: &Option<_>, bit| if guid.is_some() { bit } else { 0 };
        let flags =
            bit(&self.object_type, OBJECT_TYPE) | bit(&self.inherited_object_type, INHERITED_OBJECT_TYPE);
        out.put_u32_le(flags);
        self.guids().for_each(|guid| out.put_slice(guid));
    }
}

#[cfg(test)]
mod tests;
