//! The server's side of NTLM — [MS-NLMP] 3.2.5.
//!
//! ```text
//!            step(NEGOTIATE)               step(AUTHENTICATE)
//!   Start ───────────────────▶ Challenged ───────────────────▶ Done (or an error, and Failed)
//!          CHALLENGE out                   response and MIC checked
//! ```

use super::{
    Authenticate, AvId, Challenge, ClientChallenge, Negotiate, NegotiateFlags, Ntlmv2Response, TargetInfo,
    Version,
    keys::{self, Direction},
    response,
};
use crate::auth::{
    Accounts, AuthError, Identity, MechanismStep, MicPolicy, NtHash, Oid, ServerConfig, ServerMechanism,
    SessionKey,
};

/// What we agree to if the client asks for it.
const SUPPORTED: NegotiateFlags = NegotiateFlags(
    NegotiateFlags::UNICODE.0
        | NegotiateFlags::REQUEST_TARGET.0
        | NegotiateFlags::SIGN.0
        | NegotiateFlags::SEAL.0
        | NegotiateFlags::NTLM.0
        | NegotiateFlags::ALWAYS_SIGN.0
        | NegotiateFlags::EXTENDED_SESSION_SECURITY.0
        | NegotiateFlags::KEY_128.0
        | NegotiateFlags::KEY_56.0
        | NegotiateFlags::KEY_EXCH.0,
);

#[derive(Debug)]
enum State {
    Start,
    Challenged { negotiate: Vec<u8>, challenge: Vec<u8>, flags: NegotiateFlags },
    Done { key: Option<SessionKey>, flags: NegotiateFlags, identity: Identity },
    Failed,
}

/// NTLM as a server mechanism.
#[derive(Debug)]
pub struct NtlmServer {
    config: ServerConfig,
    state: State,
}

/// What a checked AUTHENTICATE message gives.
struct Verified {
    identity: Identity,
    key: Option<SessionKey>,
    flags: NegotiateFlags,
}

impl NtlmServer {
    /// An exchange that has not begun. The challenge in `config` must not have been used before.
    pub const fn new(config: ServerConfig) -> Self {
        Self { config, state: State::Start }
    }

    /// An exchange that stands where a recorded one stood after its CHALLENGE message.
    #[cfg(test)]
    pub(crate) fn recorded(config: ServerConfig, negotiate: &[u8], challenge: &[u8]) -> Self {
        let message = Challenge::parse(challenge).unwrap();
        let config = ServerConfig { challenge: message.challenge, ..config };
        let (negotiate, challenge) = (negotiate.to_vec(), challenge.to_vec());
        Self { config, state: State::Challenged { negotiate, challenge, flags: message.flags } }
    }

    fn challenge(&mut self, token: &[u8]) -> Result<Vec<u8>, AuthError> {
        let negotiate = Negotiate::parse(token)?;
        let mut flags = negotiate.flags & SUPPORTED;
        if !flags.contains(NegotiateFlags::UNICODE) {
            return Err(AuthError::Weak("Unicode"));
        }
        if !flags.contains(NegotiateFlags::EXTENDED_SESSION_SECURITY) {
            return Err(AuthError::Weak("extended session security"));
        }
        // NTLM and the target type are always said, whatever was asked for (3.2.5.1.1).
        flags = flags | NegotiateFlags::NTLM;
        let mut target_name = String::new();
        if flags.contains(NegotiateFlags::REQUEST_TARGET) {
            flags = flags | NegotiateFlags::TARGET_TYPE_SERVER;
            target_name.clone_from(&self.config.netbios_name);
        }
        let message = Challenge {
            flags,
            target_name,
            challenge: self.config.challenge,
            target_info: Some(target_info(&self.config)),
            version: Some(Version::OURS),
        };
        let challenge = message.emit();
        let flags = flags | NegotiateFlags::TARGET_INFO;
        self.state = State::Challenged { negotiate: token.to_vec(), challenge: challenge.clone(), flags };
        Ok(challenge)
    }

    fn authenticate(
        &self,
        (negotiate, challenge, offered): (&[u8], &[u8], NegotiateFlags),
        token: &[u8],
        accounts: &dyn Accounts,
    ) -> Result<Verified, AuthError> {
        let message = Authenticate::parse(token)?;
        let flags = message.flags & offered;
        if is_anonymous(&message) {
            return anonymous(&message, flags, accounts);
        }
        if message.nt_response.is_empty() {
            // A name without any answer is `smbclient -N`; one with an LM answer alone is an old client.
            return match message.lm_response.is_empty() {
                true => guest(message, flags, accounts),
                false => Err(AuthError::Ntlmv1),
            };
        }
        let response = Ntlmv2Response::parse(&message.nt_response)?;
        let temp = ClientChallenge::parse(&response.temp)?;
        let Some(base_key) = self.check_password(&message, &response, accounts) else {
            return guest(message, flags, accounts);
        };
        let key = exported_key(&message, flags, base_key)?;
        self.check_mic(&message, &temp, || keys::mic(&key, negotiate, challenge, token))?;
        let identity = Identity::User {
            user: message.user,
            domain: message.domain,
            workstation: message.workstation,
            target_name: temp.target_info.name(AvId::TARGET_NAME).filter(|name| !name.is_empty()),
            channel_bindings: bindings(&temp.target_info),
        };
        Ok(Verified { identity, key: Some(key), flags })
    }

