//! How a file is opened.

use crate::{
    api::{File, Tree, path},
    error::Error,
};
use smb_proto::msg::{
    Access, CreateDisposition, CreateOptions, CreateRequest, FileAttributes, ImpersonationLevel, OplockLevel,
    ShareAccess,
};

/// How a file is opened: rights, disposition, what others may do meanwhile.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    access: Access,
    share: ShareAccess,
    disposition: CreateDisposition,
    options: CreateOptions,
    stream: Option<String>,
}

impl OpenOptions {
    /// An existing file, to read.
    pub fn read() -> Self {
        let access = Access::READ_DATA | Access::READ_ATTRIBUTES | Access::SYNCHRONIZE;
        Self::file(access, CreateDisposition::OPEN)
    }

    /// A file to write: created, or emptied where it is there.
    pub fn write() -> Self {
        let access = Access::WRITE_DATA
            | Access::APPEND_DATA
            | Access::READ_ATTRIBUTES
            | Access::WRITE_ATTRIBUTES
            | Access::SYNCHRONIZE;
        Self::file(access, CreateDisposition::OVERWRITE_IF)
    }

    /// A file to read and write: created where it is not there, else as it is.
    pub fn read_write() -> Self {
        let write = Self::write();
        let access = write.access | Access::READ_DATA | Access::DELETE;
        Self::file(access, CreateDisposition::OPEN_IF)
    }

    /// A file to write, and to read back: created, or emptied where it is there.
    pub fn write_and_read() -> Self {
        Self::write().with_access(Access::READ_DATA)
    }

    /// A file or directory of which only attributes are wanted.
    pub(crate) fn metadata() -> Self {
        let access = Access::READ_ATTRIBUTES | Access::SYNCHRONIZE;
        let (disposition, options) = (CreateDisposition::OPEN, CreateOptions::NONE);
        Self { access, share: ShareAccess::ALL, disposition, options, stream: None }
    }

    fn file(access: Access, disposition: CreateDisposition) -> Self {
        let options = CreateOptions::NON_DIRECTORY_FILE;
        Self { access, share: ShareAccess::ALL, disposition, options, stream: None }
    }

    /// The rights asked for.
    #[must_use]
    pub fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// Further rights.
    #[must_use]
    pub fn with_access(self, access: Access) -> Self {
        let access = self.access | access;
        self.access(access)
    }

    /// The named stream of the file instead of its data — [MS-FSCC] 2.1.5.
    #[must_use]
    pub fn stream(mut self, name: &str) -> Self {
        self.stream = Some(name.to_owned());
        self
    }

    /// What others may do meanwhile; anything by default.
    #[must_use]
    pub fn share(mut self, share: ShareAccess) -> Self {
        self.share = share;
        self
    }

    /// What to do where the file is there, or not.
    #[must_use]
    pub fn disposition(mut self, disposition: CreateDisposition) -> Self {
        self.disposition = disposition;
        self
    }

    /// The options of CREATE.
    #[must_use]
    pub fn options(mut self, options: CreateOptions) -> Self {
        self.options = options;
        self
    }

    /// The request that opens `path` so.
    pub(crate) fn request(&self, path: &str) -> Result<CreateRequest, Error> {
        let mut name = path::to_wire(path)?;
        if let Some(stream) = &self.stream {
            path::check_stream(stream)?;
            name = format!("{name}:{stream}");
        }
        Ok(CreateRequest {
            oplock_level: OplockLevel::NONE,
            impersonation_level: ImpersonationLevel::IMPERSONATION,
            desired_access: self.access,
            file_attributes: FileAttributes::NONE,
            share_access: self.share,
            disposition: self.disposition,
            options: self.options,
            name,
            contexts: Vec::new(),
        })
    }

    /// Opens `path` so.
    pub async fn open(&self, tree: &Tree, path: &str) -> Result<File, Error> {
        tree.open_as(&self.request(path)?).await
    }
}
