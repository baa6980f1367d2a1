//! `tshark` and its tools. Without them a test says so and counts as skipped, but in CI it fails.

use std::{
    fmt::Write as _,
    fs,
    io::Write as _,
    path::PathBuf,
    process::{Command, Stdio},
};

/// `text2pcap`'s input: a letter for the direction (`I` to the server), then a hex dump.
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

/// A capture file, gone when dropped.
pub struct Capture(PathBuf);

impl Drop for Capture {
    fn drop(&mut self) {
        _ = fs::remove_file(&self.0);
    }
}

/// A capture of the frames, as one connection to port 445, a packet each. `None` where the tool is missing.
pub fn capture(name: &str, frames: &[(char, Vec<u8>)]) -> Option<Capture> {
    let path = std::env::temp_dir().join(format!("smb-proto-{}-{name}.pcapng", std::process::id()));
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

/// What `tshark` says of a capture, in the form that the arguments ask for.
pub fn dissect(capture: &Capture, arguments: &[&str]) -> Option<String> {
    let mut tool = Command::new("tshark");
    tool.args(arguments).arg("-r").arg(&capture.0).env("TZ", "UTC");
    let output = tool.output().ok()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Says that a test is skipped; in CI it fails.
pub fn missing() {
    assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "tshark is missing");
    eprintln!("skipped: tshark is missing");
}
