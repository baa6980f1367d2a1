//! The command line: a contract, since scripts depend on it.

use clap::{Parser, ValueEnum};
use smb_proto::dialect::{Cipher, Dialect, SigningAlgorithm};
use smb_server::{Builder, Policy, Server, Share, backend};
use std::{
    error::Error, fmt::Display, io::Write, net::SocketAddr, ops::RangeInclusive, path::PathBuf, str::FromStr,
};

type Failure = Box<dyn Error + Send + Sync>;

/// An SMB3 server.
#[derive(Debug, Parser)]
#[command(name = "smb-server", version, about)]
pub struct Arguments {
    /// Address and port to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:4450")]
    listen: Vec<SocketAddr>,
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
    #[arg(long, value_name = "COMMAND", requires = "stream_share")]
    on_stream: Option<std::ffi::OsString>,
    /// Lets in unknown users, and those without a name, as guests.
    #[arg(long)]
    guest: bool,
    /// Whether messages are signed.
    #[arg(long, value_enum, default_value_t = Protection::Allowed)]
    signing: Protection,
    /// Signing algorithms of 3.1.1, the preferred first: gmac, cmac, hmac.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    signing_algorithms: Vec<Signing>,
    /// Whether messages are sealed.
    #[arg(long, value_enum, default_value_t = Protection::Allowed)]
    encryption: Protection,
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
    /// Writes the keys of all sessions to a file, for Wireshark.
    #[arg(long, value_name = "FILE")]
    keylog: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Protection {
    Off,
    Allowed,
    Required,
}

impl From<Protection> for Policy {
    fn from(protection: Protection) -> Self {
        match protection {
            Protection::Off => Self::Off,
            Protection::Allowed => Self::Allowed,
            Protection::Required => Self::Required,
        }
    }
}

/// `NAME:PASSWORD`.
#[derive(Clone)]
struct Pair {
    name: String,
    password: String,
}

impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:..", self.name)
    }
}

impl FromStr for Pair {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, password) = text.split_once(':').ok_or("NAME:PASSWORD is wanted")?;
        Ok(Self { name: name.into(), password: password.into() })
    }
}

/// `NAME=PATH` and options.
#[derive(Debug, Clone)]
struct DirectoryShare {
    name: String,
    path: PathBuf,
    read_only: bool,
    hide_unreadable: bool,
}

impl FromStr for DirectoryShare {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, mut rest) = text.split_once('=').ok_or("NAME=PATH is wanted")?;
        let (mut read_only, mut hide_unreadable) = (false, false);
        // Options stand at the end, so a path may have commas.
        while let Some((before, option)) = rest.rsplit_once(',') {
            match option {
                "ro" => read_only = true,
                "hide-unreadable" => hide_unreadable = true,
                _ => break,
            }
            rest = before;
        }
        Ok(Self { name: name.into(), path: rest.into(), read_only, hide_unreadable })
    }
}

/// `NAME` and an option.
#[derive(Debug, Clone)]
struct StreamingShare {
    name: String,
    commit_on_close: bool,
}

impl FromStr for StreamingShare {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, commit_on_close) = match text.split_once(',') {
            None => (text, false),
            Some((name, "commit-on-close")) => (name, true),
            Some(_) => return Err("the only option is commit-on-close"),
        };
        Ok(Self { name: name.into(), commit_on_close })
    }
}

/// A name of one of several values.
fn choose<T: Copy>(text: &str, names: &[(&str, T)]) -> Result<T, String> {
    let found = names.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
    found.map(|(_, value)| *value).ok_or_else(|| {
        let known: Vec<_> = names.iter().map(|(name, _)| *name).collect();
        format!("one of {} is wanted", known.join(", "))
    })
}

#[derive(Debug, Clone, Copy)]
struct Signing(SigningAlgorithm);

impl FromStr for Signing {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        choose(
            text,
            &[
                ("gmac", SigningAlgorithm::AES_GMAC),
                ("cmac", SigningAlgorithm::AES_CMAC),
                ("hmac", SigningAlgorithm::HMAC_SHA256),
            ],
        )
        .map(Self)
    }
}

#[derive(Debug, Clone, Copy)]
struct CipherName(Cipher);

impl FromStr for CipherName {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        choose(
            text,
            &[
                ("aes-128-gcm", Cipher::AES_128_GCM),
                ("aes-256-gcm", Cipher::AES_256_GCM),
                ("aes-128-ccm", Cipher::AES_128_CCM),
                ("aes-256-ccm", Cipher::AES_256_CCM),
            ],
        )
        .map(Self)
    }
}

#[derive(Debug, Clone)]
struct Dialects(RangeInclusive<Dialect>);

impl FromStr for Dialects {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let one = |text: &str| {
            choose(
                text,
                &[
                    ("2.0.2", Dialect::SMB_2_0_2),
                    ("2.1", Dialect::SMB_2_1),
                    ("3.0", Dialect::SMB_3_0),
                    ("3.0.2", Dialect::SMB_3_0_2),
                    ("3.1.1", Dialect::SMB_3_1_1),
                ],
            )
        };
        match text.split_once("..") {
            Some((min, max)) => Ok(Self(one(min)?..=one(max)?)),
            None => one(text).map(|only| Self(only..=only)),
        }
    }
}

/// Bytes, with K, M or G behind them.
#[derive(Debug, Clone, Copy)]
struct Size(u32);

impl FromStr for Size {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (digits, shift) = match text.as_bytes().last() {
            Some(b'K' | b'k') => (text.get(..text.len() - 1), 10),
            Some(b'M' | b'm') => (text.get(..text.len() - 1), 20),
            Some(b'G' | b'g') => (text.get(..text.len() - 1), 30),
            _ => (Some(text), 0),
        };
        let number: Option<u64> = digits.and_then(|digits| digits.parse().ok());
        let bytes =
            number.and_then(|number| number.checked_mul(1 << shift)).and_then(|bytes| bytes.try_into().ok());
        match bytes {
            Some(bytes) if bytes >= 65_536 => Ok(Self(bytes)),
            _ => Err("a size from 64K on is wanted".into()),
        }
    }
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

async fn serve(arguments: Arguments) -> Result<(), Failure> {
    let server = builder(arguments)?.build()?;
    let stop = stop_signal()?;
    let mut out = std::io::stdout().lock();
    for address in server.local_addrs() {
        writeln!(out, "listening tcp {address}")?;
    }
    out.flush()?;
    drop(out);
    server.run(stop).await;
    Ok(())
}

fn builder(arguments: Arguments) -> Result<Builder, Failure> {
    let mut builder = Server::builder()
        .guest(arguments.guest)
        .signing(arguments.signing.into())
        .encryption(arguments.encryption.into());
    for address in arguments.listen {
        builder = builder.listen(address);
    }
    for Pair { name, password } in arguments.user {
        builder = builder.user(&name, &password);
    }
    for share in arguments.share {
        builder = builder.share(directory(share)?);
    }
    for name in arguments.memory_share {
        builder = builder.memory_share(&name);
    }
    for share in arguments.stream_share {
        builder = builder.share(streaming(share, arguments.on_stream.as_deref())?);
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
