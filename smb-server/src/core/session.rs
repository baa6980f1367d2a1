//! Sessions: who somebody is, and with which keys — [MS-SMB2] 3.3.1.8.
//!
//! ```text
//!   SESSION_SETUP ──▶ Exchange (in Connection) ──▶ Valid ──── lifetime over ───▶ Expired
//!        ▲   │ MORE_PROCESSING_REQUIRED              │ ▲                          │
//!        └───┘                                       │ └──── SESSION_SETUP again ─┤
//!                  LOGOFF, PreviousSessionId,        ▼                            │
//!                  last connection gone            Ended ◀────────────────────────┘
//! ```

use super::{lock, open::Opens, quota::UserOpens, security, tree::Trees};
use smb_proto::{
    auth::Identity,
    crypto::seal::{NonceCounter, SealingKey},
    dtyp::Token,
    msg::FileTime,
};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

/// What seals a session.
#[derive(Debug)]
pub struct Sealing {
    /// Opens what the client sealed.
    pub open: SealingKey,
    /// Seals for the client.
    pub seal: SealingKey,
    /// The nonces of `seal`.
    pub nonces: NonceCounter,
}

/// Who a session belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The user's name.
    pub user: Arc<str>,
    /// Let in without proof, by the name of somebody unknown.
    pub guest: bool,
    /// Let in without a name.
    pub anonymous: bool,
}

impl Owner {
    /// The owner that an authentication found.
    pub fn of(identity: &Identity) -> Self {
        match identity {
            Identity::User { user, .. } => {
                Self { user: user.to_lowercase().into(), guest: false, anonymous: false }
            }
            Identity::Guest { .. } => Self { user: "guest".into(), guest: true, anonymous: false },
            _ => Self { user: "anonymous".into(), guest: false, anonymous: true },
        }
    }

    /// Whether nobody vouches for them: no key, so neither signed nor sealed.
    pub fn unproven(&self) -> bool {
        self.guest || self.anonymous
    }
}

/// A session.
#[derive(Debug)]
pub struct Session {
    /// Its SessionId.
    pub id: u64,
    /// Whose it is.
    pub owner: Owner,
    /// The owner, for access checks.
    pub token: Arc<Token>,
    /// Session.SigningRequired.
    pub signing_required: bool,
    /// Session.EncryptData: all requests must be sealed.
    pub encrypt: bool,
    /// What seals it, where it can be sealed.
    pub sealing: Option<Sealing>,
    /// Its share connections.
    pub trees: Trees,
    /// Its opens.
    pub opens: Opens,
    /// When it expires, as a FILETIME; 0 for never.
    expires: AtomicU64,
    ended: AtomicBool,
}

/// What a new session is made of.
#[derive(Debug)]
pub struct NewSession {
    /// Its SessionId, unguessable.
    pub id: u64,
    /// Whose it is.
    pub owner: Owner,
    /// Session.SigningRequired.
    pub signing_required: bool,
    /// Session.EncryptData.
    pub encrypt: bool,
    /// What seals it.
    pub sealing: Option<Sealing>,
    /// When it expires.
    pub expires: Option<FileTime>,
    /// The most share connections.
    pub max_trees: usize,
    /// The most opens.
    pub max_opens: usize,
    /// The opens of its user.
    pub user_opens: Arc<UserOpens>,
}

impl Session {
    /// A session.
    pub fn new(new: NewSession) -> Self {
        Self {
            id: new.id,
            token: Arc::new(security::token(&new.owner)),
            owner: new.owner,
            signing_required: new.signing_required,
            encrypt: new.encrypt,
            sealing: new.sealing,
            trees: Trees::new(new.max_trees),
            opens: Opens::new(new.max_opens, new.user_opens),
            expires: AtomicU64::new(new.expires.map_or(0, |time| time.0)),
            ended: AtomicBool::new(false),
        }
    }

    /// Whether the client must authenticate again.
    pub fn expired(&self, now: FileTime) -> bool {
        let expires = self.expires.load(Ordering::Relaxed);
        expires != 0 && expires <= now.0
    }

    /// The client has authenticated again.
    pub fn renew(&self, expires: Option<FileTime>) {
        self.expires.store(expires.map_or(0, |time| time.0), Ordering::Relaxed);
    }

    /// Whether it is over.
    pub fn ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// It is over; true for the first who says so, who then closes its opens.
    pub fn end(&self) -> bool {
        let first = !self.ended.swap(true, Ordering::AcqRel);
        if first {
            self.trees.clear();
        }
        first
    }
}

/// All sessions of a server — [MS-SMB2] 3.3.1.5 GlobalSessionTable.
#[derive(Debug, Default)]
pub struct Sessions {
    table: Mutex<HashMap<u64, Arc<Session>>>,
}

impl Sessions {
    /// Adds a session; false where its id is taken.
    pub fn insert(&self, session: Arc<Session>) -> bool {
        let mut table = lock(&self.table);
        if table.contains_key(&session.id) {
            return false;
        }
        table.insert(session.id, session);
        true
    }

    /// The session called `id`.
    pub fn get(&self, id: u64) -> Option<Arc<Session>> {
        lock(&self.table).get(&id).cloned()
    }

    /// All there are now.
    pub fn all(&self) -> Vec<Arc<Session>> {
        lock(&self.table).values().cloned().collect()
    }

    /// Takes a session out.
    pub fn remove(&self, id: u64) -> Option<Arc<Session>> {
        lock(&self.table).remove(&id)
    }

    /// The session `id`, if `owner` may end it by naming it as the previous session: the same user's, and not
    /// the session just set up — [MS-SMB2] 3.3.5.5.3.
    pub fn previous(&self, id: u64, current: &Session) -> Option<Arc<Session>> {
        let session = self.get(id)?;
        let same = session.owner == current.owner && !current.owner.unproven();
        (same && session.id != current.id).then_some(session)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        lock(&self.table).len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::quota::AllOpens;

    fn session(id: u64, user: &str, guest: bool, expires: Option<FileTime>) -> Arc<Session> {
        let owner = Owner { user: user.into(), guest, anonymous: false };
        Arc::new(Session::new(NewSession {
            id,
            owner,
            signing_required: false,
            encrypt: false,
            sealing: None,
            expires,
            max_trees: 1,
            max_opens: 1,
            user_opens: AllOpens::new(1).of(&user.into()),
        }))
    }

    #[test]
    fn expires_and_is_renewed() {
        let one = session(1, "a", false, Some(FileTime(100)));
        assert!(!one.expired(FileTime(99)) && one.expired(FileTime(100)));
        one.renew(Some(FileTime(200)));
        assert!(!one.expired(FileTime(100)));
        one.renew(None);
        assert!(!one.expired(FileTime(u64::MAX)));
    }

    #[test]
    fn ends_once() {
        let one = session(1, "a", false, None);
        assert!(one.end() && !one.end() && one.ended());
    }

    #[test]
    fn only_the_same_proven_user_ends_a_previous_session() {
        let table = Sessions::default();
        let old = session(1, "a", false, None);
        assert!(table.insert(old.clone()) && !table.insert(old));
        assert!(table.previous(1, &session(2, "a", false, None)).is_some());
        assert!(table.previous(1, &session(1, "a", false, None)).is_none());
        assert!(table.previous(1, &session(2, "b", false, None)).is_none());
        assert!(table.previous(1, &session(2, "a", true, None)).is_none());
        table.insert(session(3, "guest", true, None));
        assert!(table.previous(3, &session(4, "guest", true, None)).is_none());
    }
}
