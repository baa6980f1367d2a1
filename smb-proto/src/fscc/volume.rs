//! File systems and volumes — [MS-FSCC] 2.5.

use super::{
    Information,
    class::FsInformationClass,
    name::{as_cut, counted, emit_counted, parse_counted},
};
use crate::{
    codec::{
        field::{Field, number_field, plain_information},
        num::{fixed, le_u8, le_u32, len32, size, take},
        utf16,
    },
    command::wire_flags,
    error::ParseError,
    msg::{FileTime, InfoType},
};
use bytes::BufMut;

/// FileFsVolumeInformation — [MS-FSCC] 2.5.9.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FsVolumeInformation {
    /// When the volume was created.
    pub creation_time: FileTime,
    /// Its serial number.
    pub serial_number: u32,
    /// Whether it has object ids as classes.
    pub supports_objects: bool,
    /// Its label.
    pub label: String,
}

impl Information for FsVolumeInformation {
    const INFO_TYPE: InfoType = InfoType::FILESYSTEM;
    const CLASS: u8 = FsInformationClass::VOLUME.0;

    fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        const WHAT: &str = "FileFsVolumeInformation";
        let (rest, (creation_time, serial_number, len, objects, _)) =
            fixed(WHAT, bytes, (FileTime::read, le_u32, le_u32, le_u8, le_u8))?;
        let (_, label) = fixed(WHAT, rest, take(size(len)))?;
        Ok(Self {
            creation_time,
            serial_number,
            supports_objects: objects != 0,
            label: utf16::decode(WHAT, label)?,
        })
    }

    fn parse_cut(bytes: &[u8]) -> Result<Self, ParseError> {
        Self::parse(&as_cut(bytes, 12, 18))
    }

    fn emit(&self, out: &mut impl BufMut) {
        out.put_u64_le(self.creation_time.0);
        out.put_u32_le(self.serial_number);
        out.put_u32_le(len32(utf16::encoded_len(&self.label)));
        out.put_u8(self.supports_objects.into());
        out.put_u8(0);
        utf16::encode(&self.label, out);
    }
}

/// FileFsLabelInformation — [MS-FSCC] 2.5.5.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FsLabelInformation {
    /// The volume's label.
    pub label: String,
}

impl Information for FsLabelInformation {
    const INFO_TYPE: InfoType = InfoType::FILESYSTEM;
    const CLASS: u8 = FsInformationClass::LABEL.0;

    fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        Ok(Self { label: parse_counted("FileFsLabelInformation", bytes)? })
    }

    fn emit(&self, out: &mut impl BufMut) {
        emit_counted(&self.label, out);
    }
}

plain_information! {
    /// FileFsSizeInformation — [MS-FSCC] 2.5.8.
    FsSizeInformation: FILESYSTEM FsInformationClass::SIZE, {
        /// Units of the volume.
        total_units: u64;
        /// Units this user can still use.
        available_units: u64;
        /// Sectors of a unit.
        sectors_per_unit: u32;
        /// Bytes of a sector.
        bytes_per_sector: u32;
    }
}

plain_information! {
    /// FileFsFullSizeInformation — [MS-FSCC] 2.5.4.
    FsFullSizeInformation: FILESYSTEM FsInformationClass::FULL_SIZE, {
        /// Units of the volume.
        total_units: u64;
        /// Units this user can still use.
        caller_available_units: u64;
        /// Units that are free.
        actual_available_units: u64;
        /// Sectors of a unit.
        sectors_per_unit: u32;
        /// Bytes of a sector.
        bytes_per_sector: u32;
    }
}

plain_information! {
    /// FileFsDeviceInformation — [MS-FSCC] 2.5.10.
    FsDeviceInformation: FILESYSTEM FsInformationClass::DEVICE, {
        /// FILE_DEVICE_*: 7 is a disk, 2 a CD-ROM.
        device_type: u32;
        /// FILE_REMOVABLE_MEDIA and its kin; 0x20 is FILE_DEVICE_IS_MOUNTED.
        characteristics: u32;
    }
}

