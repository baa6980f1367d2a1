//! Our client and our server.

use super::*;
use crate::status::NtStatus;
use proptest::prelude::*;

/// A finished exchange.
struct Finished {
    authenticated: Authenticated,
    client: Result<SessionKey, AuthError>,
}

fn run(
    client: &mut ClientAuth,
    server: &mut ServerAuth,
    accounts: &dyn Accounts,
) -> Result<Finished, AuthError> {
    let mut token = client.start(&ServerAuth::initial_token())?;
    loop {
        match server.step(&token, accounts)? {
            ServerStep::Continue(answer) => {
                let ClientStep::Send(next) = client.step(&answer)? else { panic!("client done too early") };
                token = next;
            }
            ServerStep::Done(authenticated) => {
                let client = client.step(&authenticated.token).map(|step| match step {
                    ClientStep::Done(key) => key,
                    ClientStep::Send(_) => panic!("client wants more"),
                });
                return Ok(Finished { authenticated, client });
            }
        }
    }
}

proptest! {
    #[test]
    fn right_password_wrong_password(
        user in "\\PC{1,20}",
        domain in "\\PC{0,20}",
        password in any::<String>(),
        other in any::<String>(),
    ) {
        prop_assume!(!user.contains('\\'));
        let accounts = |name: &str, dom: &str| {
            assert_eq!((name, dom), (user.as_str(), domain.as_str()));
            Some(NtHash::from_password(&password))
        };
        let right = Credentials::password(&user, &domain, &password);
        let finished = run(&mut client(right), &mut server(), &accounts).unwrap();
        prop_assert_eq!(finished.client.unwrap(), finished.authenticated.session_key.unwrap());
        if other != password {
            let wrong = Credentials::password(&user, &domain, &other);
            let refused = run(&mut client(wrong), &mut server(), &accounts).err();
            prop_assert_eq!(refused, Some(AuthError::LogonFailure));
        }
    }
}

#[test]
fn identity_tells_who_and_what_for() {
    let bindings = [7; 16];
    let config = ClientConfig {
        channel_bindings: Some(bindings),
        ..client_config(Credentials::password("DOM\\Alice", "", "secret"))
    };
    let finished = run(&mut ClientAuth::new(config), &mut server(), &alice).unwrap();
    assert_eq!(
        finished.authenticated.identity,
        Identity::User {
            user: "Alice".into(),
            domain: "DOM".into(),
            workstation: "LAPTOP".into(),
            target_name: Some("cifs/server.example".into()),
            channel_bindings: Some(bindings),
        }
    );
    assert_eq!(finished.client.unwrap().as_bytes(), &[0x22; 16]);
}

#[test]
fn unknown_user_and_wrong_password_look_the_same() {
    for (user, password) in [("bob", "secret"), ("alice", "Secret"), ("alice", "")] {
        let credentials = Credentials::password(user, "", password);
        let error = run(&mut client(credentials), &mut server(), &alice).err().unwrap();
        assert_eq!(error, AuthError::LogonFailure);
        assert_eq!(error.status(), NtStatus::LOGON_FAILURE);
    }
    // The hash that stands in for the unknown user's opens nothing.
    let credentials = Credentials::Password {
        user: "bob".into(),
        domain: String::new(),
        hash: NtHash::from_bytes([0; 16]),
    };
    assert_eq!(run(&mut client(credentials), &mut server(), &alice).err(), Some(AuthError::LogonFailure));
}

struct Open;

impl Accounts for Open {
    fn nt_hash(&self, user: &str, domain: &str) -> Option<NtHash> {
        alice(user, domain)
    }
    fn anonymous(&self) -> bool {
        true
    }
    fn guest(&self, _user: &str, _domain: &str) -> bool {
        true
    }
}

#[test]
fn anonymous_and_guest_are_the_embedders_choice() {
    let error = run(&mut client(Credentials::Anonymous), &mut server(), &alice).err();
    assert_eq!(error, Some(AuthError::AnonymousRefused));
    let finished = run(&mut client(Credentials::Anonymous), &mut server(), &Open).unwrap();
    assert_eq!(finished.authenticated.identity, Identity::Anonymous);
    assert!(finished.authenticated.session_key.is_none());

    let bob = Credentials::password("bob", "", "x");
    let finished = run(&mut client(bob), &mut server(), &Open).unwrap();
    assert_eq!(
        finished.authenticated.identity,
        Identity::Guest { user: "bob".into(), domain: String::new() }
    );
    assert!(finished.authenticated.session_key.is_none());
    // A known user with a wrong password is no guest.
    let wrong = Credentials::password("alice", "", "x");
    assert_eq!(run(&mut client(wrong), &mut server(), &Open).err(), Some(AuthError::LogonFailure));
}

#[test]
fn secrets_are_not_printed() {
    let credentials = Credentials::password("alice", "", "secret");
    let mut client = client(credentials);
    let mut server = server();
    let finished = run(&mut client, &mut server, &alice).unwrap();
    let printed = format!("{client:?} {server:?} {:?}", finished.authenticated);
    assert!(!printed.contains("34, 34, 34"), "{printed}"); // the session key, 0x22 sixteen times
    assert!(!format!("{:?}", NtHash::from_bytes([34; 16])).contains("34"));
}
