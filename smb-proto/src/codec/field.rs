//! Structures of fixed fields, declared once for reading and writing.

use crate::{
    codec::num::{Parsed, array, le_u8, le_u16, le_u32, le_u64},
    msg::{Access, FileAttributes, FileTime, FileTimes},
};
use bytes::BufMut;
use nom::Parser;

/// A fixed field.
pub(crate) trait Field: Sized {
    fn read(i: &[u8]) -> Parsed<'_, Self>;
    fn write(&self, out: &mut impl BufMut);
}

macro_rules! field {
    ($type:ty, $parser:expr, |$value:ident, $out:ident| $write:expr) => {
        impl Field for $type {
            fn read(i: &[u8]) -> Parsed<'_, Self> {
                $parser.parse(i)
            }
            fn write(&self, $out: &mut impl BufMut) {
                let $value = self;
                $write
            }
        }
    };
}

field!(u8, le_u8, |value, out| out.put_u8(*value));
field!(u16, le_u16, |value, out| out.put_u16_le(*value));
field!(u32, le_u32, |value, out| out.put_u32_le(*value));
field!(u64, le_u64, |value, out| out.put_u64_le(*value));
field!(u128, array::<16>.map(u128::from_le_bytes), |value, out| out.put_u128_le(*value));
field!(bool, le_u8.map(|byte| byte != 0), |value, out| out.put_u8((*value).into()));
field!(FileTime, FileTime::parse, |value, out| out.put_u64_le(value.0));
field!(FileTimes, FileTimes::parse, |value, out| value.emit(out));
field!(FileAttributes, le_u32.map(FileAttributes), |value, out| out.put_u32_le(value.0));
field!(Access, le_u32.map(Access), |value, out| out.put_u32_le(value.0));

impl<const N: usize> Field for [u8; N] {
    fn read(i: &[u8]) -> Parsed<'_, Self> {
        array::<N>(i)
    }
    fn write(&self, out: &mut impl BufMut) {
        out.put_slice(self);
    }
}

impl<const N: usize> Field for [[u8; 16]; N] {
    fn read(mut i: &[u8]) -> Parsed<'_, Self> {
        let mut rows = [[0; 16]; N];
        for row in &mut rows {
            (i, *row) = array::<16>(i)?;
        }
        Ok((i, rows))
    }
    fn write(&self, out: &mut impl BufMut) {
        out.put_slice(self.as_flattened());
    }
}

/// A field that wraps a number.
macro_rules! number_field {
    ($type:ident: $int:ty) => {
        impl $crate::codec::field::Field for $type {
            fn read(i: &[u8]) -> $crate::codec::num::Parsed<'_, Self> {
                let (i, value) = <$int as $crate::codec::field::Field>::read(i)?;
                Ok((i, Self(value)))
            }
            fn write(&self, out: &mut impl bytes::BufMut) {
                $crate::codec::field::Field::write(&self.0, out);
            }
        }
    };
}

/// Declares a structure of fixed fields: its struct and [`Field`] (so that it can be part of another). `pad N` behind a
/// field are N reserved bytes, written as zero.
macro_rules! plain_structure {
    ($(#[$doc:meta])* $name:ident {
        $($(#[$fdoc:meta])* $field:ident: $ftype:ty $(, pad $pad:literal)?;)*
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub struct $name {
            $($(#[$fdoc])* pub $field: $ftype,)*
        }

        impl $crate::codec::field::Field for $name {
            fn read(i: &[u8]) -> $crate::codec::num::Parsed<'_, Self> {
                $(
                    let (i, $field) = <$ftype as $crate::codec::field::Field>::read(i)?;
                    $(let (i, _) = $crate::codec::num::array::<$pad>(i)?;)?
                )*
                Ok((i, Self { $($field,)* }))
            }

            fn write(&self, out: &mut impl bytes::BufMut) {
                $(
                    $crate::codec::field::Field::write(&self.$field, out);
                    $(out.put_bytes(0, $pad);)?
                )*
            }
        }
    };
}

/// A [`plain_structure`] that is an information class.
macro_rules! plain_information {
    ($(#[$doc:meta])* $name:ident: $type:ident $class:expr, { $($fields:tt)* }) => {
        $crate::codec::field::plain_structure! { $(#[$doc])* $name { $($fields)* } }

        impl $crate::fscc::Information for $name {
            const INFO_TYPE: $crate::msg::InfoType = $crate::msg::InfoType::$type;
            const CLASS: u8 = $class.0;

            fn parse(bytes: &[u8]) -> Result<Self, $crate::error::ParseError> {
                let read = <Self as $crate::codec::field::Field>::read;
                Ok($crate::codec::num::fixed(stringify!($name), bytes, read)?.1)
            }

            fn emit(&self, out: &mut impl bytes::BufMut) {
                $crate::codec::field::Field::write(self, out);
            }
        }
    };
}

/// A [`plain_structure`] that is the whole input or output of an IOCTL.
macro_rules! plain_buffer {
    ($(#[$doc:meta])* $name:ident { $($fields:tt)* }) => {
        $crate::codec::field::plain_structure! { $(#[$doc])* $name { $($fields)* } }

        impl $name {
            /// Reads the buffer. Bytes behind the last field are ignored.
            pub fn parse(bytes: &[u8]) -> Result<Self, $crate::error::ParseError> {
                let read = <Self as $crate::codec::field::Field>::read;
                Ok($crate::codec::num::fixed(stringify!($name), bytes, read)?.1)
            }

            /// The buffer.
            pub fn to_bytes(&self) -> Vec<u8> {
                let mut out = Vec::new();
                $crate::codec::field::Field::write(self, &mut out);
                out
            }
        }
    };
}

pub(crate) use {number_field, plain_buffer, plain_information, plain_structure};

#[cfg(test)]
pub(crate) mod testing {
    use crate::fscc::Information;

    /// The tests of every class: bytes as the specification lays them out, both ways; every truncation is refused;
    /// trailing bytes are ignored.
    pub(crate) fn check<T: Information + PartialEq + std::fmt::Debug>(value: &T, wire: &[u8]) {
        assert_eq!(value.to_bytes(), wire);
        assert_eq!(&T::parse(wire).unwrap(), value);
        for cut in 0..wire.len() {
            assert!(T::parse(&wire[..cut]).is_err(), "cut to {cut} bytes");
        }
        assert_eq!(&T::parse(&[wire, &[0xee; 9]].concat()).unwrap(), value);
    }

    /// As [`check`] for the buffer of an IOCTL: `check_buffer!(Type, value, wire)`.
    macro_rules! check_buffer {
        ($type:ty, $value:expr, $wire:expr) => {{
            let (value, wire): ($type, Vec<u8>) = ($value, $wire);
            assert_eq!(value.to_bytes(), wire);
            assert_eq!(<$type>::parse(&wire).unwrap(), value);
            assert!((0..wire.len()).all(|cut| <$type>::parse(&wire[..cut]).is_err()));
        }};
    }
    pub(crate) use check_buffer;

    /// Bytes from hex digits; blanks are for the reader.
    pub(crate) fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<_> = text.chars().filter_map(|c| c.to_digit(16)).collect();
        digits.chunks(2).map(|pair| u8::try_from(pair[0] << 4 | pair[1]).unwrap()).collect()
    }
}
