//! Canonical Huffman codes of at most 15 bits — [MS-XCA] 2.1.4.2, 2.2.4.

use super::{LENGTHS, SYMBOLS};

/// The longest code.
pub(super) const MAX_BITS: u32 = 15;
/// One entry for each value of 15 bits.
const TABLE: usize = 1 << MAX_BITS;

/// Code lengths of all symbols; 0 where a symbol does not occur.
pub(super) type CodeLengths = [u8; SYMBOLS];

/// Reads the lengths: even symbols in the lower half bytes.
pub(super) fn unpack(packed: &[u8; LENGTHS]) -> CodeLengths {
    let mut lengths = [0; SYMBOLS];
    for (pair, byte) in lengths.as_chunks_mut::<2>().0.iter_mut().zip(packed) {
        *pair = [byte & 15, byte >> 4];
    }
    lengths
}

/// Writes the lengths.
pub(super) fn pack(lengths: &CodeLengths) -> [u8; LENGTHS] {
    let mut packed = [0; LENGTHS];
    for (byte, [even, odd]) in packed.iter_mut().zip(lengths.as_chunks::<2>().0) {
        *byte = odd << 4 | even;
    }
    packed
}

/// Symbols that occur, in the order of their codes: shorter ones first, among equals by symbol.
fn canonical(lengths: &CodeLengths) -> impl Iterator<Item = (u16, u8)> {
    (1..=15u8).flat_map(move |bits| {
        (0u16..).zip(lengths).filter_map(move |(symbol, len)| (*len == bits).then_some((symbol, bits)))
    })
}

/// Looks up what code the next 15 bits begin with.
pub(super) struct Table(Vec<u16>);

impl Table {
    pub(super) fn new() -> Self {
        Self(vec![0; TABLE])
    }

    /// Fills the table; `false` where the lengths are not those of a complete code.
    pub(super) fn fill(&mut self, lengths: &CodeLengths) -> bool {
        let mut free = self.0.as_mut_slice();
        for (symbol, bits) in canonical(lengths) {
            let Some((taken, rest)) = free.split_at_mut_checked(TABLE >> bits) else { return false };
            taken.fill(symbol << 4 | u16::from(bits));
            free = rest;
        }
        free.is_empty()
    }

    /// The symbol and the bits of its code.
    #[inline]
    pub(super) fn look_up(&self, next_15_bits: u32) -> (usize, u32) {
        let entry =
            usize::try_from(next_15_bits).ok().and_then(|index| self.0.get(index)).copied().unwrap_or(0);
        (usize::from(entry >> 4), u32::from(entry & 15))
    }
}

/// A code for each symbol: its bits, and how many.
pub(super) type Codes = [(u16, u8); SYMBOLS];

/// The codes that follow from the lengths.
pub(super) fn codes(lengths: &CodeLengths) -> Codes {
    let mut codes = [(0, 0); SYMBOLS];
    let (mut next, mut last_bits) = (0u16, 0u8);
    for (symbol, bits) in canonical(lengths) {
        next <<= bits - last_bits;
        last_bits = bits;
        if let Some(code) = codes.get_mut(usize::from(symbol)) {
            *code = (next, bits);
        }
        next = next.wrapping_add(1);
    }
    codes
}

/// Code lengths for symbols that occur so often; at least two symbols get one, as a code needs.
pub(super) fn lengths(counts: &[u32; SYMBOLS]) -> CodeLengths {
    let mut used: Vec<(u32, usize)> = counts
        .iter()
        .zip(0..)
        .filter(|(count, _)| **count > 0)
        .map(|(count, symbol)| (*count, symbol))
        .collect();
    for spare in 0..2 {
        if used.len() < 2 && used.iter().all(|(_, symbol)| *symbol != spare) {
            used.push((1, spare));
        }
    }
    loop {
        used.sort_unstable();
        let depths = depths(&used);
        if depths.iter().all(|depth| *depth <= MAX_BITS) {
            let mut lengths = [0; SYMBOLS];
            for ((_, symbol), depth) in used.iter().zip(depths) {
                if let Some(length) = lengths.get_mut(*symbol) {
                    *length = u8::try_from(depth).unwrap_or(0);
                }
            }
            return lengths;
        }
        // Too deep: flatten. Ends at the latest when all counts are one, nine levels deep.
        used.iter_mut().for_each(|(count, _)| *count = count.div_ceil(2));
    }
}

