//! Directory records — [MS-FSCC] 2.4.8, 2.4.10, 2.4.14, 2.4.17–2.4.23, 2.4.32.
//!
//! All classes describe the same entry, each with its own selection of fields behind a common head:
//!
//! ```text
//!   0 NextEntryOffset, FileIndex │ 8 times │ 40 EndOfFile, AllocationSize │ 56 attributes, FileNameLength │
//!  64 the class's own fields: see `layout` │ FileName
//! ```
//!
//! (FileNamesInformation has only NextEntryOffset, FileIndex, FileNameLength and FileName.) Records begin at multiples
//! of eight.

use super::{class::FileInformationClass, name::WideName};
use crate::{
    codec::{
        chain,
        field::Field,
        num::{fixed, le_u8, le_u32, le_u64, len32, size, take},
    },
    error::ParseError,
    msg::{FileAttributes, FileTimes},
};
use bytes::BufMut;
use nom::Parser;

const WHAT: &str = "directory record";
/// Bytes of a short name on the wire.
const SHORT_NAME: usize = 24;
const HEAD: usize = 64;
const NAMES_HEAD: usize = 12;

/// One entry of a directory. Fields that the class asked for does not have are zero or empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DirectoryEntry {
    /// The name.
    pub name: WideName,
    /// The 8.3 name, where there is one that differs.
    pub short_name: WideName,
    /// The position in the directory; 0 where the file system has no such order.
    pub file_index: u32,
    /// The times.
    pub times: FileTimes,
    /// Bytes it holds.
    pub end_of_file: u64,
    /// Bytes it occupies.
    pub allocation_size: u64,
    /// The attributes.
    pub attributes: FileAttributes,
    /// Bytes of its extended attributes. Older classes have one field for this and `reparse_tag`.
    pub ea_size: u32,
    /// The kind of reparse point, if the attributes say it is one.
    pub reparse_tag: u32,
    /// Its id on the volume, 64 bits.
    pub file_id: u64,
    /// Its id on the volume, 128 bits.
    pub file_id_128: u128,
}

/// A field of a record behind the common head.
#[derive(Debug, Clone, Copy)]
enum Part {
    /// EaSize, or the reparse tag of a reparse point.
    EaOrTag,
    Ea,
    Tag,
    Short,
    Pad(u8),
    Id64,
    Id128,
}

/// The fields of a class between its head and the name; `None` for a class that is not one of directory records.
const fn layout(class: FileInformationClass) -> Option<&'static [Part]> {
    use Part::{Ea, EaOrTag, Id64, Id128, Pad, Short, Tag};
    Some(match class {
        FileInformationClass::DIRECTORY | FileInformationClass::NAMES => &[],
        FileInformationClass::FULL_DIRECTORY => &[EaOrTag],
        FileInformationClass::BOTH_DIRECTORY => &[EaOrTag, Short],
        FileInformationClass::ID_BOTH_DIRECTORY => &[EaOrTag, Short, Pad(2), Id64],
        FileInformationClass::ID_FULL_DIRECTORY => &[EaOrTag, Pad(4), Id64],
        FileInformationClass::ID_EXTD_DIRECTORY => &[Ea, Tag, Id128],
        FileInformationClass::ID_64_EXTD_DIRECTORY => &[Ea, Tag, Id64],
        FileInformationClass::ID_64_EXTD_BOTH_DIRECTORY => &[Ea, Tag, Id64, Short],
        FileInformationClass::ID_ALL_EXTD_DIRECTORY => &[Ea, Tag, Id64, Id128],
        FileInformationClass::ID_ALL_EXTD_BOTH_DIRECTORY => &[Ea, Tag, Id64, Id128, Short],
        _ => return None,
    })
}

impl Part {
    const fn len(self) -> usize {
        match self {
            Self::EaOrTag | Self::Ea | Self::Tag => 4,
            Self::Short => 2 + SHORT_NAME,
            Self::Pad(2) => 2,
            Self::Pad(_) => 4,
            Self::Id64 => 8,
            Self::Id128 => 16,
        }
    }

    fn read<'a>(self, i: &'a [u8], entry: &mut DirectoryEntry) -> Result<&'a [u8], ParseError> {
        let is_reparse_point = entry.attributes.contains(FileAttributes::REPARSE_POINT);
        match self {
            Self::EaOrTag if is_reparse_point => read_field(i, &mut entry.reparse_tag),
            Self::EaOrTag | Self::Ea => read_field(i, &mut entry.ea_size),
            Self::Tag => read_field(i, &mut entry.reparse_tag),
            Self::Short => {
                let (rest, (len, _, name)) = fixed(WHAT, i, (le_u8, le_u8, take(SHORT_NAME)))?;
                entry.short_name = WideName::from_bytes(name.get(..len.into()).unwrap_or(name));
                Ok(rest)
            }
            Self::Pad(_) => Ok(fixed(WHAT, i, take(self.len()))?.0),
            Self::Id64 => read_field(i, &mut entry.file_id),
            Self::Id128 => read_field(i, &mut entry.file_id_128),
        }
    }

    fn write(self, entry: &DirectoryEntry, out: &mut Vec<u8>) {
        let is_reparse_point = entry.attributes.contains(FileAttributes::REPARSE_POINT);
        match self {
            Self::EaOrTag if is_reparse_point => entry.reparse_tag.write(out),
            Self::EaOrTag | Self::Ea => entry.ea_size.write(out),
            Self::Tag => entry.reparse_tag.write(out),
            Self::Short => {
                let mut name = Vec::new();
                entry.short_name.emit(&mut name);
                name.truncate(SHORT_NAME);
                out.put_u8(u8::try_from(name.len()).unwrap_or(0));
                out.put_u8(0);
                name.resize(SHORT_NAME, 0);
                out.put_slice(&name);
            }
            Self::Pad(_) => out.put_bytes(0, self.len()),
            Self::Id64 => entry.file_id.write(out),
            Self::Id128 => entry.file_id_128.write(out),
        }
    }
}

