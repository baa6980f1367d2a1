//! A peer that breaks each rule, and one that goes to the edge of it.
use super::*;
use crate::smbd::{
    Violation,
    wire::{Flags, NegotiateOutcome, NegotiateRequest, NegotiateResponse, Negotiated, Version},
};
use smb_proto::{error::ParseError, status::NtStatus};

fn bytes(emit: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    emit(&mut out);
    out
}

fn request() -> NegotiateRequest {
    NegotiateRequest {
        min_version: Version::V1,
        max_version: Version::V1,
        credits_requested: 10,
        preferred_send_size: 1024,
        max_receive_size: 1024,
        max_fragmented_size: 131_072,
    }
}

fn negotiated() -> Negotiated {
    Negotiated {
        version: Version::V1,
        credits_requested: 10,
        credits_granted: 10,
        max_read_write_size: 1 << 20,
        preferred_send_size: 512,
        max_receive_size: 1024,
        max_fragmented_size: 131_072,
    }
}

/// A responder that got `request`.
fn asked(request: &NegotiateRequest) -> End {
    let mut end = End::new(Role::Responder, &tiny(), Instant::now());
    assert!(end.drain().is_empty());
    end.feed(Instant::now(), (bytes(|out| request.emit(out)), None));
    end
}

/// An initiator that got `outcome`.
fn answered(outcome: NegotiateOutcome) -> End {
    let mut end = End::new(Role::Initiator, &tiny(), Instant::now());
    assert_eq!(end.drain().len(), 1);
    let response = NegotiateResponse { min_version: Version::V1, max_version: Version::V1, outcome };
    end.feed(Instant::now(), (bytes(|out| response.emit(out)), None));
    end.drain();
    end
}

fn message(header: DataHeader, data: &[u8]) -> Packet {
    (bytes(|out| crate::smbd::wire::DataTransfer { header, data }.emit(out)), None)
}

fn header(credits_granted: u16, remaining_data_length: u32) -> DataHeader {
    DataHeader { credits_requested: 10, credits_granted, flags: Flags::NONE, remaining_data_length }
}

/// An established responder that then got `messages`.
fn told(messages: impl IntoIterator<Item = Packet>) -> End {
    let mut end = asked(&request());
    end.drain();
    for packet in messages {
        end.feed(Instant::now(), packet);
        end.drain();
    }
    end
}

fn violation(end: &End) -> Option<Violation> {
    match end.closed {
        Some(CloseReason::Violation(violation)) => Some(violation),
        _ => None,
    }
}

proptest::proptest! {
    #[test]
    fn whatever_a_peer_sends_nothing_panics_and_nothing_goes_on_after_the_end(
        negotiated: bool,
        messages in proptest::collection::vec(proptest::collection::vec(proptest::num::u8::ANY, 0..60), 1..6),
        patches in proptest::collection::vec((0..24usize, proptest::num::u8::ANY), 1..6),
    ) {
        let mut end = if negotiated { told([]) } else { End::new(Role::Responder, &tiny(), Instant::now()) };
        let patched = patches.iter().map(|(at, value)| {
            let mut bytes = message(header(1, 0), b"data").0;
            bytes[*at] = *value;
            bytes
        });
        for bytes in patched.chain(messages.iter().cloned()) {
            end.engine.received(Instant::now(), IoBuf::copied(&bytes), None);
            end.drain();
            end.engine.sends_done(Instant::now(), 1);
            end.drain();
        }
        let (_, receives) = end.engine.credits();
        assert!(receives <= 3, "no more receives than the configuration allows");
    }
}

#[test]
fn requests_that_break_a_rule() {
    let cases = [
        (NegotiateRequest { credits_requested: 0, ..request() }, Violation::NoCreditsRequested),
        (NegotiateRequest { max_receive_size: 127, ..request() }, Violation::ReceiveSize(127)),
        (NegotiateRequest { max_fragmented_size: 131_071, ..request() }, Violation::FragmentedSize(131_071)),
    ];
    for (request, expected) in cases {
        let mut end = asked(&request);
        assert!(end.drain().is_empty(), "no answer");
        assert_eq!(violation(&end), Some(expected));
    }
}

