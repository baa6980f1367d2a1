#![allow(clippy::as_conversions)]
use super::*;
use proptest::prelude::*;
use smb_proto::status::NtStatus;
use std::fs;

fn golden(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/data/{name}.hex", env!("CARGO_MANIFEST_DIR"));
    let text: String = fs::read_to_string(path).unwrap().split_whitespace().collect();
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn wire(emit: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    emit(&mut out);
    out
}

fn requests() -> impl Strategy<Value = NegotiateRequest> {
    any::<(u16, u16, u16, u32, u32, u32)>().prop_map(|(min, max, credits, send, receive, fragmented)| {
        NegotiateRequest {
            min_version: Version(min),
            max_version: Version(max),
            credits_requested: credits,
            preferred_send_size: send,
            max_receive_size: receive,
            max_fragmented_size: fragmented,
        }
    })
}

fn outcomes() -> impl Strategy<Value = NegotiateOutcome> {
    let accepted = any::<(u16, u16, u16, [u32; 4])>().prop_map(|(version, requested, granted, sizes)| {
        NegotiateOutcome::Accepted(Negotiated {
            version: Version(version),
            credits_requested: requested,
            credits_granted: granted,
            max_read_write_size: sizes[0],
            preferred_send_size: sizes[1],
            max_receive_size: sizes[2],
            max_fragmented_size: sizes[3],
        })
    });
    let refused = (1..=u32::MAX).prop_map(|status| NegotiateOutcome::Refused(NtStatus(status)));
    prop_oneof![accepted, refused]
}

fn transfers() -> impl Strategy<Value = (DataHeader, Vec<u8>)> {
    (any::<(u16, u16, u16, u32)>(), proptest::collection::vec(any::<u8>(), 0..300)).prop_map(
        |((requested, granted, flags, remaining), data)| {
            let header = DataHeader {
                credits_requested: requested,
                credits_granted: granted,
                flags: Flags(flags),
                remaining_data_length: remaining,
            };
            (header, data)
        },
    )
}

proptest! {
    #[test]
    fn negotiate_request(message in requests()) {
        let bytes = wire(|out| message.emit(out));
        prop_assert_eq!(bytes.len(), NegotiateRequest::LEN);
        prop_assert_eq!(NegotiateRequest::parse(&bytes), Ok(message));
        for cut in 0..bytes.len() {
            prop_assert!(NegotiateRequest::parse(&bytes[..cut]).is_err());
        }
    }

    #[test]
    fn negotiate_response(min: u16, max: u16, outcome in outcomes()) {
        let message = NegotiateResponse { min_version: Version(min), max_version: Version(max), outcome };
        let bytes = wire(|out| message.emit(out));
        prop_assert_eq!(bytes.len(), NegotiateResponse::LEN);
        prop_assert_eq!(NegotiateResponse::parse(&bytes), Ok(message));
        for cut in 0..bytes.len() {
            prop_assert!(NegotiateResponse::parse(&bytes[..cut]).is_err());
        }
    }

    #[test]
    fn data_transfer((header, data) in transfers()) {
        let message = DataTransfer { header, data: &data };
        let bytes = wire(|out| message.emit(out));
        prop_assert_eq!(bytes.len(), message.wire_len());
        prop_assert_eq!(DataTransfer::parse(&bytes), Ok(message));
        for cut in 0..bytes.len() {
            prop_assert!(DataTransfer::parse(&bytes[..cut]).is_err());
        }
        // An independent reader finds the data where the message says it is.
        let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        prop_assert_eq!(&bytes[number(12)..][..number(16)], &data[..]);
    }

    #[test]
    fn moved_data_is_followed((header, data) in transfers(), by in 1usize..9) {
        prop_assume!(!data.is_empty());
        let message = DataTransfer { header, data: &data };
        let mut bytes = wire(|out| message.emit(out));
        let at = 24 + 8 * by;
        bytes.truncate(20);
        bytes[12..16].copy_from_slice(&(at as u32).to_le_bytes());
        bytes.resize(at, 0xee);
        bytes.extend_from_slice(&data);
        prop_assert_eq!(DataTransfer::parse(&bytes), Ok(message));
        bytes[12] |= 4;
        let misaligned = matches!(DataTransfer::parse(&bytes), Err(ParseError::Value { .. }));
        prop_assert!(misaligned);
    }

    #[test]
    fn nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _ = (NegotiateRequest::parse(&bytes), NegotiateResponse::parse(&bytes), DataTransfer::parse(&bytes));
    }
}

#[test]
fn the_negotiation_of_the_linux_kernel() {
    let bytes = golden("negotiate-request");
    let request = NegotiateRequest {
        min_version: Version::V1,
        max_version: Version::V1,
        credits_requested: 255,
        preferred_send_size: 1364,
        max_receive_size: 1364,
        max_fragmented_size: 173_910,
    };
    assert_eq!(NegotiateRequest::parse(&bytes), Ok(request));
    assert_eq!(wire(|out| request.emit(out)), bytes);

    let bytes = golden("negotiate-response");
    let response = NegotiateResponse {
        min_version: Version::V1,
        max_version: Version::V1,
        outcome: NegotiateOutcome::Accepted(Negotiated {
            version: Version::V1,
            credits_requested: 255,
            credits_granted: 254,
            max_read_write_size: 8 << 20,
            preferred_send_size: 1364,
            max_receive_size: 1364,
            max_fragmented_size: 173_910,
        }),
    };
    assert_eq!(NegotiateResponse::parse(&bytes), Ok(response));
    assert_eq!(wire(|out| response.emit(out)), bytes);
}

#[test]
fn data_transfers_of_the_linux_kernel() {
    let header = |granted, flags, remaining| DataHeader {
        credits_requested: 255,
        credits_granted: granted,
        flags: Flags(flags),
        remaining_data_length: remaining,
    };
    let cases = [
        ("client-whole", header(0, 0, 0), 224),
        ("client-first", header(1, 0, 192), 152),
        ("client-middle", header(0, 0, 88), 104),
        ("client-last", header(0, 0, 0), 88),
        ("client-credits", header(255, 0, 0), 0),
        ("server-whole", header(0, 0, 0), 296),
    ];
    for (name, header, len) in cases {
        let bytes = golden(name);
        let message = DataTransfer::parse(&bytes).unwrap();
        assert_eq!((message.header, message.data.len()), (header, len), "{name}");
        if len > 0 {
            assert_eq!(message.data[..4], *b"\xfeSMB", "{name}");
        }
        assert_eq!(wire(|out| message.emit(out)), bytes, "{name}");
    }
}
