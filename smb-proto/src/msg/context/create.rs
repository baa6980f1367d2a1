//! SMB2_CREATE_CONTEXT — [MS-SMB2] 2.2.13.2, 2.2.14.2.
//!
//! A context travels as its name and its bytes, so unknown ones survive; typed views of those in use are in
//! the modules below.

use crate::{
    codec::{
        Body, chain,
        num::{fixed, le_u16, le_u32, le_u64, len16, len32, pad8},
    },
    error::ParseError,
    msg::types::{Access, FileTime},
    status::NtStatus,
};
use bytes::BufMut;

const HEADER: usize = 16;

/// One create context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateContext {
    /// Its name: four characters, or 16 bytes of GUID.
    pub name: Vec<u8>,
    /// Its data.
    pub data: Vec<u8>,
}

/// SMB2_CREATE_QUERY_MAXIMAL_ACCESS_REQUEST and its response.
pub const MAXIMAL_ACCESS: &[u8] = b"MxAc";
/// SMB2_CREATE_QUERY_ON_DISK_ID and its response.
pub const QUERY_ON_DISK_ID: &[u8] = b"QFid";
/// SMB2_CREATE_ALLOCATION_SIZE.
pub const ALLOCATION_SIZE: &[u8] = b"AlSi";

impl CreateContext {
    /// A context of that name.
    pub fn new(name: &[u8], data: impl Into<Vec<u8>>) -> Self {
        Self { name: name.to_vec(), data: data.into() }
    }

    /// The context called `name`, if it is there.
    pub fn find<'c>(contexts: &'c [Self], name: &[u8]) -> Option<&'c Self> {
        contexts.iter().find(|context| context.name == name)
    }

    fn data_offset(&self) -> usize {
        if self.data.is_empty() { 0 } else { (HEADER + self.name.len()).next_multiple_of(8) }
    }

    fn len(&self) -> usize {
        (HEADER + self.name.len()).max(self.data_offset() + self.data.len())
    }

    fn parse(record: &[u8]) -> Result<Self, ParseError> {
        const WHAT: &str = "create context";
        let (_, (next, name_offset, name_len, _, data_offset, data_len)) =
            fixed(WHAT, record, (le_u32, le_u16, le_u16, le_u16, le_u16, le_u32))?;
        if next & 7 != 0 {
            return Err(ParseError::Value { what: "Next of a create context", value: next.into() });
        }
        let body = Body::over(record, HEADER);
        let name = body.slice_at(WHAT, name_offset, name_len)?;
        Ok(Self::new(name, body.slice_at(WHAT, data_offset, data_len)?))
    }

    fn emit(&self, next: usize, out: &mut impl BufMut) {
        out.put_u32_le(len32(next));
        out.put_u16_le(len16(HEADER));
        out.put_u16_le(len16(self.name.len()));
        out.put_u16_le(0);
        out.put_u16_le(len16(self.data_offset()));
        out.put_u32_le(len32(self.data.len()));
        out.put_slice(&self.name);
        if !self.data.is_empty() {
            out.put_bytes(0, pad8(HEADER + self.name.len()));
            out.put_slice(&self.data);
        }
    }
}

/// Bytes [`emit_all`] writes.
pub(crate) fn all_len(contexts: &[CreateContext]) -> usize {
    contexts.iter().fold(0, |len, context| len + pad8(len) + context.len())
}

/// Writes the chain; it begins at a multiple of eight.
pub(crate) fn emit_all(contexts: &[CreateContext], out: &mut impl BufMut) {
    for (index, context) in contexts.iter().enumerate() {
        let last = index + 1 == contexts.len();
        let padding = if last { 0 } else { pad8(context.len()) };
        context.emit(if last { 0 } else { context.len() + padding }, out);
        out.put_bytes(0, padding);
    }
}

/// Reads a chain.
pub(crate) fn parse_all(bytes: &[u8]) -> Result<Vec<CreateContext>, ParseError> {
    chain::records("create context", bytes, HEADER, chain::leading_u32)
        .map(|record| CreateContext::parse(record?))
        .collect()
}

/// SMB2_CREATE_QUERY_MAXIMAL_ACCESS_REQUEST — [MS-SMB2] 2.2.13.2.5.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaximalAccessRequest {
    /// Only answer if the file changed since.
    pub timestamp: Option<FileTime>,
}

impl MaximalAccessRequest {
    /// Reads the context's data.
    pub fn parse(data: &[u8]) -> Result<Self, ParseError> {
        if data.is_empty() {
            return Ok(Self { timestamp: None });
        }
        let (_, ticks) = fixed("maximal access request", data, le_u64)?;
        Ok(Self { timestamp: Some(FileTime(ticks)) })
    }

