//! Getting in, or being told why not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod fake;

use fake::{Fake, SESSION, plain, with};
use smb_client::{Client, Error, UsageError};
use smb_proto::{
    command::Command,
    compound,
    dialect::Dialect,
    error::PeerViolation,
    header::HeaderFlags,
    msg::{SessionFlags, fsctl::validate_negotiate::*, *},
    status::NtStatus,
};
use smb_transport::memory::MemoryOptions;

fn memory() -> MemoryOptions {
    MemoryOptions::default()
}

#[tokio::test(start_paused = true)]
async fn a_signed_session_comes_about() {
    let client = Client::builder().user("alice", "secret");
    let session = with(client, memory(), |mut fake: Fake| async move {
        assert!(fake.log_on().await);
        let echo = fake.expect(Command::ECHO).await;
        assert!(echo.header.flags.contains(HeaderFlags::SIGNED));
        assert_eq!(echo.header.session_id, SESSION);
        let mut message = echo.message.to_vec();
        fake.key.as_ref().unwrap().verify(&mut message).unwrap();
        fake.answer(&echo.header, &EchoResponse).await;
        fake.be_silent().await;
    })
    .await
    .unwrap();
    session.echo().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn wrong_password() {
    let client = Client::builder().user("alice", "wrong");
    let refused = with(client, memory(), |mut fake| async move {
        assert!(!fake.log_on().await);
    });
    assert_eq!(refused.await.unwrap_err().status(), Some(NtStatus::LOGON_FAILURE));
}

#[tokio::test(start_paused = true)]
async fn unknown_share() {
    let session = with(plain(), memory(), |mut fake| async move {
        fake.log_on().await;
        let request = fake.expect(Command::TREE_CONNECT).await;
        assert!(request.header.flags.contains(HeaderFlags::SIGNED), "at 3.1.1 even where nothing else is");
        assert_eq!(request.parse::<TreeConnectRequest>().path, r"\\server\nothing");
        fake.refuse(&request.header, NtStatus::BAD_NETWORK_NAME).await;
        fake.be_silent().await;
    });
    let refused = session.await.unwrap().tree("nothing").await.unwrap_err();
    assert_eq!(refused.status(), Some(NtStatus::BAD_NETWORK_NAME));
}

#[tokio::test(start_paused = true)]
async fn a_guest_cannot_sign() {
    let client = Client::builder().user("alice", "secret");
    let refused = with(client, memory(), |mut fake| async move {
        fake.flags = SessionFlags::IS_GUEST;
        fake.log_on().await;
    });
    assert!(matches!(refused.await.unwrap_err(), Error::Usage(UsageError::Guest(_))));
    let session = with(plain(), memory(), |mut fake| async move {
        fake.flags = SessionFlags::IS_GUEST;
        fake.log_on().await;
        fake.be_silent().await;
    });
    assert_eq!(session.await.unwrap().identity(), smb_client::Identity::Guest);
}

#[tokio::test(start_paused = true)]
async fn success_must_be_signed_by_who_knows_the_password() {
    for break_it in [false, true] {
        let refused = with(plain(), memory(), move |mut fake| async move {
            fake.negotiate().await;
            let request = fake.expect(Command::SESSION_SETUP).await;
            let mut header = fake.header(&request.header, NtStatus::SUCCESS);
            header.session_id = SESSION;
            if break_it {
                header.flags = header.flags | HeaderFlags::SIGNED;
            }
            let body = SessionSetupResponse { flags: SessionFlags::NONE, token: Vec::new() };
            fake.send(compound::single(&header, &body)).await;
        });
        assert!(matches!(refused.await.unwrap_err(), Error::Auth(_)), "no key was agreed on");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_nobody_offered() {
    let refused =
        with(plain().dialects(Dialect::SMB_3_0..=Dialect::SMB_3_1_1), memory(), |mut fake| async move {
            fake.dialect = Dialect::SMB_2_0_2;
            fake.negotiate().await;
        });
    assert!(matches!(refused.await.unwrap_err(), Error::Violation(PeerViolation::Negotiate(_))));
}

/// A client that offers all dialects and gets 3.0.2; the confirmation is the honest one, changed.
async fn confirmed(change: fn(&mut ValidateNegotiateResponse)) -> Result<(), Error> {
    let session = with(plain(), memory(), move |mut fake| async move {
        fake.dialect = Dialect::SMB_3_0_2;
        fake.log_on().await;
        fake.share().await;
        let request = fake.expect(Command::IOCTL).await;
        assert!(request.header.flags.contains(HeaderFlags::SIGNED));
        let asked: IoctlRequest = request.parse();
        assert_eq!(ValidateNegotiateRequest::parse(&asked.input).unwrap().dialects, Dialect::ALL);
        let said = fake.negotiate_response();
        let mut response = ValidateNegotiateResponse {
            capabilities: said.capabilities,
            server_guid: said.server_guid,
            security_mode: said.security_mode,
            dialect: said.dialect,
        };
        change(&mut response);
        let (ctl_code, file_id, output) = (asked.ctl_code, asked.file_id, response.to_bytes());
        fake.answer(&request.header, &IoctlResponse { ctl_code, file_id, input: Vec::new(), output }).await;
        fake.be_silent().await;
    });
    session.await?.tree("share").await.map(drop)
}

#[tokio::test(start_paused = true)]
async fn a_downgrade_is_noticed() {
    confirmed(|_| ()).await.unwrap();
    let refused = confirmed(|response| response.dialect = Dialect::SMB_3_1_1).await;
    assert!(matches!(refused.unwrap_err(), Error::Violation(PeerViolation::Downgrade(_))));
}

#[tokio::test(start_paused = true)]
async fn whoever_speaks_another_protocol() {
    let refused = with(plain(), memory(), |mut fake| async move {
        fake.expect(Command::NEGOTIATE).await;
        fake.send(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()).await;
        fake.be_silent().await;
    });
    assert!(matches!(refused.await.unwrap_err(), Error::Violation(PeerViolation::Parse(_))));
}
