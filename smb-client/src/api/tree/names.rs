//! What is done by name. Each is one round trip, unless it says otherwise.

use super::Tree;
use crate::{
    api::{
        Directory, Metadata, MetadataChange, OpenOptions, Space,
        path::{parent, to_wire},
        tree::attached::queried,
    },
    error::{Error, UsageError},
};
use smb_proto::{
    fscc::{
        DispositionInformation, EndOfFileInformation, FileInformationClass, FsFullSizeInformation,
        Information, LinkInformation, RenameInformation, StreamEntry, StreamInformation,
        ea::{ExtendedAttribute, FullEaInformation},
    },
    msg::{Access, CreateDisposition, CreateOptions, InfoType},
    status::NtStatus,
};

/// The most extended attributes and stream names that are asked for, in bytes: all that fits in one credit.
const LISTS: u32 = 64 * 1024;

impl Tree {
    /// What is known of the file or directory at `path`. Where it is a symbolic link, servers that resolve links answer for
    /// its target; others refuse with STATUS_STOPPED_ON_SYMLINK.
    pub async fn metadata(&self, path: &str) -> Result<Metadata, Error> {
        self.metadata_by(path, CreateOptions::NONE).await
    }

    /// The same of a reparse point itself, where `path` names one.
    pub async fn symlink_metadata(&self, path: &str) -> Result<Metadata, Error> {
        self.metadata_by(path, CreateOptions::OPEN_REPARSE_POINT).await
    }

    async fn metadata_by(&self, path: &str, options: CreateOptions) -> Result<Metadata, Error> {
        let mut create = OpenOptions::metadata().request(path)?;
        create.options = options;
        let replies = self.with_open(&create, |_, _| Vec::new()).await?;
        let created = replies.first().ok_or(UsageError::Closed)?;
        Ok(Metadata::of_create(&created.parse()?))
    }

