//! How the data of a READ or WRITE travels — [MS-SMB2] 3.3.5.12, 3.3.5.13, [MS-SMBD] 3.1.4.

use smb_proto::{msg::Channel, status::NtStatus};
use smb_transport::{BufferDescriptor, PlacementLimits, Token};

/// The way the data takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// In the message.
    Inline,
    /// By RDMA to or from the client's memory.
    Placed {
        /// Pieces of the client's memory, cut to the length.
        descriptors: Vec<BufferDescriptor>,
        /// What to invalidate with the answer.
        invalidate: Option<Token>,
    },
}

impl Way {
    /// What is invalidated with the answer.
    pub fn invalidates(&self) -> Option<Token> {
        match self {
            Self::Inline => None,
            Self::Placed { invalidate, .. } => *invalidate,
        }
    }
}

/// Decides the way of `length` bytes. `protected` says that the request was signed or sealed: its data must not go
/// around that, and there are no RDMA transforms.
pub fn way(
    channel: Channel,
    length: u32,
    limits: Option<PlacementLimits>,
    protected: bool,
) -> Result<Way, NtStatus> {
    let (descriptors, invalidate) = match channel {
        Channel::Inline => return Ok(Way::Inline),
        Channel::Rdma { descriptors, invalidate } => (descriptors, invalidate),
        Channel::Other { .. } => return Err(NtStatus::INVALID_PARAMETER),
    };
    let limits = limits.filter(|_| !protected).ok_or(NtStatus::INVALID_PARAMETER)?;
    let fits = usize::try_from(length).is_ok_and(|length| length <= limits.max_size)
        && descriptors.len() <= limits.max_descriptors;
    if !fits || !sound(&descriptors, length) {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    let invalidate = descriptors.first().filter(|_| invalidate).map(|first| Token(first.token));
    Ok(Way::Placed { descriptors: cut(descriptors, length), invalidate })
}

/// Whether the pieces are not empty, do not wrap, do not overlap and hold `length` bytes.
fn sound(descriptors: &[BufferDescriptor], length: u32) -> bool {
    let total: u64 = descriptors.iter().map(|piece| u64::from(piece.length)).sum();
    let whole = descriptors
        .iter()
        .all(|piece| piece.length > 0 && piece.offset.checked_add(piece.length.into()).is_some());
    let mut sorted: Vec<_> = descriptors.iter().collect();
    sorted.sort_by_key(|piece| (piece.token, piece.offset));
    let apart = sorted.windows(2).all(|pair| match pair {
        [one, next] => one.token != next.token || one.offset.saturating_add(one.length.into()) <= next.offset,
        _ => true,
    });
    whole && apart && total >= u64::from(length)
}

/// The first `length` bytes of the pieces.
fn cut(descriptors: Vec<BufferDescriptor>, length: u32) -> Vec<BufferDescriptor> {
    let mut left = length;
    let mut kept = Vec::with_capacity(descriptors.len());
    for piece in descriptors {
        let part = piece.length.min(left);
        if part == 0 {
            break;
        }
        left -= part;
        kept.push(BufferDescriptor { length: part, ..piece });
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: PlacementLimits =
        PlacementLimits { max_size: 1000, max_descriptors: 2, remote_invalidate: true };

    fn piece(token: u32, offset: u64, length: u32) -> BufferDescriptor {
        BufferDescriptor { offset, token, length }
    }

    fn rdma(descriptors: Vec<BufferDescriptor>) -> Channel {
        Channel::Rdma { descriptors, invalidate: true }
    }

    #[test]
    fn cuts_to_the_length_and_invalidates_the_first() {
        let channel = rdma(vec![piece(9, 0, 100), piece(8, 0, 100)]);
        let Way::Placed { descriptors, invalidate } = way(channel, 150, Some(LIMITS), false).unwrap() else {
            panic!("inline")
        };
        assert_eq!(descriptors, [piece(9, 0, 100), piece(8, 0, 50)]);
        assert_eq!(invalidate, Some(Token(9)));
    }

    #[test]
    fn refuses_what_cannot_be() {
        let refused = |descriptors, length, limits, protected| {
            assert_eq!(way(rdma(descriptors), length, limits, protected), Err(NtStatus::INVALID_PARAMETER));
        };
        refused(vec![piece(1, 0, 100)], 10, None, false);
        refused(vec![piece(1, 0, 100)], 10, Some(LIMITS), true);
        refused(vec![piece(1, 0, 100)], 101, Some(LIMITS), false);
        refused(vec![piece(1, 0, 0), piece(2, 0, 100)], 10, Some(LIMITS), false);
        refused(vec![piece(1, u64::MAX - 5, 100)], 10, Some(LIMITS), false);
        refused(vec![piece(1, 50, 100), piece(1, 0, 51)], 10, Some(LIMITS), false);
        refused(vec![piece(1, 0, 9), piece(2, 0, 9), piece(3, 0, 9)], 10, Some(LIMITS), false);
        refused(vec![piece(1, 0, 2000)], 1001, Some(LIMITS), false);
        let other = Channel::Other { kind: 3, info: vec![] };
        assert_eq!(way(other, 1, Some(LIMITS), false), Err(NtStatus::INVALID_PARAMETER));
        assert_eq!(way(Channel::Inline, 1, None, true), Ok(Way::Inline));
    }
}
