//! The reorder window: WRITEs in any order in, bytes in order out. Pure.
//!
//! ```text
//!  0          consumed        contiguous                     consumed + size
//!  ├──────────────┼───────────────┼──── held, with gaps ───────────────┤
//!   the consumer   waits for the   out of order                 what is beyond waits
//!   took these     consumer
//! ```

use bytes::Bytes;
use smb_proto::status::NtStatus;
use std::collections::BTreeMap;

/// Segments held at most, whatever the window's size: small WRITEs cost more memory than their bytes.
const SEGMENTS: usize = 4096;

/// What became of a WRITE.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// It is taken in, or was before.
    Admitted,
    /// There is no room for it now; here it is back.
    Full(Bytes),
    /// It breaks the rules of a stream.
    Refused(NtStatus),
}

/// Bytes that wait to be consumed in order.
#[derive(Debug)]
pub(super) struct Window {
    size: u64,
    /// All bytes below were taken by the consumer.
    consumed: u64,
    /// The lowest offset that is missing.
    contiguous: u64,
    /// Bytes the consumer has in hand.
    in_hand: u64,
    /// What lies at or above `consumed` + `in_hand`, without overlaps, by offset.
    held: BTreeMap<u64, Bytes>,
    /// Where the highest byte seen ends.
    highest: u64,
}

fn len(bytes: &Bytes) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

impl Window {
    pub(super) fn new(size: u64) -> Self {
        Self { size, consumed: 0, contiguous: 0, in_hand: 0, held: BTreeMap::new(), highest: 0 }
    }

    /// Bytes from the beginning without a gap.
    pub(super) fn contiguous(&self) -> u64 {
        self.contiguous
    }

    /// Whether bytes are missing below the highest one that came.
    pub(super) fn has_gap(&self) -> bool {
        self.highest > self.contiguous
    }

    /// Whether the consumer took everything that came.
    pub(super) fn is_drained(&self) -> bool {
        self.held.is_empty() && self.in_hand == 0
    }

    /// Takes a WRITE in. `replay`: it may have come before.
    pub(super) fn admit(&mut self, offset: u64, bytes: Bytes, replay: bool) -> Admission {
        let Some(end) = offset.checked_add(len(&bytes)) else {
            return Admission::Refused(NtStatus::INVALID_PARAMETER);
        };
        if bytes.is_empty() {
            return Admission::Admitted;
        }
        if !replay && (offset < self.contiguous || self.overlaps(offset, end)) {
            return Admission::Refused(NtStatus::INVALID_PARAMETER);
        }
        if end <= self.contiguous {
            return Admission::Admitted;
        }
        if !self.has_room(offset, end) {
            return Admission::Full(bytes);
        }
        self.insert(offset, end, &bytes);
        self.highest = self.highest.max(end);
        Admission::Admitted
    }

    fn overlaps(&self, offset: u64, end: u64) -> bool {
        self.held.range(..end).next_back().is_some_and(|(at, bytes)| at.saturating_add(len(bytes)) > offset)
    }

    /// The WRITE that holds the lowest missing byte always has room once the consumer took all that is before it:
    /// nothing else could ever make room.
    fn has_room(&self, offset: u64, end: u64) -> bool {
        let first = offset <= self.contiguous;
        let starving = self.contiguous == self.consumed.saturating_add(self.in_hand);
        let fits = end <= self.consumed.saturating_add(self.size) && self.held.len() < SEGMENTS;
        fits || first && starving
    }

    /// Holds those parts of the range that are new.
    fn insert(&mut self, offset: u64, end: u64, bytes: &Bytes) {
        let mut at = offset.max(self.contiguous);
        while at < end {
            if let Some(covered) = self.covered(at) {
                at = covered;
                continue;
            }
            let hole = self.held.range(at..end).next().map_or(end, |(next, _)| *next);
            if let Some(part) = part(bytes, offset, at, hole) {
                self.held.insert(at, part);
            }
            at = hole;
        }
        while let Some(held) = self.held.get(&self.contiguous) {
            self.contiguous = self.contiguous.saturating_add(len(held));
        }
    }

    /// Where the held segment that covers `at` ends.
    fn covered(&self, at: u64) -> Option<u64> {
        let (start, held) = self.held.range(..=at).next_back()?;
        Some(start.saturating_add(len(held))).filter(|end| *end > at)
    }

    /// The next bytes for the consumer, who has them in hand until [`taken`](Self::taken).
    pub(super) fn next(&mut self) -> Option<Bytes> {
        let bytes = self.held.remove(&self.consumed).filter(|_| self.in_hand == 0)?;
        self.in_hand = len(&bytes);
        Some(bytes)
    }

    /// The consumer took what it had in hand.
    pub(super) fn taken(&mut self) {
        self.consumed = self.consumed.saturating_add(self.in_hand);
        self.in_hand = 0;
    }

    /// Frees everything held.
    pub(super) fn clear(&mut self) {
        self.held.clear();
    }
}

fn part(bytes: &Bytes, offset: u64, from: u64, to: u64) -> Option<Bytes> {
    let start = usize::try_from(from.checked_sub(offset)?).ok()?;
    let end = usize::try_from(to.checked_sub(offset)?).ok()?;
    (start < end && end <= bytes.len()).then(|| bytes.slice(start..end))
}

#[cfg(test)]
mod tests;
