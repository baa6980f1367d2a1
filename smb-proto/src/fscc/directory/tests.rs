//! Records against the specification's offsets, and writer against parser.

use super::*;
use crate::{codec::field::testing::hex, msg::testing::times};
use proptest::prelude::*;

const CLASSES: [FileInformationClass; 11] = [
    FileInformationClass::DIRECTORY,
    FileInformationClass::FULL_DIRECTORY,
    FileInformationClass::BOTH_DIRECTORY,
    FileInformationClass::NAMES,
    FileInformationClass::ID_BOTH_DIRECTORY,
    FileInformationClass::ID_FULL_DIRECTORY,
    FileInformationClass::ID_EXTD_DIRECTORY,
    FileInformationClass::ID_64_EXTD_DIRECTORY,
    FileInformationClass::ID_64_EXTD_BOTH_DIRECTORY,
    FileInformationClass::ID_ALL_EXTD_DIRECTORY,
    FileInformationClass::ID_ALL_EXTD_BOTH_DIRECTORY,
];

/// What of an entry the class can carry.
fn as_carried(class: FileInformationClass, entry: &DirectoryEntry) -> DirectoryEntry {
    let parts = layout(class).unwrap();
    let has = |wanted: fn(&Part) -> bool| parts.iter().any(wanted);
    let mut carried =
        DirectoryEntry { name: entry.name.clone(), file_index: entry.file_index, ..Default::default() };
    if class != FileInformationClass::NAMES {
        carried.times = entry.times;
        carried.end_of_file = entry.end_of_file;
        carried.allocation_size = entry.allocation_size;
        carried.attributes = entry.attributes;
    }
    let is_reparse_point = entry.attributes.contains(FileAttributes::REPARSE_POINT);
    if has(|part| matches!(part, Part::Ea)) || has(|part| matches!(part, Part::EaOrTag)) && !is_reparse_point
    {
        carried.ea_size = entry.ea_size;
    }
    if has(|part| matches!(part, Part::Tag)) || has(|part| matches!(part, Part::EaOrTag)) && is_reparse_point
    {
        carried.reparse_tag = entry.reparse_tag;
    }
    if has(|part| matches!(part, Part::Short)) {
        carried.short_name = entry.short_name.clone();
    }
    if has(|part| matches!(part, Part::Id64)) {
        carried.file_id = entry.file_id;
    }
    if has(|part| matches!(part, Part::Id128)) {
        carried.file_id_128 = entry.file_id_128;
    }
    carried
}

fn entry() -> impl Strategy<Value = DirectoryEntry> {
    let name = prop::collection::vec(any::<u16>(), 1..20).prop_map(WideName::from_units);
    let short = prop::collection::vec(any::<u16>(), 0..12).prop_map(WideName::from_units);
    let numbers = any::<(u32, [u64; 4], u64, u64, u32, u32, u32, u64, u128)>();
    (name, short, numbers).prop_map(|(name, short_name, n)| DirectoryEntry {
        name,
        short_name,
        file_index: n.0,
        times: times(n.1),
        end_of_file: n.2,
        allocation_size: n.3,
        attributes: FileAttributes(n.4),
        ea_size: n.5,
        reparse_tag: n.6,
        file_id: n.7,
        file_id_128: n.8,
    })
}

fn sample() -> DirectoryEntry {
    DirectoryEntry {
        name: "name".into(),
        short_name: "NA~1".into(),
        file_index: 0x0b,
        times: times([1, 2, 3, 4]),
        end_of_file: 5,
        allocation_size: 6,
        attributes: FileAttributes(0x20),
        ea_size: 7,
        reparse_tag: 8,
        file_id: 9,
        file_id_128: 10,
    }
}

const COMMON: &str = "00000000 0b000000 0100000000000000 0200000000000000 0300000000000000 0400000000000000
    0500000000000000 0600000000000000 20000000 08000000";
const SHORT: &str = "08 00 4e00 4100 7e00 3100 00000000000000000000000000000000";
const NAME: &str = "6e00 6100 6d00 6500";

