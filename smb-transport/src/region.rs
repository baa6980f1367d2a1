//! Memory opened to a peer, for wires that place data in software: who may reach it, and that nobody does once it is
//! taken back.
//!
//! ```text
//!  Regions (one per end) ── token ─▶ Piece{base, range, access} ──▶ Region ─ lock ─▶ IoBuf, live tokens
//!                                        one per descriptor          one per buffer
//! ```
//! The table's lock is held to find a region, the region's while bytes are copied. A token is checked to be live
//! under the region's lock, so that memory taken back under the same lock is never written again.

use crate::{Access, BufferDescriptor, IoBuf, Token};
use std::{
    collections::HashMap,
    fmt,
    ops::Range,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

/// Tokens are unique in the process, so that one of another connection is never good by chance.
static NEXT_TOKEN: AtomicU32 = AtomicU32::new(0x5EED_0100);
const TOKEN_STEP: u32 = 0x101;

/// What an end has opened to its peer.
#[derive(Default)]
pub struct Regions {
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    ended: bool,
    pieces: HashMap<Token, Piece>,
}

#[derive(Clone)]
struct Piece {
    region: Arc<Region>,
    /// The address of its first byte; neither zero nor aligned, so that nobody can take it for granted.
    base: u64,
    range: Range<usize>,
    access: Access,
}

/// One opened buffer.
pub struct Region {
    lent: Mutex<Lent>,
}

struct Lent {
    buf: Option<IoBuf>,
    live: Vec<Token>,
}

/// Bytes of one descriptor that one transfer touches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// The descriptor's token.
    pub token: Token,
    /// Where they begin in the token's address space.
    pub address: u64,
    /// Where they lie in the local buffer.
    pub local: Range<usize>,
}

/// Cuts a transfer of `len` bytes into pieces of at most `piece` along `descriptors`; `None` where those are too short.
pub fn segments(descriptors: &[BufferDescriptor], len: usize, piece: usize) -> Option<Vec<Segment>> {
    let mut segments = Vec::new();
    let mut done = 0;
    for descriptor in descriptors {
        let (mut address, mut left) = (descriptor.offset, usize::try_from(descriptor.length).ok()?);
        while left > 0 && done < len {
            let count = left.min(len - done).min(piece.max(1));
            segments.push(Segment { token: Token(descriptor.token), address, local: done..done + count });
            done += count;
            left -= count;
            address = address.checked_add(u64::try_from(count).ok()?)?;
        }
    }
    (done == len).then_some(segments)
}

/// Why an access was refused.
pub type Refusal = &'static str;

impl Regions {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens `buf` to the peer in pieces of at most `max_len` bytes. After [`end`](Self::end) it comes back.
    pub fn open(
        &self,
        buf: IoBuf,
        access: Access,
        max_len: usize,
    ) -> Result<(Arc<Region>, Vec<BufferDescriptor>), IoBuf> {
        let len = buf.len();
        let mut table = self.lock();
        if table.ended {
            return Err(buf);
        }
        let region = Arc::new(Region { lent: Mutex::new(Lent { buf: Some(buf), live: Vec::new() }) });
        let mut descriptors = Vec::new();
        let mut start = 0;
        while start < len {
            let end = len.min(start.saturating_add(max_len.max(1)));
            let token = table.fresh_token();
            let base = (u64::from(token.0) << 20) + 0x33;
            let piece = Piece { region: region.clone(), base, range: start..end, access };
            table.pieces.insert(token, piece);
            region.lock().live.push(token);
            // A descriptor's length is 32 bits; the caller has bounded it.
            let length = u32::try_from(end - start).unwrap_or(u32::MAX);
            descriptors.push(BufferDescriptor { offset: base, token: token.0, length });
            start = end;
        }
        Ok((region, descriptors))
    }

    /// Lets `work` at the opened bytes `segment` names, if its token is good for that.
    pub fn access(
        &self,
        segment: &Segment,
        access: Access,
        work: impl FnOnce(&mut [u8]),
    ) -> Result<(), Refusal> {
        let piece = self.lock().pieces.get(&segment.token).cloned().ok_or("no such token")?;
        piece.access(segment, access, work)
    }

    /// Ends what `token` allows. The memory of a region that nobody can reach or reclaim any more is freed.
    pub fn invalidate(&self, token: Token) -> Result<(), Refusal> {
        let piece = self.lock().pieces.remove(&token).ok_or("no such token to invalidate")?;
        piece.region.lock().live.retain(|live| *live != token);
        Ok(())
    }

    /// Takes a buffer back, its tokens invalidated.
    pub fn take_back(&self, region: &Region) -> Option<IoBuf> {
        let (buf, tokens) = {
            let mut lent = region.lock();
            (lent.buf.take(), std::mem::take(&mut lent.live))
        };
        let mut table = self.lock();
        for token in tokens {
            table.pieces.remove(&token);
        }
        buf
    }

