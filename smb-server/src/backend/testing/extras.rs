//! Named streams, extended attributes, security descriptors, attributes, creation times and hard links.

use super::{Share, buf, list, path, read};
use crate::backend::{Existing, Handle, Initial, Maker, Parent, Result, SetMetadata, Type};
use smb_proto::{
    fscc::ea::ExtendedAttribute,
    msg::{FileAttributes, FileTime},
    status::NtStatus,
};
use std::sync::Arc;

fn attribute(name: &str, value: &[u8]) -> ExtendedAttribute {
    ExtendedAttribute { need_ea: false, name: name.into(), value: value.into() }
}

/// Name and value of what a file has, by name.
async fn extended(handle: &dyn Handle) -> Vec<(Vec<u8>, Vec<u8>)> {
    let all = handle.extended_attributes().await.unwrap();
    let mut all: Vec<_> = all.into_iter().map(|one| (one.name, one.value)).collect();
    all.sort();
    all
}

/// Name and size of the streams of a file, by name.
async fn streams(handle: &dyn Handle) -> Vec<(String, u64)> {
    let all = handle.named_streams().await.unwrap();
    let mut all: Vec<_> = all.into_iter().map(|one| (one.name, one.size)).collect();
    all.sort();
    all
}

fn has_streams(share: &Share) -> bool {
    share.backend().capabilities().named_streams
}

pub(super) async fn streams_are_files_of_their_own(share: Share) {
    if !has_streams(&share) {
        return;
    }
    let file = share.file_of("f", b"data").await;
    assert_eq!(streams(file.as_ref()).await, []);
    let stream = share.stream("f", "One", Existing::Forbidden).await.unwrap();
    assert!(stream.created && !stream.metadata.is_directory());
    assert_eq!(stream.metadata.key, file.metadata().await.unwrap().key);
    assert_eq!((stream.metadata.end_of_file, stream.metadata.allocation_size), (0, 0));
    let stream = stream.handle;
    stream.write(3, buf(b"abc"), false).await.unwrap();
    assert_eq!(read(stream.as_ref(), 0, 10).await, b"\0\0\0abc");
    assert_eq!(read(stream.as_ref(), 4, 1).await, b"b");
    assert_eq!(read(stream.as_ref(), 100, 1).await, b"");
    assert_eq!(stream.metadata().await.unwrap().end_of_file, 6);
    stream.set_len(4).await.unwrap();
    stream.set_len(5).await.unwrap();
    assert_eq!(read(stream.as_ref(), 0, 10).await, b"\0\0\0a\0");
    assert_eq!(share.content("f").await, b"data", "the file's own data is another's");
    assert_eq!(file.metadata().await.unwrap().end_of_file, 4);
    assert_eq!(streams(file.as_ref()).await, [("One".to_owned(), 5)]);
    assert_eq!(stream.list(None, 1).await, Err(NtStatus::INVALID_PARAMETER));
    assert_eq!(share.names("").await, ["f"], "no listing shows a stream");
    assert_eq!(stream.write(u64::MAX - 1, buf(b"abc"), false).await, Err(NtStatus::INVALID_PARAMETER));
}

pub(super) async fn streams_by_disposition(share: Share) {
    if !has_streams(&share) {
        return;
    }
    let open = |at: &'static str, name: &'static str, existing| {
        let share = share.clone();
        async move { share.stream(at, name, existing).await.map(|opened| opened.created) }
    };
    assert_eq!(open("f", "s", Existing::Required).await, Err(NtStatus::OBJECT_NAME_NOT_FOUND));
    assert_eq!(open("f", "s", Existing::Welcome).await, Ok(true));
    assert_eq!(share.names("").await, ["f"], "the file was made with its stream");
    assert_eq!(open("f", "t", Existing::Required).await, Err(NtStatus::OBJECT_NAME_NOT_FOUND));
    assert_eq!(open("f", "t", Existing::Forbidden).await, Ok(true));
    assert_eq!(open("f", "t", Existing::Forbidden).await, Err(NtStatus::OBJECT_NAME_COLLISION));
    assert_eq!(open("f", "t", Existing::Welcome).await, Ok(false));
    if !share.backend().capabilities().case_sensitive {
        assert_eq!(open("F", "T", Existing::Required).await, Ok(false));
    }
    assert_eq!(open("no/f", "s", Existing::Welcome).await, Err(NtStatus::OBJECT_PATH_NOT_FOUND));
    let stream = share.stream("f", "t", Existing::Required).await.unwrap().handle;
    stream.remove().await.unwrap();
    assert!(stream.remove().await.is_err());
    assert_eq!(open("f", "t", Existing::Required).await, Err(NtStatus::OBJECT_NAME_NOT_FOUND));
    assert_eq!(share.names("").await, ["f"], "the file stays");
}

