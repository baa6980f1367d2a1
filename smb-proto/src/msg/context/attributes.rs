//! What a file is created with, and by whom — [MS-SMB2] 2.2.13.2.1, .2, .6, .7, .13, .14, .15.

use super::typed::ContextData;
use crate::{
    codec::num::{array, fixed, le_u16, le_u32, le_u64, structure_size},
    dtyp::SecurityDescriptor,
    error::ParseError,
    fscc::{Information, ea::FullEaInformation},
    msg::types::FileTime,
};
use bytes::BufMut;

/// SMB2_CREATE_EA_BUFFER — [MS-SMB2] 2.2.13.2.1: extended attributes of a new file.
impl ContextData for FullEaInformation {
    const NAME: &'static [u8] = b"ExtA";

    fn parse(data: &[u8]) -> Result<Self, ParseError> {
        <Self as Information>::parse(data)
    }

    fn to_data(&self) -> Vec<u8> {
        self.to_bytes()
    }
}

/// SMB2_CREATE_SD_BUFFER — [MS-SMB2] 2.2.13.2.2: the security of a new file.
impl ContextData for SecurityDescriptor {
    const NAME: &'static [u8] = b"SecD";

    fn parse(data: &[u8]) -> Result<Self, ParseError> {
        Self::parse(data)
    }

    fn to_data(&self) -> Vec<u8> {
        self.to_bytes()
    }
}

macro_rules! number_context {
    ($(#[$doc:meta])* $name:ident: $wire:literal, $(#[$fdoc:meta])* $field:ident: $type:ty, $from:expr, $to:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $name {
            $(#[$fdoc])*
            pub $field: $type,
        }

        impl ContextData for $name {
            const NAME: &'static [u8] = $wire;

            fn parse(data: &[u8]) -> Result<Self, ParseError> {
                let (_, value) = fixed(stringify!($name), data, le_u64)?;
                Ok(Self { $field: $from(value) })
            }

            fn to_data(&self) -> Vec<u8> {
                u64::to_le_bytes($to(self.$field)).into()
            }
        }
    };
}

number_context!(
    /// SMB2_CREATE_ALLOCATION_SIZE — [MS-SMB2] 2.2.13.2.6.
    AllocationSize: b"AlSi",
    /// Bytes to reserve.
    bytes: u64,
    std::convert::identity,
    std::convert::identity
);
number_context!(
    /// SMB2_CREATE_TIMEWARP_TOKEN — [MS-SMB2] 2.2.13.2.7: opens the file as it was in a snapshot.
    Timewarp: b"TWrp",
    /// When the snapshot was taken.
    time: FileTime,
    FileTime,
    |time: FileTime| time.0
);

/// SMB2_CREATE_APP_INSTANCE_ID — [MS-SMB2] 2.2.13.2.13: lets a fail-over take the place of the application's old opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AppInstanceId {
    /// The instance.
    pub id: [u8; 16],
}

impl ContextData for AppInstanceId {
    const NAME: &'static [u8] =
        &[0x45, 0xbc, 0xa6, 0x6a, 0xef, 0xa7, 0xf7, 0x4a, 0x90, 0x08, 0xfa, 0x46, 0x2e, 0x14, 0x4d, 0x74];

    fn parse(data: &[u8]) -> Result<Self, ParseError> {
        const WHAT: &str = "AppInstanceId";
        let (_, (size, _, id)) = fixed(WHAT, data, (le_u16, le_u16, array::<16>))?;
        structure_size(WHAT, 20, size)?;
        Ok(Self { id })
    }

    fn to_data(&self) -> Vec<u8> {
        [[20, 0, 0, 0].as_slice(), &self.id].concat()
    }
}

/// SMB2_CREATE_APP_INSTANCE_VERSION — [MS-SMB2] 2.2.13.2.15.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AppInstanceVersion {
    /// The most significant half.
    pub high: u64,
    /// The least significant half.
    pub low: u64,
}

impl ContextData for AppInstanceVersion {
    const NAME: &'static [u8] =
        &[0xb9, 0x82, 0xd0, 0xb7, 0x3b, 0x56, 0x07, 0x4f, 0xa0, 0x7b, 0x52, 0x4a, 0x81, 0x16, 0xa0, 0x10];

    fn parse(data: &[u8]) -> Result<Self, ParseError> {
        const WHAT: &str = "AppInstanceVersion";
        let (_, (size, _, _, high, low)) = fixed(WHAT, data, (le_u16, le_u16, le_u32, le_u64, le_u64))?;
        structure_size(WHAT, 24, size)?;
        Ok(Self { high, low })
    }

    fn to_data(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(24);
        out.put_u64_le(24);
        out.put_u64_le(self.high);
        out.put_u64_le(self.low);
        out
    }
}

/// SVHDX_OPEN_DEVICE_CONTEXT — [MS-SMB2] 2.2.13.2.14, in a response 2.2.14.2.14; [MS-RSVD] 2.2.4.12: shared virtual disks,
/// which are not served here; kept as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SvhdxOpenDevice {
    /// The context's data.
    pub data: Vec<u8>,
}

impl ContextData for SvhdxOpenDevice {
    const NAME: &'static [u8] =
        &[0x9c, 0xcb, 0xcf, 0x9e, 0x04, 0xc1, 0xe6, 0x43, 0x98, 0x0e, 0x15, 0x8d, 0xa1, 0xf6, 0xec, 0x83];

    fn parse(data: &[u8]) -> Result<Self, ParseError> {
        Ok(Self { data: data.to_vec() })
    }

    fn to_data(&self) -> Vec<u8> {
        self.data.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::typed::check, *};
    use crate::{codec::field::testing::hex, dtyp::Sid, fscc::ea::ExtendedAttribute};

    #[test]
    fn numbers_and_ids() {
        check(&AllocationSize { bytes: 0x10_0000 }, &hex("0000100000000000"));
        check(&Timewarp { time: FileTime(0x0102) }, &hex("0201000000000000"));
        check(&AppInstanceId { id: [5; 16] }, &hex("1400 0000 05050505050505050505050505050505"));
        let version = AppInstanceVersion { high: 1, low: 2 };
        check(&version, &hex("1800 0000 00000000 0100000000000000 0200000000000000"));
        assert!(AppInstanceId::parse(&[0; 20]).is_err() && AppInstanceVersion::parse(&[0; 24]).is_err());
    }

    #[test]
    fn attributes_security_and_what_is_kept() {
        let ea = ExtendedAttribute { need_ea: false, name: b"A".into(), value: b"xy".into() };
        let buffer = FullEaInformation { attributes: vec![ea] };
        assert_eq!(FullEaInformation::find(&[buffer.context()]).unwrap().unwrap(), buffer);
        let security = SecurityDescriptor { owner: Some(Sid::EVERYONE), ..SecurityDescriptor::default() };
        check(&security, &hex("01 00 0080 14000000 00000000 00000000 00000000 0101 000000000001 00000000"));
        let svhdx = SvhdxOpenDevice { data: vec![1, 2, 3] };
        assert_eq!(SvhdxOpenDevice::find(&[svhdx.context()]).unwrap().unwrap(), svhdx);
    }
}