    /// The context.
    pub fn context(self) -> CreateContext {
        CreateContext::new(
            MAXIMAL_ACCESS,
            self.timestamp.map_or(Vec::new(), |time| time.0.to_le_bytes().into()),
        )
    }
}

/// SMB2_CREATE_QUERY_MAXIMAL_ACCESS_RESPONSE — [MS-SMB2] 2.2.14.2.5.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaximalAccessResponse {
    /// Whether the query succeeded.
    pub status: NtStatus,
    /// The most this user may ask for on this file.
    pub access: Access,
}

impl MaximalAccessResponse {
    /// Reads the context's data.
    pub fn parse(data: &[u8]) -> Result<Self, ParseError> {
        let (_, (status, access)) = fixed("maximal access response", data, (le_u32, le_u32))?;
        Ok(Self { status: NtStatus(status), access: Access(access) })
    }

    /// The context.
    pub fn context(self) -> CreateContext {
        let [a, b] = [self.status.0, self.access.0].map(u32::to_le_bytes);
        CreateContext::new(MAXIMAL_ACCESS, [a, b].concat())
    }
}

/// SMB2_CREATE_QUERY_ON_DISK_ID response — [MS-SMB2] 2.2.14.2.9; the request
/// (2.2.13.2.9) has no data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OnDiskId {
    /// The file's id on its volume.
    pub file_id: u64,
    /// The volume's id.
    pub volume_id: u64,
}

impl OnDiskId {
    /// Reads the context's data.
    pub fn parse(data: &[u8]) -> Result<Self, ParseError> {
        let (_, (file_id, volume_id)) = fixed("on-disk id", data, (le_u64, le_u64))?;
        Ok(Self { file_id, volume_id })
    }

    /// The context.
    pub fn context(self) -> CreateContext {
        let mut data = [self.file_id, self.volume_id].map(u64::to_le_bytes).concat();
        data.resize(32, 0);
        CreateContext::new(QUERY_ON_DISK_ID, data)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(crate) fn contexts() -> impl Strategy<Value = Vec<CreateContext>> {
        let bytes = |n| prop::collection::vec(any::<u8>(), n);
        let context = (bytes(1..17), bytes(0..30)).prop_map(|(name, data)| CreateContext { name, data });
        prop::collection::vec(context, 0..4)
    }

    #[test]
    fn typed_views_round_trip() {
        let response = MaximalAccessResponse { status: NtStatus::SUCCESS, access: Access::FILE_ALL };
        assert_eq!(MaximalAccessResponse::parse(&response.context().data).unwrap(), response);
        let id = OnDiskId { file_id: 7, volume_id: 9 };
        assert_eq!(OnDiskId::parse(&id.context().data).unwrap(), id);
        for timestamp in [None, Some(FileTime(5))] {
            let request = MaximalAccessRequest { timestamp };
            assert_eq!(MaximalAccessRequest::parse(&request.context().data).unwrap(), request);
        }
    }

    /// One context of name and data, without padding behind it.
    fn one() -> Vec<u8> {
        let mut wire = Vec::new();
        emit_all(&[CreateContext::new(b"MxAc", [7; 8])], &mut wire);
        wire
    }

    #[test]
    fn name_and_data_do_not_lie_in_the_header() {
        for (field, what) in [(4, "name"), (10, "data")] {
            for offset in [0, 8, 15] {
                let mut wire = one();
                wire[field] = offset;
                let refused = parse_all(&wire);
                assert!(matches!(refused, Err(ParseError::Overlap { fixed: 16, .. })), "{what} at {offset}");
            }
        }
        let mut nothing = one();
        nothing[10..16].fill(0);
        assert_eq!(
            parse_all(&nothing).unwrap(),
            [CreateContext::new(b"MxAc", [])],
            "absent data has no place"
        );
    }

    #[test]
    fn contexts_begin_at_multiples_of_eight() {
        let chain = |next: u8| [&[next], &one()[1..], &vec![0; usize::from(next) - 32], &one()].concat();
        assert_eq!(parse_all(&chain(32)).unwrap().len(), 2);
        assert_eq!(parse_all(&chain(40)).unwrap().len(), 2);
        for next in [33, 36] {
            assert!(parse_all(&chain(next)).is_err(), "{next}");
        }
    }

    #[test]
    fn a_chain_that_loops_is_refused() {
        let mut wire = Vec::new();
        emit_all(&[CreateContext::new(b"MxAc", []), CreateContext::new(b"QFid", [])], &mut wire);
        wire[0] = 1;
        assert!(parse_all(&wire).is_err());
    }
}
