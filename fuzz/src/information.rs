//! Every information class, directory records, notifications. Two bytes choose: the type and the class.

use crate::bounded;
use smb_proto::{
    error::ParseError,
    fscc::*,
    fscc::{
        ea::{FullEaInformation, GetEaList},
        notify::{self, NotifyRecord},
    },
    transform::rdma::BufferDescriptor,
};
use std::fmt::Debug;

/// InfoType of a choice that is not of an information class.
const DIRECTORY: u8 = 0x80;
const NOTIFY: u8 = 0x81;
const GET_EA: u8 = 0x82;
const DESCRIPTORS: u8 = 0x83;
const QUERY_QUOTA: u8 = 0x84;

fn class<T: Information + PartialEq + Debug>(bytes: &[u8]) {
    crate::fixed_point!(bytes, T::parse, T::to_bytes);
    let cut = bounded::within(bounded::for_input(bytes.len()), || T::parse_cut(bytes));
    if let Ok(whole) = T::parse(bytes) {
        assert_eq!(cut, Ok(whole), "whole, yet cut");
    }
}

macro_rules! classes {
    ($choice:expr, $bytes:expr, $($type:ty,)*) => {{
        $(if $choice == (<$type>::INFO_TYPE.0, <$type>::CLASS) { class::<$type>($bytes); })*
    }};
}

/// Any buffer of QUERY_INFO, SET_INFO, QUERY_DIRECTORY and CHANGE_NOTIFY.
pub fn run(data: &[u8]) {
    let Some(([kind, number], bytes)) = data.split_first_chunk() else { return };
    match *kind {
        DIRECTORY => directory(FileInformationClass(*number), bytes),
        NOTIFY => {
            crate::fixed_point!(bytes, records, |records: &Vec<NotifyRecord>| notify::to_bytes(records))
        }
        GET_EA => crate::fixed_point!(bytes, GetEaList::parse, GetEaList::to_bytes),
        DESCRIPTORS => crate::fixed_point!(bytes, BufferDescriptor::parse_all, descriptors),
        QUERY_QUOTA => crate::fixed_point!(bytes, QueryQuotaInfo::parse, QueryQuotaInfo::to_bytes),
        kind => classes!(
            (kind, *number),
            bytes,
            AccessInformation,
            AlignmentInformation,
            AllInformation,
            AllocationInformation,
            AlternateNameInformation,
            AttributeTagInformation,
            BasicInformation,
            CompressionInformation,
            DispositionInformation,
            DispositionInformationEx,
            EaInformation,
            EndOfFileInformation,
            FullEaInformation,
            IdInformation,
            InternalInformation,
            LinkInformation,
            LinkInformationEx,
            ModeInformation,
            NameInformation,
            NetworkOpenInformation,
            NormalizedNameInformation,
            PipeInformation,
            PipeLocalInformation,
            PositionInformation,
            QuotaInformation,
            RenameInformation,
            RenameInformationEx,
            ShortNameInformation,
            StandardInformation,
            StreamInformation,
            ValidDataLengthInformation,
            FsAttributeInformation,
            FsControlInformation,
            FsDeviceInformation,
            FsFullSizeInformation,
            FsLabelInformation,
            FsObjectIdInformation,
            FsSectorSizeInformation,
            FsSizeInformation,
            FsVolumeInformation,
        ),
    }
}

fn records(bytes: &[u8]) -> Result<Vec<NotifyRecord>, ParseError> {
    notify::records(bytes).collect()
}

fn descriptors(list: &Vec<BufferDescriptor>) -> Vec<u8> {
    crate::bytes_of(|out| list.iter().for_each(|descriptor| descriptor.emit(out)))
}

fn directory(class: FileInformationClass, bytes: &[u8]) {
    let parse = |bytes| directory::entries(class, bytes).collect::<Result<Vec<_>, _>>();
    crate::fixed_point!(bytes, parse, |entries: &Vec<DirectoryEntry>| {
        let mut writer = DirectoryWriter::new(class, usize::MAX).expect("a class that was read");
        entries.iter().for_each(|entry| assert!(writer.push(entry), "there is no limit"));
        writer.finish()
    });
    respect_limit(class, bytes);
}

/// A writer never exceeds its limit, whatever it is offered.
fn respect_limit(class: FileInformationClass, bytes: &[u8]) {
    let limit = bytes.len() / 2;
    let Some(mut writer) = DirectoryWriter::new(class, limit) else { return };
    for entry in directory::entries(class, bytes).flatten() {
        let _fits = writer.push(&entry);
    }
    assert!(writer.finish().len() <= limit);
}
