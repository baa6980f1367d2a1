//! Whether the data of a READ or WRITE is placed directly or travels in the message — [MS-SMB2] 3.2.4.6, 3.2.4.7.

use smb_proto::dialect::Dialect;
use smb_transport::PlacementLimits;

/// Why data travels in the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inline {
    /// The transport places nothing.
    NoPlacement,
    /// The session signs or seals, and there is no RDMA transform: placed data would go unprotected.
    Protected,
    /// The dialect is older than 3.0.
    Dialect,
    /// Less than the threshold.
    Small,
}

impl std::fmt::Display for Inline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NoPlacement => "the transport has no placement",
            Self::Protected => "inline only (signed or sealed, no RDMA transform)",
            Self::Dialect => "inline only (the dialect is older than 3.0)",
            Self::Small => "under the threshold",
        })
    }
}

/// What is placed on one channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Placing {
    pub limits: Option<PlacementLimits>,
    pub dialect: Dialect,
    /// Shorter data goes inline: the set-up of a placement costs more than a copy.
    pub threshold: usize,
}

impl Placing {
    /// How `len` bytes travel: placed with at most that many bytes at a time, or inline for a reason.
    pub fn decide(&self, len: usize, may_place: bool) -> Result<usize, Inline> {
        let limits = self.limits.ok_or(Inline::NoPlacement)?;
        if !self.dialect.is_smb3() {
            return Err(Inline::Dialect);
        }
        if !may_place {
            return Err(Inline::Protected);
        }
        if len < self.threshold.max(1) {
            return Err(Inline::Small);
        }
        Ok(limits.max_size)
    }

    /// Whether the server may be asked to invalidate the memory with its answer (SMB2_CHANNEL_RDMA_V1_INVALIDATE).
    pub fn invalidates(&self) -> bool {
        let can = self.limits.is_some_and(|limits| limits.remote_invalidate);
        can && self.dialect.is_smb3() && self.dialect != Dialect::SMB_3_0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: PlacementLimits =
        PlacementLimits { max_size: 1 << 20, max_descriptors: 4, remote_invalidate: true };
    const PLACING: Placing = Placing { limits: Some(LIMITS), dialect: Dialect::SMB_3_1_1, threshold: 8192 };

    #[test]
    fn each_reason() {
        assert_eq!(PLACING.decide(8192, true), Ok(1 << 20));
        assert_eq!(PLACING.decide(8191, true), Err(Inline::Small));
        assert_eq!(PLACING.decide(8192, false), Err(Inline::Protected));
        assert_eq!(Placing { limits: None, ..PLACING }.decide(1 << 20, true), Err(Inline::NoPlacement));
        let old = Placing { dialect: Dialect::SMB_2_1, ..PLACING };
        assert_eq!(old.decide(1 << 20, true), Err(Inline::Dialect));
        assert_eq!(
            Placing { threshold: 0, ..PLACING }.decide(0, true),
            Err(Inline::Small),
            "nothing is not placed"
        );
    }

    #[test]
    fn invalidation_came_with_3_0_2_and_needs_the_device() {
        assert!(PLACING.invalidates());
        let limits = Some(PlacementLimits { remote_invalidate: false, ..LIMITS });
        assert!(!Placing { limits, ..PLACING }.invalidates());
        assert!(!Placing { dialect: Dialect::SMB_3_0, ..PLACING }.invalidates());
    }
}
