//! Opening and creating, all of it on a blocking thread.

use super::{
    Share,
    dos::{Kept, usual},
    errno::status,
    extended,
    meta::{Kind, Stat},
    sandbox::{Spot, is_plain},
};
use crate::backend::{Existing, Initial, Maker, OpenRequest, Parent, Result, Type};
use rustix::{
    fd::OwnedFd,
    fs::{AtFlags, Mode, OFlags, mkdirat, openat, unlinkat},
    io::Errno,
};
use smb_proto::{msg::FileAttributes, status::NtStatus};
use std::sync::Arc;

/// An [`OpenRequest`] that outlives its call.
pub(super) struct Wish {
    path: Vec<String>,
    stream: Option<String>,
    wanted: Type,
    existing: Existing,
    read: bool,
    write: bool,
    attributes: FileAttributes,
    maker: Arc<dyn Maker>,
}

/// What was opened.
pub(super) struct Got {
    pub(super) fd: OwnedFd,
    pub(super) stat: Stat,
    /// Where; the root is nowhere.
    pub(super) spot: Option<Spot>,
    pub(super) created: bool,
    /// Whether `fd` only names the file (`O_PATH`).
    pub(super) path_only: bool,
    /// The stream, spelled as it is there.
    pub(super) stream: Option<String>,
    /// What was just given to a new file.
    pub(super) given: Option<Given>,
}

/// What a new file was given, so that nobody has to ask the host for it.
pub(super) struct Given {
    pub(super) kept: Kept,
    pub(super) security: Option<Vec<u8>>,
}

/// An open file with what the host says of it, and what it was given where it is new.
type Found = (OwnedFd, Stat, Option<Given>);

/// How often an open starts again because the name changed under it.
const ATTEMPTS: usize = 16;
/// Never follow, never wait for a fifo's other end, never take a terminal.
const SAFE: OFlags = OFlags::NOFOLLOW.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

impl From<OpenRequest<'_>> for Wish {
    fn from(request: OpenRequest<'_>) -> Self {
        let OpenRequest { path, stream, wanted, existing, read, write, attributes, maker } = request;
        Self {
            path: path.to_vec(),
            stream: stream.map(str::to_owned),
            wanted,
            existing,
            read,
            write,
            attributes,
            maker: Arc::clone(maker),
        }
    }
}

impl Wish {
    /// Does it.
    pub(super) fn grant(&self, share: &Share) -> Result<Got> {
        if self.write && share.read_only {
            return Err(NtStatus::MEDIA_WRITE_PROTECTED);
        }
        match &self.stream {
            None => self.open_file(share),
            Some(_) if self.wanted == Type::Directory => Err(NtStatus::NOT_A_DIRECTORY),
            Some(name) => self.open_stream(share, name),
        }
    }

    /// Opens the file that carries the stream, or makes it, then the stream. The file itself is only named: its
    /// data is no business of the stream's.
    fn open_stream(&self, share: &Share, name: &str) -> Result<Got> {
        let existing =
            if self.existing == Existing::Required { Existing::Required } else { Existing::Welcome };
        let (path, maker) = (self.path.clone(), Arc::clone(&self.maker));
        let carrier = Self { path, maker, stream: None, existing, read: false, write: false, ..*self };
        let mut got = carrier.open_file(share)?;
        if self.write && !got.created && got.stat.is_readonly() {
            return Err(NtStatus::ACCESS_DENIED);
        }
        let _changing = share.streams();
        let there = extended::find_stream(&got.fd, name, share.root.is_case_sensitive())?;
        got.created = there.is_none();
        match (&there, self.existing) {
            (Some(_), Existing::Forbidden) => return Err(NtStatus::OBJECT_NAME_COLLISION),
            (None, Existing::Required) => return Err(NtStatus::OBJECT_NAME_NOT_FOUND),
            (None, _) if share.read_only => return Err(NtStatus::MEDIA_WRITE_PROTECTED),
            (None, _) => extended::set_stream(&got.fd, name, Vec::new())?,
            (Some(_), _) => {}
        }
        got.stream = Some(there.unwrap_or_else(|| name.to_owned()));
        Ok(got)
    }