pub(super) async fn streams_of_directories(share: Share) {
    if !has_streams(&share) {
        return;
    }
    let directory = share.directory("d").await;
    let stream = share.stream("d", "s", Existing::Welcome).await.unwrap();
    assert!(!stream.metadata.is_directory());
    stream.handle.write(0, buf(b"abc"), false).await.unwrap();
    assert_eq!(read(stream.handle.as_ref(), 0, 10).await, b"abc");
    assert_eq!(streams(directory.as_ref()).await, [("s".to_owned(), 3)]);
    assert_eq!(list(directory.as_ref(), 10).await, []);
}

pub(super) async fn streams_are_renamed(share: Share) {
    if !has_streams(&share) {
        return;
    }
    let file = share.file_of("f", b"data").await;
    let stream = share.stream("f", "one", Existing::Forbidden).await.unwrap().handle;
    stream.write(0, buf(b"1"), false).await.unwrap();
    stream.rename_stream("two", false).await.unwrap();
    assert_eq!(streams(file.as_ref()).await, [("two".to_owned(), 1)]);
    assert_eq!(read(stream.as_ref(), 0, 10).await, b"1");
    stream.rename_stream("TWO", false).await.unwrap();
    assert_eq!(streams(file.as_ref()).await, [("TWO".to_owned(), 1)]);
    share.stream("f", "three", Existing::Forbidden).await.unwrap();
    let refused = stream.rename_stream("three", false).await;
    assert_eq!(refused, Err(NtStatus::OBJECT_NAME_COLLISION));
    stream.rename_stream("three", true).await.unwrap();
    assert_eq!(streams(file.as_ref()).await, [("three".to_owned(), 1)]);
    assert!(file.rename_stream("x", false).await.is_err(), "the file itself is no stream");
}

pub(super) async fn streams_go_with_the_file(share: Share) {
    if !has_streams(&share) {
        return;
    }
    let file = share.file("f").await;
    share.stream("f", "s", Existing::Forbidden).await.unwrap();
    file.rename(&path("g"), false).await.unwrap();
    let stream = share.stream("g", "s", Existing::Welcome).await.unwrap();
    assert!(!stream.created);
    stream.handle.remove_file().await.unwrap();
    assert_eq!(share.names("").await, [""; 0], "by the stream the file can go, too");
    let new = share.file("g").await;
    assert_eq!(streams(new.as_ref()).await, []);
}

pub(super) async fn extended_attributes_are_kept(share: Share) {
    if !share.backend().capabilities().extended_attributes {
        return;
    }
    let file = share.file("f").await;
    assert_eq!(extended(file.as_ref()).await, []);
    file.set_extended_attributes(&[attribute("ONE", b"1"), attribute("TWO", b"22")]).await.unwrap();
    let changes = [attribute("two", b"2"), attribute("NONE", b""), attribute("THREE", b"333")];
    share.touch("f").await.unwrap().set_extended_attributes(&changes).await.unwrap();
    let named = |name: &str, value: &[u8]| (name.as_bytes().to_vec(), value.to_vec());
    let expected = [named("ONE", b"1"), named("THREE", b"333"), named("TWO", b"2")];
    assert_eq!(extended(file.as_ref()).await, expected);
    file.set_extended_attributes(&[attribute("one", b"")]).await.unwrap();
    assert_eq!(extended(file.as_ref()).await, expected[1..]);
    assert_eq!(extended(share.directory("d").await.as_ref()).await, []);
    let large = attribute("LARGE", &[1; 70_000]);
    assert_eq!(file.set_extended_attributes(&[large]).await, Err(NtStatus::EA_TOO_LARGE));
}

pub(super) async fn security_is_kept(share: Share) {
    if !share.backend().capabilities().security {
        return;
    }
    let opened = share.open("f", Type::File, Existing::Forbidden).await.unwrap();
    assert_eq!((opened.security, opened.handle.security().await), (None, Ok(None)));
    opened.handle.set_security(b"descriptor").await.unwrap();
    assert_eq!(opened.handle.security().await, Ok(Some(b"descriptor".to_vec())));
    let again = share.open_as("f", Type::Any, Existing::Required, false, false).await.unwrap();
    assert_eq!(again.security.as_deref(), Some(&b"descriptor"[..]));
    again.handle.set_security(b"another").await.unwrap();
    assert_eq!(opened.handle.security().await, Ok(Some(b"another".to_vec())));
    let root = share.open("", Type::Directory, Existing::Required).await.unwrap().handle;
    root.set_security(b"root").await.unwrap();
    let root = share.open("", Type::Directory, Existing::Required).await.unwrap();
    assert_eq!(root.security.as_deref(), Some(&b"root"[..]));
}

