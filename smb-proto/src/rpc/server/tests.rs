use super::{
    super::{
        Client, RpcError,
        bind::PresentationContext,
        srvsvc::{ShareEnumRequest, ShareEnumResponse, ShareLevel, WinError},
    },
    *,
};
use proptest::{collection::vec, prelude::*};

fn shares(number: usize) -> Vec<ShareInfo> {
    (0..number).map(|n| ShareInfo::disk(&format!("share {n}"), "a comment")).collect()
}

/// All that can be read, `max` bytes at a time.
fn drain(server: &mut Server, max: usize) -> Vec<u8> {
    std::iter::from_fn(|| server.read(max)).flat_map(|answer| answer.bytes).collect()
}

fn bound(server: &mut Server) -> Client {
    let mut client = Client::new(srvsvc::INTERFACE);
    server.write(&client.bind(), &[]).unwrap();
    client.bound(&drain(server, 4280)).unwrap();
    client
}

fn list(server: &mut Server, client: &mut Client, shares: &[ShareInfo], max: usize) -> Vec<ShareInfo> {
    let call = ShareEnumRequest::new("server", ShareLevel::NAME_TYPE_COMMENT);
    for fragment in client.request(ShareEnumRequest::OPNUM, &call.to_stub()) {
        server.write(&fragment, shares).unwrap();
    }
    let found = client.receive(&drain(server, max)).unwrap().expect("complete");
    let found = ShareEnumResponse::parse(&found).unwrap();
    assert_eq!(found.status, WinError::SUCCESS);
    found.shares
}

#[test]
fn lists_of_any_length_arrive() {
    let mut server = Server::new(1);
    let mut client = bound(&mut server);
    for number in [0, 1, 50, 3000] {
        let shares = shares(number);
        assert_eq!(list(&mut server, &mut client, &shares, 1000), shares);
    }
}

#[test]
fn a_message_is_read_in_pieces() {
    let mut server = Server::new(1);
    server.write(&Client::new(srvsvc::INTERFACE).bind(), &[]).unwrap();
    assert_eq!(server.unread(), (1, 68));
    let first = server.read(60).unwrap();
    assert_eq!((first.bytes.len(), first.more), (60, true));
    let last = server.read(60).unwrap();
    assert_eq!((last.bytes.len(), last.more), (8, false));
    assert_eq!((server.read(60), server.unread()), (None, (0, 0)));
}

proptest! {
    /// However the client's bytes are cut, the answers are the same.
    #[test]
    fn any_cut_of_what_is_written(sizes in vec(1..40usize, 1..8)) {
        let mut whole = Server::new(1);
        let mut client = bound(&mut whole);
        let call = ShareEnumRequest::new("server", ShareLevel::USE).to_stub();
        let wire = [Client::new(srvsvc::INTERFACE).bind(), client.request(15, &call).concat()].concat();
        let mut server = Server::new(1);
        let mut rest = &wire[..];
        for size in sizes.iter().cycle() {
            let (piece, behind) = rest.split_at((*size).min(rest.len()));
            server.write(piece, &shares(2)).unwrap();
            rest = behind;
            if rest.is_empty() { break }
        }
        whole.write(&client.request(15, &call).concat(), &shares(2)).unwrap();
        let answers = drain(&mut server, 9);
        let last = drain(&mut whole, 9);
        prop_assert_eq!(&answers[68 + 16..], &last[16..]);
    }

    #[test]
    fn no_bytes_panic(bytes in vec(any::<u8>(), 0..200)) {
        _ = Server::new(1).write(&bytes, &shares(1));
        _ = Client::new(srvsvc::INTERFACE).receive(&bytes);
        _ = Client::new(srvsvc::INTERFACE).bound(&bytes);
    }
}

fn bind_of(interface: Syntax, transfer: Syntax, auth: &[u8]) -> Vec<u8> {
    let context = PresentationContext { id: 7, interface, transfer: vec![transfer] };
    let bind = Bind { max_xmit: 100, max_recv: 100, group: 0, contexts: vec![context] };
    Pdu { auth: auth.to_vec(), ..Pdu::whole(1, PduBody::Bind(bind)) }.to_bytes()
}

