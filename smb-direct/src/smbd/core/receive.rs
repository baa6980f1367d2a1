//! What comes in — [MS-SMBD] 3.1.5.5 to 3.1.5.8.

use super::{Engine, Limits, Output, State, negotiate};
use crate::{
    rdma::Head,
    smbd::{
        CloseReason, Violation,
        wire::{DataHeader, Flags, NegotiateRequest, NegotiateResponse},
    },
};
use smb_transport::{IoBuf, Token};
use std::time::Instant;

impl Engine {
    /// A receive completed: `message` is what it received, `invalidated` the token of ours that the peer invalidated with it.
    pub fn received(&mut self, now: Instant, message: IoBuf, invalidated: Option<Token>) {
        let outcome = match self.state {
            State::AwaitRequest => self.negotiate_request(now, &message),
            State::AwaitResponse => self.negotiate_response(now, &message),
            State::Established | State::Closing(CloseReason::Closed) => self.data(now, message, invalidated),
            State::Closing(_) | State::Closed(_) => return,
        };
        match outcome {
            Ok(()) => self.pump(now),
            Err(reason) => self.end(reason),
        }
    }

    fn negotiate_request(&mut self, now: Instant, message: &[u8]) -> Result<(), CloseReason> {
        let request = NegotiateRequest::parse(message).map_err(Violation::from)?;
        let limits = match negotiate::judge_request(&self.config, &request) {
            Ok(limits) => limits,
            Err(violation @ Violation::Versions { .. }) => {
                self.state = State::Closing(violation.into());
                self.post(Head::new(|out| negotiate::refusal().emit(out)));
                return Ok(());
            }
            Err(violation) => return Err(violation.into()),
        };
        self.credits.set_target(request.credits_requested)?;
        let count = self.credits.first();
        let size = usize::try_from(limits.max_receive_size).unwrap_or(usize::MAX);
        self.outputs.push_back(Output::PostReceives { count, size });
        let response = negotiate::response(&self.config, &limits, count);
        self.post(Head::new(|out| response.emit(out)));
        self.establish(now, limits);
        Ok(())
    }

    fn negotiate_response(&mut self, now: Instant, message: &[u8]) -> Result<(), CloseReason> {
        let response = NegotiateResponse::parse(message).map_err(Violation::from)?;
        let (limits, body) = negotiate::judge_response(&self.config, &response)?;
        self.credits.set_target(body.credits_requested)?;
        self.credits.granted(body.credits_granted)?;
        self.establish(now, limits);
        Ok(())
    }

    fn establish(&mut self, now: Instant, limits: Limits) {
        self.state = State::Established;
        self.limits = Some(limits);
        self.keepalive.heard(now);
        self.outputs.push_back(Output::Established(limits));
    }

    fn data(&mut self, now: Instant, message: IoBuf, invalidated: Option<Token>) -> Result<(), CloseReason> {
        let (header, data) = DataHeader::parse(&message).map_err(Violation::from)?;
        self.credits.arrived(!data.is_empty())?;
        self.credits.set_target(header.credits_requested)?;
        self.credits.granted(header.credits_granted)?;
        self.keepalive.heard(now);
        self.send_immediate |= header.flags.contains(Flags::RESPONSE_REQUESTED);
        let whole = self.reassembler.take(message, data, header.remaining_data_length, invalidated)?;
        if let Some(received) = whole {
            self.unread = self.unread.saturating_add(Self::memory(&received.message));
            self.outputs.push_back(Output::Deliver(received));
        }
        Ok(())
    }
}
