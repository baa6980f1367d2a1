//! QUERY_INFO — [MS-SMB2] 3.3.5.20.

use super::{extended, info, security, times};
use crate::{
    backend::Space,
    core::open::Open,
    driver::{Answer, Outcome, Request},
};
use smb_proto::{
    dialect::Dialect,
    fscc::{
        AccessInformation, AlignmentInformation, AlternateNameInformation, AttributeTagInformation,
        CompressionInformation, EaInformation, FileInformationClass, FsAttributeInformation, FsAttributes,
        FsControlInformation, FsDeviceInformation, FsFullSizeInformation, FsInformationClass,
        FsObjectIdInformation, FsSectorSizeInformation, FsSizeInformation, FsVolumeInformation,
        IdInformation, Information, InternalInformation, NormalizedNameInformation, StreamEntry,
        StreamInformation,
    },
    msg::{Access, FileTime, InfoType, QueryInfoRequest, QueryInfoResponse},
    status::NtStatus,
};
use std::sync::atomic::Ordering;

/// Bytes of a sector and of an allocation unit, as clients are told.
const SECTOR: u32 = 512;
const SECTORS_PER_UNIT: u32 = 8;
const UNIT: u64 = 4096;
/// FILE_DEVICE_DISK; FILE_DEVICE_IS_MOUNTED.
const DISK: u32 = 7;
const MOUNTED: u32 = 0x20;

/// Information that may be cut to the client's buffer, and its fixed part, which must fit: as Windows counts it, with
/// the first character of a name and padding.
struct Output {
    bytes: Vec<u8>,
    fixed: usize,
}

impl Output {
    fn of(information: &impl Information) -> Self {
        let bytes = information.to_bytes();
        Self { fixed: bytes.len(), bytes }
    }

    /// As [`of`](Self::of); all behind the first `fixed` bytes may be cut.
    fn named(information: &impl Information, fixed: usize) -> Self {
        Self { fixed, ..Self::of(information) }
    }
}

