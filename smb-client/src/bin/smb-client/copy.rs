//! get and put.

use crate::{
    args::{Common, VerifyMode},
    report::{Bar, Failure, summary},
    url::Url,
};
use smb_client::{
    File, OpenOptions,
    transfer::{
        FileSink, FileSource, Level, ReaderSource, Source, Summary, WriterSink, download, download_at, upload,
    },
};
use smb_proto::msg::{Access, CreateDisposition};
use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};

pub async fn put(common: &Common, file: &Path, url: &Url) -> Result<(), Failure> {
    let mut source = source(file)?;
    let (session, tree) = common.tree(url).await?;
    let mut options = OpenOptions::write();
    if matches!(common.verify, VerifyMode::Readback) {
        options = OpenOptions::read_write().disposition(CreateDisposition::OVERWRITE_IF);
    }
    let remote = options.open(&tree, &url.path).await?;
    let bar = Bar::new(common);
    let outcome = upload(&remote, source.as_mut(), &common.transfer(&bar.progress)).await;
    drop(bar);
    let done = match outcome {
        Ok(done) => done,
        Err(error) => return Err(Failure::from(error).leaving(format!("{url} is incomplete"))),
    };
    remote.close().await?;
    summary(common, "put", &url.to_string(), &done, false);
    session.log_off().await;
    Ok(())
}

/// A local file, or standard input for `-`.
pub fn source(file: &Path) -> Result<Box<dyn Source>, Failure> {
    if is_stdio(file) {
        return Ok(Box::new(ReaderSource::new(tokio::io::stdin(), None)));
    }
    let opened = fs::File::open(file).and_then(FileSource::new);
    Ok(Box::new(opened.map_err(|error| Failure::Local(file.to_owned(), error))?))
}

fn is_stdio(file: &Path) -> bool {
    file.as_os_str() == "-"
}

pub async fn get(common: &Common, url: &Url, file: &Path) -> Result<(), Failure> {
    let into = into_directory(file, url);
    let file = into.as_deref().unwrap_or(file);
    let (session, tree) = common.tree(url).await?;
    let access = Access::READ_DATA | Access::READ_ATTRIBUTES | Access::SYNCHRONIZE;
    let remote = OpenOptions::read().access(access).open(&tree, &url.path).await?;
    let bar = Bar::new(common);
    let done = if is_stdio(file) || is_special(file) {
        to_stream(common, &remote, file, &bar).await
    } else {
        to_file(common, &remote, file, &bar).await
    }?;
    drop(bar);
    remote.close().await?;
    summary(common, "get", &url.to_string(), &done, is_stdio(file));
    session.log_off().await;
    Ok(())
}

/// Where the file goes if `file` is a directory: into it, by its own name.
fn into_directory(file: &Path, url: &Url) -> Option<PathBuf> {
    let name = url.path.rsplit(['/', '\\']).find(|name| !name.is_empty() && *name != "..")?;
    file.is_dir().then(|| file.join(name))
}

/// A device or a pipe: written as it is, in order.
fn is_special(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir())
}

async fn to_stream(common: &Common, remote: &File, file: &Path, bar: &Bar) -> Result<Summary, Failure> {
    if matches!(common.verify, VerifyMode::Readback) {
        return Err(Failure::Usage("--verify readback needs a file that can be read again".to_owned()));
    }
    let options = common.transfer(&bar.progress);
    if is_stdio(file) {
        return Ok(download(remote, &mut WriterSink(tokio::io::stdout()), &options).await?);
    }
    let local = tokio::fs::OpenOptions::new().write(true).open(file).await;
    let local = local.map_err(|error| Failure::Local(file.to_owned(), error))?;
    Ok(download(remote, &mut WriterSink(local), &options).await?)
}

async fn to_file(common: &Common, remote: &File, file: &Path, bar: &Bar) -> Result<Summary, Failure> {
    let part = part_of(file);
    let local_error = |path: &Path| {
        let path = path.to_owned();
        move |error| Failure::Local(path, error)
    };
    let local = fs::File::create(&part).map_err(local_error(&part))?;
    let outcome = fetch(common, remote, local, &part, bar).await;
    let done = outcome.map_err(|failure| failure.leaving(format!("{} is incomplete", part.display())))?;
    fs::rename(&part, file).map_err(local_error(file))?;
    Ok(done)
}

async fn fetch(
    common: &Common,
    remote: &File,
    local: fs::File,
    part: &Path,
    bar: &Bar,
) -> Result<Summary, Failure> {
    let options = common.transfer(&bar.progress);
    let mut done = download_at(remote, Arc::new(FileSink::new(local)), &options).await?;
    if let Some(expected) = done.digest {
        let path = part.to_owned();
        let found = tokio::task::spawn_blocking(move || digest(&path)).await;
        let found = found.map_err(std::io::Error::other).and_then(|found| found);
        if found.map_err(|error| Failure::Local(part.to_owned(), error))? != expected {
            return Err(Failure::Local(
                part.to_owned(),
                std::io::Error::other("differs from what was received"),
            ));
        }
        done.level = Level::Readback;
    }
    Ok(done)
}

fn part_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

fn digest(path: &Path) -> std::io::Result<[u8; 32]> {
    let mut file = fs::File::open(path)?;
    let mut hasher = blake3::Hasher::new();
    let mut buf = vec![0; 1 << 20];
    loop {
        match file.read(&mut buf)? {
            0 => return Ok(*hasher.finalize().as_bytes()),
            read => hasher.update(buf.get(..read).unwrap_or(&[])),
        };
    }
}
