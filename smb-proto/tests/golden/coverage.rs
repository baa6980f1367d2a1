//! No message without a recording, none without the tests of its kind.

use crate::data::{self, Direction};
use smb_proto::{command::Command, compound};
use std::{collections::BTreeSet, fs, path::Path};

/// Commands and directions that no recorded peer sends.
const NOT_RECORDED: &[(Command, Direction)] = &[
    // There is none: a request that is cancelled is answered.
    (Command::CANCEL, Direction::Response),
    // There is none: servers speak unasked.
    (Command::SERVER_TO_CLIENT_NOTIFICATION, Direction::Request),
    // Samba 4.17 and ksmbd do not send it.
    (Command::SERVER_TO_CLIENT_NOTIFICATION, Direction::Response),
];

#[test]
fn every_command_has_a_recording_in_both_directions() {
    let mut recorded = BTreeSet::new();
    for golden in data::opened() {
        for part in compound::parts(&golden.frame).flatten() {
            let is_error = part.header.status().is_some_and(|status| !status.is_success());
            if !is_error {
                recorded.insert((part.header.command, golden.direction));
            }
        }
    }
    for command in (0..=0x13).map(Command) {
        for direction in [Direction::Request, Direction::Response] {
            let is_exempt = NOT_RECORDED.contains(&(command, direction));
            assert_ne!(recorded.contains(&(command, direction)), is_exempt, "{command:?} {direction:?}");
        }
    }
}

fn sources(folder: &Path, out: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            out.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

/// The identifier at `index` of the comma-separated arguments behind each `marker`; doc comments are skipped.
fn arguments<'s>(source: &'s str, marker: &str, index: usize) -> BTreeSet<&'s str> {
    let identifier = |text: &'s str| text.trim().split(|c: char| !c.is_alphanumeric() && c != '_').next();
    source
        .split(marker)
        .skip(1)
        .filter_map(|behind| {
            let doc = behind.trim_start().starts_with("///");
            let from = if doc { behind.rfind_doc_end() } else { 0 };
            behind[from..].split(',').nth(index).and_then(identifier)
        })
        .filter(|name| !name.is_empty())
        .collect()
}

trait DocEnd {
    /// Where the leading doc comment ends.
    fn rfind_doc_end(&self) -> usize;
}

impl DocEnd for str {
    fn rfind_doc_end(&self) -> usize {
        let mut at = 0;
        for line in self.split_inclusive('\n') {
            if !line.trim().is_empty() && !line.trim_start().starts_with("///") {
                break;
            }
            at += line.len();
        }
        at
    }
}

#[test]
fn every_message_has_the_tests_of_its_kind() {
    let mut source = String::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/msg"), &mut source);
    let mut messages = arguments(&source, "impl<'a> Message<'a> for ", 0);
    messages.extend(arguments(&source, "output_message!(\n", 0));
    let mut tested = arguments(&source, "message_tests!(", 1);
    tested.extend(arguments(&source, "empty_message!(\n", 0));
    assert!(messages.len() >= 28, "{messages:?}");
    let missing: Vec<_> = messages.difference(&tested).collect();
    assert!(missing.is_empty(), "without message_tests!: {missing:?}");
}
