//! The configuration file: what the command line can say, and who may use which share.

use super::{
    Arguments, Failure,
    values::{
        CipherName, Dialects, DirectoryShare, InterfaceName, Pair, Protection, Signing, Size, StreamingShare,
    },
};
use crate::rdma::RdmaAddress;
use serde::{Deserialize, Deserializer, de::Error};
use std::{
    collections::HashMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    str::FromStr,
};

/// A file; what it does not know is an error.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    listen: Vec<SocketAddr>,
    #[serde(deserialize_with = "list")]
    listen_rdma: Vec<RdmaAddress>,
    guest: bool,
    #[serde(deserialize_with = "optional")]
    signing: Option<Protection>,
    #[serde(deserialize_with = "list")]
    signing_algorithms: Vec<Signing>,
    #[serde(deserialize_with = "optional")]
    encryption: Option<Protection>,
    #[serde(deserialize_with = "list")]
    ciphers: Vec<CipherName>,
    #[serde(deserialize_with = "optional")]
    dialects: Option<Dialects>,
    #[serde(deserialize_with = "optional")]
    max_io: Option<Size>,
    max_credits: Option<u16>,
    keylog: Option<PathBuf>,
    #[serde(deserialize_with = "list")]
    interface: Vec<InterfaceName>,
    on_stream: Option<String>,
    torture_fsctl: bool,
    user: Vec<User>,
    share: Vec<Directory>,
    memory_share: Vec<Memory>,
    stream_share: Vec<Streams>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct User {
    name: String,
    password: String,
}

