//! Ways out of the share, none of which must lead out.

use super::*;
use rustix::fs::{Mode, OFlags, RenameFlags, mkfifoat, open, renameat_with};
use std::sync::atomic::{AtomicBool, Ordering};

/// A home whose root is `share`, beside a secret.
struct Trap {
    home: Home,
}

impl Trap {
    fn new() -> Self {
        let home = Home::new();
        fs::create_dir(home.at("share")).unwrap();
        fs::create_dir(home.at("outside")).unwrap();
        fs::write(home.at("outside/secret"), b"secret").unwrap();
        Self { home }
    }

    fn backend(&self) -> LocalShare {
        LocalShare::open(self.home.at("share"), LocalOptions::default()).unwrap()
    }

    /// One that lets the kernel resolve, one that walks.
    fn clients(&self) -> [Client; 2] {
        let walking = self.backend();
        walking.share.root.without_openat2();
        [Client::new(Arc::new(self.backend())), Client::new(Arc::new(walking))]
    }
}

const EACH: [Existing; 3] = [Existing::Required, Existing::Forbidden, Existing::Welcome];

#[tokio::test]
async fn names_that_mean_more_than_themselves() {
    let trap = Trap::new();
    let maker: Arc<dyn crate::backend::Maker> = Arc::new(crate::backend::PlainMaker);
    for share in trap.clients() {
        for name in ["..", ".", "../outside", "/etc", "a/../../outside", "\0", ""] {
            for path in [vec![name], vec![name, "secret"], vec!["x", name], vec!["..", "outside", name]] {
                let path: Vec<_> = path.into_iter().map(str::to_owned).collect();
                for existing in EACH {
                    let request = super::super::OpenRequest {
                        path: &path,
                        stream: None,
                        maker: &maker,
                        wanted: Type::Any,
                        existing,
                        read: true,
                        write: false,
                        attributes: Default::default(),
                    };
                    let caller = Caller { user: "x".into() };
                    let refused = share.backend().open(&caller, request).await.map(|_| ()).unwrap_err();
                    assert_eq!(refused, NtStatus::OBJECT_NAME_INVALID, "{path:?}");
                }
            }
        }
        let file = share.open("f", Type::File, Existing::Welcome).await.unwrap().handle;
        for to in [vec!["..", "f"], vec!["..", "outside", "secret"], vec!["../f"]] {
            let to: Vec<_> = to.into_iter().map(str::to_owned).collect();
            assert_eq!(file.rename(&to, true).await, Err(NtStatus::OBJECT_NAME_INVALID));
        }
    }
    assert_eq!(fs::read(trap.home.at("outside/secret")).unwrap(), b"secret");
}

#[tokio::test]
async fn links_are_absent() {
    let trap = Trap::new();
    let outside = trap.home.at("outside");
    unix::symlink(&outside, trap.home.at("share/absolute")).unwrap();
    unix::symlink("../outside", trap.home.at("share/relative")).unwrap();
    unix::symlink("../outside/secret", trap.home.at("share/file")).unwrap();
    unix::symlink("../outside/new", trap.home.at("share/dangling")).unwrap();
    unix::symlink("/proc/self/root", trap.home.at("share/magic")).unwrap();
    fs::create_dir(trap.home.at("share/real")).unwrap();
    unix::symlink("real", trap.home.at("share/inside")).unwrap();
    for share in trap.clients() {
        for at in ["absolute", "relative", "file", "dangling", "magic", "inside", "FILE"] {
            let refused = share.refusal(at, Type::Any, Existing::Required).await;
            assert_eq!(refused, NtStatus::OBJECT_NAME_NOT_FOUND, "{at}");
            let refused = share.refusal(at, Type::File, Existing::Forbidden).await;
            assert_eq!(refused, NtStatus::OBJECT_NAME_COLLISION, "{at}");
            let refused = share.refusal(at, Type::File, Existing::Welcome).await;
            assert_eq!(refused, NtStatus::ACCESS_DENIED, "{at}");
            for below in ["secret", "new", "x/y"] {
                for existing in EACH {
                    let refused = share.refusal(&format!("{at}/{below}"), Type::File, existing).await;
                    assert_eq!(refused, NtStatus::OBJECT_PATH_NOT_FOUND, "{at}/{below}");
                }
            }
        }
        assert_eq!(share.names("").await, ["real"]);
        let file = share.open("f", Type::File, Existing::Welcome).await.unwrap().handle;
        for at in ["relative/f", "magic/tmp/f"] {
            let refused = file.rename(&path(at), true).await;
            assert_eq!(refused, Err(NtStatus::OBJECT_PATH_NOT_FOUND));
        }
        assert_eq!(file.rename(&path("file"), true).await, Err(NtStatus::ACCESS_DENIED));
        file.remove().await.unwrap();
    }
    assert!(!outside.join("new").exists());
    assert_eq!(fs::read(outside.join("secret")).unwrap(), b"secret");
}