/// How deep each leaf of the Huffman tree lies; `leaves` are sorted by weight. The inner nodes come into being in
/// order of weight, so that the two lightest are always at the front of one of two queues.
fn depths(leaves: &[(u32, usize)]) -> Vec<u32> {
    let mut weights: Vec<u32> = leaves.iter().map(|(count, _)| *count).collect();
    let mut parents = vec![0; leaves.len()];
    let (mut leaf, mut inner) = (0, leaves.len());
    for node in leaves.len()..(2 * leaves.len()).saturating_sub(1) {
        let mut weight = 0u32;
        for _ in 0..2 {
            let light = weights.get(leaf).filter(|_| leaf < leaves.len());
            let lighter = if light.is_some_and(|light| weights.get(inner).is_none_or(|other| light <= other))
            {
                &mut leaf
            } else {
                &mut inner
            };
            weight = weight.saturating_add(weights.get(*lighter).copied().unwrap_or(0));
            if let Some(parent) = parents.get_mut(*lighter) {
                *parent = node;
            }
            *lighter += 1;
        }
        weights.push(weight);
        parents.push(0);
    }
    let mut depths = vec![0; weights.len()];
    for node in (0..weights.len().saturating_sub(1)).rev() {
        let depth = parents.get(node).and_then(|parent| depths.get(*parent)).map_or(0, |depth| depth + 1);
        if let Some(own) = depths.get_mut(node) {
            *own = depth;
        }
    }
    depths.truncate(leaves.len());
    depths
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn counts(of: &[(usize, u32)]) -> [u32; SYMBOLS] {
        let mut counts = [0; SYMBOLS];
        of.iter().for_each(|(symbol, count)| counts[*symbol] = *count);
        counts
    }

    #[test]
    fn a_textbook_tree() {
        let lengths = lengths(&counts(&[(97, 45), (98, 13), (99, 12), (100, 16), (101, 9), (102, 5)]));
        assert_eq!(lengths[97..103], [1, 3, 3, 3, 4, 4]);
        assert_eq!(
            codes(&lengths)[97..103],
            [(0, 1), (0b100, 3), (0b101, 3), (0b110, 3), (0b1110, 4), (0b1111, 4)]
        );
    }

    #[test]
    fn one_symbol_still_makes_a_complete_code() {
        for symbol in [0, 1, 271] {
            let lengths = lengths(&counts(&[(symbol, 9)]));
            assert_eq!(lengths[symbol], 1);
            assert!(Table::new().fill(&lengths));
        }
    }

    #[test]
    fn deep_trees_are_flattened() {
        let mut fibonacci = vec![(0, 1), (1, 1)];
        for symbol in 2..40 {
            fibonacci.push((symbol, fibonacci[symbol - 1].1 + fibonacci[symbol - 2].1));
        }
        let lengths = lengths(&counts(&fibonacci));
        assert_eq!(lengths.iter().max(), Some(&15));
        assert!(Table::new().fill(&lengths));
    }

    #[test]
    fn incomplete_and_overfull_codes_are_refused() {
        assert!(!Table::new().fill(&[0; SYMBOLS]));
        let mut lengths = [0; SYMBOLS];
        lengths[..3].copy_from_slice(&[1, 2, 2]);
        assert!(Table::new().fill(&lengths));
        lengths[2] = 3;
        assert!(!Table::new().fill(&lengths));
        lengths[2] = 1;
        assert!(!Table::new().fill(&lengths));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn every_code_is_found(of in proptest::collection::vec((0usize..SYMBOLS, 1u32..60_000), 1..300)) {
            let lengths = lengths(&counts(&of));
            prop_assert_eq!(unpack(&pack(&lengths)), lengths);
            let mut table = Table::new();
            prop_assert!(table.fill(&lengths));
            for (symbol, (code, bits)) in codes(&lengths).into_iter().enumerate().filter(|(_, (_, bits))| *bits > 0) {
                let low_bits = (1u32 << (15 - bits)) - 1;
                let bits_of_code = u32::from(code) << (15 - bits);
                prop_assert_eq!(table.look_up(bits_of_code), (symbol, bits.into()));
                prop_assert_eq!(table.look_up(bits_of_code | low_bits), (symbol, bits.into()));
            }
        }
    }
}
