//! The independent judge: `tshark` reads the main fields of every recorded message as we do.

mod fields;

use crate::{Any, data, tool};
use fields::{Field, Want};
use serde_json::Value;
use smb_proto::{Header, compound};
use std::collections::{BTreeMap, BTreeSet};

/// A part of a golden's name, and a field that `tshark` 4.0 does not show there.
const NOT_SHOWN: &[(&str, &str)] = &[
    // It shows no body of a SESSION_SETUP that failed, nor of a CHANGE_NOTIFY whose changes were too many.
    ("-session-setup-leg", "smb2.error.context_count"),
    ("-session-setup-leg", "smb2.error.byte_count"),
    ("-notify-enum-dir-response", "smb2.error.context_count"),
    ("-notify-enum-dir-response", "smb2.error.byte_count"),
];

/// A part of a golden's name, where `tshark` gives up.
const NOT_READ: &[&str] = &[
    // ksmbd answers "no attributes" with the body of an empty success; its offset is taken for a count of error contexts.
    "-qi-file-class15-c0000052-close-response",
];

/// One message as both read it.
struct Case<'g> {
    name: &'g str,
    header: Header,
    fields: Vec<Field>,
}

/// Our reading of a frame.
fn ours<'g>(name: &'g str, wire: &[u8]) -> Vec<Case<'g>> {
    let parts: Vec<_> = compound::parts(wire).map(Result::unwrap).collect();
    let last = parts.len() - 1;
    let case = |(index, part): (usize, &compound::Part<'_>)| {
        let next = if index == last { 0 } else { part.bytes.len() };
        let mut all = fields::header(&part.header, next);
        all.extend(match Any::parse(&part.header, &part.body).unwrap() {
            Any::Request(body) => fields::request(&body),
            Any::Response(body) => fields::response(&body),
        });
        Case { name, header: part.header, fields: all }
    };
    parts.iter().enumerate().map(case).collect()
}

/// The values of a field in a message, in order, wherever they stand; not those of the header, which has a part of its own.
fn values<'v>(message: &'v Value, key: &str, out: &mut Vec<&'v str>) {
    match message {
        Value::Array(list) => list.iter().for_each(|item| values(item, key, out)),
        Value::Object(map) => {
            for (name, value) in map {
                match value {
                    Value::String(text) if name == key => out.push(text),
                    Value::Array(list) if name == key => out.extend(list.iter().filter_map(Value::as_str)),
                    _ => {}
                }
                if name != "SMB2 Header" {
                    values(value, key, out);
                }
            }
        }
        _ => {}
    }
}

/// One or several of what `--no-duplicate-keys` makes an array of where there are several.
fn each(value: &Value) -> Vec<&Value> {
    value.as_array().map_or_else(|| vec![value], |list| list.iter().collect())
}

/// What is wrong with a message; counts what was compared.
fn compare(case: &Case<'_>, theirs: &Value, compared: &mut BTreeMap<&'static str, usize>) -> Vec<String> {
    let mut wrong = Vec::new();
    for Field { key, want, in_header } in &case.fields {
        let mut found = Vec::new();
        values(if *in_header { &theirs["SMB2 Header"] } else { theirs }, key, &mut found);
        let not_shown = NOT_SHOWN.iter().any(|(name, field)| case.name.contains(name) && field == key);
        if want.matches(&found) {
            *compared.entry(key).or_default() += 1;
        } else if !(not_shown && found.is_empty()) {
            wrong.push(format!(
                "{} {:?}: {key}: ours {want:?}, tshark {found:?}",
                case.name, case.header.command
            ));
        }
    }
    wrong
}

#[test]
fn tshark_agrees_on_the_main_fields() {
    let goldens = data::opened();
    let sets: BTreeSet<_> = goldens.iter().map(|golden| golden.name.split_once('/').unwrap().0).collect();
    let (mut wrong, mut messages, mut compared) = (Vec::new(), 0, BTreeMap::new());
    for set in sets {
        let of_set = |golden: &&data::Golden| golden.name.split_once('/').unwrap().0 == set;
        let frames: Vec<_> =
            goldens.iter().filter(of_set).map(|golden| (golden, golden.standing_alone())).collect();
        let way =
            |golden: &data::Golden| if golden.direction == data::Direction::Request { 'I' } else { 'O' };
        let packets: Vec<_> = frames.iter().map(|(golden, wire)| (way(golden), wire.clone())).collect();
        let arguments = ["-T", "json", "--no-duplicate-keys", "-J", "smb2"];
        let dissected = tool::capture(set, &packets).and_then(|capture| tool::dissect(&capture, &arguments));
        let Some(text) = dissected else { return tool::missing() };
        let dissected: Vec<Value> = serde_json::from_str(&text).unwrap();
        assert_eq!(dissected.len(), frames.len(), "{set}: packets");
        for ((golden, wire), packet) in frames.iter().zip(&dissected) {
            let theirs = each(&packet["_source"]["layers"]["smb2"]);
            let cases = ours(&golden.name, wire);
            if NOT_READ.iter().any(|part| golden.name.contains(part)) {
                continue;
            }
            if theirs.len() != cases.len() {
                wrong.push(format!("{}: {} messages, tshark {}", golden.name, cases.len(), theirs.len()));
                continue;
            }
            messages += cases.len();
            wrong.extend(
                cases.iter().zip(theirs).flat_map(|(case, theirs)| compare(case, theirs, &mut compared)),
            );
        }
    }
    assert!(wrong.is_empty(), "{} of {messages} messages:\n{}", wrong.len(), wrong.join("\n"));
    assert!(messages > 1500, "{messages} messages");
    let rare: Vec<_> = fields::EXPECTED.iter().filter(|key| !compared.contains_key(*key)).collect();
    assert!(rare.is_empty(), "never compared: {rare:?}");
}

impl Want {
    /// Whether what was found is this.
    fn matches(&self, found: &[&str]) -> bool {
        let first = found.first().copied();
        match self {
            Self::Number(number) => first.and_then(parse) == Some(*number),
            Self::Numbers(numbers) => {
                found.iter().map(|text| parse(text)).eq(numbers.iter().map(|n| Some(*n)))
            }
            Self::Text(text) => first == Some(text),
            Self::Set(numbers) => {
                sorted(found.iter().map(|text| parse(text))) == sorted(numbers.iter().map(|n| Some(*n)))
            }
            Self::Texts(texts) => sorted(found.iter().copied()) == sorted(texts.iter().map(String::as_str)),
            Self::Bytes(bytes) => first.map(bytes_of) == Some(bytes.clone()),
            Self::Guid(guid) => first.and_then(guid_of) == Some(*guid),
            Self::NumberIfShown(number) => first.is_none() || first.and_then(parse) == Some(*number),
        }
    }
}

fn sorted<T: Ord>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut items: Vec<T> = items.collect();
    items.sort();
    items
}

fn parse(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

fn bytes_of(text: &str) -> Vec<u8> {
    text.split(':').filter_map(|byte| u8::from_str_radix(byte, 16).ok()).collect()
}

/// The bytes on the wire of a GUID's text: three numbers, little-endian, and eight bytes.
fn guid_of(text: &str) -> Option<[u8; 16]> {
    let digits = text.replace('-', "");
    let number = u128::from_str_radix(&digits, 16).ok()?.to_be_bytes();
    let mut guid = number;
    guid[..4].reverse();
    guid[4..6].reverse();
    guid[6..8].reverse();
    Some(guid)
}
