mod escape;
mod spelling;

use super::*;
use crate::backend::{
    Existing, Type,
    testing::{self, Share as Client, buf, list, path, read},
};
use std::{
    env, fs,
    os::unix::{fs as unix, process::CommandExt},
    path::PathBuf,
    process::Command,
};

struct Home {
    directory: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    /// On a file system in memory, where this machine has one.
    fn in_memory() -> Option<Self> {
        let home = Self { directory: tempfile::tempdir_in("/dev/shm").ok()? };
        let known = home.share().share.in_memory.is_some();
        known.then_some(home)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn share(&self) -> LocalShare {
        self.share_as(LocalOptions::default())
    }

    fn share_as(&self, options: LocalOptions) -> LocalShare {
        LocalShare::open(self.directory.path(), options).unwrap()
    }

    fn client(&self) -> Client {
        Client::new(Arc::new(self.share()))
    }
}

/// Set where a test has a process of its own.
const ALONE: &str = "SMB_SERVER_TEST_ALONE";
/// Who has no rights.
const NOBODY: u32 = 65_534;

/// Runs the test called `name` in a process of its own, which `prepare` may change; true in that process, which is to go on.
pub(super) fn again(name: &str, prepare: impl FnOnce(&mut Command)) -> bool {
    if env::var_os(ALONE).is_some() {
        return true;
    }
    let mut test = Command::new(env::current_exe().unwrap());
    prepare(test.args(["--exact", name]).env(ALONE, "1"));
    match test.output() {
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            println!("skipped: nobody may run this program");
        }
        output => {
            let output = output.unwrap();
            let told = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success() && told.contains("1 passed"), "{told}");
        }
    }
    false
}

/// Takes root's rights from a process.
fn as_nobody(process: &mut Command) {
    if unix::MetadataExt::uid(&fs::metadata("/proc/self").unwrap()) == 0 {
        process.uid(NOBODY);
    }
}

/// Runs the common suite, each behaviour in a directory of its own.
async fn suite(prepare: impl Fn(&LocalShare)) {
    suite_at(Home::new, prepare).await;
}

async fn suite_at(home: impl Fn() -> Home, prepare: impl Fn(&LocalShare)) {
    let homes = std::cell::RefCell::new(Vec::new());
    testing::all(|| {
        let home = home();
        let share = home.share();
        prepare(&share);
        homes.borrow_mut().push(home);
        Arc::new(share)
    })
    .await;
}

#[tokio::test]
async fn every_behaviour() {
    suite(|_| {}).await;
}

#[tokio::test]
async fn every_behaviour_in_memory() {
    if Home::in_memory().is_none() {
        println!("skipped: no file system in memory at /dev/shm");
        return;
    }
    suite_at(|| Home::in_memory().unwrap(), |_| {}).await;
}

#[tokio::test]
async fn every_behaviour_without_openat2() {
    suite(|share| share.share.root.without_openat2()).await;
}

#[tokio::test]
async fn bytes_arrive_on_the_host() {
    let home = Home::new();
    let share = home.client();
    share.directory("d").await;
    let file = share.file_of("d/f", b"content").await;
    file.flush().await.unwrap();
    assert_eq!(fs::read(home.at("d/f")).unwrap(), b"content");
    fs::write(home.at("d/f"), b"changed by the host").unwrap();
    assert_eq!(read(file.as_ref(), 0, 100).await, b"changed by the host");
    drop(file);
}

#[tokio::test]
async fn a_read_only_share_changes_nothing() {
    let home = Home::new();
    fs::write(home.at("f"), b"kept").unwrap();
    let options = LocalOptions { read_only: true, ..LocalOptions::default() };
    let backend = Arc::new(home.share_as(options));
    assert!(!backend.capabilities().writable);
    let share = Client::new(backend);
    let refused = NtStatus::MEDIA_WRITE_PROTECTED;
    assert_eq!(share.refusal("f", Type::File, Existing::Required).await, refused);
    assert_eq!(share.refusal("new", Type::Directory, Existing::Welcome).await, refused);
    let file = share.touch("f").await.unwrap();
    assert_eq!(file.remove().await, Err(refused));
    assert_eq!(file.rename(&path("g"), false).await, Err(refused));
    assert_eq!(file.set_metadata(Default::default()).await, Err(refused));
    assert_eq!(share.content("f").await, b"kept");
}

