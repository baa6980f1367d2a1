//! Looking and tidying: ls, stat, mkdir, rm, mv.

use crate::{
    args::Common,
    report::{Failure, done, printable},
    units,
    url::Url,
};
use serde_json::{Value, json};
use smb_client::{Error, Metadata, Tree};
use smb_proto::{
    rpc::srvsvc::{ShareInfo, ShareKind},
    status::NtStatus,
};
use std::time::{SystemTime, UNIX_EPOCH};

pub async fn ls(common: &Common, url: &Url) -> Result<(), Failure> {
    common.refuse_resume("is for get and put")?;
    let (session, tree) = common.tree(url).await?;
    let (directory, pattern) = match url.path.rsplit_once(['/', '\\']).unwrap_or(("", url.path.as_str())) {
        (directory, pattern) if pattern.contains(['*', '?']) => (directory, pattern),
        _ => (url.path.as_str(), "*"),
    };
    let entries = match tree.read_dir_matching(directory, pattern).await {
        Ok(directory) => {
            let entries = directory.collect().await?.into_iter();
            entries.map(|entry| (entry.name, entry.metadata)).collect()
        }
        Err(error) if error.status() == Some(NtStatus::NOT_A_DIRECTORY) => {
            vec![(url.name().unwrap_or_default().to_owned(), tree.metadata(&url.path).await?)]
        }
        Err(error) => return Err(error.into()),
    };
    if common.json {
        let list: Vec<Value> = entries.iter().map(|(name, metadata)| describe(name, metadata)).collect();
        println!("{}", Value::from(list));
    } else {
        entries.iter().for_each(|(name, metadata)| show(name, metadata));
    }
    session.log_off().await;
    Ok(())
}

fn show(name: &str, metadata: &Metadata) {
    let kind = match metadata {
        metadata if metadata.is_reparse_point() => 'l',
        metadata if metadata.is_dir() => 'd',
        _ => '-',
    };
    let slash = if metadata.is_dir() { "/" } else { "" };
    let time = metadata.modified().map_or_else(|| "-".to_owned(), date);
    println!("{kind} {:>14}  {time}  {}{slash}", metadata.size, printable(name));
}

pub async fn stat(common: &Common, url: &Url) -> Result<(), Failure> {
    common.refuse_resume("is for get and put")?;
    let (session, tree) = common.tree(url).await?;
    let metadata = match tree.metadata(&url.path).await {
        Err(error) if error.status() == Some(NtStatus::STOPPED_ON_SYMLINK) => {
            tree.symlink_metadata(&url.path).await?
        }
        outcome => outcome?,
    };
    // Not every server says how much room there is.
    let space = tree.space().await.ok();
    let shown = |time: Option<SystemTime>| time.map_or_else(|| "-".to_owned(), date);
    if common.json {
        let mut value = describe(&url.path, &metadata);
        if let (Some(value), Some(space)) = (value.as_object_mut(), space) {
            let share = json!({ "total": space.total, "free": space.free, "available": space.available });
            value.insert("share".into(), share);
        }
        println!("{value}");
    } else {
        println!("name:       {}", printable(&url.path));
        println!("size:       {} ({})", metadata.size, units::show(metadata.size));
        println!("allocated:  {}", metadata.allocated);
        println!("attributes: {:?}", metadata.attributes);
        println!("modified:   {}", shown(metadata.modified()));
        println!("accessed:   {}", shown(metadata.accessed()));
        println!("created:    {}", shown(metadata.created()));
        if let Some(space) = space {
            let (total, available) = (units::show(space.total), units::show(space.available));
            println!("share:      {available} of {total} available");
        }
    }
    session.log_off().await;
    Ok(())
}

fn describe(name: &str, metadata: &Metadata) -> Value {
    let seconds = |time: Option<SystemTime>| {
        time.and_then(|time| time.duration_since(UNIX_EPOCH).ok()).map(|since| since.as_secs())
    };
    json!({
        "name": name, "size": metadata.size, "allocated": metadata.allocated, "directory": metadata.is_dir(),
        "reparse_point": metadata.is_reparse_point(), "attributes": metadata.attributes.0,
        "modified": seconds(metadata.modified()), "created": seconds(metadata.created()),
        "accessed": seconds(metadata.accessed()),
    })
}

