//! Between a share and the local file system: a file is there whole under its name, or not at all; resumed where that is
//! asked for.

use super::{
    FileSink, FileSource, Level, Summary, TransferOptions, Verify,
    checkpoint::{Keeper, Mark, Prefix, Subject, blocking, sink_error},
    download::download_from,
    upload::upload_from,
};
use crate::{
    api::{File, OpenOptions, SMALL, Tree},
    error::{Error, TransferError},
};
use smb_proto::msg::CreateDisposition;
use std::{
    ffi::OsStr,
    fs,
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::UNIX_EPOCH,
};
use tokio::time::Instant;

/// What is compared of a remote file before an upload goes on behind it.
const TAIL: u64 = 1 << 20;

/// `path` with something behind it.
fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(OsStr::new(suffix));
    name.into()
}

/// Where a download to `path` is written until it is complete.
pub fn part_of(path: &Path) -> PathBuf {
    with_suffix(path, ".part")
}

/// Downloads `file` to the local file `path`. It is written as `path.part`, made durable, and renamed when it is complete;
/// with [`Verify::Readback`] it is read again before that.
///
/// With [`TransferOptions::resume`] a checkpoint is kept beside it from time to time, and a download that was interrupted
/// goes on from there if the remote file is still the same (size and times) and what is here has the digest it had.
///
/// On failure, or when its future is dropped, `path.part` stays.
pub async fn download_to(file: &File, path: &Path, options: &TransferOptions) -> Result<Summary, Error> {
    download_by(file, path, part_of(path), options).await
}

/// Where a file of a tree is written until it is complete. No file of the tree has that name, as one may be called `x` and
/// another `x.part`; the same each time, so that a download can be resumed.
fn part_in_tree(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default();
    let digest = blake3::hash(name.as_encoded_bytes()).to_hex();
    path.with_file_name(format!(".{}.part", digest.get(..20).unwrap_or_default()))
}

/// Gives a complete file its name, and makes that durable.
fn settle(part: &Path, path: &Path) -> io::Result<()> {
    fs::rename(part, path)?;
    #[cfg(unix)]
    if let Some(above) = path.parent() {
        let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
        // Not every file system makes directories durable, and not every directory that can be written can be read.
        match fs::File::open(above).and_then(|above| above.sync_all()) {
            Err(error) if !CANNOT.contains(&error.kind()) => return Err(error),
            _ => (),
        }
    }
    Ok(())
}

#[cfg(unix)]
const CANNOT: [io::ErrorKind; 3] =
    [io::ErrorKind::InvalidInput, io::ErrorKind::Unsupported, io::ErrorKind::PermissionDenied];

async fn download_by(
    file: &File,
    path: &Path,
    part: PathBuf,
    options: &TransferOptions,
) -> Result<Summary, Error> {
    let opened = file.opened();
    let subject = Subject {
        remote: file.name().to_owned(),
        size: opened.size,
        written: opened.times.last_write.0,
        created: opened.times.creation.0,
    };
    let keeper = Keeper::beside(&part, subject);
    let prefix = match keeper.find().await.filter(|_| options.resume) {
        Some(mark) => Prefix::check(&part, mark).await.unwrap_or_else(Prefix::empty),
        None => Prefix::empty(),
    };
    let resumed_at = prefix.len;
    let (opening, len) = (part.clone(), prefix.len);
    let local = blocking(move || {
        let local = fs::OpenOptions::new().write(true).create(true).truncate(false).open(opening)?;
        local.set_len(len)?;
        Ok(local)
    });
    let local = local.await.map_err(|error| sink_error(0, error))?;
    let sink = Arc::new(FileSink::new(local));
    let resumed = options.resume.then_some((prefix, &keeper));
    let mut done = download_from(file, sink, options, resumed).await?;
    done.resumed_at = resumed_at;
    if let (Some(expected), Verify::Readback) = (done.digest, options.verify) {
        let mark = Mark { offset: done.bytes, digest: expected };
        if Prefix::check(&part, mark).await.is_none() {
            return Err(TransferError::Differs("the digest of what was read back from the local file").into());
        }
        done.level = Level::Readback;
    }
    let path = path.to_owned();
    blocking(move || settle(&part, &path)).await.map_err(|error| sink_error(done.bytes, error))?;
    keeper.forget().await;
    Ok(done)
}

