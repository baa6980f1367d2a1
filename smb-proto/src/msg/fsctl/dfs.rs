//! FSCTL_DFS_GET_REFERRALS — [MS-DFSC] 2.2.2, 2.2.4, 2.2.5: where a path of a distributed file system really is.

use crate::{
    codec::{
        Body,
        num::{fixed, le_u16, le_u32, len16},
        utf16,
    },
    command::wire_flags,
    error::ParseError,
};
use bytes::BufMut;

/// REQ_GET_DFS_REFERRAL — [MS-DFSC] 2.2.2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferralRequest {
    /// The highest version of referrals wanted.
    pub max_level: u16,
    /// The path, with one leading `\`.
    pub file_name: String,
}

impl ReferralRequest {
    /// Reads the IOCTL's input.
    pub fn parse(input: &[u8]) -> Result<Self, ParseError> {
        const WHAT: &str = "REQ_GET_DFS_REFERRAL";
        let (rest, max_level) = fixed(WHAT, input, le_u16)?;
        Ok(Self { max_level, file_name: terminated(WHAT, rest)? })
    }

    /// The IOCTL's input.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.put_u16_le(self.max_level);
        put_terminated(&self.file_name, &mut out);
        out
    }
}

/// A name up to its terminator, which must be there.
fn terminated(what: &'static str, bytes: &[u8]) -> Result<String, ParseError> {
    let (units, _) = bytes.as_chunks::<2>();
    let len = units.iter().position(|unit| *unit == [0, 0]).ok_or(ParseError::Truncated { what })?;
    utf16::decode(what, units.get(..len).unwrap_or(units).as_flattened())
}

fn put_terminated(name: &str, out: &mut Vec<u8>) {
    utf16::encode(name, out);
    out.put_u16_le(0);
}

wire_flags! {
    /// ReferralHeaderFlags — [MS-DFSC] 2.2.4.
    ReferralFlags: u32 {
        /// ReferralServers: the targets answer referral requests themselves.
        REFERRAL_SERVERS = 0x0000_0001,
        /// StorageServers: the targets hold the files.
        STORAGE_SERVERS = 0x0000_0002,
        /// TargetFailback: go back to a better target when it returns.
        TARGET_FAILBACK = 0x0000_0004,
    }
}

/// What a referral leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Referral {
    /// DFS_REFERRAL_V1 — [MS-DFSC] 2.2.5.1.
    ShareName {
        /// Servertype: 1 for a root, 0 for a link.
        server_type: u16,
        /// `\server\share`.
        share_name: String,
    },
    /// DFS_REFERRAL_V2, V3 and V4 — [MS-DFSC] 2.2.5.2–2.2.5.4.
    Target {
        /// 2, 3 or 4.
        version: u16,
        /// Servertype: 1 for a root, 0 for a link.
        server_type: u16,
        /// ReferralEntryFlags.
        entry_flags: u16,
        /// Proximity; version 2 only.
        proximity: u32,
        /// Seconds the referral is good for.
        time_to_live: u32,
        /// The part of the path that is replaced.
        dfs_path: String,
        /// The same, with 8.3 names.
        alternate_path: String,
        /// What replaces it: `\server\share\path`.
        network_address: String,
    },
    /// DFS_REFERRAL_V3 and V4 with NameListReferral — [MS-DFSC] 2.2.5.3.2: domains and their controllers.
    NameList {
        /// 3 or 4.
        version: u16,
        /// Servertype.
        server_type: u16,
        /// ReferralEntryFlags.
        entry_flags: u16,
        /// Seconds the referral is good for.
        time_to_live: u32,
        /// The domain.
        special_name: String,
        /// Its domain controllers.
        expanded_names: Vec<String>,
    },
}

/// RESP_GET_DFS_REFERRAL — [MS-DFSC] 2.2.4.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferralResponse {
    /// Bytes of the request's path that the referrals stand for.
    pub path_consumed: u16,
    /// What the targets are.
    pub flags: ReferralFlags,
    /// The targets, best first.
    pub referrals: Vec<Referral>,
}

