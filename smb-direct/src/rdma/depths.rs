//! How many RDMA reads may be under way, as the two sides tell each other.

/// Read depths of one side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Depths {
    /// Reads this side may have under way (ORD, `initiator_depth`).
    pub initiator: u8,
    /// Reads of the peer's this side serves at a time (IRD, `responder_resources`).
    pub responder: u8,
}

impl Default for Depths {
    /// Sixteen each.
    fn default() -> Self {
        Self { initiator: 16, responder: 16 }
    }
}

impl Depths {
    /// The 8 bytes an SMB Direct peer puts into its private data on iWARP, whose set-up carries no depths: IRD, then
    /// ORD, both big-endian.
    pub fn private_data(&self) -> [u8; 8] {
        (u64::from(self.responder) << 32 | u64::from(self.initiator)).to_be_bytes()
    }

    /// Reads such private data; more may follow. The Linux client writes them in its own byte order, which shows: no side
    /// serves millions of reads. Depths over 255 count as 255.
    pub fn from_private_data(bytes: &[u8]) -> Option<Self> {
        let (responder, rest) = bytes.split_first_chunk::<4>()?;
        let initiator = rest.first_chunk::<4>()?;
        Some(Self { initiator: depth(*initiator), responder: depth(*responder) })
    }

    /// Reads we may have under way with a `peer` that told its depths. One that says it serves none (some leave it zero)
    /// serves at least one, for otherwise it had not been connected.
    pub fn reads_in_flight(&self, peer: &Self) -> u8 {
        self.initiator.min(peer.responder.max(1)).max(1)
    }
}

fn depth(bytes: [u8; 4]) -> u8 {
    let value = u32::from_be_bytes(bytes).min(u32::from_le_bytes(bytes));
    u8::try_from(value).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_byte_orders_are_understood() {
        let depths = Depths { initiator: 1, responder: 32 };
        assert_eq!(depths.private_data(), [0, 0, 0, 32, 0, 0, 0, 1]);
        assert_eq!(Depths::from_private_data(&depths.private_data()), Some(depths));
        assert_eq!(Depths::from_private_data(&[32, 0, 0, 0, 1, 0, 0, 0, 9]), Some(depths));
        let many = Depths { initiator: 255, responder: 255 };
        assert_eq!(Depths::from_private_data(&[0, 0, 1, 0, 0, 0, 1, 0]), Some(many));
        assert_eq!(Depths::from_private_data(&[0; 7]), None);
    }

    #[test]
    fn reads_are_bounded_by_both_sides() {
        let depths = |initiator, responder| Depths { initiator, responder };
        assert_eq!(depths(8, 1).reads_in_flight(&depths(0, 3)), 3);
        assert_eq!(depths(2, 1).reads_in_flight(&depths(9, 16)), 2);
        assert_eq!(depths(8, 8).reads_in_flight(&depths(0, 0)), 1);
    }
}
