//! Times, attributes, sizes and the small facts about a file — [MS-FSCC] 2.4.

use super::class::FileInformationClass;
use crate::codec::field::plain_information;
use crate::msg::{Access, FileAttributes, FileTimes};

plain_information! {
    /// FileBasicInformation — [MS-FSCC] 2.4.7. When set: a time of 0 stays as it is, as do attributes of 0; a time of -1
    /// stops the open's own operations from changing it, -2 lets them again.
    BasicInformation: FILE FileInformationClass::BASIC, {
        /// The file's times.
        times: FileTimes;
        /// Its attributes.
        attributes: FileAttributes, pad 4;
    }
}

plain_information! {
    /// FileStandardInformation — [MS-FSCC] 2.4.45.
    StandardInformation: FILE FileInformationClass::STANDARD, {
        /// Bytes the file occupies.
        allocation_size: u64;
        /// Bytes the file holds.
        end_of_file: u64;
        /// Hard links.
        number_of_links: u32;
        /// It is deleted when its last open closes.
        delete_pending: bool;
        /// It is a directory.
        directory: bool, pad 2;
    }
}

plain_information! {
    /// FileInternalInformation — [MS-FSCC] 2.4.26.
    InternalInformation: FILE FileInformationClass::INTERNAL, {
        /// The file's id on its volume.
        index_number: u64;
    }
}

plain_information! {
    /// FileEaInformation — [MS-FSCC] 2.4.12.
    EaInformation: FILE FileInformationClass::EA, {
        /// Bytes of all extended attributes.
        ea_size: u32;
    }
}

plain_information! {
    /// FileAccessInformation — [MS-FSCC] 2.4.1.
    AccessInformation: FILE FileInformationClass::ACCESS, {
        /// The rights the open was granted.
        access: Access;
    }
}

plain_information! {
    /// FilePositionInformation — [MS-FSCC] 2.4.39.
    PositionInformation: FILE FileInformationClass::POSITION, {
        /// The offset the open remembers; the protocol does not use it.
        current_byte_offset: u64;
    }
}

plain_information! {
    /// FileModeInformation — [MS-FSCC] 2.4.30.
    ModeInformation: FILE FileInformationClass::MODE, {
        /// Some of the CreateOptions the open was made with.
        mode: u32;
    }
}

plain_information! {
    /// FileAlignmentInformation — [MS-FSCC] 2.4.3.
    AlignmentInformation: FILE FileInformationClass::ALIGNMENT, {
        /// The alignment buffers must have, less one; 0 for none.
        alignment_requirement: u32;
    }
}

plain_information! {
    /// FileNetworkOpenInformation — [MS-FSCC] 2.4.33.
    NetworkOpenInformation: FILE FileInformationClass::NETWORK_OPEN, {
        /// The file's times.
        times: FileTimes;
        /// Bytes the file occupies.
        allocation_size: u64;
        /// Bytes the file holds.
        end_of_file: u64;
        /// Its attributes.
        attributes: FileAttributes, pad 4;
    }
}

plain_information! {
    /// FileAttributeTagInformation — [MS-FSCC] 2.4.6.
    AttributeTagInformation: FILE FileInformationClass::ATTRIBUTE_TAG, {
        /// The file's attributes.
        attributes: FileAttributes;
        /// The kind of reparse point, 0 where it is none.
        reparse_tag: u32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        codec::field::testing::{check, hex},
        msg::testing::times,
    };

    const TIMES: &str = "0100000000000000 0200000000000000 0300000000000000 0400000000000000";

    #[test]
    fn times_sizes_and_attributes() {
        let times = times([1, 2, 3, 4]);
        let attributes = FileAttributes(0x20);
        check(&BasicInformation { times, attributes }, &hex(&format!("{TIMES} 20000000 00000000")));
        check(
            &StandardInformation {
                allocation_size: 0x1000,
                end_of_file: 0xabc,
                number_of_links: 2,
                delete_pending: true,
                directory: false,
            },
            &hex("0010000000000000 bc0a000000000000 02000000 01 00 0000"),
        );
        check(
            &NetworkOpenInformation { times, allocation_size: 0x1000, end_of_file: 0xabc, attributes },
            &hex(&format!("{TIMES} 0010000000000000 bc0a000000000000 20000000 00000000")),
        );
        let tag = AttributeTagInformation { attributes: FileAttributes(0x400), reparse_tag: 0xa000_000c };
        check(&tag, &hex("00040000 0c0000a0"));
    }

    #[test]
    fn single_numbers() {
        check(&InternalInformation { index_number: 0x0102_0304_0506_0708 }, &hex("0807060504030201"));
        check(&EaInformation { ea_size: 0x30 }, &hex("30000000"));
        check(&AccessInformation { access: Access(0x0012_0089) }, &hex("89001200"));
        check(&PositionInformation { current_byte_offset: 9 }, &hex("0900000000000000"));
        check(&ModeInformation { mode: 2 }, &hex("02000000"));
        check(&AlignmentInformation { alignment_requirement: 0x1ff }, &hex("ff010000"));
    }
}
