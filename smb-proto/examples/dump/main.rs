//! Shows what SMB2 messages say: a capture file or messages in hexadecimal in, a readable tree out.
//!
//! ```sh
//! cargo run -p smb-proto --example dump -- [-v] [--keys FILE] INPUT…
//! ```
//!
//! An INPUT is a pcap or pcapng file (Ethernet, Linux cooked, loopback or raw IP; IPv4 or IPv6; any port), or a file of one
//! message: hexadecimal text or the bytes themselves, with or without the four bytes of length before it; `-` is standard input.
//! Several messages are taken as one conversation, in order, so that an answer is read by its question.
//!
//! `--keys` names a key log as our client and server write it with `--keylog`, which is also Wireshark's `smb2_seskey_list`:
//! sealed messages are opened with it. `-v` prints every field below each message's line.
//!
//! Streams of SMB Direct over iWARP are named and skipped.

#[path = "tool.rs"]
mod tool;

use std::{
    io::{self, BufWriter, Read, Write},
    process::ExitCode,
};
use tool::{Tool, keys::Keys};

const USAGE: &str = "usage: dump [-v] [--keys FILE] INPUT…      (see the head of examples/dump/main.rs)";

fn main() -> ExitCode {
    let done = run(std::env::args().skip(1));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            _ = writeln!(io::stderr(), "dump: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(mut arguments: impl Iterator<Item = String>) -> io::Result<()> {
    let (mut verbose, mut keys, mut inputs) = (false, Keys::default(), Vec::new());
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "-v" => verbose = true,
            "--keys" => {
                let path = arguments.next().ok_or_else(|| io::Error::other(USAGE))?;
                keys = Keys::parse(&String::from_utf8_lossy(&read(&path)?)).map_err(io::Error::other)?;
            }
            "-" => inputs.push(argument),
            flag if flag.starts_with('-') => return Err(io::Error::other(USAGE)),
            _ => inputs.push(argument),
        }
    }
    if inputs.is_empty() {
        return Err(io::Error::other(USAGE));
    }
    let mut out = BufWriter::new(io::stdout().lock());
    let mut tool = Tool::new(&keys, verbose);
    for input in &inputs {
        tool.dump(&read(input)?, &mut out)
            .map_err(|error| io::Error::new(error.kind(), format!("{input}: {error}")))?;
    }
    out.flush()
}

fn read(path: &str) -> io::Result<Vec<u8>> {
    if path != "-" {
        return std::fs::read(path).map_err(|error| io::Error::new(error.kind(), format!("{path}: {error}")));
    }
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes)?;
    Ok(bytes)
}
