//! Tests of the negotiation.

use super::*;

fn offer(dialects: &[Dialect], contexts: Vec<NegotiateContext>) -> NegotiateRequest {
    NegotiateRequest {
        security_mode: SecurityMode::SIGNING_ENABLED,
        capabilities: Capabilities::ENCRYPTION,
        client_guid: [1; 16],
        dialects: dialects.to_vec(),
        contexts,
    }
}

fn preauth() -> NegotiateContext {
    NegotiateContext::Preauth { hashes: vec![HashAlgorithm::SHA_512], salt: vec![] }
}

#[test]
fn the_best_common_dialect() {
    let mut config = Config::default();
    assert_eq!(best_dialect(&config, &Dialect::ALL), Some(Dialect::SMB_3_1_1));
    config.dialects = Dialect::SMB_2_1..=Dialect::SMB_3_0_2;
    assert_eq!(best_dialect(&config, &Dialect::ALL), Some(Dialect::SMB_3_0_2));
    assert_eq!(best_dialect(&config, &[Dialect::SMB_2_0_2, Dialect::SMB_3_1_1]), None);
    assert_eq!(best_dialect(&config, &[Dialect(0x0310), Dialect::WILDCARD]), None);
    config.encryption = Policy::Required;
    assert_eq!(best_dialect(&config, &[Dialect::SMB_2_1]), None);
    assert_eq!(choose(&config, &offer(&[], vec![])), Err(NtStatus::INVALID_PARAMETER));
    assert_eq!(choose(&config, &offer(&[Dialect::SMB_2_1], vec![])), Err(NtStatus::NOT_SUPPORTED));
}

#[test]
fn algorithms_by_our_preference() {
    let config = Config::default();
    let ciphers = vec![Cipher::AES_256_CCM, Cipher::AES_128_GCM];
    let signing = vec![SigningAlgorithm::HMAC_SHA256, SigningAlgorithm::AES_CMAC];
    let contexts = vec![preauth(), NegotiateContext::Encryption(ciphers), NegotiateContext::Signing(signing)];
    let agreed = choose(&config, &offer(&Dialect::ALL, contexts)).unwrap();
    assert_eq!((agreed.cipher, agreed.signing), (Cipher::AES_128_GCM, SigningAlgorithm::AES_CMAC));
    assert_eq!(agreed.contexts(&[0; 32]).len(), 3);
    // 3.1.1 says by context what it seals with, and not by capability.
    assert!(!agreed.capabilities.contains(Capabilities::ENCRYPTION));
}

#[test]
fn what_is_not_offered_is_not_answered() {
    let agreed = choose(&Config::default(), &offer(&Dialect::ALL, vec![preauth()])).unwrap();
    assert_eq!((agreed.cipher, agreed.signing), (Cipher::NONE, SigningAlgorithm::AES_CMAC));
    assert_eq!(agreed.contexts(&[0; 32]).len(), 1);
    let off = Config { encryption: Policy::Off, ..Config::default() };
    let contexts = vec![preauth(), NegotiateContext::Encryption(vec![Cipher::AES_128_GCM])];
    let agreed = choose(&off, &offer(&Dialect::ALL, contexts)).unwrap();
    assert_eq!(agreed.cipher, Cipher::NONE);
    assert_eq!(agreed.contexts(&[0; 32])[1], NegotiateContext::Encryption(vec![Cipher::NONE]));
}

#[test]
fn malformed_contexts_are_refused() {
    let other = NegotiateContext::Preauth { hashes: vec![HashAlgorithm(9)], salt: vec![] };
    let twice = NegotiateContext::Encryption(vec![Cipher::AES_128_GCM]);
    for (contexts, status) in [
        (vec![], NtStatus::INVALID_PARAMETER),
        (vec![preauth(), preauth()], NtStatus::INVALID_PARAMETER),
        (vec![preauth(), twice.clone(), twice], NtStatus::INVALID_PARAMETER),
        (vec![preauth(), NegotiateContext::Signing(vec![])], NtStatus::INVALID_PARAMETER),
        (vec![other], NtStatus::SMB_NO_PREAUTH_INTEGRITY_HASH_OVERLAP),
    ] {
        assert_eq!(choose(&Config::default(), &offer(&Dialect::ALL, contexts)), Err(status));
    }
}

#[test]
fn older_dialects() {
    let config = Config::default();
    let agreed = choose(&config, &offer(&[Dialect::SMB_3_0], vec![])).unwrap();
    assert_eq!((agreed.cipher, agreed.signing), (Cipher::AES_128_CCM, SigningAlgorithm::AES_CMAC));
    assert!(agreed.capabilities.contains(Capabilities::ENCRYPTION) && agreed.multi_credit());
    let agreed = choose(&config, &offer(&[Dialect::SMB_2_0_2], vec![])).unwrap();
    assert_eq!((agreed.max_io, agreed.signing), (65_536, SigningAlgorithm::HMAC_SHA256));
    assert!(!agreed.multi_credit() && agreed.contexts(&[0; 32]).is_empty());
}

#[test]
fn smb1_offers() {
    let frame = |strings: &[u8]| {
        let mut frame = b"\xffSMB\x72".to_vec();
        frame.resize(35, 0);
        frame.extend(strings);
        frame
    };
    let config = Config::default();
    let both = frame(b"\x02NT LM 0.12\0\x02SMB 2.002\0\x02SMB 2.???\0");
    assert_eq!(multi_protocol(&config, &both), Some(Dialect::WILDCARD));
    assert_eq!(multi_protocol(&config, &frame(b"\x02SMB 2.002\0")), Some(Dialect::SMB_2_0_2));
    assert_eq!(multi_protocol(&config, &frame(b"\x02NT LM 0.12\0")), None);
    assert_eq!(multi_protocol(&config, b"\xffSMB\x72"), None);
    let strict = Config { encryption: Policy::Required, ..Config::default() };
    assert_eq!(multi_protocol(&strict, &frame(b"\x02SMB 2.002\0")), None);
}
