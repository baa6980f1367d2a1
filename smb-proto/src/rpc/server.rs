//! The server's end of the srvsvc pipe — C706 12.5, 12.6, [MS-RPCE] 3.3.3.
//!
//! ```text
//!             bind                 request (first … last)
//!   new ──────────────▶ bound ◀──────────────────────────▶ a request being put together
//!    └── anything else: broken        └── alter_context, orphaned, co_cancel: bound
//! ```
//! Contract: give every byte written to the pipe to [`Server::write`]; take what is to be read with [`Server::read`], one
//! message (fragment) at a time, as a pipe in message mode has it. An error ends the pipe.

use super::{
    bind::{Bind, BindAck, BindNak, ContextResult, NakReason, Syntax},
    pdu::{CALL_HEADER, Fault, FaultStatus, Pdu, PduBody, PduFlags, PduType, Request, Response},
    srvsvc::{self, ShareInfo},
};
use crate::{codec::num::len32, error::ParseError};
use std::collections::VecDeque;

/// The largest fragment taken and sent, as Windows and Samba have it.
const MAX_FRAGMENT: u16 = 4280;
/// What every implementation takes: MustRecvFragSize — C706 12.6.3.7.
const MUST_RECEIVE: u16 = 1432;
/// The longest arguments of a call.
const MAX_STUB: usize = 64 * 1024;
/// While more than this waits to be read, no further call is taken.
const MAX_UNREAD: usize = 1024 * 1024;
const SECONDARY_ADDRESS: &[u8] = b"\\pipe\\srvsvc\0";

/// The peer broke the protocol: the pipe is of no more use. Answer STATUS_PIPE_DISCONNECTED and close it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PipeBroken {
    /// A fragment that cannot be read.
    #[error("unreadable RPC fragment: {0}")]
    Parse(#[from] ParseError),
    /// A fragment that has no place in this state.
    #[error("{0:?} is not expected here")]
    State(PduType),
    /// Arguments, or answers nobody reads, over the limit.
    #[error("more than {0} bytes waiting")]
    TooMuch(usize),
}

/// What was read from the pipe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// A message, or as much of it as was asked for.
    pub bytes: Vec<u8>,
    /// There is more of the message: STATUS_BUFFER_OVERFLOW.
    pub more: bool,
}

struct Call {
    call_id: u32,
    context_id: u16,
    opnum: u16,
    stub: Vec<u8>,
}

/// One open of the srvsvc pipe.
pub struct Server {
    group: u32,
    /// Accepted presentation contexts.
    contexts: Vec<u16>,
    /// The largest fragment the client takes.
    max_xmit: u16,
    input: Vec<u8>,
    call: Option<Call>,
    output: VecDeque<Vec<u8>>,
}

impl Server {
    /// A pipe that was just opened. `group` names the association; any number but 0.
    pub const fn new(group: u32) -> Self {
        Self {
            group,
            contexts: Vec::new(),
            max_xmit: MAX_FRAGMENT,
            input: Vec::new(),
            call: None,
            output: VecDeque::new(),
        }
    }

    /// Takes what the client wrote: a fragment, part of one, or several. `shares` is what there is to tell right now.
    pub fn write(&mut self, bytes: &[u8], shares: &[ShareInfo]) -> Result<(), PipeBroken> {
        self.input.extend_from_slice(bytes);
        let input = std::mem::take(&mut self.input);
        let mut rest = input.as_slice();
        while let Some(len) = Pdu::fragment_len(rest) {
            if len > usize::from(MAX_FRAGMENT) {
                return Err(PipeBroken::TooMuch(MAX_FRAGMENT.into()));
            }
            let Some((fragment, behind)) = rest.split_at_checked(len) else { break };
            self.take(Pdu::parse(fragment)?, shares)?;
            rest = behind;
        }
        self.input = rest.to_vec();
        Ok(())
    }

    /// The next message, at most `max` bytes of it; `None` while there is nothing to read.
    pub fn read(&mut self, max: usize) -> Option<Answer> {
        let mut message = self.output.pop_front()?;
        if message.len() <= max {
            return Some(Answer { bytes: message, more: false });
        }
        self.output.push_front(message.split_off(max));
        Some(Answer { bytes: message, more: true })
    }

    /// How many messages wait to be read, and the bytes of the first: for FSCTL_PIPE_PEEK.
    pub fn unread(&self) -> (usize, usize) {
        (self.output.len(), self.output.front().map_or(0, Vec::len))
    }

