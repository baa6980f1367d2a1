//! The names of a share: a tree of nodes, each found by its number. Pure: the clock is an argument.

use super::{data::Data, quota::Quota, streams::Streams};
use crate::backend::{Existing, FileKey, Initial, OpenRequest, Parent, Path, Result, Type, case::fold};
use smb_proto::{
    fscc::ea::ExtendedAttribute,
    msg::{FileAttributes, FileTime, FileTimes},
    status::NtStatus,
};
use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The number of the root.
const ROOT: u64 = 1;

/// A file or directory, with or without a name.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) number: u64,
    /// `None`: a directory.
    pub(super) data: Option<Arc<Data>>,
    info: Mutex<Info>,
    extra: Mutex<Extra>,
}

/// What is known of a node beside its data.
#[derive(Debug, Clone, Copy)]
pub(super) struct Info {
    /// Without DIRECTORY and NORMAL.
    pub(super) attributes: FileAttributes,
    pub(super) times: FileTimes,
}

/// What most nodes have none of, or is seldom asked for.
#[derive(Debug, Default)]
pub(super) struct Extra {
    pub(super) security: Option<Vec<u8>>,
    pub(super) extended: Vec<ExtendedAttribute>,
    pub(super) streams: Streams,
}

impl Node {
    fn new(
        number: u64,
        data: Option<Data>,
        attributes: FileAttributes,
        initial: Initial,
        now: FileTime,
    ) -> Arc<Self> {
        let times = FileTimes { creation: now, last_access: now, last_write: now, change: now };
        let Initial { security, extended } = initial;
        let extra = Extra { security, extended, streams: Streams::default() };
        let info = Mutex::new(Info { attributes, times });
        Arc::new(Self { number, data: data.map(Arc::new), info, extra: Mutex::new(extra) })
    }

    pub(super) fn extra(&self) -> MutexGuard<'_, Extra> {
        self.extra.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn info(&self) -> MutexGuard<'_, Info> {
        self.info.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_directory(&self) -> bool {
        self.data.is_none()
    }

    /// The data was written.
    pub(super) fn written(&self, now: FileTime) {
        let mut info = self.info();
        info.times.last_write = now;
        info.times.change = now;
    }
}

/// Where a node hangs in the tree.
#[derive(Debug)]
struct Place {
    node: Arc<Node>,
    /// The root is its own parent.
    parent: u64,
    name: String,
    /// Folded names.
    children: BTreeMap<String, u64>,
}

/// All nodes that have a name.
#[derive(Debug)]
pub(super) struct Tree {
    places: HashMap<u64, Place>,
    next: u64,
    quota: Arc<Quota>,
}

impl Tree {
    pub(super) fn new(quota: Arc<Quota>, now: FileTime) -> Self {
        let node = Node::new(ROOT, None, FileAttributes::NONE, Initial::default(), now);
        let root = Place { node, parent: ROOT, name: String::new(), children: BTreeMap::new() };
        Self { places: HashMap::from([(ROOT, root)]), next: ROOT + 1, quota }
    }

    fn place(&self, number: u64) -> Result<&Place> {
        self.places.get(&number).ok_or(NtStatus::FILE_DELETED)
    }

    fn child(&self, parent: u64, name: &str) -> Option<&Place> {
        let number = self.places.get(&parent)?.children.get(&fold(name))?;
        self.places.get(number)
    }

