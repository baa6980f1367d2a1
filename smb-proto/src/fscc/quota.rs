//! Quotas — [MS-FSCC] 2.4.40, 2.4.40.1 — and the question for them — [MS-SMB2] 2.2.37.1.

use super::Information;
use crate::{
    codec::{
        Body, chain,
        num::{array, fixed, le_u8, le_u16, le_u32, le_u64, len32, size, take},
    },
    dtyp::Sid,
    error::ParseError,
    msg::{FileTime, InfoType},
};
use bytes::BufMut;
use nom::Parser;

const ENTRY: &str = "FILE_QUOTA_INFORMATION";
const ENTRY_FIXED: usize = 40;
const WANTED: &str = "FILE_GET_QUOTA_INFORMATION";
const WANTED_FIXED: usize = 8;
const QUERY: &str = "QUERY_QUOTA_INFO";
const QUERY_FIXED: usize = 16;

/// How much one user may store, and does — [MS-FSCC] 2.4.40.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotaEntry {
    /// Whose.
    pub sid: Sid,
    /// When it last changed.
    pub change_time: FileTime,
    /// Bytes in use.
    pub used: i64,
    /// From how many bytes on the user is warned; -1 for never.
    pub threshold: i64,
    /// How many bytes at most; -1 for no limit, -2 to delete the entry.
    pub limit: i64,
}

impl QuotaEntry {
    fn parse(record: &[u8]) -> Result<Self, ParseError> {
        let number = || array::<8>.map(i64::from_le_bytes);
        let head = (le_u32, le_u32, le_u64, number(), number(), number());
        let (rest, (_, len, change_time, used, threshold, limit)) = fixed(ENTRY, record, head)?;
        let (_, sid) = fixed(ENTRY, rest, take(size(len)))?;
        let change_time = FileTime(change_time);
        Ok(Self { sid: Sid::parse(sid)?, change_time, used, threshold, limit })
    }
}

/// FileQuotaInformation — [MS-FSCC] 2.4.40: the buffer of QUERY_INFO and SET_INFO about quotas.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QuotaInformation {
    /// The entries.
    pub entries: Vec<QuotaEntry>,
}

impl QuotaInformation {
    /// The number of bytes with one more entry: what to compare with the limit of an answer.
    pub fn len_with(&self, entry: &QuotaEntry) -> usize {
        let entries =
            self.entries.iter().map(|entry| (ENTRY_FIXED + entry.sid.wire_len()).next_multiple_of(8));
        entries.sum::<usize>() + ENTRY_FIXED + entry.sid.wire_len()
    }
}

impl Information for QuotaInformation {
    const INFO_TYPE: InfoType = InfoType::QUOTA;
    const CLASS: u8 = 0;

    fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let records = chain::records(ENTRY, bytes, ENTRY_FIXED, chain::leading_u32);
        Ok(Self { entries: records.map(|record| QuotaEntry::parse(record?)).collect::<Result<_, _>>()? })
    }

    fn emit(&self, out: &mut impl BufMut) {
        for (index, entry) in self.entries.iter().enumerate() {
            let (len, is_last) = (ENTRY_FIXED + entry.sid.wire_len(), index + 1 == self.entries.len());
            let whole = if is_last { len } else { len.next_multiple_of(8) };
            out.put_u32_le(if is_last { 0 } else { len32(whole) });
            out.put_u32_le(len32(entry.sid.wire_len()));
            out.put_u64_le(entry.change_time.0);
            [entry.used, entry.threshold, entry.limit].into_iter().for_each(|number| out.put_i64_le(number));
            entry.sid.emit(out);
            out.put_bytes(0, whole - len);
        }
    }
}

/// Whose quotas are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QuotaScope {
    /// All, from the first or from where the scan stopped.
    All,
    /// All from this user on.
    From(Sid),
    /// Those of these users: a list of FILE_GET_QUOTA_INFORMATION — [MS-FSCC] 2.4.40.1.
    Of(Vec<Sid>),
}

/// SMB2_QUERY_QUOTA_INFO — [MS-SMB2] 2.2.37.1: the input of a QUERY_INFO about quotas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryQuotaInfo {
    /// One entry only.
    pub return_single: bool,
    /// Begin anew.
    pub restart_scan: bool,
    /// Whose.
    pub scope: QuotaScope,
}

impl QueryQuotaInfo {
    /// Reads the input of a QUERY_INFO.
    pub fn parse(input: &[u8]) -> Result<Self, ParseError> {
        let head = (le_u8, le_u8, le_u16, le_u32, le_u32, le_u32);
        let (buffer, (single, restart, _, list_len, start_len, start_at)) = fixed(QUERY, input, head)?;
        let scope = if list_len != 0 {
            let (_, list) = fixed(QUERY, buffer, take(size(list_len)))?;
            QuotaScope::Of(wanted(list)?)
        } else if start_len != 0 {
            QuotaScope::From(Sid::parse(Body::over(buffer, 0).slice_at(QUERY, start_at, start_len)?)?)
        } else {
            QuotaScope::All
        };
        Ok(Self { return_single: single != 0, restart_scan: restart != 0, scope })
    }