#[test]
fn what_is_not_spoken_is_refused() {
    let answer = |wire: &[u8]| {
        let mut server = Server::new(1);
        server.write(wire, &[]).unwrap();
        Client::new(srvsvc::INTERFACE).bound(&drain(&mut server, 4280))
    };
    let other = Syntax { uuid: [1; 16], version: 1 };
    assert_eq!(answer(&bind_of(other, Syntax::NDR, &[])), Err(RpcError::NoInterface(1)));
    assert_eq!(answer(&bind_of(srvsvc::INTERFACE, other, &[])), Err(RpcError::NoInterface(2)));
    let refused = RpcError::Refused(NakReason::AUTHENTICATION_TYPE_NOT_RECOGNIZED);
    assert_eq!(answer(&bind_of(srvsvc::INTERFACE, Syntax::NDR, &[0; 12])), Err(refused));
    assert_eq!(answer(&bind_of(srvsvc::INTERFACE, Syntax::NDR, &[])), Ok(()));
}

fn request(context_id: u16, opnum: u16, flags: PduFlags, stub: &[u8]) -> Vec<u8> {
    let request = Request { alloc_hint: 0, context_id, opnum, object: None, stub: stub.to_vec() };
    Pdu { flags, ..Pdu::whole(2, PduBody::Request(request)) }.to_bytes()
}

#[test]
fn calls_that_cannot_be_answered_fail_and_the_pipe_lives() {
    let mut server = Server::new(1);
    let mut client = bound(&mut server);
    for (context_id, opnum, stub, status) in [
        (1, 15, &[][..], FaultStatus::UNKNOWN_INTERFACE),
        (0, 99, &[], FaultStatus::OP_RANGE),
        (0, 15, &[1, 2, 3], FaultStatus::BAD_STUB_DATA),
    ] {
        server.write(&request(context_id, opnum, PduFlags::WHOLE, stub), &[]).unwrap();
        let pdu = Pdu::parse(&drain(&mut server, 4280)).unwrap();
        assert!(matches!(pdu.body, PduBody::Fault(ref fault) if fault.status == status), "{pdu:?}");
        assert!(pdu.flags.contains(PduFlags::DID_NOT_EXECUTE));
    }
    assert_eq!(list(&mut server, &mut client, &shares(1), 4280), shares(1));
}

#[test]
fn fragments_out_of_order_and_too_much_break_the_pipe() {
    let broken = |wire: &[u8]| {
        let mut server = Server::new(1);
        bound(&mut server);
        server.write(wire, &[]).unwrap_err()
    };
    let state = PipeBroken::State(PduType::REQUEST);
    assert_eq!(broken(&request(0, 15, PduFlags::LAST, &[])), state, "no first");
    let first = request(0, 15, PduFlags::FIRST, &[0; 4000]);
    assert_eq!(broken(&[&first[..], &first].concat()), state, "two firsts");
    let middle = request(0, 15, PduFlags::NONE, &[0; 4000]).repeat(17);
    assert_eq!(broken(&[&first[..], &middle].concat()), PipeBroken::TooMuch(MAX_STUB));
    assert_eq!(broken(&request(0, 15, PduFlags::WHOLE, &[0; 5000])), PipeBroken::TooMuch(4280));
    let bind = Client::new(srvsvc::INTERFACE).bind();
    assert_eq!(broken(&bind), PipeBroken::State(PduType::BIND), "bound already");
}

#[test]
fn a_client_that_does_not_read_is_cut_off() {
    let mut server = Server::new(1);
    let mut client = bound(&mut server);
    let shares = shares(2000);
    let call = ShareEnumRequest::new("server", ShareLevel::NAME_TYPE_COMMENT).to_stub();
    let mut most = 0;
    let error = loop {
        if let Err(error) = server.write(&client.request(15, &call).concat(), &shares) {
            break error;
        }
        most += 1;
    };
    assert_eq!(error, PipeBroken::TooMuch(MAX_UNREAD));
    assert!((2..20).contains(&most), "{most} calls");
}

#[test]
fn a_call_that_is_given_up_makes_room_for_the_next() {
    let mut server = Server::new(1);
    let mut client = bound(&mut server);
    server.write(&request(0, 15, PduFlags::FIRST, &[0; 8]), &[]).unwrap();
    let body = PduBody::Other { pdu_type: PduType::ORPHANED, body: Vec::new() };
    server.write(&Pdu::whole(2, body).to_bytes(), &[]).unwrap();
    assert_eq!(list(&mut server, &mut client, &shares(1), 4280), shares(1));
}
