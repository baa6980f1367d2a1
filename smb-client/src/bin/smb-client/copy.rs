//! get and put.

use crate::{
    args::{Common, VerifyMode},
    report::{Bar, Extra, Failure, summary, tree_summary},
    url::Url,
};
use smb_client::{
    Error, Executed, File, OpenOptions, Tree,
    transfer::{
        BlockingSink, FileSource, ReaderSource, Source, Summary, download, download_to, download_tree,
        part_of, upload, upload_file, upload_tree,
    },
};
use smb_proto::{
    command::Command,
    msg::{Access, CreateDisposition},
};
use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::Arc,
};

pub async fn put(common: &Common, file: &Path, url: &Url, recursive: bool) -> Result<(), Failure> {
    if recursive {
        return put_tree(common, file, url).await;
    }
    if !is_stdio(file) {
        let local = fs::metadata(file).map_err(|error| Failure::Local(file.to_owned(), error))?;
        if local.is_dir() {
            return Err(Failure::Usage(format!("{} is a directory: -r uploads it", file.display())));
        }
        if local.is_file() {
            return put_file(common, file, url).await;
        }
    }
    put_stream(common, file, url).await
}

async fn put_file(common: &Common, file: &Path, url: &Url) -> Result<(), Failure> {
    let (session, tree) = common.tree(url).await?;
    let url = &inside(&tree, url, file.file_name().and_then(|name| name.to_str())).await?;
    let bar = Bar::new(common);
    let outcome = upload_file(file, &tree, &url.path, &common.transfer(&bar.progress)).await;
    drop(bar);
    let done = outcome.map_err(|error| incomplete(error, url))?;
    summary(common, "put", &url.to_string(), &done, Extra::Nothing);
    session.log_off().await;
    Ok(())
}

async fn put_stream(common: &Common, file: &Path, url: &Url) -> Result<(), Failure> {
    common.refuse_resume("needs a regular file on this side")?;
    let mut source = source(file)?;
    let (session, tree) = common.tree(url).await?;
    let mut options = OpenOptions::write();
    if matches!(common.verify, VerifyMode::Readback) {
        options = OpenOptions::write_and_read().disposition(CreateDisposition::OVERWRITE_IF);
    }
    let remote = options.open(&tree, &url.path).await?;
    let bar = Bar::new(common);
    let outcome = upload(&remote, source.as_mut(), &common.transfer(&bar.progress)).await;
    drop(bar);
    let done = outcome.map_err(|error| incomplete(error, url))?;
    remote.close().await?;
    summary(common, "put", &url.to_string(), &done, Extra::Nothing);
    session.log_off().await;
    Ok(())
}

async fn put_tree(common: &Common, from: &Path, url: &Url) -> Result<(), Failure> {
    if !from.is_dir() {
        return Err(Failure::Usage(format!("{} is not a directory: leave -r out", from.display())));
    }
    let (session, tree) = common.tree(url).await?;
    let url = &inside(&tree, url, from.file_name().and_then(|name| name.to_str())).await?;
    let bar = Bar::new(common);
    let outcome = upload_tree(from, &tree, &url.path, &common.transfer(&bar.progress)).await;
    drop(bar);
    let done = outcome.map_err(|error| incomplete(error, url))?;
    tree_summary(common, "put", &url.to_string(), &done);
    session.log_off().await;
    Ok(())
}

/// Tells that a part may be there, unless nothing was begun: all that comes after the target's CREATE may have emptied it.
pub fn incomplete(error: Error, url: &Url) -> Failure {
    let begun = match &error {
        Error::Status(refused) => !matches!(refused.command, Command::CREATE | Command::TREE_CONNECT),
        Error::OpenLost(_) => true,
        error => error.executed() == Executed::Maybe,
    };
    let failure = Failure::from(error);
    if begun { failure.begun(format!("{url} is incomplete")) } else { failure }
}

/// The URL, or `name` in it where it is a directory.
pub async fn inside(tree: &Tree, url: &Url, name: Option<&str>) -> Result<Url, Failure> {
    let Some(name) = name else { return Ok(url.clone()) };
    let ends = url.path.is_empty() || url.path.ends_with(['/', '\\']);
    let is_directory = ends
        || match tree.metadata(&url.path).await {
            Ok(metadata) => metadata.is_dir(),
            Err(error) if error.is_not_found() => false,
            Err(error) => return Err(error.into()),
        };
    Ok(if is_directory { url.below(name) } else { url.clone() })
}