#[tokio::test]
async fn special_files_are_refused_at_once() {
    let trap = Trap::new();
    let directory = open(trap.home.at("share"), OFlags::PATH, Mode::empty()).unwrap();
    mkfifoat(&directory, "fifo", Mode::from_raw_mode(0o666)).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(trap.home.at("share/socket")).unwrap();
    for share in trap.clients() {
        for at in ["fifo", "socket"] {
            for (read, write) in [(true, false), (false, true), (true, true), (false, false)] {
                let opened = share.open_as(at, Type::Any, Existing::Required, read, write).await;
                assert_eq!(opened.map(|_| ()).unwrap_err(), NtStatus::ACCESS_DENIED, "{at}");
            }
        }
        assert_eq!(share.names("").await, [""; 0]);
    }
}

/// Swaps two names again and again while it lives.
struct Swapper {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<u64>>,
}

impl Swapper {
    fn new(directory: PathBuf, one: &'static str, other: &'static str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let work = move || {
            let fd = open(&directory, OFlags::PATH, Mode::empty()).unwrap();
            let mut swaps = 0;
            while !stopped.load(Ordering::Relaxed) {
                renameat_with(&fd, one, &fd, other, RenameFlags::EXCHANGE).unwrap();
                swaps += 1;
            }
            swaps
        };
        Self { stop, thread: Some(std::thread::spawn(work)) }
    }

    /// How often they were swapped.
    fn stop(mut self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap()
    }
}

const ROUNDS: usize = 3000;

#[tokio::test]
async fn a_directory_that_keeps_turning_into_a_link() {
    let trap = Trap::new();
    fs::create_dir(trap.home.at("share/d")).unwrap();
    fs::write(trap.home.at("share/d/secret"), b"harmless").unwrap();
    unix::symlink("../outside", trap.home.at("share/link")).unwrap();
    let swapper = Swapper::new(trap.home.at("share"), "d", "link");
    let mut opened = 0;
    for share in trap.clients() {
        for round in 0..ROUNDS {
            if let Ok(file) = share.open("d/secret", Type::File, Existing::Required).await {
                assert_eq!(read(file.handle.as_ref(), 0, 100).await, b"harmless");
                opened += 1;
            }
            if let Ok(file) = share.open(&format!("d/new{}", round % 7), Type::File, Existing::Welcome).await
            {
                let _ = file.handle.rename(&path("d/moved"), true).await;
                let _ = file.handle.remove().await;
            }
        }
    }
    assert!(swapper.stop() > 0);
    assert!(opened > 0);
    let outside: Vec<_> =
        fs::read_dir(trap.home.at("outside")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(outside, ["secret"]);
}

#[tokio::test]
async fn a_file_that_keeps_turning_into_a_link_or_a_fifo() {
    for other in ["link", "fifo"] {
        let trap = Trap::new();
        let directory = open(trap.home.at("share"), OFlags::PATH, Mode::empty()).unwrap();
        fs::write(trap.home.at("share/f"), b"harmless").unwrap();
        unix::symlink("../outside/secret", trap.home.at("share/link")).unwrap();
        mkfifoat(&directory, "fifo", Mode::from_raw_mode(0o666)).unwrap();
        let swapper = Swapper::new(trap.home.at("share"), "f", other);
        let mut opened = 0;
        for share in trap.clients() {
            for _ in 0..ROUNDS {
                if let Ok(file) = share.open("f", Type::Any, Existing::Welcome).await {
                    assert_eq!(read(file.handle.as_ref(), 0, 100).await, b"harmless");
                    file.handle.write(0, buf(b"harm"), false).await.unwrap();
                    opened += 1;
                }
            }
        }
        assert!(swapper.stop() > 0 && opened > 0);
        assert_eq!(fs::read(trap.home.at("outside/secret")).unwrap(), b"secret");
    }
}
