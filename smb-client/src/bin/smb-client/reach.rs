//! What carries the connection: `--transport`, `--rdma-port`, and why it is not RDMA.

use crate::{
    args::{Common, TransportKind},
    report::Failure,
    units,
    url::Url,
};
use serde_json::{Value, json};
use smb_client::{ChannelInfo, Client, Session};
use smb_transport::Kind;
use std::fmt;

/// Why a connection does not go over RDMA.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotUsed {
    /// TCP was asked for.
    NotAsked,
    /// The session signs or seals: nothing would be placed, and messages go faster over TCP.
    Protected,
    /// The program was built without.
    #[cfg_attr(feature = "verbs", expect(dead_code, reason = "it was built with it"))]
    NotBuilt,
    /// There is no device, or the server was not reached by it.
    #[cfg_attr(not(feature = "verbs"), expect(dead_code, reason = "without it, it is not tried"))]
    Failed(String),
}

impl fmt::Display for NotUsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAsked => f.write_str("--transport tcp"),
            Self::Protected => {
                f.write_str("the session signs or seals, so nothing would be placed (--signing allowed)")
            }
            Self::NotBuilt => {
                f.write_str("this smb-client was built without it; build it with --features verbs")
            }
            Self::Failed(why) => f.write_str(why),
        }
    }
}

/// How a server was reached.
#[derive(Debug)]
pub struct Reached {
    session: Session,
    not_used: Option<NotUsed>,
}

/// Connects and logs on.
pub async fn connect(common: &Common, client: &Client, url: &Url) -> Result<Session, Failure> {
    let (session, not_used) = way(common, client, url).await?;
    // Of several servers, the first is told of.
    let _ = common.reached.set(Reached { session: session.clone(), not_used });
    Ok(session)
}

async fn way(common: &Common, client: &Client, url: &Url) -> Result<(Session, Option<NotUsed>), Failure> {
    let why = match common.transport {
        TransportKind::Tcp => NotUsed::NotAsked,
        TransportKind::Auto if common.protects() => NotUsed::Protected,
        TransportKind::Auto | TransportKind::Rdma => match over_rdma(common, client, url).await? {
            Ok(session) => return Ok((session, None)),
            Err(why) => why,
        },
    };
    if matches!(common.transport, TransportKind::Rdma) {
        return Err(Failure::Unreached(format!("no connection to {} over RDMA: {why}", url.host())));
    }
    Ok((client.connect(&url.address()).await?, Some(why)))
}

/// The inner error is of the way, the outer one of the server.
#[cfg(feature = "verbs")]
async fn over_rdma(common: &Common, client: &Client, url: &Url) -> Result<Result<Session, NotUsed>, Failure> {
    use smb_direct::verbs::Verbs;
    let verbs = match Verbs::open() {
        Ok(verbs) => verbs,
        Err(error) => return Ok(Err(NotUsed::Failed(error.to_string()))),
    };
    let ports = common.rdma_port.map_or_else(|| DEFAULT_PORTS.to_vec(), |port| vec![port]);
    let (host, verbs) = (url.host().to_owned(), std::sync::Arc::new(verbs));
    let connector = move || -> smb_transport::BoxFuture<'static, _> {
        Box::pin(dial(verbs.clone(), host.clone(), ports.clone()))
    };
    match client.connect_by(connector, url.host()).await {
        Ok(session) => Ok(Ok(session)),
        Err(smb_client::Error::Transport(error)) => Ok(Err(NotUsed::Failed(error.to_string()))),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(feature = "verbs"))]
async fn over_rdma(_: &Common, _: &Client, _: &Url) -> Result<Result<Session, NotUsed>, Failure> {
    Ok(Err(NotUsed::NotBuilt))
}

/// Of iWARP, then of RoCE and InfiniBand — [MS-SMBD] 1.9.
#[cfg(feature = "verbs")]
const DEFAULT_PORTS: [u16; 2] = [5445, 445];

#[cfg(feature = "verbs")]
async fn dial(
    verbs: std::sync::Arc<smb_direct::verbs::Verbs>,
    host: String,
    ports: Vec<u16>,
) -> Result<Box<dyn smb_transport::Transport>, smb_transport::TransportError> {
    use smb_direct::{SmbDirect, smbd::Config};
    use smb_transport::TransportError;
    let mut last = TransportError::Closed;
    for port in ports {
        for address in tokio::net::lookup_host((host.as_str(), port)).await? {
            match SmbDirect::connect(verbs.as_ref(), address, Config::default()).await {
                Ok(transport) => return Ok(Box::new(transport)),
                Err(error) => {
                    let error = TransportError::from(error);
                    // That nobody listens at the next port says less than what went wrong at this one.
                    let refused = std::io::ErrorKind::ConnectionRefused;
                    let tells = !matches!(&error, TransportError::Wire { kind, .. } if *kind == refused);
                    if tells || matches!(last, TransportError::Closed) {
                        last = error;
                    }
                }
            }
        }
    }
    Err(last)
}

/// Whether RDMA carries the session, or why not.
pub fn rdma(common: &Common) -> String {
    match common.reached.get().map(|reached| &reached.not_used) {
        Some(None) => "used".to_owned(),
        Some(Some(why)) => format!("not used: {why}"),
        None => "not used: there is no connection".to_owned(),
    }
}

fn infos(common: &Common) -> Vec<ChannelInfo> {
    common.reached.get().map(|reached| reached.session.channels()).unwrap_or_default()
}

/// How data travelled.
pub fn channels(common: &Common) -> Vec<Value> {
    infos(common).iter().map(channel).collect()
}

/// The same for people, where there is more to it than messages over TCP.
pub fn tell(common: &Common) {
    for ChannelInfo { link, traffic, inline_because, .. } in infos(common) {
        if link.kind == Kind::Rdma {
            let [pushed, pulled, inline] = [traffic.pushed, traffic.pulled, traffic.inline].map(units::show);
            let why = inline_because.map(|why| format!("; {why}")).unwrap_or_default();
            eprintln!("rdma: pushed {pushed}, pulled {pulled}, in messages {inline}{why}");
        }
    }
}

fn channel(channel: &ChannelInfo) -> Value {
    let kind = match channel.link.kind {
        Kind::Tcp => "tcp",
        Kind::Rdma => "rdma",
        _ => "other",
    };
    json!({
        "kind": kind, "inline": channel.traffic.inline, "pushed": channel.traffic.pushed,
        "pulled": channel.traffic.pulled, "copied": channel.traffic.copied,
        "inline_because": channel.inline_because.map(|why| why.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use crate::args::{Arguments, Common};
    use clap::Parser;

    fn common(words: &[&str]) -> Common {
        let command = ["smb-client", "ls", "smb://127.0.0.1:1/s/"];
        Arguments::try_parse_from(command.iter().chain(words)).unwrap().common
    }

    #[cfg(not(feature = "verbs"))]
    #[tokio::test]
    async fn without_the_feature_it_says_what_to_do() {
        let (common, url) = (common(&["--transport", "rdma"]), "smb://127.0.0.1:1/s/".parse().unwrap());
        let client = smb_client::Client::builder().build().unwrap();
        let failure = super::connect(&common, &client, &url).await.err().unwrap();
        assert!(failure.to_string().contains("--features verbs"), "{failure}");
    }

    #[test]
    fn protected_sessions_do_not_try() {
        assert!(common(&[]).protects(), "signing is required unless told otherwise");
        assert!(!common(&["--signing", "allowed"]).protects());
        assert!(common(&["--signing", "allowed", "--encrypt"]).protects());
    }
}
