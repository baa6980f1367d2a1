//! The client's end of a pipe — C706 12.6, [MS-RPCE] 3.3.2.

use super::{
    bind::{Bind, NakReason, PresentationContext, Syntax},
    pdu::{FaultStatus, Pdu, PduBody, PduFlags, PduType, Request},
    server::fragments,
};
use crate::error::ParseError;

/// The largest fragment offered, as Windows and Samba have it.
const MAX_FRAGMENT: u16 = 4280;
/// The longest results that are put together.
const MAX_STUB: usize = 16 * 1024 * 1024;

/// Why a call failed. The pipe can be used on after a [`Fault`](Self::Fault) only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RpcError {
    /// An answer that cannot be read.
    #[error("unreadable RPC fragment: {0}")]
    Parse(#[from] ParseError),
    /// An answer that has no place here.
    #[error("{0:?} is not expected here")]
    Unexpected(PduType),
    /// The server does not take the connection.
    #[error("the server refuses to bind: {0:?}")]
    Refused(NakReason),
    /// The server does not have the interface, or not in NDR.
    #[error("the server does not speak the interface (reason {0})")]
    NoInterface(u16),
    /// The server did not execute the call.
    #[error("the call failed: {0:?}")]
    Fault(FaultStatus),
    /// The results are over the limit.
    #[error("results of more than {0} bytes")]
    TooLarge(usize),
}

/// A client of one interface on one pipe: one call at a time.
///
/// Contract: send [`bind`](Self::bind), give the answer to [`bound`](Self::bound). For each call send the fragments of
/// [`request`](Self::request) in order (the last by FSCTL_PIPE_TRANSCEIVE, which brings the answer's first bytes) and give
/// all that can be read to [`receive`](Self::receive), until it has the results.
#[derive(Debug)]
pub struct Client {
    interface: Syntax,
    call_id: u32,
    /// The largest fragment the server takes.
    max_xmit: u16,
    input: Vec<u8>,
    stub: Vec<u8>,
}

impl Client {
    /// A client of `interface`.
    pub const fn new(interface: Syntax) -> Self {
        Self { interface, call_id: 1, max_xmit: MAX_FRAGMENT, input: Vec::new(), stub: Vec::new() }
    }

    /// The message that opens the association.
    pub fn bind(&self) -> Vec<u8> {
        let context = PresentationContext { id: 0, interface: self.interface, transfer: vec![Syntax::NDR] };
        let (max_xmit, max_recv) = (MAX_FRAGMENT, MAX_FRAGMENT);
        let bind = Bind { max_xmit, max_recv, group: 0, contexts: vec![context] };
        Pdu::whole(self.call_id, PduBody::Bind(bind)).to_bytes()
    }

    /// Takes the answer to it.
    pub fn bound(&mut self, answer: &[u8]) -> Result<(), RpcError> {
        let pdu = Pdu::parse(answer)?;
        let ack = match pdu.body {
            PduBody::BindAck(ack) if pdu.call_id == self.call_id => ack,
            PduBody::BindNak(nak) => return Err(RpcError::Refused(nak.reason)),
            PduBody::Fault(fault) => return Err(RpcError::Fault(fault.status)),
            body => return Err(RpcError::Unexpected(body.pdu_type())),
        };
        let Some(result) = ack.results.first() else { return Err(RpcError::NoInterface(0)) };
        if result.result != 0 || result.transfer != Syntax::NDR {
            return Err(RpcError::NoInterface(result.reason));
        }
        self.max_xmit = ack.max_recv.min(MAX_FRAGMENT);
        Ok(())
    }

    /// The fragments of a call.
    pub fn request(&mut self, opnum: u16, stub: &[u8]) -> Vec<Vec<u8>> {
        self.call_id = self.call_id.wrapping_add(1);
        self.input.clear();
        self.stub.clear();
        let fragment = |(flags, alloc_hint, stub): (PduFlags, u32, &[u8])| {
            let request = Request { alloc_hint, context_id: 0, opnum, object: None, stub: stub.to_vec() };
            Pdu { flags, ..Pdu::whole(self.call_id, PduBody::Request(request)) }.to_bytes()
        };
        fragments(stub, self.max_xmit).map(fragment).collect()
    }

    /// Takes what was read from the pipe; the results once they are complete.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<Option<Vec<u8>>, RpcError> {
        self.input.extend_from_slice(bytes);
        let input = std::mem::take(&mut self.input);
        let mut rest = input.as_slice();
        while let Some((fragment, behind)) =
            Pdu::fragment_len(rest).and_then(|len| rest.split_at_checked(len))
        {
            if self.fragment(Pdu::parse(fragment)?)? {
                return Ok(Some(std::mem::take(&mut self.stub)));
            }
            rest = behind;
        }
        self.input = rest.to_vec();
        Ok(None)
    }

    /// Whether it was the last.
    fn fragment(&mut self, pdu: Pdu) -> Result<bool, RpcError> {
        let response = match pdu.body {
            PduBody::Response(response) if pdu.call_id == self.call_id => response,
            PduBody::Fault(fault) if pdu.call_id == self.call_id => {
                return Err(RpcError::Fault(fault.status));
            }
            body => return Err(RpcError::Unexpected(body.pdu_type())),
        };
        if pdu.flags.contains(PduFlags::FIRST) != self.stub.is_empty() {
            return Err(RpcError::Unexpected(PduType::RESPONSE));
        }
        if self.stub.len() + response.stub.len() > MAX_STUB {
            return Err(RpcError::TooLarge(MAX_STUB));
        }
        self.stub.extend_from_slice(&response.stub);
        Ok(pdu.flags.contains(PduFlags::LAST))
    }
}
