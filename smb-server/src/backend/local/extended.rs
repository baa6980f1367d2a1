//! What a file has beside its data and attributes, in extended attributes of the host:
//!
//! | attribute | what |
//! |---|---|
//! | `user.smb.sd` | the security descriptor: a byte 1, then the descriptor in self-relative form ([MS-DTYP] 2.4.6) |
//! | `user.DosStream.NAME:$DATA` | a named stream: its bytes and a byte 0 behind them, as Samba's `streams_xattr` |
//! | `user.DOSATTRIB` | attributes and creation time, see `dos` |
//! | any other `user.NAME` | the extended attribute NAME of the file, as in Samba with `ea support` |
//!
//! What fits is up to the file system: 64 KiB for each on XFS and btrfs, 4 KiB for all of a file together on ext4.

use super::xattr;
use crate::backend::{Result, StreamInfo, case::same};
use rustix::fd::AsFd;
use smb_proto::{fscc::ea::ExtendedAttribute, status::NtStatus};

const SECURITY: &str = "user.smb.sd";
const SECURITY_FORM: u8 = 1;
const USER: &str = "user.";
const STREAM: &str = "user.DosStream.";
const STREAM_TYPE: &str = ":$DATA";
/// XATTR_NAME_MAX of Linux.
const MOST_NAME: usize = 255;
/// What a stream of this kind can hold: XATTR_SIZE_MAX without the byte behind it.
pub(super) const MOST_STREAM: usize = 65_535;

pub(super) fn security(fd: impl AsFd) -> Result<Option<Vec<u8>>> {
    Ok(xattr::get(fd, SECURITY)?.and_then(|value| descriptor(&value)))
}

pub(super) fn security_of_name(directory: impl AsFd, name: &str) -> Result<Option<Vec<u8>>> {
    Ok(xattr::get_of_name(directory, name, SECURITY)?.and_then(|value| descriptor(&value)))
}

fn descriptor(value: &[u8]) -> Option<Vec<u8>> {
    value.strip_prefix(&[SECURITY_FORM]).map(<[u8]>::to_vec)
}

pub(super) fn set_security(fd: impl AsFd, descriptor: &[u8]) -> Result<()> {
    let value: Vec<u8> = [&[SECURITY_FORM], descriptor].concat();
    xattr::set(fd, SECURITY, &value)
}

/// Whether the attribute is something else than an extended attribute of the file.
fn reserved(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name == "dosattrib" || name.starts_with("smb.") || name.starts_with("dosstream.")
}

pub(super) fn attributes(fd: impl AsFd) -> Result<Vec<ExtendedAttribute>> {
    let mut all = Vec::new();
    for name in xattr::list(&fd)? {
        let Some(short) = name.strip_prefix(USER).filter(|short| !reserved(short)) else { continue };
        if let Some(value) = xattr::get(&fd, &name)?.filter(|value| !value.is_empty()) {
            all.push(ExtendedAttribute { need_ea: false, name: short.into(), value });
        }
    }
    Ok(all)
}

pub(super) fn set_attributes(fd: impl AsFd, changes: &[ExtendedAttribute]) -> Result<()> {
    let known = xattr::list(&fd)?;
    for change in changes {
        let name = std::str::from_utf8(&change.name).map_err(|_| NtStatus::INVALID_PARAMETER)?;
        if reserved(name) {
            return Err(NtStatus::ACCESS_DENIED);
        }
        let full = format!("{USER}{name}");
        let full = known.iter().find(|known| known.eq_ignore_ascii_case(&full)).unwrap_or(&full);
        let done = match change.value.is_empty() {
            true => xattr::remove(&fd, full),
            false => xattr::set(&fd, full, &change.value),
        };
        done.map_err(|status| if status == NtStatus::DISK_FULL { NtStatus::EA_TOO_LARGE } else { status })?;
    }
    Ok(())
}

/// The attribute that holds a stream.
fn stream_name(name: &str) -> Result<String> {
    let full = format!("{STREAM}{name}{STREAM_TYPE}");
    if full.len() > MOST_NAME { Err(NtStatus::OBJECT_NAME_INVALID) } else { Ok(full) }
}

fn short_name(full: &str) -> Option<&str> {
    full.strip_prefix(STREAM)?.strip_suffix(STREAM_TYPE)
}

fn stream_bytes(mut value: Vec<u8>) -> Vec<u8> {
    value.pop();
    value
}

/// The stream's bytes.
pub(super) fn stream(fd: impl AsFd, name: &str) -> Result<Option<Vec<u8>>> {
    Ok(xattr::get(fd, &stream_name(name)?)?.map(stream_bytes))
}

/// How many they are.
pub(super) fn stream_len(fd: impl AsFd, name: &str) -> Result<Option<usize>> {
    // Without the byte behind them.
    Ok(xattr::len(fd, &stream_name(name)?)?.map(|len| len.saturating_sub(1)))
}

pub(super) fn set_stream(fd: impl AsFd, name: &str, mut bytes: Vec<u8>) -> Result<()> {
    if bytes.len() > MOST_STREAM {
        return Err(NtStatus::DISK_FULL);
    }
    bytes.push(0);
    xattr::set(fd, &stream_name(name)?, &bytes)
}

pub(super) fn remove_stream(fd: impl AsFd, name: &str) -> Result<()> {
    xattr::remove(fd, &stream_name(name)?)
}

/// How a stream that is there is spelled.
pub(super) fn find_stream(fd: impl AsFd, name: &str, case_sensitive: bool) -> Result<Option<String>> {
    let is = |known: &str| if case_sensitive { known == name } else { same(known, name) };
    let names = xattr::list(fd)?;
    let streams = || names.iter().filter_map(|full| short_name(full));
    let found = streams().find(|known| *known == name).or_else(|| streams().find(|known| is(known)));
    Ok(found.map(str::to_owned))
}

pub(super) fn streams(fd: impl AsFd) -> Result<Vec<StreamInfo>> {
    let mut all = Vec::new();
    for full in xattr::list(&fd)? {
        let Some(name) = short_name(&full) else { continue };
        if let Some(len) = stream_len(&fd, name)? {
            all.push(StreamInfo { name: name.into(), size: to_u64(len), allocation_size: room(len) });
        }
    }
    Ok(all)
}

/// What `len` bytes are said to occupy.
pub(super) fn room(len: usize) -> u64 {
    to_u64(len).next_multiple_of(16)
}

fn to_u64(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

/// Named streams and extended attributes go.
pub(super) fn clear(fd: impl AsFd) -> Result<()> {
    for full in xattr::list(&fd)? {
        let plain = full.strip_prefix(USER).is_some_and(|short| !reserved(short));
        if plain || short_name(&full).is_some() {
            xattr::remove(&fd, &full)?;
        }
    }
    Ok(())
}
