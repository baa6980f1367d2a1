//! A share: the way from a path to requests.

pub(crate) mod attached;
pub(crate) mod copy;
mod names;
mod remove;
pub(crate) mod whole;

pub use copy::{Copied, CopyWay};
pub use remove::Removed;

use crate::{
    api::{File, OpenOptions, Session},
    core::lost::{self, Loss},
    driver::request::{Reply, Request},
    error::{Error, UsageError},
};
use attached::Attached;
use smb_proto::msg::{
    Access, CloseFlags, CloseRequest, CreateDisposition, CreateRequest, FileId, ShareType,
    TreeDisconnectRequest,
};
use std::sync::{Arc, Mutex, PoisonError};

/// A share. Clones share the connection to it; the last one to go leaves it, in the background.
///
/// It outlives its connection, as its [`Session`] does. Paths begin at the share's root; their components are separated by
/// `/` or `\`, and `..` is refused. An operation that is cancelled (its future dropped) may or may not have happened on
/// the server; it leaves nothing open there.
#[derive(Debug, Clone)]
pub struct Tree {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    session: Session,
    share: String,
    attached: Mutex<Arc<Attached>>,
    attaching: tokio::sync::Mutex<()>,
}

impl Tree {
    pub(crate) async fn connect(session: &Session, share: &str) -> Result<Self, Error> {
        if share.is_empty() || share.contains(['/', '\\']) {
            return Err(UsageError::Path("a share's name is one component").into());
        }
        let attached = Attached::connect(session, share).await?;
        let (session, share) = (session.clone(), share.to_owned());
        let attached = Mutex::new(attached);
        Ok(Self { inner: Arc::new(Inner { session, share, attached, attaching: Default::default() }) })
    }

    /// Its session.
    pub fn session(&self) -> &Session {
        &self.inner.session
    }

    /// Its name.
    pub fn share(&self) -> &str {
        &self.inner.share
    }

    /// Whether both are one share of one session.
    pub(crate) fn is_same_share(&self, other: &Self) -> bool {
        self.session().is_same(other.session()) && self.share().eq_ignore_ascii_case(other.share())
    }

    /// Disk, pipe or printer.
    pub fn share_type(&self) -> ShareType {
        self.last().response.share_type
    }

    /// The most that may be asked for on this share.
    pub fn maximal_access(&self) -> Access {
        self.last().response.maximal_access
    }

    /// Whether everything on it is sealed, though the session is not.
    pub fn is_sealed(&self) -> bool {
        self.last().need().seal
    }

    /// Opens an existing file for reading.
    pub async fn open(&self, path: &str) -> Result<File, Error> {
        OpenOptions::read().open(self, path).await
    }

    /// Creates a file for writing, or empties the one that is there.
    pub async fn create(&self, path: &str) -> Result<File, Error> {
        OpenOptions::write().open(self, path).await
    }

    /// Leaves the share. Files still open on it are closed by the server. [MS-SMB2] 3.2.4.22.
    pub async fn disconnect(self) -> Result<(), Error> {
        let attached = self.last();
        let reply = attached.ask(Request::new(&TreeDisconnectRequest, attached.id())).await?;
        attached.has_gone();
        reply.accept(&[])
    }

    /// The share connection now, sound or not.
    fn last(&self) -> Arc<Attached> {
        self.inner.attached.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A sound share connection: the one there is, or another.
    pub(crate) async fn live(&self) -> Result<Arc<Attached>, Error> {
        let attached = self.last();
        if attached.is_sound() {
            return Ok(attached);
        }
        let _one_for_all = self.inner.attaching.lock().await;
        let attached = self.last();
        if attached.is_sound() {
            return Ok(attached);
        }
        let attached = Attached::connect(&self.inner.session, &self.inner.share).await?;
        *self.inner.attached.lock().unwrap_or_else(PoisonError::into_inner) = attached.clone();
        Ok(attached)
    }

    /// Runs `operation`, and once more on a new connection where the one it used was gone, if it cannot have been executed
    /// or may be executed twice.
    pub(crate) async fn run<T, F>(
        &self,
        harmless: bool,
        operation: impl Fn(Arc<Attached>) -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let attached = self.live().await?;
        let error = match operation(attached.clone()).await {
            Err(error) => error,
            done => return done,
        };
        match lost::of(&error) {
            Some(Loss::Session) => attached.channel().retire(error.clone()),
            Some(Loss::Share) => attached.has_gone(),
            Some(Loss::Connection) if attached.channel().has_ended() => (),
            _ => return Err(error),
        }
        if !lost::may_repeat(&error, harmless) {
            return Err(error);
        }
        operation(self.live().await?).await
    }

    /// Opens what `create` names.
    pub(crate) async fn open_as(&self, create: &CreateRequest) -> Result<File, Error> {
        self.run(is_harmless(create), |attached| async move {
            let reply = attached.ask(Request::new(create, attached.id())).await?;
            Ok(File::new(self.clone(), attached, &create.name, &reply.parse()?))
        })
        .await
    }

    /// CREATE, what `between` says, and CLOSE, as one compound: one round trip. All must succeed; the answers but
    /// CLOSE's are returned. [MS-SMB2] 3.2.4.1.4.
    pub(crate) async fn with_open(
        &self,
        create: &CreateRequest,
        between: impl Fn(&Attached, FileId) -> Vec<Request>,
    ) -> Result<Vec<Reply>, Error> {
        let between = &between;
        // What is between changes something, unless there is nothing.
        let harmless =
            is_harmless(create) && between(&self.last(), FileId::ANY).iter().all(Request::is_query);
        self.run(harmless, |attached| async move {
            let mut requests = vec![attached.request(Request::new(create, attached.id()))];
            requests.extend(between(&attached, FileId::ANY).into_iter().map(Request::related));
            let close = CloseRequest { flags: CloseFlags::NONE, file_id: FileId::ANY };
            requests.push(attached.request(Request::new(&close, attached.id())).related());
            if attached.channel().is_stingy(&requests) {
                return self.with_open_in_steps(&attached, create, between).await;
            }
            let mut replies = Vec::with_capacity(requests.len());
            for waiting in attached.channel().submit(requests).await? {
                replies.push(waiting.answer().await?);
            }
            // The first that failed is the one to tell of: those behind it fail with it.
            for reply in &replies {
                reply.accept(&[])?;
            }
            replies.pop();
            Ok(replies)
        })
        .await
    }

    /// The same for a server that does not grant the credits for a compound.
    async fn with_open_in_steps(
        &self,
        attached: &Arc<Attached>,
        create: &CreateRequest,
        between: impl Fn(&Attached, FileId) -> Vec<Request>,
    ) -> Result<Vec<Reply>, Error> {
        let opened = attached.ask(Request::new(create, attached.id())).await?;
        let file = File::new(self.clone(), attached.clone(), &create.name, &opened.parse()?);
        let mut replies = vec![opened];
        for request in between(attached, file.id()) {
            let reply = attached.ask(request).await?;
            reply.accept(&[])?;
            replies.push(reply);
        }
        file.close().await?;
        Ok(replies)
    }
}

/// Whether a CREATE may be executed twice: it makes, empties and removes nothing.
fn is_harmless(create: &CreateRequest) -> bool {
    create.disposition == CreateDisposition::OPEN
        && !create.options.contains(smb_proto::msg::CreateOptions::DELETE_ON_CLOSE)
}