/// A local file, or standard input for `-`.
pub fn source(file: &Path) -> Result<Box<dyn Source>, Failure> {
    if is_stdio(file) {
        return Ok(Box::new(ReaderSource::new(tokio::io::stdin(), None)));
    }
    let opened = fs::File::open(file).map_err(|error| Failure::Local(file.to_owned(), error))?;
    // A pipe has no position, and no size either.
    if !opened.metadata().is_ok_and(|metadata| metadata.is_file()) {
        return Ok(Box::new(ReaderSource::new(tokio::fs::File::from_std(opened), None)));
    }
    let source = FileSource::new(opened).map_err(|error| Failure::Local(file.to_owned(), error))?;
    Ok(Box::new(source))
}

fn is_stdio(file: &Path) -> bool {
    file.as_os_str() == "-"
}

pub async fn get(common: &Common, url: &Url, file: &Path, recursive: bool) -> Result<(), Failure> {
    if recursive {
        return get_tree(common, url, file).await;
    }
    fetch(common, "get", url, file).await
}

/// Downloads one file.
pub async fn fetch(common: &Common, verb: &str, url: &Url, file: &Path) -> Result<(), Failure> {
    let into = into_directory(file, url);
    let file = into.as_deref().unwrap_or(file);
    let as_stream = is_stdio(file) || is_special(file);
    if as_stream {
        common.refuse_resume("needs a regular file on this side")?;
    }
    let (session, tree) = common.tree(url).await?;
    let access = Access::READ_DATA | Access::READ_ATTRIBUTES | Access::SYNCHRONIZE;
    let remote = OpenOptions::read().access(access).open(&tree, &url.path).await?;
    let bar = Bar::new(common);
    let done = if as_stream {
        to_stream(common, &remote, file, &bar).await?
    } else {
        let done = download_to(&remote, file, &common.transfer(&bar.progress)).await;
        let left = || format!("{} is incomplete", part_of(file).display());
        done.map_err(|error| Failure::from(error).leaving(left()))?
    };
    drop(bar);
    remote.close().await?;
    let extra = if is_stdio(file) { Extra::DataOnStdout } else { Extra::Nothing };
    summary(common, verb, &url.to_string(), &done, extra);
    session.log_off().await;
    Ok(())
}

async fn get_tree(common: &Common, url: &Url, into: &Path) -> Result<(), Failure> {
    if is_stdio(into) {
        return Err(Failure::Usage("-r needs a directory to download into".to_owned()));
    }
    // Into a directory that is there by its own name, as `cp -r` does it.
    let target = into_directory(into, url);
    let target = target.as_deref().unwrap_or(into);
    let (session, tree) = common.tree(url).await?;
    let bar = Bar::new(common);
    let done = download_tree(&tree, &url.path, target, &common.transfer(&bar.progress)).await;
    drop(bar);
    let left = || format!("{} is incomplete", target.display());
    let done = done.map_err(|error| Failure::from(error).leaving(left()))?;
    tree_summary(common, "get", &url.to_string(), &done);
    session.log_off().await;
    Ok(())
}

/// Where the file goes if `file` is a directory: into it, by its own name.
fn into_directory(file: &Path, url: &Url) -> Option<PathBuf> {
    let name = url.name()?;
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
    let failed = |error| Failure::Local(file.to_owned(), error);
    if is_stdio(file) {
        let done = download(remote, &mut BlockingSink::new(std::io::stdout()), &options).await?;
        #[cfg(unix)]
        {
            let output = std::os::fd::AsFd::as_fd(&std::io::stdout()).try_clone_to_owned().map_err(failed)?;
            durable(&fs::File::from(output)).map_err(failed)?;
        }
        return Ok(done);
    }
    // A pipe may have no reader yet.
    let local = tokio::fs::OpenOptions::new().write(true).open(file).await.map_err(failed)?;
    let local = Arc::new(local.into_std().await);
    let done = download(remote, &mut BlockingSink::new(local.clone()), &options).await?;
    durable(&local).map_err(failed)?;
    Ok(done)
}

/// Makes what was written to a device, or to a file behind standard output, durable. A pipe or a terminal holds nothing.
fn durable(file: &fs::File) -> std::io::Result<()> {
    match file.sync_all() {
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        outcome => outcome,
    }
}
