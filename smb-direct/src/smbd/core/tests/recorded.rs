//! The Linux kernel client and ksmbd, as recorded, each against our other side.
use super::*;
use std::fs;

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn recorded(side: &str) -> Vec<Vec<u8>> {
    let path = format!("{}/tests/data/{side}.lines", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(path).unwrap().lines().map(unhex).collect()
}

/// Cut by another tool from the same capture.
fn smb2(name: &str) -> Vec<u8> {
    let root = env!("CARGO_MANIFEST_DIR");
    let path = format!("{root}/../smb-proto/tests/data/golden/linux-3.1.1-rdma/{name}.hex");
    unhex(&fs::read_to_string(path).unwrap().split_whitespace().collect::<String>())
}

/// The upper-layer messages in `sends`, read without our parser.
fn joined(sends: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let number = |send: &[u8], at: usize| {
        usize::try_from(u32::from_le_bytes(send[at..at + 4].try_into().unwrap())).unwrap()
    };
    let (mut all, mut whole) = (Vec::new(), Vec::new());
    for send in sends {
        let (remaining, offset, len) = (number(send, 8), number(send, 12), number(send, 16));
        whole.extend_from_slice(&send[offset..offset + len]);
        if len > 0 && remaining == 0 {
            all.push(std::mem::take(&mut whole));
        }
    }
    all
}

fn replay(role: Role, side: &str) -> End {
    let now = Instant::now();
    let mut end = End::new(role, &Config::default(), now);
    end.drain();
    for send in recorded(side) {
        end.feed(now, (send, None));
        end.engine.sends_done(now, end.undone);
        end.undone = 0;
        end.drain();
        assert_eq!(end.closed, None);
    }
    end
}

#[test]
fn our_responder_understands_the_kernel_client() {
    let end = replay(Role::Responder, "client");
    let expected = joined(&recorded("client")[1..]);
    assert_eq!(expected.len(), 30);
    assert!(end.delivered.iter().map(|(bytes, _)| bytes).eq(&expected));
    for (at, name) in [(0, "00-negotiate-request"), (1, "02-session-setup-leg1-request")] {
        assert_eq!(end.delivered[at].0, smb2(name));
    }
    let limits = *end.engine.limits().unwrap();
    assert_eq!((limits.max_send_size, limits.max_receive_size), (1364, 1364));
    assert_eq!(limits.max_fragmented_send_size, 173_910);
}

#[test]
fn our_initiator_understands_ksmbd() {
    let end = replay(Role::Initiator, "server");
    let expected = joined(&recorded("server")[1..]);
    assert_eq!(expected.len(), 30);
    assert!(end.delivered.iter().map(|(bytes, _)| bytes).eq(&expected));
    assert_eq!(end.delivered[0].0, smb2("01-negotiate-response"));
    assert_eq!(end.engine.limits().unwrap().max_read_write_size, 8 << 20);
}