const WHAT: &str = "DFS referral";
const HEADER: usize = 8;
/// NameListReferral, in ReferralEntryFlags.
const NAME_LIST: u16 = 0x0002;
const V2_LEN: usize = 22;
const V3_LEN: usize = 34;
const V3_LIST_LEN: usize = 18;

/// What the names of a response may hold, for each of its bytes: a hundred entries that share all their strings, with a
/// path of 260 characters, take 22.
const HELD: usize = 24;

/// The memory left for the names of a response. Entries may share their strings, so the bytes of the response alone do
/// not bound what they become.
struct Room {
    left: usize,
    limit: usize,
}

impl Room {
    const fn of(output: &[u8]) -> Self {
        let limit = output.len().saturating_mul(HELD);
        Self { left: limit, limit }
    }

    /// The terminated name at `offset` of an entry.
    fn at(&mut self, entry: &[u8], offset: u16) -> Result<String, ParseError> {
        self.name(Body::over(entry, 0).slice_from(WHAT, offset.into())?)
    }

    /// The terminated name that `bytes` begin with.
    fn name(&mut self, bytes: &[u8]) -> Result<String, ParseError> {
        let name = terminated(WHAT, bytes)?;
        let takes = name.len() + size_of::<String>();
        let limit = u64::try_from(self.limit).unwrap_or(u64::MAX);
        let len = u64::try_from(self.limit - self.left + takes).unwrap_or(u64::MAX);
        self.left = self.left.checked_sub(takes).ok_or(ParseError::TooLarge { what: WHAT, len, limit })?;
        Ok(name)
    }
}

impl Referral {
    /// Reads the entry that `entry` begins with, whose offsets count from its first byte. Returns it with its size.
    fn parse(entry: &[u8], room: &mut Room) -> Result<(Self, usize), ParseError> {
        let (rest, (version, size, server_type, entry_flags)) =
            fixed(WHAT, entry, (le_u16, le_u16, le_u16, le_u16))?;
        if usize::from(size) < HEADER {
            return Err(ParseError::Value { what: WHAT, value: size.into() });
        }
        let referral = match version {
            1 => {
                let own = entry.get(HEADER..size.into()).ok_or(ParseError::Truncated { what: WHAT })?;
                Self::ShareName { server_type, share_name: terminated(WHAT, own)? }
            }
            2 => Self::parse_v2(entry, rest, (server_type, entry_flags), room)?,
            3 | 4 if entry_flags & NAME_LIST != 0 => {
                Self::parse_list(entry, rest, (version, server_type, entry_flags), room)?
            }
            3 | 4 => Self::parse_v3(entry, rest, (version, server_type, entry_flags), room)?,
            other => return Err(ParseError::Value { what: WHAT, value: other.into() }),
        };
        Ok((referral, size.into()))
    }

    fn parse_v2(entry: &[u8], rest: &[u8], head: (u16, u16), room: &mut Room) -> Result<Self, ParseError> {
        let (_, (proximity, time_to_live, path, alternate, address)) =
            fixed(WHAT, rest, (le_u32, le_u32, le_u16, le_u16, le_u16))?;
        Ok(Self::Target {
            version: 2,
            server_type: head.0,
            entry_flags: head.1,
            proximity,
            time_to_live,
            dfs_path: room.at(entry, path)?,
            alternate_path: room.at(entry, alternate)?,
            network_address: room.at(entry, address)?,
        })
    }

    fn parse_v3(
        entry: &[u8],
        rest: &[u8],
        head: (u16, u16, u16),
        room: &mut Room,
    ) -> Result<Self, ParseError> {
        let (_, (time_to_live, path, alternate, address)) =
            fixed(WHAT, rest, (le_u32, le_u16, le_u16, le_u16))?;
        Ok(Self::Target {
            version: head.0,
            server_type: head.1,
            entry_flags: head.2,
            proximity: 0,
            time_to_live,
            dfs_path: room.at(entry, path)?,
            alternate_path: room.at(entry, alternate)?,
            network_address: room.at(entry, address)?,
        })
    }

