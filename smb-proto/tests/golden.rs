//! Every message of the recorded peers parses and comes back byte for byte: `tests/data/golden/README.md` tells where
//! they are from. And: every message has a recording, and the tests of its kind.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr
)]

#[path = "golden/control.rs"]
mod control;
#[path = "golden/coverage.rs"]
mod coverage;
#[path = "golden/data.rs"]
mod data;
#[path = "golden/information.rs"]
mod information;
#[path = "golden/judge.rs"]
mod judge;
#[path = "golden/layout.rs"]
mod layout;
#[path = "tshark/tool.rs"]
mod tool;

use data::Golden;
use smb_proto::{
    codec::Body,
    compound,
    error::ParseError,
    header::Header,
    msg::{
        Request, Response, Smb1NegotiateRequest,
        smb1::{DIALECT_2_0_2, DIALECT_WILDCARD},
    },
};

/// A body of either direction.
#[derive(Debug, PartialEq)]
enum Any<'a> {
    Request(Request<'a>),
    Response(Response<'a>),
}

impl<'a> Any<'a> {
    fn parse(header: &Header, body: &Body<'a>) -> Result<Self, ParseError> {
        match header.status() {
            None => Request::parse(header, body).map(Any::Request),
            Some(_) => Response::parse(header, body).map(Any::Response),
        }
    }

    fn emit(&self, out: &mut Vec<u8>) {
        let before = out.len();
        let len = match self {
            Self::Request(body) => {
                body.emit(out);
                body.wire_len()
            }
            Self::Response(body) => {
                body.emit(out);
                body.wire_len()
            }
        };
        assert_eq!(out.len() - before, len, "wire_len");
    }
}

/// The messages of a frame.
fn read(frame: &[u8]) -> Result<Vec<(Header, Any<'_>)>, ParseError> {
    let parts = compound::parts(frame);
    parts.map(|part| part.and_then(|part| Ok((part.header, Any::parse(&part.header, &part.body)?)))).collect()
}

fn write(messages: &[(Header, Any<'_>)]) -> Vec<u8> {
    let mut builder = compound::Builder::new();
    for (header, body) in messages {
        builder.push_raw(header, |out| body.emit(out));
    }
    builder.finish()
}

/// Checks one frame; returns which exceptions allowed it to differ, or what differs.
fn check(golden: &Golden) -> Result<Vec<usize>, String> {
    let wire = golden.standing_alone();
    let messages = read(&wire).map_err(|error| format!("{}: {error}", golden.name))?;
    let ours = write(&messages);
    if ours == wire {
        return Ok(Vec::new());
    }
    if read(&ours).as_ref() != Ok(&messages) {
        return Err(format!("{}: means something else after a round trip", golden.name));
    }
    let allowed = |(_, exception): &(usize, &layout::Exception)| (exception.applies)(&golden.name);
    let exceptions: Vec<_> =
        layout::EXCEPTIONS.iter().enumerate().filter(allowed).map(|(index, _)| index).collect();
    if exceptions.is_empty() { Err(difference(golden, &wire, &ours)) } else { Ok(exceptions) }
}

fn difference(golden: &Golden, wire: &[u8], ours: &[u8]) -> String {
    let at = ours.iter().zip(wire).position(|(a, b)| a != b).unwrap_or(ours.len().min(wire.len()));
    let show = |bytes: &[u8]| -> String {
        bytes.iter().skip(at.saturating_sub(8)).take(24).map(|byte| format!("{byte:02x}")).collect()
    };
    let (name, len, our_len) = (&golden.name, wire.len(), ours.len());
    format!("{name}: byte {at} of {len} ({our_len} ours): {} / {}", show(wire), show(ours))
}

#[test]
fn every_message_comes_back_byte_for_byte() {
    let goldens = data::opened();
    assert!(goldens.len() > 1250, "only {} messages", goldens.len());
    let results: Vec<_> = goldens.iter().map(check).collect();
    let failures: Vec<_> = results.iter().filter_map(|result| result.as_ref().err().cloned()).collect();
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), goldens.len(), failures.join("\n"));
    let used: Vec<_> = results.iter().flatten().flatten().collect();
    for (index, exception) in layout::EXCEPTIONS.iter().enumerate() {
        assert!(used.contains(&&index), "needed no more: {}", exception.reason);
    }
    let exact = results.iter().filter(|result| result.as_ref().is_ok_and(Vec::is_empty)).count();
    assert!(exact > 775, "only {exact} of {} exact", goldens.len());
}

#[test]
fn the_smb1_negotiate_comes_back_byte_for_byte() {
    let recorded = data::smb1();
    assert!(!recorded.is_empty());
    let mut wildcards = 0;
    for frame in recorded {
        let request = Smb1NegotiateRequest::parse(&frame).unwrap();
        assert!(request.offers(DIALECT_2_0_2), "{request:?}");
        assert_eq!(request.to_bytes(), frame);
        wildcards += usize::from(request.offers(DIALECT_WILDCARD));
    }
    assert!(wildcards > 0);
}
