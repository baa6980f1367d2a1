//! 128-bit ids and compression of a file — [MS-FSCC] 2.4.9, 2.4.25.

use super::class::FileInformationClass;
use crate::codec::field::plain_information;

plain_information! {
    /// FileIdInformation — [MS-FSCC] 2.4.25.
    IdInformation: FILE FileInformationClass::ID, {
        /// The volume's serial number.
        volume_serial_number: u64;
        /// The file's id on its volume.
        file_id: u128;
    }
}

plain_information! {
    /// FileCompressionInformation — [MS-FSCC] 2.4.9.
    CompressionInformation: FILE FileInformationClass::COMPRESSION, {
        /// Bytes the compressed file occupies.
        compressed_file_size: u64;
        /// COMPRESSION_FORMAT_*: 0 none, 2 LZNT1.
        format: u16;
        /// Logarithm of the unit that is compressed.
        unit_shift: u8;
        /// Logarithm of the chunk.
        chunk_shift: u8;
        /// Logarithm of the cluster.
        cluster_shift: u8, pad 3;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::field::testing::{check, hex};

    #[test]
    fn ids_and_compression() {
        let id = IdInformation { volume_serial_number: 7, file_id: 0x0102 };
        check(&id, &hex("0700000000000000 02010000000000000000000000000000"));
        let compression = CompressionInformation {
            compressed_file_size: 0x4000,
            format: 2,
            unit_shift: 16,
            chunk_shift: 12,
            cluster_shift: 12,
        };
        check(&compression, &hex("0040000000000000 0200 10 0c 0c 000000"));
    }
}
