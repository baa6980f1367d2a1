//! The published example of [MS-NLMP] section 4.2.4, all of it.

use super::{
    keys::{self, Direction},
    response::ntowf_v2,
    *,
};
use crate::auth::{NtHash, SessionKey, tests::hex};

const SERVER_CHALLENGE: [u8; 8] = [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef];
const RANDOM_SESSION_KEY: [u8; 16] = [0x55; 16];

const CHALLENGE: &str = "4e544c4d53535000020000000c000c003800000033828ae20123456789abcdef
    00000000000000002400240044000000060070170000000f5300650072007600
    6500720002000c0044006f006d00610069006e0001000c005300650072007600
    6500720000000000";

const AUTHENTICATE: &str = "4e544c4d535350000300000018001800
    6c00000054005400840000000c000c004800000008000800540000001000100
    05c00000010001000d8000000358288e20501280a0000000f44006f006d0061
    0069006e00550073006500720043004f004d00500055005400450052008
    6c35097ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa68cd0ab851e51c96
    aabc927bebef6a1c01010000000000000000000000000000aaaaaaaaaaaaaaaa
    0000000002000c0044006f006d00610069006e0001000c0053006500720076
    00650072000000000000000000c5dad2544fc9799094ce1ce90bc9d03e";

/// 4.2.4.1.3
const TEMP: &str = "01010000000000000000000000000000aaaaaaaaaaaaaaaa00000000
    02000c0044006f006d00610069006e0001000c00530065007200760065007200
    0000000000000000";

fn target_info() -> TargetInfo {
    let mut info = TargetInfo::default();
    info.set_name(AvId::NB_DOMAIN_NAME, "Domain");
    info.set_name(AvId::NB_COMPUTER_NAME, "Server");
    info
}

fn temp() -> ClientChallenge {
    ClientChallenge { time: 0, challenge: [0xaa; 8], target_info: target_info() }
}

fn response_key() -> zeroize::Zeroizing<[u8; 16]> {
    ntowf_v2(&NtHash::from_password("Password"), "User", "Domain")
}

fn response() -> Ntlmv2Response {
    Ntlmv2Response::compute(&response_key(), SERVER_CHALLENGE, temp().emit())
}

#[test]
fn ntowf_v1_and_v2() {
    // 4.2.2.1.2 and 4.2.4.1.1
    assert_eq!(NtHash::from_password("Password").as_bytes()[..], hex("a4f49c406510bdcab6824ee7c30fd852"));
    assert_eq!(response_key()[..], hex("0c868a403bfd7a93a3001ef22ef02e3f"));
}

#[test]
fn ntlmv2_response_and_keys() {
    assert_eq!(temp().emit(), hex(TEMP));
    assert_eq!(response().proof[..], hex("68cd0ab851e51c96aabc927bebef6a1c")); // 4.2.4.2.2
    let base = response().session_base_key(&response_key());
    assert_eq!(base.as_bytes()[..], hex("8de40ccadbc14a82f15cb0ad0de95ca3")); // 4.2.4.1.2
    let encrypted = keys::rc4(base.as_bytes(), RANDOM_SESSION_KEY);
    assert_eq!(encrypted[..], hex("c5dad2544fc9799094ce1ce90bc9d03e")); // 4.2.4.2.3
    assert!(response().verify(&response_key(), SERVER_CHALLENGE));
    assert!(!response().verify(&response_key(), [0; 8]));
}

#[test]
fn challenge_message() {
    // 4.2.4.3
    let message = Challenge::parse(&hex(CHALLENGE)).unwrap();
    assert_eq!(message.target_name, "Server");
    assert_eq!(message.challenge, SERVER_CHALLENGE);
    assert_eq!(message.target_info, Some(target_info()));
    assert_eq!(message.version, Some(Version { major: 6, minor: 0, build: 6000, revision: 15 }));
    assert_eq!(message.flags, NegotiateFlags(0xe28a_8233));
    assert_eq!(message.emit(), hex(CHALLENGE));
}

