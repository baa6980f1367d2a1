use super::*;
use crate::core::negotiate::tests::{answer, offer};
use smb_proto::auth::{ClientConfig, ClientEntropy, Credentials};

const POLICY: Policy = Policy { require_signing: false, never_sign: false, require_sealing: false };

fn setup(policy: Policy) -> Setup {
    let auth = ClientAuth::new(ClientConfig {
        credentials: Credentials::password("alice", "", "secret"),
        target: "cifs/server".into(),
        workstation: String::new(),
        channel_bindings: None,
        now: 133_000_000_000_000_000,
        entropy: ClientEntropy { challenge: [1; 8], session_key: [2; 16] },
    });
    let agreed = offer().check(&answer(Dialect::SMB_3_1_1)).unwrap();
    Setup::new(auth, PreauthHash::new(), agreed, policy, [0; 4])
}

fn response(status: NtStatus, session_id: u64) -> Header {
    Header { session_id, ..Header::request(Command::SESSION_SETUP, 1).response(status) }
}

fn body(flags: SessionFlags) -> SessionSetupResponse {
    SessionSetupResponse { flags, token: Vec::new() }
}

#[test]
fn guests_get_in_only_where_nothing_is_to_be_protected() {
    let answer = |policy: Policy, flags: SessionFlags| {
        let mut setup = setup(policy);
        setup.first().unwrap();
        setup.answered(&response(NtStatus::SUCCESS, 9), &[], &body(flags))
    };
    let Ok(Leg::Established(guest)) = answer(POLICY, SessionFlags::IS_GUEST) else { panic!("let in") };
    assert_eq!((guest.identity, guest.security.session_id), (Identity::Guest, 9));
    assert!(guest.security.signing.is_none());
    let Ok(Leg::Established(nobody)) = answer(POLICY, SessionFlags::IS_NULL) else { panic!("let in") };
    assert_eq!(nobody.identity, Identity::Anonymous);
    for (policy, flags) in [
        (Policy { require_signing: true, ..POLICY }, SessionFlags::IS_GUEST),
        (Policy { require_sealing: true, ..POLICY }, SessionFlags::IS_NULL),
        (POLICY, SessionFlags::IS_GUEST | SessionFlags::ENCRYPT_DATA),
    ] {
        assert!(
            matches!(answer(policy, flags), Err(Error::Usage(UsageError::Guest(_)))),
            "{policy:?} {flags:?}"
        );
    }
}

#[test]
fn success_before_the_key_is_there_is_refused() {
    let mut setup = setup(POLICY);
    setup.first().unwrap();
    assert!(setup.answered(&response(NtStatus::SUCCESS, 9), &[], &body(SessionFlags::NONE)).is_err());
}

#[test]
fn a_session_has_one_id() {
    let mut setup = setup(POLICY);
    setup.first().unwrap();
    let none = response(NtStatus::SUCCESS, 0);
    let refused = setup.answered(&none, &[], &body(SessionFlags::IS_GUEST));
    assert!(matches!(refused, Err(Error::Violation(PeerViolation::Response { .. }))), "none at all");
    setup.session_id = 8;
    let refused = setup.answered(&response(NtStatus::SUCCESS, 9), &[], &body(SessionFlags::IS_GUEST));
    assert!(matches!(refused, Err(Error::Violation(PeerViolation::Response { .. }))), "another");
}

#[test]
fn a_refusal_is_told_as_it_is() {
    let mut setup = setup(POLICY);
    setup.first().unwrap();
    let refused = setup.answered(&response(NtStatus::LOGON_FAILURE, 0), &[], &body(SessionFlags::NONE));
    assert_eq!(refused.unwrap_err().status(), Some(NtStatus::LOGON_FAILURE));
}

#[test]
fn what_is_signed_and_sealed_follows_both_sides() {
    let keys = SessionKeys::derive(
        Dialect::SMB_3_1_1,
        &[5; 16],
        Some(&[6; 64]),
        smb_proto::dialect::Cipher::AES_128_GCM,
    );
    let security = |policy: Policy, mode: SecurityMode, flags: SessionFlags| {
        let mut setup = setup(policy);
        setup.negotiated.security_mode = mode;
        setup.security(&keys, flags).map(|security| (security.sign, security.seal))
    };
    let (enabled, required) = (SecurityMode::SIGNING_ENABLED, SecurityMode::SIGNING_REQUIRED);
    assert_eq!(security(POLICY, enabled, SessionFlags::NONE).unwrap(), (false, false));
    assert_eq!(security(POLICY, required, SessionFlags::NONE).unwrap(), (true, false));
    assert_eq!(security(POLICY, enabled, SessionFlags::ENCRYPT_DATA).unwrap(), (false, true));
    let never = Policy { never_sign: true, ..POLICY };
    assert!(matches!(
        security(never, required, SessionFlags::NONE),
        Err(Error::Usage(UsageError::SigningOff))
    ));
    let sealing = Policy { require_sealing: true, ..POLICY };
    assert_eq!(security(sealing, enabled, SessionFlags::NONE).unwrap(), (false, true));
}