    fn open_file(&self, share: &Share) -> Result<Got> {
        for _ in 0..ATTEMPTS {
            let Some(mut spot) = share.root.find(&self.path)? else { return self.open_root(share) };
            let got = match share.root.stat(&mut spot)? {
                Some(stat) => self.open_existing(&spot, &stat)?,
                None => self.create(share, &spot)?,
            };
            if let Some((fd, stat, given)) = got {
                let created = given.is_some();
                let path_only = !created && self.path_only(stat.kind());
                return Ok(Got { fd, stat, spot: Some(spot), created, path_only, stream: None, given });
            }
        }
        // Somebody keeps swapping what the name stands for.
        Err(NtStatus::SHARING_VIOLATION)
    }

    fn open_root(&self, share: &Share) -> Result<Got> {
        match (self.existing, self.wanted) {
            (Existing::Forbidden, _) => return Err(NtStatus::OBJECT_NAME_COLLISION),
            (_, Type::File) => return Err(NtStatus::FILE_IS_A_DIRECTORY),
            _ => {}
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | SAFE;
        let fd = openat(share.root.fd(), ".", flags, Mode::empty()).map_err(status)?;
        let stat = Stat::of(&fd)?;
        Ok(Got { fd, stat, spot: None, created: false, path_only: false, stream: None, given: None })
    }

    fn path_only(&self, kind: Kind) -> bool {
        match kind {
            Kind::Directory => !self.read,
            _ => !self.read && !self.write,
        }
    }

    /// `None`: the name has changed in the meantime.
    fn open_existing(&self, spot: &Spot, stat: &Stat) -> Result<Option<Found>> {
        match (stat.kind(), self.existing, self.wanted) {
            (Kind::Symlink, Existing::Required, _) => return Err(NtStatus::OBJECT_NAME_NOT_FOUND),
            (_, Existing::Forbidden, _) => return Err(NtStatus::OBJECT_NAME_COLLISION),
            (Kind::Symlink | Kind::Special, ..) => return Err(NtStatus::ACCESS_DENIED),
            (Kind::Directory, _, Type::File) => return Err(NtStatus::FILE_IS_A_DIRECTORY),
            (Kind::File, _, Type::Directory) => return Err(NtStatus::NOT_A_DIRECTORY),
            (Kind::File, ..) if self.write && stat.is_readonly() => return Err(NtStatus::ACCESS_DENIED),
            _ => {}
        }
        match openat(&spot.directory, &spot.name, self.flags(stat.kind()), Mode::empty()) {
            Ok(fd) => {
                let opened = Stat::of(&fd)?;
                let same = opened.key() == stat.key() && opened.kind() == stat.kind();
                Ok(same.then_some((fd, opened, None)))
            }
            // It became a link, went away, became a fifo or another type.
            Err(Errno::LOOP | Errno::NOENT | Errno::NXIO | Errno::NOTDIR | Errno::ISDIR) => Ok(None),
            Err(errno) => Err(status(errno)),
        }
    }

    fn flags(&self, kind: Kind) -> OFlags {
        let access = match (kind, self.read, self.write) {
            (Kind::Directory, true, _) => OFlags::RDONLY | OFlags::DIRECTORY,
            (Kind::Directory, false, _) => OFlags::PATH | OFlags::DIRECTORY,
            (_, false, false) => OFlags::PATH,
            (_, false, true) => OFlags::WRONLY,
            (_, true, false) => OFlags::RDONLY,
            (_, true, true) => OFlags::RDWR,
        };
        access | SAFE
    }

    /// `None`: somebody else created it in the meantime.
    fn create(&self, share: &Share, spot: &Spot) -> Result<Option<Found>> {
        if self.existing == Existing::Required {
            return Err(NtStatus::OBJECT_NAME_NOT_FOUND);
        }
        if share.read_only {
            return Err(NtStatus::MEDIA_WRITE_PROTECTED);
        }
        if !is_plain(&spot.name) {
            return Err(NtStatus::OBJECT_NAME_INVALID);
        }
        let kind = if self.wanted == Type::Directory { Type::Directory } else { Type::File };
        let security = extended::security(&spot.directory)?;
        let parent = Parent { key: spot.directory.key()?, security: security.as_deref() };
        let initial = self.maker.make(parent, kind)?;
        let made = match kind {
            Type::Directory => self.make_directory(spot),
            Type::File | Type::Any => self.make_file(spot),
        };
        match made {
            Ok(fd) => match self.furnish(&fd, kind, initial).and_then(|given| Ok((given, Stat::of(&fd)?))) {
                Ok((given, stat)) => Ok(Some((fd, stat, Some(given)))),
                Err(status) => {
                    let flags = if kind == Type::Directory { AtFlags::REMOVEDIR } else { AtFlags::empty() };
                    // Nobody has been told of it yet.
                    let _ = unlinkat(&spot.directory, &spot.name, flags);
                    Err(status)
                }
            },
            Err(Errno::EXIST) => Ok(None),
            // The directory itself was removed.
            Err(Errno::NOENT) => Err(NtStatus::OBJECT_PATH_NOT_FOUND),
            Err(errno) => Err(status(errno)),
        }
    }

    /// Gives a new file what it begins with. A file system without extended attributes keeps none of it.
    fn furnish(&self, fd: &OwnedFd, kind: Type, initial: Initial) -> Result<Given> {
        let stored = |done: Result<()>| match done {
            Ok(()) => Ok(true),
            Err(NtStatus::NOT_SUPPORTED) => Ok(false),
            Err(status) => Err(status),
        };
        let mut given = Given { kept: Kept::default(), security: None };
        let directory = kind == Type::Directory;
        let elsewhere = if directory { FileAttributes::NONE } else { FileAttributes::READONLY };
        let plain = FileAttributes::NORMAL | FileAttributes::DIRECTORY | FileAttributes::REPARSE_POINT;
        let attributes = self.attributes.without(plain).without(elsewhere).with(usual(directory));
        if attributes != usual(directory) {
            let kept = Kept { attributes: Some(attributes), ..Kept::default() };
            if stored(kept.store(fd, directory))? {
                given.kept = kept;
            }
        }
        if let Some(descriptor) = initial.security
            && stored(extended::set_security(fd, &descriptor))?
        {
            given.security = Some(descriptor);
        }
        if !initial.extended.is_empty() {
            extended::set_attributes(fd, &initial.extended)?;
        }
        Ok(given)
    }

    fn make_directory(&self, spot: &Spot) -> rustix::io::Result<OwnedFd> {
        mkdirat(&spot.directory, &spot.name, Mode::from_raw_mode(0o777))?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | SAFE;
        openat(&spot.directory, &spot.name, flags, Mode::empty())
    }

    fn make_file(&self, spot: &Spot) -> rustix::io::Result<OwnedFd> {
        let readonly = self.attributes.contains(FileAttributes::READONLY);
        let mode = Mode::from_raw_mode(if readonly { 0o444 } else { 0o666 });
        let access = match (self.read, self.write) {
            (_, false) => OFlags::RDONLY,
            (false, true) => OFlags::WRONLY,
            (true, true) => OFlags::RDWR,
        };
        openat(&spot.directory, &spot.name, access | OFlags::CREATE | OFlags::EXCL | SAFE, mode)
    }
}

/// Opens a file that is only named so far for changing what is known of it.
pub(super) fn reopen(spot: &Spot, named: &Stat) -> Result<OwnedFd> {
    let fd = openat(&spot.directory, &spot.name, OFlags::RDONLY | SAFE, Mode::empty()).map_err(status)?;
    if Stat::of(&fd)?.key() == named.key() { Ok(fd) } else { Err(NtStatus::FILE_DELETED) }
}
