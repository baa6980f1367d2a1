//! NetrShareEnum, NetrShareEnumSticky and NetrShareGetInfo — [MS-SRVS] 3.1.4.8, 3.1.4.9, 3.1.4.10.

use super::{
    super::ndr::{Reader, Writer},
    share::{Fixed, ShareInfo, ShareKind, ShareLevel},
};
use crate::{codec::num::len32, command::wire_enum, error::ParseError};

wire_enum! {
    /// What a call returns: a Win32 error or a network management error — [MS-ERREF] 2.2, 2.3.
    WinError: u32 {
        /// ERROR_SUCCESS.
        SUCCESS = 0,
        /// ERROR_ACCESS_DENIED.
        ACCESS_DENIED = 5,
        /// ERROR_INVALID_NAME: what Samba says where there is no such share.
        INVALID_NAME = 123,
        /// ERROR_INVALID_LEVEL.
        INVALID_LEVEL = 124,
        /// ERROR_MORE_DATA: the resume handle goes on.
        MORE_DATA = 234,
        /// NERR_NetNameNotFound: there is no such share.
        NET_NAME_NOT_FOUND = 2310,
    }
}

/// The arguments of NetrShareEnum — [MS-SRVS] 3.1.4.8 — and of NetrShareEnumSticky — 3.1.4.9.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareEnumRequest {
    /// The server's name as the client has it. Servers ignore it.
    pub server: Option<String>,
    /// How much is wanted of each.
    pub level: ShareLevel,
    /// PreferedMaximumLength: about how many bytes at most; `u32::MAX` for no limit.
    pub preferred_max_len: u32,
    /// Where an earlier call stopped.
    pub resume: Option<u32>,
}

impl ShareEnumRequest {
    /// The procedure: all shares.
    pub const OPNUM: u16 = 15;
    /// The procedure: those alone that survive a restart of the server.
    pub const OPNUM_STICKY: u16 = 36;

    /// Asks for all shares at once.
    pub fn new(server: &str, level: ShareLevel) -> Self {
        Self { server: Some(server.to_owned()), level, preferred_max_len: u32::MAX, resume: Some(0) }
    }

    /// Reads the arguments. Shares in them mean nothing, and are refused.
    pub fn parse(stub: &[u8]) -> Result<Self, ParseError> {
        let mut input = Reader::new("NetrShareEnum", stub);
        let is_named = input.pointer()?;
        let server = input.string_if(is_named)?;
        let (level, container) = read_container(&mut input)?;
        if container.is_some_and(|shares| !shares.is_empty()) {
            return Err(ParseError::Value { what: "shares in NetrShareEnum's arguments", value: 1 });
        }
        let preferred_max_len = input.u32()?;
        let resumes = input.pointer()?;
        let resume = if resumes { Some(input.u32()?) } else { None };
        Ok(Self { server, level, preferred_max_len, resume })
    }

    /// The arguments.
    pub fn to_stub(&self) -> Vec<u8> {
        let mut out = Writer::new(0);
        out.pointer(self.server.is_some());
        out.string_if(self.server.as_deref());
        write_container(self.level, Some(&[]), &mut out);
        out.u32(self.preferred_max_len);
        write_resume(self.resume, &mut out);
        out.finish()
    }
}

/// The results of NetrShareEnum — [MS-SRVS] 3.1.4.8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareEnumResponse {
    /// As asked.
    pub level: ShareLevel,
    /// The shares.
    pub shares: Vec<ShareInfo>,
    /// How many there are, from the resume handle on.
    pub total: u32,
    /// Where to go on, if the client asked.
    pub resume: Option<u32>,
    /// Whether it went well.
    pub status: WinError,
}

impl ShareEnumResponse {
    /// Reads the results.
    pub fn parse(stub: &[u8]) -> Result<Self, ParseError> {
        let mut input = Reader::new("NetrShareEnum", stub);
        let (level, shares) = read_container(&mut input)?;
        let total = input.u32()?;
        let resumes = input.pointer()?;
        let resume = if resumes { Some(input.u32()?) } else { None };
        let status = WinError(input.u32()?);
        Ok(Self { level, shares: shares.unwrap_or_default(), total, resume, status })
    }

