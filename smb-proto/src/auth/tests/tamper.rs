//! A man in the middle, old responses, and bytes that mean nothing.

use super::*;
use crate::{
    auth::ntlm::{Authenticate, Challenge, ClientChallenge, NtlmClient, NtlmServer, Ntlmv2Response},
    status::NtStatus,
};
use proptest::prelude::*;

/// A raw exchange up to AUTHENTICATE, with a chance to change the CHALLENGE on its way to the client.
fn up_to_authenticate(change: impl FnOnce(&mut Challenge)) -> (NtlmServer, Authenticate) {
    let mut server = NtlmServer::new(server_config());
    let mut client = NtlmClient::new(client_config(Credentials::password("alice", "", "secret")));
    let MechanismStep::Continue(negotiate) = client.step(&[]).unwrap() else { panic!() };
    let MechanismStep::Continue(token) = server.step(&negotiate, &alice).unwrap() else { panic!() };
    let mut challenge = Challenge::parse(&token).unwrap();
    change(&mut challenge);
    let MechanismStep::Done(Some(token)) = client.step(&challenge.emit()).unwrap() else { panic!() };
    (server, Authenticate::parse(&token).unwrap())
}

fn refused(server: &mut NtlmServer, message: &Authenticate) -> AuthError {
    server.step(&message.emit(), &alice).unwrap_err()
}

#[test]
fn a_changed_challenge_is_found_by_the_mic() {
    let (mut server, message) = up_to_authenticate(|_| ());
    server.step(&message.emit(), &alice).unwrap();
    let (mut server, message) = up_to_authenticate(|challenge| challenge.target_name.push('X'));
    assert_eq!(refused(&mut server, &message), AuthError::BadMic);
    let (mut server, message) = up_to_authenticate(|challenge| challenge.challenge = [0; 8]);
    assert_eq!(refused(&mut server, &message), AuthError::LogonFailure);
}

#[test]
fn a_stripped_mic_is_refused() {
    let (mut server, message) = up_to_authenticate(|_| ());
    assert_eq!(refused(&mut server, &Authenticate { mic: None, ..message }), AuthError::MissingMic);
    // A server without a timestamp gets no MIC; ours had sent one.
    let (mut server, message) = up_to_authenticate(|challenge| {
        challenge
            .target_info
            .as_mut()
            .unwrap()
            .0
            .retain(|pair| pair.id != crate::auth::ntlm::AvId::TIMESTAMP);
    });
    assert_eq!(message.mic, None);
    let error = refused(&mut server, &message);
    assert_eq!((error, error.status()), (AuthError::MissingMic, NtStatus::INVALID_PARAMETER));
}

#[test]
fn old_responses_are_refused() {
    let (_, message) = up_to_authenticate(|_| ());
    for (lm, nt) in
        [(vec![1; 24], vec![2; 24]), (vec![1; 24], vec![]), (vec![], vec![2; 24]), (vec![1], vec![])]
    {
        let (mut server, _) = up_to_authenticate(|_| ());
        let error =
            refused(&mut server, &Authenticate { lm_response: lm, nt_response: nt, ..message.clone() });
        assert_eq!((error, error.status()), (AuthError::Ntlmv1, NtStatus::LOGON_FAILURE));
    }
}

#[test]
fn only_a_message_without_a_name_is_anonymous() {
    let (mut server, message) = up_to_authenticate(|_| ());
    let message = Authenticate { nt_response: Vec::new(), lm_response: Vec::new(), ..message };
    assert_eq!(refused(&mut server, &message), AuthError::LogonFailure);
}

#[test]
fn a_replayed_response_is_refused() {
    let (_, message) = up_to_authenticate(|_| ());
    let mut server = NtlmServer::new(ServerConfig { challenge: [0x44; 8], ..server_config() });
    let mut client = NtlmClient::new(client_config(Credentials::Anonymous));
    let MechanismStep::Continue(negotiate) = client.step(&[]).unwrap() else { panic!() };
    server.step(&negotiate, &alice).unwrap();
    assert_eq!(refused(&mut server, &message), AuthError::LogonFailure);
}

#[test]
fn malformed_client_challenge() {
    let (mut server, message) = up_to_authenticate(|_| ());
    let error = refused(&mut server, &Authenticate { nt_response: vec![1; 40], ..message });
    assert_eq!(error.status(), NtStatus::INVALID_PARAMETER);
}

#[test]
fn every_truncation_of_every_token_errors() {
    let negotiate = client(Credentials::password("alice", "", "secret")).start(&[]).unwrap();
    let hint = ServerAuth::initial_token();
    (0..negotiate.len()).for_each(|len| assert!(server().step(&negotiate[..len], &alice).is_err()));
    (1..hint.len()).for_each(|len| assert!(client(Credentials::Anonymous).start(&hint[..len]).is_err()));

    let started = || {
        let mut client = client(Credentials::password("alice", "", "secret"));
        client.start(&[]).unwrap();
        client
    };
    let ServerStep::Continue(challenge) = server().step(&negotiate, &alice).unwrap() else { panic!() };
    (0..challenge.len()).for_each(|len| assert!(started().step(&challenge[..len]).is_err()));

    let mut client = started();
    let ClientStep::Send(authenticate) = client.step(&challenge).unwrap() else { panic!() };
    let challenged = || {
        let mut server = server();
        server.step(&negotiate, &alice).unwrap();
        server
    };
    (0..authenticate.len()).for_each(|len| assert!(challenged().step(&authenticate[..len], &alice).is_err()));
    let ServerStep::Done(done) = challenged().step(&authenticate, &alice).unwrap() else { panic!() };
    // An empty last token is allowed; a cut one is not.
    for len in 1..done.token.len() {
        let mut client = started();
        client.step(&challenge).unwrap();
        assert!(client.step(&done.token[..len]).is_err());
    }
}

proptest! {
    #[test]
    fn noise_never_panics(noise in proptest::collection::vec(any::<u8>(), 0..300), kind in 1_u8..4) {
        let mut ntlm = b"NTLMSSP\0".to_vec();
        ntlm.extend([kind, 0, 0, 0]);
        ntlm.extend(&noise);
        for token in [&noise, &ntlm] {
            let _ = server().step(token, &alice);
            let _ = client(Credentials::Anonymous).start(token);
            let _ = (Authenticate::parse(token), Challenge::parse(token), ClientChallenge::parse(token));
            let _ = (NegTokenInit::parse(token), NegTokenResp::parse(token), Ntlmv2Response::parse(token));
        }
    }

    #[test]
    fn changed_bytes_never_panic_nor_pass(at in 0_usize..400, to in any::<u8>()) {
        let mut client = client(Credentials::password("alice", "", "secret"));
        let mut server = server();
        let negotiate = client.start(&[]).unwrap();
        let ServerStep::Continue(challenge) = server.step(&negotiate, &alice).unwrap() else { panic!() };
        let ClientStep::Send(mut token) = client.step(&challenge).unwrap() else { panic!() };
        let at = at % token.len();
        prop_assume!(token[at] != to);
        token[at] = to;
        prop_assert!(server.step(&token, &alice).is_err());
    }
}
