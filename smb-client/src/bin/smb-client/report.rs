//! What the user is told.

use crate::{args::Common, reach, units};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;
use smb_client::{
    Advice, Error, Executed, UsageError,
    transfer::{Progress, Summary, Transferred, TreeSummary},
};
use smb_proto::status::NtStatus;
use std::{io, io::IsTerminal, path::PathBuf, process::ExitCode, time::Duration};

/// Why the command failed.
#[derive(Debug)]
pub enum Failure {
    Smb(Error),
    Local(PathBuf, io::Error),
    Usage(String),
    Unreached(String),
    /// What is left of a transfer; whether the server may have done a part of what was asked.
    Incomplete {
        left: String,
        begun: bool,
        failure: Box<Failure>,
    },
    Interrupted,
}

impl Failure {
    /// Tells it on standard error.
    pub fn tell(&self, json: bool) {
        if json { eprintln!("{}", self.json()) } else { eprintln!("smb-client: {self}") }
    }

    fn json(&self) -> serde_json::Value {
        let error = match self {
            Self::Smb(error) => Some(error),
            Self::Incomplete { begun, failure, .. } => return failure.json_of(&self.to_string(), *begun),
            _ => None,
        };
        let nothing = match error {
            Some(error) => error.executed() == Executed::No,
            None => !matches!(self, Self::Interrupted),
        };
        let executed = nothing.then_some(false);
        json!({
            "error": self.to_string(), "executed": executed,
            "status": error.and_then(Error::status).map(|status| format!("{status:?}")),
            "advice": error.map(|error| format!("{:?}", error.advice())),
        })
    }

    fn json_of(&self, text: &str, begun: bool) -> serde_json::Value {
        let mut value = self.json();
        if begun && let Some(executed) = value.get_mut("executed") {
            *executed = serde_json::Value::Null;
        }
        if let Some(error) = value.get_mut("error") {
            *error = text.into();
        }
        value
    }

    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) | Self::Smb(Error::Usage(UsageError::Path(_) | UsageError::Option { .. })) => {
                ExitCode::from(2)
            }
            Self::Interrupted => ExitCode::from(130),
            _ => ExitCode::FAILURE,
        }
    }

    /// Tells what is left here of a transfer that failed.
    pub fn leaving(self, what: impl Into<String>) -> Self {
        Self::Incomplete { left: what.into(), begun: false, failure: Box::new(self) }
    }

    /// Tells what is left at the server.
    pub fn begun(self, what: impl Into<String>) -> Self {
        Self::Incomplete { left: what.into(), begun: true, failure: Box::new(self) }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Smb(error)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Smb(error) => write!(f, "{error}{}", hint(error)),
            Self::Local(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Usage(text) | Self::Unreached(text) => f.write_str(text),
            Self::Incomplete { left, failure, .. } => write!(f, "{failure}\nsmb-client: {left}"),
            Self::Interrupted => f.write_str("interrupted"),
        }
    }
}

/// What to do about it.
fn hint(error: &Error) -> &'static str {
    match (error.status(), error.advice()) {
        (Some(NtStatus::LOGON_FAILURE), _) => {
            "; check the user in the URL and the password in it or in SMB_PASSWORD"
        }
        (Some(NtStatus::BAD_NETWORK_NAME), _) => "; `smb-client shares` tells what there is",
        (Some(NtStatus::FILE_IS_A_DIRECTORY), _) => "; -r takes directories",
        (Some(NtStatus::DIRECTORY_NOT_EMPTY), _) => "; -r removes what is in it, too",
        (Some(NtStatus::OBJECT_NAME_COLLISION), _) => "; it is there already",
        (Some(NtStatus::SHARING_VIOLATION), _) => "; somebody has it open, try again later",
        (_, Advice::Retry) => "; try again",
        (_, Advice::FailOver) => "; check that the server is there, and try again",
        (_, Advice::NewSession) => "; the session is gone, try again",
        _ => "",
    }
}

/// A progress bar, on a terminal only.
pub struct Bar {
    pub progress: Progress,
    bar: ProgressBar,
    task: Option<tokio::task::JoinHandle<()>>,
}

