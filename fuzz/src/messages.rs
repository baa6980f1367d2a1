//! Whole frames of plain messages: headers, compounds and every body, in one direction.

use crate::{bounded, bytes_of};
use smb_proto::{
    codec::Body,
    compound::{self, Builder},
    error::ParseError,
    header::Header,
    msg::{Request, Response, Smb1NegotiateRequest},
};

macro_rules! direction {
    ($name:ident, $type:ident) => {
        /// All messages of a frame, or what is wrong with the first that is unreadable.
        pub fn $name(frame: &[u8]) -> Result<Vec<(Header, $type<'_>)>, ParseError> {
            compound::parts(frame)
                .map(|part| part.and_then(|part| Ok((part.header, $type::parse(&part.header, &part.body)?))))
                .collect()
        }

        impl Check for $type<'_> {
            fn emit(&self, out: &mut Vec<u8>) {
                $type::emit(self, out);
            }
            fn wire_len(&self) -> usize {
                $type::wire_len(self)
            }
        }
    };
}

trait Check: std::fmt::Debug {
    fn emit(&self, out: &mut Vec<u8>);
    fn wire_len(&self) -> usize;
}

direction!(requests, Request);
direction!(responses, Response);

fn frame<T: Check>(messages: &[(Header, T)]) -> Vec<u8> {
    let mut builder = Builder::new();
    for (header, body) in messages {
        assert_eq!(bytes_of(|out| body.emit(out)).len(), body.wire_len(), "{body:?}");
        builder.push_raw(header, |out| body.emit(out));
    }
    builder.finish()
}

/// Any frame as a server reads it.
pub fn run_requests(data: &[u8]) {
    crate::fixed_point!(data, requests, |messages: &Vec<_>| frame(messages));
    crate::fixed_point!(data, Smb1NegotiateRequest::parse, Smb1NegotiateRequest::to_bytes);
    follow_offsets(data);
}

/// Any frame as a client reads it.
pub fn run_responses(data: &[u8]) {
    crate::fixed_point!(data, responses, |messages: &Vec<_>| frame(messages));
}

/// Bulk data lies in the frame, where the driver is told to find it.
fn follow_offsets(data: &[u8]) {
    let parts = bounded::within(bounded::for_input(data.len()), || compound::parts(data).collect::<Vec<_>>());
    for part in parts.into_iter().flatten() {
        if let Ok(Request::Write(write)) = Request::parse(&part.header, &part.body) {
            let range = Body::range_of(&part.body, write.data).expect("the data is part of the message");
            assert_eq!(part.bytes.get(range), Some(write.data));
        }
    }
}
