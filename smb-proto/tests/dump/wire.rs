//! Capture files made here: frames as TCP segments on any kind of link.

/// What carries the packets, and in what file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    Ethernet,
    Vlan,
    Cooked,
    Cooked2,
    Loopback,
    Raw,
    Ipv6,
    /// Raw, in a pcapng file of the other byte order.
    PcapNg,
    /// A link type that is not understood.
    Unknown,
}

/// One TCP segment between 127.0.0.1:50000 and 127.0.0.1:445 (`::1` for IPv6).
#[derive(Debug, Clone)]
pub struct Piece {
    pub from_client: bool,
    sequence: u32,
    flags: u8,
    pub payload: Vec<u8>,
}

/// The frames with their lengths, cut into segments of at most `size` bytes, behind a handshake. The sequence numbers wrap.
pub fn segments(frames: &[(bool, Vec<u8>)], size: usize) -> Vec<Piece> {
    let mut next = [u32::MAX - 500, 7];
    let syn = |from_client: bool, flags| Piece {
        from_client,
        sequence: next[usize::from(!from_client)],
        flags,
        payload: Vec::new(),
    };
    let mut pieces = vec![syn(true, 2), syn(false, 18)];
    next = next.map(|sequence| sequence.wrapping_add(1));
    for (from_client, frame) in frames {
        let stream = [u32::try_from(frame.len()).unwrap().to_be_bytes().as_slice(), frame].concat();
        for payload in stream.chunks(size) {
            let sequence = &mut next[usize::from(!from_client)];
            let piece = Piece {
                from_client: *from_client,
                sequence: *sequence,
                flags: 16,
                payload: payload.to_vec(),
            };
            pieces.push(piece);
            *sequence = sequence.wrapping_add(u32::try_from(payload.len()).unwrap());
        }
    }
    pieces
}

fn tcp(piece: &Piece) -> Vec<u8> {
    let (from, to) = if piece.from_client { (50000u16, 445u16) } else { (445, 50000) };
    let mut out = [from.to_be_bytes(), to.to_be_bytes()].concat();
    out.extend(piece.sequence.to_be_bytes());
    out.extend([0, 0, 0, 0, 0x50, piece.flags, 0xff, 0xff, 0, 0, 0, 0]);
    out.extend(&piece.payload);
    out
}

fn ipv4(piece: &Piece) -> Vec<u8> {
    let tcp = tcp(piece);
    let total = u16::try_from(20 + tcp.len()).unwrap().to_be_bytes();
    let mut out = vec![0x45, 0, total[0], total[1], 0, 0, 0, 0, 64, 6, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1];
    out.extend(tcp);
    out
}

/// With a hop-by-hop header before TCP.
fn ipv6(piece: &Piece) -> Vec<u8> {
    let tcp = tcp(piece);
    let length = u16::try_from(8 + tcp.len()).unwrap().to_be_bytes();
    let mut out = vec![0x60, 0, 0, 0, length[0], length[1], 0, 64];
    let loopback = std::net::Ipv6Addr::LOCALHOST.octets();
    out.extend([loopback, loopback].concat());
    out.extend([6, 0, 1, 4, 0, 0, 0, 0]);
    out.extend(tcp);
    out
}

fn packet(link: Link, piece: &Piece) -> Vec<u8> {
    let head: &[u8] = match link {
        Link::Ethernet => &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0],
        Link::Vlan => &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x81, 0, 0, 5, 8, 0],
        Link::Cooked => &[0; 16],
        Link::Cooked2 => &[0; 20],
        Link::Loopback => &[2, 0, 0, 0],
        Link::Raw | Link::PcapNg | Link::Unknown => &[],
        Link::Ipv6 => return ipv6(piece),
    };
    // A checksum may follow what IP counts.
    [head, &ipv4(piece), if link == Link::Ethernet { b"\xde\xad" } else { b"" }].concat()
}

/// A capture file.
pub fn capture(link: Link, pieces: &[Piece]) -> Vec<u8> {
    let packets = pieces.iter().map(|piece| packet(link, piece));
    let number = match link {
        Link::Ethernet | Link::Vlan => 1u32,
        Link::Cooked => 113,
        Link::Cooked2 => 276,
        Link::Loopback => 0,
        Link::Raw | Link::Ipv6 => 101,
        Link::Unknown => 147,
        Link::PcapNg => return pcapng(packets),
    };
    let mut out = 0xa1b2_c3d4u32.to_le_bytes().to_vec();
    out.extend([2, 0, 4, 0]);
    out.extend([0; 8]);
    out.extend(262_144u32.to_le_bytes());
    out.extend(number.to_le_bytes());
    for packet in packets {
        let len = u32::try_from(packet.len()).unwrap().to_le_bytes();
        out.extend([[0; 4], [0; 4], len, len].concat());
        out.extend(packet);
    }
    out
}

fn block(kind: u32, mut body: Vec<u8>) -> Vec<u8> {
    body.resize(body.len().next_multiple_of(4), 0);
    let len = u32::try_from(12 + body.len()).unwrap().to_be_bytes();
    [kind.to_be_bytes().as_slice(), &len, &body, &len].concat()
}

fn pcapng(packets: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    let section =
        [0x1a, 0x2b, 0x3c, 0x4d, 0, 1, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff].to_vec();
    let mut out = block(0x0a0d_0d0a, section);
    out.extend(block(1, vec![0, 101, 0, 0, 0, 4, 0, 0]));
    for packet in packets {
        let len = u32::try_from(packet.len()).unwrap().to_be_bytes();
        let mut body = [[0; 4], [0; 4], [0; 4], len, len].concat();
        body.extend(packet);
        out.extend(block(6, body));
        out.extend(block(5, vec![0; 12])); // interface statistics
    }
    out
}
