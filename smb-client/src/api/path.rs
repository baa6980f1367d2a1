//! Paths: `/` here, `\` on the wire.

use crate::error::UsageError;

/// The path as CREATE takes it: components joined by `\`, none at either end; empty for the share's root. Both
/// separators are taken, empty components and `.` are skipped.
pub(crate) fn to_wire(path: &str) -> Result<String, UsageError> {
    let mut wire = String::with_capacity(path.len());
    for component in path.split(['/', '\\']) {
        match component {
            "" | "." => continue,
            ".." => return Err(UsageError::Path("it has a component \"..\"")),
            _ => (),
        }
        check(component)?;
        if !wire.is_empty() {
            wire.push('\\');
        }
        wire.push_str(component);
    }
    if wire.encode_utf16().count() > MAX_UNITS {
        return Err(UsageError::Path("it is longer than 32767 UTF-16 units"));
    }
    Ok(wire)
}

/// Whether both paths on a share lead to the same file, as far as their spelling tells.
pub fn is_same_path(one: &str, other: &str) -> Result<bool, UsageError> {
    Ok(to_wire(one)?.to_lowercase() == to_wire(other)?.to_lowercase())
}

/// Whether a stream can have that name.
pub(crate) fn check_stream(name: &str) -> Result<(), UsageError> {
    if name.is_empty() || name.contains(['/', '\\']) {
        return Err(UsageError::Path("a stream's name is not empty and has no separator"));
    }
    check(name)
}

/// What is above a path as [`to_wire`] gives it; empty for the root, and above a name in it.
pub(crate) fn parent(wire: &str) -> &str {
    wire.rsplit_once('\\').map_or("", |(above, _)| above)
}

const MAX_UNITS: usize = 32_767;

/// What no component may hold — [MS-FSCC] 2.1.5.2. A colon would name a stream of the file.
fn check(component: &str) -> Result<(), UsageError> {
    if component.chars().any(|c| c.is_control() && c < ' ') {
        return Err(UsageError::Path("it has a control character"));
    }
    if component.contains(['"', '*', '<', '>', '?', '|']) {
        return Err(UsageError::Path("it has one of \" * < > ? |"));
    }
    if component.contains(':') {
        return Err(UsageError::Path("it has a colon"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_become_one() {
        for (path, wire) in [
            ("", ""),
            ("/", ""),
            ("a", "a"),
            ("/dir/file.txt", "dir\\file.txt"),
            ("dir\\sub//file/", "dir\\sub\\file"),
            ("./a/./b", "a\\b"),
            ("ÜÄ/日本", "ÜÄ\\日本"),
        ] {
            assert_eq!(to_wire(path).as_deref(), Ok(wire), "{path}");
        }
    }

    #[test]
    fn parents_end_at_the_root() {
        assert_eq!((parent("a\\b\\c"), parent("a"), parent("")), ("a\\b", "", ""));
    }

    #[test]
    fn what_no_server_takes_is_refused_here() {
        for path in ["a/../b", "..", "a*", "a?b", "a:stream", "a\"b", "a<b", "a|b", "a\nb", "nul\0"] {
            assert!(matches!(to_wire(path), Err(UsageError::Path(_))), "{path:?}");
        }
        assert!(to_wire(&"x".repeat(MAX_UNITS)).is_ok());
        assert!(to_wire(&"x".repeat(MAX_UNITS + 1)).is_err());
    }
}
