//! What QUERY_INFO and QUERY_DIRECTORY tell of a file, from its metadata.

use crate::{backend::Metadata, core::open::Open};
use smb_proto::{
    fscc::{
        AccessInformation, AlignmentInformation, AllInformation, BasicInformation, DirectoryEntry,
        EaInformation, InternalInformation, ModeInformation, NetworkOpenInformation, PositionInformation,
        StandardInformation,
    },
    msg::FileAttributes,
};
use std::sync::atomic::Ordering;

/// The attributes; a file without any is NORMAL.
pub(super) fn attributes(metadata: &Metadata) -> FileAttributes {
    if metadata.attributes == FileAttributes::NONE { FileAttributes::NORMAL } else { metadata.attributes }
}

pub(super) fn basic(metadata: &Metadata) -> BasicInformation {
    BasicInformation { times: metadata.times, attributes: attributes(metadata) }
}

pub(super) fn standard(open: &Open, metadata: &Metadata) -> StandardInformation {
    let delete_pending = open.delete_pending();
    StandardInformation {
        allocation_size: metadata.allocation_size,
        end_of_file: metadata.end_of_file,
        // The name that is to go does not count.
        number_of_links: metadata.links.saturating_sub(delete_pending.into()),
        delete_pending,
        directory: metadata.is_directory(),
    }
}

pub(super) fn position(open: &Open) -> PositionInformation {
    PositionInformation { current_byte_offset: open.position.load(Ordering::Relaxed) }
}

pub(super) fn mode(open: &Open) -> ModeInformation {
    ModeInformation { mode: open.mode.load(Ordering::Relaxed) }
}

pub(super) fn all(open: &Open, metadata: &Metadata, ea_size: u32) -> AllInformation {
    AllInformation {
        basic: basic(metadata),
        standard: standard(open, metadata),
        internal: InternalInformation { index_number: metadata.key.file },
        ea: EaInformation { ea_size },
        access: AccessInformation { access: open.granted },
        position: position(open),
        mode: mode(open),
        alignment: AlignmentInformation { alignment_requirement: 0 },
        name: name(open),
    }
}

pub(super) fn network_open(metadata: &Metadata) -> NetworkOpenInformation {
    NetworkOpenInformation {
        times: metadata.times,
        allocation_size: metadata.allocation_size,
        end_of_file: metadata.end_of_file,
        attributes: attributes(metadata),
    }
}

/// The path from the share's root, with a leading `\`.
pub(super) fn name(open: &Open) -> String {
    format!("\\{}", joined(&open.path(), open.stream().as_deref()))
}

/// A path as one string; a stream's name follows its file's.
pub(super) fn joined(path: &[String], stream: Option<&str>) -> String {
    let path = path.join("\\");
    match stream {
        Some(stream) => format!("{path}:{stream}"),
        None => path,
    }
}

/// A directory record.
pub(super) fn entry(name: &str, metadata: &Metadata) -> DirectoryEntry {
    DirectoryEntry {
        name: name.into(),
        times: metadata.times,
        end_of_file: metadata.end_of_file,
        allocation_size: metadata.allocation_size,
        attributes: attributes(metadata),
        file_id: metadata.key.file,
        file_id_128: metadata.key.file.into(),
        ..DirectoryEntry::default()
    }
}
