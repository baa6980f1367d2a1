//! What the embedder decides.

use crate::error::UsageError;
use smb_proto::dialect::{Cipher, Dialect, SigningAlgorithm};
use std::{ops::RangeInclusive, path::PathBuf, time::Duration};

/// Whether requests are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Signing {
    /// Never; a server that requires it is refused. For benchmarks.
    Off,
    /// Where the server requires it.
    Allowed,
    /// Always, unless sealed; a server that lets us in as a guest is refused.
    #[default]
    Required,
}

/// Whether requests are sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encryption {
    /// Where the server or the share requires it.
    #[default]
    Allowed,
    /// Always; a server that cannot is refused.
    Required,
}

/// How a client behaves. [`Client::builder`](crate::Client::builder) sets them.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub dialects: RangeInclusive<Dialect>,
    pub ciphers: Vec<Cipher>,
    pub signing_algorithms: Vec<SigningAlgorithm>,
    pub signing: Signing,
    pub encryption: Encryption,
    pub timeout: Duration,
    /// `None`: what the window needs.
    pub credits: Option<u16>,
    pub placement_threshold: usize,
    pub keep_alive: Duration,
    pub reconnect: Duration,
    pub window: usize,
    pub keylog: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            dialects: Dialect::SMB_2_0_2..=Dialect::SMB_3_1_1,
            ciphers: vec![Cipher::AES_128_GCM, Cipher::AES_256_GCM, Cipher::AES_128_CCM, Cipher::AES_256_CCM],
            signing_algorithms: vec![
                SigningAlgorithm::AES_GMAC,
                SigningAlgorithm::AES_CMAC,
                SigningAlgorithm::HMAC_SHA256,
            ],
            signing: Signing::default(),
            encryption: Encryption::default(),
            timeout: Duration::from_secs(60),
            credits: None,
            placement_threshold: 8192,
            keep_alive: Duration::from_secs(60),
            reconnect: Duration::from_secs(10),
            window: 64 << 20,
            keylog: None,
        }
    }
}

/// Credits besides those that a full window takes: for what is asked meanwhile.
const BESIDES: usize = 64;
/// More than servers grant.
const MOST_CREDITS: u16 = 8192;

impl Options {
    /// Credits to strive for.
    pub fn credits(&self) -> u16 {
        let paid = usize::try_from(smb_proto::credit::max_payload(1)).unwrap_or(usize::MAX);
        let wanted = self.window.div_ceil(paid).saturating_add(BESIDES);
        self.credits.unwrap_or_else(|| u16::try_from(wanted).unwrap_or(MOST_CREDITS).min(MOST_CREDITS))
    }

    /// Whether the options go together.
    pub fn check(&self) -> Result<(), UsageError> {
        let wrong = |option, rule| Err(UsageError::Option { option, rule });
        if !Dialect::ALL.iter().any(|dialect| self.dialects.contains(dialect)) {
            return wrong("dialects", "the range holds none from 2.0.2 to 3.1.1");
        }
        if self.encryption == Encryption::Required && self.ciphers.is_empty() {
            return wrong("ciphers", "encryption is required, but no cipher is offered");
        }
        if self.signing_algorithms.is_empty() {
            return wrong("signing_algorithms", "offer at least one");
        }
        if self.timeout.is_zero() {
            return wrong("timeout", "must not be zero");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credits_follow_the_window_unless_they_are_set() {
        let credits = |window, credits| Options { window, credits, ..Options::default() }.credits();
        assert_eq!(credits(64 << 20, None), 1024 + 64);
        assert_eq!(credits(1, None), 65);
        assert_eq!(credits(usize::MAX, None), 8192);
        assert_eq!(credits(64 << 20, Some(3)), 3);
    }
}
