//! CHANGE_NOTIFY — [MS-SMB2] 3.3.5.19.

use crate::{
    core::{open::Open, watch::Watcher},
    driver::{Answer, Outcome, Request, poll_once},
};
use smb_proto::{
    msg::{Access, ChangeNotifyRequest, ChangeNotifyResponse},
    status::NtStatus,
};
use std::{pin::pin, sync::Arc};

/// Waits for changes in a directory.
pub(crate) async fn handle(request: &Request) -> Outcome {
    let notify: ChangeNotifyRequest = request.parse()?;
    if notify.output_len > request.conn.agreed()?.max_transact {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    request.covers(0, notify.output_len)?;
    let open = request.open(notify.file_id)?;
    if !open.directory {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    // FILE_LIST_DIRECTORY is the same bit.
    open.require(Access::READ_DATA)?;
    let limit = usize::try_from(notify.output_len).map_err(|_| NtStatus::INVALID_PARAMETER)?;
    let (watcher, new) = open.watch(notify.filter, notify.watch_tree, limit);
    if new && open.share.backend().capabilities().notifies {
        listen(&open, &watcher, notify.watch_tree);
    }
    let mut next = pin!(watcher.next(limit));
    // What follows in the frame does not wait for it, as on Windows.
    let output = match poll_once(&mut next).await {
        Some(output) => output?,
        None if !request.last => return Err(NtStatus::INTERNAL_ERROR),
        None => next.await?,
    };
    Ok(Answer::of(&ChangeNotifyResponse { output }).on(open.id))
}

/// Lets the storage tell of what changes beside the server.
fn listen(open: &Open, watcher: &Arc<Watcher>, tree: bool) {
    watcher.expect_echoes(true);
    let told = Arc::downgrade(watcher);
    let report = Arc::new(move |changes: Vec<_>| {
        if let Some(watcher) = told.upgrade() {
            watcher.beside(&changes);
        }
    });
    let (handle, watcher) = (open.handle.clone(), watcher.clone());
    // The first request does not wait for it.
    tokio::spawn(async move {
        match handle.watch(tree, report).await {
            Ok(source) => watcher.keep(source),
            Err(status) => {
                tracing::info!(%status, "changes beside the server are not told");
                watcher.expect_echoes(false);
            }
        }
    });
}
