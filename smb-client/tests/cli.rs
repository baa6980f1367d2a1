//! The command line against a server in this process: what it does, prints, and exits with.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use serde_json::Value;
use smb_server::{
    Server, Share,
    backend::{LocalOptions, LocalShare},
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};
use tempfile::TempDir;

/// A server that shares a folder, and a folder for the client.
struct Place {
    url: String,
    folder: TempDir,
    _runtime: tokio::runtime::Runtime,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("share")).unwrap();
        fs::create_dir(folder.path().join("here")).unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let share = LocalShare::open(folder.path().join("share"), LocalOptions::default()).unwrap();
        let _inside = runtime.enter();
        let server = Server::builder()
            .user("alice", "secret")
            .share(Share::new("share", share))
            .listen(([127, 0, 0, 1], 0).into())
            .build()
            .unwrap();
        let port = server.local_addrs()[0].port();
        runtime.spawn(server.run(std::future::pending()));
        drop(_inside);
        Self { url: format!("smb://alice@127.0.0.1:{port}/share"), folder, _runtime: runtime }
    }

    fn there(&self, name: &str) -> PathBuf {
        self.folder.path().join("share").join(name)
    }

    fn here(&self, name: &str) -> PathBuf {
        self.folder.path().join("here").join(name)
    }

    fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.url)
    }

    fn run(&self, words: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_smb-client"))
            .args(words)
            .env("SMB_PASSWORD", "secret")
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// What must succeed; its JSON.
    fn ok(&self, words: &[&str]) -> Value {
        let words = [words, &["--json"]].concat();
        let output = self.run(&words);
        let (text, errors) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{words:?}: {:?}\n{text}\n{errors}", output.status);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{words:?}: {error}: {text}"))
    }

    /// What must fail so; its error as JSON.
    fn fails(&self, status: i32, words: &[&str]) -> Value {
        let words = [words, &["--json"]].concat();
        let output = self.run(&words);
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{words:?}: {errors}");
        serde_json::from_str(&errors).unwrap_or_else(|error| panic!("{words:?}: {error}: {errors}"))
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn str(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn data(len: usize) -> Vec<u8> {
    (0..len).map(|n| u8::try_from(n * 7 % 251).unwrap()).collect()
}

#[test]
fn files_there_and_back() {
    let place = Place::new();
    for len in [0, 1, 65_535, 65_536, 65_537, 3_000_000] {
        fs::write(place.here("file"), data(len)).unwrap();
        let put = place.ok(&["put", str(&place.here("file")), &place.url("file")]);
        assert_eq!(
            (put["bytes"].as_u64(), put["verified"].as_str()),
            (Some(u64::try_from(len).unwrap()), Some("size+integrity"))
        );
        assert!(fs::read(place.there("file")).unwrap() == data(len), "{len}");
        let get = place.ok(&["get", &place.url("file"), str(&place.here("back")), "--verify", "readback"]);
        assert_eq!(
            (get["bytes"].as_u64(), get["verified"].as_str()),
            (Some(u64::try_from(len).unwrap()), Some("readback"))
        );
        assert!(fs::read(place.here("back")).unwrap() == data(len), "{len}");
        assert!(!place.here("back.part").exists());
    }
    place.ok(&["mkdir", "-p", &place.url("a/b/c")]);
    let put = place.ok(&["put", str(&place.here("file")), &place.url("a/b/")]);
    assert!(put["name"].as_str().unwrap().ends_with("/share/a/b/file"));
    place.ok(&["put", str(&place.here("file")), &place.url("a/b/c")]);
    assert!(place.there("a/b/file").is_file() && place.there("a/b/c/file").is_file());
    let stat = place.ok(&["stat", &place.url("a/b/file")]);
    assert_eq!((stat["size"].as_u64(), stat["directory"].as_bool()), (Some(3_000_000), Some(false)));
    let listed = place.ok(&["ls", &place.url("a/b/f*")]);
    assert_eq!((listed.as_array().unwrap().len(), listed[0]["name"].as_str()), (1, Some("file")));
    place.ok(&["mv", &place.url("a/b/file"), &place.url("moved")]);
    let refused = place.fails(1, &["mv", &place.url("moved"), &place.url("file")]);
    assert_eq!(
        (refused["status"].as_str(), refused["executed"].as_bool()),
        (Some("OBJECT_NAME_COLLISION"), Some(false))
    );
    place.ok(&["mv", "--force", &place.url("moved"), &place.url("file")]);
    assert!(!place.there("moved").exists());
}

/// The paths below a folder, with what is in the files.
fn tree(top: &Path) -> Vec<(PathBuf, Option<Vec<u8>>)> {
    let mut all = Vec::new();
    let mut open = vec![top.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(top).unwrap().to_owned();
            if path.is_dir() {
                all.push((name, None));
                open.push(path);
            } else {
                all.push((name, Some(fs::read(path).unwrap())));
            }
        }
    }
    all.sort();
    all
}

#[test]
fn trees_there_and_back() {
    let place = Place::new();
    let top = place.here("tree");
    for folder in ["", "empty", "d/e/f"] {
        fs::create_dir_all(top.join(folder)).unwrap();
    }
    for n in 0..50 {
        fs::write(top.join(format!("d/e/file {n}")), data(n * 1000)).unwrap();
    }
    fs::write(top.join("d/large"), data(2_000_000)).unwrap();
    let put = place.ok(&["put", "-r", str(&top), &place.url("up")]);
    assert_eq!((put["files"].as_u64(), put["directories"].as_u64()), (Some(51), Some(5)));
    assert!(tree(&place.there("up")) == tree(&top));
    let again = place.ok(&["put", "-r", str(&top), &place.url("up")]);
    assert!(again["name"].as_str().unwrap().ends_with("/up/tree"), "into what is there");
    place.ok(&["rm", "-r", &place.url("up/tree")]);
    place.ok(&["cp", "-r", &place.url("up"), &place.url("copy")]);
    assert!(tree(&place.there("copy")) == tree(&top));
    place.fails(2, &["cp", "-r", &place.url("copy"), &place.url("copy/d")]);
    place.ok(&["get", "-r", &place.url("copy"), str(&place.here("back"))]);
    assert!(tree(&place.here("back")) == tree(&top));
    let removed = place.ok(&["rm", "-r", &place.url("copy")]);
    assert_eq!((removed["files"].as_u64(), removed["directories"].as_u64()), (Some(51), Some(5)));
    assert!(!place.there("copy").exists() && place.there("up").exists());
}

#[test]
fn copies() {
    let place = Place::new();
    fs::write(place.there("file"), data(5_000_000)).unwrap();
    let copied = place.ok(&["cp", &place.url("file"), &place.url("copy")]);
    assert!(["server", "client"].contains(&copied["way"].as_str().unwrap()));
    assert!(fs::read(place.there("copy")).unwrap() == data(5_000_000));
    for same in ["FILE", "/file", "./file"] {
        place.fails(2, &["cp", &place.url("file"), &place.url(same)]);
    }
    // By a name that does not tell.
    fs::hard_link(place.there("file"), place.there("link")).unwrap();
    place.fails(1, &["cp", &place.url("file"), &place.url("link")]);
    assert!(fs::read(place.there("file")).unwrap() == data(5_000_000));
    let other = Place::new();
    let copied = place.ok(&["cp", &place.url("file"), &other.url("elsewhere")]);
    assert_eq!(copied["way"].as_str(), Some("client"));
    assert!(fs::read(other.there("elsewhere")).unwrap() == data(5_000_000));
}

#[test]
fn streams_and_images() {
    let place = Place::new();
    fs::write(place.here("image"), data(1_000_000)).unwrap();
    let sent = place.ok(&["migrate", "send", "--file", str(&place.here("image")), &place.url("vm")]);
    assert_eq!(sent["bytes"].as_u64(), Some(1_000_000));
    place.ok(&["migrate", "receive", &place.url("vm"), "--file", str(&place.here("back"))]);
    assert!(fs::read(place.here("back")).unwrap() == data(1_000_000));
    let output = place.run(&["get", &place.url("vm"), "-"]);
    assert!(output.status.success() && output.stdout == data(1_000_000));
}

#[test]
fn wrong_use_and_refusals_say_what_to_do() {
    let place = Place::new();
    fs::create_dir(place.there("dir")).unwrap();
    fs::write(place.there("dir/file"), "x").unwrap();
    let refused = place.fails(1, &["rm", &place.url("dir")]);
    assert!(refused["error"].as_str().unwrap().contains("-r"), "{refused}");
    let refused = place.fails(1, &["get", &place.url("dir"), str(&place.here("x"))]);
    assert!(refused["error"].as_str().unwrap().contains("-r"), "{refused}");
    assert!(!place.here("x").exists());
    place.fails(1, &["get", &place.url("none"), str(&place.here("x"))]);
    place.fails(1, &["rm", &place.url("none")]);
    place.ok(&["rm", "--force", &place.url("none")]);
    place.fails(2, &["put", str(place.folder.path()), &place.url("x")]);
    place.fails(2, &["get", &place.url("dir/file"), "-", "--resume"]);
    place.fails(2, &["ls", &place.url("a/../b")]);
    let wrong = place.url.replace("alice", "alice:wrong");
    let refused = place.fails(1, &["ls", &wrong]);
    assert!(refused["error"].as_str().unwrap().contains("SMB_PASSWORD"), "{refused}");
    for words in
        [&["ls"][..], &["frobnicate"], &["ls", "http://host/share"], &["bench", "smb://h/s/f", "--size", "x"]]
    {
        assert_eq!(place.run(words).status.code(), Some(2), "{words:?}");
    }
    let told = place.run(&["ls", "smb://alice:p%w@host/share"]);
    assert_eq!(told.status.code(), Some(2));
    assert!(
        !text(&told.stderr).contains("p%w") && text(&told.stderr).contains("alice"),
        "no password is told"
    );
    let nowhere = place.run(&["ls", "smb://alice@127.0.0.1:1/share", "--timeout", "2"]);
    assert_eq!(nowhere.status.code(), Some(1));
}

#[test]
fn a_benchmark_leaves_nothing() {
    let place = Place::new();
    let measured =
        place.ok(&["bench", &place.url("bench"), "--size", "1M", "--seconds", "0", "--files", "40"]);
    assert_eq!(measured["sequential"].as_array().unwrap().len(), 2);
    assert_eq!(measured["random"].as_array().unwrap().len(), 4);
    assert!(measured["files"][1]["per_second"].as_f64().unwrap() > 0.0);
    assert!(measured["connect_ms"].as_f64().unwrap() > 0.0);
    assert!(tree(&place.there("")).is_empty());
}