#[test]
fn a_request_of_other_versions_is_answered_then_the_connection_ends() {
    for (min, max) in [(0x0200, 0x0300), (0x0001, 0x00ff), (0x0300, 0x0001)] {
        let (min, max) = (Version(min), Version(max));
        let mut end = asked(&NegotiateRequest { min_version: min, max_version: max, ..request() });
        let sent = end.drain();
        let outcome = NegotiateResponse::parse(&sent[0].0).unwrap().outcome;
        assert_eq!(outcome, NegotiateOutcome::Refused(NtStatus::NOT_SUPPORTED));
        assert_eq!(end.closed, None, "not before the answer has left");
        end.engine.sends_done(Instant::now(), 1);
        end.drain();
        assert_eq!(violation(&end), Some(Violation::Versions { min, max }));
    }
    let wide = NegotiateRequest { min_version: Version(1), max_version: Version(0xffff), ..request() };
    assert!(asked(&wide).engine.limits().is_some());
}

#[test]
fn responses_that_break_a_rule() {
    let cases = [
        (Negotiated { version: Version(0x0200), ..negotiated() }, Violation::Negotiated(Version(0x0200))),
        (Negotiated { credits_requested: 0, ..negotiated() }, Violation::NoCreditsRequested),
        (Negotiated { credits_granted: 0, ..negotiated() }, Violation::NoCreditsGranted),
        (Negotiated { max_receive_size: 127, ..negotiated() }, Violation::ReceiveSize(127)),
        (Negotiated { max_fragmented_size: 0, ..negotiated() }, Violation::FragmentedSize(0)),
        (Negotiated { preferred_send_size: 513, ..negotiated() }, Violation::SendSize(513)),
    ];
    for (body, expected) in cases {
        assert_eq!(violation(&answered(NegotiateOutcome::Accepted(body))), Some(expected));
    }
    let refused = answered(NegotiateOutcome::Refused(NtStatus::NOT_SUPPORTED));
    assert_eq!(refused.closed, Some(CloseReason::Refused(NtStatus::NOT_SUPPORTED)));
}

#[test]
fn sizes_are_the_smaller_of_both_sides() {
    let end = answered(NegotiateOutcome::Accepted(Negotiated { preferred_send_size: 4, ..negotiated() }));
    let limits = *end.engine.limits().unwrap();
    let expected = Limits {
        max_send_size: 128,
        max_receive_size: 128,
        max_fragmented_send_size: 131_072,
        max_read_write_size: 1 << 20,
    };
    assert_eq!(limits, expected);
    let end = asked(&NegotiateRequest { max_receive_size: 128, preferred_send_size: 300, ..request() });
    let limits = *end.engine.limits().unwrap();
    assert_eq!((limits.max_send_size, limits.max_receive_size), (128, 300));
}

#[test]
fn messages_that_break_a_rule() {
    let whole = message(header(5, 0), b"data");
    let cut = |len: usize| (whole.0[..len].to_vec(), None);
    let patched = |at: usize, value: u8| {
        let mut bytes = whole.0.clone();
        bytes[at] = value;
        (bytes, None)
    };
    for len in 0..20 {
        let expected = Violation::Parse(ParseError::Truncated { what: "SMB Direct data transfer" });
        assert_eq!(violation(&told([cut(len)])), Some(expected));
    }
    assert!(matches!(violation(&told([cut(27)])), Some(Violation::Parse(ParseError::Bounds { .. }))));
    let misaligned = violation(&told([patched(12, 20)]));
    assert_eq!(misaligned, Some(Violation::Parse(ParseError::Value { what: "DataOffset", value: 20 })));
    assert_eq!(violation(&told([patched(0, 0)])), Some(Violation::NoCreditsRequested));
    let long = message(header(5, 131_069), b"data");
    assert_eq!(violation(&told([long])), Some(Violation::TooLong(131_073)));
    let huge = message(header(5, u32::MAX), b"data");
    assert_eq!(violation(&told([huge])), Some(Violation::TooLong(u64::from(u32::MAX) + 4)));
    let more = [message(header(65_535, 0), b"a"), message(header(65_535, 0), b"a")];
    assert!(matches!(violation(&told(more)), Some(Violation::OverGrant { granted: 65_535, .. })));
}

