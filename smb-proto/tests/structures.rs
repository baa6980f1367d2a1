//! `STRUCTURES.md` tells the truth, and nothing is missing: every section that `specs/sections.tsv` lists has a row there or
//! a reason in `specs/exceptions.toml`; every file of a row is there and cites the section; every recording a row names is
//! there and is of the message.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Specification and number.
type Section = (String, String);

/// One row of a table.
struct Row {
    section: Section,
    structure: String,
    file: String,
    held_by: String,
}

fn crate_root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn specs() -> PathBuf {
    crate_root().join("../specs")
}

/// The rows of all tables. A heading names the specification of its table, or each row names its own: `[MS-XCA] 2`.
fn rows() -> Vec<Row> {
    let mut specification = String::new();
    let mut rows = Vec::new();
    for line in include_str!("../STRUCTURES.md").lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            specification = bracketed(heading).map_or_else(String::new, |(name, _)| name.to_owned());
        }
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let ["", section, structure, file, held_by, ""] = cells.as_slice() else { continue };
        if *section == "section" || section.starts_with("---") {
            continue;
        }
        let (name, number) = bracketed(section).unwrap_or((&specification, section));
        rows.push(Row {
            section: (name.to_owned(), number.to_owned()),
            structure: (*structure).to_owned(),
            file: file.trim_matches('`').to_owned(),
            held_by: (*held_by).to_owned(),
        });
    }
    assert!(rows.len() > 150, "{} rows", rows.len());
    rows
}

/// `MS-XCA` and `2` of `[MS-XCA] 2`.
fn bracketed(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix('[')?.split_once("] ")
}

fn listed() -> BTreeSet<Section> {
    let text = fs::read_to_string(specs().join("sections.tsv")).unwrap();
    let section = |line: &str| {
        let cells: Vec<_> = line.split('\t').collect();
        assert!(cells.len() == 3 && !cells[2].is_empty(), "{line}");
        (cells[0].to_owned(), cells[1].to_owned())
    };
    let sections: Vec<_> = text.lines().skip(1).map(section).collect();
    let set: BTreeSet<_> = sections.iter().cloned().collect();
    assert_eq!(set.len(), sections.len(), "a section is listed twice");
    set
}

/// Sections without code, and why.
fn exceptions() -> BTreeMap<Section, String> {
    let text = fs::read_to_string(specs().join("exceptions.toml")).unwrap();
    let table: toml::Table = text.parse().unwrap();
    let mut all = BTreeMap::new();
    for exception in table["exception"].as_array().unwrap() {
        let field = |name: &str| exception[name].as_str().unwrap().to_owned();
        assert!(!field("reason").is_empty());
        for section in exception["sections"].as_array().unwrap() {
            let section = (field("specification"), section.as_str().unwrap().to_owned());
            assert!(all.insert(section, field("reason")).is_none(), "excused twice");
        }
    }
    all
}

#[test]
fn every_section_has_code_or_a_reason() {
    let coded: BTreeSet<Section> = rows().into_iter().map(|row| row.section).collect();
    let (listed, excused) = (listed(), exceptions());
    let missing: Vec<_> = listed
        .iter()
        .filter(|section| !coded.contains(*section) && !excused.contains_key(*section))
        .collect();
    assert!(missing.is_empty(), "neither in STRUCTURES.md nor in specs/exceptions.toml: {missing:?}");
    let superseded: Vec<_> = excused.keys().filter(|section| coded.contains(*section)).collect();
    assert!(superseded.is_empty(), "in STRUCTURES.md: delete it from specs/exceptions.toml: {superseded:?}");
    let unknown: Vec<_> = excused.keys().filter(|section| !listed.contains(*section)).collect();
    assert!(unknown.is_empty(), "excused, but not in specs/sections.tsv: {unknown:?}");
    let unlisted = |section: &&Section| {
        ["MS-SMB2", "MS-SMBD"].contains(&section.0.as_str()) && !listed.contains(*section)
    };
    let unlisted: Vec<_> = coded.iter().filter(unlisted).collect();
    assert!(unlisted.is_empty(), "in STRUCTURES.md, but not in specs/sections.tsv: {unlisted:?}");
}

#[test]
fn every_file_cites_its_section() {
    let mut missing = Vec::new();
    for Row { section: (specification, number), file, .. } in rows() {
        let folder = if file.starts_with("smb-direct/") { "../" } else { "src/" };
        let path = crate_root().join(folder).join(&file);
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{file}: {error}"));
        if !cites(&text, &number) {
            missing.push(format!("{file} does not cite [{specification}] {number}"));
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn every_proof_is_there() {
    for row in rows() {
        let proofs: Vec<_> = row.held_by.split(", ").collect();
        for proof in proofs {
            let (how, what) = proof.split_once(' ').unwrap_or((proof, ""));
            assert!(["golden", "vector", "drawn"].contains(&how), "{}: {proof}", row.structure);
            assert!(how == "drawn" || !what.is_empty(), "{}: which?", row.structure);
            let what = what.trim_matches('`');
            let path = match how {
                _ if what.is_empty() => continue,
                "golden" if !what.starts_with("smb-direct/") => golden(&row.structure, what),
                "golden" => crate_root().join("..").join(what),
                _ => crate_root().join(what),
            };
            assert!(path.is_file(), "{}: no {}", row.structure, path.display());
        }
    }
}

/// The path of a recording, whose name must say that it is the row's message, where the row is one.
fn golden(structure: &str, name: &str) -> PathBuf {
    if let Some((command, way @ ("Request" | "Response"))) = structure.split_once(' ') {
        let is_command = command.chars().all(|c| c.is_ascii_uppercase() || c == '_');
        if is_command && command != "ERROR" && !command.starts_with("SMB_COM") {
            let command = command.to_lowercase().replace('_', "-");
            let is_it = name.contains(&format!("-{command}-")) && name.ends_with(&way.to_lowercase());
            assert!(is_it, "{structure} is not in {name}");
        }
    }
    crate_root().join("tests/data/golden").join(format!("{name}.hex"))
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
