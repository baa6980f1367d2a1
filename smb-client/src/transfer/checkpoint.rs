//! How far a transfer came that was interrupted, kept in a file beside the local one, so that it can be resumed.
//!
//! A checkpoint is believed only as far as it can be checked: source and target must be those it was made for (size, times),
//! and the bytes in front of it must have its digest.

use crate::error::{Error, TransferError};
use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

/// Bytes between two checkpoints: what is lost at most, besides what was under way.
pub(crate) const EVERY: u64 = 256 << 20;
/// The longest checkpoint file that is read.
const LONGEST: u64 = 64 * 1024;
const SUFFIX: &str = ".checkpoint";
const TITLE: &str = "smb-client checkpoint 1";

/// A place up to which everything is there, and durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub offset: u64,
    /// BLAKE3 of all bytes in front of it.
    pub digest: [u8; 32],
}

/// What a checkpoint was made for: another one has another size or time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subject {
    /// The remote file.
    pub remote: String,
    /// The source's size.
    pub size: u64,
    /// When the source was last written, in its own units.
    pub written: u64,
    /// When the remote file was created.
    pub created: u64,
}

/// A checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    pub subject: Subject,
    pub mark: Mark,
}

impl Checkpoint {
    fn to_text(&self) -> String {
        let Self { subject: Subject { remote, size, written, created }, mark } = self;
        let digest: String = mark.digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let offset = mark.offset;
        format!(
            "{TITLE}\nsize {size}\nwritten {written}\ncreated {created}\noffset {offset}\ndigest {digest}\n\
             remote {remote}\n"
        )
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        lines.next().filter(|title| *title == TITLE)?;
        let mut field = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned);
        let size = field("size")?.parse().ok()?;
        let written = field("written")?.parse().ok()?;
        let created = field("created")?.parse().ok()?;
        let offset = field("offset")?.parse().ok()?;
        let digest = unhex(&field("digest")?)?;
        let remote = field("remote")?;
        Some(Self { subject: Subject { remote, size, written, created }, mark: Mark { offset, digest } })
    }
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let (mut digest, text) = ([0; 32], text.as_bytes());
    if text.len() != 64 {
        return None;
    }
    for (byte, digits) in digest.iter_mut().zip(text.chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(digest)
}

/// Where checkpoints of one transfer are kept.
#[derive(Debug, Clone)]
pub(crate) struct Keeper {
    path: PathBuf,
    subject: Subject,
}

impl Keeper {
    /// Beside the local file `file`.
    pub fn beside(file: &Path, subject: Subject) -> Self {
        let mut path = file.as_os_str().to_owned();
        path.push(SUFFIX);
        Self { path: path.into(), subject }
    }

    /// The mark that was kept for this very transfer.
    pub async fn find(&self) -> Option<Mark> {
        let path = self.path.clone();
        let read = move || -> io::Result<String> {
            let mut text = String::new();
            fs::File::open(path)?.take(LONGEST).read_to_string(&mut text)?;
            Ok(text)
        };
        let text = tokio::task::spawn_blocking(read).await.ok()?.ok()?;
        let found = Checkpoint::parse(&text)?;
        (found.subject == self.subject && found.mark.offset <= self.subject.size).then_some(found.mark)
    }

    /// Keeps `mark` in place of the one before: at any time there is one of them, whole.
    pub async fn keep(&self, mark: Mark) -> Result<(), Error> {
        let text = Checkpoint { subject: self.subject.clone(), mark }.to_text();
        let (path, mut new) = (self.path.clone(), self.path.clone().into_os_string());
        new.push(".new");
        let write = move || {
            for place in [path.as_path(), new.as_ref()] {
                if holds(place)? == Holds::Another {
                    let why = format!("{} is there, and is no checkpoint: move it away", place.display());
                    return Err(io::Error::new(io::ErrorKind::AlreadyExists, why));
                }
            }
            fs::write(&new, text)?;
            fs::File::open(&new)?.sync_all()?;
            fs::rename(&new, path)
        };
        blocking(write).await.map_err(|error| sink_error(mark.offset, error))
    }

    /// The transfer is complete.
    pub async fn forget(&self) {
        let path = self.path.clone();
        // Where it cannot be removed it does no harm: the next transfer has another subject, or is checked.
        let _ = blocking(move || match holds(&path)? {
            Holds::Checkpoint => fs::remove_file(path),
            Holds::Nothing | Holds::Another => Ok(()),
        })
        .await;
    }
}

/// What is at a place for a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    Nothing,
    Checkpoint,
    /// Somebody's file that is only named like one.
    Another,
}

fn holds(path: &Path) -> io::Result<Holds> {
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Holds::Nothing),
        Err(error) => return Err(error),
    };
    let mut start = Vec::with_capacity(TITLE.len());
    file.take(u64::try_from(TITLE.len()).unwrap_or(u64::MAX)).read_to_end(&mut start)?;
    // One that was cut short when it was written is one.
    Ok(if TITLE.as_bytes().starts_with(&start) { Holds::Checkpoint } else { Holds::Another })
}

