use super::*;
use std::pin::pin;

const NAMES: Names = Names { share: 1, case_sensitive: false };
const NAME: NotifyFilter = NotifyFilter(NotifyFilter::FILE_NAME.0 | NotifyFilter::DIR_NAME.0);
const ROOM: usize = 1000;

fn path(text: &str) -> Vec<String> {
    text.split('\\').filter(|name| !name.is_empty()).map(Into::into).collect()
}

struct Hub(Arc<Watches>);

impl Hub {
    fn new() -> Self {
        Self(Arc::new(Watches::new(Arc::new(|| Duration::ZERO))))
    }

    fn watch(&self, at: &str, tree: bool) -> Arc<Watcher> {
        Arc::new(self.0.watch(NAMES, &path(at), NAME, tree, ROOM))
    }

    fn added(&self, at: &str) {
        self.report(at, NotifyAction::ADDED, NotifyFilter::FILE_NAME);
    }

    fn report(&self, at: &str, action: NotifyAction, filter: NotifyFilter) {
        let path = path(at);
        self.0.report(NAMES, &[Change { path: &path, action, filter, unless: NotifyFilter::NONE }]);
    }
}

fn poll(next: &mut Pin<&mut Next>) -> Poll<Result<Vec<u8>, NtStatus>> {
    next.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

fn names(output: Poll<Result<Vec<u8>, NtStatus>>) -> Vec<String> {
    let Poll::Ready(Ok(bytes)) = output else { panic!("{output:?}") };
    notify::records(&bytes).map(|record| record.unwrap().name.to_string()).collect()
}

#[test]
fn who_hears_of_what() {
    let hub = Hub::new();
    let (near, far) = (hub.watch("a", false), hub.watch("", true));
    hub.added("A\\x");
    hub.added("a\\b\\y");
    hub.added("z\\y");
    hub.report("a\\x", NotifyAction::MODIFIED, NotifyFilter::SIZE);
    assert_eq!(names(poll(&mut pin!(near.next(ROOM)))), ["x"]);
    assert_eq!(names(poll(&mut pin!(far.next(ROOM)))), ["A\\x", "a\\b\\y", "z\\y"]);
    assert!(poll(&mut pin!(near.next(ROOM))).is_pending());
}

#[test]
fn several_wait_in_turn_and_who_gives_up_loses_nothing() {
    let hub = Hub::new();
    let watcher = hub.watch("", false);
    let mut first = Box::pin(watcher.next(ROOM));
    let mut second = pin!(watcher.next(ROOM));
    assert!(poll(&mut first.as_mut()).is_pending() && poll(&mut second).is_pending());
    hub.added("x");
    assert!(poll(&mut second).is_pending(), "not its turn");
    drop(first);
    assert_eq!(names(poll(&mut second)), ["x"]);
}

#[test]
fn more_than_there_is_room_for() {
    let hub = Hub::new();
    let watcher = hub.watch("", false);
    for number in 0..100 {
        hub.added(&format!("file {number}"));
    }
    assert_eq!(poll(&mut pin!(watcher.next(ROOM))), Poll::Ready(Err(NtStatus::NOTIFY_ENUM_DIR)));
    hub.added("x");
    assert_eq!(poll(&mut pin!(watcher.next(4))), Poll::Ready(Err(NtStatus::NOTIFY_ENUM_DIR)));
    hub.added("x");
    assert_eq!(names(poll(&mut pin!(watcher.next(ROOM)))), ["x"]);
}

#[test]
fn the_same_modification_is_told_once() {
    let hub = Hub::new();
    let watcher = Arc::new(hub.0.watch(NAMES, &[], NotifyFilter::SIZE, false, ROOM));
    for _ in 0..100 {
        hub.report("x", NotifyAction::MODIFIED, NotifyFilter::SIZE);
    }
    assert_eq!(names(poll(&mut pin!(watcher.next(ROOM)))), ["x"]);
}

#[test]
fn two_changes_in_one_and_those_heard_of_otherwise() {
    let hub = Hub::new();
    let watcher = hub.watch("", false);
    let attributes = Arc::new(hub.0.watch(NAMES, &[], NotifyFilter::ATTRIBUTES, false, ROOM));
    let (old, new) = (path("old"), path("new"));
    let change = |path, action, filter, unless| Change { path, action, filter, unless };
    hub.0.report(
        NAMES,
        &[
            change(&old, NotifyAction::RENAMED_OLD_NAME, NotifyFilter::FILE_NAME, NotifyFilter::NONE),
            change(&new, NotifyAction::RENAMED_NEW_NAME, NotifyFilter::FILE_NAME, NotifyFilter::NONE),
            change(&new, NotifyAction::MODIFIED, NotifyFilter::ATTRIBUTES, NotifyFilter::FILE_NAME),
        ],
    );
    assert_eq!(names(poll(&mut pin!(watcher.next(ROOM)))), ["old", "new"]);
    assert_eq!(names(poll(&mut pin!(attributes.next(ROOM)))), ["new"]);
}

#[test]
fn a_directory_that_moves_is_still_watched() {
    let hub = Hub::new();
    let watcher = hub.watch("a\\b", false);
    hub.0.moved(NAMES, &path("A"), &path("c\\d"));
    hub.added("a\\b\\lost");
    hub.added("c\\d\\b\\found");
    assert_eq!(names(poll(&mut pin!(watcher.next(ROOM)))), ["found"]);
}

#[test]
fn ends() {
    let hub = Hub::new();
    let (closed, doomed) = (hub.watch("a", false), hub.watch("b", false));
    let mut one = pin!(closed.next(ROOM));
    let mut two = pin!(doomed.next(ROOM));
    assert!(poll(&mut one).is_pending() && poll(&mut two).is_pending());
    closed.end();
    hub.0.doom(NAMES, &path("B"));
    assert_eq!(poll(&mut one), Poll::Ready(Err(NtStatus::NOTIFY_CLEANUP)));
    assert_eq!(poll(&mut two), Poll::Ready(Err(NtStatus::DELETE_PENDING)));
    drop(doomed);
    assert!(!hub.0.idle(), "a request still has it");
}

fn beside(at: &str, happened: Happened) -> Beside {
    Beside { path: path(at), directory: false, happened }
}

#[test]
fn what_the_storage_tells_of_is_told_once() {
    let hub = Hub::new();
    let watcher = hub.watch("d", true);
    watcher.expect_echoes(true);
    hub.added("d\\own");
    watcher.beside(&[beside("OWN", Happened::Created), beside("theirs", Happened::Created)]);
    assert_eq!(names(poll(&mut pin!(watcher.next(ROOM)))), ["own", "theirs"]);
    watcher.beside(&[
        beside("own", Happened::Written),
        beside("new", Happened::Renamed { from: path("theirs") }),
        beside("sub\\x", Happened::Renamed { from: path("new") }),
        beside("own", Happened::Removed),
    ]);
    let told = names(poll(&mut pin!(watcher.next(ROOM))));
    assert_eq!(told, ["theirs", "new", "new", "sub\\x", "own"]);
    watcher.beside(&[Beside::lost()]);
    assert_eq!(poll(&mut pin!(watcher.next(ROOM))), Poll::Ready(Err(NtStatus::NOTIFY_ENUM_DIR)));
}

#[test]
fn the_source_ends_with_the_watch() {
    let hub = Hub::new();
    let watcher = hub.watch("", false);
    let source = Arc::new(());
    watcher.keep(Box::new(source.clone()));
    assert_eq!(Arc::strong_count(&source), 2);
    watcher.end();
    watcher.keep(Box::new(source.clone()));
    assert_eq!(Arc::strong_count(&source), 1);
}
