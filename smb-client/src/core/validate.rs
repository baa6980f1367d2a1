//! Whether somebody in the middle has changed the NEGOTIATE of dialects that do not hash it — [MS-SMB2] 3.2.5.5.

use super::negotiate::{Negotiated, Offer};
use smb_proto::{
    dialect::Dialect,
    error::PeerViolation,
    msg::fsctl::validate_negotiate::{ValidateNegotiateRequest, ValidateNegotiateResponse},
    status::NtStatus,
};

/// Whether the negotiation must be validated: wherever an offer of SMB 3 ended below 3.1.1.
pub(crate) fn is_needed(offer: &Offer, negotiated: &Negotiated) -> bool {
    offer.is_smb3() && negotiated.dialect != Dialect::SMB_3_1_1
}

/// The request: the NEGOTIATE again.
pub(crate) fn request(offer: &Offer) -> ValidateNegotiateRequest {
    ValidateNegotiateRequest {
        capabilities: offer.capabilities(),
        client_guid: offer.guid(),
        security_mode: offer.security_mode,
        dialects: offer.dialects(),
    }
}

/// Checks the answer against what the NEGOTIATE response said.
pub(crate) fn check(
    negotiated: &Negotiated,
    answer: &ValidateNegotiateResponse,
) -> Result<(), PeerViolation> {
    let differs = if answer.dialect != negotiated.dialect {
        Some("the dialect differs")
    } else if answer.capabilities != negotiated.capabilities {
        Some("the server's capabilities differ")
    } else if answer.server_guid != negotiated.server_guid {
        Some("the server's GUID differs")
    } else if answer.security_mode != negotiated.security_mode {
        Some("the server's security mode differs")
    } else {
        None
    };
    differs.map_or(Ok(()), |what| Err(PeerViolation::Downgrade(what)))
}

/// Whether a refusal proves nothing was changed. Servers from before SMB 3 do not know the request, and say so in a
/// signed message: nobody in the middle can have made that up. A server of SMB 3 has no such excuse.
pub(crate) fn excuses(dialect: Dialect, status: NtStatus) -> bool {
    !dialect.is_smb3()
        && matches!(
            status,
            NtStatus::NOT_SUPPORTED
                | NtStatus::INVALID_DEVICE_REQUEST
                | NtStatus::FILE_CLOSED
                | NtStatus::INVALID_PARAMETER
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::negotiate::tests::{answer, offer};
    use smb_proto::msg::{Capabilities, SecurityMode};

    fn agreed(dialect: Dialect) -> Negotiated {
        offer().check(&answer(dialect)).unwrap()
    }

    fn honest(negotiated: &Negotiated) -> ValidateNegotiateResponse {
        ValidateNegotiateResponse {
            capabilities: negotiated.capabilities,
            server_guid: negotiated.server_guid,
            security_mode: negotiated.security_mode,
            dialect: negotiated.dialect,
        }
    }

    #[test]
    fn needed_below_3_1_1_only_where_smb3_was_offered() {
        assert!(is_needed(&offer(), &agreed(Dialect::SMB_3_0_2)));
        assert!(is_needed(&offer(), &agreed(Dialect::SMB_2_0_2)));
        let old = Offer { dialects: Dialect::SMB_2_0_2..=Dialect::SMB_2_1, ..offer() };
        assert!(!is_needed(&old, &agreed(Dialect::SMB_2_1)));
        assert_eq!(old.capabilities(), Capabilities::NONE);
    }

    #[test]
    fn any_difference_is_a_downgrade() {
        let negotiated = agreed(Dialect::SMB_3_0);
        let honest = honest(&negotiated);
        assert_eq!(check(&negotiated, &honest), Ok(()));
        let lies = [
            ValidateNegotiateResponse { dialect: Dialect::SMB_3_1_1, ..honest },
            ValidateNegotiateResponse { capabilities: Capabilities::NONE, ..honest },
            ValidateNegotiateResponse { server_guid: [9; 16], ..honest },
            ValidateNegotiateResponse { security_mode: SecurityMode::SIGNING_REQUIRED, ..honest },
        ];
        for lie in lies {
            assert!(matches!(check(&negotiated, &lie), Err(PeerViolation::Downgrade(_))), "{lie:?}");
        }
    }

    #[test]
    fn only_an_old_server_is_excused() {
        assert!(excuses(Dialect::SMB_2_1, NtStatus::NOT_SUPPORTED));
        assert!(!excuses(Dialect::SMB_3_0, NtStatus::NOT_SUPPORTED));
        assert!(!excuses(Dialect::SMB_2_1, NtStatus::ACCESS_DENIED));
    }
}
