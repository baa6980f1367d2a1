//! What Samba's clients and server say over the srvsvc pipe comes back byte for byte, and our two ends say the same:
//! `data/rpc/README.md` tells where the recordings are from.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use smb_proto::rpc::{
    Client, Pdu, PduBody, Server,
    srvsvc::{
        self, ShareEnumRequest, ShareEnumResponse, ShareGetInfoRequest, ShareGetInfoResponse, ShareInfo,
        ShareKind, ShareLevel, WinError,
    },
};
use std::{collections::BTreeMap, fs, path::Path};

/// One exchange: the fragments of both sides.
#[derive(Default)]
struct Exchange {
    client: Vec<Vec<u8>>,
    server: Vec<Vec<u8>>,
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<_> = text.chars().filter_map(|c| c.to_digit(16)).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] << 4 | pair[1]).unwrap()).collect()
}

fn exchanges() -> BTreeMap<String, Exchange> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/rpc");
    let mut all = BTreeMap::<String, Exchange>::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "hex") {
            continue;
        }
        let exchange = all.entry(path.file_stem().unwrap().to_string_lossy().into_owned()).or_default();
        for line in fs::read_to_string(&path).unwrap().lines() {
            let (side, fragment) = line.split_once(' ').unwrap();
            if side == ">" { &mut exchange.client } else { &mut exchange.server }.push(unhex(fragment));
        }
    }
    assert!(all.len() >= 12, "{}", all.len());
    all
}

/// Procedure and arguments, and the results put together.
fn call(exchange: &Exchange) -> (u16, Vec<u8>, Vec<u8>) {
    let PduBody::Request(request) = Pdu::parse(&exchange.client[1]).unwrap().body else {
        panic!("no request")
    };
    let results = exchange.server[1..].iter().flat_map(|fragment| match Pdu::parse(fragment).unwrap().body {
        PduBody::Response(response) => response.stub,
        other => panic!("{other:?}"),
    });
    (request.opnum, request.stub, results.collect())
}

#[test]
fn every_fragment_comes_back_byte_for_byte() {
    for (name, exchange) in exchanges() {
        for fragment in exchange.client.iter().chain(&exchange.server) {
            let pdu = Pdu::parse(fragment).unwrap();
            assert!(!matches!(pdu.body, PduBody::Other { .. }), "{name}: {pdu:?}");
            assert_eq!(&pdu.to_bytes(), fragment, "{name}");
        }
    }
}

#[test]
fn every_call_comes_back_byte_for_byte() {
    for (name, exchange) in exchanges() {
        let (opnum, arguments, results) = call(&exchange);
        let (arguments_again, results_again) = if opnum == ShareGetInfoRequest::OPNUM {
            let call = ShareGetInfoRequest::parse(&arguments).unwrap();
            (call.to_stub(), ShareGetInfoResponse::parse(&results).unwrap().to_stub())
        } else {
            let call = ShareEnumRequest::parse(&arguments).unwrap();
            (call.to_stub(), ShareEnumResponse::parse(&results).unwrap().to_stub())
        };
        assert_eq!(arguments_again, arguments, "{name}");
        assert_eq!(results_again, results, "{name}");
    }
}

/// The shares in the results of an exchange.
fn shares(exchange: &Exchange) -> Vec<ShareInfo> {
    let (opnum, _, results) = call(exchange);
    if opnum == ShareGetInfoRequest::OPNUM {
        ShareGetInfoResponse::parse(&results).unwrap().share.into_iter().collect()
    } else {
        ShareEnumResponse::parse(&results).unwrap().shares
    }
}

/// A server with the shares that Samba's had gives the answers that Samba's gave.
#[test]
fn our_server_answers_as_samba_does() {
    for (name, exchange) in exchanges() {
        let shares = shares(&exchange);
        let PduBody::BindAck(ack) = Pdu::parse(&exchange.server[0]).unwrap().body else { panic!("{name}") };
        let mut server = Server::new(ack.group);
        let mut answers = Vec::new();
        for fragment in &exchange.client {
            server.write(fragment, &shares).unwrap();
            answers.extend(std::iter::from_fn(|| server.read(usize::MAX)).map(|answer| answer.bytes));
        }
        if name.contains("nothing") {
            // Samba takes another status than Windows.
            let last = answers.last_mut().unwrap();
            let at = last.len() - 4;
            assert_eq!(last[at..], WinError::NET_NAME_NOT_FOUND.0.to_le_bytes());
            last[at..].copy_from_slice(&WinError::INVALID_NAME.0.to_le_bytes());
        }
        assert_eq!(answers, exchange.server, "{name}");
    }
}

/// Our client asks as smbclient does, and understands the answers.
#[test]
fn our_client_asks_as_smbclient_does() {
    let all = exchanges();
    for (name, number) in [("smbclient-list", 2), ("smbclient-list-many", 62)] {
        let exchange = &all[name];
        let mut client = Client::new(srvsvc::INTERFACE);
        assert_eq!(client.bind(), exchange.client[0]);
        client.bound(&exchange.server[0]).unwrap();
        let call = ShareEnumRequest::new("127.0.0.1", ShareLevel::NAME_TYPE_COMMENT);
        assert_eq!(client.request(ShareEnumRequest::OPNUM, &call.to_stub()), exchange.client[1..]);
        let mut results = None;
        for fragment in &exchange.server[1..] {
            assert!(results.is_none(), "complete too early");
            results = client.receive(fragment).unwrap();
        }
        let found = ShareEnumResponse::parse(&results.unwrap()).unwrap();
        assert_eq!((found.status, found.shares.len()), (WinError::SUCCESS, number));
        let ipc = found.shares.iter().find(|share| share.name == "IPC$").unwrap();
        assert_eq!(ipc.kind, ShareKind::IPC | ShareKind::SPECIAL);
    }
    let security = shares(&all["rpcclient-netshareenum-502"]).remove(0).security.unwrap();
    assert_eq!(security.dacl.list().unwrap().aces.len(), 1);
}
