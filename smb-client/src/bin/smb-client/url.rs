//! `smb://[user[:password]@]host[:port]/share/path`.

use std::str::FromStr;

/// Where something is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    pub user: Option<String>,
    password: Option<String>,
    host: String,
    port: u16,
    /// Empty where the URL names the server alone.
    pub share: String,
    /// Without a leading `/`; empty for the share's root.
    pub path: String,
}

const PORT: u16 = 445;

impl Url {
    /// The password, from here or from SMB_PASSWORD; else none.
    pub fn password(&self) -> String {
        self.password.clone().or_else(|| std::env::var("SMB_PASSWORD").ok()).unwrap_or_default()
    }

    /// The host's name or address.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// As `Client::connect` takes it.
    pub fn address(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// Refuses a URL of a server alone.
    pub fn check_share(&self) -> Result<(), String> {
        if self.share.is_empty() {
            Err("the URL names no share: smb://host/share/path".to_owned())
        } else {
            Ok(())
        }
    }

    /// Whether both are on one server, for one user.
    pub fn is_same_server(&self, other: &Self) -> bool {
        (&self.user, &self.host, self.port) == (&other.user, &other.host, other.port)
    }

    /// Whether both are on one share of one server, for one user.
    pub fn is_same_share(&self, other: &Self) -> bool {
        self.is_same_server(other) && self.share.eq_ignore_ascii_case(&other.share)
    }

    /// The last component of the path; none at the share's root.
    pub fn name(&self) -> Option<&str> {
        self.path.rsplit(['/', '\\']).find(|name| !name.is_empty() && *name != "..")
    }

    /// `name` in it.
    pub fn below(&self, name: &str) -> Self {
        let path = self.path.trim_end_matches(['/', '\\']);
        let path = if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
        Self { path, ..self.clone() }
    }
}

/// What may be a URL, whole or not, without its password.
pub fn without_password(text: &str) -> String {
    let start = text.find("://").map_or(0, |at| at.saturating_add(3));
    let (scheme, rest) = text.split_at_checked(start).unwrap_or_default();
    match rest.rsplit_once('@').map(|(account, place)| (account.split_once(':'), place)) {
        Some((Some((user, _)), place)) => format!("{scheme}{user}:…@{place}"),
        _ => text.to_owned(),
    }
}

impl std::fmt::Display for Url {
    /// Without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "smb://{}/{}/{}", self.host, self.share, self.path)
    }
}

impl FromStr for Url {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix("smb://").ok_or("a URL begins with smb://")?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (share, path) = path.split_once('/').unwrap_or((path, ""));
        let (login, place) = match authority.rsplit_once('@') {
            Some((login, place)) => (Some(login), place),
            None => (None, authority),
        };
        let (user, password) = match login.map(|login| login.split_once(':').unwrap_or((login, "\0"))) {
            Some((user, "\0")) => (Some(unescape(user)?), None),
            Some((user, password)) => (Some(unescape(user)?), Some(unescape(password)?)),
            None => (None, None),
        };
        let (host, port) = host_and_port(place)?;
        Ok(Self { user, password, host, port, share: unescape(share)?, path: unescape(path)? })
    }
}

fn host_and_port(place: &str) -> Result<(String, u16), String> {
    let (host, port) = match place.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or("an IPv6 address ends with ]")?;
            (host, port.strip_prefix(':'))
        }
        None => match place.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        },
    };
    if host.is_empty() {
        return Err("a URL names a host".to_owned());
    }
    let port = port.map_or(Ok(PORT), |port| port.parse().map_err(|_| format!("{port} is not a port")))?;
    Ok((host.to_owned(), port))
}

/// Replaces %XX.
fn unescape(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = after.first_chunk::<2>().and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.ok_or("% is followed by two hex digits; a % itself is %25")?);
        rest = after.get(2..).unwrap_or(&[]);
    }
    String::from_utf8(bytes).map_err(|_| "not UTF-8 after its % escapes".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_its_parts() {
        let url: Url = "smb://al%40ice:p%3Aw@[::1]:4450/my%20share/dir/a%25b".parse().unwrap();
        assert_eq!((url.user.as_deref(), url.password().as_str()), (Some("al@ice"), "p:w"));
        assert_eq!(url.address(), "[::1]:4450");
        assert_eq!((url.share.as_str(), url.path.as_str()), ("my share", "dir/a%b"));
        assert!(!url.to_string().contains("p:w") && url.check_share().is_ok());
        for alone in ["smb://host", "smb://host/", "smb://host//path"] {
            assert!(alone.parse::<Url>().unwrap().check_share().is_err(), "{alone}");
        }
        assert_eq!((url.name(), url.below("c").path.as_str()), (Some("a%b"), "dir/a%b/c"));
        let root: Url = "smb://host/share/".parse().unwrap();
        assert_eq!((root.name(), root.below("c").path.as_str()), (None, "c"));
        let short: Url = "smb://host/share".parse().unwrap();
        assert_eq!((short.address().as_str(), short.path.as_str(), short.user), ("host:445", "", None));
    }

    #[test]
    fn what_is_none() {
        for bad in ["http://a/b", "smb:///share", "smb://h:x/s", "smb://h/s/%4", "smb://h/s/%ff"] {
            assert!(bad.parse::<Url>().is_err(), "{bad}");
        }
    }
}