    fn parse_list(
        entry: &[u8],
        rest: &[u8],
        head: (u16, u16, u16),
        room: &mut Room,
    ) -> Result<Self, ParseError> {
        let (_, (time_to_live, special, number, expanded)) =
            fixed(WHAT, rest, (le_u32, le_u16, le_u16, le_u16))?;
        let mut expanded_names = Vec::new();
        // One behind the other: only the first has an offset.
        let mut names =
            if number == 0 { &[][..] } else { Body::over(entry, 0).slice_from(WHAT, expanded.into())? };
        for _ in 0..number {
            let name = room.name(names)?;
            names = names.get(utf16::encoded_len(&name) + 2..).unwrap_or_default();
            expanded_names.push(name);
        }
        Ok(Self::NameList {
            version: head.0,
            server_type: head.1,
            entry_flags: head.2,
            time_to_live,
            special_name: room.at(entry, special)?,
            expanded_names,
        })
    }

    /// Bytes of the entry without its strings.
    fn fixed_len(&self) -> usize {
        match self {
            Self::ShareName { share_name, .. } => HEADER + utf16::encoded_len(share_name) + 2,
            Self::Target { version: 2, .. } => V2_LEN,
            Self::Target { .. } => V3_LEN,
            Self::NameList { .. } => V3_LIST_LEN,
        }
    }

    /// Writes the entry; its strings go to `strings`, whose first byte lies `strings_at` bytes behind the entry's.
    fn emit(&self, strings_at: usize, out: &mut Vec<u8>, strings: &mut Vec<u8>) {
        let mut place = |name: &str| {
            let offset = len16(strings_at + strings.len());
            put_terminated(name, strings);
            offset
        };
        let size = len16(self.fixed_len());
        match self {
            Self::ShareName { server_type, share_name } => {
                put_all(out, &[1, size, *server_type, 0]);
                put_terminated(share_name, out);
            }
            Self::Target {
                version,
                server_type,
                entry_flags,
                proximity,
                time_to_live,
                dfs_path,
                alternate_path,
                network_address,
            } => {
                put_all(out, &[*version, size, *server_type, *entry_flags]);
                if *version == 2 {
                    out.put_u32_le(*proximity);
                }
                out.put_u32_le(*time_to_live);
                put_all(out, &[place(dfs_path), place(alternate_path), place(network_address)]);
                if *version != 2 {
                    out.put_bytes(0, 16);
                }
            }
            Self::NameList {
                version,
                server_type,
                entry_flags,
                time_to_live,
                special_name,
                expanded_names,
            } => {
                put_all(out, &[*version, size, *server_type, *entry_flags]);
                out.put_u32_le(*time_to_live);
                let special = place(special_name);
                let expanded: Vec<_> = expanded_names.iter().map(|name| place(name)).collect();
                put_all(out, &[special, len16(expanded.len()), expanded.first().copied().unwrap_or(0)]);
            }
        }
    }
}

fn put_all(out: &mut Vec<u8>, numbers: &[u16]) {
    numbers.iter().for_each(|number| out.put_u16_le(*number));
}

impl ReferralResponse {
    /// Reads the IOCTL's output.
    pub fn parse(output: &[u8]) -> Result<Self, ParseError> {
        let (mut rest, (path_consumed, number, flags)) = fixed(WHAT, output, (le_u16, le_u16, le_u32))?;
        let (mut referrals, mut room) = (Vec::new(), Room::of(output));
        for _ in 0..number {
            let (referral, size) = Referral::parse(rest, &mut room)?;
            referrals.push(referral);
            rest = rest.get(size..).ok_or(ParseError::Truncated { what: WHAT })?;
        }
        Ok(Self { path_consumed, flags: ReferralFlags(flags), referrals })
    }

    /// The IOCTL's output: the entries, then their strings. Those that begin over 65,535 bytes behind their entry are not
    /// found by the reader: so many do not fit.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.put_u16_le(self.path_consumed);
        out.put_u16_le(len16(self.referrals.len()));
        out.put_u32_le(self.flags.0);
        let mut strings_at: usize = self.referrals.iter().map(Referral::fixed_len).sum();
        let mut strings = Vec::new();
        for referral in &self.referrals {
            referral.emit(strings_at, &mut out, &mut strings);
            strings_at -= referral.fixed_len();
        }
        out.put_slice(&strings);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::field::testing::{check_buffer, hex};

