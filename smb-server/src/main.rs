//! The `smb-server` program.

mod cli;
mod rdma;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = cli::Arguments::parse();
    cli::trace();
    match cli::run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("smb-server: {error}");
            ExitCode::FAILURE
        }
    }
}
