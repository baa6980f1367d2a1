//! Which parts of a descriptor — [MS-DTYP] 2.4.7, [MS-SMB2] 2.2.37, 2.2.39.

use crate::{command::wire_flags, msg::Access};

wire_flags! {
    /// SECURITY_INFORMATION, the AdditionalInformation of QUERY_INFO and SET_INFO about security — [MS-DTYP] 2.4.7,
    /// [MS-SMB2] 2.2.37, 2.2.39. Other bits than those here are ignored there ([MS-SMB2] 3.3.5.20.3, 3.3.5.21.3).
    SecurityInformation: u32 {
        /// OWNER_SECURITY_INFORMATION.
        OWNER = 0x0000_0001,
        /// GROUP_SECURITY_INFORMATION.
        GROUP = 0x0000_0002,
        /// DACL_SECURITY_INFORMATION.
        DACL = 0x0000_0004,
        /// SACL_SECURITY_INFORMATION: its entries about auditing.
        SACL = 0x0000_0008,
        /// LABEL_SECURITY_INFORMATION: the integrity label in the SACL.
        LABEL = 0x0000_0010,
        /// ATTRIBUTE_SECURITY_INFORMATION: the resource attributes in the SACL.
        ATTRIBUTE = 0x0000_0020,
        /// SCOPE_SECURITY_INFORMATION: the central policy in the SACL.
        SCOPE = 0x0000_0040,
        /// BACKUP_SECURITY_INFORMATION: all, for backup and restore.
        BACKUP = 0x0001_0000,
    }
}

impl SecurityInformation {
    /// All parts but those of the SACL: what needs no privilege to read.
    pub const ORDINARY: Self = Self(0x7);
    /// The parts that lie in the SACL.
    pub const IN_SACL: Self = Self(0x78);

    /// The right an open must have to read these parts — [MS-SMB2] 3.3.5.20.3.
    pub const fn needed_to_query(self) -> Access {
        let mut needed = Access::NONE;
        if self.intersects(Self(0x0001_0077)) {
            needed = needed.with(Access::READ_CONTROL);
        }
        if self.intersects(Self(0x0001_0008)) {
            needed = needed.with(Access::SYSTEM_SECURITY);
        }
        needed
    }

    /// The rights an open must have to set these parts — [MS-SMB2] 3.3.5.21.3.
    pub const fn needed_to_set(self) -> Access {
        let mut needed = Access::NONE;
        if self.intersects(Self(0x0001_0013)) {
            needed = needed.with(Access::WRITE_OWNER);
        }
        if self.intersects(Self(0x0001_0024)) {
            needed = needed.with(Access::WRITE_DAC);
        }
        if self.intersects(Self(0x0001_0048)) {
            needed = needed.with(Access::SYSTEM_SECURITY);
        }
        needed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_needs_its_right() {
        type Part = SecurityInformation;
        for (part, query, set) in [
            (Part::OWNER, Access::READ_CONTROL, Access::WRITE_OWNER),
            (Part::GROUP, Access::READ_CONTROL, Access::WRITE_OWNER),
            (Part::DACL, Access::READ_CONTROL, Access::WRITE_DAC),
            (Part::SACL, Access::SYSTEM_SECURITY, Access::SYSTEM_SECURITY),
            (Part::LABEL, Access::READ_CONTROL, Access::WRITE_OWNER),
            (Part::ATTRIBUTE, Access::READ_CONTROL, Access::WRITE_DAC),
            (Part::SCOPE, Access::READ_CONTROL, Access::SYSTEM_SECURITY),
            (SecurityInformation(0x8000), Access::NONE, Access::NONE),
        ] {
            assert_eq!((part.needed_to_query(), part.needed_to_set()), (query, set), "{part:?}");
        }
        let all = Access::WRITE_OWNER | Access::WRITE_DAC | Access::SYSTEM_SECURITY;
        assert_eq!(Part::BACKUP.needed_to_set(), all);
    }
}
