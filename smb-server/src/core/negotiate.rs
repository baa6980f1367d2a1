//! NEGOTIATE: what is agreed — [MS-SMB2] 3.3.5.3, 3.3.5.4.

use crate::config::{Config, Policy};
use smb_proto::{
    crypto::sign::default_algorithm,
    dialect::{Cipher, Dialect, HashAlgorithm, SigningAlgorithm},
    msg::{Capabilities, NegotiateContext, NegotiateRequest, SecurityMode},
    status::NtStatus,
};

/// READ and WRITE at 2.0.2, which has no multi-credit requests.
const SINGLE_CREDIT: u32 = 65_536;

/// What both sides agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreed {
    /// The dialect.
    pub dialect: Dialect,
    /// The cipher, NONE where sessions cannot be sealed.
    pub cipher: Cipher,
    /// What signs.
    pub signing: SigningAlgorithm,
    /// The server's capabilities.
    pub capabilities: Capabilities,
    /// The server's security mode.
    pub security_mode: SecurityMode,
    /// The client's GUID.
    pub client_guid: [u8; 16],
    /// The client's capabilities.
    pub client_capabilities: Capabilities,
    /// The client's security mode.
    pub client_security_mode: SecurityMode,
    /// The dialects the client offered.
    pub client_dialects: Vec<Dialect>,
    /// The most bytes of READ and WRITE.
    pub max_io: u32,
    /// The most bytes of other buffers.
    pub max_transact: u32,
    /// The client sent SMB2_SIGNING_CAPABILITIES.
    signing_context: bool,
    /// The client sent SMB2_ENCRYPTION_CAPABILITIES.
    encryption_context: bool,
}

impl Agreed {
    /// Whether requests may span several credits.
    pub fn multi_credit(&self) -> bool {
        self.capabilities.contains(Capabilities::LARGE_MTU)
    }

    /// The contexts of the response, with `salt` for the preauthentication hash.
    pub fn contexts(&self, salt: &[u8; 32]) -> Vec<NegotiateContext> {
        if self.dialect != Dialect::SMB_3_1_1 {
            return Vec::new();
        }
        let mut contexts =
            vec![NegotiateContext::Preauth { hashes: vec![HashAlgorithm::SHA_512], salt: salt.to_vec() }];
        if self.encryption_context {
            contexts.push(NegotiateContext::Encryption(vec![self.cipher]));
        }
        if self.signing_context {
            contexts.push(NegotiateContext::Signing(vec![self.signing]));
        }
        contexts
    }
}

/// The security mode a server of this configuration announces.
pub fn security_mode(config: &Config) -> SecurityMode {
    match config.signing {
        Policy::Off => SecurityMode::NONE,
        Policy::Allowed => SecurityMode::SIGNING_ENABLED,
        Policy::Required => SecurityMode::SIGNING_ENABLED.with(SecurityMode::SIGNING_REQUIRED),
    }
}

