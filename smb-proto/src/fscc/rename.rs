//! Renaming and linking — [MS-FSCC] 2.4.27, 2.4.41, in the form SMB2 uses (RootDirectory of eight bytes, always zero).

use super::{Information, class::FileInformationClass, name::counted, name::emit_counted};
use crate::{
    codec::{
        num::{array, fixed, le_u8, le_u32, le_u64},
        utf16,
    },
    command::wire_flags,
    error::ParseError,
    msg::InfoType,
};
use bytes::BufMut;

wire_flags! {
    /// Flags of FileRenameInformationEx and FileLinkInformationEx.
    RenameFlags: u32 {
        /// FILE_RENAME_REPLACE_IF_EXISTS.
        REPLACE_IF_EXISTS = 0x01,
        /// FILE_RENAME_POSIX_SEMANTICS: replace even a file that is open.
        POSIX_SEMANTICS = 0x02,
        /// FILE_RENAME_SUPPRESS_PIN_STATE_INHERITANCE.
        SUPPRESS_PIN_STATE_INHERITANCE = 0x04,
        /// FILE_RENAME_SUPPRESS_STORAGE_RESERVE_INHERITANCE.
        SUPPRESS_STORAGE_RESERVE_INHERITANCE = 0x08,
        /// FILE_RENAME_NO_INCREASE_AVAILABLE_SPACE.
        NO_INCREASE_AVAILABLE_SPACE = 0x10,
        /// FILE_RENAME_NO_DECREASE_AVAILABLE_SPACE.
        NO_DECREASE_AVAILABLE_SPACE = 0x20,
        /// FILE_RENAME_IGNORE_READONLY_ATTRIBUTE.
        IGNORE_READONLY_ATTRIBUTE = 0x40,
    }
}

/// A RootDirectory other than zero has no meaning over a network, and following it would be wrong.
fn check_root(what: &'static str, root: u64) -> Result<(), ParseError> {
    if root == 0 { Ok(()) } else { Err(ParseError::Value { what, value: root }) }
}

/// Writes the name, and as much padding as the size of the structure asks for, as servers refuse less.
fn emit_name(name: &str, out: &mut impl BufMut) {
    const NAME_AT: usize = 20;
    const AT_LEAST: usize = 24;
    emit_counted(name, out);
    out.put_bytes(0, AT_LEAST.saturating_sub(NAME_AT + utf16::encoded_len(name)));
}

macro_rules! rename_information {
    ($(#[$doc:meta])* $name:ident: $class:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Default)]
        pub struct $name {
            /// Replace what has the name already; else that is an error.
            pub replace_if_exists: bool,
            /// The new path, from the share's root, without a leading `\`.
            pub name: String,
        }

        impl Information for $name {
            const INFO_TYPE: InfoType = InfoType::FILE;
            const CLASS: u8 = FileInformationClass::$class.0;

            fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
                const WHAT: &str = stringify!($name);
                let (_, (replace, _, root, name)) = fixed(WHAT, bytes, (le_u8, array::<7>, le_u64, counted))?;
                check_root(WHAT, root)?;
                Ok(Self { replace_if_exists: replace != 0, name: utf16::decode(WHAT, name)? })
            }

            fn emit(&self, out: &mut impl BufMut) {
                out.put_u8(self.replace_if_exists.into());
                out.put_bytes(0, 15);
                emit_name(&self.name, out);
            }
        }
    };
}

macro_rules! rename_information_ex {
    ($(#[$doc:meta])* $name:ident: $class:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Default)]
        pub struct $name {
            /// How to do it.
            pub flags: RenameFlags,
            /// The new path, from the share's root, without a leading `\`.
            pub name: String,
        }

        impl Information for $name {
            const INFO_TYPE: InfoType = InfoType::FILE;
            const CLASS: u8 = FileInformationClass::$class.0;

            fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
                const WHAT: &str = stringify!($name);
                let (_, (flags, _, root, name)) = fixed(WHAT, bytes, (le_u32, le_u32, le_u64, counted))?;
                check_root(WHAT, root)?;
                Ok(Self { flags: RenameFlags(flags), name: utf16::decode(WHAT, name)? })
            }

            fn emit(&self, out: &mut impl BufMut) {
                out.put_u32_le(self.flags.0);
                out.put_bytes(0, 12);
                emit_name(&self.name, out);
            }
        }
    };
}

rename_information!(
    /// FileRenameInformation — [MS-FSCC] 2.4.41.2.
    RenameInformation: RENAME
);
rename_information!(
    /// FileLinkInformation — [MS-FSCC] 2.4.27.2: a further hard link.
    LinkInformation: LINK
);
rename_information_ex!(
    /// FileRenameInformationEx: FILE_RENAME_INFORMATION_EX of the Windows kernel, which clients send as it is.
    RenameInformationEx: RENAME_EX
);
rename_information_ex!(
    /// FileLinkInformationEx: FILE_LINK_INFORMATION_EX of the Windows kernel, which clients send as it is.
    LinkInformationEx: LINK_EX
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::field::testing::{check, hex};

    #[test]
    fn all_forms() {
        let tail = "0000000000000000 04000000 6200 6300";
        let wire = hex(&format!("01 00000000000000 {tail}"));
        check(&RenameInformation { replace_if_exists: true, name: "bc".into() }, &wire);
        check(&LinkInformation { replace_if_exists: true, name: "bc".into() }, &wire);
        let wire = hex(&format!("03000000 00000000 {tail}"));
        let flags = RenameFlags::REPLACE_IF_EXISTS | RenameFlags::POSIX_SEMANTICS;
        check(&RenameInformationEx { flags, name: "bc".into() }, &wire);
        check(&LinkInformationEx { flags, name: "bc".into() }, &wire);
    }

    #[test]
    fn a_short_name_is_padded_to_the_size_of_the_structure() {
        let rename = RenameInformation { replace_if_exists: false, name: "a".into() };
        assert_eq!(rename.to_bytes(), hex("00 00000000000000 0000000000000000 02000000 6100 0000"));
        assert_eq!(RenameInformation::parse(&rename.to_bytes()).unwrap(), rename);
        let rename = RenameInformationEx { flags: RenameFlags::NONE, name: "a".into() };
        assert_eq!(rename.to_bytes().len(), 24);
    }

    #[test]
    fn a_root_directory_is_refused() {
        let wire = hex("01 00000000000000 0500000000000000 04000000 6200 6300");
        assert!(RenameInformation::parse(&wire).is_err());
        assert!(RenameInformationEx::parse(&wire).is_err());
    }
}
