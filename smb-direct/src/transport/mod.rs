//! The engine and a queue pair, driven: an [`smb_transport::Transport`]. The only part that knows tokio.
//!
//! One task per connection takes completions and keeps the timers. Whoever sends posts from its own task. Both do
//! so under the connection's lock, which is held while the engine decides and requests are posted, so that what the
//! engine puts in order stays in it.

mod connection;
mod error;
mod halves;
mod listener;
mod monitor;
mod placement;
mod task;

pub use error::DirectError;
pub use listener::DirectListener;
pub use monitor::{Counters, Monitor};

use crate::{
    rdma::{Provider, QueuePair, Queues, SetUp},
    smbd::{
        Config,
        core::{Limits, Role},
    },
};
use connection::{Connection, Presence};
use halves::{DirectReceiver, DirectSender};
use placement::DirectPlacement;
use smb_transport::{Halves, Kind, LinkInfo, Transport};
use std::{fmt, net::SocketAddr, sync::Arc};

/// An SMB Direct connection.
pub struct SmbDirect {
    connection: Arc<Connection>,
    presence: Presence,
    limits: Limits,
    info: LinkInfo,
}

impl SmbDirect {
    /// Connects through `provider` and negotiates.
    pub async fn connect(
        provider: &dyn Provider,
        to: SocketAddr,
        config: Config,
    ) -> Result<Self, DirectError> {
        let pair = provider.connect(to, set_up(&config)).await?;
        Self::negotiate(pair, Role::Initiator, config).await
    }

    /// Negotiates on a queue pair that was set up with [`set_up`](Self::set_up) of the same configuration.
    pub async fn negotiate(
        pair: Box<dyn QueuePair>,
        role: Role,
        config: Config,
    ) -> Result<Self, DirectError> {
        let connection = Connection::start(pair.into(), role, config);
        let presence = Presence(connection.clone());
        let limits = connection.established().await?;
        let about = connection.pair().info();
        let info = LinkInfo {
            kind: Kind::Rdma,
            local: about.local,
            peer: about.peer,
            speed: about.speed,
            max_message: usize::try_from(limits.max_fragmented_send_size).unwrap_or(usize::MAX),
        };
        Ok(Self { connection, presence, limits, info })
    }

    /// What a queue pair must be set up with for `config`.
    pub fn set_up(config: &Config) -> SetUp {
        set_up(config)
    }

    /// Watches the connection, also when its halves have gone elsewhere.
    pub fn monitor(&self) -> Monitor {
        Monitor::new(self.connection.clone())
    }
}

fn set_up(config: &Config) -> SetUp {
    let queues = Queues { sends: config.send_queue_depth.max(1), receives: config.receive_queue_depth() };
    SetUp { queues, first_receive: config.first_receive(), ..SetUp::default() }
}

impl Transport for SmbDirect {
    fn info(&self) -> &LinkInfo {
        &self.info
    }

    fn split(self: Box<Self>) -> Halves {
        let Self { connection, presence, limits, info } = *self;
        let presence = Arc::new(presence);
        Halves {
            info,
            sender: Box::new(DirectSender::new(connection.clone(), presence.clone())),
            receiver: Box::new(DirectReceiver::new(connection.clone(), presence)),
            buffers: connection.pair().buffers(),
            placement: Some(Arc::new(DirectPlacement::new(connection, &limits))),
        }
    }
}

impl fmt::Debug for SmbDirect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SmbDirect").field(&self.info).finish()
    }
}

#[cfg(test)]
mod tests;
