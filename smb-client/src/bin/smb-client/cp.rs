//! cp.

use crate::{
    args::{Common, VerifyMode},
    copy::{incomplete, inside},
    report::{Bar, Extra, Failure, summary, tree_summary},
    url::Url,
};
use smb_client::{
    CopyWay, Error, OpenOptions, Session, Tree, is_same_path,
    transfer::{Level, Summary, copy_file, copy_tree},
};
use std::time::Instant;

pub async fn cp(common: &Common, from: &Url, to: &Url, recursive: bool) -> Result<(), Failure> {
    common.refuse_resume("is for get and put")?;
    if matches!(common.verify, VerifyMode::Readback) {
        return Err(Failure::Usage("--verify readback is for get and put".to_owned()));
    }
    let (session, source) = common.tree(from).await?;
    let (second, target) = target(common, &session, &source, from, to).await?;
    let to = &inside(&target, to, from.name()).await?;
    let bar = Bar::new(common);
    let options = common.transfer(&bar.progress);
    if recursive {
        let outcome = copy_tree(&source, &from.path, &target, &to.path, &options).await;
        drop(bar);
        tree_summary(common, "cp", &from.to_string(), &outcome.map_err(|error| incomplete(error, to))?);
    } else {
        if from.is_same_share(to) && is_same_path(&from.path, &to.path).map_err(Error::from)? {
            return Err(Failure::Usage("source and target are the same file".to_owned()));
        }
        let started = Instant::now();
        let file = source.open_to_copy(&from.path).await?;
        let copy = OpenOptions::write_and_read().open(&target, &to.path).await?;
        let outcome = copy_file(&file, &copy, &options).await;
        drop(bar);
        let copied = outcome.map_err(|error| incomplete(error, to))?;
        copy.close().await?;
        let way = match copied.way {
            CopyWay::Server => "server",
            CopyWay::Client(status) => {
                note(common, status);
                "client"
            }
        };
        let done = Summary::of(copied.bytes, Level::SizeIntegrity, started.elapsed());
        summary(common, "cp", &from.to_string(), &done, Extra::Way(way));
    }
    for session in [Some(session), second].into_iter().flatten() {
        session.log_off().await;
    }
    Ok(())
}

fn note(common: &Common, status: smb_proto::status::NtStatus) {
    if !common.quiet && !common.json {
        eprintln!("smb-client: the server does not copy here ({status}): read and written from here");
    }
}

/// The share to copy to, over the same session where it is on the same server for the same user; else another.
async fn target(
    common: &Common,
    session: &Session,
    source: &Tree,
    from: &Url,
    to: &Url,
) -> Result<(Option<Session>, Tree), Failure> {
    if from.is_same_share(to) {
        return Ok((None, source.clone()));
    }
    if from.is_same_server(to) {
        return Ok((None, session.tree(&to.share).await?));
    }
    let (session, tree) = common.tree(to).await?;
    Ok((Some(session), tree))
}