impl Bar {
    pub fn new(common: &Common) -> Self {
        let progress = Progress::new();
        let shown = !common.quiet && !common.json && io::stderr().is_terminal();
        let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target);
        let task = shown.then(|| tokio::spawn(follow(progress.clone(), bar.clone())));
        Self { progress, bar, task }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
        self.bar.finish_and_clear();
    }
}

async fn follow(progress: Progress, bar: ProgressBar) {
    const STYLE: &str = "{wide_bar} {bytes}/{total_bytes} {binary_bytes_per_sec} {eta}";
    if let Ok(style) = ProgressStyle::with_template(STYLE) {
        bar.set_style(style);
    }
    loop {
        let Transferred { bytes, total, .. } = progress.now();
        if let Some(total) = total {
            bar.set_length(total);
        }
        bar.set_position(bytes);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Gbit/s.
pub fn gbit(bytes: u64, time: Duration) -> f64 {
    units::approximate(bytes) * 8.0 / 1e9 / time.as_secs_f64().max(1e-9)
}

/// Tells how a transfer ended. To standard error: standard output may carry the data.
pub fn summary(common: &Common, verb: &str, name: &str, summary: &Summary, more: Extra<'_>) {
    let Summary { bytes, resumed_at, level, elapsed, .. } = summary;
    if common.json {
        let mut line = json!({
            "verb": verb, "name": name, "bytes": bytes, "resumed_at": resumed_at, "seconds": elapsed.as_secs_f64(),
            "gbit_per_s": gbit(bytes.saturating_sub(*resumed_at), *elapsed), "verified": level.to_string(),
            "rdma": reach::rdma(common), "channels": reach::channels(common),
        });
        if let (Extra::Way(way), Some(line)) = (&more, line.as_object_mut()) {
            line.insert("way".into(), (*way).into());
        }
        if matches!(more, Extra::DataOnStdout) { eprintln!("{line}") } else { println!("{line}") }
    } else if !common.quiet {
        let (seconds, rate) = (elapsed.as_secs_f64(), gbit(bytes.saturating_sub(*resumed_at), *elapsed));
        let size = units::show(*bytes);
        let resumed = if *resumed_at > 0 {
            format!(", resumed at {}", units::show(*resumed_at))
        } else {
            String::new()
        };
        let way = if let Extra::Way(way) = more { format!(" by the {way}") } else { String::new() };
        eprintln!(
            "{verb} {name}: {size}{way} in {seconds:.2} s ({rate:.2} Gbit/s){resumed}, verified: {level}"
        );
        reach::tell(common);
    }
}

/// What a summary has beyond the figures.
#[derive(Debug, Clone, Copy)]
pub enum Extra<'a> {
    Nothing,
    /// Standard output is taken.
    DataOnStdout,
    /// Who copied.
    Way(&'a str),
}

/// Tells how the transfer of a tree ended.
pub fn tree_summary(common: &Common, verb: &str, name: &str, summary: &TreeSummary) {
    let TreeSummary { files, directories, bytes, skipped, level, elapsed, .. } = summary;
    if common.json {
        println!(
            "{}",
            json!({
                "verb": verb, "name": name, "bytes": bytes, "resumed_at": 0, "seconds": elapsed.as_secs_f64(),
                "gbit_per_s": gbit(*bytes, *elapsed), "verified": level.to_string(), "files": files,
                "directories": directories, "skipped": skipped, "rdma": reach::rdma(common),
                "channels": reach::channels(common),
            })
        );
        return;
    }
    for path in skipped {
        eprintln!("smb-client: skipped {}: neither a file nor a directory", printable(path));
    }
    if !common.quiet {
        let (seconds, size) = (elapsed.as_secs_f64(), units::show(*bytes));
        eprintln!(
            "{verb} {name}: {files} files, {directories} directories, {size} in {seconds:.2} s, verified: {level}"
        );
        reach::tell(common);
    }
}

/// Tells what was done, where somebody asked for JSON.
pub fn done(common: &Common, value: serde_json::Value) {
    if common.json {
        println!("{value}");
    }
}

/// A server's name must not steer the terminal.
pub fn printable(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
