//! Opened memory of the providers in software: who may reach it, and that nobody does once it is taken back.
//!
//! ```text
//!  Regions (one per end) ── token ─▶ Piece{base, range, access} ──▶ Region ─ lock ─▶ IoBuf, live tokens
//! ```
//! A token is checked to be live under the region's lock, the one that taking back holds: memory that was taken back is
//! never written again.

use super::{RdmaError, Remote, Token};
use smb_transport::{Access, BufferDescriptor, IoBuf};
use std::{
    collections::HashMap,
    ops::Range,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

/// Tokens are unique in the process, so that one of another connection is never good by chance.
static NEXT_TOKEN: AtomicU32 = AtomicU32::new(0x0D1E_C700);
const TOKEN_STEP: u32 = 0x101;

/// What an end has opened.
#[derive(Default)]
pub(super) struct Regions {
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
pub(super) struct Region {
    lent: Mutex<Lent>,
}

struct Lent {
    buf: Option<IoBuf>,
    live: Vec<Token>,
}

impl Regions {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens `buf` to the peer in pieces of at most `max_len` bytes.
    pub(super) fn open(
        &self,
        buf: IoBuf,
        access: Access,
        max_len: usize,
    ) -> Result<(Arc<Region>, Vec<BufferDescriptor>), (RdmaError, IoBuf)> {
        let len = buf.len();
        let mut table = self.lock();
        if table.ended {
            return Err((RdmaError::Closed, buf));
        }
        let region = Arc::new(Region { lent: Mutex::new(Lent { buf: Some(buf), live: Vec::new() }) });
        let mut descriptors = Vec::new();
        let mut start = 0;
        while start < len {
            let end = len.min(start.saturating_add(max_len.max(1)));
            let token = table.fresh_token();
            let base = (u64::from(token.0) << 20) + 0x33;
            table.pieces.insert(token, Piece { region: region.clone(), base, range: start..end, access });
            region.lock().live.push(token);
            // A descriptor's length is 32 bits; the provider has bounded it.
            let length = u32::try_from(end - start).unwrap_or(u32::MAX);
            descriptors.push(BufferDescriptor { offset: base, token: token.0, length });
            start = end;
        }
        Ok((region, descriptors))
    }

    /// Lets `work` at `len` bytes from `remote` on, if its token is good for that.
    pub(super) fn access(
        &self,
        remote: Remote,
        len: usize,
        access: Access,
        work: impl FnOnce(&mut [u8]),
    ) -> Result<(), RdmaError> {
        let refused = RdmaError::RemoteAccess;
        let piece = self.lock().pieces.get(&remote.token).cloned().ok_or(refused("no such token"))?;
        if piece.access != access {
            return Err(refused("the token does not allow this access"));
        }
        let range = piece.locate(remote.address, len).ok_or(refused("outside the memory of the token"))?;
        let mut lent = piece.region.lock();
        if !lent.live.contains(&remote.token) {
            return Err(refused("the token is no longer valid"));
        }
        let bytes =
            lent.buf.as_mut().and_then(|buf| buf.get_mut(range)).ok_or(refused("the memory is gone"))?;
        work(bytes);
        Ok(())
    }

    /// Ends what `token` allows. Memory that nobody can reach or reclaim any more is freed.
    pub(super) fn invalidate(&self, token: Token) -> Result<(), RdmaError> {
        let piece = self.lock().pieces.remove(&token);
        let piece = piece.ok_or(RdmaError::RemoteAccess("no such token to invalidate"))?;
        piece.region.lock().live.retain(|live| *live != token);
        Ok(())
    }

    /// Takes a buffer back, its tokens invalidated.
    pub(super) fn take_back(&self, region: &Region) -> Option<IoBuf> {
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
    pub(super) fn end(&self) {
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
    /// Where `len` bytes from `address` on lie in the region's buffer.
    fn locate(&self, address: u64, len: usize) -> Option<Range<usize>> {
        let offset = usize::try_from(address.checked_sub(self.base)?).ok()?;
        let start = self.range.start.checked_add(offset)?;
        let end = start.checked_add(len)?;
        (end <= self.range.end).then_some(start..end)
    }
}

impl Region {
    fn lock(&self) -> MutexGuard<'_, Lent> {
        self.lent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
