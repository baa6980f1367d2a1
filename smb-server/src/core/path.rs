//! Names of files as clients send them — [MS-FSCC] 2.1.5, [MS-SMB2] 3.3.5.9.

use smb_proto::status::NtStatus;

/// UTF-16 units of one component.
const MAX_COMPONENT: usize = 255;
/// Components of a path; what a 64 KiB name could hold would be far more.
const MAX_DEPTH: usize = 1024;

/// Splits a path into its components, and refuses what no back end shall see: `.` and `..`, empty and over-long
/// components, named streams, wildcards and control characters.
pub fn split(name: &str) -> Result<Vec<String>, NtStatus> {
    if name.starts_with('\\') {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    let name = name.strip_suffix('\\').unwrap_or(name);
    // The unnamed data stream is the file itself.
    let name = name.strip_suffix("::$DATA").unwrap_or(name);
    if name.is_empty() {
        return Ok(Vec::new());
    }
    let parts = name.split('\\').map(component).collect::<Result<Vec<_>, _>>()?;
    if parts.len() > MAX_DEPTH { Err(NtStatus::OBJECT_NAME_INVALID) } else { Ok(parts) }
}

fn component(part: &str) -> Result<String, NtStatus> {
    let reserved = |c: char| c < ' ' || matches!(c, '"' | '*' | '/' | ':' | '<' | '>' | '?' | '|');
    match part {
        ".." => Err(NtStatus::OBJECT_PATH_SYNTAX_BAD),
        "" | "." => Err(NtStatus::OBJECT_NAME_INVALID),
        _ if part.contains(reserved) || part.encode_utf16().count() > MAX_COMPONENT => {
            Err(NtStatus::OBJECT_NAME_INVALID)
        }
        _ => Ok(part.to_owned()),
    }
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
        assert_eq!(split("a::$DATA"), Ok(vec!["a".into()]));
        assert_eq!(split("..a"), Ok(vec!["..a".into()]));
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
