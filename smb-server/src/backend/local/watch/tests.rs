use super::*;
use crate::backend::local::tests::again;
use rustix::process::{Resource, Rlimit, setrlimit};
use std::fs::{create_dir, create_dir_all, read_dir};

fn listen(notifier: &Arc<Notifier>, at: &std::path::Path) -> Result<Registered> {
    notifier.register(std::fs::File::open(at).unwrap().into(), true, Arc::new(|_| {}))
}

fn directories(notifier: &Notifier) -> usize {
    notifier.table().places.len()
}

/// However many there are, few are open at a time.
#[test]
fn a_tree_is_watched_with_few_descriptors() {
    const SPARE: u64 = 16;
    let name = "backend::local::watch::tests::a_tree_is_watched_with_few_descriptors";
    // A limit holds for all of a process.
    if !again(name, |_| {}) {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    for number in 0..10 * SPARE {
        create_dir_all(home.path().join(format!("{number}/x"))).unwrap();
    }
    let notifier = Notifier::start().unwrap();
    let open = read_dir("/proc/self/fd").unwrap().count();
    let most = Some(u64::try_from(open).unwrap() + SPARE);
    setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most }).unwrap();
    let _listening = listen(&notifier, home.path()).unwrap();
    assert_eq!(directories(&notifier), 1 + 2 * 10 * usize::try_from(SPARE).unwrap());
}

#[test]
fn what_is_beyond_the_bounds_is_lost_and_said_to_be() {
    let home = tempfile::tempdir().unwrap();
    create_dir_all(home.path().join("a/b")).unwrap();
    let notifier = Notifier::bounded(Most { directories: 4, ..MOST }).unwrap();
    let listening = listen(&notifier, home.path()).unwrap();
    for (name, happened) in [("c", Happened::Created), ("d", Happened::Lost)] {
        create_dir(home.path().join(name)).unwrap();
        assert_eq!(notifier.appeared(listening.id, true, &[name.to_owned()]), happened);
    }
    assert_eq!(notifier.appeared(listening.id, true, &["gone".to_owned()]), Happened::Created);
    assert_eq!(directories(&notifier), 4);
    // A listener of its own finds no room either, and leaves nothing behind.
    assert_eq!(listen(&notifier, home.path()).err(), Some(NtStatus::INSUFFICIENT_RESOURCES));
    assert!(notifier.table().places.values().all(|wanting| wanting.len() == 1));
}

#[test]
fn a_directory_counts_for_everybody_who_wants_it() {
    let home = tempfile::tempdir().unwrap();
    create_dir_all(home.path().join("a/b")).unwrap();
    let one = [&[][..], &["a".to_owned()], &["a".to_owned(), "b".to_owned()]].map(taken).iter().sum();
    let notifier = Notifier::bounded(Most { bytes: one, ..MOST }).unwrap();
    let first = listen(&notifier, home.path()).unwrap();
    assert_eq!(listen(&notifier, home.path()).err(), Some(NtStatus::INSUFFICIENT_RESOURCES));
    assert_eq!(notifier.table().bytes, one);
    // Found once more, and under a shorter name.
    notifier.add(first.id, &["a".to_owned()]).unwrap_err();
    notifier.moved(first.id, &["a".to_owned()], &[]);
    assert_eq!(notifier.table().bytes, one - 2 * (NAME + 1));
    drop(first);
    assert_eq!(notifier.table().bytes, 0);
    listen(&notifier, home.path()).unwrap();
}
