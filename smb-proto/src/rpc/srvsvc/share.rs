//! What is said of a share, by level — [MS-SRVS] 2.2.4.22 to 2.2.4.27, 2.2.4.29, 2.2.2.4.

use super::super::ndr::{Reader, Writer};
use crate::{
    codec::num::len32,
    command::{wire_enum, wire_flags},
    dtyp::SecurityDescriptor,
    error::ParseError,
};

wire_enum! {
    /// How much is said of a share: which SHARE_INFO structure — [MS-SRVS] 2.2.3.6.
    ShareLevel: u32 {
        /// SHARE_INFO_0: the name.
        NAME = 0,
        /// SHARE_INFO_1: and type and comment.
        NAME_TYPE_COMMENT = 1,
        /// SHARE_INFO_2: and how it is used, and where it lies.
        USE = 2,
        /// SHARE_INFO_501: name, type, comment and flags.
        FLAGS = 501,
        /// SHARE_INFO_502: as 2, and the security descriptor.
        SECURITY = 502,
        /// SHARE_INFO_503: as 502, and the server name it is tied to.
        SCOPE = 503,
        /// SHARE_INFO_1005: the flags alone; of one share only.
        FLAGS_ONLY = 1005,
    }
}

impl ShareLevel {
    /// Whether the level has a structure here.
    pub const fn is_known(self) -> bool {
        self.name().is_some()
    }

    /// Whether the union of one share — [MS-SRVS] 2.2.3.6 — has a pointer for the level, structure or not.
    pub(super) const fn has_arm(self) -> bool {
        self.is_known() || matches!(self.0, 1004 | 1006 | 1501)
    }

    /// Whether lists are made of it.
    pub const fn is_enumerable(self) -> bool {
        self.is_known() && !matches!(self, Self::FLAGS_ONLY)
    }

    const fn has_name(self) -> bool {
        !matches!(self, Self::FLAGS_ONLY)
    }

    const fn has_comment(self) -> bool {
        !matches!(self, Self::NAME | Self::FLAGS_ONLY)
    }

    const fn has_use(self) -> bool {
        matches!(self, Self::USE | Self::SECURITY | Self::SCOPE)
    }

    const fn has_security(self) -> bool {
        matches!(self, Self::SECURITY | Self::SCOPE)
    }

    const fn has_scope(self) -> bool {
        matches!(self, Self::SCOPE)
    }

    const fn has_flags(self) -> bool {
        matches!(self, Self::FLAGS | Self::FLAGS_ONLY)
    }
}

wire_flags! {
    /// Share type — [MS-SRVS] 2.2.2.4: a kind in the lower bits, and flags.
    ShareKind: u32 {
        /// STYPE_PRINTQ.
        PRINT_QUEUE = 0x0000_0001,
        /// STYPE_DEVICE.
        DEVICE = 0x0000_0002,
        /// STYPE_IPC.
        IPC = 0x0000_0003,
        /// STYPE_TEMPORARY.
        TEMPORARY = 0x4000_0000,
        /// STYPE_SPECIAL: for administration, not shown to users.
        SPECIAL = 0x8000_0000,
    }
}

impl ShareKind {
    /// STYPE_DISKTREE.
    pub const DISK: Self = Self(0);

    /// The kind without the flags.
    #[must_use]
    pub const fn base(self) -> Self {
        Self(self.0 & 0x0fff_ffff)
    }
}

/// What is said of a share. A level carries some of it; what it does not carry is read as the default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareInfo {
    /// Its name.
    pub name: String,
    /// Disk, pipes or printer.
    pub kind: ShareKind,
    /// A comment for people.
    pub comment: Option<String>,
    /// What the level of security "share" allows; else without meaning.
    pub permissions: u32,
    /// How many may use it at a time; `u32::MAX` for no limit.
    pub max_uses: u32,
    /// How many do.
    pub current_uses: u32,
    /// Where it lies on the server. Not everybody's business: a server may leave it empty.
    pub path: Option<String>,
    /// Its password, at the level of security "share".
    pub password: Option<String>,
    /// The one server name it is found under; `None`, which is `*` on the wire, for all of them.
    pub scope: Option<String>,
    /// SHI1005_FLAGS: caching and DFS, as ShareFlags of TREE_CONNECT.
    pub flags: u32,
    /// Who may use it.
    pub security: Option<SecurityDescriptor>,
}

impl Default for ShareInfo {
    fn default() -> Self {
        Self {
            name: String::new(),
            kind: ShareKind::DISK,
            comment: None,
            permissions: 0,
            max_uses: u32::MAX,
            current_uses: 0,
            path: None,
            password: None,
            scope: None,
            flags: 0,
            security: None,
        }
    }
}

impl ShareInfo {
    /// A share of files.
    pub fn disk(name: &str, comment: &str) -> Self {
        Self { name: name.to_owned(), comment: Some(comment.to_owned()), ..Self::default() }
    }

    /// The share of pipes.
    pub fn ipc(comment: &str) -> Self {
        Self { kind: ShareKind::IPC | ShareKind::SPECIAL, ..Self::disk("IPC$", comment) }
    }

