//! A share: a name in front of a back end.

use crate::{backend::Backend, core::access};
use smb_proto::msg::Access;
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// A name that clients connect to, and the back end behind it.
pub struct Share {
    name: String,
    backend: Arc<dyn Backend>,
    read_only: bool,
    number: u64,
}

impl Share {
    /// A share called `name`.
    pub fn new(name: impl Into<String>, backend: impl Backend) -> Self {
        Self::with_backend(name, Arc::new(backend))
    }

    /// As [`new`](Self::new), with a back end that others use too.
    pub fn with_backend(name: impl Into<String>, backend: Arc<dyn Backend>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self { name: name.into(), backend, read_only: false, number: NEXT.fetch_add(1, Ordering::Relaxed) }
    }

    /// Lets nobody change anything.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What stores its files.
    pub fn backend(&self) -> &dyn Backend {
        self.backend.as_ref()
    }

    /// Whether anything on it can change.
    pub fn writable(&self) -> bool {
        !self.read_only && self.backend.capabilities().writable
    }

    /// The most its opens may be granted.
    pub fn maximal_access(&self) -> Access {
        access::maximal(self.writable())
    }

    /// Tells shares apart.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Share")
            .field("name", &self.name)
            .field("read_only", &self.read_only)
            .finish_non_exhaustive()
    }
}
