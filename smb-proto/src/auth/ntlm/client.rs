//! The client's side of NTLM — [MS-NLMP] 3.1.5.
//!
//! ```text
//!            step(nothing)               step(CHALLENGE)
//!   Start ─────────────────▶ Negotiated ────────────────▶ Done
//!          NEGOTIATE out                 AUTHENTICATE out, session key
//! ```

use super::{
    Authenticate, AvId, Challenge, ClientChallenge, Negotiate, NegotiateFlags, Ntlmv2Response, TargetInfo,
    Version,
    keys::{self, Direction},
    response,
};
use crate::auth::{AuthError, ClientConfig, ClientMechanism, Credentials, MechanismStep, Oid, SessionKey};

/// What we ask for: what Samba's client asks for, too. Sealing is not used by SMB2.
const OFFER: NegotiateFlags = NegotiateFlags(
    NegotiateFlags::UNICODE.0
        | NegotiateFlags::REQUEST_TARGET.0
        | NegotiateFlags::SIGN.0
        | NegotiateFlags::NTLM.0
        | NegotiateFlags::ALWAYS_SIGN.0
        | NegotiateFlags::EXTENDED_SESSION_SECURITY.0
        | NegotiateFlags::KEY_128.0
        | NegotiateFlags::KEY_EXCH.0,
);

#[derive(Debug)]
enum State {
    Start,
    Negotiated { negotiate: Vec<u8> },
    Done { key: SessionKey, flags: NegotiateFlags },
}

/// NTLM as a client mechanism.
#[derive(Debug)]
pub struct NtlmClient {
    config: ClientConfig,
    state: State,
}

impl NtlmClient {
    /// An exchange that has not begun.
    pub const fn new(config: ClientConfig) -> Self {
        Self { config, state: State::Start }
    }

    /// An exchange that stands where a recorded one stood after its AUTHENTICATE message.
    #[cfg(test)]
    pub(crate) fn recorded(config: ClientConfig, key: SessionKey, flags: NegotiateFlags) -> Self {
        Self { config, state: State::Done { key, flags } }
    }

    fn negotiate(&mut self) -> Vec<u8> {
        let message = Negotiate {
            flags: OFFER,
            domain: Vec::new(),
            workstation: Vec::new(),
            version: Some(Version::OURS),
        };
        let negotiate = message.emit();
        self.state = State::Negotiated { negotiate: negotiate.clone() };
        negotiate
    }

    fn authenticate(&mut self, negotiate: &[u8], token: &[u8]) -> Result<Vec<u8>, AuthError> {
        let challenge = Challenge::parse(token)?;
        let flags = agreed(challenge.flags)?;
        let (message, base_key, mic) = match &self.config.credentials {
            Credentials::Anonymous => (anonymous(), SessionKey::from_bytes([0; 16]), false),
            Credentials::Password { user, domain, hash } => {
                let key = response::ntowf_v2(hash, user, domain);
                let (temp, mic) = self.client_challenge(challenge.target_info.unwrap_or_default());
                let response = Ntlmv2Response::compute(&key, challenge.challenge, temp.emit());
                let base_key = response.session_base_key(&key);
                (named(user, domain, &self.config.workstation, &response), base_key, mic)
            }
        };
        let (encrypted, key) = exchange(flags, base_key, self.config.entropy.session_key);
        let flags = flags | (message.flags & NegotiateFlags::ANONYMOUS);
        let message = Authenticate {
            flags: flags | NegotiateFlags::VERSION,
            encrypted_session_key: encrypted,
            mic: mic.then_some([0; 16]),
            ..message
        };
        let bytes = match mic {
            true => {
                let mic = Some(keys::mic(&key, negotiate, token, &message.emit())?);
                Authenticate { mic, ..message }.emit()
            }
            false => message.emit(),
        };
        self.state = State::Done { key, flags };
        Ok(bytes)
    }

