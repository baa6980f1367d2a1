//! What is told of a file's times while it is open — [MS-FSA] 2.1.4.17, [MS-FSCC] 2.4.7.

use crate::{
    backend::{Metadata, SetMetadata},
    core::open::Open,
    entropy,
};
use smb_proto::{
    msg::{FileTime, FileTimes},
    status::NtStatus,
};

/// Times that are commands: keep (all ones) and resume (all ones but the last bit) the automatic change.
const KEEP: u64 = u64::MAX;
const RESUME: u64 = u64::MAX - 1;

/// What is known of the file, as clients are told.
pub(super) async fn metadata(open: &Open) -> Result<Metadata, NtStatus> {
    Ok(told(open, open.handle.metadata().await?))
}

/// The same, of what the back end just said.
pub(super) fn told(open: &Open, mut metadata: Metadata) -> Metadata {
    let last_write = &mut metadata.times.last_write;
    let now = entropy::now();
    let told = open.with_claim(|claim| claim.write_time(|time| time.shown(*last_write, now))).flatten();
    *last_write = told.unwrap_or(*last_write);
    metadata
}

/// The open is about to write to the file.
pub(super) async fn writing(open: &Open) -> Result<(), NtStatus> {
    // The times are those of the file, not of its streams.
    if open.stream().is_some() {
        return Ok(());
    }
    let first = open.with_claim(|claim| claim.write_time(|time| time.is_real())).flatten();
    let before =
        if first == Some(true) { open.handle.metadata().await?.times.last_write } else { FileTime::NONE };
    let held = open.written().held;
    open.with_claim(|claim| {
        claim.write_time(|time| match held {
            Some(held) => time.set(held),
            None => time.write(before, entropy::now()),
        })
    });
    open.set_written(|written| written.wrote = true);
    Ok(())
}

/// What was written shows from now on.
pub(super) async fn settle(open: &Open) -> Result<(), NtStatus> {
    if open.written().wrote {
        let real = open.handle.metadata().await?.times.last_write;
        open.with_claim(|claim| claim.write_time(|time| time.settle(real)));
    }
    Ok(())
}

/// The open ends: the time of the last write becomes what it has to be.
pub(crate) async fn closing(open: &Open) {
    let written = open.written();
    if !written.wrote {
        return;
    }
    open.set_written(|written| written.wrote = false);
    let again = open.with_claim(|claim| claim.write_time(|time| time.close())).flatten();
    let last_write = written.held.or_else(|| (again == Some(true)).then(entropy::now));
    if last_write.is_some() {
        let set = SetMetadata { last_write, ..SetMetadata::default() };
        // The file is closed all the same.
        let _ = open.handle.set_metadata(set).await;
    }
}

/// The times that a FileBasicInformation sets.
pub(super) fn to_set(times: FileTimes) -> Result<SetMetadata, NtStatus> {
    Ok(SetMetadata {
        creation: time(times.creation)?,
        last_access: time(times.last_access)?,
        last_write: time(times.last_write)?,
        change: time(times.change)?,
        attributes: None,
    })
}

/// A time to set; `None` for those that leave it alone.
fn time(time: FileTime) -> Result<Option<FileTime>, NtStatus> {
    match time.0 {
        0 | KEEP | RESUME => Ok(None),
        ticks if ticks > i64::MAX.cast_unsigned() => Err(NtStatus::INVALID_PARAMETER),
        _ => Ok(Some(time)),
    }
}

/// Times were set through the open: what it writes later does not change the time of the last write, until it says so.
pub(super) fn were_set(open: &Open, times: FileTimes, set: &SetMetadata, shown: FileTime) {
    match times.last_write.0 {
        KEEP => open.set_written(|written| written.held = Some(shown)),
        RESUME => open.set_written(|written| written.held = None),
        _ => {}
    }
    if let Some(last_write) = set.last_write {
        open.set_written(|written| written.held = Some(last_write));
        open.with_claim(|claim| claim.write_time(|time| time.set(last_write)));
    }
}