wire_flags! {
    /// FileSystemAttributes — [MS-FSCC] 2.5.1.
    FsAttributes: u32 {
        /// FILE_CASE_SENSITIVE_SEARCH.
        CASE_SENSITIVE_SEARCH = 0x0000_0001,
        /// FILE_CASE_PRESERVED_NAMES.
        CASE_PRESERVED_NAMES = 0x0000_0002,
        /// FILE_UNICODE_ON_DISK.
        UNICODE_ON_DISK = 0x0000_0004,
        /// FILE_PERSISTENT_ACLS.
        PERSISTENT_ACLS = 0x0000_0008,
        /// FILE_FILE_COMPRESSION.
        FILE_COMPRESSION = 0x0000_0010,
        /// FILE_VOLUME_QUOTAS.
        VOLUME_QUOTAS = 0x0000_0020,
        /// FILE_SUPPORTS_SPARSE_FILES.
        SUPPORTS_SPARSE_FILES = 0x0000_0040,
        /// FILE_SUPPORTS_REPARSE_POINTS.
        SUPPORTS_REPARSE_POINTS = 0x0000_0080,
        /// FILE_SUPPORTS_REMOTE_STORAGE.
        SUPPORTS_REMOTE_STORAGE = 0x0000_0100,
        /// FILE_VOLUME_IS_COMPRESSED.
        VOLUME_IS_COMPRESSED = 0x0000_8000,
        /// FILE_SUPPORTS_OBJECT_IDS.
        SUPPORTS_OBJECT_IDS = 0x0001_0000,
        /// FILE_SUPPORTS_ENCRYPTION.
        SUPPORTS_ENCRYPTION = 0x0002_0000,
        /// FILE_NAMED_STREAMS.
        NAMED_STREAMS = 0x0004_0000,
        /// FILE_READ_ONLY_VOLUME.
        READ_ONLY_VOLUME = 0x0008_0000,
        /// FILE_SEQUENTIAL_WRITE_ONCE.
        SEQUENTIAL_WRITE_ONCE = 0x0010_0000,
        /// FILE_SUPPORTS_TRANSACTIONS.
        SUPPORTS_TRANSACTIONS = 0x0020_0000,
        /// FILE_SUPPORTS_HARD_LINKS.
        SUPPORTS_HARD_LINKS = 0x0040_0000,
        /// FILE_SUPPORTS_EXTENDED_ATTRIBUTES.
        SUPPORTS_EXTENDED_ATTRIBUTES = 0x0080_0000,
        /// FILE_SUPPORTS_OPEN_BY_FILE_ID.
        SUPPORTS_OPEN_BY_FILE_ID = 0x0100_0000,
        /// FILE_SUPPORTS_USN_JOURNAL.
        SUPPORTS_USN_JOURNAL = 0x0200_0000,
        /// FILE_SUPPORT_INTEGRITY_STREAMS.
        SUPPORTS_INTEGRITY_STREAMS = 0x0400_0000,
        /// FILE_SUPPORTS_BLOCK_REFCOUNTING.
        SUPPORTS_BLOCK_REFCOUNTING = 0x0800_0000,
        /// FILE_SUPPORTS_SPARSE_VDL.
        SUPPORTS_SPARSE_VDL = 0x1000_0000,
    }
}

number_field!(FsAttributes: u32);

/// FileFsAttributeInformation — [MS-FSCC] 2.5.1.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FsAttributeInformation {
    /// What the file system can do.
    pub attributes: FsAttributes,
    /// The most characters of one component of a path.
    pub maximum_component_name_length: u32,
    /// Its name, such as `NTFS`.
    pub name: String,
}

impl Information for FsAttributeInformation {
    const INFO_TYPE: InfoType = InfoType::FILESYSTEM;
    const CLASS: u8 = FsInformationClass::ATTRIBUTE.0;

    fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        const WHAT: &str = "FileFsAttributeInformation";
        let (_, (attributes, maximum_component_name_length, name)) =
            fixed(WHAT, bytes, (FsAttributes::read, le_u32, counted))?;
        Ok(Self { attributes, maximum_component_name_length, name: utf16::decode(WHAT, name)? })
    }

    fn parse_cut(bytes: &[u8]) -> Result<Self, ParseError> {
        Self::parse(&as_cut(bytes, 8, 12))
    }

    fn emit(&self, out: &mut impl BufMut) {
        self.attributes.write(out);
        out.put_u32_le(self.maximum_component_name_length);
        emit_counted(&self.name, out);
    }
}

plain_information! {
    /// FileFsSectorSizeInformation — [MS-FSCC] 2.5.7.
    FsSectorSizeInformation: FILESYSTEM FsInformationClass::SECTOR_SIZE, {
        /// Bytes of a logical sector.
        logical_bytes_per_sector: u32;
        /// Bytes of a physical sector written atomically.
        physical_bytes_per_sector_for_atomicity: u32;
        /// Bytes of a physical sector for best performance.
        physical_bytes_per_sector_for_performance: u32;
        /// What the file system takes as the physical sector.
        effective_physical_bytes_per_sector: u32;
        /// SSINFO_FLAGS_*: 1 aligned device, 2 partition aligned on it, 4 no seek penalty, 8 trim.
        flags: u32;
        /// Bytes from the start of the device to the first aligned sector, or all ones.
        byte_offset_for_sector_alignment: u32;
        /// Bytes to align partitions to, or all ones.
        byte_offset_for_partition_alignment: u32;
    }
}

