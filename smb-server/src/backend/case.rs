//! How names compare where case does not matter.

/// The form under which two names are the same: each character upper-cased where that gives one character, as the
/// specification's upper-case table does ([MS-FSCC] 2.1.5.1 leaves the table to the server).
pub(crate) fn fold(name: &str) -> String {
    name.chars().map(upper).collect()
}

/// Whether the two differ by case only.
pub(crate) fn same(a: &str, b: &str) -> bool {
    a.chars().map(upper).eq(b.chars().map(upper))
}

fn upper(character: char) -> char {
    if character.is_ascii() {
        return character.to_ascii_uppercase();
    }
    let mut upper = character.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(one), None) => one,
        _ => character,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_is_folded_and_nothing_else() {
        assert!(same("Straße.TXT", "straße.txt"));
        assert!(!same("Straße", "STRASSE"), "no character becomes two");
        assert!(same("ÄÖÜ ж", "äöü Ж"));
        assert!(!same("a", "ab"));
        assert_eq!(fold("naïve"), "NAÏVE");
    }
}