    /// The results.
    pub fn to_stub(&self) -> Vec<u8> {
        // Numbered on from the pointers of the request: server, list, and the resume handle if there is one.
        let mut out = Writer::new(2 + u32::from(self.resume.is_some()));
        let shares =
            (self.status == WinError::SUCCESS || !self.shares.is_empty()).then_some(&self.shares[..]);
        write_container(self.level, shares, &mut out);
        out.u32(self.total);
        write_resume(self.resume, &mut out);
        out.u32(self.status.0);
        out.finish()
    }
}

fn write_resume(resume: Option<u32>, out: &mut Writer) {
    out.pointer(resume.is_some());
    if let Some(resume) = resume {
        out.u32(resume);
    }
}

/// SHARE_ENUM_STRUCT — [MS-SRVS] 2.2.4.38: the level, twice, and a pointer to a list; no shares are no array. Levels that
/// are not known have nothing.
fn write_container(level: ShareLevel, shares: Option<&[ShareInfo]>, out: &mut Writer) {
    out.u32(level.0);
    out.u32(level.0);
    if !level.is_enumerable() {
        return;
    }
    out.pointer(shares.is_some());
    let Some(shares) = shares else { return };
    out.u32(len32(shares.len()));
    out.pointer(!shares.is_empty());
    if shares.is_empty() {
        return;
    }
    out.u32(len32(shares.len()));
    shares.iter().for_each(|share| share.write(level, out));
    shares.iter().for_each(|share| share.write_referents(level, out));
}

fn read_container(input: &mut Reader<'_>) -> Result<(ShareLevel, Option<Vec<ShareInfo>>), ParseError> {
    let (level, again) = (input.u32()?, input.u32()?);
    if level != again {
        return Err(ParseError::Value { what: "level of a share list", value: again.into() });
    }
    let level = ShareLevel(level);
    if !level.is_enumerable() || !input.pointer()? {
        return Ok((level, None));
    }
    let number = input.u32()?;
    if !input.pointer()? {
        return if number == 0 { Ok((level, Some(Vec::new()))) } else { Err(wrong_count(number)) };
    }
    if input.u32()? != number {
        return Err(wrong_count(number));
    }
    let mut fixed = Vec::new();
    for _ in 0..number {
        fixed.push(Fixed::read(level, input)?);
    }
    let shares =
        fixed.into_iter().map(|fixed| fixed.read_referents(level, input)).collect::<Result<_, _>>()?;
    Ok((level, Some(shares)))
}

fn wrong_count(number: u32) -> ParseError {
    ParseError::Value { what: "number of shares", value: number.into() }
}

/// The arguments of NetrShareGetInfo — [MS-SRVS] 3.1.4.10.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareGetInfoRequest {
    /// The server's name as the client has it. Servers ignore it.
    pub server: Option<String>,
    /// The share.
    pub share: String,
    /// How much is wanted.
    pub level: ShareLevel,
}

impl ShareGetInfoRequest {
    /// The procedure.
    pub const OPNUM: u16 = 16;

    /// Asks for what is said of a share.
    pub fn new(server: &str, share: &str, level: ShareLevel) -> Self {
        Self { server: Some(server.to_owned()), share: share.to_owned(), level }
    }

    /// Reads the arguments.
    pub fn parse(stub: &[u8]) -> Result<Self, ParseError> {
        let mut input = Reader::new("NetrShareGetInfo", stub);
        let is_named = input.pointer()?;
        let server = input.string_if(is_named)?;
        Ok(Self { server, share: input.string()?, level: ShareLevel(input.u32()?) })
    }

    /// The arguments.
    pub fn to_stub(&self) -> Vec<u8> {
        let mut out = Writer::new(0);
        out.pointer(self.server.is_some());
        out.string_if(self.server.as_deref());
        out.string(&self.share);
        out.u32(self.level.0);
        out.finish()
    }
}