plain_information! {
    /// FileFsObjectIdInformation — [MS-FSCC] 2.5.6.
    FsObjectIdInformation: FILESYSTEM FsInformationClass::OBJECT_ID, {
        /// The volume's id.
        object_id: [u8; 16];
        /// What the file system adds.
        extended_info: [[u8; 16]; 3];
    }
}

plain_information! {
    /// FileFsControlInformation — [MS-FSCC] 2.5.2: quotas and content indexing.
    FsControlInformation: FILESYSTEM FsInformationClass::CONTROL, {
        /// Free space at which indexing starts.
        free_space_start_filtering: u64;
        /// Free space at which indexing thins out.
        free_space_threshold: u64;
        /// Free space at which indexing stops.
        free_space_stop_filtering: u64;
        /// Bytes at which a user is warned; all ones for no limit.
        default_quota_threshold: u64;
        /// Bytes a user may have; all ones for no limit.
        default_quota_limit: u64;
        /// FILE_VC_*.
        flags: u32, pad 4;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::field::testing::{check, hex};

    #[test]
    fn volume_label_and_attributes() {
        let volume = FsVolumeInformation {
            creation_time: FileTime(9),
            serial_number: 0xdead_beef,
            supports_objects: true,
            label: "ab".into(),
        };
        check(&volume, &hex("0900000000000000 efbeadde 04000000 01 00 6100 6200"));
        check(&FsLabelInformation { label: "ab".into() }, &hex("04000000 6100 6200"));
        let attributes = FsAttributeInformation {
            attributes: FsAttributes(0x2f),
            maximum_component_name_length: 255,
            name: "NTFS".into(),
        };
        check(&attributes, &hex("2f000000 ff000000 08000000 4e00 5400 4600 5300"));
    }

    #[test]
    fn names_that_were_cut() {
        let cut = hex("2f000000 ff000000 08000000 4e00 5400");
        assert!(FsAttributeInformation::parse(&cut).is_err());
        assert_eq!(FsAttributeInformation::parse_cut(&cut).unwrap().name, "NT");
        let cut = hex("0900000000000000 efbeadde 04000000 01 00 6100 62");
        assert!(FsVolumeInformation::parse(&cut).is_err());
        assert_eq!(FsVolumeInformation::parse_cut(&cut).unwrap().label, "a");
    }

    #[test]
    fn sizes_and_devices() {
        let size = FsSizeInformation {
            total_units: 100,
            available_units: 50,
            sectors_per_unit: 8,
            bytes_per_sector: 512,
        };
        check(&size, &hex("6400000000000000 3200000000000000 08000000 00020000"));
        let full = FsFullSizeInformation {
            total_units: 100,
            caller_available_units: 40,
            actual_available_units: 50,
            sectors_per_unit: 8,
            bytes_per_sector: 512,
        };
        check(&full, &hex("6400000000000000 2800000000000000 3200000000000000 08000000 00020000"));
        check(&FsDeviceInformation { device_type: 7, characteristics: 0x20 }, &hex("07000000 20000000"));
        let sectors = FsSectorSizeInformation {
            logical_bytes_per_sector: 512,
            physical_bytes_per_sector_for_atomicity: 4096,
            physical_bytes_per_sector_for_performance: 4096,
            effective_physical_bytes_per_sector: 4096,
            flags: 3,
            byte_offset_for_sector_alignment: 0,
            byte_offset_for_partition_alignment: u32::MAX,
        };
        check(&sectors, &hex("00020000 00100000 00100000 00100000 03000000 00000000 ffffffff"));
    }

    #[test]
    fn object_id_and_control() {
        let id = FsObjectIdInformation { object_id: [7; 16], extended_info: [[8; 16]; 3] };
        check(&id, &[[7; 16].as_slice(), &[8; 48]].concat());
        let control = FsControlInformation {
            free_space_start_filtering: 1,
            free_space_threshold: 2,
            free_space_stop_filtering: 3,
            default_quota_threshold: 4,
            default_quota_limit: u64::MAX,
            flags: 5,
        };
        let wire = "0100000000000000 0200000000000000 0300000000000000 0400000000000000 ffffffffffffffff";
        check(&control, &hex(&format!("{wire} 05000000 00000000")));
    }
}
