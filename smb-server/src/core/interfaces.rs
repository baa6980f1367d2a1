//! Where clients are told that the server can be reached — [MS-SMB2] 3.3.5.15.11.

use crate::config::Interface;
use smb_proto::msg::fsctl::network_interface::{InterfaceAddress, InterfaceCapabilities, NetworkInterface};
use smb_transport::Nic;
use std::net::{IpAddr, SocketAddr};

/// The speed of a link that nobody knows the speed of: 1 Gbit/s.
const UNKNOWN_SPEED: u64 = 1_000_000_000;

/// The addresses to tell a client whose connection came in at `local`: those configured, else those of the host's
/// `nics`. The host's link to itself is of use only to who is on it already. An address that speaks RDMA is listed
/// twice, once as TCP and once as RDMA: the Linux client takes entries of one kind only.
pub fn list(configured: &[Interface], nics: &[Nic], local: Option<SocketAddr>) -> Vec<NetworkInterface> {
    let on_loopback = local.is_some_and(|local| local.ip().to_canonical().is_loopback());
    let found: Vec<_> = if configured.is_empty() {
        let told = |nic: &&Nic| nic.loopback == on_loopback;
        nics.iter().filter(told).flat_map(of_host).collect()
    } else {
        configured.iter().map(|interface| of_config(interface, nics)).collect()
    };
    found.into_iter().flat_map(entries).collect()
}

struct Told {
    index: u32,
    address: IpAddr,
    speed: u64,
    rss: bool,
    rdma: bool,
}

fn of_host(nic: &Nic) -> impl Iterator<Item = Told> {
    let reachable = |address: &&IpAddr| match address {
        IpAddr::V4(address) => !address.is_link_local(),
        IpAddr::V6(address) => !address.is_unicast_link_local(),
    };
    nic.addresses.iter().filter(reachable).map(|address| Told {
        index: nic.index,
        address: *address,
        speed: nic.speed.unwrap_or(UNKNOWN_SPEED),
        rss: nic.rss(),
        rdma: nic.rdma,
    })
}

/// Addresses that the host does not have (behind a translation) are all of one interface of its own.
fn of_config(interface: &Interface, nics: &[Nic]) -> Told {
    let nic = smb_transport::with_address(nics, interface.address);
    Told {
        index: nic.map_or(u32::MAX, |nic| nic.index),
        address: interface.address,
        speed: interface.speed.or_else(|| nic?.speed).unwrap_or(UNKNOWN_SPEED),
        rss: interface.rss,
        rdma: interface.rdma,
    }
}

fn entries(told: Told) -> impl Iterator<Item = NetworkInterface> {
    let rss = if told.rss { InterfaceCapabilities::RSS_CAPABLE } else { InterfaceCapabilities::NONE };
    let entry = move |capabilities| NetworkInterface {
        if_index: told.index,
        capabilities,
        link_speed: told.speed,
        address: InterfaceAddress::Ip(told.address),
    };
    let rdma = told.rdma.then(|| entry(InterfaceCapabilities::RDMA_CAPABLE));
    std::iter::once(entry(rss)).chain(rdma)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configured(address: &str, rdma: bool) -> Interface {
        Interface { address: address.parse().unwrap(), speed: Some(10), rss: true, rdma }
    }

    #[test]
    fn what_is_configured_is_told() {
        let list = list(&[configured("192.0.2.1", false), configured("192.0.2.2", true)], &[], None);
        let told: Vec<_> = list.iter().map(|entry| (entry.address, entry.capabilities)).collect();
        let address = |text: &str| InterfaceAddress::Ip(text.parse().unwrap());
        assert_eq!(
            told,
            [
                (address("192.0.2.1"), InterfaceCapabilities::RSS_CAPABLE),
                (address("192.0.2.2"), InterfaceCapabilities::RSS_CAPABLE),
                (address("192.0.2.2"), InterfaceCapabilities::RDMA_CAPABLE),
            ]
        );
        assert!(list.iter().all(|entry| entry.link_speed == 10));
    }

    #[test]
    fn the_loopback_is_told_on_the_loopback_only() {
        let nics = smb_transport::nics().unwrap();
        let at = |address: &str| Some(SocketAddr::new(address.parse().unwrap(), 445));
        let loopback = |entry: &NetworkInterface| match entry.address {
            InterfaceAddress::Ip(address) => address.is_loopback(),
            InterfaceAddress::Other { .. } => false,
        };
        assert!(list(&[], &nics, at("127.0.0.1")).iter().all(loopback));
        assert!(!list(&[], &nics, at("192.0.2.1")).iter().any(loopback));
    }
}
