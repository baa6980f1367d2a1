use super::{
    super::{ContextResult, NakReason, PresentationContext, Syntax, srvsvc},
    *,
};
use crate::codec::field::testing::hex;
use proptest::{collection::vec, option, prelude::*};

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..40)
}

fn syntax() -> impl Strategy<Value = Syntax> {
    any::<([u8; 16], u32)>().prop_map(|(uuid, version)| Syntax { uuid, version })
}

fn bind() -> impl Strategy<Value = Bind> {
    let context = (any::<u16>(), syntax(), vec(syntax(), 0..3));
    let context =
        context.prop_map(|(id, interface, transfer)| PresentationContext { id, interface, transfer });
    (any::<(u16, u16, u32)>(), vec(context, 0..3)).prop_map(|((max_xmit, max_recv, group), contexts)| Bind {
        max_xmit,
        max_recv,
        group,
        contexts,
    })
}

fn bind_ack() -> impl Strategy<Value = BindAck> {
    let result = (any::<(u16, u16)>(), syntax()).prop_map(|((result, reason), transfer)| ContextResult {
        result,
        reason,
        transfer,
    });
    (any::<(u16, u16, u32)>(), vec(any::<u8>(), 0..9), vec(result, 0..3)).prop_map(
        |((max_xmit, max_recv, group), secondary_address, results)| BindAck {
            max_xmit,
            max_recv,
            group,
            secondary_address,
            results,
        },
    )
}

fn body() -> impl Strategy<Value = PduBody> {
    let call = any::<(u32, u16, u16, u8)>();
    prop_oneof![
        (call, option::of(any::<[u8; 16]>()), bytes()).prop_map(
            |((alloc_hint, context_id, opnum, _), object, stub)| {
                PduBody::Request(Request { alloc_hint, context_id, opnum, object, stub })
            }
        ),
        (call, bytes()).prop_map(|((alloc_hint, context_id, _, cancel_count), stub)| {
            PduBody::Response(Response { alloc_hint, context_id, cancel_count, stub })
        }),
        (call, any::<u32>(), bytes()).prop_map(
            |((alloc_hint, context_id, _, cancel_count), status, stub)| {
                let status = FaultStatus(status);
                PduBody::Fault(Fault { alloc_hint, context_id, cancel_count, status, stub })
            }
        ),
        bind().prop_map(PduBody::Bind),
        bind().prop_map(PduBody::AlterContext),
        bind_ack().prop_map(PduBody::BindAck),
        bind_ack().prop_map(PduBody::AlterContextResp),
        (any::<u16>(), vec(any::<[u8; 2]>(), 0..4))
            .prop_map(|(reason, versions)| PduBody::BindNak(BindNak { reason: NakReason(reason), versions })),
        (16..=19u8, bytes()).prop_map(|(number, body)| PduBody::Other { pdu_type: PduType(number), body }),
    ]
}

fn pdu() -> impl Strategy<Value = Pdu> {
    let auth = prop_oneof![Just(Vec::new()), vec(any::<u8>(), 9..20)];
    (any::<(u8, u32)>(), body(), auth).prop_map(|((flags, call_id), body, auth)| {
        let flags = match body {
            PduBody::Request(_) => PduFlags(flags).without(PduFlags::OBJECT_UUID),
            _ => PduFlags(flags),
        };
        Pdu { flags, call_id, body, auth }
    })
}

proptest! {
    #[test]
    fn round_trip(pdu in pdu()) {
        let wire = pdu.to_bytes();
        prop_assert_eq!(Pdu::fragment_len(&wire), Some(wire.len()));
        prop_assert_eq!(&Pdu::parse(&wire).unwrap(), &pdu);
        prop_assert_eq!(&Pdu::parse(&[&wire[..], &[0xee; 5]].concat()).unwrap(), &pdu);
    }

    #[test]
    fn truncations_error(pdu in pdu()) {
        let wire = pdu.to_bytes();
        prop_assert!((0..wire.len()).all(|cut| Pdu::parse(&wire[..cut]).is_err()));
    }

    /// The fragment's own length cut, too: a list is never longer than what is there.
    #[test]
    fn short_fragments_error_or_are_shorter(pdu in pdu(), cut in 0..200u16) {
        let mut wire = pdu.to_bytes();
        wire[8..10].copy_from_slice(&cut.to_le_bytes());
        if let Ok(read) = Pdu::parse(&wire) {
            prop_assert_eq!(Pdu::parse(&read.to_bytes()).unwrap(), read);
        }
    }

    #[test]
    fn no_bytes_panic(kind in 0..20u8, flags: u8, rest in vec(any::<u8>(), 0..100)) {
        let len = u16::try_from(HEADER + rest.len()).unwrap().to_le_bytes();
        let head = [5, 0, kind, flags, 0x10, 0, 0, 0, len[0], len[1], len[0] & 3, 0, 1, 0, 0, 0];
        if let Ok(read) = Pdu::parse(&[&head[..], &rest].concat()) {
            prop_assert_eq!(Pdu::parse(&read.to_bytes()).unwrap(), read);
        }
    }
}

#[test]
fn a_bind_of_samba() {
    let wire = hex("05000b03100000004800000001000000 b810b81000000000 01000000 0000 0100
         c84f324b7016d30112785a47bf6ee188 03000000 045d888aeb1cc9119fe808002b104860 02000000");
    let context = PresentationContext { id: 0, interface: srvsvc::INTERFACE, transfer: vec![Syntax::NDR] };
    let bind = Bind { max_xmit: 4280, max_recv: 4280, group: 0, contexts: vec![context] };
    let pdu = Pdu::whole(1, PduBody::Bind(bind));
    assert_eq!(pdu.to_bytes(), wire);
    assert_eq!(Pdu::parse(&wire).unwrap(), pdu);
}

#[test]
fn other_versions_and_byte_orders_are_refused() {
    let wire = Pdu::whole(1, PduBody::Other { pdu_type: PduType::ORPHANED, body: Vec::new() }).to_bytes();
    for (at, value) in [(0, 4), (1, 2), (4, 0), (4, 0x11), (5, 1), (8, 15), (10, 1)] {
        let mut wire = wire.clone();
        wire[at] = value;
        assert!(Pdu::parse(&wire).is_err(), "{value} at {at}");
    }
}
