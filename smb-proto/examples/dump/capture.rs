//! The packets of a capture file: pcap and pcapng, of either byte order. A file that is cut or broken yields what stands before.

/// One packet as it was captured.
pub struct Packet<'a> {
    /// Its link-layer type, a LINKTYPE_ value.
    pub link: u32,
    /// Its bytes, as many as were kept.
    pub data: &'a [u8],
}

#[derive(Clone, Copy)]
struct Order {
    big: bool,
}

impl Order {
    fn u32(self, bytes: &[u8], at: usize) -> Option<u32> {
        let bytes = *bytes.get(at..)?.first_chunk()?;
        Some(if self.big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    fn u16(self, bytes: &[u8], at: usize) -> Option<u16> {
        let bytes = *bytes.get(at..)?.first_chunk()?;
        Some(if self.big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    fn len(self, bytes: &[u8], at: usize) -> Option<usize> {
        usize::try_from(self.u32(bytes, at)?).ok()
    }
}

enum Format {
    Pcap { order: Order, link: u32 },
    PcapNg { order: Order, links: Vec<u32> },
}

/// Iterates over the packets of a file.
pub struct Packets<'a> {
    rest: &'a [u8],
    format: Format,
    is_cut: bool,
}

const SECTION: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
/// Blocks of pcapng: interface description, the two kinds of packet in use, and the obsolete one.
const INTERFACE: u32 = 1;
const OLD_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const PACKET: u32 = 6;

impl<'a> Packets<'a> {
    /// `None` where `file` is no capture.
    pub fn of(file: &'a [u8]) -> Option<Self> {
        let magic = *file.first_chunk::<4>()?;
        if magic == SECTION {
            let format = Format::PcapNg { order: Order { big: false }, links: Vec::new() };
            return Some(Self { rest: file, format, is_cut: false });
        }
        let order = match u32::from_le_bytes(magic) {
            0xa1b2_c3d4 | 0xa1b2_3c4d => Order { big: false },
            0xd4c3_b2a1 | 0x4d3c_b2a1 => Order { big: true },
            _ => return None,
        };
        // The upper bits tell about frame check sequences.
        let link = order.u32(file, 20)? & 0xffff;
        Some(Self { rest: file.get(24..)?, format: Format::Pcap { order, link }, is_cut: false })
    }

    /// Whether the file ended within a packet, or what stood there could not be one.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// The next `len` bytes.
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }

    fn record(&mut self, order: Order, link: u32) -> Option<Packet<'a>> {
        let header = self.take(16)?;
        Some(Packet { link, data: self.take(order.len(header, 8)?)? })
    }

    /// The next block: its type and its body.
    fn block(&mut self) -> Option<(u32, &'a [u8])> {
        let Format::PcapNg { order, links } = &mut self.format else { return None };
        if self.rest.starts_with(&SECTION) {
            order.big = self.rest.get(8..12)? == [0x1a, 0x2b, 0x3c, 0x4d];
            links.clear();
        }
        let order = *order;
        let (kind, len) = (order.u32(self.rest, 0)?, order.len(self.rest, 4)?);
        let block = self.take(len)?;
        Some((kind, block.get(8..len.checked_sub(4)?)?))
    }

    /// The next packet, `Ok(None)` for another block, an error for the end.
    fn next_block(&mut self) -> Result<Option<Packet<'a>>, ()> {
        let (kind, body) = self.block().ok_or(())?;
        let Format::PcapNg { order, links } = &mut self.format else { return Err(()) };
        let order = *order;
        let link_of = |interface: usize| links.get(interface).copied().ok_or(());
        let packet = |link: u32, at: usize, len: usize| {
            let data = body.get(at..).and_then(|data| data.get(..len)).ok_or(())?;
            Ok(Some(Packet { link, data }))
        };
        match kind {
            INTERFACE => {
                links.push(order.u16(body, 0).ok_or(())?.into());
                Ok(None)
            }
            PACKET => packet(link_of(order.len(body, 0).ok_or(())?)?, 20, order.len(body, 12).ok_or(())?),
            OLD_PACKET => {
                packet(link_of(order.u16(body, 0).ok_or(())?.into())?, 20, order.len(body, 12).ok_or(())?)
            }
            SIMPLE_PACKET => {
                let kept = body.len().saturating_sub(4);
                packet(link_of(0)?, 4, order.len(body, 0).ok_or(())?.min(kept))
            }
            _ => Ok(None),
        }
    }
}

impl<'a> Iterator for Packets<'a> {
    type Item = Packet<'a>;

    fn next(&mut self) -> Option<Packet<'a>> {
        while !self.rest.is_empty() && !self.is_cut {
            let next = match self.format {
                Format::Pcap { order, link } => self.record(order, link).map(Some).ok_or(()),
                Format::PcapNg { .. } => self.next_block(),
            };
            match next {
                Ok(Some(packet)) => return Some(packet),
                Ok(None) => {}
                Err(()) => self.is_cut = true,
            }
        }
        None
    }
}
