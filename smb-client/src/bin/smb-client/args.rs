//! The command line's words.

use crate::{
    reach::{self, Reached},
    report::Failure,
    units,
    url::Url,
};
use clap::{Args, Parser, Subcommand, ValueEnum};
use smb_client::{
    Client, Encryption, Session, Signing, Tree,
    transfer::{Progress, TransferOptions, Verify},
};
use smb_proto::dialect::{Cipher, Dialect, SigningAlgorithm};
use std::{path::PathBuf, sync::OnceLock, time::Duration};

/// What --json prints; the names stay as they are, further ones may be added.
const JSON: &str = "\
JSON (--json), one value on standard output; of transfers to `-` on standard error:
  ls             [{name, size, allocated, directory, reparse_point, attributes, modified, created, accessed}]
  stat           the same for one, and share: {total, free, available}
  shares         [{name, type, hidden, comment}], type: disk, printer, device or ipc
  mkdir          {verb, name}
  rm             {verb, name, files, directories}
  mv             {verb, name, to}
  get, put, cp, migrate
                 {verb, name, bytes, resumed_at, seconds, gbit_per_s, verified, rdma, channels: [{kind, inline,
                 pushed, pulled, copied, inline_because}]}; cp: way (server or client);
                 with -r: files, directories, skipped: [path]
  bench          {size, connect_ms, sequential: [{direction, bytes, seconds, gbit_per_s, cpu_seconds, verified}],
                 random: [{operation, depth, per_second, mean_us, p50_us, p99_us}], files: [{depth, per_second}]}
  a failure      {error, status, executed, advice} on standard error; executed is false or null (nobody knows)
Sizes are in bytes, times in seconds since 1970 or null, `verified` is size+integrity, digest or readback.";

/// Copies, lists and measures over SMB 2 and 3.
///
/// URL: smb://[user[:password]@]host[:port]/share/path; %XX escapes. The password may also come from SMB_PASSWORD.
///
/// Exit status: 0 done, durable and verified; 1 failed, and standard error says why; 2 wrong usage; 130 interrupted.
#[derive(Debug, Parser)]
#[command(version, about)]
#[command(after_long_help = JSON)]
pub struct Arguments {
    #[command(subcommand)]
    pub verb: Verb,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// List a directory; a pattern with `*` and `?` as the last component lists what matches.
    Ls { url: Url },
    /// Tell what is known of a file or directory, and of the room on its share.
    Stat { url: Url },
    /// Create a directory.
    Mkdir {
        url: Url,
        /// Create those above it too; well where it is there.
        #[arg(long, short)]
        parents: bool,
    },
    /// Remove a file or an empty directory.
    Rm {
        url: Url,
        /// Remove a directory and all below it. Symbolic links are removed, not followed.
        #[arg(long, short)]
        recursive: bool,
        /// Well where it is not there.
        #[arg(long, short)]
        force: bool,
    },
    /// Rename or move within a share.
    Mv {
        from: Url,
        to: Url,
        /// Replace a file that is there.
        #[arg(long, short)]
        force: bool,
    },
    /// Download. FILE is written as FILE.part and renamed when complete; `-` is standard output; a directory is downloaded into.
    Get {
        url: Url,
        file: PathBuf,
        /// Download a directory and all below it.
        #[arg(long, short)]
        recursive: bool,
    },
    /// Upload, over what is there. `-` is standard input. A URL that ends with `/` or names a directory is uploaded into. A failed
    /// upload leaves an incomplete remote file.
    Put {
        file: PathBuf,
        url: Url,
        /// Upload a directory and all below it.
        #[arg(long, short)]
        recursive: bool,
    },
    /// Copy from URL to URL: on the server where both are on one and it can, else through here. A failed copy leaves an incomplete
    /// file.
    Cp {
        from: Url,
        to: Url,
        /// Copy a directory and all below it.
        #[arg(long, short)]
        recursive: bool,
    },
    /// List the shares of a server; the URL may name one, which does not matter.
    Shares { url: Url },
    /// Migration streams.
    #[command(subcommand)]
    Migrate(Migrate),
    /// Measure: connecting, sequential and random 4 KiB input and output, files created and removed. URL names a file that is
    /// created and removed, and so do names that begin with it.
    Bench {
        url: Url,
        /// Bytes of the file that is written, read, and used for random access.
        #[arg(long, default_value = "1G", value_parser = units::size)]
        size: u64,
        /// Seconds of each random test.
        #[arg(long, default_value = "2", value_parser = units::seconds)]
        seconds: Duration,
        /// Files that are created and removed.
        #[arg(long, default_value_t = 2000)]
        files: u32,
    },
}