/// Gives each file its directory's descriptor with a letter behind it, and refuses some.
struct Heir;

impl Maker for Heir {
    fn make(&self, parent: Parent<'_>, kind: Type) -> Result<Initial> {
        let letter: &[u8] = if kind == Type::Directory { b"d" } else { b"f" };
        let security = [parent.security.unwrap_or_default(), letter].concat();
        if security.len() > 2 {
            return Err(NtStatus::ACCESS_DENIED);
        }
        Ok(Initial { security: Some(security), extended: vec![attribute("E", b"e")] })
    }
}

pub(super) async fn a_maker_decides(share: Share) {
    let capabilities = share.backend().capabilities();
    if !capabilities.security || !capabilities.extended_attributes {
        return;
    }
    let share = share.with_maker(Arc::new(Heir));
    let directory = share.open("d", Type::Directory, Existing::Welcome).await.unwrap();
    assert_eq!(directory.security.as_deref(), Some(&b"d"[..]));
    let file = share.open("d/f", Type::Any, Existing::Welcome).await.unwrap();
    assert_eq!(file.security.as_deref(), Some(&b"df"[..]));
    assert_eq!(extended(file.handle.as_ref()).await, [(b"E".to_vec(), b"e".to_vec())]);
    share.directory("d/d").await;
    assert_eq!(share.refusal("d/d/f", Type::File, Existing::Welcome).await, NtStatus::ACCESS_DENIED);
    assert_eq!(share.names("d/d").await, [""; 0], "what was refused is not there");
}

pub(super) async fn overwriting_makes_a_new_file(share: Share) {
    let capabilities = share.backend().capabilities();
    let file = share.file_of("f", b"data").await;
    let key = file.metadata().await.unwrap().key;
    if capabilities.named_streams {
        share.stream("f", "s", Existing::Forbidden).await.unwrap();
    }
    if capabilities.extended_attributes {
        file.set_extended_attributes(&[attribute("OLD", b"1")]).await.unwrap();
    }
    let new = [attribute("NEW", b"2")];
    let new = if capabilities.extended_attributes { &new[..] } else { &[] };
    let attributes = FileAttributes::HIDDEN.with(FileAttributes::ARCHIVE);
    let metadata = file.overwrite(attributes, new).await.unwrap();
    assert_eq!((metadata.key, metadata.end_of_file), (key, 0));
    assert_eq!(metadata.attributes, attributes);
    assert_eq!(metadata, file.metadata().await.unwrap());
    assert_eq!(streams(file.as_ref()).await, []);
    assert_eq!(extended(file.as_ref()).await.len(), new.len());
}

pub(super) async fn other_attributes_are_kept(share: Share) {
    let set = |attributes| SetMetadata { attributes: Some(attributes), ..SetMetadata::default() };
    let opened = share.open("f", Type::File, Existing::Forbidden).await.unwrap();
    assert_eq!(opened.metadata.attributes, FileAttributes::ARCHIVE);
    let file = opened.handle;
    let all = FileAttributes::HIDDEN
        .with(FileAttributes::SYSTEM)
        .with(FileAttributes::READONLY)
        .with(FileAttributes::ARCHIVE);
    for attributes in [all, FileAttributes::SYSTEM, FileAttributes::NORMAL, FileAttributes::ARCHIVE] {
        file.set_metadata(set(attributes)).await.unwrap();
        assert_eq!(file.metadata().await.unwrap().attributes, attributes);
        assert_eq!(share.touch("f").await.unwrap().metadata().await.unwrap().attributes, attributes);
        let root = share.open("", Type::Directory, Existing::Required).await.unwrap().handle;
        assert_eq!(list(root.as_ref(), 10).await[0].metadata.attributes, attributes);
    }
    let directory = share.directory("d").await;
    assert_eq!(directory.metadata().await.unwrap().attributes, FileAttributes::DIRECTORY);
    directory.set_metadata(set(FileAttributes::HIDDEN)).await.unwrap();
    let hidden = FileAttributes::DIRECTORY.with(FileAttributes::HIDDEN);
    assert_eq!(directory.metadata().await.unwrap().attributes, hidden);
}

