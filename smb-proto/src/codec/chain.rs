//! Chains of records, each with the distance to the next: compounds, create contexts, directory records.

use crate::error::ParseError;

/// Walks a chain in `bytes`. `next` reads the distance to the following record from the start of one; 0
/// ends the chain. Each item is one record's bytes, up to the next one or the end of the input.
///
/// A distance smaller than `minimum` (which would loop or overlap) or beyond the input is an error.
pub(crate) fn records<'a>(
    what: &'static str,
    bytes: &'a [u8],
    minimum: usize,
    next: impl Fn(&'a [u8]) -> Option<u32>,
) -> impl Iterator<Item = Result<&'a [u8], ParseError>> {
    let mut rest = (!bytes.is_empty()).then_some(bytes);
    std::iter::from_fn(move || {
        let record = rest.take()?;
        let Some(distance) = next(record) else { return Some(Err(ParseError::Truncated { what })) };
        if distance == 0 {
            return Some(Ok(record));
        }
        let bounds = ParseError::Bounds {
            what,
            offset: distance.into(),
            len: 0,
            size: u64::try_from(record.len()).unwrap_or(u64::MAX),
        };
        let Ok(distance) = usize::try_from(distance) else { return Some(Err(bounds)) };
        if distance < minimum || distance >= record.len() {
            return Some(Err(bounds));
        }
        let (this, following) = record.split_at(distance);
        rest = Some(following);
        Some(Ok(this))
    })
}

/// The `u32` a record begins with, where its distance stands in most chains.
pub(crate) fn leading_u32(record: &[u8]) -> Option<u32> {
    record.first_chunk::<4>().map(|bytes| u32::from_le_bytes(*bytes))
}