/// Whether a local file is a checkpoint, or was one a moment ago, and not part of what is transferred.
pub(crate) fn is_checkpoint(path: &Path) -> bool {
    let named = path.to_str().is_some_and(|path| path.ends_with(SUFFIX) || path.ends_with(".checkpoint.new"));
    named && holds(path).is_ok_and(|holds| holds != Holds::Another)
}

/// The first bytes of a local file, digested.
#[derive(Debug)]
pub(crate) struct Prefix {
    pub len: u64,
    pub hasher: blake3::Hasher,
}

impl Prefix {
    pub fn empty() -> Self {
        Self { len: 0, hasher: blake3::Hasher::new() }
    }

    /// The first `mark.offset` bytes of `path`, if they are there and have the mark's digest.
    pub async fn check(path: &Path, mark: Mark) -> Option<Self> {
        let path = path.to_owned();
        let read = move || -> io::Result<Option<Self>> {
            let mut file = fs::File::open(path)?.take(mark.offset);
            let (mut len, mut hasher, mut buf) = (0u64, blake3::Hasher::new(), vec![0; 1 << 20]);
            loop {
                match file.read(&mut buf)? {
                    0 => break,
                    read => {
                        hasher.update(buf.get(..read).unwrap_or(&[]));
                        len = len.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
                    }
                }
            }
            let whole = len == mark.offset && *hasher.finalize().as_bytes() == mark.digest;
            Ok(whole.then_some(Self { len, hasher }))
        };
        tokio::task::spawn_blocking(read).await.ok()?.ok()?
    }
}

/// Runs what blocks on a thread for that.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

pub(crate) fn sink_error(offset: u64, error: io::Error) -> Error {
    TransferError::Sink { offset, error: Arc::new(error) }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint() -> Checkpoint {
        let remote = "share\\dir\\name with spaces".to_owned();
        let subject = Subject { remote, size: 1 << 40, written: 7, created: 8 };
        Checkpoint { subject, mark: Mark { offset: 12345, digest: *blake3::hash(b"x").as_bytes() } }
    }

    #[test]
    fn what_is_written_is_read() {
        let kept = checkpoint();
        assert_eq!(Checkpoint::parse(&kept.to_text()), Some(kept));
    }

    #[test]
    fn half_a_checkpoint_is_none() {
        let text = checkpoint().to_text();
        // The last byte is only the end of a line.
        for end in 0..text.len() - 27 {
            assert_eq!(Checkpoint::parse(&text[..end]), None, "{end}");
        }
        assert_eq!(Checkpoint::parse(&text.replace("offset 1", "offset -1")), None);
        assert_eq!(Checkpoint::parse(&text.replace("checkpoint 1", "checkpoint 2")), None);
    }

    #[tokio::test]
    async fn only_the_same_transfer_finds_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("image");
        let Checkpoint { subject, mark } = checkpoint();
        let keeper = Keeper::beside(&file, subject.clone());
        assert_eq!(keeper.find().await, None);
        keeper.keep(mark).await.unwrap();
        assert_eq!(keeper.find().await, Some(mark));
        let changed = Keeper::beside(&file, Subject { written: 9, ..subject });
        assert_eq!(changed.find().await, None);
        keeper.forget().await;
        assert_eq!(keeper.find().await, None);
    }

    #[tokio::test]
    async fn a_file_of_that_name_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("image");
        let Checkpoint { subject, mark } = checkpoint();
        let keeper = Keeper::beside(&file, subject);
        for name in ["image.checkpoint", "image.checkpoint.new"] {
            let theirs = folder.path().join(name);
            fs::write(&theirs, b"a guest's own").unwrap();
            assert!(keeper.keep(mark).await.is_err());
            keeper.forget().await;
            assert_eq!(fs::read(&theirs).unwrap(), b"a guest's own");
            assert!(!is_checkpoint(&theirs));
            fs::remove_file(theirs).unwrap();
        }
        keeper.keep(mark).await.unwrap();
        assert!(is_checkpoint(&folder.path().join("image.checkpoint")));
        assert!(!is_checkpoint(&file));
    }

    #[tokio::test]
    async fn a_prefix_must_have_the_digest() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("image");
        fs::write(&file, b"abcdef").unwrap();
        let mark = |text: &[u8]| Mark {
            offset: u64::try_from(text.len()).unwrap(),
            digest: *blake3::hash(text).as_bytes(),
        };
        assert_eq!(Prefix::check(&file, mark(b"abc")).await.unwrap().len, 3);
        assert!(Prefix::check(&file, mark(b"abd")).await.is_none(), "changed");
        assert!(Prefix::check(&file, mark(b"abcdefg")).await.is_none(), "shorter");
    }
}
