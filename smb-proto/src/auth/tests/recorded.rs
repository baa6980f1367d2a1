//! Sessions of real peers: smbclient with smbd, the Linux client with ksmbd.

use super::*;
use crate::auth::{ntlm::*, spnego::NegTokenResp};

/// The security buffers of a session: NEGOTIATE response, then SESSION_SETUP in the order of the wire.
struct Session {
    hint: Vec<u8>,
    negotiate: Vec<u8>,
    challenge: Vec<u8>,
    authenticate: Vec<u8>,
    last: Vec<u8>,
}

/// The bytes that a (u16 offset, u16 length) pair at `at` describes.
fn buffer(message: &str, at: usize) -> Vec<u8> {
    let message = hex(message);
    let field = |at: usize| usize::from(u16::from_le_bytes([message[at], message[at + 1]]));
    message[field(at)..][..field(at + 2)].to_vec()
}

macro_rules! session {
    ($set:literal) => {
        Session {
            hint: buffer(session!($set, "01-negotiate-response"), 64 + 56),
            negotiate: buffer(session!($set, "02-session-setup-leg1-request"), 64 + 12),
            challenge: buffer(session!($set, "03-session-setup-leg1-more-processing-response"), 64 + 4),
            authenticate: buffer(session!($set, "04-session-setup-leg2-request"), 64 + 12),
            last: buffer(session!($set, "05-session-setup-leg2-response"), 64 + 4),
        }
    };
    ($set:literal, $file:literal) => {
        include_str!(concat!("../../../tests/data/golden/", $set, "/", $file, ".hex"))
    };
}

/// The value behind `name` in a session.txt.
fn known(text: &str, name: &str) -> Vec<u8> {
    hex(text.lines().find_map(|line| line.strip_prefix(name)).unwrap())
}

fn passw0rd(user: &str, _domain: &str) -> Option<NtHash> {
    matches!(user, "alice" | "smbtest").then(|| NtHash::from_password("Passw0rd"))
}

/// Our server in place of smbd, just before AUTHENTICATE.
fn in_place_of_smbd(session: &Session) -> ServerAuth {
    let init = NegTokenInit::parse(&session.negotiate).unwrap();
    let challenge = NegTokenResp::parse(&session.challenge).unwrap().response_token.unwrap();
    let ntlm = NtlmServer::recorded(server_config(), &init.mech_token.unwrap(), &challenge);
    ServerAuth::recorded(Box::new(ntlm), Some(init.mech_list_der))
}

/// Our client in place of smbclient, just before the server's last token.
fn in_place_of_smbclient(session: &Session, key: &[u8]) -> ClientAuth {
    let init = NegTokenInit::parse(&session.negotiate).unwrap();
    let token = NegTokenResp::parse(&session.authenticate).unwrap().response_token.unwrap();
    let flags = Authenticate::parse(&token).unwrap().flags;
    let key = SessionKey::from_bytes(key.try_into().unwrap());
    let ntlm = NtlmClient::recorded(client_config(Credentials::Anonymous), key, flags);
    ClientAuth::recorded(Box::new(ntlm), init.mech_list_der)
}

fn samba_session(session: &Session, text: &str) {
    let key = known(text, "session-key ");
    let mut server = in_place_of_smbd(session);
    // Response, MIC and mechListMIC of smbclient are right.
    let ServerStep::Done(done) = server.step(&session.authenticate, &passw0rd).unwrap() else { panic!() };
    assert_eq!(done.session_key.unwrap().as_bytes()[..], key);
    assert!(matches!(&done.identity, Identity::User { user, .. } if user == "alice"));
    // What we answer is what smbd answered, mechListMIC and all.
    assert_eq!(done.token, session.last);

    let ClientStep::Done(_) = in_place_of_smbclient(session, &key).step(&session.last).unwrap() else {
        panic!()
    };
    let mut wrong = session.last.clone();
    *wrong.last_mut().unwrap() ^= 1;
    let refused = in_place_of_smbclient(session, &key).step(&wrong).err();
    assert_eq!(refused, Some(AuthError::BadMechListMic));

    // Our client takes all that smbd says up to there.
    let mut client = client(Credentials::password("alice", "", "Passw0rd"));
    client.start(&session.hint).unwrap();
    let ClientStep::Send(token) = client.step(&session.challenge).unwrap() else { panic!() };
    let response = NegTokenResp::parse(&token).unwrap();
    let authenticate = Authenticate::parse(&response.response_token.unwrap()).unwrap();
    assert!(authenticate.mic.is_some() && response.mech_list_mic.is_some());
}

#[test]
fn smbclient_with_smbd() {
    samba_session(
        &session!("samba-3.1.1"),
        include_str!("../../../tests/data/golden/samba-3.1.1/session.txt"),
    );
    samba_session(
        &session!("samba-3.0-signed"),
        include_str!("../../../tests/data/golden/samba-3.0-signed/session.txt"),
    );
}

