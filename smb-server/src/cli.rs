//! The command line: a contract, since scripts depend on it.

#[cfg(unix)]
mod descriptors;
mod file;
#[cfg(unix)]
mod status;
mod values;

use crate::rdma::{self, RdmaAddress};
use clap::Parser;
use smb_server::{Builder, Policy, Server, Share, backend};
use std::{
    error::Error,
    fmt::Display,
    io::Write,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};
use values::{
    CipherName, Dialects, DirectoryShare, InterfaceName, Pair, Protection, Signing, Size, StreamingShare,
};

pub type Failure = Box<dyn Error + Send + Sync>;

/// An SMB3 server.
#[derive(Debug, Parser)]
#[command(name = "smb-server", version, about)]
pub struct Arguments {
    /// Reads what is not said here from a file, which can also say who may use which share.
    #[arg(long, value_name = "FILE.toml")]
    config: Option<PathBuf>,
    /// Address and port to listen on; port 0 takes a free one. Without any, 127.0.0.1:4450.
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Vec<SocketAddr>,
    /// Also listens for SMB Direct, through the RDMA device that has this address (feature `verbs`). Clients look for
    /// iWARP at port 5445, for RoCE and InfiniBand at 445.
    #[arg(long, value_name = "verbs://ADDR:PORT")]
    listen_rdma: Vec<RdmaAddress>,
    /// A user who may log on.
    #[arg(long, value_name = "NAME:PASSWORD")]
    user: Vec<Pair>,
    /// Shares a directory; `,ro` behind it for reading only, `,hide-unreadable` to leave out what cannot be read.
    #[arg(long, value_name = "NAME=PATH[,ro][,hide-unreadable]")]
    share: Vec<DirectoryShare>,
    /// Shares memory.
    #[arg(long, value_name = "NAME")]
    memory_share: Vec<String>,
    /// Shares a place to stream into; `,commit-on-close` for clients that never flush.
    #[arg(long, value_name = "NAME[,commit-on-close]")]
    stream_share: Vec<StreamingShare>,
    /// Runs a shell command for each stream, with the bytes on its standard input and SMB_STREAM_NAME set; its exit
    /// status 0 confirms the stream. Without it, streams are verified and discarded.
    #[arg(long, value_name = "COMMAND")]
    on_stream: Option<std::ffi::OsString>,
    /// Lets in unknown users, and those without a name, as guests.
    #[arg(long)]
    guest: bool,
    /// Whether messages are signed. Without it, allowed.
    #[arg(long, value_enum)]
    signing: Option<Protection>,
    /// Signing algorithms of 3.1.1, the preferred first: gmac, cmac, hmac.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    signing_algorithms: Vec<Signing>,
    /// Whether messages are sealed. Without it, allowed.
    #[arg(long, value_enum)]
    encryption: Option<Protection>,
    /// Ciphers, the preferred first: aes-128-gcm, aes-256-gcm, aes-128-ccm, aes-256-ccm.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    ciphers: Vec<CipherName>,
    /// Dialects that may be chosen, such as 2.1..3.1.1.
    #[arg(long, value_name = "MIN..MAX")]
    dialects: Option<Dialects>,
    /// The most bytes of one READ or WRITE, such as 8M.
    #[arg(long, value_name = "SIZE")]
    max_io: Option<Size>,
    /// The most credits of one connection.
    #[arg(long, value_name = "N")]
    max_credits: Option<u16>,
    /// An address that clients are told of for further connections; without any, all that the host has.
    #[arg(long, value_name = "ADDR[,speed=10G][,rss][,rdma]")]
    interface: Vec<InterfaceName>,
    /// Offers the private control codes by which smbtorture disturbs a server. For conformance suites only.
    #[arg(long)]
    torture_fsctl: bool,
    /// Writes the keys of all sessions to a file, for Wireshark.
    #[arg(long, value_name = "FILE")]
    keylog: Option<PathBuf>,
}

/// Diagnostics go to standard error, filtered by RUST_LOG.
pub fn trace() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env();
    let filter = filter.unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}

/// Serves until a signal comes.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(serve(arguments))
}

impl Arguments {
    /// The names of all shares.
    fn share_names(&self) -> impl Iterator<Item = &str> {
        let directories = self.share.iter().map(|share| &share.name);
        let streams = self.stream_share.iter().map(|share| &share.name);
        directories.chain(&self.memory_share).chain(streams).map(String::as_str)
    }
}

