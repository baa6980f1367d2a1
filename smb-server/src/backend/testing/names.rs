//! Names: creating, finding, renaming, removing, listing.

use super::{Share, buf, list, path, read, set_readonly};
use crate::backend::{Existing, Type};
use smb_proto::status::NtStatus;

pub(super) async fn create_by_disposition(share: Share) {
    for wanted in [Type::File, Type::Directory] {
        let missing = share.refusal("new", wanted, Existing::Required).await;
        assert_eq!(missing, NtStatus::OBJECT_NAME_NOT_FOUND);
        assert!(share.open("new", wanted, Existing::Forbidden).await.unwrap().created);
        let there = share.refusal("new", wanted, Existing::Forbidden).await;
        assert_eq!(there, NtStatus::OBJECT_NAME_COLLISION);
        let opened = share.open("new", wanted, Existing::Welcome).await.unwrap();
        assert!(!opened.created);
        assert_eq!(opened.metadata.is_directory(), wanted == Type::Directory);
        opened.handle.remove().await.unwrap();
    }
    let any = share.open("any", Type::Any, Existing::Welcome).await.unwrap();
    assert!(any.created && !any.metadata.is_directory());
}

pub(super) async fn wrong_type(share: Share) {
    share.file("f").await;
    share.directory("d").await;
    for existing in [Existing::Required, Existing::Welcome] {
        assert_eq!(share.refusal("f", Type::Directory, existing).await, NtStatus::NOT_A_DIRECTORY);
        assert_eq!(share.refusal("d", Type::File, existing).await, NtStatus::FILE_IS_A_DIRECTORY);
    }
    assert!(share.open_as("d", Type::Any, Existing::Required, true, false).await.is_ok());
}

pub(super) async fn missing_paths(share: Share) {
    share.file("f").await;
    for at in ["no/f", "no/way/f", "f/f", "f/no/f"] {
        for existing in [Existing::Required, Existing::Forbidden, Existing::Welcome] {
            assert_eq!(
                share.refusal(at, Type::File, existing).await,
                NtStatus::OBJECT_PATH_NOT_FOUND,
                "{at}"
            );
        }
    }
}

pub(super) async fn case_does_not_matter(share: Share) {
    if share.backend().capabilities().case_sensitive {
        return;
    }
    share.directory("Dir").await;
    share.directory("Dir/Äpfel").await;
    share.file_of("Dir/Äpfel/File.TXT", b"found").await;
    assert_eq!(share.content("dIR/ÄPFEL/fILE.txt").await, b"found");
    assert_eq!(share.content("Dir/äpfel/File.TXT").await, b"found");
    let there = share.refusal("DIR/äpfel/FILE.TXT", Type::File, Existing::Forbidden).await;
    assert_eq!(there, NtStatus::OBJECT_NAME_COLLISION);
    assert!(!share.open("DIR/äpfel/FILE.TXT", Type::File, Existing::Welcome).await.unwrap().created);
    assert_eq!(share.names("dir/ÄPFEL").await, ["File.TXT"], "case is preserved");
}

pub(super) async fn rename_moves(share: Share) {
    share.directory("a").await;
    share.directory("b").await;
    let file = share.file_of("a/f", b"content").await;
    file.rename(&path("b/g"), false).await.unwrap();
    assert_eq!(read(file.as_ref(), 0, 10).await, b"content", "the handle stays usable");
    assert_eq!(share.content("b/g").await, b"content");
    let gone = share.refusal("a/f", Type::File, Existing::Required).await;
    assert_eq!(gone, NtStatus::OBJECT_NAME_NOT_FOUND);
    share.touch("b").await.unwrap().rename(&path("a/c"), false).await.unwrap();
    assert_eq!(share.content("a/c/g").await, b"content", "a directory moves with what is in it");
    file.rename(&path("h"), false).await.unwrap();
    assert_eq!(share.names("").await, ["a", "h"]);
    file.rename(&path("h"), false).await.unwrap();
    assert_eq!(share.content("h").await, b"content", "onto itself it stays");
}

