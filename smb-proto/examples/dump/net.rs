//! From a packet to its TCP segment: link layers, IPv4 and IPv6.

use super::capture::Packet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A TCP segment.
pub struct Segment<'a> {
    pub from: SocketAddr,
    pub to: SocketAddr,
    /// Of the first byte of `payload`, or of SYN.
    pub sequence: u32,
    /// SYN.
    pub opens: bool,
    /// ACK.
    pub acknowledges: bool,
    pub payload: &'a [u8],
}

/// What a packet is.
pub enum Read<'a> {
    Tcp(Segment<'a>),
    /// Part of an IP packet.
    Fragment,
    /// A LINKTYPE_ that is not known here.
    UnknownLink(u32),
    /// Anything else, or too short.
    Other,
}

const TCP: u8 = 6;
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Reads a packet down to TCP.
pub fn segment<'a>(packet: &Packet<'a>) -> Read<'a> {
    let ip = match packet.link {
        0 | 108 => packet.data.get(4..), // BSD loopback: the address family, in some byte order
        1 => ethernet(packet.data),
        12 | 14 | 101 | 228 | 229 => Some(packet.data), // raw IP
        113 => packet.data.get(16..),                   // Linux cooked
        276 => packet.data.get(20..),                   // Linux cooked, version 2
        other => return Read::UnknownLink(other),
    };
    ip.and_then(internet).unwrap_or(Read::Other)
}

/// What an Ethernet frame with IP carries, behind any VLAN tags.
fn ethernet(frame: &[u8]) -> Option<&[u8]> {
    let mut at = 12;
    while matches!(u16_at(frame, at)?, 0x8100 | 0x88a8) {
        at += 4;
    }
    matches!(u16_at(frame, at)?, IPV4 | IPV6).then_some(frame.get(at + 2..)?)
}

fn internet(ip: &[u8]) -> Option<Read<'_>> {
    match ip.first()? >> 4 {
        4 => ipv4(ip),
        6 => ipv6(ip),
        _ => None,
    }
}

fn ipv4(ip: &[u8]) -> Option<Read<'_>> {
    let header = usize::from(ip.first()? & 0xf) * 4;
    // Zero where the card cut the packet into segments.
    let total = usize::from(u16_at(ip, 2)?);
    let end = if total == 0 { ip.len() } else { total.min(ip.len()) };
    if *ip.get(9)? != TCP {
        return None;
    }
    let (more_fragments, offset) = (u16_at(ip, 6)? & 0x2000 != 0, u16_at(ip, 6)? & 0x1fff);
    if more_fragments || offset != 0 {
        return Some(Read::Fragment);
    }
    let address = |at: usize| Some(IpAddr::V4(Ipv4Addr::from(u32_at(ip, at)?)));
    tcp(address(12)?, address(16)?, ip.get(header..end)?)
}

fn ipv6(ip: &[u8]) -> Option<Read<'_>> {
    let address = |at: usize| Some(IpAddr::V6(Ipv6Addr::from(*ip.get(at..)?.first_chunk::<16>()?)));
    let length = usize::from(u16_at(ip, 4)?);
    let end = if length == 0 { ip.len() } else { (40 + length).min(ip.len()) };
    let (mut next, mut at) = (*ip.get(6)?, 40);
    loop {
        match next {
            TCP => return tcp(address(8)?, address(24)?, ip.get(at..end)?),
            44 => return Some(Read::Fragment),
            // Hop-by-hop, routing and destination options.
            0 | 43 | 60 => {
                next = *ip.get(at)?;
                at += (usize::from(*ip.get(at + 1)?) + 1) * 8;
            }
            _ => return None,
        }
    }
}

fn tcp(from: IpAddr, to: IpAddr, tcp: &[u8]) -> Option<Read<'_>> {
    let flags = *tcp.get(13)?;
    let header = usize::from(tcp.get(12)? >> 4) * 4;
    Some(Read::Tcp(Segment {
        from: SocketAddr::new(from, u16_at(tcp, 0)?),
        to: SocketAddr::new(to, u16_at(tcp, 2)?),
        sequence: u32_at(tcp, 4)?,
        opens: flags & 2 != 0,
        acknowledges: flags & 16 != 0,
        payload: tcp.get(header..)?,
    }))
}
