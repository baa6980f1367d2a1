//! The network interfaces of this host: what a server offers its clients for further channels, and what a client
//! pairs with them.

use crate::TransportError;
use std::{collections::BTreeMap, net::IpAddr};

/// A network interface with at least one address.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Nic {
    /// Its name.
    pub name: String,
    /// Its index in the system, IfIndex of the interface information — [MS-SMB2] 2.2.32.5.
    pub index: u32,
    /// Its addresses, in the system's order.
    pub addresses: Vec<IpAddr>,
    /// Its speed in bits per second, where the system knows.
    pub speed: Option<u64>,
    /// Receive queues: more than one means that the NIC spreads connections over cores (RSS), so that several
    /// connections through it pay.
    pub receive_queues: usize,
    /// Whether it is the host's link to itself.
    pub loopback: bool,
    /// Whether an RDMA device is behind it. TCP alone cannot tell: always `false` here, and set by who has a provider.
    pub rdma: bool,
}

impl Nic {
    /// Whether receive-side scaling is there.
    pub fn rss(&self) -> bool {
        self.receive_queues > 1
    }
}

/// The interfaces of this host that are up, by index.
pub fn nics() -> Result<Vec<Nic>, TransportError> {
    let mut found = BTreeMap::new();
    for address in if_addrs::get_if_addrs()?.into_iter().filter(|address| address.is_oper_up()) {
        let Some(index) = address.index else { continue };
        let ip = address.ip();
        let loopback = address.is_loopback();
        let nic = found.entry(index).or_insert_with(|| describe(address.name, index, loopback));
        if !nic.addresses.contains(&ip) {
            nic.addresses.push(ip);
        }
    }
    Ok(found.into_values().collect())
}

/// The interface that has `address`, among `nics`.
pub fn with_address(nics: &[Nic], address: IpAddr) -> Option<&Nic> {
    nics.iter().find(|nic| nic.addresses.contains(&address))
}

fn describe(name: String, index: u32, loopback: bool) -> Nic {
    let (speed, receive_queues) = (system::speed(&name), system::receive_queues(&name));
    Nic { name, index, addresses: Vec::new(), speed, receive_queues, loopback, rdma: false }
}

#[cfg(target_os = "linux")]
mod system {
    use std::{fs, path::PathBuf};

    fn folder(name: &str) -> PathBuf {
        PathBuf::from("/sys/class/net").join(name)
    }

    pub(super) fn speed(name: &str) -> Option<u64> {
        parse_speed(&fs::read_to_string(folder(name).join("speed")).ok()?)
    }

    /// Mbit/s; -1, or all ones where the driver is old, means unknown.
    pub(super) fn parse_speed(text: &str) -> Option<u64> {
        let megabits: u32 = text.trim().parse().ok()?;
        (megabits != 0 && megabits != u32::MAX).then(|| u64::from(megabits).saturating_mul(1_000_000))
    }

    pub(super) fn receive_queues(name: &str) -> usize {
        let Ok(queues) = fs::read_dir(folder(name).join("queues")) else { return 1 };
        let receiving =
            queues.flatten().filter(|queue| queue.file_name().to_string_lossy().starts_with("rx-"));
        receiving.count().max(1)
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    pub(super) fn speed(_name: &str) -> Option<u64> {
        None
    }

    pub(super) fn receive_queues(_name: &str) -> usize {
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn the_host_has_a_loopback() {
        let nics = nics().unwrap();
        let lo = with_address(&nics, Ipv4Addr::LOCALHOST.into()).expect("127.0.0.1 is somewhere");
        assert!(lo.loopback && !lo.rdma && lo.index > 0);
        assert_eq!(lo.speed, None);
        assert!(lo.receive_queues >= 1);
        let mut indices: Vec<_> = nics.iter().map(|nic| nic.index).collect();
        indices.dedup();
        assert_eq!(indices.len(), nics.len(), "each interface once");
        assert_eq!(with_address(&nics, Ipv4Addr::new(203, 0, 113, 7).into()), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn unknown_speeds_are_unknown() {
        assert_eq!(system::parse_speed("25000\n"), Some(25_000_000_000));
        for unknown in ["-1\n", "4294967295\n", "0\n", "", "fast"] {
            assert_eq!(system::parse_speed(unknown), None, "{unknown}");
        }
        assert_eq!(system::speed("no-such-interface"), None);
    }
}
