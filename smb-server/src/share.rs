//! A share: a name in front of a back end.

use crate::{
    backend::Backend,
    core::{access, session::Owner},
};
use smb_proto::msg::Access;
use std::{
    collections::HashMap,
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
    /// Who may connect, by name in lower case, and whether they may change anything; nobody: everybody may.
    members: HashMap<String, bool>,
}

impl Share {
    /// A share called `name`.
    pub fn new(name: impl Into<String>, backend: impl Backend) -> Self {
        Self::with_backend(name, Arc::new(backend))
    }

    /// As [`new`](Self::new), with a back end that others use too.
    pub fn with_backend(name: impl Into<String>, backend: Arc<dyn Backend>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self { name: name.into(), backend, read_only: false, number, members: HashMap::new() }
    }

    /// Lets nobody change anything.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// Lets a user in, and nobody who is not let in. Guests are called `guest`, clients without a name `anonymous`.
    #[must_use]
    pub fn allow(mut self, user: &str) -> Self {
        self.members.insert(user.to_lowercase(), true);
        self
    }

    /// As [`allow`](Self::allow), for reading only.
    #[must_use]
    pub fn allow_reading(mut self, user: &str) -> Self {
        self.members.insert(user.to_lowercase(), false);
        self
    }

    /// The most that somebody's opens may be granted; `None` where they are not let in.
    pub(crate) fn access_of(&self, owner: &Owner) -> Option<Access> {
        let may_write = match self.members.get(owner.user.as_ref()) {
            Some(may_write) => *may_write,
            None if self.members.is_empty() => true,
            None => return None,
        };
        Some(access::maximal(self.writable() && may_write))
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
