//! Setting a file's size — [MS-FSCC] 2.4.4, 2.4.13, 2.4.49.

use super::class::FileInformationClass;
use crate::codec::field::plain_information;

plain_information! {
    /// FileEndOfFileInformation — [MS-FSCC] 2.4.13.
    EndOfFileInformation: FILE FileInformationClass::END_OF_FILE, {
        /// Bytes the file is to hold: cut, or grown by zeros.
        end_of_file: u64;
    }
}

plain_information! {
    /// FileAllocationInformation — [MS-FSCC] 2.4.4.
    AllocationInformation: FILE FileInformationClass::ALLOCATION, {
        /// Bytes to reserve; less than the file holds cuts it.
        allocation_size: u64;
    }
}

plain_information! {
    /// FileValidDataLengthInformation — [MS-FSCC] 2.4.49.
    ValidDataLengthInformation: FILE FileInformationClass::VALID_DATA_LENGTH, {
        /// Bytes that count as written.
        valid_data_length: u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::field::testing::{check, hex};

    #[test]
    fn one_number_each() {
        check(&EndOfFileInformation { end_of_file: 1 << 40 }, &hex("0000000000010000"));
        check(&AllocationInformation { allocation_size: 1 << 20 }, &hex("0000100000000000"));
        check(&ValidDataLengthInformation { valid_data_length: 3 }, &hex("0300000000000000"));
    }
}
