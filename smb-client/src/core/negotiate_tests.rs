use super::*;
use smb_proto::msg::FileTime;

pub(crate) fn offer() -> Offer {
    Offer {
        dialects: Dialect::SMB_2_0_2..=Dialect::SMB_3_1_1,
        ciphers: vec![Cipher::AES_128_GCM, Cipher::AES_128_CCM],
        signing: vec![SigningAlgorithm::AES_GMAC, SigningAlgorithm::AES_CMAC],
        security_mode: SecurityMode::SIGNING_ENABLED,
        client_guid: [7; 16],
        salt: [8; 32],
        server_name: "server".into(),
    }
}

pub(crate) fn answer(dialect: Dialect) -> NegotiateResponse {
    let contexts = vec![
        NegotiateContext::Preauth { hashes: vec![HashAlgorithm::SHA_512], salt: vec![1; 32] },
        NegotiateContext::Encryption(vec![Cipher::AES_128_GCM]),
        NegotiateContext::Signing(vec![SigningAlgorithm::AES_GMAC]),
    ];
    NegotiateResponse {
        security_mode: SecurityMode::SIGNING_ENABLED,
        dialect,
        server_guid: [3; 16],
        capabilities: Capabilities::LARGE_MTU | Capabilities::ENCRYPTION,
        max_transact_size: 1 << 20,
        max_read_size: 8 << 20,
        max_write_size: 8 << 20,
        system_time: FileTime::NONE,
        server_start_time: FileTime::NONE,
        token: Vec::new(),
        contexts: if dialect == Dialect::SMB_3_1_1 { contexts } else { Vec::new() },
    }
}

fn refused(change: impl FnOnce(&mut NegotiateResponse)) {
    let mut answer = answer(Dialect::SMB_3_1_1);
    change(&mut answer);
    assert!(matches!(offer().check(&answer), Err(PeerViolation::Negotiate(_))), "{answer:?}");
}

#[test]
fn every_dialect_gets_what_it_has() {
    let expected = [
        (Dialect::SMB_2_0_2, Cipher::NONE, SigningAlgorithm::HMAC_SHA256),
        (Dialect::SMB_2_1, Cipher::NONE, SigningAlgorithm::HMAC_SHA256),
        (Dialect::SMB_3_0, Cipher::AES_128_CCM, SigningAlgorithm::AES_CMAC),
        (Dialect::SMB_3_0_2, Cipher::AES_128_CCM, SigningAlgorithm::AES_CMAC),
        (Dialect::SMB_3_1_1, Cipher::AES_128_GCM, SigningAlgorithm::AES_GMAC),
    ];
    for (dialect, cipher, signing) in expected {
        let agreed = offer().check(&answer(dialect)).unwrap();
        assert_eq!((agreed.cipher, agreed.signing), (cipher, signing), "{dialect}");
        assert_eq!(agreed.multi_credit, dialect != Dialect::SMB_2_0_2);
        assert_eq!(agreed.max_read, if agreed.multi_credit { 8 << 20 } else { 65_536 });
    }
}

#[test]
fn a_server_without_large_mtu_gets_single_credits() {
    let mut small = answer(Dialect::SMB_3_1_1);
    small.capabilities = Capabilities::NONE;
    let agreed = offer().check(&small).unwrap();
    assert_eq!((agreed.multi_credit, agreed.max_write), (false, 65_536));
}

#[test]
fn what_was_not_offered_cannot_be_chosen() {
    refused(|answer| answer.dialect = Dialect::WILDCARD);
    refused(|answer| answer.dialect = Dialect(0x0400));
    refused(|answer| answer.max_read_size = 0);
    refused(|answer| answer.contexts.clear());
    refused(|answer| answer.contexts[1] = NegotiateContext::Encryption(vec![Cipher::AES_256_GCM]));
    refused(|answer| answer.contexts[1] = NegotiateContext::Encryption(vec![]));
    refused(|answer| {
        answer.contexts[1] = NegotiateContext::Encryption(vec![Cipher::AES_128_GCM, Cipher::AES_128_CCM]);
    });
    refused(|answer| answer.contexts[2] = NegotiateContext::Signing(vec![SigningAlgorithm::HMAC_SHA256]));
    refused(|answer| answer.contexts[2] = NegotiateContext::Signing(vec![]));
    refused(|answer| answer.contexts.push(answer.contexts[2].clone()));
    refused(|answer| answer.contexts.push(answer.contexts[0].clone()));
    refused(|answer| {
        answer.contexts[0] = NegotiateContext::Preauth { hashes: vec![HashAlgorithm(2)], salt: vec![] };
    });
    let narrow = Offer { dialects: Dialect::SMB_3_0..=Dialect::SMB_3_1_1, ..offer() };
    assert!(narrow.check(&answer(Dialect::SMB_2_1)).is_err(), "below the range");
}

#[test]
fn no_common_cipher_is_no_violation() {
    let mut answer = answer(Dialect::SMB_3_1_1);
    answer.contexts[1] = NegotiateContext::Encryption(vec![Cipher::NONE]);
    answer.contexts.truncate(2);
    let agreed = offer().check(&answer).unwrap();
    assert_eq!((agreed.cipher, agreed.signing), (Cipher::NONE, SigningAlgorithm::AES_CMAC));
}

#[test]
fn the_offer_is_what_its_dialects_have() {
    let request = offer().request();
    assert_eq!(request.dialects, Dialect::ALL);
    assert_eq!(request.contexts.len(), 4);
    let old = Offer { dialects: Dialect::SMB_2_0_2..=Dialect::SMB_2_0_2, ..offer() };
    let request = old.request();
    assert_eq!((request.capabilities, request.client_guid), (Capabilities::NONE, [0; 16]));
    assert!(request.contexts.is_empty());
    let bare = Offer { ciphers: vec![], ..offer() };
    assert!(!bare.capabilities().contains(Capabilities::ENCRYPTION), "the bit goes with the context");
}
