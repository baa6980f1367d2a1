//! A directory's names as they were when the listing began.

use super::{
    dos::Kept,
    errno::status,
    extended,
    meta::{Kind, Stat},
    sandbox::for_names,
};
use crate::backend::{Entry, Result};
use rustix::{
    fd::{AsFd, OwnedFd},
    fs::{Access, AtFlags, accessat},
    io::Errno,
};
use smb_proto::status::NtStatus;
use std::{
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The listing of one handle. What is known of the entries is asked batch by batch; those that are gone by then are
/// left out, and so are links and special files, which cannot be opened, and names that no client can spell.
#[derive(Default)]
pub(super) struct Listing {
    names: Mutex<Option<Arc<[Box<str>]>>>,
}

impl Listing {
    fn names(&self) -> MutexGuard<'_, Option<Arc<[Box<str>]>>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next entries; see [`Handle::list`](crate::backend::Handle::list).
    pub(super) fn next(
        &self,
        directory: &OwnedFd,
        after: Option<&str>,
        most: usize,
        readable_only: bool,
    ) -> Result<Vec<Entry>> {
        let known = self.names().clone().filter(|_| after.is_some());
        let names = match known {
            Some(names) => names,
            None => self.names().insert(snapshot(directory)?).clone(),
        };
        let rest = names.get(behind(&names, after)).unwrap_or_default();
        let mut entries = Vec::new();
        for name in rest {
            if entries.len() == most {
                break;
            }
            entries.extend(entry(directory, name, readable_only)?);
        }
        Ok(entries)
    }
}

/// The names, in the order of their bytes.
fn snapshot(directory: &OwnedFd) -> Result<Arc<[Box<str>]>> {
    let mut names: Vec<Box<str>> = Vec::new();
    let gather = |name: &str| {
        if can_be_spelled(name) {
            names.push(name.into());
        }
        None::<()>
    };
    for_names(directory, gather)?;
    names.sort_unstable();
    Ok(names.into())
}

fn behind(names: &[Box<str>], after: Option<&str>) -> Range<usize> {
    let from = after.map_or(0, |after| names.partition_point(|name| name.as_ref() <= after));
    from..names.len()
}

/// Whether a client can ask for the name ([MS-FSCC] 2.1.5).
fn can_be_spelled(name: &str) -> bool {
    !name.contains(|c: char| u32::from(c) < 0x20 || "\"*/:<>?\\|".contains(c))
}

fn entry(directory: impl AsFd, name: &str, readable_only: bool) -> Result<Option<Entry>> {
    let stat = match Stat::of_name(&directory, name) {
        Ok(stat) => stat,
        Err(Errno::NOENT) => return Ok(None),
        Err(errno) => return Err(status(errno)),
    };
    let hidden = readable_only && accessat(&directory, name, Access::READ_OK, AtFlags::EACCESS).is_err();
    match stat.kind() {
        Kind::File | Kind::Directory if !hidden => {
            let kept = match Kept::of_name(&directory, name) {
                // What the host does not let us read of one entry keeps nobody from the others.
                Err(NtStatus::ACCESS_DENIED) => Kept::default(),
                kept => kept?,
            };
            let metadata = stat.metadata(&kept);
            let security = if readable_only { extended::security_of_name(&directory, name)? } else { None };
            Ok(Some(Entry { name: name.to_owned(), metadata, security }))
        }
        _ => Ok(None),
    }
}
