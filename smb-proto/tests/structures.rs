//! `STRUCTURES.md` tells the truth: every section of [MS-SMB2] 2.2 is in it, and every file it names is there and cites the
//! section.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::{collections::BTreeSet, fs, path::Path};

/// The numbered parts of [MS-SMB2] 2.2: how many subsections each has.
const SECTIONS: u32 = 44;
const SUBSECTIONS: &[(&str, u32)] = &[
    ("2.2.2", 2),
    ("2.2.3", 1),
    ("2.2.4", 1),
    ("2.2.9", 2),
    ("2.2.13", 2),
    ("2.2.13.2", 15),
    ("2.2.14", 2),
    ("2.2.31", 4),
    ("2.2.32", 6),
    ("2.2.43", 1),
];

fn rows() -> Vec<Vec<String>> {
    let table = include_str!("../STRUCTURES.md");
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let rows = table.lines().filter(|line| line.starts_with("| ")).map(cells);
    rows.filter(|row| row[1] != "section").collect()
}

#[test]
fn every_section_has_its_row() {
    let listed: BTreeSet<String> = rows().into_iter().map(|row| row[1].clone()).collect();
    let mut wanted: Vec<String> = (1..=SECTIONS).map(|number| format!("2.2.{number}")).collect();
    for (section, count) in SUBSECTIONS {
        wanted.extend((1..=*count).map(|number| format!("{section}.{number}")));
    }
    let missing: Vec<_> = wanted.iter().filter(|section| !listed.contains(*section)).collect();
    assert!(missing.is_empty(), "neither in the table nor among the exceptions: {missing:?}");
}

#[test]
fn every_file_cites_its_section() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut missing = Vec::new();
    for row in rows().into_iter().filter(|row| row.len() == 6) {
        let (section, file) = (&row[1], row[3].trim_matches('`'));
        let text = fs::read_to_string(source.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        let number = section.rsplit(' ').next().unwrap();
        if !cites(&text, number) {
            missing.push(format!("{file} does not cite {section}"));
        }
        assert!(["golden", "vector", "drawn"].iter().any(|how| row[4].contains(how)), "{row:?}");
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

/// Whether a comment of `text` names the section, by itself, in a list (`2.2.13.2.3, .4`) or in a range (`2.2.28–2.2.30`).
fn cites(text: &str, section: &str) -> bool {
    let comments: String = text.lines().filter(|line| line.trim_start().starts_with("//")).collect();
    let Some((parent, last)) = section.rsplit_once('.') else { return comments.contains("[MS-XCA]") };
    let in_list = comments.contains(&format!("{parent}.")) && comments.contains(&format!(", .{last}"));
    let whole = |behind: &str| !behind.starts_with(|c: char| c.is_ascii_digit());
    comments.split(section).skip(1).any(whole) || in_list || in_range(&comments, parent, last)
}

fn in_range(comments: &str, parent: &str, last: &str) -> bool {
    let Ok(last) = last.parse::<u32>() else { return false };
    let number = |text: &str| {
        let own = text.strip_prefix(parent)?.strip_prefix('.')?;
        own.split(|c: char| !c.is_ascii_digit()).next()?.parse::<u32>().ok()
    };
    comments
        .split([' ', ',', ':', ';'])
        .filter_map(|word| word.split_once('–'))
        .any(|(from, to)| number(from).zip(number(to)).is_some_and(|(from, to)| (from..=to).contains(&last)))
}
