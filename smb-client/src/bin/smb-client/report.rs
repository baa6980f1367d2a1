//! What the user is told.

use crate::{args::Common, units};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;
use smb_client::{
    Advice, Error,
    transfer::{Progress, Summary, Transferred},
};
use std::{io, io::IsTerminal, path::PathBuf, process::ExitCode, time::Duration};

/// Why the command failed.
#[derive(Debug)]
pub enum Failure {
    Smb(Error),
    Local(PathBuf, io::Error),
    Usage(String),
    Incomplete(String, Box<Failure>),
    Interrupted,
}

impl Failure {
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Interrupted => ExitCode::from(130),
            _ => ExitCode::FAILURE,
        }
    }

    /// Tells what is left of a transfer that failed.
    pub fn leaving(self, what: impl Into<String>) -> Self {
        Self::Incomplete(what.into(), Box::new(self))
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
            Self::Usage(text) => f.write_str(text),
            Self::Incomplete(left, failure) => write!(f, "{failure}\nsmb-client: {left}"),
            Self::Interrupted => f.write_str("interrupted"),
        }
    }
}

/// What to do about it.
fn hint(error: &Error) -> &'static str {
    match error.advice() {
        Advice::Retry => "; try again",
        Advice::FailOver => "; check that the server is there, and try again",
        Advice::NewSession => "; the session is gone, try again",
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
pub fn summary(common: &Common, verb: &str, name: &str, summary: &Summary, data_on_stdout: bool) {
    let Summary { bytes, level, elapsed, .. } = summary;
    if common.json {
        let line = json!({
            "verb": verb, "name": name, "bytes": bytes, "seconds": elapsed.as_secs_f64(),
            "gbit_per_s": gbit(*bytes, *elapsed), "verified": level.to_string(),
        });
        if data_on_stdout { eprintln!("{line}") } else { println!("{line}") }
    } else if !common.quiet {
        let (seconds, rate) = (elapsed.as_secs_f64(), gbit(*bytes, *elapsed));
        let size = units::show(*bytes);
        eprintln!("{verb} {name}: {size} in {seconds:.2} s ({rate:.2} Gbit/s), verified: {level}");
    }
}