#[test]
fn smbclient_tampered_with() {
    let session = session!("samba-3.1.1");
    for (at, expected) in changes(&session) {
        let mut token = session.authenticate.clone();
        token[at] ^= 0x20;
        let refused = in_place_of_smbd(&session).step(&token, &passw0rd).err();
        assert_eq!(refused, Some(expected), "at {at}");
    }
    // No change of one bit anywhere goes through, but for what nobody looks at: MaxLen and reserved fields
    // are under the MIC too.
    for bit in 0..session.authenticate.len() * 8 {
        let mut token = session.authenticate.clone();
        token[bit / 8] ^= 1 << (bit % 8);
        assert!(in_place_of_smbd(&session).step(&token, &passw0rd).is_err(), "bit {bit}");
    }
    for len in 0..session.authenticate.len() {
        assert!(in_place_of_smbd(&session).step(&session.authenticate[..len], &passw0rd).is_err());
    }
}

/// Where a bit is turned, and what comes of it.
fn changes(session: &Session) -> [(usize, AuthError); 4] {
    let token = &session.authenticate;
    let ntlm = token.windows(8).position(|bytes| bytes == b"NTLMSSP\0").unwrap();
    let nt_offset = usize::from(u16::from_le_bytes([token[ntlm + 24], token[ntlm + 25]]));
    [
        (ntlm + nt_offset, AuthError::LogonFailure),          // NTProofStr
        (ntlm + nt_offset + 16 + 8, AuthError::LogonFailure), // Time, under the proof
        (ntlm + 72, AuthError::BadMic),                       // the MIC itself
        (token.len() - 8, AuthError::BadMechListMic),         // its checksum
    ]
}

#[test]
fn linux_client_with_ksmbd() {
    // Raw NTLMSSP, no timestamp from ksmbd, hence no MIC.
    let session = session!("linux-3.1.1-rdma");
    assert!(is_ntlmssp(&session.negotiate) && is_ntlmssp(&session.challenge));
    assert_eq!(
        NegTokenInit::parse(&session.hint).unwrap(),
        NegTokenInit::parse(&ServerAuth::initial_token()).unwrap()
    );
    assert_eq!(session.hint, ServerAuth::initial_token());
    assert_eq!(session.last, Vec::<u8>::new());

    let server = |mic| {
        let config = ServerConfig { mic, ..server_config() };
        let ntlm = NtlmServer::recorded(config, &session.negotiate, &session.challenge);
        ServerAuth::recorded(Box::new(ntlm), None)
    };
    let step = server(MicPolicy::WhenAnnounced).step(&session.authenticate, &passw0rd).unwrap();
    let ServerStep::Done(done) = step else { panic!() };
    assert!(matches!(&done.identity, Identity::User { user, .. } if user == "smbtest"));
    assert!(done.session_key.is_some() && done.token.is_empty());
    let refused = server(MicPolicy::Required).step(&session.authenticate, &passw0rd).err();
    assert_eq!(refused, Some(AuthError::MissingMic));

    let mut client = NtlmClient::new(client_config(Credentials::password("smbtest", "", "Passw0rd")));
    client.step(&[]).unwrap();
    let MechanismStep::Done(Some(token)) = client.step(&session.challenge).unwrap() else { panic!() };
    assert_eq!(Authenticate::parse(&token).unwrap().mic, None);
}

/// A session of tests/data/auth: one token per line.
fn tokens(text: &str) -> Session {
    let [negotiate, challenge, authenticate, last] =
        text.lines().map(hex).collect::<Vec<_>>().try_into().unwrap();
    Session { hint: Vec::new(), negotiate, challenge, authenticate, last }
}

struct Open;

impl Accounts for Open {
    fn nt_hash(&self, _user: &str, _domain: &str) -> Option<NtHash> {
        None
    }
    fn anonymous(&self) -> bool {
        true
    }
    fn guest(&self, _user: &str, _domain: &str) -> bool {
        true
    }
}

#[test]
fn smbclient_anonymous_and_guest() {
    let guest = |user: &str| Identity::Guest { user: user.into(), domain: "LAB".into() };
    for (text, identity, refusal) in [
        (
            include_str!("../../../tests/data/auth/smbclient-anonymous.hex"),
            Identity::Anonymous,
            AuthError::AnonymousRefused,
        ),
        (
            include_str!("../../../tests/data/auth/smbclient-no-password.hex"),
            guest("root"),
            AuthError::LogonFailure,
        ),
        (
            include_str!("../../../tests/data/auth/smbclient-guest.hex"),
            guest("nosuch"),
            AuthError::LogonFailure,
        ),
    ] {
        let session = tokens(text);
        let step = in_place_of_smbd(&session).step(&session.authenticate, &Open).unwrap();
        let ServerStep::Done(done) = step else { panic!() };
        assert_eq!(done.identity, identity);
        assert!(done.session_key.is_none());
        assert_eq!(done.token, session.last);
        let refused = in_place_of_smbd(&session).step(&session.authenticate, &passw0rd).err();
        assert_eq!(refused, Some(refusal));
    }
}
