//! FSCTL_QUERY_NETWORK_INTERFACE_INFO — [MS-SMB2] 2.2.32.5: the server's addresses, for multichannel.

use crate::{
    codec::{
        chain,
        num::{array, fixed, le_u16, le_u32, le_u64},
    },
    command::wire_flags,
    error::ParseError,
};
use bytes::BufMut;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

wire_flags! {
    /// Capability of an interface.
    InterfaceCapabilities: u32 {
        /// RSS_CAPABLE: spreads its connections over processors, so that several of them pay.
        RSS_CAPABLE = 0x0000_0001,
        /// RDMA_CAPABLE.
        RDMA_CAPABLE = 0x0000_0002,
    }
}

/// SockAddr_Storage — [MS-SMB2] 2.2.32.5.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InterfaceAddress {
    /// SockAddr_In (2.2.32.5.1.1), or SockAddr_In6 (2.2.32.5.1.2) without its scope and flow, which mean nothing to another host.
    Ip(IpAddr),
    /// A family that has no meaning here.
    Other {
        /// The family.
        family: u16,
    },
}

/// NETWORK_INTERFACE_INFO — [MS-SMB2] 2.2.32.5. An interface with several addresses has one for each; an address that
/// speaks RDMA and TCP may have two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NetworkInterface {
    /// The interface; equal for all addresses of one.
    pub if_index: u32,
    /// What it can do.
    pub capabilities: InterfaceCapabilities,
    /// Bits per second.
    pub link_speed: u64,
    /// One of its addresses. The port is not on the wire.
    pub address: InterfaceAddress,
}

const WHAT: &str = "NETWORK_INTERFACE_INFO";
const LEN: usize = 152;
const STORAGE: usize = 128;
const INTERNETWORK: u16 = 0x0002;
const INTERNETWORK_V6: u16 = 0x0017;

impl InterfaceAddress {
    fn parse(storage: [u8; STORAGE]) -> Result<Self, ParseError> {
        let (rest, (family, _port)) = fixed(WHAT, &storage, (le_u16, le_u16))?;
        Ok(match family {
            INTERNETWORK => Self::Ip(Ipv4Addr::from(fixed(WHAT, rest, array::<4>)?.1).into()),
            INTERNETWORK_V6 => {
                let (_, (_flow, address)) = fixed(WHAT, rest, (le_u32, array::<16>))?;
                Self::Ip(Ipv6Addr::from(address).into())
            }
            family => Self::Other { family },
        })
    }

    fn emit(self, out: &mut Vec<u8>) {
        let end = out.len() + STORAGE;
        match self {
            Self::Ip(IpAddr::V4(address)) => {
                out.put_u16_le(INTERNETWORK);
                out.put_u16_le(0);
                out.put_slice(&address.octets());
            }
            Self::Ip(IpAddr::V6(address)) => {
                out.put_u16_le(INTERNETWORK_V6);
                out.put_u16_le(0);
                out.put_u32_le(0);
                out.put_slice(&address.octets());
            }
            Self::Other { family } => out.put_u16_le(family),
        }
        out.resize(end, 0);
    }
}

impl NetworkInterface {
    fn parse(record: &[u8]) -> Result<Self, ParseError> {
        let head = (le_u32, le_u32, le_u32, le_u32, le_u64, array::<STORAGE>);
        let (_, (_, if_index, capability, _, link_speed, storage)) = fixed(WHAT, record, head)?;
        let address = InterfaceAddress::parse(storage)?;
        Ok(Self { if_index, capabilities: InterfaceCapabilities(capability), link_speed, address })
    }

    /// Reads the IOCTL's output.
    pub fn parse_all(output: &[u8]) -> Result<Vec<Self>, ParseError> {
        chain::records(WHAT, output, LEN, chain::leading_u32).map(|record| Self::parse(record?)).collect()
    }

    /// The IOCTL's output.
    pub fn to_bytes(interfaces: &[Self]) -> Vec<u8> {
        let mut out = Vec::with_capacity(LEN * interfaces.len());
        for (index, interface) in interfaces.iter().enumerate() {
            let last = index + 1 == interfaces.len();
            out.put_u32_le(if last { 0 } else { 152 });
            out.put_u32_le(interface.if_index);
            out.put_u32_le(interface.capabilities.0);
            out.put_u32_le(0);
            out.put_u64_le(interface.link_speed);
            interface.address.emit(&mut out);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::field::testing::hex;

    fn interface(if_index: u32, capabilities: u32, address: &str) -> NetworkInterface {
        NetworkInterface {
            if_index,
            capabilities: InterfaceCapabilities(capabilities),
            link_speed: 10_000_000_000,
            address: InterfaceAddress::Ip(address.parse().unwrap()),
        }
    }

    #[test]
    fn fields_lie_where_the_specification_puts_them() {
        let wire =
            NetworkInterface::to_bytes(&[interface(2, 1, "192.0.2.7"), interface(3, 2, "2001:db8::1")]);
        assert_eq!(wire.len(), 2 * LEN);
        assert_eq!(wire[..24], hex("98000000 02000000 01000000 00000000 00e40b5402000000"));
        assert_eq!(wire[24..36], hex("0200 0000 c0000207 00000000"));
        assert_eq!(wire[152..168], hex("00000000 03000000 02000000 00000000"));
        assert_eq!(wire[176..204], hex("1700 0000 00000000 20010db8000000000000000000000001 00000000"));
    }

    #[test]
    fn round_trip_and_truncations() {
        let other =
            NetworkInterface { address: InterfaceAddress::Other { family: 9 }, ..interface(4, 0, "::") };
        let list = vec![interface(2, 1, "192.0.2.7"), interface(2, 3, "2001:db8::1"), other];
        let wire = NetworkInterface::to_bytes(&list);
        assert_eq!(NetworkInterface::parse_all(&wire).unwrap(), list);
        assert!((1..wire.len()).all(|cut| NetworkInterface::parse_all(&wire[..cut]).is_err()));
        assert_eq!(NetworkInterface::parse_all(&[]).unwrap(), []);
    }
}
