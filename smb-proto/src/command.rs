//! SMB2 commands — [MS-SMB2] 2.2.1.

/// Defines a newtype over a wire integer with named constants: unknown values survive a round trip and print
/// as numbers.
macro_rules! wire_enum {
    ($(#[$doc:meta])* $name:ident: $int:ty { $($(#[$cdoc:meta])* $constant:ident = $value:expr,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
        pub struct $name(pub $int);

        impl $name {
            $($(#[$cdoc])* pub const $constant: Self = Self($value);)*

            /// The specification's name for the value, where it has one.
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$constant => Some(stringify!($constant)),)*
                    _ => None,
                }
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self.name() {
                    Some(name) => f.write_str(name),
                    None => write!(f, concat!(stringify!($name), "({:#x})"), self.0),
                }
            }
        }
    };
}

/// Defines a set of wire flags: a newtype with constants, set operations, and a `Debug` that names the bits.
/// Bits without a name survive.
macro_rules! wire_flags {
    ($(#[$doc:meta])* $name:ident: $int:ty { $($(#[$cdoc:meta])* $constant:ident = $value:expr,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
        pub struct $name(pub $int);

        impl $name {
            $($(#[$cdoc])* pub const $constant: Self = Self($value);)*

            /// No flag.
            pub const NONE: Self = Self(0);

            /// Whether every flag of `other` is set.
            pub const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// Whether any flag of `other` is set.
            pub const fn intersects(self, other: Self) -> bool {
                self.0 & other.0 != 0
            }

            /// These flags and those of `other`.
            #[must_use]
            pub const fn with(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }

            /// These flags but those of `other`.
            #[must_use]
            pub const fn without(self, other: Self) -> Self {
                Self(self.0 & !other.0)
            }
        }

        impl std::ops::BitOr for $name {
            type Output = Self;
            fn bitor(self, other: Self) -> Self {
                self.with(other)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let mut rest = self.0;
                let mut first = true;
                $(if Self::$constant.0 != 0 && rest & Self::$constant.0 == Self::$constant.0 {
                    rest &= !Self::$constant.0;
                    if !std::mem::take(&mut first) { f.write_str("|")?; }
                    f.write_str(stringify!($constant))?;
                })*
                if rest != 0 || first {
                    if !first { f.write_str("|")?; }
                    write!(f, "{rest:#x}")?;
                }
                Ok(())
            }
        }
    };
}

pub(crate) use {wire_enum, wire_flags};

wire_enum! {
    /// The Command field of the SMB2 header.
    Command: u16 {
        /// Dialect and capabilities, first on every connection.
        NEGOTIATE = 0x0000,
        /// Authentication, and binding of a channel.
        SESSION_SETUP = 0x0001,
        /// End of a session.
        LOGOFF = 0x0002,
        /// Connect to a share.
        TREE_CONNECT = 0x0003,
        /// Leave a share.
        TREE_DISCONNECT = 0x0004,
        /// Open or create a file, directory or pipe.
        CREATE = 0x0005,
        /// End of an open.
        CLOSE = 0x0006,
        /// Make written data durable.
        FLUSH = 0x0007,
        /// Read from a file or pipe.
        READ = 0x0008,
        /// Write to a file or pipe.
        WRITE = 0x0009,
        /// Byte-range locks.
        LOCK = 0x000a,
        /// File system control.
        IOCTL = 0x000b,
        /// Cancel an outstanding request.
        CANCEL = 0x000c,
        /// Is anybody there.
        ECHO = 0x000d,
        /// Enumerate a directory.
        QUERY_DIRECTORY = 0x000e,
        /// Wait for changes in a directory.
        CHANGE_NOTIFY = 0x000f,
        /// File, file system, security or quota information.
        QUERY_INFO = 0x0010,
        /// Set the same.
        SET_INFO = 0x0011,
        /// Oplock and lease breaks and their acknowledgements.
        OPLOCK_BREAK = 0x0012,
        /// Server to client notification.
        SERVER_TO_CLIENT_NOTIFICATION = 0x0013,
    }
}
