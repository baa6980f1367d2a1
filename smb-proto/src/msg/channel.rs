//! How the data of a READ or WRITE travels: the Channel field and what ReadChannelInfo/WriteChannelInfo hold —
//! [MS-SMB2] 2.2.19, 2.2.21.

use crate::{codec::Body, error::ParseError, transform::rdma::BufferDescriptor};
use bytes::BufMut;

const NONE: u32 = 0;
const RDMA_V1: u32 = 1;
const RDMA_V1_INVALIDATE: u32 = 2;

/// Where the data goes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Channel {
    /// SMB2_CHANNEL_NONE: in the message itself.
    #[default]
    Inline,
    /// SMB2_CHANNEL_RDMA_V1 or, with `invalidate`, SMB2_CHANNEL_RDMA_V1_INVALIDATE: by RDMA, to or from the memory
    /// described.
    Rdma {
        /// The requester's memory, filled or read in order.
        descriptors: Vec<BufferDescriptor>,
        /// Invalidate the first token as the answer is sent.
        invalidate: bool,
    },
    /// Another channel, such as SMB2_CHANNEL_RDMA_TRANSFORM, as it came.
    Other {
        /// The Channel field.
        kind: u32,
        /// The channel information.
        info: Vec<u8>,
    },
}

impl Channel {
    pub(crate) fn parse(body: &Body<'_>, kind: u32, offset: u16, len: u16) -> Result<Self, ParseError> {
        if kind == NONE {
            return Ok(Self::Inline);
        }
        let info = body.slice_at("channel information", offset, len)?;
        match kind {
            RDMA_V1 | RDMA_V1_INVALIDATE => Ok(Self::Rdma {
                descriptors: BufferDescriptor::parse_all(info)?,
                invalidate: kind == RDMA_V1_INVALIDATE,
            }),
            _ => Ok(Self::Other { kind, info: info.to_vec() }),
        }
    }

    /// The Channel field.
    pub fn kind(&self) -> u32 {
        match self {
            Self::Inline => NONE,
            Self::Rdma { invalidate: false, .. } => RDMA_V1,
            Self::Rdma { invalidate: true, .. } => RDMA_V1_INVALIDATE,
            Self::Other { kind, .. } => *kind,
        }
    }

    pub(crate) fn info_len(&self) -> usize {
        match self {
            Self::Inline => 0,
            Self::Rdma { descriptors, .. } => descriptors.len() * BufferDescriptor::LEN,
            Self::Other { info, .. } => info.len(),
        }
    }

    pub(crate) fn emit_info(&self, out: &mut impl BufMut) {
        match self {
            Self::Inline => {}
            Self::Rdma { descriptors, .. } => descriptors.iter().for_each(|descriptor| descriptor.emit(out)),
            Self::Other { info, .. } => out.put_slice(info),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(crate) fn channel() -> impl Strategy<Value = Channel> {
        let descriptor = any::<(u64, u32, u32)>().prop_map(|(offset, token, length)| BufferDescriptor {
            offset,
            token,
            length,
        });
        prop_oneof![
            Just(Channel::Inline),
            (prop::collection::vec(descriptor, 1..4), any::<bool>())
                .prop_map(|(descriptors, invalidate)| Channel::Rdma { descriptors, invalidate }),
            (3..u32::MAX, prop::collection::vec(any::<u8>(), 1..30))
                .prop_map(|(kind, info)| Channel::Other { kind, info }),
        ]
    }

    pub(crate) fn info(channel: &Channel) -> Vec<u8> {
        let mut out = Vec::new();
        channel.emit_info(&mut out);
        out
    }
}
