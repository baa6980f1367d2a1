//! NegotiateFlags — [MS-NLMP] 2.2.2.5.

/// The NEGOTIATE structure: a set of bits; unknown ones survive.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct NegotiateFlags(pub u32);

macro_rules! flags {
    ($($name:ident = $value:literal, $text:literal;)*) => {
        impl NegotiateFlags {
            $(#[doc = concat!($text, ".")] pub const $name: Self = Self($value);)*
        }
    };
}

flags! {
    UNICODE = 0x0000_0001, "Strings are UTF-16LE";
    OEM = 0x0000_0002, "Strings may be in the OEM character set";
    REQUEST_TARGET = 0x0000_0004, "The client wants a TargetName";
    SIGN = 0x0000_0010, "Signatures";
    SEAL = 0x0000_0020, "Sealing";
    LM_KEY = 0x0000_0080, "The LAN Manager session key";
    NTLM = 0x0000_0200, "NTLM session keys";
    ANONYMOUS = 0x0000_0800, "The client comes without a name";
    DOMAIN_SUPPLIED = 0x0000_1000, "The NEGOTIATE message names a domain";
    WORKSTATION_SUPPLIED = 0x0000_2000, "The NEGOTIATE message names a workstation";
    ALWAYS_SIGN = 0x0000_8000, "A dummy or real signature on everything";
    TARGET_TYPE_DOMAIN = 0x0001_0000, "TargetName is a domain";
    TARGET_TYPE_SERVER = 0x0002_0000, "TargetName is a server";
    EXTENDED_SESSION_SECURITY = 0x0008_0000, "Extended session security: HMAC-MD5 signatures with a key per direction";
    TARGET_INFO = 0x0080_0000, "The CHALLENGE message has AV pairs";
    VERSION = 0x0200_0000, "The message has a Version field";
    KEY_128 = 0x2000_0000, "128-bit session keys";
    KEY_EXCH = 0x4000_0000, "The client chooses the session key and sends it encrypted";
    KEY_56 = 0x8000_0000, "56-bit session keys";
}

impl NegotiateFlags {
    /// Whether all of `other` are set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The same set with or without `other`.
    #[must_use]
    pub const fn with(self, other: Self, set: bool) -> Self {
        if set { Self(self.0 | other.0) } else { Self(self.0 & !other.0) }
    }
}

impl std::ops::BitOr for NegotiateFlags {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl std::ops::BitAnd for NegotiateFlags {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl std::fmt::Debug for NegotiateFlags {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NegotiateFlags({:#010x})", self.0)
    }
}
