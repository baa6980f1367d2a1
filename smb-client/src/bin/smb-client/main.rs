//! `smb-client`: copy, look, measure over SMB.
//!
//! Exit status 0: done, durable, verified as the summary says. 1: failed, and standard error says why. 2: wrong usage.

mod args;
mod bench;
mod copy;
mod cp;
mod files;
mod lanes;
mod migrate;
mod reach;
mod report;
mod units;
mod url;

use args::{Arguments, Verb};
use clap::Parser;
use report::Failure;
use std::{panic::resume_unwind, process::ExitCode, sync::Arc};

fn main() -> ExitCode {
    let arguments = Arguments::try_parse().unwrap_or_else(|error| refused(&error));
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("smb-client: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let arguments = Arc::new(arguments);
    // On a worker: what a transfer waits for happens on workers, and to wake this thread each time costs more.
    let mut running = runtime.spawn({
        let arguments = arguments.clone();
        async move { run(&arguments).await }
    });
    let outcome = runtime.block_on(async {
        tokio::select! {
            outcome = &mut running => outcome.unwrap_or_else(|error| resume_unwind(error.into_panic())),
            _ = tokio::signal::ctrl_c() => {
                running.abort();
                let _ = running.await;
                Err(Failure::Interrupted)
            }
        }
    });
    // A reader of standard input may hang for ever.
    runtime.shutdown_background();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.tell(arguments.common.json);
            failure.exit_code()
        }
    }
}

/// Says what is wrong with the arguments, without the password that a URL among them may have.
fn refused(error: &clap::Error) -> ! {
    if !error.use_stderr() {
        error.exit();
    }
    let mut text = error.render().to_string();
    for argument in std::env::args_os() {
        let argument = argument.to_string_lossy().into_owned();
        text = text.replace(&argument, &url::without_password(&argument));
    }
    eprint!("{text}");
    std::process::exit(error.exit_code());
}

async fn run(arguments: &Arguments) -> Result<(), Failure> {
    let common = &arguments.common;
    match &arguments.verb {
        Verb::Ls { url } => files::ls(common, url).await,
        Verb::Stat { url } => files::stat(common, url).await,
        Verb::Mkdir { url, parents } => files::mkdir(common, url, *parents).await,
        Verb::Rm { url, recursive, force } => files::rm(common, url, *recursive, *force).await,
        Verb::Mv { from, to, force } => files::mv(common, from, to, *force).await,
        Verb::Get { url, file, recursive } => copy::get(common, url, file, *recursive).await,
        Verb::Put { file, url, recursive } => copy::put(common, file, url, *recursive).await,
        Verb::Cp { from, to, recursive } => cp::cp(common, from, to, *recursive).await,
        Verb::Shares { url } => files::shares(common, url).await,
        Verb::Migrate(args::Migrate::Send { file, url }) => migrate::send(common, file.as_deref(), url).await,
        Verb::Migrate(args::Migrate::Receive { file, url }) => {
            migrate::receive(common, url, file.as_deref()).await
        }
        Verb::Bench { url, size, seconds, files } => {
            let plan = bench::Plan { size: *size, seconds: *seconds, files: *files };
            bench::bench(common, url, plan).await
        }
    }
}
