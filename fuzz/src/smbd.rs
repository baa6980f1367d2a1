//! The messages of SMB Direct.

use crate::bytes_of;
use smb_direct::smbd::wire::{DataTransfer, NegotiateRequest, NegotiateResponse};

/// Any message, as all three kinds: which one is expected depends on the state of the connection.
pub fn run(data: &[u8]) {
    crate::fixed_point!(data, NegotiateRequest::parse, |message: &NegotiateRequest| bytes_of(
        |out| message.emit(out)
    ));
    crate::fixed_point!(data, NegotiateResponse::parse, |message: &NegotiateResponse| bytes_of(|out| {
        message.emit(out)
    }));
    crate::fixed_point!(data, DataTransfer::parse, |message: &DataTransfer<'_>| {
        let wire = bytes_of(|out| message.emit(out));
        assert_eq!(wire.len(), message.wire_len());
        wire
    });
}