    /// The connection is dead: nobody reaches anything any more.
    pub fn end(&self) {
        let pieces = {
            let mut table = self.lock();
            table.ended = true;
            std::mem::take(&mut table.pieces)
        };
        for piece in pieces.values() {
            piece.region.lock().live.clear();
        }
    }
}

impl Table {
    fn fresh_token(&self) -> Token {
        loop {
            let token = Token(NEXT_TOKEN.fetch_add(TOKEN_STEP, Ordering::Relaxed));
            if !self.pieces.contains_key(&token) {
                return token;
            }
        }
    }
}

impl Piece {
    /// The token may have gone since the piece was looked up: what counts is the region's own list.
    fn access(&self, segment: &Segment, access: Access, work: impl FnOnce(&mut [u8])) -> Result<(), Refusal> {
        if self.access != access {
            return Err("the token does not allow this access");
        }
        let range = self.locate(segment).ok_or("outside the memory of the token")?;
        let mut lent = self.region.lock();
        if !lent.live.contains(&segment.token) {
            return Err("the token is no longer valid");
        }
        work(lent.buf.as_mut().and_then(|buf| buf.get_mut(range)).ok_or("the memory is gone")?);
        Ok(())
    }

    /// Where the segment's bytes lie in the region's buffer.
    fn locate(&self, segment: &Segment) -> Option<Range<usize>> {
        let offset = usize::try_from(segment.address.checked_sub(self.base)?).ok()?;
        let start = self.range.start.checked_add(offset)?;
        let end = start.checked_add(segment.local.len())?;
        (end <= self.range.end).then_some(start..end)
    }
}

impl Region {
    fn lock(&self) -> MutexGuard<'_, Lent> {
        self.lent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Regions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Regions").finish_non_exhaustive()
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Region").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn descriptor(offset: u64, token: u32, length: u32) -> BufferDescriptor {
        BufferDescriptor { offset, token, length }
    }

    #[test]
    fn transfers_follow_the_descriptors() {
        let to = [descriptor(100, 1, 3), descriptor(0, 9, 0), descriptor(7, 2, 10)];
        let segment = |token, address, local| Segment { token: Token(token), address, local };
        assert_eq!(
            segments(&to, 8, 4),
            Some(vec![segment(1, 100, 0..3), segment(2, 7, 3..7), segment(2, 11, 7..8)])
        );
        assert_eq!(segments(&to, 0, 4), Some(vec![]));
        assert_eq!(segments(&to, 14, 4), None);
        assert_eq!(segments(&[descriptor(u64::MAX, 1, 8)], 8, 4), None);
    }

    #[test]
    fn a_token_that_goes_after_it_was_looked_up_is_no_good() {
        for ending in [false, true] {
            let regions = Regions::default();
            let (region, all) = regions.open(IoBuf::copied(b"abcd"), Access::RemoteWrite, 4).unwrap();
            let token = Token(all[0].token);
            let piece = regions.lock().pieces[&token].clone();
            if ending {
                regions.end();
            } else {
                regions.invalidate(token).unwrap();
            }
            let segment = Segment { token, address: all[0].offset, local: 0..4 };
            piece.access(&segment, Access::RemoteWrite, |bytes| bytes.fill(0)).unwrap_err();
            assert_eq!(&regions.take_back(&region).unwrap()[..], b"abcd");
        }
    }

    #[test]
    fn a_piece_is_reached_only_within_its_bounds() {
        let regions = Regions::default();
        let (region, all) = regions.open(IoBuf::copied(b"abcdefgh"), Access::RemoteWrite, 3).unwrap();
        assert_eq!(all.iter().map(|d| d.length).collect::<Vec<_>>(), [3, 3, 2]);
        let write = |address: u64, token: u32, len: usize| {
            let segment = Segment { token: Token(token), address, local: 0..len };
            regions.access(&segment, Access::RemoteWrite, |bytes| bytes.fill(b'x'))
        };
        let middle = all[1];
        write(middle.offset + 1, middle.token, 2).unwrap();
        write(middle.offset + 1, middle.token, 3).unwrap_err();
        write(middle.offset - 1, middle.token, 2).unwrap_err();
        write(u64::MAX, middle.token, 2).unwrap_err();
        write(middle.offset, middle.token + 1, 1).unwrap_err();
        regions.invalidate(Token(middle.token)).unwrap();
        regions.invalidate(Token(middle.token)).unwrap_err();
        write(middle.offset, middle.token, 1).unwrap_err();
        write(all[0].offset, all[0].token, 1).unwrap();
        assert_eq!(&regions.take_back(&region).unwrap()[..], b"xbcdxxgh");
        write(all[0].offset, all[0].token, 1).unwrap_err();
        assert!(regions.lock().pieces.is_empty());
    }
}
