//! The lists of contexts of NEGOTIATE and CREATE, as the messages that carry them see them.

use crate::bytes_of;
use smb_proto::{
    codec::{Body, Message},
    command::Command,
    dtyp::SecurityDescriptor,
    fscc::ea::FullEaInformation,
    header::{HEADER_LEN, Header},
    msg::{
        CreateContext, CreateRequest, CreateResponse, NegotiateRequest, NegotiateResponse,
        context::{
            ContextData,
            attributes::{AllocationSize, AppInstanceId, AppInstanceVersion, SvhdxOpenDevice, Timewarp},
            create::{MaximalAccessRequest, MaximalAccessResponse, OnDiskId},
            durable::{
                DurableReconnect, DurableReconnectV2, DurableRequest, DurableRequestV2, DurableResponse,
                DurableResponseV2,
            },
            lease::Lease,
        },
    },
};

const SMB_3_1_1: [u8; 2] = [0x11, 0x03];

fn message(command: Command, fixed: Vec<u8>, list: &[u8]) -> Vec<u8> {
    let mut wire = bytes_of(|out| Header::request(command, 0).emit(0, out));
    wire.extend(fixed);
    wire.extend(list);
    wire
}

fn whole<'a, M: Message<'a>>(body: &M) -> Vec<u8> {
    let mut wire = bytes_of(|out| Header::request(M::COMMAND, 0).emit(0, out));
    body.emit(&mut wire);
    wire
}

fn le32(value: usize) -> [u8; 4] {
    u32::try_from(value).expect("inputs are short").to_le_bytes()
}

/// A NEGOTIATE request whose context list is `list`, said to be of `count` contexts.
fn negotiate_request(count: u8, list: &[u8]) -> Vec<u8> {
    let mut fixed = vec![36, 0, 1, 0, 1, 0, 0, 0];
    fixed.extend([0; 20]);
    fixed.extend(le32(HEADER_LEN + 40));
    fixed.extend([count, 0, 0, 0]);
    fixed.extend(SMB_3_1_1);
    fixed.extend([0, 0]);
    message(Command::NEGOTIATE, fixed, list)
}

fn negotiate_response(count: u8, list: &[u8]) -> Vec<u8> {
    let mut fixed = vec![65, 0, 1, 0];
    fixed.extend(SMB_3_1_1);
    fixed.extend([count, 0]);
    fixed.extend([0; 48]);
    fixed.extend([0, 0, 0, 0]);
    fixed.extend(le32(HEADER_LEN + 64));
    message(Command::NEGOTIATE, fixed, list)
}

/// The contexts of NEGOTIATE, or those of CREATE.
pub fn run(data: &[u8]) {
    crate::one_of(data, &[negotiate, create]);
}

/// Any list of negotiate contexts, in both directions. The first byte is their number.
fn negotiate(data: &[u8]) {
    let Some((count, list)) = data.split_first() else { return };
    let request = negotiate_request(*count, list);
    let parse = |wire| NegotiateRequest::parse(&Body::new(wire)?);
    crate::fixed_point!(&request, parse, |body: &NegotiateRequest| whole(body));
    let response = negotiate_response(*count, list);
    let parse = |wire| NegotiateResponse::parse(&Body::new(wire)?);
    crate::fixed_point!(&response, parse, |body: &NegotiateResponse| whole(body));
}

fn create_request(list: &[u8]) -> Vec<u8> {
    let mut fixed = vec![57, 0];
    fixed.extend([0; 46]);
    fixed.extend(le32(HEADER_LEN + 56));
    fixed.extend(le32(list.len()));
    message(Command::CREATE, fixed, list)
}

fn create_response(list: &[u8]) -> Vec<u8> {
    let mut fixed = vec![89, 0];
    fixed.extend([0; 78]);
    fixed.extend(le32(HEADER_LEN + 88));
    fixed.extend(le32(list.len()));
    message(Command::CREATE, fixed, list)
}

/// Any chain of create contexts, in both directions, and the data of each as every type of context.
fn create(data: &[u8]) {
    let request = create_request(data);
    let parse = |wire| CreateRequest::parse(&Body::new(wire)?);
    crate::fixed_point!(&request, parse, |body: &CreateRequest| whole(body));
    let response = create_response(data);
    let parse = |wire| CreateResponse::parse(&Body::new(wire)?);
    crate::fixed_point!(&response, parse, |body: &CreateResponse| whole(body));
    if let Ok(body) = CreateRequest::parse(&Body::new(&request).expect("has a header")) {
        body.contexts.iter().for_each(typed);
    }
}

fn typed(context: &CreateContext) {
    let data = &context.data;
    macro_rules! all {
        ($($type:ty,)*) => {
            $(crate::fixed_point!(data, <$type as ContextData>::parse, <$type as ContextData>::to_data);)*
        };
    }
    all!(
        FullEaInformation,
        SecurityDescriptor,
        AllocationSize,
        Timewarp,
        AppInstanceId,
        AppInstanceVersion,
        SvhdxOpenDevice,
        DurableRequest,
        DurableResponse,
        DurableReconnect,
        DurableRequestV2,
        DurableResponseV2,
        DurableReconnectV2,
        Lease,
    );
    crate::fixed_point!(data, MaximalAccessRequest::parse, |typed: &MaximalAccessRequest| {
        typed.context().data
    });
    crate::fixed_point!(data, MaximalAccessResponse::parse, |typed: &MaximalAccessResponse| {
        typed.context().data
    });
    crate::fixed_point!(data, OnDiskId::parse, |typed: &OnDiskId| typed.context().data);
}