#[test]
fn authenticate_message() {
    // 4.2.4.3; the payload there is in another order than ours.
    let message = Authenticate::parse(&hex(AUTHENTICATE)).unwrap();
    assert_eq!((message.domain.as_str(), message.user.as_str()), ("Domain", "User"));
    assert_eq!(message.workstation, "COMPUTER");
    assert_eq!(message.mic, None);
    assert_eq!(message.version, Version { major: 5, minor: 1, build: 2600, revision: 15 });
    assert_eq!(message.nt_response, response().emit());
    assert_eq!(message.lm_response, hex("86c35097ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa"));
    assert_eq!(message.encrypted_session_key, hex("c5dad2544fc9799094ce1ce90bc9d03e"));
    assert_eq!(Ntlmv2Response::parse(&message.nt_response), Ok(response()));
    let temp = ClientChallenge::parse(&response().temp).unwrap();
    assert_eq!(temp, self::temp());
    assert_eq!(Authenticate::parse(&message.emit()), Ok(message));
}

#[test]
fn payload_does_not_lie_in_front_of_the_fields() {
    let mut message = hex(AUTHENTICATE);
    for offset in [0, 8, 11] {
        // The offset of UserName.
        message[40] = offset;
        let refused = Authenticate::parse(&message);
        assert!(matches!(refused, Err(crate::error::ParseError::Overlap { fixed: 12, .. })), "{offset}");
    }
}

#[test]
fn sign_and_seal_keys_and_signature() {
    // 4.2.4.4. The example seals 18 bytes first, so its checksum is encrypted with later bytes of the key
    // stream than ours, which stand at its beginning: check both.
    let key = SessionKey::from_bytes(RANDOM_SESSION_KEY);
    let flags = NegotiateFlags(0xe28a_8233);
    let direction = Direction::ClientToServer;
    let seal_key = keys::seal_key(&key, flags, direction);
    let sign_key = keys::sign_key(&key, direction);
    assert_eq!(seal_key[..], hex("59f600973cc4960a25480a7c196e4c58"));
    assert_eq!(sign_key[..], hex("4788dc861b4782f35d43fd98fe1a2d39"));
    let plain = hex("50006c00610069006e007400650078007400");
    let checksum = keys::hmac_md5(&sign_key, &[&[0; 4], &plain]);
    assert_eq!(checksum[..8], hex("70352851f2564309"));
    let mut stream = [0; 26];
    stream[..18].copy_from_slice(&plain);
    stream[18..].copy_from_slice(&checksum[..8]);
    let sealed = keys::rc4(&seal_key, stream);
    assert_eq!(sealed[..18], hex("54e50165bf1936dc996020c1811b0f06fb5f"));
    assert_eq!(sealed[18..], hex("7fb38ec5c55d4976"));

    let signature = keys::signature(&key, flags, direction, &plain);
    assert_eq!(signature[..4], [1, 0, 0, 0]);
    let first: [u8; 8] = checksum[..8].try_into().unwrap();
    assert_eq!(signature[4..12], keys::rc4(&seal_key, first));
    assert_eq!(signature[12..], [0; 4]);
    assert!(keys::verify_signature(&key, flags, direction, &plain, &signature));
    assert!(!keys::verify_signature(&key, flags, Direction::ServerToClient, &plain, &signature));
}

#[test]
fn every_truncation_errors() {
    let negotiate = Negotiate {
        flags: NegotiateFlags::UNICODE,
        domain: b"DOM".to_vec(),
        workstation: b"WS".to_vec(),
        version: Some(Version::OURS),
    };
    let bytes = negotiate.emit();
    let parsed = Negotiate::parse(&bytes).unwrap();
    assert_eq!((&parsed.domain, &parsed.workstation), (&negotiate.domain, &negotiate.workstation));
    assert_eq!(parsed.emit(), bytes);
    (0..bytes.len()).for_each(|len| assert!(Negotiate::parse(&bytes[..len]).is_err()));
    let bytes = hex(CHALLENGE);
    (0..bytes.len()).for_each(|len| assert!(Challenge::parse(&bytes[..len]).is_err(), "{len}"));
    let bytes = hex(AUTHENTICATE);
    (0..bytes.len()).for_each(|len| assert!(Authenticate::parse(&bytes[..len]).is_err(), "{len}"));
    let bytes = hex(TEMP);
    // The last four bytes are no part of the structure.
    (0..bytes.len() - 4).for_each(|len| assert!(ClientChallenge::parse(&bytes[..len]).is_err(), "{len}"));
}

#[test]
fn unknown_av_pairs_survive_in_order() {
    let mut info = target_info();
    info.0.insert(0, AvPair { id: AvId(0x1234), value: vec![1, 2, 3] });
    info.set(AvId(0xfffe), Vec::new());
    let mut bytes = Vec::new();
    info.emit(&mut bytes);
    assert_eq!(TargetInfo::parse_prefix(&bytes).unwrap(), (&[][..], info));
}