pub(super) async fn creation_time_is_kept(share: Share) {
    let file = share.file("f").await;
    let creation = FileTime::from_unix(1_000_000_000, 700);
    let set = SetMetadata { creation: Some(creation), ..SetMetadata::default() };
    share.touch("f").await.unwrap().set_metadata(set).await.unwrap();
    let metadata = file.metadata().await.unwrap();
    assert_eq!(metadata.times.creation, creation);
    assert_eq!(metadata.attributes, FileAttributes::ARCHIVE, "nothing else changes");
    let set = SetMetadata { attributes: Some(FileAttributes::HIDDEN), ..SetMetadata::default() };
    file.set_metadata(set).await.unwrap();
    assert_eq!(file.metadata().await.unwrap().times.creation, creation);
}

pub(super) async fn change_time_is_kept(share: Share) {
    let file = share.file("f").await;
    let (change, written) = (FileTime::from_unix(1_000_000_000, 0), FileTime::from_unix(1_100_000_000, 0));
    let set = SetMetadata { change: Some(change), last_write: Some(written), ..SetMetadata::default() };
    file.set_metadata(set).await.unwrap();
    let again = share.touch("f").await.unwrap();
    assert_eq!(again.metadata().await.unwrap().times.change, change);
    assert_eq!(again.metadata().await.unwrap().times.last_write, written);
    file.write(0, buf(b"x"), false).await.unwrap();
    assert!(again.metadata().await.unwrap().times.change > written, "the file has changed since");
}

pub(super) async fn names_as_they_are_spelled(share: Share) {
    share.directory("Dir").await;
    let file = share.file("Dir/File").await;
    let folds = !share.backend().capabilities().case_sensitive;
    let other = share.touch(if folds { "DIR/file" } else { "Dir/File" }).await.unwrap();
    let path = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    for handle in [&file, &other] {
        let spelling = handle.spelling().await.unwrap();
        assert_eq!(spelling.map(|spelling| spelling.path), path(&["Dir", "File"]));
    }
    if has_streams(&share) {
        share.stream("Dir/File", "Stream", Existing::Welcome).await.unwrap();
        let stream = share.stream("Dir/File", "stream", Existing::Welcome).await.unwrap().handle;
        assert_eq!(stream.spelling().await.unwrap().unwrap().stream.as_deref(), Some("Stream"));
    }
    other.rename(&super::path("Moved"), false).await.unwrap();
    assert_eq!(file.spelling().await.unwrap().map(|spelling| spelling.path), path(&["Moved"]));
    file.remove().await.unwrap();
    assert_eq!(file.spelling().await.unwrap(), None);
}

pub(super) async fn space_is_reserved(share: Share) {
    let file = share.file_of("f", b"data").await;
    file.reserve(100_000).await.unwrap();
    let metadata = file.metadata().await.unwrap();
    assert_eq!(metadata.end_of_file, 4);
    assert!(metadata.allocation_size >= 100_000);
    file.set_len(0).await.unwrap();
    assert_eq!(file.metadata().await.unwrap().allocation_size, 0);
    file.reserve(5000).await.unwrap();
    assert_eq!(file.metadata().await.unwrap().allocation_size, 8192, "even of an empty file");
    assert_eq!(share.directory("d").await.reserve(1).await, Err(NtStatus::INVALID_DEVICE_REQUEST));
}

pub(super) async fn hard_links(share: Share) {
    if !share.backend().capabilities().hard_links {
        return;
    }
    let file = share.file_of("f", b"data").await;
    let directory = share.directory("d").await;
    file.link(&path("d/g"), false).await.unwrap();
    assert_eq!(file.metadata().await.unwrap().links, 2);
    let other = share.touch("d/g").await.unwrap();
    assert_eq!(other.metadata().await.unwrap().key, file.metadata().await.unwrap().key);
    assert_eq!(file.link(&path("d/g"), false).await, Err(NtStatus::OBJECT_NAME_COLLISION));
    assert_eq!(file.link(&path("no/g"), false).await, Err(NtStatus::OBJECT_PATH_NOT_FOUND));
    assert_eq!(directory.link(&path("e"), false).await, Err(NtStatus::FILE_IS_A_DIRECTORY));
    file.remove().await.unwrap();
    assert_eq!(share.content("d/g").await, b"data");
    assert_eq!(other.metadata().await.unwrap().links, 1);
}

pub(super) async fn hard_links_replace(share: Share) {
    if !share.backend().capabilities().hard_links {
        return;
    }
    let file = share.file_of("f", b"new").await;
    let old = share.file_of("g", b"old").await;
    file.link(&path("g"), true).await.unwrap();
    assert_eq!(share.content("g").await, b"new");
    assert_eq!(read(old.as_ref(), 0, 10).await, b"old");
    share.directory("d").await;
    assert_eq!(file.link(&path("d"), true).await, Err(NtStatus::ACCESS_DENIED));
    assert_eq!(share.names("").await, ["d", "f", "g"]);
}
