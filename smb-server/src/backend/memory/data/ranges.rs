//! Zeroing, and what of a file occupies memory.

use super::{BLOCK, BLOCK_64, CLUSTER, Data, cut_block, exclusive, parts, shared, to_u64};
use crate::backend::Result;
use std::{ops::Range, sync::atomic::Ordering};

impl Data {
    /// Zeroes a range, as far as the file goes. Where `free`, whole blocks, and what lies at a block's end, are given
    /// back.
    pub(in crate::backend::memory) fn zero(&self, range: Range<u64>, free: bool) -> Result<()> {
        let _cut = exclusive(&self.cut);
        let mut table = self.table();
        let end = range.end.min(table.len);
        let mut at = range.start;
        let mut freed: u64 = 0;
        while at < end {
            let number = at / BLOCK_64;
            // Files are longer than memory: what is not there is skipped.
            let Some((found, block)) = table.blocks.range(number..).next() else { break };
            if *found > number {
                at = found.saturating_mul(BLOCK_64);
                continue;
            }
            let block_end = number.saturating_add(1).saturating_mul(BLOCK_64);
            let len = usize::try_from(end.min(block_end) - at).unwrap_or(BLOCK);
            for part in parts(at, len) {
                let behind = shared(block).len() <= part.at.saturating_add(part.len);
                if free && behind {
                    freed = freed.saturating_add(cut_block(block, part.at));
                } else if let Some(bytes) = exclusive(block).get_mut(part.at..) {
                    bytes.iter_mut().take(part.len).for_each(|byte| *byte = 0);
                }
            }
            if shared(block).is_empty() {
                table.blocks.remove(&number);
            }
            at = block_end;
        }
        drop(table);
        self.held.fetch_sub(freed, Ordering::Relaxed);
        self.quota.give_back(freed);
        Ok(())
    }

    /// What of a range occupies memory, in whole clusters.
    pub(in crate::backend::memory) fn allocated_ranges(
        &self,
        range: Range<u64>,
        most: usize,
    ) -> Vec<Range<u64>> {
        let table = self.table();
        let mut found: Vec<Range<u64>> = Vec::new();
        for (number, block) in table.blocks.range(range.start / BLOCK_64..) {
            let start = number.saturating_mul(BLOCK_64);
            let end = start.saturating_add(to_u64(shared(block).len()).next_multiple_of(CLUSTER));
            let (start, end) = (start.max(range.start), end.min(range.end));
            if number.saturating_mul(BLOCK_64) >= range.end {
                break;
            }
            if start >= end {
                continue;
            }
            let full = found.len() == most;
            match found.last_mut() {
                Some(last) if last.end == start => last.end = end,
                _ if full => break,
                _ => found.push(start..end),
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::memory::quota::Quota;
    use std::sync::Arc;

    fn data() -> (Arc<Quota>, Data) {
        let quota = Arc::new(Quota::new(1 << 30));
        (quota.clone(), Data::new(quota))
    }

    fn all(data: &Data) -> Vec<Range<u64>> {
        data.allocated_ranges(0..data.len(), 100)
    }

    #[test]
    fn holes_are_where_nothing_was_written() {
        let (_quota, data) = data();
        data.write(0, &[1; 100]).unwrap();
        data.write(3 * BLOCK_64, &[1; 100]).unwrap();
        data.set_len(10 * BLOCK_64).unwrap();
        assert_eq!(all(&data), [0..CLUSTER, 3 * BLOCK_64..3 * BLOCK_64 + CLUSTER]);
        assert_eq!(data.allocated_ranges(50..60, 1), vec![50..60_u64]);
        assert_eq!(data.allocated_ranges(0..data.len(), 1), all(&data)[..1]);
        assert!(data.allocated_ranges(CLUSTER..3 * BLOCK_64, 9).is_empty());
    }

    #[test]
    fn zeroing_frees_whole_blocks_and_ends() {
        let (quota, data) = data();
        let whole = vec![7; 3 * BLOCK];
        data.write(0, &whole).unwrap();
        let free = quota.space().available;
        data.zero(BLOCK_64 / 2..2 * BLOCK_64 + 10, true).unwrap();
        assert_eq!(quota.space().available - free, BLOCK_64 + BLOCK_64 / 2);
        assert_eq!(all(&data), [0..BLOCK_64 / 2, 2 * BLOCK_64..3 * BLOCK_64]);
        let mut out = vec![1; 3 * BLOCK];
        assert_eq!(data.read(0, &mut out), out.len());
        assert!(out.iter().enumerate().all(|(at, byte)| {
            let zeroed = (BLOCK / 2..2 * BLOCK + 10).contains(&at);
            *byte == if zeroed { 0 } else { 7 }
        }));
    }

    #[test]
    fn zeroing_without_freeing_keeps_the_memory() {
        let (quota, data) = data();
        data.write(0, &vec![7; BLOCK]).unwrap();
        let free = quota.space().available;
        data.zero(0..u64::MAX, false).unwrap();
        assert_eq!(quota.space().available, free);
        let mut out = [1; 10];
        data.read(0, &mut out);
        assert_eq!((out, data.len()), ([0; 10], BLOCK_64));
    }
}
