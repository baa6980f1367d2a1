//! Wildcards of directory listings — [MS-FSA] 2.1.4.4.

/// A pattern ready to be matched against names.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: Vec<char>,
    everything: bool,
    fold: bool,
}

impl Pattern {
    /// Prepares `pattern`; names are compared without regard to case unless `case_sensitive`. An empty pattern, `*` and
    /// `*.*` match everything.
    pub fn new(pattern: &str, case_sensitive: bool) -> Self {
        let fold = !case_sensitive;
        Self { text: chars(pattern, fold), everything: matches!(pattern, "" | "*" | "*.*"), fold }
    }

    /// Whether `name` matches.
    pub fn matches(&self, name: &str) -> bool {
        if self.everything {
            return true;
        }
        let name = chars(name, self.fold);
        let last_dot = name.iter().rposition(|c| *c == '.');
        // The places in the pattern that the part of the name read so far can lead to.
        let mut reached = vec![false; self.text.len() + 1];
        set(&mut reached, 0);
        self.skip(&mut reached, name.first().copied());
        for (at, c) in name.iter().enumerate() {
            let mut next = vec![false; self.text.len() + 1];
            for (place, wanted) in self.text.iter().enumerate() {
                if reached.get(place) == Some(&true) {
                    self.step(&mut next, place, *wanted, *c, Some(at) == last_dot);
                }
            }
            self.skip(&mut next, name.get(at + 1).copied());
            reached = next;
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
        Pattern::new(pattern, false).matches(name)
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
        assert!(!Pattern::new("A*", true).matches("abc"));
    }

    #[test]
    fn hostile_patterns_take_linear_space() {
        let pattern = "*a".repeat(100) + "b";
        assert!(!matches(&pattern, &"a".repeat(255)));
    }
}