    fn target(version: u16) -> Referral {
        Referral::Target {
            version,
            server_type: 1,
            entry_flags: 0,
            proximity: if version == 2 { 7 } else { 0 },
            time_to_live: 300,
            dfs_path: "\\d\\r".into(),
            alternate_path: "\\d\\r".into(),
            network_address: "\\s\\t".into(),
        }
    }

    #[test]
    fn request() {
        let request = ReferralRequest { max_level: 4, file_name: "\\d".into() };
        check_buffer!(ReferralRequest, request, hex("0400 5c00 6400 0000"));
    }

    #[test]
    fn a_version_3_referral_as_the_specification_draws_it() {
        let response = ReferralResponse {
            path_consumed: 8,
            flags: ReferralFlags::REFERRAL_SERVERS | ReferralFlags::STORAGE_SERVERS,
            referrals: vec![target(3)],
        };
        let wire = hex(
            "0800 0100 03000000  0300 2200 0100 0000 2c010000 2200 2c00 3600 00000000000000000000000000000000
             5c00 6400 5c00 7200 0000  5c00 6400 5c00 7200 0000  5c00 7300 5c00 7400 0000",
        );
        check_buffer!(ReferralResponse, response, wire);
    }

    #[test]
    fn every_version() {
        let list = Referral::NameList {
            version: 3,
            server_type: 0,
            entry_flags: NAME_LIST,
            time_to_live: 600,
            special_name: "\\domain".into(),
            expanded_names: vec!["\\dc1".into(), "\\dc2".into()],
        };
        let share = Referral::ShareName { server_type: 0, share_name: "\\s\\t".into() };
        let response = ReferralResponse {
            path_consumed: 8,
            flags: ReferralFlags::STORAGE_SERVERS,
            referrals: vec![share, target(2), target(3), target(4), list],
        };
        check_buffer!(ReferralResponse, response.clone(), response.to_bytes());
    }

    /// `entries` name lists of `number` names each, all at the same place: the zeros behind them.
    fn shared_lists(entries: u16, number: u16, zeros: usize) -> Vec<u8> {
        let mut wire = Vec::new();
        put_all(&mut wire, &[0, entries, 0, 0]);
        for entry in 0..entries {
            let names = 18 * (entries - entry);
            put_all(&mut wire, &[3, 18, 0, NAME_LIST, 0, 0, names, number, names]);
        }
        wire.resize(wire.len() + zeros, 0);
        wire
    }

    #[test]
    fn names_that_entries_share_do_not_multiply() {
        assert!(ReferralResponse::parse(&shared_lists(1, 1000, 2000)).is_ok(), "read once");
        let response = ReferralResponse::parse(&shared_lists(100, 1000, 2000));
        assert!(matches!(response, Err(ParseError::TooLarge { limit: 91_392, .. })), "{response:?}");
        let response = ReferralResponse::parse(&shared_lists(1, 1001, 2000));
        assert_eq!(response, Err(ParseError::Truncated { what: WHAT }), "one more than there are");
        assert!(
            ReferralResponse::parse(&shared_lists(3000, 0xffff, 66_000)).is_err(),
            "behind the last offset"
        );
    }

    #[test]
    fn a_path_that_all_targets_share_is_read() {
        let path = format!("\\{}\0", "p".repeat(259));
        let mut wire = Vec::new();
        put_all(&mut wire, &[520, 100, 0, 0]);
        for entry in 0..100 {
            let shared = 22 * (100 - entry);
            put_all(&mut wire, &[2, 22, 1, 0, 0, 0, 300, 0, shared, shared, shared + 522]);
        }
        utf16::encode(&path, &mut wire);
        put_terminated("\\s\\t", &mut wire);
        assert_eq!(ReferralResponse::parse(&wire).unwrap().referrals.len(), 100);
    }

    #[test]
    fn lies_are_refused() {
        assert!(
            ReferralResponse::parse(&hex("0000 0100 00000000 0300 0000 0000 0000")).is_err(),
            "no progress"
        );
        assert!(
            ReferralResponse::parse(&hex("0000 0100 00000000 0900 0800 0000 0000")).is_err(),
            "unknown version"
        );
    }
}
