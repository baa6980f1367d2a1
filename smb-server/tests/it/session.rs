//! Negotiation, authentication, signing, sealing, share connections.

use crate::peer::*;
use smb_proto::{
    auth::Credentials,
    command::Command,
    compound,
    dialect::Dialect,
    msg::{fsctl::validate_negotiate::*, *},
    status::NtStatus,
};
use smb_server::Policy;

#[tokio::test]
async fn logs_on_and_off_at_every_dialect() {
    let server = plain();
    for dialect in Dialect::ALL {
        let mut peer = Peer::connect(&server);
        let response = peer.negotiate_with(&[dialect], Capabilities::ENCRYPTION).await.unwrap();
        assert_eq!(response.dialect, dialect);
        peer.signs = true;
        peer.login(USER, PASSWORD).await.unwrap();
        peer.connect_tree("DATA").await.unwrap();
        let file = peer.file("f").await;
        assert_eq!(peer.write(file, 0, b"hello").await, Ok(5));
        assert_eq!(peer.read(file, 1, 10).await.unwrap(), b"ello");
        peer.call::<LogoffResponse>(&LogoffRequest).await.unwrap();
        assert_eq!(peer.ask(&read(file, 0, 1)).await.status(), NtStatus::USER_SESSION_DELETED);
        assert_eq!((server.sessions(), server.open_files()), (0, 0));
    }
}

#[tokio::test]
async fn refuses_strangers() {
    let server = plain();
    let mut peer = Peer::connect(&server);
    peer.negotiate().await;
    for (user, password) in [(USER, "wrong"), ("mallory", PASSWORD), (USER, "")] {
        peer.session = 0;
        assert_eq!(peer.login(user, password).await, Err(NtStatus::LOGON_FAILURE));
    }
    peer.session = 0;
    assert_eq!(peer.login_as(Credentials::Anonymous, 0).await, Err(NtStatus::ACCESS_DENIED));
    peer.session = 0;
    peer.login(USER, PASSWORD).await.unwrap();
}

#[tokio::test]
async fn guests_where_they_are_let_in() {
    let server = server(memory(), |builder| builder.guest(true));
    let mut peer = Peer::connect(&server);
    peer.negotiate().await;
    let response = peer.login("nobody", "x").await.unwrap();
    assert!(response.flags.contains(SessionFlags::IS_GUEST));
    peer.connect_tree("data").await.unwrap();
    let strict = crate::peer::server(memory(), |builder| builder.guest(true).signing(Policy::Required));
    let mut peer = Peer::connect(&strict);
    peer.negotiate().await;
    assert_eq!(peer.login("nobody", "x").await, Err(NtStatus::ACCESS_DENIED));
}

#[tokio::test]
async fn shares_that_are_not_there() {
    let mut peer = Peer::ready(&plain()).await;
    assert_eq!(peer.connect_tree("other").await, Err(NtStatus::BAD_NETWORK_NAME));
    let ipc = peer.connect_tree("IPC$").await.unwrap();
    assert_eq!(ipc.share_type, ShareType::PIPE);
    let refused = peer.create(&create("winreg", CreateDisposition::OPEN)).await;
    assert_eq!(refused, Err(NtStatus::OBJECT_NAME_NOT_FOUND));
    peer.tree = 4711;
    let refused = peer.create(&create("f", CreateDisposition::OPEN_IF)).await;
    assert_eq!(refused, Err(NtStatus::NETWORK_NAME_DELETED));
}

#[tokio::test]
async fn read_only_shares_stay_so() {
    let server = server(memory().read_only(), |builder| builder);
    let mut peer = Peer::ready(&server).await;
    for disposition in
        [CreateDisposition::CREATE, CreateDisposition::OPEN_IF, CreateDisposition::OVERWRITE_IF]
    {
        let mut request = create("f", disposition);
        assert_eq!(peer.create(&request).await, Err(NtStatus::ACCESS_DENIED));
        request.desired_access = Access::FILE_READ;
        assert_eq!(peer.create(&request).await, Err(NtStatus::ACCESS_DENIED));
    }
    let mut root = create("", CreateDisposition::OPEN);
    root.desired_access = Access::MAXIMUM_ALLOWED;
    let root = peer.create(&root).await.unwrap();
    assert!(root.file_attributes.contains(FileAttributes::DIRECTORY));
}