pub(super) async fn rename_refuses(share: Share) {
    let file = share.file_of("f", b"f").await;
    share.file_of("there", b"there").await;
    let directory = share.directory("d").await;
    share.directory("d/e").await;
    let rename = |to: &str, replace| {
        let (file, to) = (file.clone(), path(to));
        async move { file.rename(&to, replace).await }
    };
    assert_eq!(rename("there", false).await, Err(NtStatus::OBJECT_NAME_COLLISION));
    assert_eq!(rename("d", false).await, Err(NtStatus::OBJECT_NAME_COLLISION));
    assert_eq!(rename("d", true).await, Err(NtStatus::ACCESS_DENIED));
    assert_eq!(rename("no/f", false).await, Err(NtStatus::OBJECT_PATH_NOT_FOUND));
    assert_eq!(rename("", true).await, Err(NtStatus::OBJECT_NAME_COLLISION));
    assert_eq!(directory.rename(&path("d/e/d"), false).await, Err(NtStatus::ACCESS_DENIED));
    assert_eq!(share.content("there").await, b"there");
    assert_eq!(share.content("f").await, b"f");
}

pub(super) async fn rename_replaces(share: Share) {
    let file = share.file_of("f", b"new").await;
    let old = share.file_of("There", b"old").await;
    let to = if share.backend().capabilities().case_sensitive { "There" } else { "tHERE" };
    file.rename(&path(to), true).await.unwrap();
    assert_eq!(share.names("").await, [to]);
    assert_eq!(share.content(to).await, b"new");
    assert_eq!(read(old.as_ref(), 0, 10).await, b"old", "who had it open keeps it");
    let kept = share.file("kept").await;
    set_readonly(kept.as_ref(), true).await;
    assert_eq!(file.rename(&path("kept"), true).await, Err(NtStatus::ACCESS_DENIED));
    set_readonly(kept.as_ref(), false).await;
}

pub(super) async fn rename_by_case_only(share: Share) {
    let file = share.file_of("name", b"x").await;
    file.rename(&path("NAME"), false).await.unwrap();
    assert_eq!(share.names("").await, ["NAME"]);
    file.remove().await.unwrap();
    assert_eq!(share.names("").await, [""; 0]);
}

pub(super) async fn remove_keeps_the_handle_usable(share: Share) {
    let file = share.file_of("f", b"before").await;
    file.remove().await.unwrap();
    let gone = share.refusal("f", Type::File, Existing::Required).await;
    assert_eq!(gone, NtStatus::OBJECT_NAME_NOT_FOUND);
    file.write(0, buf(b"after!"), false).await.unwrap();
    assert_eq!(read(file.as_ref(), 0, 10).await, b"after!");
    assert!(file.remove().await.is_err());
    assert!(file.rename(&path("back"), false).await.is_err());
    let new = share.file_of("f", b"another").await;
    assert_ne!(new.metadata().await.unwrap().key, file.metadata().await.unwrap().key);
    assert!(file.remove().await.is_err(), "the name is another file's now");
    assert_eq!(share.content("f").await, b"another");
}

pub(super) async fn remove_refuses(share: Share) {
    let directory = share.directory("d").await;
    let inner = share.file("d/f").await;
    assert_eq!(directory.remove().await, Err(NtStatus::DIRECTORY_NOT_EMPTY));
    inner.remove().await.unwrap();
    directory.remove().await.unwrap();
    assert_eq!(list(directory.as_ref(), 10).await, []);
    let path = share.refusal("d/f", Type::File, Existing::Welcome).await;
    assert_eq!(path, NtStatus::OBJECT_PATH_NOT_FOUND);
}

pub(super) async fn renamed_then_removed_by_another_handle(share: Share) {
    let one = share.file_of("f", b"1").await;
    let two = share.touch("f").await.unwrap();
    one.rename(&path("g"), false).await.unwrap();
    share.file_of("f", b"another").await;
    two.remove().await.unwrap();
    assert_eq!(share.names("").await, ["f"]);
    assert_eq!(share.content("f").await, b"another");
}