async fn serve(mut arguments: Arguments) -> Result<(), Failure> {
    let access = match arguments.config.take() {
        Some(path) => file::complete(&mut arguments, &path)?,
        None => file::Access::default(),
    };
    if arguments.listen.is_empty() {
        arguments.listen.push(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 4450));
    }
    if arguments.on_stream.is_some() && arguments.stream_share.is_empty() {
        return Err("--on-stream is of no use without a --stream-share".into());
    }
    let places = arguments.listen_rdma.clone();
    let mut server = builder(arguments, &access)?.build()?;
    let stop = stop_signal()?;
    #[cfg(unix)]
    status::tell_when_asked(server.handle())?;
    let mut ready: Vec<_> =
        server.local_addrs().iter().map(|address| format!("listening tcp {address}")).collect();
    for place in places {
        let listener = rdma::listen(place).await?;
        ready.extend(listener.local().map(|address| format!("listening verbs {address}")));
        server.add_listener(listener);
    }
    let mut out = std::io::stdout().lock();
    for line in ready {
        writeln!(out, "{line}")?;
    }
    out.flush()?;
    drop(out);
    server.run(stop).await;
    Ok(())
}

fn builder(arguments: Arguments, access: &file::Access) -> Result<Builder, Failure> {
    let mut builder = Server::builder()
        .guest(arguments.guest)
        .torture_fsctl(arguments.torture_fsctl)
        .signing(arguments.signing.map_or(Policy::default(), Into::into))
        .encryption(arguments.encryption.map_or(Policy::default(), Into::into));
    for InterfaceName(interface) in arguments.interface {
        builder = builder.interface(interface);
    }
    for address in arguments.listen {
        builder = builder.listen(address);
    }
    #[cfg(unix)]
    {
        let opens = descriptors::opens();
        builder = builder.limits(|limits| limits.max_all_opens = limits.max_all_opens.min(opens));
    }
    for Pair { name, password } in arguments.user {
        builder = builder.user(&name, &password);
    }
    for share in arguments.share {
        builder = builder.share(restricted(directory(share)?, access));
    }
    for name in arguments.memory_share {
        let share = Share::new(name, backend::MemoryShare::new());
        builder = builder.share(restricted(share, access));
    }
    for share in arguments.stream_share {
        let share = streaming(share, arguments.on_stream.as_deref())?;
        builder = builder.share(restricted(share, access));
    }
    if !arguments.signing_algorithms.is_empty() {
        let list: Vec<_> =
            arguments.signing_algorithms.into_iter().map(|Signing(algorithm)| algorithm).collect();
        builder = builder.signing_algorithms(list);
    }
    if !arguments.ciphers.is_empty() {
        let list: Vec<_> = arguments.ciphers.into_iter().map(|CipherName(cipher)| cipher).collect();
        builder = builder.ciphers(list);
    }
    if let Some(Dialects(range)) = arguments.dialects {
        builder = builder.dialects(range);
    }
    if let Some(Size(bytes)) = arguments.max_io {
        builder = builder.max_io(bytes);
    }
    if let Some(credits) = arguments.max_credits {
        builder = builder.max_credits(credits);
    }
    if let Some(path) = arguments.keylog {
        builder = builder.keylog(&path).map_err(|error| describe("key log", &path.display(), &error))?;
    }
    Ok(builder)
}

/// Keeps everybody out of a share but those whom the configuration file lets in.
fn restricted(share: Share, access: &file::Access) -> Share {
    let Some(members) = access.get(&share.name().to_lowercase()) else { return share };
    let share = members.users.iter().fold(share, |share, user| share.allow(user));
    members.read_only_users.iter().fold(share, |share, user| share.allow_reading(user))
}

fn describe(what: &str, which: &dyn Display, error: &dyn Display) -> Failure {
    format!("{what} {which}: {error}").into()
}

#[cfg(target_os = "linux")]
fn directory(share: DirectoryShare) -> Result<Share, Failure> {
    let options =
        backend::LocalOptions { hide_unreadable: share.hide_unreadable, ..backend::LocalOptions::default() };
    let backend = backend::LocalShare::open(&share.path, options)
        .map_err(|error| describe("share", &share.path.display(), &error))?;
    let shared = Share::new(share.name, backend);
    Ok(if share.read_only { shared.read_only() } else { shared })
}

#[cfg(not(target_os = "linux"))]
fn directory(share: DirectoryShare) -> Result<Share, Failure> {
    Err(describe("share", &share.path.display(), &"directories can be shared on Linux only"))
}

fn streaming(share: StreamingShare, command: Option<&std::ffi::OsStr>) -> Result<Share, Failure> {
    use backend::stream::{Discard, StreamOptions, StreamShare};
    let options = StreamOptions { commit_on_close: share.commit_on_close, ..StreamOptions::default() };
    let streams = match command {
        None => StreamShare::new(Discard, options),
        #[cfg(unix)]
        Some(command) => StreamShare::new(backend::stream::CommandConsumer::new(command), options),
        #[cfg(not(unix))]
        Some(_) => return Err("--on-stream works on Unix only".into()),
    };
    Ok(Share::new(share.name, streams))
}

/// Resolves when the program is asked to stop.
#[cfg(unix)]
fn stop_signal() -> Result<impl Future<Output = ()>, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Resolves when the program is asked to stop.
#[cfg(not(unix))]
fn stop_signal() -> Result<impl Future<Output = ()>, Failure> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}