/// Who may use a share.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Members {
    /// Only these, where there are any.
    pub users: Vec<String>,
    /// Of whom these may not change anything.
    pub read_only_users: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Directory {
    name: String,
    path: PathBuf,
    #[serde(default)]
    read_only: bool,
    #[serde(default)]
    hide_unreadable: bool,
    #[serde(default)]
    users: Vec<String>,
    #[serde(default)]
    read_only_users: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Memory {
    name: String,
    #[serde(default)]
    users: Vec<String>,
    #[serde(default)]
    read_only_users: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Streams {
    name: String,
    #[serde(default)]
    commit_on_close: bool,
    #[serde(default)]
    users: Vec<String>,
    #[serde(default)]
    read_only_users: Vec<String>,
}

/// A value that is written as on the command line.
fn parse<T: FromStr<Err: std::fmt::Display>, E: Error>(text: &str) -> Result<T, E> {
    text.parse().map_err(|error| E::custom(format!("{text}: {error}")))
}

fn optional<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: FromStr<Err: std::fmt::Display>,
    D: Deserializer<'de>,
{
    parse(&String::deserialize(deserializer)?).map(Some)
}

fn list<'de, T, D>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    T: FromStr<Err: std::fmt::Display>,
    D: Deserializer<'de>,
{
    Vec::<String>::deserialize(deserializer)?.iter().map(|text| parse(text)).collect()
}

/// Who may use which share, by the share's name in lower case.
pub type Access = HashMap<String, Members>;

/// Completes a command line with a file. What the command line says counts; its users and shares come in addition, and
/// take the place of those of the same name.
pub fn complete(arguments: &mut Arguments, path: &Path) -> Result<Access, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    merge(arguments, &text).map_err(|error| format!("{}: {error}", path.display()).into())
}

fn merge(arguments: &mut Arguments, text: &str) -> Result<Access, toml::de::Error> {
    let file: File = toml::from_str(text)?;
    fill(&mut arguments.listen, file.listen);
    fill(&mut arguments.listen_rdma, file.listen_rdma);
    fill(&mut arguments.signing_algorithms, file.signing_algorithms);
    fill(&mut arguments.ciphers, file.ciphers);
    fill(&mut arguments.interface, file.interface);
    arguments.guest |= file.guest;
    arguments.torture_fsctl |= file.torture_fsctl;
    arguments.signing = arguments.signing.or(file.signing);
    arguments.encryption = arguments.encryption.or(file.encryption);
    arguments.dialects = arguments.dialects.take().or(file.dialects);
    arguments.max_io = arguments.max_io.or(file.max_io);
    arguments.max_credits = arguments.max_credits.or(file.max_credits);
    arguments.keylog = arguments.keylog.take().or(file.keylog);
    arguments.on_stream = arguments.on_stream.take().or(file.on_stream.map(Into::into));
    let known: Vec<_> = arguments.user.iter().map(|user| user.name.to_lowercase()).collect();
    let new = file.user.into_iter().filter(|user| !known.contains(&user.name.to_lowercase()));
    arguments.user.extend(new.map(|User { name, password }| Pair { name, password }));
    Ok(shares(arguments, file.share, file.memory_share, file.stream_share))
}

/// The file's list where the command line has none.
fn fill<T>(list: &mut Vec<T>, file: Vec<T>) {
    if list.is_empty() {
        *list = file;
    }
}

fn shares(
    arguments: &mut Arguments,
    directories: Vec<Directory>,
    memory: Vec<Memory>,
    streams: Vec<Streams>,
) -> Access {
    let taken: Vec<_> = arguments.share_names().map(str::to_lowercase).collect();
    let mut access = Access::new();
    let mut new = |name: &str, users: Vec<String>, read_only_users: Vec<String>| {
        let name = name.to_lowercase();
        let is_new = !taken.contains(&name);
        if is_new && !(users.is_empty() && read_only_users.is_empty()) {
            access.insert(name, Members { users, read_only_users });
        }
        is_new
    };
    for Directory { name, path, read_only, hide_unreadable, users, read_only_users } in directories {
        if new(&name, users, read_only_users) {
            arguments.share.push(DirectoryShare { name, path, read_only, hide_unreadable });
        }
    }
    for Memory { name, users, read_only_users } in memory {
        if new(&name, users, read_only_users) {
            arguments.memory_share.push(name);
        }
    }
    for Streams { name, commit_on_close, users, read_only_users } in streams {
        if new(&name, users, read_only_users) {
            arguments.stream_share.push(StreamingShare { name, commit_on_close });
        }
    }
    access
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn arguments(words: &[&str]) -> Arguments {
        Arguments::parse_from([&["smb-server"], words].concat())
    }

    #[test]
    fn the_example_says_what_it_seems_to_say() {
        let mut arguments = arguments(&[]);
        let access = merge(&mut arguments, include_str!("../../examples/smb-server.toml")).unwrap();
        assert_eq!(arguments.listen, ["0.0.0.0:4450".parse().unwrap()]);
        assert!(matches!(arguments.signing, Some(Protection::Required)));
        let names: Vec<_> = arguments.share_names().collect();
        assert_eq!(names, ["images", "scratch", "incoming"]);
        let images = Members { users: vec!["alice".into()], read_only_users: vec!["bob".into()] };
        assert_eq!(access.get("images"), Some(&images));
        assert_eq!(arguments.interface.len(), 1);
    }

    #[test]
    fn the_command_line_counts() {
        let words = "--listen 127.0.0.1:1 --user ALICE:hers --signing off --memory-share Scratch";
        let mut arguments = arguments(&words.split(' ').collect::<Vec<_>>());
        let access = merge(&mut arguments, include_str!("../../examples/smb-server.toml")).unwrap();
        assert_eq!(arguments.listen, ["127.0.0.1:1".parse().unwrap()]);
        assert!(matches!(arguments.signing, Some(Protection::Off)));
        let users: Vec<_> =
            arguments.user.iter().map(|user| (user.name.as_str(), user.password.as_str())).collect();
        assert_eq!(users, [("ALICE", "hers"), ("bob", "also-change-me")]);
        assert_eq!(arguments.memory_share, ["Scratch"]);
        assert!(!access.contains_key("scratch"), "the command line's share is everybody's");
    }

    #[test]
    fn what_is_not_known_is_an_error() {
        let mut arguments = arguments(&[]);
        for wrong in [
            "listn = []",
            "signing = 'sometimes'",
            "max-io = '12'",
            "[[share]]\nname = 'a'\npath = '/'\nreadonly = true",
            "[[user]]\nname = 'a'",
        ] {
            assert!(merge(&mut arguments, wrong).is_err(), "{wrong}");
        }
    }
}