/// Uploads the local file `path` to `remote` on `tree`, over what is there, makes it durable and checks it.
///
/// With [`TransferOptions::resume`] a checkpoint is kept beside the local file from time to time, and an upload that was
/// interrupted goes on from there, if the local file is still the same (size, time, and the digest of what was sent) and the
/// remote one is (time of creation, and what it has in front of the checkpoint, of which the last MiB is read).
///
/// On failure, or when its future is dropped, the remote file is incomplete, and stays.
pub async fn upload_file(
    path: &Path,
    tree: &Tree,
    remote: &str,
    options: &TransferOptions,
) -> Result<Summary, Error> {
    let opening = path.to_owned();
    let opened = blocking(move || {
        let file = fs::File::open(opening)?;
        let metadata = file.metadata()?;
        Ok((file, metadata))
    });
    let (local, metadata) = opened.await.map_err(|error| source_error(0, error))?;
    if metadata.is_file() && metadata.len() <= u64::from(SMALL) && options.verify == Verify::Size {
        return upload_small(local, tree, remote, options).await;
    }
    if !options.resume || !metadata.is_file() {
        let file = open_remote(tree, remote, CreateDisposition::OVERWRITE_IF, options).await?;
        let mut source = FileSource::new(local).map_err(|error| source_error(0, error))?;
        let done = upload_from(&file, &mut source, options, None).await?;
        file.close().await?;
        return Ok(done);
    }
    let file = open_remote(tree, remote, CreateDisposition::OPEN_IF, options).await?;
    let since = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let subject = Subject {
        remote: file.name().to_owned(),
        size: metadata.len(),
        written: since.map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)),
        created: file.opened().times.creation.0,
    };
    let keeper = Keeper::beside(path, subject);
    let (local, prefix) = match keeper.find().await {
        Some(mark) => checked(local, path, &file, mark).await?,
        None => (local, Prefix::empty()),
    };
    let resumed_at = prefix.len;
    let mut source = FileSource::new(local).map_err(|error| source_error(resumed_at, error))?;
    let mut done = upload_from(&file, &mut source, options, Some((prefix, &keeper))).await?;
    done.resumed_at = resumed_at;
    file.close().await?;
    keeper.forget().await;
    Ok(done)
}

/// One round trip.
async fn upload_small(
    mut local: fs::File,
    tree: &Tree,
    remote: &str,
    options: &TransferOptions,
) -> Result<Summary, Error> {
    let started = Instant::now();
    let read = blocking(move || {
        let mut data = Vec::new();
        local.read_to_end(&mut data).map(|_| data)
    });
    let data = read.await.map_err(|error| source_error(0, error))?;
    let bytes = u64::try_from(data.len()).unwrap_or(u64::MAX);
    options.progress.begin(Some(bytes));
    if let Some(limit) = &options.limit {
        limit.pass(data.len()).await;
    }
    if data.is_empty() {
        // That there is nothing any more is to be durable, too.
        let file = tree.create(remote).await?;
        file.flush().await?;
        file.close().await?;
    } else {
        tree.write(remote, data).await?;
    }
    options.progress.reached(bytes);
    Ok(Summary {
        bytes,
        resumed_at: 0,
        level: Level::SizeIntegrity,
        elapsed: started.elapsed(),
        digest: None,
    })
}

/// Downloads the file `remote` of `tree` to `path`, as [`download_to`] does, but by another name until it is complete; a small
/// one in one round trip.
pub(super) async fn download_file(
    tree: &Tree,
    remote: &str,
    path: &Path,
    options: &TransferOptions,
) -> Result<Summary, Error> {
    let started = Instant::now();
    let (file, first) = tree.open_and_read(remote).await?;
    let bytes = u64::try_from(first.len()).unwrap_or(u64::MAX);
    if bytes != file.opened().size || bytes >= u64::from(SMALL) || options.verify != Verify::Size {
        let done = download_by(&file, path, part_in_tree(path), options).await?;
        file.close().await?;
        return Ok(done);
    }
    options.progress.begin(Some(bytes));
    if let Some(limit) = &options.limit {
        limit.pass(first.len()).await;
    }
    let (part, path) = (part_in_tree(path), path.to_owned());
    let keep = blocking(move || {
        let mut local = fs::File::create(&part)?;
        local.write_all(&first)?;
        local.sync_all()?;
        settle(&part, &path)
    });
    keep.await.map_err(|error| sink_error(0, error))?;
    options.progress.reached(bytes);
    Ok(Summary {
        bytes,
        resumed_at: 0,
        level: Level::SizeIntegrity,
        elapsed: started.elapsed(),
        digest: None,
    })
}

async fn open_remote(
    tree: &Tree,
    remote: &str,
    disposition: CreateDisposition,
    options: &TransferOptions,
) -> Result<File, Error> {
    let reads = options.resume || options.verify == Verify::Readback;
    let open = if reads { OpenOptions::write_and_read() } else { OpenOptions::write() };
    open.disposition(disposition).open(tree, remote).await
}

/// The local file, positioned behind what needs not be sent again.
async fn checked(local: fs::File, path: &Path, file: &File, mark: Mark) -> Result<(fs::File, Prefix), Error> {
    let Some(prefix) = Prefix::check(path, mark).await else { return Ok((local, Prefix::empty())) };
    let start = mark.offset.saturating_sub(TAIL);
    let len = usize::try_from(mark.offset.saturating_sub(start)).unwrap_or(usize::MAX);
    let remote = file.read_at(start, len).await?;
    let read = blocking(move || tail(local, start, len));
    let (mut local, ours) = read.await.map_err(|error| source_error(start, error))?;
    let same = ours == remote.as_ref() && remote.len() == len;
    let (at, prefix) = if same { (mark.offset, prefix) } else { (0, Prefix::empty()) };
    let seek = blocking(move || local.seek(SeekFrom::Start(at)).map(|_| local));
    Ok((seek.await.map_err(|error| source_error(at, error))?, prefix))
}

fn tail(mut local: fs::File, start: u64, len: usize) -> io::Result<(fs::File, Vec<u8>)> {
    let mut bytes = vec![0; len];
    local.seek(SeekFrom::Start(start))?;
    local.read_exact(&mut bytes)?;
    Ok((local, bytes))
}

fn source_error(offset: u64, error: io::Error) -> Error {
    TransferError::Source { offset, error: Arc::new(error) }.into()
}
