//! SMB 3.1.1 to an embedded server with a stream share, over one connection.

use crate::{cpu::Side, direct::Way, memory::Source, report::Outcome};
use smb_client::{Client, Encryption, Session, Signing, migration::StreamWriter, transfer::Level};
use smb_proto::dialect::Dialect;
use smb_server::{
    Policy, Server, Share,
    backend::{
        StreamShare,
        stream::{Incomings, ReaderConsumer, StreamOptions},
    },
};
use std::{error::Error, io};
use tokio::sync::oneshot;

/// What protects a session.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// Nothing: for comparison.
    Plain,
    /// Signatures.
    Signed,
    /// Encryption.
    Sealed,
}

/// The protections to compare.
pub const PROTECTIONS: [Protection; 3] = [Protection::Plain, Protection::Signed, Protection::Sealed];

const USER: &str = "migration";
const SHARE: &str = "vm";

/// A server with a stream share, and a session with it.
pub struct Path<'s> {
    sender: &'s Side,
    session: Session,
    stop: oneshot::Sender<()>,
    serving: tokio::task::JoinHandle<()>,
}

impl<'s> Path<'s> {
    /// Starts the server on the receiver's runtime and connects from the sender's: by SMB Direct where `way` says so, else
    /// by TCP.
    pub fn new(
        protection: Protection,
        way: Option<&Way>,
        sender: &'s Side,
        receiver: &Side,
    ) -> Result<Self, Box<dyn Error>> {
        let (consumer, incoming) = ReaderConsumer::new();
        let password = password()?;
        let _entered = receiver.runtime.enter();
        let mut server = Server::builder()
            .listen("127.0.0.1:0".parse()?)
            .user(USER, &password)
            .share(Share::new(SHARE, StreamShare::new(consumer, StreamOptions::default())))
            .encryption(if protection == Protection::Sealed { Policy::Required } else { Policy::Allowed })
            .build()?;
        let address = server.local_addrs().first().ok_or("the server listens nowhere")?.to_string();
        if let Some(way) = way {
            server.add_listener(Box::new(receiver.runtime.block_on(way.listen())?));
        }
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = receiver.runtime.spawn(server.run(async {
            let _ = stopped.await;
        }));
        receiver.runtime.spawn(consume(incoming));
        let client = Client::builder()
            .user(USER, &password)
            .dialects(Dialect::SMB_3_1_1..=Dialect::SMB_3_1_1)
            .signing(if protection == Protection::Signed { Signing::Required } else { Signing::Off })
            .encryption(if protection == Protection::Sealed {
                Encryption::Required
            } else {
                Encryption::Allowed
            });
        let session = sender.runtime.block_on(async {
            match way {
                Some(way) => Ok(client.connect_over(Box::new(way.connect().await?), "server").await?),
                None => Ok::<_, Box<dyn Error>>(client.connect(&address).await?),
            }
        })?;
        Ok(Self { sender, session, stop, serving })
    }

    /// What the session has agreed on.
    pub fn protection(&self) -> String {
        match self.session.channels().first() {
            Some(channel) => match (channel.sealing, channel.signing) {
                (Some(cipher), _) => format!("sealed {cipher:?}"),
                (None, Some(algorithm)) => format!("signed {algorithm:?}"),
                (None, None) if channel.inline_because.is_none() => "none, data placed".into(),
                (None, None) => "none".into(),
            },
            None => "no connection".into(),
        }
    }

    /// Streams `source` and commits it.
    pub fn run(&self, source: &Source) -> Result<Outcome, Box<dyn Error>> {
        let (session, mut reader) = (self.session.clone(), source.open()?);
        let streaming = self.sender.runtime.spawn(async move {
            let tree = session.tree(SHARE).await?;
            let mut stream = StreamWriter::create(&tree, "guest-memory").await?;
            loop {
                let mut chunk = stream.buffer();
                let read = reader.read(&mut chunk)?;
                if read == 0 {
                    break;
                }
                chunk.truncate(read);
                stream.write_buf(chunk).await?;
            }
            Ok::<_, Box<dyn Error + Send + Sync>>(stream.commit().await?)
        });
        let summary = self.sender.runtime.block_on(streaming)?.map_err(|error| error.to_string())?;
        let sent = summary.digest.ok_or("the stream has no digest")?;
        // The share committed the stream because the digest of what its consumer took is this one.
        let received = (summary.level == Level::Digest).then_some(sent);
        Ok(Outcome { length: summary.bytes, sent, received })
    }

    /// Ends session and server.
    pub fn end(self) -> Result<(), Box<dyn Error>> {
        self.sender.runtime.block_on(self.session.log_off());
        let _ = self.stop.send(());
        Ok(self.sender.runtime.block_on(self.serving)?)
    }
}

/// The receiving hypervisor: takes the bytes of each stream in order, and confirms it at its end.
async fn consume(mut incoming: Incomings) {
    while let Some(mut stream) = incoming.next().await {
        loop {
            match stream.chunk().await {
                Ok(Some(bytes)) => drop(bytes),
                Ok(None) => {
                    // Too late only where the sender has gone: it then knows nothing of a commit.
                    let _ = stream.confirm();
                    break;
                }
                Err(error) => break eprintln!("receiver: {error}"),
            }
        }
    }
}

/// A password for this run alone.
fn password() -> io::Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
