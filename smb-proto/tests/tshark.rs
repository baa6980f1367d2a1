//! An independent reader of what no recorded peer sends: `tshark` must find our messages well formed, and in them what we
//! put there. Without `tshark` the test says so and counts as skipped, but in CI it fails.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

#[path = "tshark/messages.rs"]
mod messages;

use std::{
    fmt::Write as _,
    fs,
    io::Write as _,
    path::PathBuf,
    process::{Command, Stdio},
};

/// `text2pcap`'s input: a letter for the direction, then a hex dump.
fn dump(frames: &[(char, Vec<u8>)]) -> String {
    let mut text = String::new();
    for (direction, frame) in frames {
        let prefix = u32::try_from(frame.len()).unwrap().to_be_bytes();
        let bytes = [prefix.as_slice(), frame].concat();
        writeln!(text, "{direction}").unwrap();
        for (index, line) in bytes.chunks(16).enumerate() {
            let hex: String = line.iter().map(|byte| format!(" {byte:02x}")).collect();
            writeln!(text, "{:06x} {hex}", index * 16).unwrap();
        }
    }
    text
}

struct Capture(PathBuf);

impl Drop for Capture {
    fn drop(&mut self) {
        _ = fs::remove_file(&self.0);
    }
}

/// A capture of the frames, as one connection to port 445. `None` where the tool is missing.
fn capture(frames: &[(char, Vec<u8>)]) -> Option<Capture> {
    let path = std::env::temp_dir().join(format!("smb-proto-{}.pcapng", std::process::id()));
    let mut tool = Command::new("text2pcap")
        .args(["-q", "-D", "-T", "50000,445", "-"])
        .arg(&path)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    tool.stdin.take().unwrap().write_all(dump(frames).as_bytes()).unwrap();
    assert!(tool.wait().unwrap().success());
    Some(Capture(path))
}

fn dissect(capture: &Capture) -> Option<String> {
    let output = Command::new("tshark").arg("-V").arg("-r").arg(&capture.0).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn tshark_reads_what_we_write() {
    let (frames, expected) = messages::all();
    let Some(text) = capture(&frames).as_ref().and_then(dissect) else {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "tshark is missing");
        eprintln!("skipped: tshark is missing");
        return;
    };
    assert!(!text.contains("Malformed"), "{text}");
    let headers = text.lines().filter(|line| line.trim() == "SMB2 Header").count();
    assert_eq!(headers, frames.len(), "messages seen");
    let mut rest = text.as_str();
    for line in expected {
        let at = rest.find(line).unwrap_or_else(|| panic!("not seen, or not in order: {line}"));
        rest = rest.get(at + line.len()..).unwrap();
    }
}