    /// "temp", and whether a MIC goes with it ([MS-NLMP] 3.1.5.1.2).
    fn client_challenge(&self, mut target_info: TargetInfo) -> (ClientChallenge, bool) {
        let timestamp = target_info.timestamp();
        if timestamp.is_some() {
            target_info.announce_mic();
        }
        let bindings = self.config.channel_bindings.unwrap_or_default();
        target_info.set(AvId::CHANNEL_BINDINGS, bindings.to_vec());
        target_info.set_name(AvId::TARGET_NAME, &self.config.target);
        let temp = ClientChallenge {
            time: timestamp.unwrap_or(self.config.now),
            challenge: self.config.entropy.challenge,
            target_info,
        };
        (temp, timestamp.is_some())
    }
}

/// The flags both sides have, if they are enough.
fn agreed(server: NegotiateFlags) -> Result<NegotiateFlags, AuthError> {
    if !server.contains(NegotiateFlags::EXTENDED_SESSION_SECURITY) {
        return Err(AuthError::Weak("extended session security"));
    }
    if !server.contains(NegotiateFlags::KEY_128) {
        return Err(AuthError::Weak("128-bit session keys"));
    }
    // TARGET_INFO is only the server's to set but is echoed by all clients.
    Ok(server & (OFFER | NegotiateFlags::TARGET_INFO))
}

fn anonymous() -> Authenticate {
    Authenticate {
        flags: NegotiateFlags::ANONYMOUS,
        lm_response: vec![0],
        nt_response: Vec::new(),
        domain: String::new(),
        user: String::new(),
        workstation: String::new(),
        encrypted_session_key: Vec::new(),
        version: Version::OURS,
        mic: None,
    }
}

fn named(user: &str, domain: &str, workstation: &str, response: &Ntlmv2Response) -> Authenticate {
    Authenticate {
        flags: NegotiateFlags::default(),
        lm_response: Vec::new(),
        nt_response: response.emit(),
        user: user.to_owned(),
        domain: domain.to_owned(),
        workstation: workstation.to_owned(),
        ..anonymous()
    }
}

/// EncryptedRandomSessionKey and ExportedSessionKey.
fn exchange(flags: NegotiateFlags, base_key: SessionKey, random: [u8; 16]) -> (Vec<u8>, SessionKey) {
    if flags.contains(NegotiateFlags::KEY_EXCH) {
        let encrypted = keys::rc4(base_key.as_bytes(), random);
        (encrypted.to_vec(), SessionKey::from_bytes(random))
    } else {
        (Vec::new(), base_key)
    }
}

impl ClientMechanism for NtlmClient {
    fn oid(&self) -> Oid {
        Oid::ntlmssp()
    }

    fn step(&mut self, token: &[u8]) -> Result<MechanismStep, AuthError> {
        match std::mem::replace(&mut self.state, State::Start) {
            State::Start if token.is_empty() => Ok(MechanismStep::Continue(self.negotiate())),
            State::Negotiated { negotiate } => {
                self.authenticate(&negotiate, token).map(|token| MechanismStep::Done(Some(token)))
            }
            state => {
                self.state = state;
                Err(AuthError::State)
            }
        }
    }

    fn session_key(&self) -> Option<&SessionKey> {
        match &self.state {
            State::Done { key, .. } => Some(key),
            _ => None,
        }
    }

    fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        match &self.state {
            // A signature under the key that anonymous clients have says nothing, and none is expected.
            State::Done { flags, .. } if flags.contains(NegotiateFlags::ANONYMOUS) => None,
            State::Done { key, flags } if flags.contains(NegotiateFlags::SIGN) => {
                Some(keys::signature(key, *flags, Direction::ClientToServer, message).to_vec())
            }
            _ => None,
        }
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.state {
            State::Done { key, flags } => {
                keys::verify_signature(key, *flags, Direction::ServerToClient, message, signature)
            }
            _ => false,
        }
    }
}
