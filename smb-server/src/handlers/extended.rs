//! Extended attributes in requests and answers — [MS-FSCC] 2.4.15.

use smb_proto::{
    fscc::Information,
    fscc::ea::{ExtendedAttribute, FullEaInformation, GetEaList},
    status::NtStatus,
};

/// The most that all attributes in one request may hold.
const MOST: usize = 0xffff;

/// Whether a name can be one: the characters that [MS-FSCC] 2.4.15 allows.
fn legal(name: &[u8]) -> bool {
    let bad = |byte: &u8| !(0x20..0x80).contains(byte) || b"\"*+,/:;<=>?[\\]|".contains(byte);
    !name.is_empty() && name.len() < 255 && !name.iter().any(bad)
}

/// Reads the attributes of a request.
pub(super) fn parse(bytes: &[u8]) -> Result<Vec<ExtendedAttribute>, NtStatus> {
    if bytes.len() > MOST {
        return Err(NtStatus::EA_TOO_LARGE);
    }
    let all = FullEaInformation::parse(bytes).map_err(|_| NtStatus::EA_LIST_INCONSISTENT)?.attributes;
    if all.iter().all(|attribute| legal(&attribute.name)) { Ok(all) } else { Err(NtStatus::INVALID_EA_NAME) }
}

/// What FileEaInformation tells: what the attributes would occupy as FILE_FULL_EA_INFORMATION of OS/2's form.
pub(super) fn size(all: &[ExtendedAttribute]) -> u32 {
    const LIST: usize = 4;
    let one = |attribute: &ExtendedAttribute| 5 + attribute.name.len() + attribute.value.len();
    let bytes: usize = all.iter().map(one).sum();
    if all.is_empty() { 0 } else { u32::try_from(LIST + bytes).unwrap_or(u32::MAX) }
}

/// A query of attributes under way: how many were told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Query<'a> {
    /// FILE_GET_EA_INFORMATION, if there is any.
    pub(super) wanted: &'a [u8],
    /// Those before this one were told.
    pub(super) from: usize,
    /// Only one is told.
    pub(super) single: bool,
    /// Bytes there is room for.
    pub(super) limit: usize,
}

impl Query<'_> {
    /// As many as fit, how many these are, and whether that is not all.
    pub(super) fn answer(&self, all: Vec<ExtendedAttribute>) -> Result<(Vec<u8>, usize, bool), NtStatus> {
        let all = if self.wanted.is_empty() { all } else { select(self.wanted, &all)? };
        if all.is_empty() {
            return Err(NtStatus::NO_EAS_ON_FILE);
        }
        let rest = all.get(self.from..).filter(|rest| !rest.is_empty()).ok_or(NtStatus::NO_MORE_EAS)?;
        let rest = if self.single { rest.get(..1).unwrap_or_default() } else { rest };
        let mut told = FullEaInformation::default();
        for attribute in rest {
            told.attributes.push(attribute.clone());
            if told.to_bytes().len() > self.limit {
                told.attributes.pop();
                break;
            }
        }
        if told.attributes.is_empty() {
            return Err(NtStatus::BUFFER_TOO_SMALL);
        }
        let count = told.attributes.len();
        Ok((told.to_bytes(), count, count < rest.len()))
    }
}

/// The attributes asked for by name; those that are not there have no value.
fn select(wanted: &[u8], all: &[ExtendedAttribute]) -> Result<Vec<ExtendedAttribute>, NtStatus> {
    let wanted = GetEaList::parse(wanted).map_err(|_| NtStatus::EA_LIST_INCONSISTENT)?;
    let mut found = Vec::new();
    for name in wanted.names {
        if !legal(&name) {
            return Err(NtStatus::INVALID_EA_NAME);
        }
        let known = all.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(&name));
        let absent = ExtendedAttribute { need_ea: false, name, value: Vec::new() };
        found.push(known.cloned().unwrap_or(absent));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(name: &str, value: &str) -> ExtendedAttribute {
        ExtendedAttribute { need_ea: false, name: name.into(), value: value.into() }
    }

    fn names(bytes: &[u8]) -> Vec<Vec<u8>> {
        let all = FullEaInformation::parse(bytes).unwrap().attributes;
        all.into_iter().map(|attribute| attribute.name).collect()
    }

    #[test]
    fn names_are_checked() {
        for (name, good) in [("EAONE", true), ("", false), ("A:B", false), ("A\u{1}", false), ("A B", true)] {
            let bytes = FullEaInformation { attributes: vec![attribute(name, "v")] }.to_bytes();
            assert_eq!(parse(&bytes).is_ok(), good, "{name:?}");
        }
        assert_eq!(parse(&[1, 2, 3]), Err(NtStatus::EA_LIST_INCONSISTENT));
    }

    #[test]
    fn as_many_are_told_as_fit() {
        let all = vec![attribute("ONE", "1"), attribute("TWO", "2")];
        let query = Query { wanted: &[], from: 0, single: false, limit: 100 };
        let (bytes, count, more) = query.answer(all.clone()).unwrap();
        assert_eq!((names(&bytes).len(), count, more), (2, 2, false));
        let (bytes, count, more) = Query { limit: 20, ..query }.answer(all.clone()).unwrap();
        assert_eq!((names(&bytes), count, more), (vec![b"ONE".to_vec()], 1, true));
        assert_eq!(Query { limit: 5, ..query }.answer(all.clone()), Err(NtStatus::BUFFER_TOO_SMALL));
        let (bytes, ..) = Query { from: 1, single: true, ..query }.answer(all.clone()).unwrap();
        assert_eq!(names(&bytes), [b"TWO"]);
        assert_eq!(Query { from: 2, ..query }.answer(all), Err(NtStatus::NO_MORE_EAS));
        assert_eq!(query.answer(Vec::new()), Err(NtStatus::NO_EAS_ON_FILE));
    }

    #[test]
    fn those_asked_for_are_told() {
        let wanted = GetEaList { names: vec![b"none".into(), b"one".into()] }.to_bytes();
        let query = Query { wanted: &wanted, from: 0, single: false, limit: 100 };
        let (bytes, ..) = query.answer(vec![attribute("ONE", "1"), attribute("TWO", "2")]).unwrap();
        let told = FullEaInformation::parse(&bytes).unwrap().attributes;
        assert_eq!(told, [attribute("none", ""), attribute("ONE", "1")]);
    }

    #[test]
    fn sizes_are_those_of_os_2() {
        assert_eq!(size(&[]), 0);
        assert_eq!(size(&[attribute("AB", "xyz"), attribute("C", "1")]), 4 + 10 + 7);
    }
}
