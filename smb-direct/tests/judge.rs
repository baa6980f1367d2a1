//! An independent judge: `tshark` reads each SMB Direct message of a recorded connection (the Linux kernel's client and server
//! over soft iWARP) as we do. Without `tshark` the test says so and counts as skipped, but in CI it fails.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::print_stderr)]

use serde_json::Value;
use smb_direct::smbd::wire::{DataTransfer, NegotiateOutcome, NegotiateRequest, NegotiateResponse};
use std::{collections::BTreeMap, fs, path::Path, process::Command};

/// The beginning of the capture that `data/client.lines` and `data/server.lines` were cut from.
const CAPTURE: &str = "../smb-proto/tests/data/dump/linux-iwarp.pcapng";

/// Fields by their names without `smb_direct.`.
type Fields = BTreeMap<String, u64>;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All messages that one side sent, in order.
fn recorded(side: &str) -> Vec<Vec<u8>> {
    let text = fs::read_to_string(root().join(format!("tests/data/{side}.lines"))).unwrap();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    text.lines().map(|line| line.as_bytes().chunks(2).map(byte).collect()).collect()
}

fn fields<const N: usize>(fields: [(&str, u64); N]) -> Fields {
    fields.map(|(name, value)| (name.to_owned(), value)).into()
}

/// Our reading of a message: the first of each side negotiates.
fn ours(side: &str, number: usize, bytes: &[u8]) -> Fields {
    if number > 0 {
        let message = DataTransfer::parse(bytes).unwrap();
        let (header, len) = (message.header, u64::try_from(message.data.len()).unwrap());
        return fields([
            ("credits.requested", header.credits_requested.into()),
            ("credits.granted", header.credits_granted.into()),
            ("flags", header.flags.0.into()),
            ("remaining_length", header.remaining_data_length.into()),
            ("data_length", len),
        ]);
    }
    if side == "client" {
        let request = NegotiateRequest::parse(bytes).unwrap();
        return fields([
            ("version.min", request.min_version.0.into()),
            ("version.max", request.max_version.0.into()),
            ("credits.requested", request.credits_requested.into()),
            ("preferred_send_size", request.preferred_send_size.into()),
            ("max_receive_size", request.max_receive_size.into()),
            ("max_fragmented_size", request.max_fragmented_size.into()),
        ]);
    }
    let response = NegotiateResponse::parse(bytes).unwrap();
    let NegotiateOutcome::Accepted(agreed) = response.outcome else { panic!("{response:?}") };
    fields([
        ("version.min", response.min_version.0.into()),
        ("version.max", response.max_version.0.into()),
        ("version.negotiated", agreed.version.0.into()),
        ("credits.requested", agreed.credits_requested.into()),
        ("credits.granted", agreed.credits_granted.into()),
        ("max_read_write_size", agreed.max_read_write_size.into()),
        ("preferred_send_size", agreed.preferred_send_size.into()),
        ("max_receive_size", agreed.max_receive_size.into()),
        ("max_fragmented_size", agreed.max_fragmented_size.into()),
    ])
}

/// `tshark`'s reading of a message.
fn theirs(message: &Value) -> Fields {
    let number = |text: &str| match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    };
    let kind = message.as_object().unwrap().values().next().unwrap().as_object().unwrap();
    let field = |(name, value): (&String, &Value)| {
        Some((name.strip_prefix("smb_direct.")?.to_owned(), number(value.as_str()?)?))
    };
    kind.iter().filter_map(field).collect()
}

/// What `tshark` says of the capture: packets that have SMB Direct, with their source ports. `None` where it is missing.
fn dissected() -> Option<Vec<Value>> {
    let output = Command::new("tshark")
        .args([
            "-o",
            "tcp.try_heuristic_first:TRUE",
            "-T",
            "json",
            "--no-duplicate-keys",
            "-J",
            "tcp smb_direct",
        ])
        .args(["-Y", "smb_direct", "-r"])
        .arg(root().join(CAPTURE))
        .output()
        .ok()?;
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn tshark_agrees_on_every_message() {
    let Some(packets) = dissected() else {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "tshark is missing");
        eprintln!("skipped: tshark is missing");
        return;
    };
    let mut seen = BTreeMap::from([("client", 0), ("server", 0)]);
    for packet in &packets {
        let layers = &packet["_source"]["layers"];
        let side = if layers["tcp"]["tcp.dstport"] == "5445" { "client" } else { "server" };
        let messages =
            layers["smb_direct"].as_array().cloned().unwrap_or_else(|| vec![layers["smb_direct"].clone()]);
        let recorded = recorded(side);
        for message in &messages {
            let number = seen.get_mut(side).unwrap();
            let (ours, mut theirs) = (ours(side, *number, &recorded[*number]), theirs(message));
            theirs.retain(|name, _| ours.contains_key(name));
            assert_eq!(ours, theirs, "{side} {number}");
            *number += 1;
        }
    }
    assert!(seen["client"] >= 20 && seen["server"] >= 20, "{seen:?}");
}
