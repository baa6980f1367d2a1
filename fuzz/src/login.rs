//! SPNEGO and NTLM tokens: each by itself, and as both sides of an exchange take them.

use crate::{bounded, bytes_of};
use smb_proto::{
    auth::{
        ntlm::{Authenticate, Challenge, ClientChallenge, Negotiate, TargetInfo},
        *,
    },
    error::ParseError,
};

/// Any token as every kind of token.
pub fn run_tokens(data: &[u8]) {
    crate::fixed_point!(data, NegTokenInit::parse, NegTokenInit::emit);
    crate::fixed_point!(data, NegTokenResp::parse, NegTokenResp::emit);
    crate::fixed_point!(data, Negotiate::parse, Negotiate::emit);
    crate::fixed_point!(data, Challenge::parse, Challenge::emit);
    crate::fixed_point!(data, Authenticate::parse, Authenticate::emit);
    crate::fixed_point!(data, ClientChallenge::parse, ClientChallenge::emit);
    if let Ok(challenge) = Challenge::parse(data) {
        views(&challenge.target_info.unwrap_or_default());
    }
}

/// What an AV pair holds, in all readings.
fn views(info: &TargetInfo) {
    let written = bytes_of(|out| info.emit(out));
    assert!(written.ends_with(&[0; 4]));
    for pair in &info.0 {
        assert!(info.get(pair.id).is_some());
        let _readings = (info.name(pair.id), info.timestamp(), info.flags(), info.has_mic());
    }
}

/// The series of tokens that `data` is: each behind its length of 16 bits.
pub fn tokens(mut data: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (len, rest) = data.split_first_chunk()?;
        let len = usize::from(u16::from_le_bytes(*len)).min(rest.len());
        let (token, behind) = rest.split_at(len);
        data = behind;
        Some(token)
    })
}

/// What a side may hold while it takes a token: our own answers have a size too.
fn limit(token: &[u8]) -> usize {
    16 * 1024 + bounded::for_input(token.len())
}

/// A series of tokens, as a server or as a client takes them.
pub fn run(data: &[u8]) {
    crate::one_of(data, &[server, client]);
}

/// Any series of tokens, as a server takes them. Nobody knows the password, so nobody comes in by it.
fn server(data: &[u8]) {
    let mut server = ServerAuth::new(ServerConfig {
        netbios_name: "SERVER".into(),
        netbios_domain: "WORKGROUP".into(),
        dns_name: "server.example".into(),
        dns_domain: "example".into(),
        now: 133_000_000_000_000_000,
        challenge: [3; 8],
        mic: MicPolicy::WhenAnnounced,
    });
    let accounts =
        |user: &str, _: &str| (user == "alice").then(|| NtHash::from_password("not told to anyone"));
    for token in tokens(data) {
        match bounded::within(limit(token), || server.step(token, &accounts)) {
            Ok(ServerStep::Continue(answer)) => assert!(!answer.is_empty()),
            Ok(ServerStep::Done(done)) => {
                assert!(!matches!(done.identity, Identity::User { .. }), "{done:?}")
            }
            Err(_) => return check_over(&mut server, token, &accounts),
        }
    }
}

fn check_over(server: &mut ServerAuth, token: &[u8], accounts: &dyn Accounts) {
    assert!(matches!(server.step(token, accounts), Err(AuthError::State)), "an error is the end");
}

/// Any hint and series of answers, as a client takes them. Only a server that knows the password ends with a key that
/// the client can check; without mechListMIC the client believes what the link protects.
fn client(data: &[u8]) {
    let mut client = ClientAuth::new(ClientConfig {
        credentials: Credentials::password("alice", "", "secret"),
        target: "cifs/server".into(),
        workstation: "LAPTOP".into(),
        channel_bindings: None,
        now: 133_000_000_000_000_000,
        entropy: ClientEntropy { challenge: [1; 8], session_key: [2; 16] },
    });
    let mut tokens = tokens(data);
    let Some(hint) = tokens.next() else { return };
    if bounded::within(limit(hint), || client.start(hint)).is_err() {
        return;
    }
    for token in tokens {
        match bounded::within(limit(token), || client.step(token)) {
            Ok(ClientStep::Send(answer)) => assert!(readable(&answer).is_ok(), "our own answer"),
            Ok(ClientStep::Done(_)) => assert!(client.step(token).is_err(), "done once"),
            Err(_) => return,
        }
    }
}

fn readable(answer: &[u8]) -> Result<(), AuthError> {
    match NegTokenResp::parse(answer)?.response_token {
        Some(token) => Authenticate::parse(&token).map(drop).map_err(|error: ParseError| error.into()),
        None => Ok(()),
    }
}
