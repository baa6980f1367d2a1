//! Protection of data that goes by RDMA: SMB2_RDMA_TRANSFORM and SMB2_RDMA_CRYPTO_TRANSFORM — [MS-SMB2] 2.2.43, 2.2.43.1.
//!
//! It stands where the descriptors would: in the channel information of a READ or WRITE request whose Channel is
//! SMB2_CHANNEL_RDMA_TRANSFORM, and in a READ response. A client's READ has only the descriptors; who has the data adds
//! what protects it.

use super::rdma::BufferDescriptor;
use crate::{
    codec::{
        Body,
        num::{Parsed, count, fixed, le_u16, le_u32, len16, pad8, take},
    },
    command::wire_enum,
    error::ParseError,
};
use bytes::BufMut;
use nom::Parser;

wire_enum! {
    /// TransformType.
    RdmaTransformType: u16 {
        /// SMB2_RDMA_TRANSFORM_TYPE_ENCRYPTION.
        ENCRYPTION = 0x0001,
        /// SMB2_RDMA_TRANSFORM_TYPE_SIGNING.
        SIGNING = 0x0002,
    }
}

/// SMB2_RDMA_CRYPTO_TRANSFORM — [MS-SMB2] 2.2.43.1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RdmaCryptoTransform {
    /// Sealed or signed.
    pub kind: RdmaTransformType,
    /// The tag or signature of the data.
    pub signature: Vec<u8>,
    /// The nonce.
    pub nonce: Vec<u8>,
}

/// SMB2_RDMA_TRANSFORM — [MS-SMB2] 2.2.43.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RdmaTransform {
    /// Channel: SMB2_CHANNEL_NONE (0), SMB2_CHANNEL_RDMA_V1 (1) or SMB2_CHANNEL_RDMA_V1_INVALIDATE (2).
    pub channel: u32,
    /// The requester's memory; empty in a READ response.
    pub descriptors: Vec<BufferDescriptor>,
    /// What protects the data.
    pub transforms: Vec<RdmaCryptoTransform>,
}

const WHAT: &str = "SMB2_RDMA_TRANSFORM";
const FIXED: usize = 16;
const CRYPTO_FIXED: usize = 8;

impl RdmaCryptoTransform {
    /// The last one may lack its padding.
    fn parse(i: &[u8]) -> Parsed<'_, Self> {
        let (i, (kind, signature_len, nonce_len, _)) = (le_u16, le_u16, le_u16, le_u16).parse(i)?;
        let (i, (signature, nonce)) = (take(signature_len), take(nonce_len)).parse(i)?;
        let padding = pad8(CRYPTO_FIXED + signature.len() + nonce.len()).min(i.len());
        let (i, _) = take(padding).parse(i)?;
        let kind = RdmaTransformType(kind);
        Ok((i, Self { kind, signature: signature.to_vec(), nonce: nonce.to_vec() }))
    }

    fn len(&self) -> usize {
        (CRYPTO_FIXED + self.signature.len() + self.nonce.len()).next_multiple_of(8)
    }

    fn emit(&self, out: &mut Vec<u8>) {
        let end = out.len() + self.len();
        out.put_u16_le(self.kind.0);
        out.put_u16_le(len16(self.signature.len()));
        out.put_u16_le(len16(self.nonce.len()));
        out.put_u16_le(0);
        out.put_slice(&self.signature);
        out.put_slice(&self.nonce);
        out.resize(end, 0);
    }
}

impl RdmaTransform {
    /// Reads the structure.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let (rest, (offset, len, channel, number, _, _)) =
            fixed(WHAT, bytes, (le_u16, le_u16, le_u32, le_u16, le_u16, le_u32))?;
        let (_, transforms) = fixed(WHAT, rest, count(RdmaCryptoTransform::parse, number.into()))?;
        let descriptors =
            match Body::over(bytes, FIXED).slice_at(WHAT, offset, if channel == 0 { 0 } else { len })? {
                [] => Vec::new(),
                descriptors => BufferDescriptor::parse_all(descriptors)?,
            };
        Ok(Self { channel, descriptors, transforms })
    }

    /// Writes the structure: what protects the data, then the descriptors.
    pub fn to_bytes(&self) -> Vec<u8> {
        let offset = FIXED + self.transforms.iter().map(RdmaCryptoTransform::len).sum::<usize>();
        let len = BufferDescriptor::LEN * self.descriptors.len();
        let mut out = Vec::with_capacity(offset + len);
        out.put_u16_le(if len == 0 { 0 } else { len16(offset) });
        out.put_u16_le(len16(len));
        out.put_u32_le(self.channel);
        out.put_u16_le(len16(self.transforms.len()));
        out.put_bytes(0, 6);
        self.transforms.iter().for_each(|transform| transform.emit(&mut out));
        self.descriptors.iter().for_each(|descriptor| descriptor.emit(&mut out));
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::field::testing::{check_buffer, hex};

    #[test]
    fn a_sealed_write_as_the_specification_draws_it() {
        let transform = RdmaTransform {
            channel: 1,
            descriptors: vec![BufferDescriptor { offset: 1, token: 2, length: 3 }],
            transforms: vec![RdmaCryptoTransform {
                kind: RdmaTransformType::ENCRYPTION,
                signature: vec![0xaa; 16],
                nonce: vec![0xbb; 12],
            }],
        };
        let wire = hex(
            "3800 1000 01000000 0100 0000 00000000  0100 1000 0c00 0000
             aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbbbbbbb 00000000  0100000000000000 02000000 03000000",
        );
        check_buffer!(RdmaTransform, transform, wire);
    }

    #[test]
    fn a_read_request_has_descriptors_alone_and_its_response_the_protection() {
        let request = RdmaTransform {
            channel: 2,
            descriptors: vec![BufferDescriptor { offset: 1, token: 2, length: 3 }],
            transforms: Vec::new(),
        };
        let wire = hex("1000 1000 02000000 0000 0000 00000000  0100000000000000 02000000 03000000");
        check_buffer!(RdmaTransform, request, wire.clone());
        let mut inside = wire;
        inside[0] = 8;
        assert!(RdmaTransform::parse(&inside).is_err(), "descriptors in the header");
        let signing = RdmaCryptoTransform {
            kind: RdmaTransformType::SIGNING,
            signature: vec![0xaa; 16],
            nonce: Vec::new(),
        };
        let response = RdmaTransform { channel: 0, descriptors: Vec::new(), transforms: vec![signing] };
        let wire = hex(
            "0000 0000 00000000 0100 0000 00000000  0200 1000 0000 0000 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        );
        check_buffer!(RdmaTransform, response, wire);
    }
}