#[test]
fn every_class_as_the_specification_draws_it() {
    let id64 = "0900000000000000";
    let id128 = "0a000000000000000000000000000000";
    let drawn = [
        (FileInformationClass::DIRECTORY, format!("{COMMON} {NAME}")),
        (FileInformationClass::FULL_DIRECTORY, format!("{COMMON} 07000000 {NAME}")),
        (FileInformationClass::BOTH_DIRECTORY, format!("{COMMON} 07000000 {SHORT} {NAME}")),
        (FileInformationClass::NAMES, format!("00000000 0b000000 08000000 {NAME}")),
        (FileInformationClass::ID_BOTH_DIRECTORY, format!("{COMMON} 07000000 {SHORT} 0000 {id64} {NAME}")),
        (FileInformationClass::ID_FULL_DIRECTORY, format!("{COMMON} 07000000 00000000 {id64} {NAME}")),
        (FileInformationClass::ID_EXTD_DIRECTORY, format!("{COMMON} 07000000 08000000 {id128} {NAME}")),
        (FileInformationClass::ID_64_EXTD_DIRECTORY, format!("{COMMON} 07000000 08000000 {id64} {NAME}")),
        (
            FileInformationClass::ID_64_EXTD_BOTH_DIRECTORY,
            format!("{COMMON} 07000000 08000000 {id64} {SHORT} {NAME}"),
        ),
        (
            FileInformationClass::ID_ALL_EXTD_DIRECTORY,
            format!("{COMMON} 07000000 08000000 {id64} {id128} {NAME}"),
        ),
        (
            FileInformationClass::ID_ALL_EXTD_BOTH_DIRECTORY,
            format!("{COMMON} 07000000 08000000 {id64} {id128} {SHORT} {NAME}"),
        ),
    ];
    for (class, drawn) in drawn {
        let mut writer = DirectoryWriter::new(class, 4096).unwrap();
        assert!(writer.push(&sample()));
        let wire = writer.finish();
        assert_eq!(wire, hex(&drawn), "{class:?}");
        let read: Vec<_> = entries(class, &wire).collect::<Result<_, _>>().unwrap();
        assert_eq!(read, [as_carried(class, &sample())], "{class:?}");
        assert!(
            (1..wire.len()).all(|cut| entries(class, &wire[..cut]).any(|entry| entry.is_err())),
            "{class:?}"
        );
    }
}

#[test]
fn classes_without_records() {
    assert!(DirectoryWriter::new(FileInformationClass::BASIC, 4096).is_none());
    assert!(!is_directory_class(FileInformationClass::ALL));
    assert!(entries(FileInformationClass::BASIC, &[0; 200]).next().unwrap().is_err());
    assert!(entries(FileInformationClass::BASIC, &[]).next().unwrap().is_err());
}

#[test]
fn a_writer_too_small_says_so() {
    let mut writer = DirectoryWriter::new(FileInformationClass::NAMES, 12).unwrap();
    assert!(!writer.is_too_small());
    assert!(!writer.push(&sample()));
    assert!(writer.is_empty());
    assert!(DirectoryWriter::new(FileInformationClass::DIRECTORY, 63).unwrap().is_too_small());
}

#[test]
fn a_record_that_points_back_ends_the_listing() {
    let mut writer = DirectoryWriter::new(FileInformationClass::NAMES, 4096).unwrap();
    assert!(writer.push(&sample()) && writer.push(&sample()));
    let mut wire = writer.finish();
    for bad in [1u32, 8, 11, 4096, u32::MAX] {
        wire[..4].copy_from_slice(&bad.to_le_bytes());
        let read: Vec<_> = entries(FileInformationClass::NAMES, &wire).collect();
        assert!(read.len() == 1 && read[0].is_err(), "NextEntryOffset {bad}");
    }
}

proptest! {
    #[test]
    fn writes_what_fits_and_reads_it_back(
        class in prop::sample::select(CLASSES.as_slice()),
        wanted in prop::collection::vec(entry(), 1..12),
        limit in 0usize..1500,
    ) {
        let mut writer = DirectoryWriter::new(class, limit).unwrap();
        let written = wanted.iter().take_while(|entry| writer.push(entry)).count();
        let wire = writer.finish();
        prop_assert!(wire.len() <= limit);
        if let Some(refused) = wanted.get(written) {
            let record = fixed_len(class, layout(class).unwrap()) + refused.name.wire_len();
            prop_assert!(wire.len().next_multiple_of(8) + record > limit, "it would have fitted");
        }
        let read: Vec<_> = entries(class, &wire).collect::<Result<_, _>>().unwrap();
        let expected: Vec<_> = wanted[..written].iter().map(|entry| as_carried(class, entry)).collect();
        prop_assert_eq!(read, expected);
        let mut at = 0;
        while at < wire.len() {
            prop_assert_eq!(at % 8, 0);
            let next = u32::from_le_bytes(wire[at..at + 4].try_into().unwrap());
            at += if next == 0 { wire.len() } else { usize::try_from(next).unwrap() };
        }
    }
}