    /// The directory that holds the last component, and that component; `None` for the root.
    fn parent_of<'p>(&self, path: &'p Path) -> Result<Option<(u64, &'p str)>> {
        let Some((name, directories)) = path.split_last() else { return Ok(None) };
        let mut at = ROOT;
        for directory in directories {
            let place = self.child(at, directory).ok_or(NtStatus::OBJECT_PATH_NOT_FOUND)?;
            if !place.node.is_directory() {
                return Err(NtStatus::OBJECT_PATH_NOT_FOUND);
            }
            at = place.node.number;
        }
        Ok(Some((at, name)))
    }

    /// What an open finds: `None` where it is to create.
    pub(super) fn find(&self, request: &OpenRequest<'_>) -> Result<Option<Arc<Node>>> {
        let found = match self.parent_of(request.path)? {
            None => self.places.get(&ROOT),
            Some((parent, name)) => self.child(parent, name),
        };
        let Some(place) = found else {
            return match request.existing {
                Existing::Required => Err(NtStatus::OBJECT_NAME_NOT_FOUND),
                Existing::Forbidden | Existing::Welcome => Ok(None),
            };
        };
        if request.stream.is_some() {
            return Ok(Some(Arc::clone(&place.node)));
        }
        match (request.existing, request.wanted, place.node.is_directory()) {
            (Existing::Forbidden, _, _) => Err(NtStatus::OBJECT_NAME_COLLISION),
            (_, Type::File, true) => Err(NtStatus::FILE_IS_A_DIRECTORY),
            (_, Type::Directory, false) => Err(NtStatus::NOT_A_DIRECTORY),
            _ => Ok(Some(Arc::clone(&place.node))),
        }
    }

    /// Creates what [`find`](Self::find) did not find.
    pub(super) fn create(
        &mut self,
        request: &OpenRequest<'_>,
        volume: u64,
        now: FileTime,
    ) -> Result<Arc<Node>> {
        let (parent, name) = self.parent_of(request.path)?.ok_or(NtStatus::OBJECT_NAME_COLLISION)?;
        let number = self.next;
        let plain = request.attributes.without(FileAttributes::DIRECTORY | FileAttributes::NORMAL);
        let kind = if request.wanted == Type::Directory { Type::Directory } else { Type::File };
        let security = self.place(parent)?.node.extra().security.clone();
        let key = FileKey { volume, file: parent };
        let initial = request.maker.make(Parent { key, security: security.as_deref() }, kind)?;
        let node = if kind == Type::Directory {
            Node::new(number, None, plain, initial, now)
        } else {
            let attributes = plain | FileAttributes::ARCHIVE;
            Node::new(number, Some(Data::new(Arc::clone(&self.quota))), attributes, initial, now)
        };
        let children = BTreeMap::new();
        self.places.insert(number, Place { node: Arc::clone(&node), parent, name: name.into(), children });
        self.next += 1;
        self.link(parent, name, number, now);
        Ok(node)
    }

    fn link(&mut self, parent: u64, name: &str, number: u64, now: FileTime) {
        if let Some(place) = self.places.get_mut(&parent) {
            place.children.insert(fold(name), number);
            place.node.written(now);
        }
    }

    fn unlink(&mut self, parent: u64, name: &str, now: FileTime) {
        if let Some(place) = self.places.get_mut(&parent) {
            place.children.remove(&fold(name));
            place.node.written(now);
        }
    }

    /// The node's path; `None` where it has none any more.
    pub(super) fn path(&self, mut number: u64) -> Option<Vec<String>> {
        let mut path = Vec::new();
        while number != ROOT {
            let place = self.places.get(&number)?;
            path.push(place.name.clone());
            number = place.parent;
        }
        path.reverse();
        Some(path)
    }

    /// Takes the node's name away.
    pub(super) fn remove(&mut self, number: u64, now: FileTime) -> Result<()> {
        let place = self.place(number)?;
        if number == ROOT {
            return Err(NtStatus::ACCESS_DENIED);
        }
        if !place.children.is_empty() {
            return Err(NtStatus::DIRECTORY_NOT_EMPTY);
        }
        if let Some(place) = self.places.remove(&number) {
            self.unlink(place.parent, &place.name, now);
        }
        Ok(())
    }

    /// Gives the node another place and name.
    pub(super) fn rename(&mut self, number: u64, to: &Path, replace: bool, now: FileTime) -> Result<()> {
        self.place(number)?;
        let (parent, name) = self.parent_of(to)?.ok_or(NtStatus::OBJECT_NAME_COLLISION)?;
        if number == ROOT || self.is_below(parent, number) {
            return Err(NtStatus::ACCESS_DENIED);
        }
        if let Some(there) = self.child(parent, name).map(|place| Arc::clone(&place.node)) {
            self.make_way(&there, number, replace, now)?;
        }
        let (old_parent, old_name) = match self.places.get_mut(&number) {
            Some(place) => (
                std::mem::replace(&mut place.parent, parent),
                std::mem::replace(&mut place.name, name.into()),
            ),
            None => return Err(NtStatus::FILE_DELETED),
        };
        self.unlink(old_parent, &old_name, now);
        self.link(parent, name, number, now);
        self.place(number)?.node.info().times.change = now;
        Ok(())
    }

    fn make_way(&mut self, there: &Node, number: u64, replace: bool, now: FileTime) -> Result<()> {
        if there.number == number {
            return Ok(());
        }
        if !replace {
            return Err(NtStatus::OBJECT_NAME_COLLISION);
        }
        if there.is_directory() || there.info().attributes.contains(FileAttributes::READONLY) {
            return Err(NtStatus::ACCESS_DENIED);
        }
        self.remove(there.number, now)
    }

    /// Whether `number` is `above` or lies in it.
    fn is_below(&self, mut number: u64, above: u64) -> bool {
        loop {
            if number == above {
                return true;
            }
            match self.places.get(&number) {
                Some(place) if number != ROOT => number = place.parent,
                _ => return false,
            }
        }
    }

    /// Up to `most` children behind `after`, in the order of their folded names.
    pub(super) fn list(
        &self,
        number: u64,
        after: Option<&str>,
        most: usize,
    ) -> Result<Vec<(String, Arc<Node>)>> {
        let Some(place) = self.places.get(&number) else { return Ok(Vec::new()) };
        let from = after.map_or(Bound::Unbounded, |name| Bound::Excluded(fold(name)));
        let children = place.children.range((from, Bound::Unbounded));
        let places = children.filter_map(|(_, child)| self.places.get(child));
        Ok(places.take(most).map(|place| (place.name.clone(), Arc::clone(&place.node))).collect())
    }
}