#[tokio::test]
async fn signing_is_demanded_and_checked() {
    let server = server(memory(), |builder| builder.signing(Policy::Required));
    let mut peer = Peer::ready(&server).await;
    assert_eq!(peer.ask(&create("f", CreateDisposition::OPEN_IF)).await.status(), NtStatus::ACCESS_DENIED);
    peer.signs = true;
    let file = peer.file("f").await;
    peer.write(file, 0, b"signed").await.unwrap();
    // A signature that does not fit.
    let header = peer.header(Command::READ);
    let mut frame = compound::single(&header, &read(file, 0, 1));
    frame[16] |= 8;
    frame[50] ^= 1;
    peer.raw(&frame).await;
    assert_eq!(peer.recv().await.status(), NtStatus::ACCESS_DENIED);
    assert_eq!(peer.read(file, 0, 10).await.unwrap(), b"signed");
}

#[tokio::test]
async fn an_unsigned_tree_connect_ends_a_connection_of_3_1_1() {
    let mut peer = Peer::connect(&plain());
    peer.negotiate().await;
    peer.login(USER, PASSWORD).await.unwrap();
    let request = TreeConnectRequest { flags: TreeConnectFlags::NONE, path: "\\\\s\\data".into() };
    let header = peer.header(Command::TREE_CONNECT);
    peer.raw(&compound::single(&header, &request)).await;
    assert!(peer.is_dropped().await);
}

#[tokio::test]
async fn sealing_is_demanded() {
    let server = server(memory(), |builder| builder.encryption(Policy::Required));
    let mut peer = Peer::connect(&server);
    peer.negotiate().await;
    let response = peer.login(USER, PASSWORD).await.unwrap();
    assert!(response.flags.contains(SessionFlags::ENCRYPT_DATA));
    assert_eq!(peer.connect_tree("data").await, Err(NtStatus::ACCESS_DENIED));
    peer.seals = true;
    peer.connect_tree("data").await.unwrap();
    let file = peer.file("f").await;
    let data = vec![5; 300_000];
    peer.ask = 100;
    peer.read(file, 0, 1).await.unwrap_err();
    assert_eq!(peer.write(file, 0, &data).await, Ok(300_000));
    assert!(peer.read(file, 0, 300_000).await.unwrap() == data);

    let mut old = Peer::connect(&server);
    let refused = old.negotiate_with(&[Dialect::SMB_2_1], Capabilities::NONE).await;
    assert_eq!(refused, Err(NtStatus::NOT_SUPPORTED));
}

#[tokio::test]
async fn a_broken_seal_ends_the_connection() {
    let mut peer = Peer::ready(&plain()).await;
    let mut frame = vec![0; 200];
    frame[..4].copy_from_slice(b"\xfdSMB");
    frame[36..40].copy_from_slice(&148u32.to_le_bytes());
    frame[42] = 1;
    frame[44..52].copy_from_slice(&peer.session.to_le_bytes());
    peer.raw(&frame).await;
    assert!(peer.is_dropped().await);
}

#[tokio::test]
async fn tampered_negotiations_are_found() {
    let server = plain();
    for (change, survives) in [(0, true), (1, false), (2, false)] {
        let mut peer = Peer::connect(&server);
        let dialects = [Dialect::SMB_2_1, Dialect::SMB_3_0_2];
        let response = peer.negotiate_with(&dialects, Capabilities::ENCRYPTION).await.unwrap();
        peer.signs = true;
        peer.login(USER, PASSWORD).await.unwrap();
        peer.connect_tree("data").await.unwrap();
        let claim = ValidateNegotiateRequest {
            capabilities: if change == 1 { Capabilities::NONE } else { Capabilities::ENCRYPTION },
            client_guid: [7; 16],
            security_mode: SecurityMode::SIGNING_ENABLED,
            dialects: if change == 2 { Dialect::ALL.to_vec() } else { dialects.to_vec() },
        };
        let ioctl = IoctlRequest {
            ctl_code: CtlCode::VALIDATE_NEGOTIATE_INFO,
            file_id: FileId::ANY,
            input: claim.to_bytes(),
            max_input_response: 0,
            max_output_response: 24,
            is_fsctl: true,
        };
        peer.send(&ioctl, 1).await;
        match peer.try_recv().await {
            Some(reply) => {
                assert!(survives);
                let reply: IoctlResponse = reply.body();
                let validated = ValidateNegotiateResponse::parse(&reply.output).unwrap();
                assert_eq!(validated.dialect, Dialect::SMB_3_0_2);
                assert_eq!(validated.server_guid, response.server_guid);
                assert_eq!(validated.capabilities, response.capabilities);
            }
            None => assert!(!survives),
        }
    }
}