pub(super) async fn lists_in_batches(share: Share) {
    share.directory("d").await;
    for at in ["d/b", "d/A", "d/c", "d/ü"] {
        share.file_of(at, at.as_bytes()).await;
    }
    share.directory("d/sub").await;
    let directory = share.open("d", Type::Directory, Existing::Required).await.unwrap().handle;
    for most in [1, 2, 5, 100] {
        let entries = list(directory.as_ref(), most).await;
        let names: Vec<_> = entries.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(names, ["A", "b", "c", "sub", "ü"]);
        let directories: Vec<_> = entries.iter().map(|entry| entry.metadata.is_directory()).collect();
        assert_eq!(directories, [false, false, false, true, false]);
        assert_eq!(entries[0].metadata.end_of_file, 3);
        let opened = share.touch("d/c").await.unwrap().metadata().await.unwrap();
        assert_eq!(entries[2].metadata, opened, "a listing and an open say the same");
    }
    share.file("d/new").await;
    assert_eq!(list(directory.as_ref(), 2).await.len(), 6, "from the beginning it is listed anew");
}

pub(super) async fn lists_many(share: Share) {
    const MANY: usize = 2000;
    for number in 0..MANY {
        share.file(&format!("{number:05}")).await;
    }
    let root = share.open("", Type::Directory, Existing::Required).await.unwrap().handle;
    let entries = list(root.as_ref(), 64).await;
    assert!(
        entries.iter().map(|entry| entry.name.clone()).eq((0..MANY).map(|number| format!("{number:05}")))
    );
}

pub(super) async fn lists_while_entries_go(share: Share) {
    for at in ["a", "b", "c", "d"] {
        share.file(at).await;
    }
    let root = share.open("", Type::Directory, Existing::Required).await.unwrap().handle;
    let first = root.list(None, 1).await.unwrap().remove(0).name;
    share.touch(&first).await.unwrap().remove().await.unwrap();
    let second = root.list(Some(&first), 1).await.unwrap().remove(0).name;
    let mut rest = root.list(Some(&second), 10).await.unwrap();
    let third = rest.remove(0).name;
    share.touch(&third).await.unwrap().remove().await.unwrap();
    assert_eq!(root.list(Some(&second), 10).await.unwrap(), rest, "what is gone is left out");
    assert_eq!(rest.len(), 1);
}

pub(super) async fn the_root(share: Share) {
    let root = share.open("", Type::Directory, Existing::Required).await.unwrap();
    assert!(root.metadata.is_directory() && !root.created);
    assert_eq!(share.refusal("", Type::File, Existing::Required).await, NtStatus::FILE_IS_A_DIRECTORY);
    assert_eq!(
        share.refusal("", Type::Directory, Existing::Forbidden).await,
        NtStatus::OBJECT_NAME_COLLISION
    );
    assert!(!share.open("", Type::Any, Existing::Welcome).await.unwrap().created);
    assert_eq!(root.handle.remove().await, Err(NtStatus::ACCESS_DENIED));
    assert_eq!(root.handle.rename(&path("x"), false).await, Err(NtStatus::ACCESS_DENIED));
    assert_eq!(list(root.handle.as_ref(), 10).await, []);
    let space = share.backend().space().await.unwrap();
    assert!(space.available <= space.total && space.total > 0);
}

pub(super) async fn keys_tell_files_apart(share: Share) {
    let one = share.file("one").await.metadata().await.unwrap().key;
    let two = share.file("two").await.metadata().await.unwrap().key;
    assert_ne!(one, two);
    let handle = share.touch("one").await.unwrap();
    assert_eq!(handle.metadata().await.unwrap().key, one);
    handle.rename(&path("three"), false).await.unwrap();
    assert_eq!(handle.metadata().await.unwrap().key, one, "a rename does not change it");
}

pub(super) async fn odd_names(share: Share) {
    let long = "n".repeat(255);
    for name in ["...", ".hidden", "a b", "a.b.", "日本語", "e\u{301}", "-rf", "~", "$HOME", &long] {
        share.file_of(name, name.as_bytes()).await;
        assert_eq!(share.content(name).await, name.as_bytes());
    }
    assert_eq!(share.names("").await.len(), 10);
}
