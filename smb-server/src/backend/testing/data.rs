//! Bytes, sizes, times and attributes.

use super::{Share, buf, read, set_readonly};
use crate::backend::{Existing, SetMetadata, Type};
use smb_proto::{
    msg::{FileAttributes, FileTime},
    status::NtStatus,
};

pub(super) async fn read_what_was_written(share: Share) {
    let file = share.file("f").await;
    file.write(0, buf(b"hello world"), false).await.unwrap();
    file.write(6, buf(b"there"), false).await.unwrap();
    assert_eq!(read(file.as_ref(), 0, 100).await, b"hello there");
    assert_eq!(read(file.as_ref(), 3, 4).await, b"lo t");
    file.write(0, buf(b"hello there"), true).await.unwrap();
    file.flush().await.unwrap();
    file.close(true).await.unwrap();
    drop(file);
    assert_eq!(share.content("f").await, b"hello there");
}

pub(super) async fn holes_are_zero(share: Share) {
    let file = share.file("f").await;
    let far = 3 << 20;
    file.write(far, buf(b"x"), false).await.unwrap();
    assert_eq!(read(file.as_ref(), 0, 5).await, [0; 5]);
    assert_eq!(read(file.as_ref(), far - 2, 5).await, b"\0\0x");
}

pub(super) async fn the_end_of_the_file(share: Share) {
    let file = share.file_of("f", b"abc").await;
    assert_eq!(read(file.as_ref(), 1, 100).await, b"bc");
    assert_eq!(read(file.as_ref(), 3, 10).await, b"");
    assert_eq!(read(file.as_ref(), u64::MAX - 1, 10).await, b"");
    assert_eq!(read(file.as_ref(), 0, 0).await, b"");
    assert_eq!(file.write(u64::MAX - 1, buf(b"xyz"), false).await, Err(NtStatus::INVALID_PARAMETER));
    assert_eq!(file.metadata().await.unwrap().end_of_file, 3);
}

pub(super) async fn cut_and_extend(share: Share) {
    let file = share.file_of("f", &[7; 10_000]).await;
    file.set_len(4).await.unwrap();
    assert_eq!(read(file.as_ref(), 0, 100).await, [7; 4]);
    file.set_len(8).await.unwrap();
    assert_eq!(read(file.as_ref(), 0, 100).await, [7, 7, 7, 7, 0, 0, 0, 0]);
    file.set_len(0).await.unwrap();
    let metadata = file.metadata().await.unwrap();
    assert_eq!((metadata.end_of_file, metadata.allocation_size), (0, 0));
}

pub(super) async fn write_in_parallel(share: Share) {
    const PART: usize = 300_000;
    let file = share.file("f").await;
    let writes: Vec<_> = (0..8u8)
        .map(|part| {
            let file = file.clone();
            let offset = u64::from(part) * u64::try_from(PART).unwrap();
            tokio::spawn(async move { file.write(offset, buf(&[part; PART]), false).await })
        })
        .collect();
    for write in writes {
        write.await.unwrap().unwrap();
    }
    let all = read(file.as_ref(), 0, 8 * PART).await;
    assert_eq!(all.len(), 8 * PART);
    assert!(all.chunks(PART).zip(0..).all(|(chunk, part)| chunk.iter().all(|byte| *byte == part)));
}

pub(super) async fn large_file(share: Share) {
    let file = share.file("f").await;
    let far = 5 << 32;
    file.write(far, buf(b"end"), false).await.unwrap();
    let metadata = file.metadata().await.unwrap();
    assert_eq!(metadata.end_of_file, far + 3);
    assert!(metadata.allocation_size < 1 << 30, "a hole occupies nothing");
    assert_eq!(read(file.as_ref(), far - 1, 10).await, b"\0end");
}

pub(super) async fn data_of_directories(share: Share) {
    let directory = share.directory("d").await;
    let refused = Err(NtStatus::INVALID_DEVICE_REQUEST);
    assert_eq!(directory.read(0, buf(b"123")).await.map(|_| ()), refused);
    assert_eq!(directory.write(0, buf(b"123"), false).await, refused);
    assert_eq!(directory.set_len(1).await, refused);
    directory.flush().await.unwrap();
    let file = share.file("f").await;
    assert_eq!(file.list(None, 1).await, Err(NtStatus::INVALID_PARAMETER));
}

pub(super) async fn metadata_follows_the_data(share: Share) {
    let opened = share.open("f", Type::File, Existing::Welcome).await.unwrap();
    let before = opened.metadata;
    assert!(opened.created && !before.is_directory());
    assert_eq!((before.end_of_file, before.allocation_size, before.links), (0, 0, 1));
    assert!(before.times.creation.0 > 0 && before.times.last_write.0 > 0);
    opened.handle.write(0, buf(&[1; 5000]), false).await.unwrap();
    let after = opened.handle.metadata().await.unwrap();
    assert_eq!((after.key, after.end_of_file), (before.key, 5000));
    assert!(after.allocation_size >= 5000 && after.times.last_write >= before.times.last_write);
    let again = share.open("f", Type::Any, Existing::Welcome).await.unwrap();
    assert!(!again.created);
    assert_eq!(again.metadata.end_of_file, 5000);
}

pub(super) async fn times_can_be_set(share: Share) {
    let file = share.file("f").await;
    let (written, read) = (FileTime::from_unix(1_000_000_000, 500), FileTime::from_unix(1_100_000_000, 0));
    let both = SetMetadata { last_write: Some(written), last_access: Some(read), ..SetMetadata::default() };
    file.set_metadata(both).await.unwrap();
    let times = file.metadata().await.unwrap().times;
    assert_eq!((times.last_write, times.last_access), (written, read));
    let one = SetMetadata { last_access: Some(written), ..SetMetadata::default() };
    share.touch("f").await.unwrap().set_metadata(one).await.unwrap();
    let times = file.metadata().await.unwrap().times;
    assert_eq!((times.last_write, times.last_access), (written, written));
}

pub(super) async fn readonly_is_kept(share: Share) {
    let file = share.file("f").await;
    set_readonly(file.as_ref(), true).await;
    assert!(file.metadata().await.unwrap().attributes.contains(FileAttributes::READONLY));
    file.write(0, buf(b"the handle was granted before"), false).await.unwrap();
    assert_eq!(share.refusal("f", Type::File, Existing::Required).await, NtStatus::ACCESS_DENIED);
    share.content("f").await;
    let named = share.touch("f").await.unwrap();
    named.remove().await.unwrap();
    assert_eq!(share.refusal("f", Type::File, Existing::Required).await, NtStatus::OBJECT_NAME_NOT_FOUND);
}