    /// The input of a QUERY_INFO.
    pub fn to_bytes(&self) -> Vec<u8> {
        let (list, start) = match &self.scope {
            QuotaScope::All => (Vec::new(), Vec::new()),
            QuotaScope::From(sid) => (Vec::new(), sid.to_bytes()),
            QuotaScope::Of(sids) => (wanted_bytes(sids), Vec::new()),
        };
        let mut out = Vec::with_capacity(QUERY_FIXED + list.len() + start.len());
        out.put_slice(&[self.return_single.into(), self.restart_scan.into(), 0, 0]);
        out.put_u32_le(len32(list.len()));
        out.put_u32_le(len32(start.len()));
        out.put_u32_le(0);
        out.put_slice(&list);
        out.put_slice(&start);
        out
    }
}

fn wanted(list: &[u8]) -> Result<Vec<Sid>, ParseError> {
    let sid = |record| {
        let (rest, (_, len)) = fixed(WANTED, record, (le_u32, le_u32))?;
        fixed(WANTED, rest, take(size(len))).and_then(|(_, sid): (_, &[u8])| Sid::parse(sid))
    };
    chain::records(WANTED, list, WANTED_FIXED, chain::leading_u32).map(|record| sid(record?)).collect()
}

fn wanted_bytes(sids: &[Sid]) -> Vec<u8> {
    let mut out = Vec::new();
    for (index, sid) in sids.iter().enumerate() {
        let len = sid.wire_len();
        out.put_u32_le(if index + 1 == sids.len() { 0 } else { len32(WANTED_FIXED + len) });
        out.put_u32_le(len32(len));
        sid.emit(&mut out);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{codec::field::testing::hex, dtyp};
    use proptest::{collection::vec, prelude::*};

    fn entry() -> impl Strategy<Value = QuotaEntry> {
        (dtyp::testing::sid(), any::<(u64, i64, i64, i64)>()).prop_map(
            |(sid, (time, used, threshold, limit))| QuotaEntry {
                sid,
                change_time: FileTime(time),
                used,
                threshold,
                limit,
            },
        )
    }

    fn query() -> impl Strategy<Value = QueryQuotaInfo> {
        let scope = prop_oneof![
            Just(QuotaScope::All),
            dtyp::testing::sid().prop_map(QuotaScope::From),
            vec(dtyp::testing::sid(), 1..4).prop_map(QuotaScope::Of),
        ];
        (any::<(bool, bool)>(), scope).prop_map(|((return_single, restart_scan), scope)| QueryQuotaInfo {
            return_single,
            restart_scan,
            scope,
        })
    }

    proptest! {
        #[test]
        fn entries_come_back(entries in vec(entry(), 1..4)) {
            let information = QuotaInformation { entries };
            let wire = information.to_bytes();
            prop_assert_eq!(&QuotaInformation::parse(&wire).unwrap(), &information);
            prop_assert!((1..wire.len()).all(|cut| QuotaInformation::parse(&wire[..cut]).is_err()));
            let (last, before) = information.entries.split_last().unwrap();
            prop_assert_eq!(QuotaInformation { entries: before.to_vec() }.len_with(last), wire.len());
        }

        #[test]
        fn questions_come_back(query in query()) {
            let wire = query.to_bytes();
            prop_assert_eq!(&QueryQuotaInfo::parse(&wire).unwrap(), &query);
            prop_assert!((0..wire.len()).all(|cut| QueryQuotaInfo::parse(&wire[..cut]).is_err()));
        }
    }

    #[test]
    fn an_entry_in_bytes() {
        let entry = |sid| QuotaEntry { sid, change_time: FileTime(5), used: 6, threshold: -1, limit: 7 };
        let information =
            QuotaInformation { entries: vec![entry(Sid::EVERYONE), entry(Sid::ADMINISTRATORS)] };
        let wire =
            hex("38000000 0c000000 0500000000000000 0600000000000000 ffffffffffffffff 0700000000000000
             0101 000000000001 00000000 00000000
             00000000 10000000 0500000000000000 0600000000000000 ffffffffffffffff 0700000000000000
             0102 000000000005 20000000 20020000");
        assert_eq!(information.to_bytes(), wire);
        assert_eq!(QuotaInformation::parse(&wire).unwrap(), information);
    }

    #[test]
    fn questions_in_bytes() {
        let query = |scope| QueryQuotaInfo { return_single: true, restart_scan: false, scope };
        let of = query(QuotaScope::Of(vec![Sid::EVERYONE, Sid::SYSTEM]));
        let wire = hex("01 00 0000 28000000 00000000 00000000
             14000000 0c000000 0101 000000000001 00000000  00000000 0c000000 0101 000000000005 12000000");
        assert_eq!(of.to_bytes(), wire);
        let from = hex("01 00 0000 00000000 0c000000 04000000 eeeeeeee 0101 000000000001 00000000");
        assert_eq!(QueryQuotaInfo::parse(&from).unwrap(), query(QuotaScope::From(Sid::EVERYONE)));
        assert_eq!(
            QueryQuotaInfo::parse(&[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            Ok(query(QuotaScope::All))
        );
    }
}
