//! An independent reader of what no recorded peer sends: `tshark` must find our messages well formed, and in them what we
//! put there. Without `tshark` the test says so and counts as skipped, but in CI it fails.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

#[path = "tshark/messages.rs"]
mod messages;
#[path = "tshark/tool.rs"]
mod tool;

#[test]
fn tshark_reads_what_we_write() {
    let (frames, expected) = messages::all();
    let dissected = tool::capture("written", &frames).and_then(|capture| tool::dissect(&capture, &["-V"]));
    let Some(text) = dissected else { return tool::missing() };
    assert!(!text.contains("Malformed"), "{text}");
    let headers = text.lines().filter(|line| line.trim() == "SMB2 Header").count();
    assert_eq!(headers, frames.len(), "messages seen");
    let mut rest = text.as_str();
    for line in expected {
        let at = rest.find(line).unwrap_or_else(|| panic!("not seen, or not in order: {line}"));
        rest = rest.get(at + line.len()..).unwrap();
    }
}