#[derive(Debug, Subcommand)]
pub enum Migrate {
    /// Send a stream, committed only when all of it has arrived.
    Send {
        url: Url,
        /// The stream; standard input without it.
        #[arg(long)]
        file: Option<PathBuf>,
    },
    /// Receive an image that is there as a file.
    Receive {
        url: Url,
        /// Where to; standard output without it. It is there under its name only when it is complete.
        #[arg(long)]
        file: Option<PathBuf>,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum TransportKind {
    /// RDMA where there is a device and data can be placed by it, else TCP.
    Auto,
    /// TCP.
    Tcp,
    /// SMB Direct through an RDMA device (feature `verbs`). Data is placed only where it is neither signed nor sealed
    /// (`--signing allowed`).
    Rdma,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum SigningMode {
    /// Never; for benchmarks.
    Off,
    /// Where the server requires it.
    Allowed,
    /// Always, unless sealed.
    Required,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum VerifyMode {
    /// Every answer's count, and the size at the end.
    Size,
    /// Read everything again and compare digests.
    Readback,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Common options")]
pub struct Common {
    /// What carries the connection.
    #[arg(long, global = true, value_enum, default_value = "auto")]
    pub transport: TransportKind,
    /// The port for SMB Direct; else 5445 (iWARP), then 445 (RoCE, InfiniBand). The URL's port is TCP's.
    #[arg(long, global = true, value_name = "N")]
    pub rdma_port: Option<u16>,
    /// Whether requests are signed.
    #[arg(long, global = true, value_enum, default_value = "required")]
    pub signing: SigningMode,
    /// What signs at 3.1.1: gmac, cmac or hmac.
    #[arg(long, global = true, value_parser = signing_algorithm)]
    pub signing_algorithm: Option<SigningAlgorithm>,
    /// Seal all requests.
    #[arg(long, global = true)]
    pub encrypt: bool,
    /// What seals at 3.1.1: aes-128-gcm, aes-256-gcm, aes-128-ccm or aes-256-ccm.
    #[arg(long, global = true, value_parser = cipher)]
    pub cipher: Option<Cipher>,
    /// The one dialect to offer: 2.0.2, 2.1, 3.0, 3.0.2 or 3.1.1.
    #[arg(long, global = true, value_parser = dialect)]
    pub dialect: Option<Dialect>,
    /// How a transfer is checked.
    #[arg(long, global = true, value_enum, default_value = "size")]
    pub verify: VerifyMode,
    /// Seconds without a word from the server until it is given up.
    #[arg(long, global = true, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    pub timeout: u64,
    /// Keep checkpoints during `get` and `put`, and go on from one that is there and still fits.
    #[arg(long, global = true)]
    pub resume: bool,
    /// At most so much per second, such as 1Gbit, 500Mbit or 20MB.
    #[arg(long, global = true, value_parser = units::rate)]
    pub limit: Option<u64>,
    /// Append session keys to FILE, for Wireshark.
    #[arg(long, global = true)]
    pub keylog: Option<PathBuf>,
    /// No progress and no summary.
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Results as JSON on standard output.
    #[arg(long, global = true)]
    pub json: bool,
    /// How the server was reached, once it was.
    #[arg(skip)]
    pub reached: OnceLock<Reached>,
}

impl Common {
    /// The client these options and that URL ask for.
    pub fn client(&self, url: &Url) -> Result<Client, Failure> {
        let mut builder =
            Client::builder().timeout(Duration::from_secs(self.timeout)).signing(match self.signing {
                SigningMode::Off => Signing::Off,
                SigningMode::Allowed => Signing::Allowed,
                SigningMode::Required if self.encrypt => Signing::Allowed,
                SigningMode::Required => Signing::Required,
            });
        if let Some(user) = &url.user {
            builder = builder.user(user, &url.password());
        }
        if let Some(algorithm) = self.signing_algorithm {
            builder = builder.signing_algorithms(&[algorithm]);
        }
        if self.encrypt {
            builder = builder.encryption(Encryption::Required);
        }
        if let Some(cipher) = self.cipher {
            builder = builder.ciphers(&[cipher]);
        }
        if let Some(dialect) = self.dialect {
            builder = builder.dialects(dialect..=dialect);
        }
        if let Some(path) = &self.keylog {
            builder = builder.keylog(path);
        }
        Ok(builder.build()?)
    }

    /// Logs on to the server of `url`.
    pub async fn session(&self, url: &Url) -> Result<Session, Failure> {
        reach::connect(self, &self.client(url)?, url).await
    }

    /// Connects to the share of `url`.
    pub async fn tree(&self, url: &Url) -> Result<(Session, Tree), Failure> {
        url.check_share().map_err(Failure::Usage)?;
        let session = self.session(url).await?;
        let tree = session.tree(&url.share).await?;
        Ok((session, tree))
    }

    /// Refuses options that have no meaning for the verb.
    pub fn refuse_resume(&self, why: &str) -> Result<(), Failure> {
        if self.resume { Err(Failure::Usage(format!("--resume {why}"))) } else { Ok(()) }
    }

    /// Whether requests are signed or sealed whatever the server says.
    pub fn protects(&self) -> bool {
        self.encrypt || matches!(self.signing, SigningMode::Required)
    }

    /// How to transfer.
    pub fn transfer(&self, progress: &Progress) -> TransferOptions {
        let options = TransferOptions::new().progress(progress).verify(match self.verify {
            VerifyMode::Size => Verify::Size,
            VerifyMode::Readback => Verify::Readback,
        });
        let options = options.resume(self.resume);
        self.limit.map_or(options.clone(), |limit| options.limit(limit))
    }
}

fn dialect(name: &str) -> Result<Dialect, String> {
    let found = Dialect::ALL.into_iter().find(|dialect| dialect.to_string() == name);
    found.ok_or_else(|| "one of 2.0.2, 2.1, 3.0, 3.0.2, 3.1.1".to_owned())
}

fn cipher(name: &str) -> Result<Cipher, String> {
    match name {
        "aes-128-gcm" => Ok(Cipher::AES_128_GCM),
        "aes-256-gcm" => Ok(Cipher::AES_256_GCM),
        "aes-128-ccm" => Ok(Cipher::AES_128_CCM),
        "aes-256-ccm" => Ok(Cipher::AES_256_CCM),
        _ => Err("one of aes-128-gcm, aes-256-gcm, aes-128-ccm, aes-256-ccm".to_owned()),
    }
}

fn signing_algorithm(name: &str) -> Result<SigningAlgorithm, String> {
    match name {
        "gmac" => Ok(SigningAlgorithm::AES_GMAC),
        "cmac" => Ok(SigningAlgorithm::AES_CMAC),
        "hmac" => Ok(SigningAlgorithm::HMAC_SHA256),
        _ => Err("one of gmac, cmac, hmac".to_owned()),
    }
}
