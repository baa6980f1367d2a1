//! The recorded messages, sealed ones opened.

use smb_proto::{
    crypto::seal::SealingKey, dialect::Cipher, frame::FrameKind, transform::encryption::TransformHeader,
};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Who sent a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    Request,
    Response,
}

/// One plain frame.
#[derive(Debug, Clone)]
pub struct Golden {
    /// Directory and file.
    pub name: String,
    pub direction: Direction,
    /// One message cut from a compound: its NextCommand and padding are left over.
    pub is_part: bool,
    pub frame: Vec<u8>,
}

impl Golden {
    /// The frame as it stood alone: a message cut from a compound loses its NextCommand.
    pub fn standing_alone(&self) -> Vec<u8> {
        let mut wire = self.frame.clone();
        if self.is_part {
            wire[20..24].fill(0);
        }
        wire
    }
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<_> = text.chars().filter_map(|c| c.to_digit(16)).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] << 4 | pair[1]).unwrap()).collect()
}

fn cipher(set: &str) -> Cipher {
    match set.rsplit_once("aes-").map_or("128-ccm", |(_, cipher)| cipher) {
        "128-ccm" => Cipher::AES_128_CCM,
        "128-gcm" => Cipher::AES_128_GCM,
        "256-ccm" => Cipher::AES_256_CCM,
        "256-gcm" => Cipher::AES_256_GCM,
        other => panic!("cipher {other}"),
    }
}

fn session(set: &Path) -> BTreeMap<String, String> {
    let text = fs::read_to_string(set.join("session.txt")).unwrap();
    text.lines().filter_map(|line| line.split_once(' ')).map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
}

/// Opens a sealed frame; `None` where it belongs to a session whose keys are not recorded.
fn open(set: &Path, direction: Direction, mut frame: Vec<u8>) -> Option<Vec<u8>> {
    let session = session(set);
    let (header, _) = TransformHeader::parse(&frame).unwrap();
    if header.session_id != u64::from_str_radix(session.get("session-id")?, 16).unwrap() {
        return None;
    }
    let key = match direction {
        Direction::Request => "serverin-key",
        Direction::Response => "serverout-key",
    };
    let key = SealingKey::new(cipher(set.file_name()?.to_str()?), &unhex(session.get(key)?)).unwrap();
    let inside = key.open(&mut frame).expect("opens with the recorded key");
    Some(frame[inside].to_vec())
}

fn read(set: &Path, file: &Path) -> Option<Golden> {
    let name = format!("{}/{}", set.file_name()?.to_str()?, file.file_name()?.to_str()?);
    let direction = if name.contains("-request") { Direction::Request } else { Direction::Response };
    let frame = unhex(&fs::read_to_string(file).unwrap());
    let frame = match FrameKind::of(&frame) {
        Some(FrameKind::Smb2) => frame,
        Some(FrameKind::Sealed) => open(set, direction, frame)?,
        // By itself: `smb1`.
        Some(FrameKind::Smb1) => return None,
        other => panic!("{name}: {other:?}"),
    };
    Some(Golden { is_part: name.contains("-part-"), name, direction, frame })
}

/// The files of all sets.
fn files() -> Vec<(PathBuf, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/golden");
    let list =
        |path: &Path| fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    let sets = list(&root).into_iter().filter(|path| path.is_dir());
    let mut files: Vec<_> =
        sets.flat_map(|set| list(&set).into_iter().map(move |file| (set.clone(), file))).collect();
    files.retain(|(_, file)| file.extension().is_some_and(|extension| extension == "hex"));
    files.sort();
    files
}

/// All recorded SMB2 frames.
pub fn opened() -> Vec<Golden> {
    files().iter().filter_map(|(set, file)| read(set, file)).collect()
}

/// The recorded SMB1 frames.
pub fn smb1() -> Vec<Vec<u8>> {
    let frames = files().into_iter().map(|(_, file)| unhex(&fs::read_to_string(file).unwrap()));
    frames.filter(|frame| FrameKind::of(frame) == Some(FrameKind::Smb1)).collect()
}
