//! SPNEGO on its own, and the turns a negotiation can take.

use super::*;
use crate::auth::ntlm::{Negotiate, NegotiateFlags, NtlmClient};
use crate::status::NtStatus;

/// A client as Windows has it: Kerberos first, with an optimistic token for it, NTLM last.
fn windows_offer() -> NegTokenInit {
    let mechs = vec![Oid::ms_krb5(), Oid::krb5(), Oid::negoex(), Oid::ntlmssp()];
    NegTokenInit::new(mechs, Some(b"an AP-REQ".to_vec()))
}

fn answer(step: Result<ServerStep, AuthError>) -> NegTokenResp {
    let ServerStep::Continue(token) = step.unwrap() else { panic!("not a further token") };
    NegTokenResp::parse(&token).unwrap()
}

fn response(token: Vec<u8>, mech_list_mic: Option<Vec<u8>>) -> Vec<u8> {
    NegTokenResp { response_token: Some(token), mech_list_mic, ..NegTokenResp::default() }.emit()
}

/// Drives a client that wanted Kerberos up to its AUTHENTICATE message.
fn fall_back(server: &mut ServerAuth) -> (NtlmClient, Vec<u8>) {
    let chosen = answer(server.step(&windows_offer().emit(), &alice));
    assert_eq!(chosen.neg_state, Some(NegState::REQUEST_MIC));
    assert_eq!(chosen.supported_mech, Some(Oid::ntlmssp()));
    assert_eq!(chosen.response_token, None);
    let mut ntlm = NtlmClient::new(client_config(Credentials::password("alice", "", "secret")));
    let MechanismStep::Continue(token) = ntlm.step(&[]).unwrap() else { panic!() };
    let challenge = answer(server.step(&response(token, None), &alice));
    assert_eq!(challenge.neg_state, Some(NegState::ACCEPT_INCOMPLETE));
    let MechanismStep::Done(Some(token)) = ntlm.step(&challenge.response_token.unwrap()).unwrap() else {
        panic!()
    };
    (ntlm, token)
}

#[test]
fn kerberos_first_falls_back_to_ntlm() {
    let mut server = server();
    let (ntlm, token) = fall_back(&mut server);
    let mech_list = windows_offer().mech_list_der;
    let step = server.step(&response(token, ntlm.sign(&mech_list)), &alice).unwrap();
    let ServerStep::Done(done) = step else { panic!() };
    assert_eq!(done.session_key.as_ref(), ntlm.session_key());
    let last = NegTokenResp::parse(&done.token).unwrap();
    assert_eq!(last.neg_state, Some(NegState::ACCEPT_COMPLETED));
    assert!(ntlm.verify(&mech_list, &last.mech_list_mic.unwrap()));
}

#[test]
fn a_fall_back_must_be_proved() {
    let mut server = super::server();
    let (_, token) = fall_back(&mut server);
    assert_eq!(server.step(&response(token, None), &alice).err(), Some(AuthError::MissingMechListMic));

    // The list that the client sent was longer than the one the server saw.
    let mut server = super::server();
    let (ntlm, token) = fall_back(&mut server);
    let other = NegTokenInit::new(vec![Oid::krb5(), Oid::ntlmssp()], None).mech_list_der;
    let refused = server.step(&response(token, ntlm.sign(&other)), &alice).err();
    assert_eq!(refused, Some(AuthError::BadMechListMic));
}

#[test]
fn ntlm_first_without_a_token() {
    let mut server = server();
    let init = NegTokenInit::new(vec![Oid::ntlmssp()], None);
    let chosen = answer(server.step(&init.emit(), &alice));
    assert_eq!(chosen.neg_state, Some(NegState::ACCEPT_INCOMPLETE));
    assert_eq!(chosen.supported_mech, Some(Oid::ntlmssp()));
}

#[test]
fn nothing_in_common() {
    let init = NegTokenInit::new(vec![Oid::krb5()], None).emit();
    assert_eq!(server().step(&init, &alice).err(), Some(AuthError::NoCommonMechanism));
    let mut client = client(Credentials::Anonymous);
    assert_eq!(client.start(&init), Err(AuthError::NoCommonMechanism));
}

#[test]
fn raw_ntlmssp_is_accepted() {
    let mut server = server();
    let mut ntlm = NtlmClient::new(client_config(Credentials::password("alice", "", "secret")));
    let MechanismStep::Continue(token) = ntlm.step(&[]).unwrap() else { panic!() };
    let ServerStep::Continue(challenge) = server.step(&token, &alice).unwrap() else { panic!() };
    let MechanismStep::Done(Some(token)) = ntlm.step(&challenge).unwrap() else { panic!() };
    let ServerStep::Done(done) = server.step(&token, &alice).unwrap() else { panic!() };
    assert_eq!(done.session_key.as_ref(), ntlm.session_key());
    assert!(done.token.is_empty());
    assert_eq!(server.step(&token, &alice).err(), Some(AuthError::State));
}

#[test]
fn tokens_both_ways_with_every_field() {
    let init = NegTokenInit {
        mech_list_mic: Some(vec![9; 16]),
        hint_name: Some(b"hint".to_vec()),
        ..windows_offer()
    };
    assert_eq!(NegTokenInit::parse(&init.emit()), Ok(init.clone()));
    let rfc = NegTokenInit { hint_name: None, ..init };
    assert_eq!(NegTokenInit::parse(&rfc.emit()), Ok(rfc));
    let resp = NegTokenResp {
        neg_state: Some(NegState(7)),
        supported_mech: Some(Oid::krb5()),
        response_token: Some(vec![1; 300]),
        mech_list_mic: Some(vec![2; 16]),
    };
    let bytes = resp.emit();
    assert_eq!(NegTokenResp::parse(&bytes), Ok(resp));
    (0..bytes.len()).for_each(|len| assert!(NegTokenResp::parse(&bytes[..len]).is_err()));
}

#[test]
fn a_server_that_says_no_or_chooses_otherwise() {
    let says = |response: NegTokenResp| {
        let mut client = client(Credentials::password("alice", "", "secret"));
        client.start(&[]).unwrap();
        client.step(&response.emit()).err().unwrap()
    };
    let base = NegTokenResp::default();
    assert_eq!(says(NegTokenResp { neg_state: Some(NegState::REJECT), ..base.clone() }), AuthError::Rejected);
    let kerberos = NegTokenResp { supported_mech: Some(Oid::krb5()), ..base.clone() };
    assert_eq!(says(kerberos), AuthError::NoCommonMechanism);
    let early = NegTokenResp { neg_state: Some(NegState::ACCEPT_COMPLETED), ..base.clone() };
    assert!(matches!(says(early), AuthError::Token(_)));
    assert!(matches!(says(base), AuthError::Token(_)));
}

#[test]
fn a_client_without_extended_session_security_is_refused() {
    let negotiate =
        Negotiate { flags: NegotiateFlags::UNICODE, domain: vec![], workstation: vec![], version: None };
    let error = server().step(&negotiate.emit(), &alice).err().unwrap();
    assert_eq!(error.status(), NtStatus::NOT_SUPPORTED);
}
