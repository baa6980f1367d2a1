//! Deleting a file — [MS-FSCC] 2.4.11.

use super::class::FileInformationClass;
use crate::{
    codec::field::{number_field, plain_information},
    command::wire_flags,
};

plain_information! {
    /// FileDispositionInformation — [MS-FSCC] 2.4.11.
    DispositionInformation: FILE FileInformationClass::DISPOSITION, {
        /// Delete the file when its last open closes; or, if false, keep it after all.
        delete_pending: bool;
    }
}

wire_flags! {
    /// Flags of FileDispositionInformationEx.
    DispositionFlags: u32 {
        /// FILE_DISPOSITION_DELETE.
        DELETE = 0x01,
        /// FILE_DISPOSITION_POSIX_SEMANTICS: the name goes at once, the file with its last open.
        POSIX_SEMANTICS = 0x02,
        /// FILE_DISPOSITION_FORCE_IMAGE_SECTION_CHECK.
        FORCE_IMAGE_SECTION_CHECK = 0x04,
        /// FILE_DISPOSITION_ON_CLOSE: set or clear delete-on-close of this open.
        ON_CLOSE = 0x08,
        /// FILE_DISPOSITION_IGNORE_READONLY_ATTRIBUTE.
        IGNORE_READONLY_ATTRIBUTE = 0x10,
    }
}

number_field!(DispositionFlags: u32);

plain_information! {
    /// FileDispositionInformationEx: FILE_DISPOSITION_INFORMATION_EX of the Windows kernel, which clients send as it is.
    DispositionInformationEx: FILE FileInformationClass::DISPOSITION_EX, {
        /// What to do.
        flags: DispositionFlags;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::field::testing::{check, hex};

    #[test]
    fn both_forms() {
        check(&DispositionInformation { delete_pending: true }, &[1]);
        check(&DispositionInformation { delete_pending: false }, &[0]);
        let flags = DispositionFlags::DELETE | DispositionFlags::POSIX_SEMANTICS;
        check(&DispositionInformationEx { flags }, &hex("03000000"));
    }
}
