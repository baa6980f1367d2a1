//! What an open tells those who watch: which of its deeds is which change — [MS-FSA] 2.1.4.1.

use super::{
    lock,
    open::Open,
    watch::{Change, Names, Watcher},
};
use smb_proto::{fscc::notify::NotifyAction, msg::NotifyFilter};
use std::sync::Arc;

/// What a change of a file is called where a named stream of it has changed, and whom it concerns.
fn of_stream(action: NotifyAction) -> (NotifyAction, NotifyFilter) {
    match action {
        NotifyAction::ADDED => (NotifyAction::ADDED_STREAM, NotifyFilter::STREAM_NAME),
        NotifyAction::REMOVED => (NotifyAction::REMOVED_STREAM, NotifyFilter::STREAM_NAME),
        _ => (NotifyAction::MODIFIED_STREAM, NotifyFilter::STREAM_SIZE | NotifyFilter::STREAM_WRITE),
    }
}

impl Open {
    fn names(&self) -> Names {
        let case_sensitive = self.share.backend().capabilities().case_sensitive;
        Names { share: self.share.number(), case_sensitive }
    }

    /// Changes of its name concern who watches for this.
    fn name_filter(&self) -> NotifyFilter {
        if self.directory { NotifyFilter::DIR_NAME } else { NotifyFilter::FILE_NAME }
    }

    /// The file was created.
    pub fn tell_created(&self) {
        self.tell(NotifyAction::ADDED, self.name_filter());
    }

    /// The file was removed.
    pub fn tell_removed(&self) {
        self.tell(NotifyAction::REMOVED, self.name_filter());
    }

    /// Something in or about the file has changed.
    pub fn tell_modified(&self, filter: NotifyFilter) {
        if filter != NotifyFilter::NONE {
            self.tell(NotifyAction::MODIFIED, filter);
        }
    }

    fn tell(&self, action: NotifyAction, filter: NotifyFilter) {
        if self.watches.idle() {
            return;
        }
        let mut path = self.path();
        let (mut action, mut filter) = (action, filter);
        if let (Some(stream), Some(name)) = (self.stream(), path.last_mut()) {
            name.push(':');
            name.push_str(&stream);
            (action, filter) = of_stream(action);
        }
        let change = Change { path: &path, action, filter, unless: NotifyFilter::NONE };
        self.watches.report(self.names(), &[change]);
    }

    /// The file was called `from` until now. Whoever watches attributes only hears of a renamed file as of a changed
    /// one, as from Windows.
    pub fn tell_renamed(&self, from: &[String]) {
        if self.watches.idle() {
            return;
        }
        let (to, names, filter) = (self.path(), self.names(), self.name_filter());
        let unless = NotifyFilter::NONE;
        let same_directory = from.split_last().map(|(_, parent)| parent) == to.split_last().map(|(_, p)| p);
        let (old, new) = if same_directory {
            (NotifyAction::RENAMED_OLD_NAME, NotifyAction::RENAMED_NEW_NAME)
        } else {
            (NotifyAction::REMOVED, NotifyAction::ADDED)
        };
        let mut changes = vec![
            Change { path: from, action: old, filter, unless },
            Change { path: &to, action: new, filter, unless },
        ];
        if self.directory {
            self.watches.moved(names, from, &to);
        } else {
            let about = NotifyFilter::ATTRIBUTES.with(NotifyFilter::CREATION);
            changes.push(Change { path: &to, action: NotifyAction::MODIFIED, filter: about, unless: filter });
        }
        self.watches.report(names, &changes);
    }

    /// The directory goes once it is closed: nobody need watch it any more.
    pub fn tell_doomed(&self) {
        if self.directory && !self.watches.idle() {
            self.watches.doom(self.names(), &self.path());
        }
    }

    /// The open's watch on its directory, begun by its first request; true says that it was.
    pub fn watch(&self, filter: NotifyFilter, tree: bool, room: usize) -> (Arc<Watcher>, bool) {
        let mut watcher = lock(&self.watcher);
        if let Some(watcher) = watcher.as_ref() {
            return (watcher.clone(), false);
        }
        let new = Arc::new(self.watches.watch(self.names(), &self.path(), filter, tree, room));
        (watcher.insert(new).clone(), true)
    }

    /// The open is closed.
    pub fn end_watch(&self) {
        if let Some(watcher) = lock(&self.watcher).take() {
            watcher.end();
        }
    }
}
