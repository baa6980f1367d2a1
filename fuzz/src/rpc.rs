//! DCE/RPC: fragments, the calls of srvsvc, and both ends of the pipe.

use crate::bounded;
use smb_proto::rpc::{
    Client, Pdu, Server,
    srvsvc::{
        self, ShareEnumRequest, ShareEnumResponse, ShareGetInfoRequest, ShareGetInfoResponse, ShareInfo,
    },
};

/// How many choices the first byte has.
pub const KINDS: u8 = 7;
/// More than a server holds for a client that does not read.
const SERVER_HOLDS: usize = 4 * 1024 * 1024;

/// Any fragment, arguments, results; and anything written to a server or read by a client. The first byte chooses.
pub fn run(data: &[u8]) {
    let Some((kind, bytes)) = data.split_first() else { return };
    match kind % KINDS {
        0 => crate::fixed_point!(bytes, Pdu::parse, Pdu::to_bytes),
        1 => crate::fixed_point!(bytes, ShareEnumRequest::parse, ShareEnumRequest::to_stub),
        2 => crate::fixed_point!(bytes, ShareEnumResponse::parse, ShareEnumResponse::to_stub),
        3 => crate::fixed_point!(bytes, ShareGetInfoRequest::parse, ShareGetInfoRequest::to_stub),
        4 => crate::fixed_point!(bytes, ShareGetInfoResponse::parse, ShareGetInfoResponse::to_stub),
        5 => serve(bytes),
        _ => ask(bytes),
    }
}

/// All at once, and byte by byte: the answers are the same, and each is a fragment that reads back.
fn serve(bytes: &[u8]) {
    let shares = [ShareInfo::disk("share", "a comment"), ShareInfo::ipc("pipes")];
    let (mut whole, mut pieces) = (Server::new(1), Server::new(1));
    let end = bounded::within(bounded::for_input(bytes.len()) + SERVER_HOLDS, || whole.write(bytes, &shares));
    let stopped = bytes.chunks(1).find_map(|byte| pieces.write(byte, &shares).err());
    assert_eq!(end.err(), stopped);
    loop {
        let answer = whole.read(usize::MAX);
        assert_eq!(answer, pieces.read(usize::MAX));
        let Some(answer) = answer else { break };
        let pdu = Pdu::parse(&answer.bytes).expect("an answer of ours");
        assert_eq!(pdu.to_bytes(), answer.bytes);
    }
}

fn ask(bytes: &[u8]) {
    let mut client = Client::new(srvsvc::INTERFACE);
    let accepted = client.bound(bytes).is_ok();
    let stub = ShareEnumRequest::new("server", srvsvc::ShareLevel::NAME).to_stub();
    for fragment in client.request(ShareEnumRequest::OPNUM, &stub) {
        assert!(Pdu::parse(&fragment).is_ok(), "{accepted}");
    }
    if let Ok(Some(results)) = bounded::within(bounded::for_input(bytes.len()), || client.receive(bytes)) {
        assert!(results.len() <= bytes.len());
    }
}
