//! The buffers of IOCTL and the create contexts in the recordings, read by their kind.

use crate::{Any, data, read};
use smb_proto::{
    error::ParseError,
    fscc::ea::FullEaInformation,
    header::Role,
    msg::{
        CreateContext, CtlCode, Request, Response,
        context::{
            ContextData,
            attributes::{AllocationSize, Timewarp},
            create::{MaximalAccessResponse, OnDiskId},
            durable::{
                DurableReconnect, DurableReconnectV2, DurableRequest, DurableRequestV2, DurableResponse,
                DurableResponseV2,
            },
            lease::Lease,
        },
        fsctl::{
            copychunk::{CopyChunkRequest, CopyChunkResponse, ResumeKeyResponse},
            dfs::ReferralRequest,
            network_interface::NetworkInterface,
            ranges::{AllocatedRange, SetSparse, ZeroData},
            validate_negotiate::{ValidateNegotiateRequest, ValidateNegotiateResponse},
        },
    },
};
use std::collections::BTreeSet;

type Again = Result<Vec<u8>, ParseError>;

fn input(code: CtlCode, bytes: &[u8]) -> Option<Again> {
    Some(match code {
        CtlCode::VALIDATE_NEGOTIATE_INFO => ValidateNegotiateRequest::parse(bytes).map(|r| r.to_bytes()),
        CtlCode::SRV_COPYCHUNK_WRITE => CopyChunkRequest::parse(bytes).map(|r| r.to_bytes()),
        CtlCode::DFS_GET_REFERRALS => ReferralRequest::parse(bytes).map(|r| r.to_bytes()),
        CtlCode::QUERY_ALLOCATED_RANGES => AllocatedRange::parse(bytes).map(|r| r.to_bytes()),
        CtlCode::SET_ZERO_DATA => ZeroData::parse(bytes).map(|r| r.to_bytes()),
        CtlCode::SET_SPARSE => Ok(SetSparse::parse(bytes).to_bytes()),
        _ => return None,
    })
}

fn output(code: CtlCode, bytes: &[u8]) -> Option<Again> {
    Some(match code {
        CtlCode::VALIDATE_NEGOTIATE_INFO => ValidateNegotiateResponse::parse(bytes).map(|r| r.to_bytes()),
        CtlCode::SRV_COPYCHUNK_WRITE => CopyChunkResponse::parse(bytes).map(|r| r.to_bytes()),
        CtlCode::SRV_REQUEST_RESUME_KEY => ResumeKeyResponse::parse(bytes).map(|r| r.to_bytes()),
        CtlCode::QUERY_NETWORK_INTERFACE_INFO => {
            NetworkInterface::parse_all(bytes).map(|list| NetworkInterface::to_bytes(&list))
        }
        CtlCode::QUERY_ALLOCATED_RANGES => {
            AllocatedRange::parse_all(bytes).map(|ranges| AllocatedRange::all_to_bytes(&ranges))
        }
        _ => return None,
    })
}

fn context<T: ContextData>(data: &[u8]) -> Again {
    T::parse(data).map(|context| context.to_data())
}

/// A context's data again; `None` for one without data of its own.
fn data_of(is_request: bool, found: &CreateContext) -> Option<Again> {
    let data = &found.data;
    Some(match (found.name.as_slice(), is_request) {
        (b"DHnQ", true) => context::<DurableRequest>(data),
        (b"DHnQ", false) => context::<DurableResponse>(data),
        (b"DHnC", _) => context::<DurableReconnect>(data),
        (b"DH2Q", true) => context::<DurableRequestV2>(data),
        (b"DH2Q", false) => context::<DurableResponseV2>(data),
        (b"DH2C", _) => context::<DurableReconnectV2>(data),
        (b"RqLs", _) => context::<Lease>(data),
        (b"AlSi", _) => context::<AllocationSize>(data),
        (b"TWrp", _) => context::<Timewarp>(data),
        (b"ExtA", _) => context::<FullEaInformation>(data),
        (b"MxAc", false) => MaximalAccessResponse::parse(data).map(|response| response.context().data),
        (b"QFid", false) => OnDiskId::parse(data).map(|id| id.context().data),
        (b"MxAc" | b"QFid", true) => return None,
        (other, _) => panic!("context {other:?}"),
    })
}

/// Every typed buffer of the recordings: file, what it is, its bytes, and its bytes again.
fn buffers() -> Vec<(String, String, Vec<u8>, Again)> {
    let mut found = Vec::new();
    for golden in data::opened() {
        let wire = golden.standing_alone();
        for (header, body) in read(&wire).unwrap() {
            let is_request = matches!(header.role, Role::Request { .. });
            let mut push = |what: String, bytes: &[u8], again: Option<Again>| {
                found.extend(again.map(|again| (golden.name.clone(), what, bytes.to_vec(), again)));
            };
            match &body {
                Any::Request(Request::Ioctl(r)) if !r.input.is_empty() => {
                    push(format!("{:?} in", r.ctl_code), &r.input, input(r.ctl_code, &r.input));
                }
                Any::Response(Response::Ioctl(r)) if !r.output.is_empty() => {
                    push(format!("{:?} out", r.ctl_code), &r.output, output(r.ctl_code, &r.output));
                }
                Any::Request(Request::Create(r)) => r.contexts.iter().for_each(|c| {
                    push(format!("{} in", c.name.escape_ascii()), &c.data, data_of(is_request, c));
                }),
                Any::Response(Response::Create(r)) => r.contexts.iter().for_each(|c| {
                    push(format!("{} out", c.name.escape_ascii()), &c.data, data_of(is_request, c));
                }),
                _ => {}
            }
        }
    }
    found
}

/// Replaces what a peer may write otherwise by what we write.
fn liberties(what: &str, bytes: &mut Vec<u8>) {
    match what {
        // smbclient leaves what was in its memory in a reserved field.
        "SRV_COPYCHUNK_WRITE in" => bytes[52..56].fill(0),
        // smbtorture pads the last attribute.
        "ExtA in" => bytes.truncate(bytes.len() - 3),
        // Any number but zero.
        "SET_SPARSE in" if bytes[..] == [0xff] => bytes[0] = 1,
        _ => {}
    }
}

#[test]
fn buffers_come_back_byte_for_byte() {
    let mut kinds = BTreeSet::new();
    let mut failures = Vec::new();
    for (name, what, mut bytes, again) in buffers() {
        liberties(&what, &mut bytes);
        if again.as_ref() != Ok(&bytes) {
            failures.push(format!("{name}: {what}: {bytes:02x?} / {again:02x?}"));
        }
        kinds.insert(what);
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(kinds.len() >= 22, "{} {kinds:?}", kinds.len());
}
