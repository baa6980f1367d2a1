//! Names of files as clients send them — [MS-FSCC] 2.1.5, [MS-SMB2] 3.3.5.9.

use crate::backend::case::same;
use smb_proto::status::NtStatus;

/// UTF-16 units of one component.
const MAX_COMPONENT: usize = 255;
/// Components of a path; what a 64 KiB name could hold would be far more.
const MAX_DEPTH: usize = 1024;

/// UTF-16 units of a stream's name.
const MAX_STREAM: usize = 255;

/// What a name leads to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Target {
    /// The file or directory.
    pub path: Vec<String>,
    /// A named stream of it.
    pub stream: Option<String>,
    /// The name says `::$DATA`: it must be a file.
    pub data: bool,
}

/// Splits the name of a file, directory or stream into its parts, and refuses what no back end shall see: `.` and `..`,
/// empty and over-long components, wildcards and control characters, streams of other types than $DATA.
pub fn target(name: &str) -> Result<Target, NtStatus> {
    let at = name.rfind('\\').map_or(0, |at| at + 1);
    let (directories, last) = name.split_at_checked(at).unwrap_or_default();
    let Some((file, stream)) = last.split_once(':') else {
        return Ok(Target { path: split(name)?, ..Target::default() });
    };
    let (stream, kind) = match stream.split_once(':') {
        Some((stream, kind)) => (stream, Some(kind)),
        None => (stream, None),
    };
    let path = split(&[directories, file].concat())?;
    match kind {
        // A directory's entries are its stream of this type.
        Some(kind) if kind.eq_ignore_ascii_case("$INDEX_ALLOCATION") => {
            let own = stream.is_empty() || stream.eq_ignore_ascii_case("$I30");
            if own { Ok(Target { path, ..Target::default() }) } else { Err(NtStatus::INVALID_PARAMETER) }
        }
        Some(kind) if !kind.eq_ignore_ascii_case("$DATA") => Err(NtStatus::OBJECT_NAME_INVALID),
        Some(_) if stream.is_empty() => Ok(Target { path, stream: None, data: true }),
        _ => Ok(Target { path, stream: Some(stream_name(stream)?), data: false }),
    }
}

/// A stream's name: more characters than in names of files are allowed — [MS-FSCC] 2.1.5.3.
pub fn stream_name(name: &str) -> Result<String, NtStatus> {
    let bad = name.is_empty() || name.contains(['\0', '/', '\\', ':']);
    if bad || name.encode_utf16().count() > MAX_STREAM {
        return Err(NtStatus::OBJECT_NAME_INVALID);
    }
    Ok(name.to_owned())
}