pub async fn shares(common: &Common, url: &Url) -> Result<(), Failure> {
    common.refuse_resume("is for get and put")?;
    let session = common.session(url).await?;
    let shares = session.shares().await?;
    let kind = |share: &ShareInfo| match share.kind.base() {
        ShareKind::PRINT_QUEUE => "printer",
        ShareKind::DEVICE => "device",
        ShareKind::IPC => "ipc",
        _ => "disk",
    };
    let hidden = |share: &ShareInfo| share.kind.contains(ShareKind::SPECIAL) || share.name.ends_with('$');
    if common.json {
        let list = shares.iter().map(|share| {
            json!({
                "name": share.name, "type": kind(share), "hidden": hidden(share),
                "comment": share.comment.as_deref().unwrap_or_default(),
            })
        });
        println!("{}", Value::from_iter(list));
    } else {
        for share in &shares {
            let comment = share.comment.as_deref().unwrap_or_default();
            println!("{:<8} {:<24} {}", kind(share), printable(&share.name), printable(comment));
        }
    }
    session.log_off().await;
    Ok(())
}

/// `2026-01-31 23:59:59`, UTC.
fn date(time: std::time::SystemTime) -> String {
    let Ok(since) = time.duration_since(UNIX_EPOCH) else { return "before 1970".to_owned() };
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

/// Year, month and day of a day since 1970: the Gregorian calendar repeats every 146,097 days, and its years begin in
/// March here, so that the leap day is their last.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days.saturating_add(719_468);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + carry, month, day)
}

pub async fn mkdir(common: &Common, url: &Url, parents: bool) -> Result<(), Failure> {
    common.refuse_resume("is for get and put")?;
    let (session, tree) = common.tree(url).await?;
    if parents {
        tree.create_dir_all(&url.path).await?;
    } else {
        tree.create_dir(&url.path).await?;
    }
    done(common, json!({ "verb": "mkdir", "name": url.to_string() }));
    session.log_off().await;
    Ok(())
}

pub async fn rm(common: &Common, url: &Url, recursive: bool, force: bool) -> Result<(), Failure> {
    common.refuse_resume("is for get and put")?;
    let (session, tree) = common.tree(url).await?;
    let (files, directories) = match remove(&tree, &url.path, recursive).await {
        Err(error) if force && error.is_not_found() => (0, 0),
        outcome => outcome?,
    };
    done(
        common,
        json!({ "verb": "rm", "name": url.to_string(), "files": files, "directories": directories }),
    );
    session.log_off().await;
    Ok(())
}

/// How many files and directories were removed.
async fn remove(tree: &Tree, path: &str, recursive: bool) -> Result<(u64, u64), Error> {
    match tree.remove_file(path).await {
        Err(error) if error.status() == Some(NtStatus::FILE_IS_A_DIRECTORY) => (),
        outcome => return outcome.map(|()| (1, 0)),
    }
    if recursive {
        let removed = tree.remove_dir_all(path).await?;
        return Ok((removed.files, removed.directories));
    }
    tree.remove_dir(path).await.map(|()| (0, 1))
}

pub async fn mv(common: &Common, from: &Url, to: &Url, force: bool) -> Result<(), Failure> {
    common.refuse_resume("is for get and put")?;
    if !from.is_same_share(to) {
        return Err(Failure::Usage("mv works within one share only: use cp and rm".to_owned()));
    }
    let (session, tree) = common.tree(from).await?;
    tree.rename(&from.path, &to.path, force).await?;
    done(common, json!({ "verb": "mv", "name": from.to_string(), "to": to.to_string() }));
    session.log_off().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn dates() {
        let at = |seconds| date(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "1970-01-01 00:00:00");
        assert_eq!(at(951_827_696), "2000-02-29 12:34:56");
        assert_eq!(at(1_709_251_199), "2024-02-29 23:59:59");
        assert_eq!(at(4_102_444_800), "2100-01-01 00:00:00");
    }

    #[test]
    fn names_do_not_steer_the_terminal() {
        assert_eq!(printable("a\x1b[2Jb\r"), "a\u{fffd}[2Jb\u{fffd}");
    }
}
