//! Values of the command line and the configuration file, as they are written.

use clap::ValueEnum;
use smb_proto::dialect::{Cipher, Dialect, SigningAlgorithm};
use smb_server::{Interface, Policy};
use std::{ops::RangeInclusive, path::PathBuf, str::FromStr};

/// Whether a protection is used.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Protection {
    Off,
    Allowed,
    Required,
}

impl FromStr for Protection {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        choose(text, &[("off", Self::Off), ("allowed", Self::Allowed), ("required", Self::Required)])
    }
}

impl From<Protection> for Policy {
    fn from(protection: Protection) -> Self {
        match protection {
            Protection::Off => Self::Off,
            Protection::Allowed => Self::Allowed,
            Protection::Required => Self::Required,
        }
    }
}

/// `NAME:PASSWORD`.
#[derive(Clone)]
pub struct Pair {
    pub name: String,
    pub password: String,
}

impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:..", self.name)
    }
}

impl FromStr for Pair {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, password) = text.split_once(':').ok_or("NAME:PASSWORD is wanted")?;
        Ok(Self { name: name.into(), password: password.into() })
    }
}

/// `NAME=PATH` and options.
#[derive(Debug, Clone)]
pub struct DirectoryShare {
    pub name: String,
    pub path: PathBuf,
    pub read_only: bool,
    pub hide_unreadable: bool,
}

impl FromStr for DirectoryShare {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, mut rest) = text.split_once('=').ok_or("NAME=PATH is wanted")?;
        let (mut read_only, mut hide_unreadable) = (false, false);
        // Options stand at the end, so a path may have commas.
        while let Some((before, option)) = rest.rsplit_once(',') {
            match option {
                "ro" => read_only = true,
                "hide-unreadable" => hide_unreadable = true,
                _ => break,
            }
            rest = before;
        }
        Ok(Self { name: name.into(), path: rest.into(), read_only, hide_unreadable })
    }
}

/// `NAME` and an option.
#[derive(Debug, Clone)]
pub struct StreamingShare {
    pub name: String,
    pub commit_on_close: bool,
}

impl FromStr for StreamingShare {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, commit_on_close) = match text.split_once(',') {
            None => (text, false),
            Some((name, "commit-on-close")) => (name, true),
            Some(_) => return Err("the only option is commit-on-close"),
        };
        Ok(Self { name: name.into(), commit_on_close })
    }
}

/// A name of one of several values.
fn choose<T: Copy>(text: &str, names: &[(&str, T)]) -> Result<T, String> {
    let found = names.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
    found.map(|(_, value)| *value).ok_or_else(|| {
        let known: Vec<_> = names.iter().map(|(name, _)| *name).collect();
        format!("one of {} is wanted", known.join(", "))
    })
}

/// A signing algorithm.
#[derive(Debug, Clone, Copy)]
pub struct Signing(pub SigningAlgorithm);

impl FromStr for Signing {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        choose(
            text,
            &[
                ("gmac", SigningAlgorithm::AES_GMAC),
                ("cmac", SigningAlgorithm::AES_CMAC),
                ("hmac", SigningAlgorithm::HMAC_SHA256),
            ],
        )
        .map(Self)
    }
}

/// A cipher.
#[derive(Debug, Clone, Copy)]
pub struct CipherName(pub Cipher);

impl FromStr for CipherName {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        choose(
            text,
            &[
                ("aes-128-gcm", Cipher::AES_128_GCM),
                ("aes-256-gcm", Cipher::AES_256_GCM),
                ("aes-128-ccm", Cipher::AES_128_CCM),
                ("aes-256-ccm", Cipher::AES_256_CCM),
            ],
        )
        .map(Self)
    }
}

/// `MIN..MAX`, or one dialect.
#[derive(Debug, Clone)]
pub struct Dialects(pub RangeInclusive<Dialect>);

impl FromStr for Dialects {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let one = |text: &str| {
            choose(
                text,
                &[
                    ("2.0.2", Dialect::SMB_2_0_2),
                    ("2.1", Dialect::SMB_2_1),
                    ("3.0", Dialect::SMB_3_0),
                    ("3.0.2", Dialect::SMB_3_0_2),
                    ("3.1.1", Dialect::SMB_3_1_1),
                ],
            )
        };
        match text.split_once("..") {
            Some((min, max)) => Ok(Self(one(min)?..=one(max)?)),
            None => one(text).map(|only| Self(only..=only)),
        }
    }
}

/// Bytes, with K, M or G behind them.
#[derive(Debug, Clone, Copy)]
pub struct Size(pub u32);

impl FromStr for Size {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (digits, shift) = match text.as_bytes().last() {
            Some(b'K' | b'k') => (text.get(..text.len() - 1), 10),
            Some(b'M' | b'm') => (text.get(..text.len() - 1), 20),
            Some(b'G' | b'g') => (text.get(..text.len() - 1), 30),
            _ => (Some(text), 0),
        };
        let number: Option<u64> = digits.and_then(|digits| digits.parse().ok());
        let bytes =
            number.and_then(|number| number.checked_mul(1 << shift)).and_then(|bytes| bytes.try_into().ok());
        match bytes {
            Some(bytes) if bytes >= 65_536 => Ok(Self(bytes)),
            _ => Err("a size from 64K on is wanted".into()),
        }
    }
}

/// `ADDR[,speed=10G][,rss][,rdma]`.
#[derive(Debug, Clone, Copy)]
pub struct InterfaceName(pub Interface);

impl FromStr for InterfaceName {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split(',');
        let address = parts.next().unwrap_or_default();
        let address = address.parse().map_err(|_| format!("{address}: an address is wanted"))?;
        let mut interface = Interface { address, speed: None, rss: false, rdma: false };
        for part in parts {
            match part.split_once('=') {
                None if part == "rss" => interface.rss = true,
                None if part == "rdma" => interface.rdma = true,
                Some(("speed", rate)) => interface.speed = Some(speed(rate)?),
                _ => return Err(format!("{part}: speed=RATE, rss or rdma is wanted")),
            }
        }
        Ok(Self(interface))
    }
}

/// Bits per second, with K, M or G for thousands, millions or billions behind them.
fn speed(text: &str) -> Result<u64, String> {
    let (digits, factor) = match text.split_at_checked(text.len().saturating_sub(1)) {
        Some((digits, "K" | "k")) => (digits, 1_000),
        Some((digits, "M" | "m")) => (digits, 1_000_000),
        Some((digits, "G" | "g")) => (digits, 1_000_000_000),
        _ => (text, 1),
    };
    let number: Option<u64> = digits.parse().ok();
    let rate = number.and_then(|number| number.checked_mul(factor)).filter(|rate| *rate > 0);
    rate.ok_or_else(|| format!("{text}: a speed such as 10G is wanted"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces() {
        let InterfaceName(all) = "192.0.2.1,speed=10G,rss,rdma".parse().unwrap();
        assert_eq!((all.speed, all.rss, all.rdma), (Some(10_000_000_000), true, true));
        let InterfaceName(plain) = "2001:db8::1".parse().unwrap();
        assert_eq!((plain.speed, plain.rss, plain.rdma), (None, false, false));
        for wrong in ["", "host", "192.0.2.1,fast", "192.0.2.1,speed=", "192.0.2.1,speed=0G", "::1,speed=1T"]
        {
            assert!(wrong.parse::<InterfaceName>().is_err(), "{wrong}");
        }
    }
}
