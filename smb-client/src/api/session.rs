//! A session: who we are to the server, over one or more channels.

use crate::{
    api::{Tree, dial::Dial},
    core::{negotiate::Offer, session},
    driver::{
        Traffic,
        channel::{Channel, Owner},
        connect::Connected,
        request::Request,
    },
    error::Error,
};
use smb_proto::{
    dialect::{Cipher, Dialect, SigningAlgorithm},
    msg::EchoRequest,
};
use smb_transport::{IoBuf, LinkInfo};
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};
use tokio::time::Instant;

/// Who the server takes us for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Identity {
    /// The account that was named.
    User,
    /// A guest, whatever was named.
    Guest,
    /// Nobody.
    Anonymous,
}

/// What one channel is, and does.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ChannelInfo {
    /// The connection below.
    pub link: LinkInfo,
    /// The dialect.
    pub dialect: Dialect,
    /// What signs, where the session signs its requests.
    pub signing: Option<SigningAlgorithm>,
    /// What seals, where the session seals its requests.
    pub sealing: Option<Cipher>,
    /// Why data is not placed directly; `None` where it is.
    pub inline_because: Option<crate::Inline>,
    /// Payload that has crossed.
    pub traffic: Traffic,
    /// The most bytes of one READ.
    pub max_read: usize,
    /// The most bytes of one WRITE.
    pub max_write: usize,
}

/// A session. Clones share it; the last one to go logs off, in the background.
///
/// It outlives its connection: an operation that finds the connection gone makes another, logs on again and goes on
/// ([`ClientBuilder::reconnect`](crate::ClientBuilder::reconnect)). What was under way then fails, and
/// [`Error::executed`] says what is known of it.
#[derive(Debug, Clone)]
pub struct Session {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    dial: Dial,
    /// The connection now, or the last one there was.
    link: Mutex<Arc<Link>>,
    /// One comes back for all; how the last try failed, and when.
    renewing: tokio::sync::Mutex<Option<(Instant, Error)>>,
    left: AtomicBool,
}

/// One connection with its log-on. The last one to let go logs off.
#[derive(Debug)]
pub(crate) struct Link {
    owner: Owner,
    pub offer: Offer,
    identity: Identity,
}

impl Link {
    fn new(connected: Connected) -> Arc<Self> {
        let Connected { channel, offer, identity } = connected;
        let identity = match identity {
            session::Identity::User => Identity::User,
            session::Identity::Guest => Identity::Guest,
            session::Identity::Anonymous => Identity::Anonymous,
        };
        Arc::new(Self { owner: channel, offer, identity })
    }

    pub fn channel(&self) -> &Arc<Channel> {
        &self.owner
    }
}

impl Session {
    pub(crate) fn new(connected: Connected, dial: Dial) -> Self {
        let (link, renewing) = (Mutex::new(Link::new(connected)), tokio::sync::Mutex::new(None));
        Self { inner: Arc::new(Inner { dial, link, renewing, left: AtomicBool::new(false) }) }
    }

    /// Connects to a share of the server.
    pub async fn tree(&self, share: &str) -> Result<Tree, Error> {
        Tree::connect(self, share).await
    }

    /// Who the server takes us for.
    pub fn identity(&self) -> Identity {
        self.link().identity
    }

    /// The server's name, as given when connecting.
    pub fn server_name(&self) -> &str {
        &self.inner.dial.server_name
    }

    /// Asks the server whether it is there. Reconnects where the connection is gone.
    pub async fn echo(&self) -> Result<(), Error> {
        let link = self.live().await?;
        link.channel().submit_one(Request::new(&EchoRequest, 0)).await?.answer().await?.accept(&[])
    }

    /// A buffer of `len` bytes of unspecified content that travels without a copy, from
    /// [`File::write_buf_at`](crate::File::write_buf_at) or to [`File::read_into`](crate::File::read_into).
    pub fn buffer(&self, len: usize) -> IoBuf {
        self.link().channel().buffers.buffer(len)
    }

    /// Its channels; after a loss, before the next operation, what they last were.
    pub fn channels(&self) -> Vec<ChannelInfo> {
        vec![info(self.link().channel())]
    }

    /// Whether its connection is sound, as far as is known. If not, the next operation makes another.
    pub fn is_connected(&self) -> bool {
        self.link().channel().is_sound()
    }

    /// Logs off and closes the connection, whoever still holds a handle. Requests under way fail, and so does what
    /// comes later.
    pub async fn log_off(self) {
        self.inner.left.store(true, Ordering::Release);
        self.link().channel().log_off().await;
    }

    /// Whether both are one session.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// The connection now, sound or not.
    pub(crate) fn link(&self) -> Arc<Link> {
        self.inner.link.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The most bytes that one transfer may keep under way.
    pub(crate) fn window(&self) -> usize {
        self.inner.dial.config.options.window
    }

    /// A sound connection: the one there is, or another. Dropping the future leaves the session as it was.
    pub(crate) async fn live(&self) -> Result<Arc<Link>, Error> {
        let link = self.link();
        if link.channel().is_sound() {
            return Ok(link);
        }
        let asked = Instant::now();
        let mut last = self.inner.renewing.lock().await;
        let link = self.link();
        if link.channel().is_sound() {
            return Ok(link);
        }
        let lost = link.channel().error();
        if self.inner.left.load(Ordering::Acquire) {
            return Err(Error::NotSent(Arc::new(lost)));
        }
        // Others waited while this one tried for all of them.
        if let Some((_, error)) = last.as_ref().filter(|(when, _)| *when >= asked) {
            return Err(error.clone());
        }
        let previous = link.channel().security().map_or(0, |security| security.session_id);
        match self.inner.dial.come_back(previous, lost).await {
            Ok(connected) => {
                tracing::debug!(server = self.server_name(), "reconnected");
                let link = Link::new(connected);
                *self.inner.link.lock().unwrap_or_else(PoisonError::into_inner) = link.clone();
                if self.inner.left.load(Ordering::Acquire) {
                    link.channel().log_off().await;
                    return Err(Error::NotSent(Arc::new(link.channel().error())));
                }
                Ok(link)
            }
            Err(error) => {
                *last = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }
}

fn info(channel: &Channel) -> ChannelInfo {
    let agreed = channel.agreed();
    let security = channel.security();
    let signs = security.is_some_and(|security| security.sign && !security.seal);
    let seals = security.is_some_and(|security| security.seal);
    ChannelInfo {
        link: channel.info.clone(),
        dialect: agreed.map_or_else(Default::default, |agreed| agreed.dialect),
        signing: agreed.filter(|_| signs).map(|agreed| agreed.signing),
        sealing: agreed.filter(|_| seals).map(|agreed| agreed.cipher),
        inline_because: channel.placing(usize::MAX, Default::default()).err(),
        traffic: channel.counters.read(),
        max_read: channel.max_read(),
        max_write: channel.max_write(),
    }
}