fn read_field<'a, T: Field>(i: &'a [u8], field: &mut T) -> Result<&'a [u8], ParseError> {
    let (rest, value) = fixed(WHAT, i, T::read)?;
    *field = value;
    Ok(rest)
}

/// Bytes of a record before its name.
fn fixed_len(class: FileInformationClass, parts: &[Part]) -> usize {
    let head = if class == FileInformationClass::NAMES { NAMES_HEAD } else { HEAD };
    parts.iter().fold(head, |len, part| len + part.len())
}

impl DirectoryEntry {
    fn parse(class: FileInformationClass, parts: &[Part], record: &[u8]) -> Result<Self, ParseError> {
        let mut entry = Self::default();
        let (mut rest, (_, file_index)) = fixed(WHAT, record, (le_u32, le_u32))?;
        entry.file_index = file_index;
        if class != FileInformationClass::NAMES {
            let head = (FileTimes::read, le_u64, le_u64, le_u32.map(FileAttributes));
            let (behind, (times, end_of_file, allocation_size, attributes)) = fixed(WHAT, rest, head)?;
            entry = Self { times, end_of_file, allocation_size, attributes, ..entry };
            rest = behind;
        }
        let (mut rest, name_len) = fixed(WHAT, rest, le_u32)?;
        for part in parts {
            rest = part.read(rest, &mut entry)?;
        }
        let (_, name) = fixed(WHAT, rest, take(size(name_len)))?;
        entry.name = WideName::from_bytes(name);
        Ok(entry)
    }

    fn write(&self, class: FileInformationClass, parts: &[Part], out: &mut Vec<u8>) {
        out.put_u32_le(0);
        out.put_u32_le(self.file_index);
        if class != FileInformationClass::NAMES {
            self.times.emit(out);
            out.put_u64_le(self.end_of_file);
            out.put_u64_le(self.allocation_size);
            out.put_u32_le(self.attributes.0);
        }
        out.put_u32_le(len32(self.name.wire_len()));
        for part in parts {
            part.write(self, out);
        }
        self.name.emit(out);
    }
}

/// Whether `class` is one of directory records: what a QUERY_DIRECTORY may ask for.
pub fn is_directory_class(class: FileInformationClass) -> bool {
    layout(class).is_some()
}

/// The entries in the output of a QUERY_DIRECTORY, in order. A class without directory records, or a record that leaves
/// the buffer, is an error and ends the iteration.
pub fn entries(
    class: FileInformationClass,
    output: &[u8],
) -> impl Iterator<Item = Result<DirectoryEntry, ParseError>> {
    let parts = layout(class).unwrap_or(&[]);
    let unknown = ParseError::Value { what: "directory information class", value: class.0.into() };
    let refused = layout(class).is_none().then_some(Err(unknown));
    let records = chain::records(WHAT, output, fixed_len(class, parts), chain::leading_u32);
    let is_known = refused.is_none();
    refused.into_iter().chain(
        records.take_while(move |_| is_known).map(move |record| DirectoryEntry::parse(class, parts, record?)),
    )
}

/// Writes the output of a QUERY_DIRECTORY: records of one class, as many as fit.
#[derive(Debug)]
pub struct DirectoryWriter {
    class: FileInformationClass,
    parts: &'static [Part],
    limit: usize,
    out: Vec<u8>,
    last: Option<usize>,
}

impl DirectoryWriter {
    /// A writer of at most `limit` bytes, the OutputBufferLength of the request. `None` for a class that is not one of
    /// directory records: the answer is STATUS_INVALID_INFO_CLASS.
    pub fn new(class: FileInformationClass, limit: usize) -> Option<Self> {
        Some(Self { class, parts: layout(class)?, limit, out: Vec::new(), last: None })
    }

    /// Whether the limit is too small for any record of the class: the answer is STATUS_INFO_LENGTH_MISMATCH.
    pub fn is_too_small(&self) -> bool {
        self.limit < fixed_len(self.class, self.parts)
    }

    /// Appends an entry, or returns false and leaves everything as it was where it does not fit. If nothing was
    /// written before, not even one entry fits: the answer is STATUS_BUFFER_OVERFLOW.
    #[must_use = "an entry that did not fit must be offered again"]
    pub fn push(&mut self, entry: &DirectoryEntry) -> bool {
        let start = self.out.len().next_multiple_of(8);
        let len = fixed_len(self.class, self.parts).saturating_add(entry.name.wire_len());
        if start.saturating_add(len) > self.limit {
            return false;
        }
        self.out.resize(start, 0);
        self.link(start);
        entry.write(self.class, self.parts, &mut self.out);
        true
    }

    /// Points the last record to the one that begins at `start`.
    fn link(&mut self, start: usize) {
        if let Some(last) = self.last.replace(start)
            && let Some(field) = self.out.get_mut(last..last + 4)
        {
            field.copy_from_slice(&len32(start - last).to_le_bytes());
        }
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.last.is_none()
    }

    /// The records.
    pub fn finish(self) -> Vec<u8> {
        self.out
    }
}

#[cfg(test)]
mod tests;