/// Chooses what to answer a NEGOTIATE with; the error is its status.
pub fn choose(config: &Config, request: &NegotiateRequest) -> Result<Agreed, NtStatus> {
    if request.dialects.is_empty() {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    let dialect = best_dialect(config, &request.dialects).ok_or(NtStatus::NOT_SUPPORTED)?;
    let mut agreed = Agreed {
        dialect,
        cipher: Cipher::NONE,
        signing: default_algorithm(dialect),
        capabilities: Capabilities::NONE,
        security_mode: security_mode(config),
        client_guid: request.client_guid,
        client_capabilities: request.capabilities,
        client_security_mode: request.security_mode,
        client_dialects: request.dialects.clone(),
        max_io: config.limits.max_io,
        max_transact: config.limits.max_transact,
        signing_context: false,
        encryption_context: false,
    };
    if dialect.has_multi_credit() {
        agreed.capabilities = Capabilities::LARGE_MTU;
    } else {
        agreed.max_io = agreed.max_io.min(SINGLE_CREDIT);
        agreed.max_transact = agreed.max_transact.min(SINGLE_CREDIT);
    }
    match dialect {
        Dialect::SMB_3_1_1 => contexts(config, &request.contexts, &mut agreed)?,
        Dialect::SMB_3_0 | Dialect::SMB_3_0_2 => cipher_of_3_0(config, request, &mut agreed),
        _ => {}
    }
    Ok(agreed)
}

/// The best dialect of both; at least 3.0 where everything must be sealed.
pub fn best_dialect(config: &Config, offered: &[Dialect]) -> Option<Dialect> {
    let sealed = config.encryption == Policy::Required;
    Dialect::ALL
        .into_iter()
        .rev()
        .filter(|dialect| config.dialects.contains(dialect) && (dialect.is_smb3() || !sealed))
        .find(|dialect| offered.contains(dialect))
}

fn cipher_of_3_0(config: &Config, request: &NegotiateRequest, agreed: &mut Agreed) {
    let both = config.encryption != Policy::Off
        && config.ciphers.contains(&Cipher::AES_128_CCM)
        && request.capabilities.contains(Capabilities::ENCRYPTION);
    if both {
        agreed.cipher = Cipher::AES_128_CCM;
        agreed.capabilities = agreed.capabilities.with(Capabilities::ENCRYPTION);
    }
}

fn contexts(config: &Config, contexts: &[NegotiateContext], agreed: &mut Agreed) -> Result<(), NtStatus> {
    let mut preauth = 0;
    for context in contexts {
        match context {
            NegotiateContext::Preauth { hashes, .. } => {
                preauth += 1;
                if !hashes.contains(&HashAlgorithm::SHA_512) {
                    return Err(NtStatus::SMB_NO_PREAUTH_INTEGRITY_HASH_OVERLAP);
                }
            }
            NegotiateContext::Encryption(offered) => {
                once(&mut agreed.encryption_context)?;
                if config.encryption != Policy::Off {
                    agreed.cipher = common(&config.ciphers, offered).unwrap_or(Cipher::NONE);
                }
            }
            NegotiateContext::Signing(offered) => {
                once(&mut agreed.signing_context)?;
                if offered.is_empty() {
                    return Err(NtStatus::INVALID_PARAMETER);
                }
                let algorithm = common(&config.signing_algorithms, offered);
                agreed.signing = algorithm.unwrap_or(SigningAlgorithm::AES_CMAC);
            }
            _ => {}
        }
    }
    if preauth == 1 { Ok(()) } else { Err(NtStatus::INVALID_PARAMETER) }
}

/// A context may come once only.
fn once(seen: &mut bool) -> Result<(), NtStatus> {
    if std::mem::replace(seen, true) { Err(NtStatus::INVALID_PARAMETER) } else { Ok(()) }
}

/// The first of `ours` that is also among `theirs`.
fn common<T: Copy + PartialEq>(ours: &[T], theirs: &[T]) -> Option<T> {
    ours.iter().copied().find(|one| theirs.contains(one))
}

/// What an SMB1 NEGOTIATE that also offers SMB2 is answered with — [MS-SMB2] 3.3.5.3.1, 3.3.5.3.2: the wildcard where
/// the client speaks more than 2.0.2, so that it negotiates again. `None`: no SMB2 dialect in it.
pub fn multi_protocol(config: &Config, frame: &[u8]) -> Option<Dialect> {
    const COMMAND: usize = 4;
    const NEGOTIATE: u8 = 0x72;
    const DIALECTS: usize = 35;
    if frame.get(COMMAND) != Some(&NEGOTIATE) {
        return None;
    }
    let strings = frame.get(DIALECTS..)?;
    let offers =
        |name: &[u8]| strings.split(|byte| *byte == 0).any(|one| one.strip_prefix(b"\x02") == Some(name));
    if offers(b"SMB 2.???") && *config.dialects.end() > Dialect::SMB_2_0_2 {
        Some(Dialect::WILDCARD)
    } else if offers(b"SMB 2.002") && best_dialect(config, &[Dialect::SMB_2_0_2]).is_some() {
        Some(Dialect::SMB_2_0_2)
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