    fn take(&mut self, pdu: Pdu, shares: &[ShareInfo]) -> Result<(), PipeBroken> {
        if self.output.iter().map(Vec::len).sum::<usize>() > MAX_UNREAD {
            return Err(PipeBroken::TooMuch(MAX_UNREAD));
        }
        let (call_id, has_auth) = (pdu.call_id, !pdu.auth.is_empty());
        match pdu.body {
            PduBody::Bind(_) | PduBody::AlterContext(_) if has_auth => {
                let reason = NakReason::AUTHENTICATION_TYPE_NOT_RECOGNIZED;
                self.send(Pdu::whole(call_id, PduBody::BindNak(BindNak { reason, versions: vec![[5, 0]] })));
            }
            PduBody::Bind(bind) if self.contexts.is_empty() => {
                let ack = self.bind(&bind, SECONDARY_ADDRESS);
                self.send(Pdu::whole(call_id, PduBody::BindAck(ack)));
            }
            PduBody::AlterContext(bind) if !self.contexts.is_empty() => {
                let ack = self.bind(&bind, b"");
                self.send(Pdu::whole(call_id, PduBody::AlterContextResp(ack)));
            }
            PduBody::Request(request) => self.request(pdu.flags, call_id, request, shares)?,
            PduBody::Other { pdu_type: PduType::CO_CANCEL | PduType::ORPHANED, .. } => {
                self.call = self.call.take().filter(|call| call.call_id != call_id);
            }
            body => return Err(PipeBroken::State(body.pdu_type())),
        }
        Ok(())
    }

    fn send(&mut self, pdu: Pdu) {
        self.output.push_back(pdu.to_bytes());
    }

    fn bind(&mut self, bind: &Bind, address: &[u8]) -> BindAck {
        self.max_xmit = bind.max_recv.clamp(MUST_RECEIVE, MAX_FRAGMENT);
        let mut results = Vec::new();
        for context in &bind.contexts {
            let result = if context.interface != srvsvc::INTERFACE {
                ContextResult::NO_INTERFACE
            } else if !context.transfer.contains(&Syntax::NDR) {
                ContextResult::NO_TRANSFER
            } else {
                if !self.contexts.contains(&context.id) {
                    self.contexts.push(context.id);
                }
                ContextResult::ACCEPTED
            };
            results.push(result);
        }
        BindAck {
            max_xmit: self.max_xmit,
            max_recv: bind.max_xmit.clamp(MUST_RECEIVE, MAX_FRAGMENT),
            group: if bind.group == 0 { self.group } else { bind.group },
            secondary_address: address.to_vec(),
            results,
        }
    }

    /// Puts the fragments of a call together.
    fn request(
        &mut self,
        flags: PduFlags,
        call_id: u32,
        request: Request,
        shares: &[ShareInfo],
    ) -> Result<(), PipeBroken> {
        let Request { context_id, opnum, stub, .. } = request;
        let mut call = match self.call.take() {
            None if flags.contains(PduFlags::FIRST) => Call { call_id, context_id, opnum, stub: Vec::new() },
            Some(call) if call.call_id == call_id && !flags.contains(PduFlags::FIRST) => call,
            _ => return Err(PipeBroken::State(PduType::REQUEST)),
        };
        if call.stub.len() + stub.len() > MAX_STUB {
            return Err(PipeBroken::TooMuch(MAX_STUB));
        }
        call.stub.extend_from_slice(&stub);
        if flags.contains(PduFlags::LAST) {
            self.answer(&call, shares);
        } else {
            self.call = Some(call);
        }
        Ok(())
    }

    fn answer(&mut self, call: &Call, shares: &[ShareInfo]) {
        if !self.contexts.contains(&call.context_id) {
            return self.fault(call, FaultStatus::UNKNOWN_INTERFACE);
        }
        match srvsvc::answer(call.opnum, &call.stub, shares) {
            None => self.fault(call, FaultStatus::OP_RANGE),
            Some(Err(_)) => self.fault(call, FaultStatus::BAD_STUB_DATA),
            Some(Ok(stub)) => self.respond(call, &stub),
        }
    }

    fn fault(&mut self, call: &Call, status: FaultStatus) {
        let context_id = call.context_id;
        let fault = Fault { alloc_hint: 0, context_id, cancel_count: 0, status, stub: Vec::new() };
        let flags = PduFlags::WHOLE | PduFlags::DID_NOT_EXECUTE;
        self.send(Pdu { flags, ..Pdu::whole(call.call_id, PduBody::Fault(fault)) });
    }

    fn respond(&mut self, call: &Call, stub: &[u8]) {
        for (flags, alloc_hint, stub) in fragments(stub, self.max_xmit) {
            let response =
                Response { alloc_hint, context_id: call.context_id, cancel_count: 0, stub: stub.to_vec() };
            self.send(Pdu { flags, ..Pdu::whole(call.call_id, PduBody::Response(response)) });
        }
    }
}

/// The pieces of a stub for fragments of at most `max` bytes: flags, the bytes from there on, the piece.
pub(super) fn fragments(stub: &[u8], max: u16) -> impl Iterator<Item = (PduFlags, u32, &[u8])> {
    // Whole words, so that no number is split.
    let room = usize::from(max).saturating_sub(CALL_HEADER).max(8) & !7;
    let mut at = 0;
    std::iter::from_fn(move || {
        if at != 0 && at >= stub.len() {
            return None;
        }
        let rest = stub.get(at..)?;
        let piece = rest.get(..room).unwrap_or(rest);
        let first = if at == 0 { PduFlags::FIRST } else { PduFlags::NONE };
        let last = if piece.len() == rest.len() { PduFlags::LAST } else { PduFlags::NONE };
        at += piece.len().max(1);
        Some((first | last, len32(rest.len()), piece))
    })
}

#[cfg(test)]
mod tests;
