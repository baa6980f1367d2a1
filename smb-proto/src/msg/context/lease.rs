//! Leases — [MS-SMB2] 2.2.13.2.8, 2.2.13.2.10, 2.2.14.2.10, 2.2.14.2.11. Request and response have one form.

use super::typed::ContextData;
use crate::{
    codec::num::{array, fixed, le_u16, le_u32, le_u64},
    command::wire_flags,
    error::ParseError,
    msg::oplock_break::LeaseState,
};
use bytes::BufMut;

wire_flags! {
    /// LeaseFlags.
    LeaseFlags: u32 {
        /// SMB2_LEASE_FLAG_BREAK_IN_PROGRESS; only in responses.
        BREAK_IN_PROGRESS = 0x0000_0002,
        /// SMB2_LEASE_FLAG_PARENT_LEASE_KEY_SET; only in the second version.
        PARENT_LEASE_KEY_SET = 0x0000_0004,
    }
}

/// What the second version adds: 3.x only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseV2 {
    /// The lease of the directory above, where the flags say so.
    pub parent_lease_key: [u8; 16],
    /// Counts the changes of the lease's state.
    pub epoch: u16,
}

/// SMB2_CREATE_REQUEST_LEASE, SMB2_CREATE_RESPONSE_LEASE and their second versions; the length tells which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// Chosen by the client: one for all opens of a file.
    pub lease_key: [u8; 16],
    /// The state asked for, or granted.
    pub state: LeaseState,
    /// Flags.
    pub flags: LeaseFlags,
    /// The second version's fields.
    pub v2: Option<LeaseV2>,
}

const V1_LEN: usize = 32;

impl ContextData for Lease {
    const NAME: &'static [u8] = b"RqLs";

    fn parse(data: &[u8]) -> Result<Self, ParseError> {
        const WHAT: &str = "lease";
        let (rest, (lease_key, state, flags, _duration)) =
            fixed(WHAT, data, (array::<16>, le_u32, le_u32, le_u64))?;
        let v2 = if rest.is_empty() {
            None
        } else {
            let (_, (parent_lease_key, epoch, _)) = fixed(WHAT, rest, (array::<16>, le_u16, le_u16))?;
            Some(LeaseV2 { parent_lease_key, epoch })
        };
        Ok(Self { lease_key, state: LeaseState(state), flags: LeaseFlags(flags), v2 })
    }

    fn to_data(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(V1_LEN + 20);
        out.put_slice(&self.lease_key);
        out.put_u32_le(self.state.0);
        out.put_u32_le(self.flags.0);
        out.put_u64_le(0);
        if let Some(v2) = self.v2 {
            out.put_slice(&v2.parent_lease_key);
            out.put_u16_le(v2.epoch);
            out.put_u16_le(0);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::{super::typed::check, *};
    use crate::codec::field::testing::hex;

    #[test]
    fn both_versions() {
        let v1 = "0df0dde0fe0fdcbaf20f221f01f02345 01000000 00000000 0000000000000000";
        let lease_key = hex("0df0dde0fe0fdcbaf20f221f01f02345").try_into().unwrap();
        let lease = Lease { lease_key, state: LeaseState::READ_CACHING, flags: LeaseFlags::NONE, v2: None };
        check(&lease, &hex(v1));
        let v2 = Some(LeaseV2 { parent_lease_key: [9; 16], epoch: 0x4711 });
        let wire = hex(&format!("{v1} 09090909090909090909090909090909 1147 0000"));
        let lease = Lease { v2, ..lease };
        assert_eq!(lease.to_data(), wire);
        assert_eq!(Lease::parse(&wire).unwrap(), lease);
        assert!((0..wire.len()).filter(|cut| *cut != V1_LEN).all(|cut| Lease::parse(&wire[..cut]).is_err()));
    }
}