/// The results of NetrShareGetInfo — [MS-SRVS] 3.1.4.10.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareGetInfoResponse {
    /// As asked.
    pub level: ShareLevel,
    /// The share; `None` where there is none, or the level has no structure here.
    pub share: Option<ShareInfo>,
    /// Whether it went well.
    pub status: WinError,
}

impl ShareGetInfoResponse {
    /// Reads the results.
    pub fn parse(stub: &[u8]) -> Result<Self, ParseError> {
        let mut input = Reader::new("NetrShareGetInfo", stub);
        let level = ShareLevel(input.u32()?);
        let share = match level.has_arm() && input.pointer()? {
            true if level.is_known() => {
                Some(Fixed::read(level, &mut input)?.read_referents(level, &mut input)?)
            }
            true => return Err(ParseError::Value { what: "level of a share", value: level.0.into() }),
            false => None,
        };
        Ok(Self { level, share, status: WinError(input.u32()?) })
    }

    /// The results.
    pub fn to_stub(&self) -> Vec<u8> {
        // Numbered on from the pointer that every request has.
        let mut out = Writer::new(1);
        out.u32(self.level.0);
        let share = self.share.as_ref().filter(|_| self.level.is_known());
        if self.level.has_arm() {
            out.pointer(share.is_some());
        }
        if let Some(share) = share {
            share.write(self.level, &mut out);
            share.write_referents(self.level, &mut out);
        }
        out.u32(self.status.0);
        out.finish()
    }
}

/// The results of the procedure `opnum` on a server with these shares: `None` for a procedure that is not here, an error
/// for arguments that cannot be read.
pub fn answer(opnum: u16, stub: &[u8], shares: &[ShareInfo]) -> Option<Result<Vec<u8>, ParseError>> {
    Some(match opnum {
        ShareEnumRequest::OPNUM => {
            ShareEnumRequest::parse(stub).map(|call| list(&call, shares.iter()).to_stub())
        }
        ShareEnumRequest::OPNUM_STICKY => {
            let stays = |share: &&ShareInfo| {
                share.kind.base() != ShareKind::IPC && !share.kind.contains(ShareKind::TEMPORARY)
            };
            ShareEnumRequest::parse(stub).map(|call| list(&call, shares.iter().filter(stays)).to_stub())
        }
        ShareGetInfoRequest::OPNUM => {
            ShareGetInfoRequest::parse(stub).map(|call| look_up(&call, shares).to_stub())
        }
        _ => return None,
    })
}

fn list<'s>(call: &ShareEnumRequest, shares: impl Iterator<Item = &'s ShareInfo>) -> ShareEnumResponse {
    let level = call.level;
    let resume = call.resume.map(|_| 0);
    if !level.is_enumerable() {
        return ShareEnumResponse {
            level,
            shares: Vec::new(),
            total: 0,
            resume,
            status: WinError::INVALID_LEVEL,
        };
    }
    let before = usize::try_from(call.resume.unwrap_or(0)).unwrap_or(usize::MAX);
    let shares: Vec<_> = shares.skip(before).cloned().collect();
    let total = len32(shares.len());
    ShareEnumResponse { level, shares, total, resume, status: WinError::SUCCESS }
}

fn look_up(call: &ShareGetInfoRequest, shares: &[ShareInfo]) -> ShareGetInfoResponse {
    let level = call.level;
    let is_it = |share: &&ShareInfo| share.name.to_lowercase() == call.share.to_lowercase();
    let (share, status) = match shares.iter().find(is_it) {
        _ if !level.is_known() => (None, WinError::INVALID_LEVEL),
        None => (None, WinError::NET_NAME_NOT_FOUND),
        found => (found.cloned(), WinError::SUCCESS),
    };
    ShareGetInfoResponse { level, share, status }
}

#[cfg(test)]
mod tests;
