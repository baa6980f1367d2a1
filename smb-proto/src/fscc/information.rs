//! What all information classes have in common.

use crate::{error::ParseError, msg::InfoType};
use bytes::BufMut;

/// The contents of one information class.
pub trait Information: Sized {
    /// What it is information about: goes into the InfoType of a request.
    const INFO_TYPE: InfoType;
    /// Its number in the numbering of the type: goes into the FileInfoClass of a request.
    const CLASS: u8;

    /// Reads the buffer of a request or response. Bytes behind the last field are ignored, as peers pad.
    fn parse(bytes: &[u8]) -> Result<Self, ParseError>;

    /// Reads the buffer of a response whose status is STATUS_BUFFER_OVERFLOW: the server cut it, but its lengths are
    /// those of the whole. Of the name at its end there is as much as was sent; a class without one is cut nowhere.
    fn parse_cut(bytes: &[u8]) -> Result<Self, ParseError> {
        Self::parse(bytes)
    }

    /// Writes the buffer.
    fn emit(&self, out: &mut impl BufMut);

    /// The buffer as owned bytes.
    fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.emit(&mut out);
        out
    }
}
