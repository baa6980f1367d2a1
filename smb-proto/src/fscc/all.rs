//! FileAllInformation — [MS-FSCC] 2.4.2.

use super::{
    AccessInformation, AlignmentInformation, BasicInformation, EaInformation, Information,
    InternalInformation, ModeInformation, PositionInformation, StandardInformation,
    class::FileInformationClass,
    name::{as_cut, counted, emit_counted},
};
use crate::{
    codec::{
        field::Field,
        num::{Parsed, fixed},
        utf16,
    },
    error::ParseError,
    msg::InfoType,
};
use bytes::BufMut;

/// Bytes in front of the name, whose length is the last of them.
const FIXED: usize = 100;

/// FileAllInformation — [MS-FSCC] 2.4.2: nine classes in one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AllInformation {
    /// Times and attributes.
    pub basic: BasicInformation,
    /// Sizes and links.
    pub standard: StandardInformation,
    /// The file's id.
    pub internal: InternalInformation,
    /// Bytes of extended attributes.
    pub ea: EaInformation,
    /// Rights the open was granted.
    pub access: AccessInformation,
    /// The open's position.
    pub position: PositionInformation,
    /// The open's mode.
    pub mode: ModeInformation,
    /// Alignment of buffers.
    pub alignment: AlignmentInformation,
    /// The path from the share's root, with a leading `\`.
    pub name: String,
}

impl AllInformation {
    fn read(i: &[u8]) -> Parsed<'_, (Self, &[u8])> {
        let (i, basic) = Field::read(i)?;
        let (i, standard) = Field::read(i)?;
        let (i, internal) = Field::read(i)?;
        let (i, ea) = Field::read(i)?;
        let (i, access) = Field::read(i)?;
        let (i, position) = Field::read(i)?;
        let (i, mode) = Field::read(i)?;
        let (i, alignment) = Field::read(i)?;
        let (i, name) = counted(i)?;
        let name_later = String::new();
        let all = Self { basic, standard, internal, ea, access, position, mode, alignment, name: name_later };
        Ok((i, (all, name)))
    }
}

impl Information for AllInformation {
    const INFO_TYPE: InfoType = InfoType::FILE;
    const CLASS: u8 = FileInformationClass::ALL.0;

    fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let (_, (all, name)) = fixed("FileAllInformation", bytes, Self::read)?;
        Ok(Self { name: utf16::decode("FileAllInformation", name)?, ..all })
    }

    fn parse_cut(bytes: &[u8]) -> Result<Self, ParseError> {
        Self::parse(&as_cut(bytes, FIXED - 4, FIXED))
    }

    fn emit(&self, out: &mut impl BufMut) {
        self.basic.write(out);
        self.standard.write(out);
        self.internal.write(out);
        self.ea.write(out);
        self.access.write(out);
        self.position.write(out);
        self.mode.write(out);
        self.alignment.write(out);
        emit_counted(&self.name, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        codec::field::testing::{check, hex},
        msg::{Access, FileAttributes, testing::times},
    };

    #[test]
    fn parts_in_order() {
        let all = AllInformation {
            basic: BasicInformation { times: times([1, 2, 3, 4]), attributes: FileAttributes::NORMAL },
            standard: StandardInformation { end_of_file: 5, ..Default::default() },
            internal: InternalInformation { index_number: 6 },
            ea: EaInformation { ea_size: 7 },
            access: AccessInformation { access: Access(8) },
            position: PositionInformation { current_byte_offset: 9 },
            mode: ModeInformation { mode: 10 },
            alignment: AlignmentInformation { alignment_requirement: 11 },
            name: "\\a".into(),
        };
        let wire =
            hex("0100000000000000 0200000000000000 0300000000000000 0400000000000000 80000000 00000000
             0000000000000000 0500000000000000 00000000 00 00 0000
             0600000000000000 07000000 08000000 0900000000000000 0a000000 0b000000 04000000 5c00 6100");
        check(&all, &wire);
        let cut = AllInformation::parse_cut(&wire[..102]).unwrap();
        assert_eq!(cut, AllInformation { name: "\\".into(), ..all });
        assert!(AllInformation::parse_cut(&wire[..99]).is_err());
    }
}
