//! CreditCharge — [MS-SMB2] 3.1.5.2, 3.2.4.1.5, 3.3.5.2.5.

/// Bytes that one credit pays for.
pub const BYTES_PER_CREDIT: u32 = 65_536;

/// What a READ, WRITE, IOCTL or QUERY_DIRECTORY costs that sends `payload_sent` bytes and expects up to
/// `answer_expected` bytes back: the larger of the two in credits, and at least 1 — [MS-SMB2] 3.1.5.2. A cost beyond
/// the field's range saturates: no server negotiates sizes that large.
pub fn credit_charge(payload_sent: u32, answer_expected: u32) -> u16 {
    let larger = payload_sent.max(answer_expected);
    u16::try_from(larger.saturating_sub(1) / BYTES_PER_CREDIT + 1).unwrap_or(u16::MAX)
}

/// The most bytes that `charge` pays for. A charge of 0 (2.0.2, or a client that does not count) is worth one credit.
pub fn max_payload(charge: u16) -> u32 {
    u32::from(charge.max(1)).saturating_mul(BYTES_PER_CREDIT)
}

/// Whether `charge` pays for a request of those sizes — [MS-SMB2] 3.3.5.2.5. If not, the server answers
/// STATUS_INVALID_PARAMETER.
pub fn covers(charge: u16, payload_sent: u32, answer_expected: u32) -> bool {
    payload_sent.max(answer_expected) <= max_payload(charge)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn costs_at_the_edges() {
        let cases =
            [(0, 1), (1, 1), (65_536, 1), (65_537, 2), (131_072, 2), (8 << 20, 128), (u32::MAX, u16::MAX)];
        for (payload, charge) in cases {
            assert_eq!(credit_charge(payload, 0), charge, "{payload} sent");
            assert_eq!(credit_charge(0, payload), charge, "{payload} expected");
        }
        assert!(covers(0, 65_536, 65_536) && !covers(0, 65_537, 0) && !covers(1, 0, 65_537));
    }

    proptest! {
        #[test]
        fn charge_is_the_least_that_covers(sent in 0u32..200_000_000, answer in 0u32..200_000_000) {
            let charge = credit_charge(sent, answer);
            prop_assert!(covers(charge, sent, answer));
            prop_assert!(charge == 1 || !covers(charge - 1, sent, answer));
        }
    }
}