    /// The fixed part; what it points to follows with [`write_referents`](Self::write_referents).
    pub(super) fn write(&self, level: ShareLevel, out: &mut Writer) {
        if level.has_name() {
            out.pointer(true);
        }
        if level.has_comment() {
            out.u32(self.kind.0);
            out.pointer(self.comment.is_some());
        }
        if level.has_use() {
            [self.permissions, self.max_uses, self.current_uses].into_iter().for_each(|n| out.u32(n));
            out.pointer(self.path.is_some());
            out.pointer(self.password.is_some());
        }
        if level.has_scope() {
            out.pointer(true);
        }
        if level.has_flags() {
            out.u32(self.flags);
        }
        if level.has_security() {
            out.u32(self.security.as_ref().map_or(0, |security| len32(security.wire_len())));
            out.pointer(self.security.is_some());
        }
    }

    pub(super) fn write_referents(&self, level: ShareLevel, out: &mut Writer) {
        if level.has_name() {
            out.string(&self.name);
        }
        if level.has_comment() {
            out.string_if(self.comment.as_deref());
        }
        if level.has_use() {
            out.string_if(self.path.as_deref());
            out.string_if(self.password.as_deref());
        }
        if level.has_scope() {
            out.string(self.scope.as_deref().unwrap_or(ANY_SERVER));
        }
        if let (true, Some(security)) = (level.has_security(), &self.security) {
            out.byte_array(&security.to_bytes());
        }
    }
}

/// The server name of a share that is not tied to one — [MS-SRVS] 2.2.4.27.
const ANY_SERVER: &str = "*";

/// The fixed part of a share: numbers, and which pointers point to something.
#[derive(Default)]
pub(super) struct Fixed {
    kind: u32,
    uses: [u32; 3],
    flags: u32,
    comment: bool,
    path: bool,
    password: bool,
    scope: bool,
    security: bool,
}

impl Fixed {
    pub(super) fn read(level: ShareLevel, input: &mut Reader<'_>) -> Result<Self, ParseError> {
        let mut fixed = Self::default();
        if level.has_name() && !input.pointer()? {
            return Err(ParseError::Value { what: "name of a share", value: 0 });
        }
        if level.has_comment() {
            fixed.kind = input.u32()?;
            fixed.comment = input.pointer()?;
        }
        if level.has_use() {
            fixed.uses = [input.u32()?, input.u32()?, input.u32()?];
            fixed.path = input.pointer()?;
            fixed.password = input.pointer()?;
        }
        if level.has_scope() {
            fixed.scope = input.pointer()?;
        }
        if level.has_flags() {
            fixed.flags = input.u32()?;
        }
        if level.has_security() {
            _ = input.u32()?;
            fixed.security = input.pointer()?;
        }
        Ok(fixed)
    }

    pub(super) fn read_referents(
        self,
        level: ShareLevel,
        input: &mut Reader<'_>,
    ) -> Result<ShareInfo, ParseError> {
        let name = input.string_if(level.has_name())?.unwrap_or_default();
        let comment = input.string_if(self.comment)?;
        let path = input.string_if(self.path)?;
        let password = input.string_if(self.password)?;
        let scope = input.string_if(self.scope)?.filter(|server| server != ANY_SERVER);
        let security = match self.security {
            true => Some(SecurityDescriptor::parse(input.byte_array()?)?),
            false => None,
        };
        let [permissions, max_uses, current_uses] = match level.has_use() {
            true => self.uses,
            false => [0, u32::MAX, 0],
        };
        let kind = ShareKind(self.kind);
        let flags = self.flags;
        Ok(ShareInfo {
            name,
            kind,
            comment,
            permissions,
            max_uses,
            current_uses,
            path,
            password,
            scope,
            flags,
            security,
        })
    }
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;
    use crate::dtyp;
    use proptest::{option, prelude::*, sample::select};

    pub(crate) fn level() -> impl Strategy<Value = ShareLevel> {
        select(vec![
            ShareLevel::NAME,
            ShareLevel::NAME_TYPE_COMMENT,
            ShareLevel::USE,
            ShareLevel::FLAGS,
            ShareLevel::SECURITY,
            ShareLevel::SCOPE,
        ])
    }

    fn text() -> impl Strategy<Value = String> {
        "\\PC{0,9}"
    }

    pub(crate) fn share() -> impl Strategy<Value = ShareInfo> {
        let scope = option::of(text()).prop_map(|server| server.filter(|server| server != ANY_SERVER));
        let texts = (text(), option::of(text()), option::of(text()), option::of(text()), scope);
        (any::<[u32; 5]>(), texts, option::of(dtyp::testing::descriptor())).prop_map(
            |(
                [kind, permissions, max_uses, current_uses, flags],
                (name, comment, path, password, scope),
                security,
            )| {
                let kind = ShareKind(kind);
                ShareInfo {
                    name,
                    kind,
                    comment,
                    permissions,
                    max_uses,
                    current_uses,
                    path,
                    password,
                    scope,
                    flags,
                    security,
                }
            },
        )
    }

    impl ShareInfo {
        /// What a level leaves of it.
        pub(crate) fn at(self, level: ShareLevel) -> Self {
            let none = Self::default();
            let (comment, uses) = (level.has_comment(), level.has_use());
            Self {
                name: if level.has_name() { self.name } else { none.name },
                kind: if comment { self.kind } else { none.kind },
                comment: self.comment.filter(|_| comment),
                permissions: if uses { self.permissions } else { 0 },
                max_uses: if uses { self.max_uses } else { u32::MAX },
                current_uses: if uses { self.current_uses } else { 0 },
                path: self.path.filter(|_| uses),
                password: self.password.filter(|_| uses),
                scope: self.scope.filter(|_| level.has_scope()),
                flags: if level.has_flags() { self.flags } else { 0 },
                security: self.security.filter(|_| level.has_security()),
            }
        }
    }
}
