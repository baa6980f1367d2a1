//! Wildcards of directory listings — [MS-FSA] 2.1.4.4.

use smb_proto::status::NtStatus;

/// UTF-16 units of a pattern: twice those of the longest name. Matching a name costs as many steps as both lengths
/// multiplied.
const MOST: usize = 512;

/// A pattern ready to be matched against names.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: Vec<char>,
    /// Characters of the shortest name.
    least: usize,
    everything: bool,
    fold: bool,
}

impl Pattern {
    /// Prepares `pattern`; names are compared without regard to case unless `case_sensitive`. An empty pattern, `*` and
    /// `*.*` match everything. STATUS_OBJECT_NAME_INVALID where it is longer than any that is of use.
    pub fn new(pattern: &str, case_sensitive: bool) -> Result<Self, NtStatus> {
        if pattern.encode_utf16().nth(MOST).is_some() {
            return Err(NtStatus::OBJECT_NAME_INVALID);
        }
        let fold = !case_sensitive;
        let mut text = chars(pattern, fold);
        // Several in a row take what one does.
        text.dedup_by(|next, one| next == one && matches!(one, '*' | '<'));
        let least = text.iter().filter(|c| !matches!(c, '*' | '<' | '>' | '"')).count();
        Ok(Self { text, least, everything: matches!(pattern, "" | "*" | "*.*"), fold })
    }

    /// Whether `name` matches.
    pub fn matches(&self, name: &str) -> bool {
        if self.everything {
            return true;
        }
        let name = chars(name, self.fold);
        if name.len() < self.least {
            return false;
        }
        let last_dot = name.iter().rposition(|c| *c == '.');
        // The places in the pattern that the part of the name read so far can lead to.
        let mut reached = vec![false; self.text.len() + 1];
        let mut next = reached.clone();
        set(&mut reached, 0);
        self.skip(&mut reached, name.first().copied());
        for (at, c) in name.iter().enumerate() {
            next.fill(false);
            for (place, wanted) in self.text.iter().enumerate() {
                if reached.get(place) == Some(&true) {
                    self.step(&mut next, place, *wanted, *c, Some(at) == last_dot);
                }
            }
            self.skip(&mut next, name.get(at + 1).copied());
            std::mem::swap(&mut reached, &mut next);
        }
        reached.last() == Some(&true)
    }

    /// Where one character of the name leads from one place.
    fn step(&self, next: &mut [bool], place: usize, wanted: char, c: char, last_dot: bool) {
        match wanted {
            '*' => set(next, place),
            // DOS_STAR takes anything but the last dot.
            '<' if !last_dot => set(next, place),
            '<' => {}
            '?' => set(next, place + 1),
            // DOS_QM takes anything but a dot.
            '>' if c != '.' => set(next, place + 1),
            '>' => {}
            // DOS_DOT takes a dot.
            '"' if c == '.' => set(next, place + 1),
            _ if wanted == c => set(next, place + 1),
            _ => {}
        }
    }

    /// Adds the places that need no character; `ahead` is the next character of the name.
    fn skip(&self, reached: &mut [bool], ahead: Option<char>) {
        for (place, wanted) in self.text.iter().enumerate() {
            let free = match wanted {
                '*' | '<' => true,
                '>' => ahead.is_none_or(|c| c == '.'),
                '"' => ahead.is_none(),
                _ => false,
            };
            if free && reached.get(place) == Some(&true) {
                set(reached, place + 1);
            }
        }
    }
}

fn set(places: &mut [bool], place: usize) {
    if let Some(slot) = places.get_mut(place) {
        *slot = true;
    }
}

fn chars(text: &str, fold: bool) -> Vec<char> {
    if fold { text.chars().flat_map(char::to_uppercase).collect() } else { text.chars().collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        Pattern::new(pattern, false).unwrap().matches(name)
    }

    #[test]
    fn plain_wildcards() {
        for (pattern, name, expected) in [
            ("*", "anything", true),
            ("*.*", "nodot", true),
            ("*.txt", "a.txt", true),
            ("*.txt", "a.txt.bak", false),
            ("a*c", "abbc", true),
            ("a*c", "ac", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("ABC", "abc", true),
            ("straße", "STRASSE", true),
            ("abc", "abcd", false),
            ("*a*b*", "xxaxxbxx", true),
            ("", "x", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn dos_wildcards() {
        for (pattern, name, expected) in [
            // DOS_STAR stops at the last dot.
            ("<.txt", "a.b.txt", true),
            ("<", "a.b", false),
            ("<", "ab", true),
            ("a<b", "a.xb", false),
            ("<.", "a.", true),
            // DOS_QM: one character, or none at a dot or the end.
            ("a>>>.txt", "ab.txt", true),
            ("a>>>", "ab", true),
            ("a>", "abc", false),
            ("a>b", "a.b", false),
            // DOS_DOT: a dot, or nothing at the end.
            ("abc\"", "abc", true),
            ("abc\"txt", "abc.txt", true),
            ("abc\"txt", "abcxtxt", false),
            ("<\"*", "abc", true),
            ("<\"*", "a.b.c", true),
            (">>>>>>>>\">>>", "readme.md", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn case_counts_where_asked() {
        assert!(!Pattern::new("A*", true).unwrap().matches("abc"));
    }

    #[test]
    fn hostile_patterns_take_linear_space() {
        let pattern = "*a".repeat(100) + "b";
        assert!(!matches(&pattern, &"a".repeat(255)));
    }

    #[test]
    fn patterns_are_bounded() {
        let stars = Pattern::new(&format!("a{}{}b", "*".repeat(300), "<".repeat(100)), false).unwrap();
        assert_eq!(stars.text, ['A', '*', '<', 'B']);
        assert!(stars.matches("a.x.b") && !stars.matches("a.x.c") && !stars.matches("a"));
        assert!(matches(&"a".repeat(MOST), &"a".repeat(MOST)));
        let refused = Pattern::new(&"*a".repeat(300), false).err();
        assert_eq!(refused, Some(NtStatus::OBJECT_NAME_INVALID));
    }
}