/// Answers what is asked of a file, its file system or its security.
pub(crate) async fn handle(request: &Request) -> Outcome {
    let query: QueryInfoRequest = request.parse()?;
    let open = request.open(query.file_id)?;
    if query.output_len > request.conn.agreed()?.max_transact {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    request.covers(query.input.len(), query.output_len)?;
    let limit = usize::try_from(query.output_len).map_err(|_| NtStatus::INVALID_PARAMETER)?;
    let output = match query.info_type {
        InfoType::FILE if query.class == FileInformationClass::FULL_EA.0 => {
            return extended_attributes(&open, &query, limit).await;
        }
        InfoType::FILE => file(request, &open, FileInformationClass(query.class)).await?,
        InfoType::FILESYSTEM => file_system(&open, FsInformationClass(query.class)).await?,
        InfoType::SECURITY => return security::query(&open, query.security_information(), limit).await,
        InfoType::QUOTA => return Err(NtStatus::NOT_SUPPORTED),
        _ => return Err(NtStatus::INVALID_PARAMETER),
    };
    let Output { mut bytes, fixed } = output;
    if limit < fixed.min(bytes.len()) {
        return Err(NtStatus::INFO_LENGTH_MISMATCH);
    }
    let status = if bytes.len() > limit { NtStatus::BUFFER_OVERFLOW } else { NtStatus::SUCCESS };
    bytes.truncate(limit);
    Ok(Answer::with_status(status, &QueryInfoResponse { output: bytes }).on(open.id))
}

/// FileFullEaInformation, which goes on where the last query ended.
async fn extended_attributes(open: &Open, query: &QueryInfoRequest, limit: usize) -> Outcome {
    const RESTART: u32 = 1;
    const SINGLE: u32 = 2;
    const INDEX: u32 = 4;
    open.require(Access::READ_EA)?;
    let index = usize::try_from(query.additional_information).unwrap_or(usize::MAX);
    let from = match query.flags {
        // Counted from 1.
        flags if flags & INDEX != 0 => index.saturating_sub(1),
        flags if flags & RESTART != 0 || !query.input.is_empty() => 0,
        _ => open.told_attributes.load(Ordering::Relaxed),
    };
    let all = open.handle.extended_attributes().await?;
    let single = query.flags & SINGLE != 0;
    let (output, count, more) = extended::Query { wanted: &query.input, from, single, limit }.answer(all)?;
    open.told_attributes.store(from.saturating_add(count), Ordering::Relaxed);
    let status = if more { NtStatus::BUFFER_OVERFLOW } else { NtStatus::SUCCESS };
    Ok(Answer::with_status(status, &QueryInfoResponse { output }).on(open.id))
}

async fn ea_size(open: &Open) -> Result<u32, NtStatus> {
    Ok(extended::size(&open.handle.extended_attributes().await?))
}

async fn file(request: &Request, open: &Open, class: FileInformationClass) -> Result<Output, NtStatus> {
    use FileInformationClass as Class;
    let metadata = times::metadata(open).await?;
    let attributes = || open.require(Access::READ_ATTRIBUTES);
    Ok(match class {
        Class::BASIC => attributes().map(|()| Output::of(&info::basic(&metadata)))?,
        Class::STANDARD => Output::of(&info::standard(open, &metadata)),
        Class::INTERNAL => Output::of(&InternalInformation { index_number: metadata.key.file }),
        Class::EA => Output::of(&EaInformation { ea_size: ea_size(open).await? }),
        Class::ACCESS => Output::of(&AccessInformation { access: open.granted }),
        Class::POSITION => Output::of(&info::position(open)),
        Class::MODE => Output::of(&info::mode(open)),
        Class::ALIGNMENT => Output::of(&AlignmentInformation { alignment_requirement: 0 }),
        Class::ALL => {
            attributes()?;
            Output::named(&info::all(open, &metadata, ea_size(open).await?), 104)
        }
        Class::NORMALIZED_NAME => {
            // [MS-SMB2] 3.3.5.20.1
            if request.conn.agreed()?.dialect < Dialect::SMB_3_1_1 {
                return Err(NtStatus::NOT_SUPPORTED);
            }
            let name = match open.handle.spelling().await? {
                Some(path) => info::joined(&path.path, path.stream.as_deref()),
                None => info::joined(&open.path(), open.stream().as_deref()),
            };
            Output::named(&NormalizedNameInformation { name }, 4)
        }
        Class::STREAM => {
            const FIXED: usize = 32;
            Output::named(&streams(open).await?, FIXED)
        }
        Class::COMPRESSION => Output::of(&CompressionInformation {
            compressed_file_size: metadata.end_of_file,
            format: 0,
            unit_shift: 0,
            chunk_shift: 0,
            cluster_shift: 0,
        }),
        Class::NETWORK_OPEN => attributes().map(|()| Output::of(&info::network_open(&metadata)))?,
        Class::ATTRIBUTE_TAG => {
            open.require(Access::READ_ATTRIBUTES)?;
            Output::of(&AttributeTagInformation { attributes: info::attributes(&metadata), reparse_tag: 0 })
        }
        Class::ID => Output::of(&IdInformation {
            volume_serial_number: metadata.key.volume,
            file_id: metadata.key.file.into(),
        }),
        Class::ALTERNATE_NAME => Output::named(&alternate_name(open), 8),
        Class::PIPE | Class::PIPE_LOCAL | Class::PIPE_REMOTE => return Err(NtStatus::INVALID_PARAMETER),
        _ => return Err(NtStatus::INVALID_INFO_CLASS),
    })
}

/// The 8.3 name: the name itself where it is one, else none, as in directory records. smbclient's `allinfo` goes no
/// further where this is refused.
fn alternate_name(open: &Open) -> AlternateNameInformation {
    let path = open.path();
    let name = path.last().filter(|name| is_8_3(name));
    AlternateNameInformation { name: name.map(|name| name.to_uppercase()).unwrap_or_default() }
}

/// Whether a name is of the form that FAT had — [MS-FSCC] 2.1.5.2.1.
fn is_8_3(name: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || "!#$%&'()-@^_`{}~".contains(c);
    let (base, extension) = name.split_once('.').unwrap_or((name, "x"));
    let part = |text: &str, most| (1..=most).contains(&text.len()) && text.chars().all(legal);
    part(base, 8) && part(extension, 3)
}

/// The file's data, and its named streams.
async fn streams(open: &Open) -> Result<StreamInformation, NtStatus> {
    let mut streams = Vec::new();
    let metadata = open.handle.metadata().await?;
    let own = metadata.end_of_file;
    for stream in open.handle.named_streams().await? {
        let name = format!(":{}:$DATA", stream.name).as_str().into();
        streams.push(StreamEntry { name, size: stream.size, allocation_size: stream.allocation_size });
    }
    if !open.directory && open.stream().is_none() {
        let allocation_size = metadata.allocation_size;
        streams.insert(0, StreamEntry { name: "::$DATA".into(), size: own, allocation_size });
    }
    Ok(StreamInformation { streams })
}

async fn file_system(open: &Open, class: FsInformationClass) -> Result<Output, NtStatus> {
    use FsInformationClass as Class;
    Ok(match class {
        Class::VOLUME => {
            let volume = open.handle.metadata().await?.key.volume;
            Output::named(&volume_information(open, volume), 24)
        }
        Class::SIZE => Output::of(&size(open.share.backend().space().await?)),
        Class::FULL_SIZE => Output::of(&full_size(open.share.backend().space().await?)),
        Class::DEVICE => Output::of(&FsDeviceInformation { device_type: DISK, characteristics: MOUNTED }),
        Class::ATTRIBUTE => Output::named(&attribute_information(open), 16),
        Class::CONTROL => Output::of(&FsControlInformation {
            default_quota_threshold: u64::MAX,
            default_quota_limit: u64::MAX,
            ..FsControlInformation::default()
        }),
        Class::OBJECT_ID => Output::of(&object_id(open.handle.metadata().await?.key.volume)),
        Class::SECTOR_SIZE => Output::of(&sector_size(open)),
        _ => return Err(NtStatus::INVALID_INFO_CLASS),
    })
}

fn volume_information(open: &Open, volume: u64) -> FsVolumeInformation {
    FsVolumeInformation {
        creation_time: FileTime::NONE,
        serial_number: serial(open.share.name(), volume),
        supports_objects: false,
        label: open.share.name().to_owned(),
    }
}

/// A number that tells volumes apart (FNV-1a over the share's name and the volume's number): back ends number theirs
/// as they like, from 0 for instance.
fn serial(share: &str, volume: u64) -> u32 {
    let bytes = share.bytes().chain(volume.to_le_bytes());
    bytes.fold(0x811c_9dc5, |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

fn object_id(volume: u64) -> FsObjectIdInformation {
    let mut object_id = [0; 16];
    object_id.iter_mut().zip(volume.to_le_bytes()).for_each(|(to, from)| *to = from);
    FsObjectIdInformation { object_id, ..FsObjectIdInformation::default() }
}

fn size(space: Space) -> FsSizeInformation {
    FsSizeInformation {
        total_units: space.total / UNIT,
        available_units: space.available / UNIT,
        sectors_per_unit: SECTORS_PER_UNIT,
        bytes_per_sector: SECTOR,
    }
}

fn full_size(space: Space) -> FsFullSizeInformation {
    FsFullSizeInformation {
        total_units: space.total / UNIT,
        caller_available_units: space.available / UNIT,
        actual_available_units: space.available / UNIT,
        sectors_per_unit: SECTORS_PER_UNIT,
        bytes_per_sector: SECTOR,
    }
}

fn attribute_information(open: &Open) -> FsAttributeInformation {
    let capabilities = open.share.backend().capabilities();
    // A name is looked for as it is spelled first, which is what NTFS calls case-sensitive.
    let mut attributes = FsAttributes::CASE_PRESERVED_NAMES
        .with(FsAttributes::UNICODE_ON_DISK)
        .with(FsAttributes::CASE_SENSITIVE_SEARCH);
    for (has, flag) in [
        (capabilities.sparse, FsAttributes::SUPPORTS_SPARSE_FILES),
        (capabilities.extents, FsAttributes::SUPPORTS_BLOCK_REFCOUNTING),
        (capabilities.security, FsAttributes::PERSISTENT_ACLS),
        (capabilities.named_streams, FsAttributes::NAMED_STREAMS),
        (capabilities.extended_attributes, FsAttributes::SUPPORTS_EXTENDED_ATTRIBUTES),
        (capabilities.hard_links, FsAttributes::SUPPORTS_HARD_LINKS),
        (!open.share.writable(), FsAttributes::READ_ONLY_VOLUME),
    ] {
        if has {
            attributes = attributes.with(flag);
        }
    }
    // Clients look for this name before they believe in long names and sparse files.
    FsAttributeInformation { attributes, maximum_component_name_length: 255, name: "NTFS".into() }
}

fn sector_size(open: &Open) -> FsSectorSizeInformation {
    const ALIGNED: u32 = 3;
    const TRIMS: u32 = 8;
    let trims = if open.share.backend().capabilities().sparse { TRIMS } else { 0 };
    let physical = SECTOR.saturating_mul(SECTORS_PER_UNIT);
    FsSectorSizeInformation {
        logical_bytes_per_sector: SECTOR,
        physical_bytes_per_sector_for_atomicity: physical,
        physical_bytes_per_sector_for_performance: physical,
        effective_physical_bytes_per_sector: physical,
        flags: ALIGNED | trims,
        byte_offset_for_sector_alignment: 0,
        byte_offset_for_partition_alignment: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::is_8_3;

    #[test]
    fn names_of_the_old_form() {
        for (name, is) in [("a", true), ("README.md", true), ("12345678.123", true), ("123456789", false)] {
            assert_eq!(is_8_3(name), is, "{name}");
        }
        assert!(
            !is_8_3(".hidden") && !is_8_3("a.b.c") && !is_8_3("a.html") && !is_8_3("a b") && !is_8_3("a.")
        );
    }
}