    /// SessionBaseKey if the password is right. An unknown user costs the same time as a wrong password.
    fn check_password(
        &self,
        message: &Authenticate,
        response: &Ntlmv2Response,
        accounts: &dyn Accounts,
    ) -> Option<SessionKey> {
        let account = accounts.nt_hash(&message.user, &message.domain);
        let known = account.is_some();
        let hash = account.unwrap_or(NtHash::from_bytes([0; 16]));
        let key = response::ntowf_v2(&hash, &message.user, &message.domain);
        let right = response.verify(&key, self.config.challenge);
        let base_key = response.session_base_key(&key);
        (right && known).then_some(base_key)
    }

    fn check_mic(
        &self,
        message: &Authenticate,
        temp: &ClientChallenge,
        expected: impl FnOnce() -> Result<[u8; 16], AuthError>,
    ) -> Result<(), AuthError> {
        match (temp.target_info.has_mic(), message.mic) {
            (true, Some(mic)) if crate::auth::secret::same(&expected()?, &mic) => Ok(()),
            (true, Some(_)) => Err(AuthError::BadMic),
            (true, None) => Err(AuthError::MissingMic),
            (false, _) if self.config.mic == MicPolicy::Required => Err(AuthError::MissingMic),
            (false, _) => Ok(()),
        }
    }
}

fn target_info(config: &ServerConfig) -> TargetInfo {
    let mut info = TargetInfo::default();
    info.set_name(AvId::NB_DOMAIN_NAME, &config.netbios_domain);
    info.set_name(AvId::NB_COMPUTER_NAME, &config.netbios_name);
    info.set_name(AvId::DNS_DOMAIN_NAME, &config.dns_domain);
    info.set_name(AvId::DNS_COMPUTER_NAME, &config.dns_name);
    info.set(AvId::TIMESTAMP, config.now.to_le_bytes().to_vec());
    info
}

/// [MS-NLMP] 3.2.5.1.2: no name, no NT response, and an LM response that is empty or one zero.
fn is_anonymous(message: &Authenticate) -> bool {
    message.user.is_empty()
        && message.nt_response.is_empty()
        && matches!(message.lm_response.as_slice(), [] | [0])
}

fn anonymous(
    message: &Authenticate,
    flags: NegotiateFlags,
    accounts: &dyn Accounts,
) -> Result<Verified, AuthError> {
    if !accounts.anonymous() {
        return Err(AuthError::AnonymousRefused);
    }
    // The key of a client without a password is known to all, so nothing is exported under it.
    exported_key(message, flags, SessionKey::from_bytes([0; 16]))?;
    Ok(Verified { identity: Identity::Anonymous, key: None, flags })
}

/// Someone who is not who they say: a guest if the embedder knows no such account and lets guests in.
fn guest(
    message: Authenticate,
    flags: NegotiateFlags,
    accounts: &dyn Accounts,
) -> Result<Verified, AuthError> {
    let Authenticate { user, domain, .. } = message;
    if accounts.nt_hash(&user, &domain).is_none() && accounts.guest(&user, &domain) {
        Ok(Verified { identity: Identity::Guest { user, domain }, key: None, flags })
    } else {
        Err(AuthError::LogonFailure)
    }
}

fn exported_key(
    message: &Authenticate,
    flags: NegotiateFlags,
    base_key: SessionKey,
) -> Result<SessionKey, AuthError> {
    if !flags.contains(NegotiateFlags::KEY_EXCH) {
        return Ok(base_key);
    }
    let encrypted: [u8; 16] = message
        .encrypted_session_key
        .as_slice()
        .try_into()
        .map_err(|_| AuthError::Token("EncryptedRandomSessionKey is not 16 bytes"))?;
    Ok(SessionKey::from_bytes(keys::rc4(base_key.as_bytes(), encrypted)))
}

/// The client's channel bindings; zeros mean none.
fn bindings(info: &TargetInfo) -> Option<[u8; 16]> {
    let bindings: [u8; 16] = info.get(AvId::CHANNEL_BINDINGS)?.try_into().ok()?;
    (bindings != [0; 16]).then_some(bindings)
}

impl ServerMechanism for NtlmServer {
    fn oid(&self) -> Oid {
        Oid::ntlmssp()
    }

    fn step(&mut self, token: &[u8], accounts: &dyn Accounts) -> Result<MechanismStep, AuthError> {
        match std::mem::replace(&mut self.state, State::Failed) {
            State::Start => self.challenge(token).map(MechanismStep::Continue),
            State::Challenged { negotiate, challenge, flags } => {
                let Verified { identity, key, flags } =
                    self.authenticate((&negotiate, &challenge, flags), token, accounts)?;
                self.state = State::Done { key, flags, identity };
                Ok(MechanismStep::Done(None))
            }
            State::Done { .. } | State::Failed => Err(AuthError::State),
        }
    }

    fn identity(&self) -> Option<&Identity> {
        match &self.state {
            State::Done { identity, .. } => Some(identity),
            _ => None,
        }
    }

    fn session_key(&self) -> Option<&SessionKey> {
        match &self.state {
            State::Done { key, .. } => key.as_ref(),
            _ => None,
        }
    }

    fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        match &self.state {
            State::Done { key: Some(key), flags, .. } if flags.contains(NegotiateFlags::SIGN) => {
                Some(keys::signature(key, *flags, Direction::ServerToClient, message).to_vec())
            }
            _ => None,
        }
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> Option<bool> {
        match &self.state {
            State::Done { key: Some(key), flags, .. } => {
                Some(keys::verify_signature(key, *flags, Direction::ClientToServer, message, signature))
            }
            _ => None,
        }
    }
}
