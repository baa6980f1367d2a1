//! A session: who we are to the server, over one or more channels.

use crate::{
    api::Tree,
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
use std::sync::Arc;

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
#[derive(Debug, Clone)]
pub struct Session {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// All of one server, all of one session. Never empty.
    channels: Vec<Owner>,
    first: Arc<Channel>,
    offer: Offer,
    server_name: String,
    identity: Identity,
}

impl Session {
    pub(crate) fn new(connected: Connected, server_name: &str) -> Self {
        let Connected { channel, offer, identity } = connected;
        let identity = match identity {
            session::Identity::User => Identity::User,
            session::Identity::Guest => Identity::Guest,
            session::Identity::Anonymous => Identity::Anonymous,
        };
        let first = Arc::clone(&channel);
        let channels = vec![channel];
        let server_name = server_name.to_owned();
        Self { inner: Arc::new(Inner { channels, first, offer, server_name, identity }) }
    }

    /// Connects to a share of the server.
    pub async fn tree(&self, share: &str) -> Result<Tree, Error> {
        Tree::connect(self, share).await
    }

    /// Who the server takes us for.
    pub fn identity(&self) -> Identity {
        self.inner.identity
    }

    /// The server's name, as given when connecting.
    pub fn server_name(&self) -> &str {
        &self.inner.server_name
    }

    /// Asks the server whether it is there.
    pub async fn echo(&self) -> Result<(), Error> {
        let waiting = self.channel().submit_one(Request::new(&EchoRequest, 0)).await?;
        waiting.answer().await?.accept(&[])
    }

    /// A buffer of `len` bytes of unspecified content that travels without a copy, from
    /// [`File::write_at`](crate::File::write_at) or to [`File::read_into`](crate::File::read_into).
    pub fn buffer(&self, len: usize) -> IoBuf {
        self.channel().buffers.buffer(len)
    }

    /// Its channels.
    pub fn channels(&self) -> Vec<ChannelInfo> {
        self.inner.channels.iter().map(|channel| info(channel)).collect()
    }

    /// Logs off and closes the connections, whoever still holds a handle. Requests under way fail.
    pub async fn log_off(self) {
        for channel in &self.inner.channels {
            channel.log_off().await;
        }
    }

    /// The channel for the next request.
    pub(crate) fn channel(&self) -> &Arc<Channel> {
        &self.inner.first
    }

    pub(crate) fn offer(&self) -> &Offer {
        &self.inner.offer
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