#[tokio::test]
async fn the_host_replaces_a_file_and_the_handle_leaves_it_alone() {
    let home = Home::new();
    let share = home.client();
    let file = share.file_of("f", b"ours").await;
    fs::write(home.at("g"), b"theirs").unwrap();
    fs::rename(home.at("g"), home.at("f")).unwrap();
    assert_eq!(file.remove().await, Err(NtStatus::FILE_DELETED));
    assert_eq!(file.rename(&path("h"), true).await, Err(NtStatus::FILE_DELETED));
    assert_eq!(fs::read(home.at("f")).unwrap(), b"theirs");
}

#[tokio::test]
async fn a_stream_is_flushed_with_the_file_that_carries_it() {
    let home = Home::new();
    let share = home.client();
    if !share.backend().capabilities().named_streams {
        println!("skipped: no extended attributes here");
        return;
    }
    share.stream("f", "s", Existing::Welcome).await.unwrap();
    let stream = share.stream("f", "s", Existing::Required).await.unwrap().handle;
    stream.flush().await.unwrap();
    // Where there is no such file any more, nothing can be made durable.
    fs::write(home.at("g"), b"theirs").unwrap();
    fs::rename(home.at("g"), home.at("f")).unwrap();
    assert_eq!(stream.flush().await, Err(NtStatus::FILE_DELETED));
}

#[tokio::test]
async fn what_clients_cannot_ask_for_is_not_listed() {
    use std::os::unix::ffi::OsStrExt;
    let home = Home::new();
    for name in ["good", "back\\slash", "a:stream", "star*", "new\nline"] {
        fs::write(home.at(name), b"").unwrap();
    }
    fs::write(home.directory.path().join(std::ffi::OsStr::from_bytes(b"\xff\xfe")), b"").unwrap();
    unix::symlink("good", home.at("link")).unwrap();
    assert_eq!(home.client().names("").await, ["good"]);
}

#[tokio::test]
async fn an_entry_that_cannot_be_read_is_listed_with_the_others() {
    let name = "backend::local::tests::an_entry_that_cannot_be_read_is_listed_with_the_others";
    // Root may read everything.
    if !again(name, as_nobody) {
        return;
    }
    let home = Home::new();
    for name in ["a", "closed", "z"] {
        fs::write(home.at(name), b"").unwrap();
    }
    fs::set_permissions(home.at("closed"), unix::PermissionsExt::from_mode(0o0)).unwrap();
    assert_eq!(home.client().names("").await, ["a", "closed", "z"]);
}

#[tokio::test]
async fn exact_spelling_comes_first() {
    let home = Home::new();
    fs::write(home.at("name"), b"lower").unwrap();
    fs::write(home.at("NAME"), b"upper").unwrap();
    let share = home.client();
    assert_eq!(share.content("name").await, b"lower");
    assert_eq!(share.content("NAME").await, b"upper");
    let options = LocalOptions { case_sensitive: true, ..LocalOptions::default() };
    let share = Client::new(Arc::new(home.share_as(options)));
    assert_eq!(share.refusal("Name", Type::File, Existing::Required).await, NtStatus::OBJECT_NAME_NOT_FOUND);
}

#[tokio::test]
async fn readonly_is_the_mode() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    let share = home.client();
    let file = share.file("f").await;
    fs::set_permissions(home.at("f"), fs::Permissions::from_mode(0o640)).unwrap();
    testing::set_readonly(file.as_ref(), true).await;
    assert_eq!(fs::metadata(home.at("f")).unwrap().permissions().mode() & 0o7777, 0o440);
    testing::set_readonly(file.as_ref(), false).await;
    assert_eq!(fs::metadata(home.at("f")).unwrap().permissions().mode() & 0o7777, 0o640);
}

