//! The share list over the named pipe `srvsvc`.

use crate::peer::*;
use smb_proto::{
    codec::Body,
    codec::Message,
    msg::{fsctl::pipe::*, *},
    rpc::{Client, srvsvc::*},
    status::NtStatus,
};

fn control(ctl_code: CtlCode, file_id: FileId, input: Vec<u8>, most: u32) -> IoctlRequest {
    IoctlRequest {
        ctl_code,
        file_id,
        input,
        max_input_response: 0,
        max_output_response: most,
        is_fsctl: true,
    }
}

async fn transceive(peer: &mut Peer, pipe: FileId, input: Vec<u8>, most: u32) -> (NtStatus, Vec<u8>) {
    let reply = peer.ask(&control(CtlCode::PIPE_TRANSCEIVE, pipe, input, most)).await;
    (reply.status(), reply.body::<IoctlResponse>().output)
}

async fn pipes() -> (Peer, FileId, Client) {
    let many = (0..40).map(|number| {
        smb_server::Share::new(format!("share {number}"), smb_server::backend::MemoryShare::new())
    });
    let server = server(memory(), |builder| many.fold(builder, |builder, share| builder.share(share)));
    let mut peer = Peer::ready(&server).await;
    assert_eq!(peer.connect_tree("ipc$").await.unwrap().share_type, ShareType::PIPE);
    let open = |name: &str| CreateRequest {
        desired_access: Access::GENERIC_READ.with(Access::GENERIC_WRITE),
        ..create(name, CreateDisposition::OPEN)
    };
    let unknown = peer.create(&open("lsarpc")).await;
    assert_eq!(unknown, Err(NtStatus::OBJECT_NAME_NOT_FOUND));
    let pipe = peer.create(&open("srvsvc")).await.unwrap().file_id;
    let mut client = Client::new(INTERFACE);
    let (status, bound) = transceive(&mut peer, pipe, client.bind(), 4280).await;
    assert_eq!(status, NtStatus::SUCCESS);
    client.bound(&bound).unwrap();
    (peer, pipe, client)
}

fn question(client: &mut Client) -> Vec<u8> {
    let stub = ShareEnumRequest::new("server", ShareLevel(1)).to_stub();
    client.request(ShareEnumRequest::OPNUM, &stub).concat()
}

#[tokio::test]
async fn shares_are_listed() {
    let (mut peer, pipe, mut client) = pipes().await;
    let question = question(&mut client);
    let (status, first) = transceive(&mut peer, pipe, question, 1024).await;
    assert_eq!(status, NtStatus::BUFFER_OVERFLOW, "there is more of the message");
    let mut answer = client.receive(&first).unwrap();
    while answer.is_none() {
        let id = peer.send(&read(pipe, 0, 1024), 1).await;
        let reply = peer.answer(id).await;
        assert!([NtStatus::SUCCESS, NtStatus::BUFFER_OVERFLOW].contains(&reply.status()));
        let data = ReadResponse::parse(&Body::new(&reply.bytes).unwrap()).unwrap().data;
        answer = client.receive(data).unwrap();
    }
    let listed = ShareEnumResponse::parse(&answer.unwrap()).unwrap();
    assert_eq!(listed.shares.len(), 42);
    assert!(listed.shares.iter().any(|share| share.name == "share 39"));
    assert_eq!(listed.shares.last().unwrap().name, "IPC$");
    assert_eq!(peer.read(pipe, 0, 1024).await, Err(NtStatus::PIPE_EMPTY));
    peer.close(pipe).await.unwrap();
}

#[tokio::test]
async fn by_writing_and_reading_and_looking_first() {
    let (mut peer, pipe, mut client) = pipes().await;
    let question = question(&mut client);
    peer.write(pipe, 0, &question).await.unwrap();
    let peek = peer.ask(&control(CtlCode::PIPE_PEEK, pipe, Vec::new(), 16)).await;
    let peek = PipePeek::parse(&peek.body::<IoctlResponse>().output).unwrap();
    assert_eq!((peek.state, peek.number_of_messages), (3, 1));
    let whole = peer.read(pipe, 0, peek.message_length).await.unwrap();
    assert!(client.receive(&whole).unwrap().is_some());
    // What is no RPC breaks the pipe.
    assert_eq!(peer.write(pipe, 0, &[0xff; 100]).await, Err(NtStatus::PIPE_DISCONNECTED));
    let wait = PipeWait { timeout: None, name: "srvsvc".into() };
    let wait = control(CtlCode::PIPE_WAIT, FileId::ANY, wait.to_bytes(), 0);
    peer.call::<IoctlResponse>(&wait).await.unwrap();
}
