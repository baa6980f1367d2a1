//! FSCTL_VALIDATE_NEGOTIATE_INFO — [MS-SMB2] 2.2.31.4, 2.2.32.6.

use crate::{
    codec::num::{array, count, fixed, le_u16, le_u32, len16},
    dialect::Dialect,
    error::ParseError,
    msg::negotiate::{Capabilities, SecurityMode},
};
use nom::Parser;

/// VALIDATE_NEGOTIATE_INFO Request — [MS-SMB2] 2.2.31.4: the client's NEGOTIATE again, signed this time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidateNegotiateRequest {
    /// As in the NEGOTIATE.
    pub capabilities: Capabilities,
    /// As in the NEGOTIATE.
    pub client_guid: [u8; 16],
    /// As in the NEGOTIATE.
    pub security_mode: SecurityMode,
    /// As in the NEGOTIATE.
    pub dialects: Vec<Dialect>,
}

impl ValidateNegotiateRequest {
    /// Reads the IOCTL's input.
    pub fn parse(input: &[u8]) -> Result<Self, ParseError> {
        const WHAT: &str = "VALIDATE_NEGOTIATE_INFO request";
        let (rest, (capabilities, client_guid, mode, dialects)) =
            fixed(WHAT, input, (le_u32, array::<16>, le_u16, le_u16))?;
        let (_, dialects) = fixed(WHAT, rest, count(le_u16.map(Dialect), dialects.into()))?;
        Ok(Self {
            capabilities: Capabilities(capabilities),
            client_guid,
            security_mode: SecurityMode(mode),
            dialects,
        })
    }

    /// The IOCTL's input.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(24 + 2 * self.dialects.len());
        out.extend(self.capabilities.0.to_le_bytes());
        out.extend(self.client_guid);
        out.extend(self.security_mode.0.to_le_bytes());
        out.extend(len16(self.dialects.len()).to_le_bytes());
        out.extend(self.dialects.iter().flat_map(|dialect| dialect.0.to_le_bytes()));
        out
    }
}

/// VALIDATE_NEGOTIATE_INFO Response — [MS-SMB2] 2.2.32.6: the server's NEGOTIATE again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ValidateNegotiateResponse {
    /// As in the NEGOTIATE response.
    pub capabilities: Capabilities,
    /// As in the NEGOTIATE response.
    pub server_guid: [u8; 16],
    /// As in the NEGOTIATE response.
    pub security_mode: SecurityMode,
    /// As in the NEGOTIATE response.
    pub dialect: Dialect,
}

impl ValidateNegotiateResponse {
    /// Reads the IOCTL's output.
    pub fn parse(output: &[u8]) -> Result<Self, ParseError> {
        let (_, (capabilities, server_guid, mode, dialect)) =
            fixed("VALIDATE_NEGOTIATE_INFO response", output, (le_u32, array::<16>, le_u16, le_u16))?;
        Ok(Self {
            capabilities: Capabilities(capabilities),
            server_guid,
            security_mode: SecurityMode(mode),
            dialect: Dialect(dialect),
        })
    }

    /// The IOCTL's output.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(24);
        out.extend(self.capabilities.0.to_le_bytes());
        out.extend(self.server_guid);
        out.extend(self.security_mode.0.to_le_bytes());
        out.extend(self.dialect.0.to_le_bytes());
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips_and_truncations() {
        let request = ValidateNegotiateRequest {
            capabilities: Capabilities(0x7f),
            client_guid: [3; 16],
            security_mode: SecurityMode(1),
            dialects: vec![Dialect::SMB_2_0_2, Dialect::SMB_3_0],
        };
        let wire = request.to_bytes();
        assert_eq!(ValidateNegotiateRequest::parse(&wire).unwrap(), request);
        assert!((0..wire.len()).all(|cut| ValidateNegotiateRequest::parse(&wire[..cut]).is_err()));
        let response = ValidateNegotiateResponse {
            capabilities: Capabilities(4),
            server_guid: [9; 16],
            security_mode: SecurityMode(3),
            dialect: Dialect::SMB_3_0_2,
        };
        let wire = response.to_bytes();
        assert_eq!(ValidateNegotiateResponse::parse(&wire).unwrap(), response);
        assert!((0..wire.len()).all(|cut| ValidateNegotiateResponse::parse(&wire[..cut]).is_err()));
    }
}