#[tokio::test]
async fn what_samba_kept_is_found() {
    let home = Home::new();
    fs::write(home.at("f"), b"").unwrap();
    let file = fs::File::open(home.at("f")).unwrap();
    if !xattr::supported(&file) {
        return;
    }
    // Samba 4.17.12 with `vfs objects = streams_xattr`.
    xattr::set(&file, "user.DosStream.stream:$DATA", b"hello\n\0").unwrap();
    let stream = home.client().stream("f", "Stream", Existing::Required).await.unwrap();
    assert_eq!(stream.metadata.end_of_file, 6);
    assert_eq!(read(stream.handle.as_ref(), 0, 100).await, b"hello\n");
}

#[tokio::test]
async fn listings_tell_security_where_it_hides() {
    let home = Home::new();
    let options = LocalOptions { hide_unreadable: true, ..LocalOptions::default() };
    let share = Client::new(Arc::new(home.share_as(options)));
    if share.backend().capabilities().security {
        share.file("f").await.set_security(b"descriptor").await.unwrap();
        let root = share.open("", Type::Directory, Existing::Required).await.unwrap().handle;
        assert_eq!(list(root.as_ref(), 10).await[0].security.as_deref(), Some(&b"descriptor"[..]));
    }
}

#[tokio::test]
async fn hard_links_are_counted_and_renamed_apart() {
    let home = Home::new();
    fs::write(home.at("one"), b"x").unwrap();
    fs::hard_link(home.at("one"), home.at("two")).unwrap();
    let share = home.client();
    let (one, two) = (share.touch("one").await.unwrap(), share.touch("two").await.unwrap());
    assert_eq!(one.metadata().await.unwrap().links, 2);
    assert_eq!(one.metadata().await.unwrap().key, two.metadata().await.unwrap().key);
    two.rename(&path("three"), false).await.unwrap();
    one.remove().await.unwrap();
    assert_eq!(share.names("").await, ["three"]);
}

#[tokio::test]
async fn closed_files_leave_no_trace() {
    let home = Home::new();
    let backend = home.share();
    let share = Client::new(Arc::new(backend.clone()));
    let (one, two) = (share.file("f").await, share.touch("f").await.unwrap());
    assert_eq!(backend.share.places.count(), 1);
    drop(one);
    assert_eq!(backend.share.places.count(), 1);
    drop(two);
    assert_eq!(backend.share.places.count(), 0);
}

#[tokio::test]
async fn ten_thousand_names() {
    let home = Home::new();
    for number in 0..10_000 {
        fs::write(home.at(&format!("{number}")), b"").unwrap();
    }
    let share = home.client();
    let root = share.open("", Type::Directory, Existing::Required).await.unwrap().handle;
    assert_eq!(list(root.as_ref(), 100).await.len(), 10_000);
}

#[test]
fn the_host_s_errors_have_names() {
    use rustix::io::Errno;
    for (errno, expected) in [
        (Errno::NOSPC, NtStatus::DISK_FULL),
        (Errno::DQUOT, NtStatus::DISK_FULL),
        (Errno::ROFS, NtStatus::MEDIA_WRITE_PROTECTED),
        (Errno::MFILE, NtStatus::TOO_MANY_OPENED_FILES),
        (Errno::NAMETOOLONG, NtStatus::OBJECT_NAME_INVALID),
        (Errno::LOOP, NtStatus::OBJECT_NAME_NOT_FOUND),
        (Errno::PERM, NtStatus::ACCESS_DENIED),
    ] {
        assert_eq!(errno::status(errno), expected);
    }
    assert_eq!(errno::path_status(Errno::NOTDIR), NtStatus::OBJECT_PATH_NOT_FOUND);
}

#[tokio::test]
async fn a_full_disk_is_said_so() {
    let home = Home::new();
    let share = home.client();
    let file = share.file("f").await;
    let refused = file.write((1 << 62) + 1, buf(b"x"), false).await;
    assert_eq!(refused, Err(NtStatus::DISK_FULL), "beyond what the file system can address");
}
