//! The buffers of QUERY_INFO, SET_INFO and QUERY_DIRECTORY in the recordings, read by the class that was asked for.

use crate::{Any, data, read};
use smb_proto::{
    dtyp::SecurityDescriptor,
    error::ParseError,
    fscc::{
        AccessInformation, AlignmentInformation, AllInformation, AlternateNameInformation, BasicInformation,
        DirectoryWriter, DispositionInformation, EaInformation, EndOfFileInformation,
        FileInformationClass as File, FsAttributeInformation, FsDeviceInformation, FsFullSizeInformation,
        FsInformationClass as Fs, FsObjectIdInformation, FsSectorSizeInformation, FsSizeInformation,
        FsVolumeInformation, Information, InternalInformation, LinkInformation, ModeInformation,
        NetworkOpenInformation, PositionInformation, RenameInformation, StandardInformation,
        StreamInformation, directory, ea::FullEaInformation, notify,
    },
    msg::{InfoType, Request, Response},
};
use std::collections::{BTreeMap, BTreeSet};

/// What a response's buffer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Info(InfoType, u8),
    Directory(File),
    Notify,
}

type Again = Result<Vec<u8>, ParseError>;

fn again<T: Information>(bytes: &[u8]) -> Again {
    assert!((1..bytes.len().min(4)).all(|cut| T::parse(&bytes[..cut]).is_err()));
    T::parse(bytes).map(|information| information.to_bytes())
}

fn directory_again(class: File, bytes: &[u8]) -> Again {
    let mut writer = DirectoryWriter::new(class, bytes.len()).expect("a directory class");
    for entry in directory::entries(class, bytes) {
        assert!(writer.push(&entry?), "what fitted fits again");
    }
    Ok(writer.finish())
}

/// The buffer, read and written again; `None` for a class that is not typed.
fn rewrite(kind: Kind, bytes: &[u8]) -> Option<Again> {
    Some(match kind {
        Kind::Directory(class) => directory_again(class, bytes),
        Kind::Notify => {
            notify::records(bytes).collect::<Result<Vec<_>, _>>().map(|list| notify::to_bytes(&list))
        }
        Kind::Info(InfoType::FILE, class) => match File(class) {
            File::BASIC => again::<BasicInformation>(bytes),
            File::STANDARD => again::<StandardInformation>(bytes),
            File::INTERNAL => again::<InternalInformation>(bytes),
            File::EA => again::<EaInformation>(bytes),
            File::ACCESS => again::<AccessInformation>(bytes),
            File::LINK => again::<LinkInformation>(bytes),
            File::FULL_EA => again::<FullEaInformation>(bytes),
            File::MODE => again::<ModeInformation>(bytes),
            File::ALIGNMENT => again::<AlignmentInformation>(bytes),
            File::ALTERNATE_NAME => again::<AlternateNameInformation>(bytes),
            File::ALL => again::<AllInformation>(bytes),
            File::POSITION => again::<PositionInformation>(bytes),
            File::STREAM => again::<StreamInformation>(bytes),
            File::NETWORK_OPEN => again::<NetworkOpenInformation>(bytes),
            File::RENAME => again::<RenameInformation>(bytes),
            File::DISPOSITION => again::<DispositionInformation>(bytes),
            File::END_OF_FILE => again::<EndOfFileInformation>(bytes),
            _ => return None,
        },
        Kind::Info(InfoType::FILESYSTEM, class) => match Fs(class) {
            Fs::VOLUME => again::<FsVolumeInformation>(bytes),
            Fs::SIZE => again::<FsSizeInformation>(bytes),
            Fs::DEVICE => again::<FsDeviceInformation>(bytes),
            Fs::ATTRIBUTE => again::<FsAttributeInformation>(bytes),
            Fs::FULL_SIZE => again::<FsFullSizeInformation>(bytes),
            Fs::OBJECT_ID => again::<FsObjectIdInformation>(bytes),
            Fs::SECTOR_SIZE => again::<FsSectorSizeInformation>(bytes),
            _ => return None,
        },
        Kind::Info(InfoType::SECURITY, 0) => SecurityDescriptor::parse(bytes).map(|found| found.to_bytes()),
        Kind::Info(..) => return None,
    })
}

/// All buffers of the recordings with what they hold: requests say it themselves, responses by their MessageId.
fn buffers() -> Vec<(String, Kind, Vec<u8>)> {
    let mut asked = BTreeMap::new();
    let mut found = Vec::new();
    for golden in data::opened() {
        let set = golden.name.split_once('/').unwrap().0.to_owned();
        let wire = golden.standing_alone();
        for (header, body) in read(&wire).unwrap() {
            let key = (set.clone(), header.session_id, header.message_id);
            let mut answer = |bytes: &Vec<u8>| {
                if let Some(kind) = asked.get(&key) {
                    found.push((golden.name.clone(), *kind, bytes.clone()));
                }
            };
            match body {
                Any::Request(Request::QueryInfo(r)) => {
                    _ = asked.insert(key, Kind::Info(r.info_type, r.class))
                }
                Any::Request(Request::QueryDirectory(r)) => _ = asked.insert(key, Kind::Directory(r.class)),
                Any::Request(Request::ChangeNotify(_)) => _ = asked.insert(key, Kind::Notify),
                Any::Request(Request::SetInfo(r)) => {
                    found.push((golden.name.clone(), Kind::Info(r.info_type, r.class), r.input));
                }
                Any::Response(Response::QueryInfo(r)) => answer(&r.output),
                Any::Response(Response::QueryDirectory(r)) => answer(&r.output),
                Any::Response(Response::ChangeNotify(r)) => answer(&r.output),
                _ => {}
            }
        }
    }
    found
}

#[test]
fn buffers_come_back_byte_for_byte() {
    let mut typed = BTreeSet::new();
    let mut untyped = BTreeSet::new();
    for (name, kind, bytes) in buffers() {
        match rewrite(kind, &bytes) {
            Some(rewritten) => {
                let mut rewritten = rewritten.unwrap();
                // Peers pad: smbtorture a new name by two bytes.
                let padding = bytes.len().saturating_sub(rewritten.len()).min(7);
                rewritten.resize(rewritten.len() + padding, 0);
                assert_eq!(rewritten, bytes, "{name}: {kind:?}");
                typed.insert(kind);
            }
            None => _ = untyped.insert(kind),
        }
    }
    assert!(typed.len() >= 24, "{typed:?}");
    assert!(untyped.iter().all(|kind| matches!(kind, Kind::Info(InfoType::QUOTA, _))), "{untyped:?}");
}