/// Splits a path into its components; see [`target`].
pub fn split(name: &str) -> Result<Vec<String>, NtStatus> {
    if name.starts_with('\\') {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    let name = name.strip_suffix('\\').unwrap_or(name);
    if name.is_empty() {
        return Ok(Vec::new());
    }
    let mut parts = Vec::new();
    for part in name.split('\\') {
        if part == ".." {
            // Back, but never above the share. No name here is a link, so this needs no look at the files.
            parts.pop().ok_or(NtStatus::OBJECT_PATH_SYNTAX_BAD)?;
        } else {
            parts.push(component(part)?);
        }
    }
    if parts.len() > MAX_DEPTH { Err(NtStatus::OBJECT_NAME_INVALID) } else { Ok(parts) }
}

fn component(part: &str) -> Result<String, NtStatus> {
    let reserved = |c: char| c < ' ' || matches!(c, '"' | '*' | '/' | ':' | '<' | '>' | '?' | '|');
    match part {
        "" | "." => Err(NtStatus::OBJECT_NAME_INVALID),
        _ if part.contains(reserved) || part.encode_utf16().count() > MAX_COMPONENT => {
            Err(NtStatus::OBJECT_NAME_INVALID)
        }
        _ => Ok(part.to_owned()),
    }
}

/// Whether `path` lies below `above`.
pub fn is_below(path: &[String], above: &[String], case_sensitive: bool) -> bool {
    let is = |a: &String, b: &String| if case_sensitive { a == b } else { same(a, b) };
    path.len() > above.len() && path.iter().zip(above).all(|(a, b)| is(a, b))
}

/// The share's name of `\\server\share`.
pub fn share_name(path: &str) -> Option<&str> {
    let (server, share) = path.strip_prefix("\\\\")?.split_once('\\')?;
    (!server.is_empty() && !share.is_empty() && !share.contains('\\')).then_some(share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits() {
        assert_eq!(split(""), Ok(vec![]));
        assert_eq!(split("a\\b c"), Ok(vec!["a".into(), "b c".into()]));
        assert_eq!(split("dir\\"), Ok(vec!["dir".into()]));
        assert_eq!(split("..a"), Ok(vec!["..a".into()]));
        assert_eq!(split("a\\..\\b\\c\\.."), Ok(vec!["b".into()]));
    }

    #[test]
    fn streams() {
        let of = |path: &[&str], stream: Option<&str>, data| Target {
            path: path.iter().map(|part| (*part).to_owned()).collect(),
            stream: stream.map(str::to_owned),
            data,
        };
        for (name, expected) in [
            ("a\\b", of(&["a", "b"], None, false)),
            ("a\\b:s", of(&["a", "b"], Some("s"), false)),
            ("b:s:$data", of(&["b"], Some("s"), false)),
            ("b::$DATA", of(&["b"], None, true)),
            (":s", of(&[], Some("s"), false)),
            ("b:?* \u{5}\n", of(&["b"], Some("?* \u{5}\n"), false)),
            ("b:$I30:$INDEX_ALLOCATION", of(&["b"], None, false)),
        ] {
            assert_eq!(target(name), Ok(expected), "{name:?}");
        }
        for name in ["b:", "b::", "b:s:", "b:s:$FOO", "b:s:$DATA:", "a:b\\c", "b:a/c", "b:\0"] {
            assert_eq!(target(name), Err(NtStatus::OBJECT_NAME_INVALID), "{name:?}");
        }
        assert!(target(&format!("f:{}", "s".repeat(256))).is_err());
    }

    #[test]
    fn below() {
        let path = |text: &str| split(text).unwrap();
        assert!(is_below(&path("A\\b"), &path("a"), false) && !is_below(&path("A\\b"), &path("a"), true));
        assert!(!is_below(&path("a"), &path("a"), false) && !is_below(&path("ab\\c"), &path("a"), false));
        assert!(is_below(&path("a"), &[], false));
    }

    #[test]
    fn refuses_what_could_leave_the_share() {
        for (name, status) in [
            ("..", NtStatus::OBJECT_PATH_SYNTAX_BAD),
            ("a\\..\\..\\b", NtStatus::OBJECT_PATH_SYNTAX_BAD),
            (".", NtStatus::OBJECT_NAME_INVALID),
            ("\\a", NtStatus::INVALID_PARAMETER),
            ("a\\\\b", NtStatus::OBJECT_NAME_INVALID),
            ("a/b", NtStatus::OBJECT_NAME_INVALID),
            ("a:stream", NtStatus::OBJECT_NAME_INVALID),
            ("a\0b", NtStatus::OBJECT_NAME_INVALID),
            ("*", NtStatus::OBJECT_NAME_INVALID),
        ] {
            assert_eq!(split(name), Err(status), "{name:?}");
        }
        assert!(split(&"x".repeat(255)).is_ok() && split(&"x".repeat(256)).is_err());
        assert!(split(&["x"; 1025].join("\\")).is_err());
    }

    #[test]
    fn share_names() {
        assert_eq!(share_name("\\\\host\\data"), Some("data"));
        for bad in ["data", "\\\\host", "\\\\host\\", "\\\\\\x", "\\\\host\\a\\b"] {
            assert_eq!(share_name(bad), None, "{bad}");
        }
    }
}