#[test]
fn fragments_that_do_not_fit_together() {
    let first = || message(header(5, 10), b"0123");
    for (remaining, data) in [(0, "012345678"), (0, "0123456789a"), (10, "0"), (8, "01234")] {
        let end = told([first(), message(header(1, remaining), data.as_bytes())]);
        let found = u64::from(remaining) + u64::try_from(data.len()).unwrap();
        assert_eq!(violation(&end), Some(Violation::Fragment { expected: 10, found }));
        assert!(end.delivered.is_empty());
    }
}

#[test]
fn every_split_of_a_message_is_joined() {
    let whole = pattern(40, 3);
    for first in 1..40 {
        for second in first..40 {
            let (a, rest) = whole.split_at(first);
            let (b, c) = rest.split_at(second - first);
            let left = |part: usize| u32::try_from(40 - part).unwrap();
            // An empty part is a message that only grants credits, in the midst of the others.
            let mut last = message(header(1, 0), c);
            last.1 = Some(Token(9));
            let end = told([message(header(5, left(first)), a), message(header(0, left(second)), b), last]);
            assert_eq!(end.closed, None);
            assert_eq!(end.delivered, [(whole.clone(), Some(Token(9)))]);
        }
    }
}

#[test]
fn the_limit_of_this_side_holds_before_anything_is_kept() {
    for (len, limit) in [(5001u32, 5000), (5000, 5000)] {
        let mut end = asked(&request());
        end.drain();
        end.engine.set_limit(limit);
        end.feed(Instant::now(), message(header(5, len - 4), b"data"));
        end.drain();
        let expected = (len == 5001).then_some(CloseReason::TooLong { len: 5001, limit });
        assert_eq!(end.closed, expected);
    }
}

#[test]
fn a_message_without_a_credit_ends_the_connection() {
    let mut end = told([message(header(0, 0), b"a"), message(header(0, 0), b"b")]);
    assert_eq!(end.closed, None, "the peer grants nothing, so it gets nothing, and has two");
    end.posted = 1;
    end.engine.received(Instant::now(), IoBuf::copied(&message(header(0, 0), b"c").0), None);
    end.drain();
    assert_eq!(violation(&end), Some(Violation::NoCredit));
}

#[test]
fn a_peer_that_grants_nothing_gets_nothing_and_starves_only_itself() {
    let mut end = told([message(header(0, 0), b"a")]);
    for n in 0..10 {
        end.send(Instant::now(), &pattern(100, n), None).unwrap();
    }
    assert!(end.drain().is_empty());
    // One credit comes; it is spent only together with a grant.
    end.feed(Instant::now(), message(header(1, 0), b""));
    let sent = end.drain();
    assert_eq!(sent.len(), 1);
    assert!(DataHeader::parse(&sent[0].0).unwrap().0.credits_granted > 0);
}

#[test]
fn what_cannot_be_sent_is_refused() {
    let mut end = asked(&request());
    end.drain();
    let now = Instant::now();
    assert!(end.send(now, b"", None).is_err());
    assert!(end.send(now, &vec![0; 131_073], None).is_err());
    assert!(end.send(now, &vec![0; 131_072], None).is_ok());
    let mut early = End::new(Role::Initiator, &tiny(), now);
    assert!(early.send(now, b"early", None).is_err());
}

#[test]
fn the_end_of_the_link_ends_the_connection() {
    let mut end = told([]);
    end.engine.link_down();
    end.engine.link_down();
    end.drain();
    assert_eq!(end.closed, Some(CloseReason::Disconnected));
    assert_eq!(end.engine.deadline(), None);
}