    /// Whether there is a file or directory at `path`. An error where the server does not say, as when access is denied.
    pub async fn exists(&self, path: &str) -> Result<bool, Error> {
        match self.metadata(path).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Opens a directory to list it.
    pub async fn read_dir(&self, path: &str) -> Result<Directory, Error> {
        Directory::open(self, path, "*").await
    }

    /// Opens a directory to list what matches `pattern`: `*` is any characters, `?` any one — [MS-FSCC] 2.1.4.
    pub async fn read_dir_matching(&self, path: &str, pattern: &str) -> Result<Directory, Error> {
        Directory::open(self, path, pattern).await
    }

    /// Creates a directory. One that is there is refused with STATUS_OBJECT_NAME_COLLISION.
    pub async fn create_dir(&self, path: &str) -> Result<(), Error> {
        let mut create = OpenOptions::metadata().request(path)?;
        create.disposition = CreateDisposition::CREATE;
        create.options = CreateOptions::DIRECTORY_FILE;
        self.with_open(&create, |_, _| Vec::new()).await.map(drop)
    }

    /// Creates a directory and those above it that are missing; well where it is there. A round trip for each that is
    /// missing, and one more.
    pub async fn create_dir_all(&self, path: &str) -> Result<(), Error> {
        let wire = to_wire(path)?;
        let mut missing = Vec::new();
        let mut at = wire.as_str();
        while !at.is_empty() {
            match self.create_dir(at).await {
                Ok(()) => break,
                Err(error) if error.status() == Some(NtStatus::OBJECT_PATH_NOT_FOUND) => missing.push(at),
                Err(error) if error.status() == Some(NtStatus::OBJECT_NAME_COLLISION) => {
                    if !self.metadata(at).await?.is_dir() {
                        return Err(error);
                    }
                    break;
                }
                Err(error) => return Err(error),
            }
            at = parent(at);
        }
        for path in missing.into_iter().rev() {
            match self.create_dir(path).await {
                // Somebody else was faster.
                Err(error) if error.status() == Some(NtStatus::OBJECT_NAME_COLLISION) => (),
                outcome => outcome?,
            }
        }
        Ok(())
    }

    /// Removes a file; a symbolic link itself, not its target.
    pub async fn remove_file(&self, path: &str) -> Result<(), Error> {
        self.remove(path, CreateOptions::NON_DIRECTORY_FILE).await
    }

    /// Removes an empty directory. A full one is refused with STATUS_DIRECTORY_NOT_EMPTY; see
    /// [`remove_dir_all`](Self::remove_dir_all).
    pub async fn remove_dir(&self, path: &str) -> Result<(), Error> {
        self.remove(path, CreateOptions::DIRECTORY_FILE).await
    }

    pub(super) async fn remove(&self, path: &str, kind: CreateOptions) -> Result<(), Error> {
        let mut create = OpenOptions::metadata().request(path)?;
        if create.name.is_empty() {
            return Err(UsageError::Path("the share's root cannot be removed").into());
        }
        create.desired_access = Access::DELETE | Access::READ_ATTRIBUTES;
        create.options = kind.with(CreateOptions::OPEN_REPARSE_POINT);
        // Unlike FILE_DELETE_ON_CLOSE it fails at once where it cannot be done.
        let delete = DispositionInformation { delete_pending: true };
        self.with_open(&create, |at, file_id| vec![at.set(file_id, &delete)]).await.map(drop)
    }

    /// Renames or moves within the share — [MS-FSCC] 2.4.41. `replace` lets it replace a file that is there; else that is
    /// refused with STATUS_OBJECT_NAME_COLLISION.
    pub async fn rename(&self, from: &str, to: &str, replace: bool) -> Result<(), Error> {
        let name = self.target(from, to, "the share's root cannot be renamed")?;
        let rename = RenameInformation { replace_if_exists: replace, name };
        let options = CreateOptions::OPEN_REPARSE_POINT;
        self.set_by(from, Access::DELETE | Access::READ_ATTRIBUTES, options, &rename).await
    }

    /// Gives the file at `path` a second name, `link` — [MS-FSCC] 2.4.27. `replace` as for [`rename`](Self::rename).
    /// STATUS_NOT_SUPPORTED where the file system has no hard links.
    pub async fn hard_link(&self, path: &str, link: &str, replace: bool) -> Result<(), Error> {
        let name = self.target(path, link, "the share's root cannot be linked")?;
        let link = LinkInformation { replace_if_exists: replace, name };
        let access = Access::WRITE_ATTRIBUTES | Access::READ_ATTRIBUTES;
        self.set_by(path, access, CreateOptions::NON_DIRECTORY_FILE, &link).await
    }

    fn target(&self, from: &str, to: &str, root: &'static str) -> Result<String, Error> {
        let (from, to) = (to_wire(from)?, to_wire(to)?);
        if from.is_empty() || to.is_empty() { Err(UsageError::Path(root).into()) } else { Ok(to) }
    }

    /// Changes times and attributes of a file or directory — [MS-FSCC] 2.4.7.
    pub async fn set_metadata(&self, path: &str, change: &MetadataChange) -> Result<(), Error> {
        self.set(path, &change.information()).await
    }

    /// Cuts the file at `path` to, or extends it with zeros to, `size` bytes — [MS-FSCC] 2.4.13.
    pub async fn set_len(&self, path: &str, size: u64) -> Result<(), Error> {
        self.set(path, &EndOfFileInformation { end_of_file: size }).await
    }

    /// An information class of [MS-FSCC] 2.4 or 2.5 of the file or directory at `path`, of at most `max_output` bytes.
    pub async fn query<I: Information>(&self, path: &str, max_output: u32) -> Result<I, Error> {
        let mut create = OpenOptions::metadata().request(path)?;
        if (I::INFO_TYPE, I::CLASS) == (InfoType::FILE, FileInformationClass::FULL_EA.0) {
            create.desired_access = create.desired_access | Access::READ_EA;
        }
        let replies = self.with_open(&create, |at, id| vec![at.query::<I>(id, max_output)]).await?;
        queried(replies.get(1).ok_or(UsageError::Closed)?)
    }

    /// Sets an information class of [MS-FSCC] 2.4 of the file or directory at `path`.
    pub async fn set<I: Information>(&self, path: &str, information: &I) -> Result<(), Error> {
        self.set_by(path, access_to_set(I::CLASS), CreateOptions::NONE, information).await
    }

    async fn set_by<I: Information>(
        &self,
        path: &str,
        access: Access,
        options: CreateOptions,
        information: &I,
    ) -> Result<(), Error> {
        let mut create = OpenOptions::metadata().request(path)?;
        (create.desired_access, create.options) = (access, options);
        self.with_open(&create, |at, file_id| vec![at.set(file_id, information)]).await.map(drop)
    }

    /// Room on the volume behind the share — [MS-FSCC] 2.5.4.
    pub async fn space(&self) -> Result<Space, Error> {
        Ok(Space::of(&self.query::<FsFullSizeInformation>("", 32).await?))
    }

    /// The extended attributes of a file or directory — [MS-FSCC] 2.4.15; none where it has none.
    /// STATUS_EAS_NOT_SUPPORTED where the file system has no such thing.
    pub async fn extended_attributes(&self, path: &str) -> Result<Vec<ExtendedAttribute>, Error> {
        match self.query::<FullEaInformation>(path, LISTS).await {
            Ok(found) => Ok(found.attributes),
            Err(error) if error.status() == Some(NtStatus::NO_EAS_ON_FILE) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Sets one extended attribute; an empty `value` removes it. `name` is ASCII of at most 254 bytes; servers may change
    /// its case.
    pub async fn set_extended_attribute(&self, path: &str, name: &str, value: &[u8]) -> Result<(), Error> {
        if name.is_empty() || name.len() > 254 || !name.is_ascii() || value.len() > usize::from(u16::MAX) {
            let rule = "a name of 1 to 254 ASCII bytes, a value of at most 65535 bytes";
            return Err(UsageError::Option { option: "extended attribute", rule }.into());
        }
        let (name, value) = (name.as_bytes().to_vec(), value.to_vec());
        let attribute = ExtendedAttribute { need_ea: false, name, value };
        self.set(path, &FullEaInformation { attributes: vec![attribute] }).await
    }

    /// The streams of a file — [MS-FSCC] 2.4.47 — its data (`::$DATA`) included. To open one: [`OpenOptions::stream`].
    pub async fn streams(&self, path: &str) -> Result<Vec<StreamEntry>, Error> {
        Ok(self.query::<StreamInformation>(path, LISTS).await?.streams)
    }
}

/// The rights that setting a class takes — [MS-SMB2] 3.3.5.21.1.
fn access_to_set(class: u8) -> Access {
    let access = match FileInformationClass(class) {
        FileInformationClass::END_OF_FILE
        | FileInformationClass::ALLOCATION
        | FileInformationClass::VALID_DATA_LENGTH => Access::WRITE_DATA,
        FileInformationClass::RENAME
        | FileInformationClass::RENAME_EX
        | FileInformationClass::DISPOSITION
        | FileInformationClass::DISPOSITION_EX => Access::DELETE,
        FileInformationClass::FULL_EA => Access::WRITE_EA,
        _ => Access::WRITE_ATTRIBUTES,
    };
    access | Access::READ_ATTRIBUTES | Access::SYNCHRONIZE
}
