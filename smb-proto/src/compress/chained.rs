//! Whole messages: which payloads to make of one, and one of its payloads — [MS-SMB2] 3.1.4.4, 3.1.5.2, 3.1.5.3.

use super::{compress, decompress_into, pattern};
use crate::{
    codec::num::size,
    dialect::CompressionAlgorithm,
    error::ParseError,
    transform::compression::{Chained, CompressedMessage, Payload, Unchained},
};

const WHAT: &str = "decompressed message";
/// What a compressed payload of a chain tells in addition to a plain one: OriginalPayloadSize.
const ORIGINAL_LEN: usize = 4;

/// What two peers agreed on — [MS-SMB2] 2.2.3.1.3, 2.2.4.1.3.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Negotiated {
    /// Connection.CompressionIds. The first that can compress a payload by itself is the one we use.
    pub algorithms: Vec<CompressionAlgorithm>,
    /// Connection.SupportsChainedCompression.
    pub chained: bool,
}

impl Negotiated {
    /// Compresses `message` but for its first `plain` bytes (headers, mostly, which do not shrink). `None` where the
    /// result, headers included, would not be smaller: the message is then to be sent as it is.
    pub fn compress(&self, message: &[u8], plain: usize) -> Option<Vec<u8>> {
        let (plain, data) = message.split_at_checked(plain)?;
        let out = if self.chained { self.chain(plain, data)? } else { self.single(plain, data)? };
        (out.len() < message.len()).then_some(out)
    }

    /// The message that `frame` stands for, `limit` bytes at most. Nothing is allocated before that is known.
    ///
    /// What to do on an error: drop the connection ([MS-SMB2] 3.1.5.2, 3.1.5.3). The message may not be compressed
    /// or sealed again; that is for the caller to check.
    pub fn decompress(&self, frame: &[u8], limit: usize) -> Result<Vec<u8>, ParseError> {
        match CompressedMessage::parse(frame)? {
            CompressedMessage::Unchained(message) => self.open_single(&message, limit),
            CompressedMessage::Chained(message) => self.open_chain(&message, limit),
        }
    }

    /// The algorithm for a payload by itself.
    fn preferred(&self) -> Option<CompressionAlgorithm> {
        let alone = |algorithm: &&CompressionAlgorithm| {
            !matches!(**algorithm, CompressionAlgorithm::NONE | CompressionAlgorithm::PATTERN_V1)
        };
        self.algorithms.iter().find(alone).copied()
    }

    fn single(&self, plain: &[u8], data: &[u8]) -> Option<Vec<u8>> {
        let algorithm = self.preferred()?;
        let compressed = compress(algorithm, data)?;
        let original_size = u32::try_from(data.len()).ok()?;
        Some(emitted(&CompressedMessage::Unchained(Unchained {
            original_size,
            algorithm,
            plain,
            compressed: &compressed,
        })))
    }

    /// Plain bytes, the run in front, what lies between, the run at the back; each where there is one.
    fn chain(&self, plain: &[u8], data: &[u8]) -> Option<Vec<u8>> {
        let (front, back) = if self.algorithms.contains(&CompressionAlgorithm::PATTERN_V1) {
            pattern::scan(data)
        } else {
            (None, None)
        };
        let front_len = front.map_or(0, |front| front.len());
        let back_len = back.map_or(0, |back| back.len());
        let middle = data.get(front_len..data.len().checked_sub(back_len)?)?;
        let algorithm = self.preferred();
        let smaller = algorithm
            .and_then(|algorithm| compress(algorithm, middle))
            .filter(|smaller| smaller.len() + ORIGINAL_LEN < middle.len());
        if front.is_none() && back.is_none() && smaller.is_none() {
            return None;
        }
        let mut payloads = Vec::with_capacity(4);
        payloads.extend((!plain.is_empty()).then_some(Payload::Plain(plain)));
        payloads.extend(front.map(Payload::Pattern));
        match (&smaller, algorithm) {
            (Some(data), Some(algorithm)) => {
                let original_size = u32::try_from(middle.len()).ok()?;
                payloads.push(Payload::Compressed { algorithm, original_size, data });
            }
            _ => payloads.extend((!middle.is_empty()).then_some(Payload::Plain(middle))),
        }
        payloads.extend(back.map(Payload::Pattern));
        let original_size = u32::try_from(plain.len().checked_add(data.len())?).ok()?;
        Some(emitted(&CompressedMessage::Chained(Chained { original_size, payloads })))
    }

    fn open_single(&self, message: &Unchained<'_>, limit: usize) -> Result<Vec<u8>, ParseError> {
        self.check(message.algorithm)?;
        let mut out = room(message.plain.len().saturating_add(size(message.original_size)), limit)?;
        let (plain, data) = split(&mut out, message.plain.len())?;
        plain.copy_from_slice(message.plain);
        decompress_into(message.algorithm, message.compressed, data)?;
        Ok(out)
    }

    /// The payloads must yield exactly what the header announces. That is checked before any is decompressed.
    fn open_chain(&self, message: &Chained<'_>, limit: usize) -> Result<Vec<u8>, ParseError> {
        if !self.chained {
            return Err(ParseError::Value { what: "compression Flags", value: 1 });
        }
        let announced = size(message.original_size);
        let total = message.payloads.iter().fold(0usize, |sum, one| sum.saturating_add(one.original_len()));
        if total != announced {
            let value = u64::try_from(total).unwrap_or(u64::MAX);
            return Err(ParseError::Value { what: "sum of the payloads", value });
        }
        let mut out = room(announced, limit)?;
        let mut rest = out.as_mut_slice();
        for payload in &message.payloads {
            let (target, behind) = split(rest, payload.original_len())?;
            match payload {
                Payload::Plain(bytes) => target.copy_from_slice(bytes),
                Payload::Pattern(run) => {
                    self.check(CompressionAlgorithm::PATTERN_V1)?;
                    target.fill(run.pattern);
                }
                Payload::Compressed { algorithm, data, .. } => {
                    self.check(*algorithm)?;
                    decompress_into(*algorithm, data, target)?;
                }
            }
            rest = behind;
        }
        Ok(out)
    }

    /// Whether the algorithm was agreed on.
    fn check(&self, algorithm: CompressionAlgorithm) -> Result<(), ParseError> {
        if self.algorithms.contains(&algorithm) {
            Ok(())
        } else {
            Err(ParseError::Value { what: "CompressionAlgorithm", value: algorithm.0.into() })
        }
    }
}

/// A buffer for the whole message.
fn room(len: usize, limit: usize) -> Result<Vec<u8>, ParseError> {
    if len <= limit {
        return Ok(vec![0; len]);
    }
    let wide = |value| u64::try_from(value).unwrap_or(u64::MAX);
    Err(ParseError::TooLarge { what: WHAT, len: wide(len), limit: wide(limit) })
}

fn split(out: &mut [u8], at: usize) -> Result<(&mut [u8], &mut [u8]), ParseError> {
    out.split_at_mut_checked(at).ok_or(ParseError::Truncated { what: WHAT })
}

fn emitted(message: &CompressedMessage<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.wire_len());
    message.emit(&mut out);
    out
}

#[cfg(test)]
mod tests;