#[tokio::test]
async fn the_previous_session_goes() {
    let server = plain();
    let mut old = Peer::ready(&server).await;
    let file = old.file("f").await;
    let mut new = Peer::connect(&server);
    new.negotiate().await;
    new.login_as(Credentials::password(USER, "", PASSWORD), old.session).await.unwrap();
    assert_eq!(server.sessions(), 1);
    assert_eq!(server.open_files(), 0);
    assert_eq!(old.read(file, 0, 1).await, Err(NtStatus::USER_SESSION_DELETED));
}

#[tokio::test]
async fn a_lost_connection_leaves_nothing_behind() {
    let server = plain();
    let mut peer = Peer::ready(&server).await;
    peer.file("f").await;
    assert_eq!((server.sessions(), server.open_files()), (1, 1));
    drop(peer);
    watched(async {
        while server.sessions() + server.open_files() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_does_not_authenticate_is_cut_off() {
    let mut peer = Peer::connect(&plain());
    peer.negotiate().await;
    assert!(peer.is_dropped().await);
}

#[tokio::test]
async fn smb1_clients_are_led_to_smb2() {
    let mut peer = Peer::connect(&plain());
    let mut frame = vec![0; 32];
    frame[..5].copy_from_slice(b"\xffSMB\x72");
    let strings = b"\x02NT LM 0.12\0\x02SMB 2.002\0\x02SMB 2.???\0";
    frame.push(0);
    frame.extend((strings.len() as u16).to_le_bytes());
    frame.extend(strings);
    peer.raw(&frame).await;
    let response: NegotiateResponse = peer.recv().await.body();
    assert_eq!(response.dialect, Dialect::WILDCARD);
    peer.next = 1;
    assert_eq!(peer.negotiate().await.dialect, Dialect::SMB_3_1_1);
    peer.login(USER, PASSWORD).await.unwrap();
    peer.connect_tree("data").await.unwrap();
}

#[tokio::test]
async fn authenticating_again_keeps_session_keys_and_opens() {
    let server = server(memory(), |builder| builder.user("bob", PASSWORD).guest(true));
    for dialect in [Dialect::SMB_2_0_2, Dialect::SMB_3_0, Dialect::SMB_3_1_1] {
        let mut peer = Peer::connect(&server);
        peer.negotiate_with(&[dialect], Capabilities::ENCRYPTION).await.unwrap();
        peer.signs = true;
        peer.login(USER, PASSWORD).await.unwrap();
        peer.connect_tree("data").await.unwrap();
        let file = peer.file("f").await;
        for _ in 0..2 {
            peer.login_again(Credentials::password(USER, "", PASSWORD)).await.unwrap();
            assert_eq!(peer.write(file, 0, b"hello").await, Ok(5));
        }
        // Nobody takes a session over by authenticating as somebody else.
        for other in [Credentials::password("bob", "", PASSWORD), Credentials::Anonymous] {
            assert_eq!(peer.login_again(other).await, Err(NtStatus::ACCESS_DENIED));
        }
        let wrong = Credentials::password(USER, "", "wrong");
        assert_eq!(peer.login_again(wrong).await, Err(NtStatus::LOGON_FAILURE));
        assert_eq!(server.sessions(), 0, "who cannot prove it again is out");
        assert_eq!(peer.write(file, 0, b"late").await, Err(NtStatus::USER_SESSION_DELETED));
    }
}

#[tokio::test]
async fn authenticating_again_renews_an_expired_session() {
    let server = server(memory(), |builder| {
        builder.limits(|limits| limits.session_lifetime = Some(std::time::Duration::ZERO))
    });
    let mut peer = Peer::connect(&server);
    peer.negotiate().await;
    peer.signs = true;
    peer.login(USER, PASSWORD).await.unwrap();
    // Even what has expired can do so; here it has again at once.
    peer.login_again(Credentials::password(USER, "", PASSWORD)).await.unwrap();
    assert_eq!(peer.connect_tree("data").await, Err(NtStatus::NETWORK_SESSION_EXPIRED));
}

#[tokio::test]
async fn expired_sessions_must_authenticate_again() {
    let server = server(memory(), |builder| {
        builder.limits(|limits| limits.session_lifetime = Some(std::time::Duration::ZERO))
    });
    let mut peer = Peer::connect(&server);
    peer.negotiate().await;
    peer.login(USER, PASSWORD).await.unwrap();
    assert_eq!(peer.connect_tree("data").await, Err(NtStatus::NETWORK_SESSION_EXPIRED));
    peer.call::<LogoffResponse>(&LogoffRequest).await.unwrap();
}
