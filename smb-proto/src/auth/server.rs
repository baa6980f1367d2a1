//! The server's side of an exchange: SPNEGO around the mechanisms — RFC 4178 section 3, [MS-SPNG] 3.2.5.
//!
//! ```text
//!           NegTokenInit, our mechanism first: its answer    NegTokenResp,
//!           NegTokenInit, another first: request-mic          more of it
//!   Start ────────────────────────────────────────────▶ Running ◀──┐
//!     │                                                   │  └─────┘
//!     │ raw NTLMSSP                                       │ mechanism done, mechListMIC right
//!     └─────────────▶ Raw ──▶ … ─────────────────────────▶ Over ◀── any error
//! ```

use super::{
    Accounts, AuthError, Identity, MechanismStep, NegState, NegTokenInit, NegTokenResp, Oid, ServerConfig,
    ServerMechanism, SessionKey,
    ntlm::{NtlmServer, is_ntlmssp},
};

/// What a server does next.
#[derive(Debug)]
pub enum ServerStep {
    /// Answer `STATUS_MORE_PROCESSING_REQUIRED` with this security buffer.
    Continue(Vec<u8>),
    /// The client is in.
    Done(Authenticated),
}

/// The end of an exchange that went well.
#[derive(Debug)]
pub struct Authenticated {
    /// Who the client is.
    pub identity: Identity,
    /// Session.SessionKey; `None` for guests and anonymous clients, who cannot sign or seal.
    pub session_key: Option<SessionKey>,
    /// The security buffer of the last response; may be empty.
    pub token: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing came yet.
    Start,
    /// The mechanism was chosen and its next token is to come.
    Running,
    /// A raw mechanism, without SPNEGO.
    Raw,
    Over,
}

/// The server's side of one authentication exchange.
///
/// Feed it the security buffers of the client's SESSION_SETUP requests. An error is the end: answer its
/// [`status`](AuthError::status) and drop the exchange.
#[derive(Debug)]
pub struct ServerAuth {
    mechanism: Box<dyn ServerMechanism>,
    state: State,
    /// The client's MechTypeList, as it was encoded.
    mech_list: Vec<u8>,
    mic_required: bool,
}

impl ServerAuth {
    /// An exchange by NTLM.
    pub fn new(config: ServerConfig) -> Self {
        Self::with_mechanism(Box::new(NtlmServer::new(config)))
    }

    /// An exchange by another mechanism.
    pub fn with_mechanism(mechanism: Box<dyn ServerMechanism>) -> Self {
        Self { mechanism, state: State::Start, mech_list: Vec::new(), mic_required: false }
    }

    /// An exchange in which the mechanism's first token was answered already.
    #[cfg(test)]
    pub(super) fn recorded(mechanism: Box<dyn ServerMechanism>, mech_list: Option<Vec<u8>>) -> Self {
        let state = if mech_list.is_some() { State::Running } else { State::Raw };
        Self { state, mech_list: mech_list.unwrap_or_default(), ..Self::with_mechanism(mechanism) }
    }

    /// The security buffer of the NEGOTIATE response: which mechanisms there are.
    pub fn initial_token() -> Vec<u8> {
        NegTokenInit::server(vec![Oid::ntlmssp()]).emit()
    }

    /// Takes the security buffer of a SESSION_SETUP request.
    pub fn step(&mut self, token: &[u8], accounts: &dyn Accounts) -> Result<ServerStep, AuthError> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Start if is_ntlmssp(token) => self.raw(token, accounts),
            State::Start => self.first(NegTokenInit::parse(token)?, accounts),
            State::Running => self.next(NegTokenResp::parse(token)?, accounts),
            State::Raw => self.raw(token, accounts),
            State::Over => Err(AuthError::State),
        }
    }

    fn raw(&mut self, token: &[u8], accounts: &dyn Accounts) -> Result<ServerStep, AuthError> {
        match self.mechanism.step(token, accounts)? {
            MechanismStep::Continue(token) => {
                self.state = State::Raw;
                Ok(ServerStep::Continue(token))
            }
            MechanismStep::Done(token) => self.done(token.unwrap_or_default()),
        }
    }

    fn first(&mut self, init: NegTokenInit, accounts: &dyn Accounts) -> Result<ServerStep, AuthError> {
        let oid = self.mechanism.oid();
        if !init.mech_types.contains(&oid) {
            return Err(AuthError::NoCommonMechanism);
        }
        self.mech_list = init.mech_list_der;
        let preferred = init.mech_types.first() == Some(&oid);
        // Not the client's first choice: it must be able to tell that nobody changed its list (RFC 4178
        // section 5), and its optimistic token is for another mechanism.
        self.mic_required = !preferred;
        let state = if preferred { NegState::ACCEPT_INCOMPLETE } else { NegState::REQUEST_MIC };
        let answer = NegTokenResp { supported_mech: Some(oid), ..NegTokenResp::default() };
        match init.mech_token.filter(|_| preferred) {
            Some(token) => self.drive(&token, None, answer, accounts),
            None => {
                self.state = State::Running;
                Ok(ServerStep::Continue(NegTokenResp { neg_state: Some(state), ..answer }.emit()))
            }
        }
    }

    fn next(&mut self, response: NegTokenResp, accounts: &dyn Accounts) -> Result<ServerStep, AuthError> {
        if response.neg_state == Some(NegState::REJECT) {
            return Err(AuthError::Rejected);
        }
        let token = response.response_token.ok_or(AuthError::Token("no response token"))?;
        self.drive(&token, response.mech_list_mic.as_deref(), NegTokenResp::default(), accounts)
    }

    /// Lets the mechanism take a token and wraps what it answers.
    fn drive(
        &mut self,
        token: &[u8],
        mic: Option<&[u8]>,
        answer: NegTokenResp,
        accounts: &dyn Accounts,
    ) -> Result<ServerStep, AuthError> {
        match self.mechanism.step(token, accounts)? {
            MechanismStep::Continue(token) => {
                self.state = State::Running;
                let neg_state = Some(NegState::ACCEPT_INCOMPLETE);
                Ok(ServerStep::Continue(
                    NegTokenResp { neg_state, response_token: Some(token), ..answer }.emit(),
                ))
            }
            MechanismStep::Done(token) => {
                self.check_mech_list(mic)?;
                // Ours is sent where the client's was: a client that sent none does not expect one.
                let mech_list_mic = mic.and_then(|_| self.mechanism.sign(&self.mech_list));
                let neg_state = Some(NegState::ACCEPT_COMPLETED);
                self.done(NegTokenResp { neg_state, response_token: token, mech_list_mic, ..answer }.emit())
            }
        }
    }

    fn check_mech_list(&self, mic: Option<&[u8]>) -> Result<(), AuthError> {
        // Without a key there is nothing to check against; a guest proves nothing anyway.
        if self.mechanism.session_key().is_none() {
            return Ok(());
        }
        match mic {
            Some(mic) if self.mechanism.verify(&self.mech_list, mic) == Some(false) => {
                Err(AuthError::BadMechListMic)
            }
            None if self.mic_required => Err(AuthError::MissingMechListMic),
            _ => Ok(()),
        }
    }

    fn done(&mut self, token: Vec<u8>) -> Result<ServerStep, AuthError> {
        let identity = self.mechanism.identity().cloned().ok_or(AuthError::State)?;
        let session_key = self.mechanism.session_key().cloned();
        Ok(ServerStep::Done(Authenticated { identity, session_key, token }))
    }
}
