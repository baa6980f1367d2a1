//! What an exchange is given at its start: names, secrets, time and randomness.

use super::NtHash;

/// Who the client says it is.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Credentials {
    /// Nobody.
    Anonymous,
    /// A user with a password.
    Password {
        /// The user's name.
        user: String,
        /// The user's domain; empty for an account of the server itself.
        domain: String,
        /// The password's hash, which is all that NTLM needs.
        hash: NtHash,
    },
}

impl Credentials {
    /// A user with a password. `DOMAIN\user` may be given as the user where `domain` is empty.
    pub fn password(user: &str, domain: &str, password: &str) -> Self {
        let (domain, user) = match user.split_once('\\') {
            Some((named, user)) if domain.is_empty() => (named, user),
            _ => (domain, user),
        };
        let hash = NtHash::from_password(password);
        Self::Password { user: user.to_owned(), domain: domain.to_owned(), hash }
    }
}

/// The random bytes of one client exchange. Never use them twice.
#[derive(Clone)]
pub struct ClientEntropy {
    /// ClientChallenge of NTLM.
    pub challenge: [u8; 8],
    /// The session key that the client chooses, from a cryptographic generator.
    pub session_key: [u8; 16],
}

impl std::fmt::Debug for ClientEntropy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClientEntropy(..)")
    }
}

impl Drop for ClientEntropy {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.session_key);
    }
}

/// What a client needs for one exchange.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// Who we are.
    pub credentials: Credentials,
    /// The service principal name we mean to reach: `cifs/` and the server's name as the user gave it.
    pub target: String,
    /// The name of this machine; may be empty.
    pub workstation: String,
    /// MD5 of the channel bindings structure, where the link below has any ([MS-NLMP] 2.2.2.1).
    pub channel_bindings: Option<[u8; 16]>,
    /// The time as a FILETIME, used where the server does not say its own.
    pub now: u64,
    /// Random bytes.
    pub entropy: ClientEntropy,
}

/// What a server does about an AUTHENTICATE message without a MIC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MicPolicy {
    /// Refuse it: our CHALLENGE always has a timestamp, and a client that follows [MS-NLMP] 3.1.5.1.2 then
    /// sends a MIC.
    #[default]
    Required,
    /// Accept it where the client, under the proof of its password, does not announce one. The Linux
    /// kernel's client never sends a MIC.
    WhenAnnounced,
}

/// What a server needs for one exchange.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// NetBIOS name of the server, at most 15 characters, upper case by convention.
    pub netbios_name: String,
    /// NetBIOS name of its domain or workgroup; the server's own name where it is in none.
    pub netbios_domain: String,
    /// DNS name of the server.
    pub dns_name: String,
    /// DNS name of its domain; may be empty.
    pub dns_domain: String,
    /// The time as a FILETIME.
    pub now: u64,
    /// ServerChallenge: eight random bytes, never used twice.
    pub challenge: [u8; 8],
    /// Whether clients must send a MIC.
    pub mic: MicPolicy,
}
