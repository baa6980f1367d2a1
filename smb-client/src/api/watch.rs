//! Changes in a directory, as they happen — [MS-SMB2] 2.2.35, 3.2.4.18.

use crate::{
    api::{File, OpenOptions, Tree},
    driver::request::Request,
    error::Error,
};
use smb_proto::{
    fscc::notify::{self, NotifyAction, NotifyRecord},
    msg::{Access, ChangeNotifyRequest, ChangeNotifyResponse, CreateOptions, NotifyFilter},
    status::NtStatus,
};
use std::{collections::VecDeque, fmt, pin::Pin};

/// The most bytes of records that are asked for; servers keep as many for a watcher that is slow.
const ROOM: u32 = 64 * 1024;

/// Something that happened below a watched directory. Paths begin there, with `/` between their components.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// A file or directory has come.
    Added(String),
    /// One has gone.
    Removed(String),
    /// Data, times, attributes or the like of one have changed.
    Modified(String),
    /// One has another name.
    Renamed {
        /// The name before.
        from: String,
        /// The name now.
        to: String,
    },
    /// Something that has no name here, as the server calls it.
    Other(NotifyAction, String),
    /// More has happened than the server could keep: list the directory again.
    Overflow,
}

type Waiting = Pin<Box<dyn Future<Output = Result<Vec<Change>, Error>> + Send>>;

/// The changes below a directory, from [`Tree::watch`]; ends when it is dropped.
pub struct Watch {
    file: File,
    filter: NotifyFilter,
    recursive: bool,
    waiting: Option<Waiting>,
    ready: VecDeque<Change>,
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Tree {
    /// Watches the directory at `path`, with `recursive` all below it too, for the changes in `filter`. What happens from
    /// the first [`next`](Watch::next) on is told, between two calls as well.
    pub async fn watch(&self, path: &str, filter: NotifyFilter, recursive: bool) -> Result<Watch, Error> {
        let open = OpenOptions::metadata()
            .access(Access::READ_DATA | Access::READ_ATTRIBUTES | Access::SYNCHRONIZE)
            .options(CreateOptions::DIRECTORY_FILE);
        let file = open.open(self, path).await?;
        Ok(Watch { file, filter, recursive, waiting: None, ready: VecDeque::new() })
    }
}

impl Watch {
    /// The next change; waits as long as it takes, and the server's word is that of a live one: a connection that breaks
    /// meanwhile is an error. After an error watch anew.
    ///
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Result<Change, Error> {
        loop {
            if let Some(change) = self.ready.pop_front() {
                return Ok(change);
            }
            let (file, filter, recursive) = (&self.file, self.filter, self.recursive);
            let waiting = self.waiting.get_or_insert_with(|| Box::pin(ask(file.clone(), filter, recursive)));
            let changes = waiting.as_mut().await;
            self.waiting = None;
            self.ready.extend(changes?);
        }
    }
}

async fn ask(file: File, filter: NotifyFilter, watch_tree: bool) -> Result<Vec<Change>, Error> {
    let request = ChangeNotifyRequest { watch_tree, output_len: ROOM, file_id: file.id(), filter };
    let reply = file.ask(Request::new(&request, file.tree_id()).charged(0, ROOM)).await?;
    if reply.status() == NtStatus::NOTIFY_ENUM_DIR {
        return Ok(vec![Change::Overflow]);
    }
    let output = reply.parse::<ChangeNotifyResponse>()?.output;
    let records = notify::records(&output).collect::<Result<Vec<_>, _>>()?;
    // An answer without records says the same.
    Ok(if records.is_empty() { vec![Change::Overflow] } else { changes(&records) })
}

/// Joins the two halves of a rename, which come one after the other.
fn changes(records: &[NotifyRecord]) -> Vec<Change> {
    let mut all = Vec::with_capacity(records.len());
    let mut from: Option<String> = None;
    for record in records {
        let name = record.name.as_str().replace('\\', "/");
        if record.action == NotifyAction::RENAMED_NEW_NAME
            && let Some(from) = from.take()
        {
            all.push(Change::Renamed { from, to: name });
            continue;
        }
        all.extend(from.take().map(Change::Removed));
        match record.action {
            NotifyAction::RENAMED_OLD_NAME => from = Some(name),
            NotifyAction::ADDED | NotifyAction::RENAMED_NEW_NAME => all.push(Change::Added(name)),
            NotifyAction::REMOVED | NotifyAction::REMOVED_BY_DELETE => all.push(Change::Removed(name)),
            NotifyAction::MODIFIED => all.push(Change::Modified(name)),
            other => all.push(Change::Other(other, name)),
        }
    }
    all.extend(from.map(Change::Removed));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use smb_proto::fscc::WideName;

    #[test]
    fn halves_of_a_rename_become_one() {
        let record = |action, name: &str| NotifyRecord {
            action,
            name: WideName::from_units(name.encode_utf16().collect()),
        };
        let records = [
            record(NotifyAction::ADDED, "d\\new"),
            record(NotifyAction::RENAMED_OLD_NAME, "a"),
            record(NotifyAction::RENAMED_NEW_NAME, "d\\b"),
            record(NotifyAction::RENAMED_OLD_NAME, "moved out"),
            record(NotifyAction::MODIFIED, "c"),
            record(NotifyAction::RENAMED_NEW_NAME, "moved in"),
            record(NotifyAction::RENAMED_OLD_NAME, "last"),
        ];
        let wanted = [
            Change::Added("d/new".into()),
            Change::Renamed { from: "a".into(), to: "d/b".into() },
            Change::Removed("moved out".into()),
            Change::Modified("c".into()),
            Change::Added("moved in".into()),
            Change::Removed("last".into()),
        ];
        assert_eq!(changes(&records), wanted);
    }
}
