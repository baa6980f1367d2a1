//! The negotiation, both sides — [MS-SMBD] 3.1.5.2, 3.1.5.3, 3.1.5.6, 3.1.5.7.

use crate::smbd::{
    CloseReason, Config, Violation,
    config::{LEAST_FRAGMENTED, LEAST_SIZE},
    wire::{NegotiateOutcome, NegotiateRequest, NegotiateResponse, Negotiated, Version},
};
use smb_proto::status::NtStatus;

/// What a connection was negotiated to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one message of ours, header included (Connection.MaxSendSize).
    pub max_send_size: u32,
    /// Bytes of one message of the peer's (Connection.MaxReceiveSize).
    pub max_receive_size: u32,
    /// Bytes of our longest upper-layer message (Connection.MaxFragmentedSendSize).
    pub max_fragmented_send_size: u32,
    /// Bytes of the largest READ or WRITE to place (Connection.MaxReadWriteSize).
    pub max_read_write_size: u32,
}

/// What the initiator begins with.
pub(super) fn request(config: &Config) -> NegotiateRequest {
    NegotiateRequest {
        min_version: Version::V1,
        max_version: Version::V1,
        credits_requested: config.send_credit_target,
        preferred_send_size: config.max_send_size,
        max_receive_size: config.max_receive_size,
        max_fragmented_size: config.max_fragmented_recv_size,
    }
}

/// What the responder makes of the request.
pub(super) fn judge_request(config: &Config, request: &NegotiateRequest) -> Result<Limits, Violation> {
    let (min, max) = (request.min_version, request.max_version);
    if !(min..=max).contains(&Version::V1) {
        return Err(Violation::Versions { min, max });
    }
    check(request.credits_requested, request.max_receive_size, request.max_fragmented_size)?;
    Ok(Limits {
        max_send_size: config.max_send_size.min(request.max_receive_size),
        max_receive_size: config.max_receive_size.min(request.preferred_send_size).max(LEAST_SIZE),
        max_fragmented_send_size: request.max_fragmented_size,
        max_read_write_size: config.max_read_write_size,
    })
}

fn check(credits_requested: u16, max_receive_size: u32, max_fragmented_size: u32) -> Result<(), Violation> {
    if credits_requested == 0 {
        return Err(Violation::NoCreditsRequested);
    }
    if max_receive_size < LEAST_SIZE {
        return Err(Violation::ReceiveSize(max_receive_size));
    }
    if max_fragmented_size < LEAST_FRAGMENTED {
        return Err(Violation::FragmentedSize(max_fragmented_size));
    }
    Ok(())
}

/// The responder's answer.
pub(super) fn response(config: &Config, limits: &Limits, credits_granted: u16) -> NegotiateResponse {
    let body = Negotiated {
        version: Version::V1,
        credits_requested: config.send_credit_target,
        credits_granted,
        max_read_write_size: limits.max_read_write_size,
        preferred_send_size: limits.max_send_size,
        max_receive_size: limits.max_receive_size,
        max_fragmented_size: config.max_fragmented_recv_size,
    };
    whole(NegotiateOutcome::Accepted(body))
}

/// The answer to a request whose versions we do not speak.
pub(super) fn refusal() -> NegotiateResponse {
    whole(NegotiateOutcome::Refused(NtStatus::NOT_SUPPORTED))
}

fn whole(outcome: NegotiateOutcome) -> NegotiateResponse {
    NegotiateResponse { min_version: Version::V1, max_version: Version::V1, outcome }
}

/// What the initiator makes of the response.
pub(super) fn judge_response(
    config: &Config,
    response: &NegotiateResponse,
) -> Result<(Limits, Negotiated), CloseReason> {
    let body = match response.outcome {
        NegotiateOutcome::Accepted(body) => body,
        NegotiateOutcome::Refused(status) => return Err(CloseReason::Refused(status)),
    };
    if body.version != Version::V1 {
        return Err(Violation::Negotiated(body.version).into());
    }
    check(body.credits_requested, body.max_receive_size, body.max_fragmented_size)?;
    if body.credits_granted == 0 {
        return Err(Violation::NoCreditsGranted.into());
    }
    if body.preferred_send_size > config.max_receive_size {
        return Err(Violation::SendSize(body.preferred_send_size).into());
    }
    let limits = Limits {
        max_send_size: config.max_send_size.min(body.max_receive_size),
        max_receive_size: config.max_receive_size.min(body.preferred_send_size).max(LEAST_SIZE),
        max_fragmented_send_size: body.max_fragmented_size,
        max_read_write_size: config.max_read_write_size.min(body.max_read_write_size),
    };
    Ok((limits, body))
}
