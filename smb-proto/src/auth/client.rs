//! The client's side of an exchange: SPNEGO around one mechanism — RFC 4178 section 3, [MS-SPNG] 3.1.5.
//!
//! ```text
//!          start(hint)          step(token)                step(token)
//!   Start ────────────▶ Offered ───────────▶ … ──▶ Waiting ───────────▶ Done
//!          NegTokenInit          NegTokenResp       (mechanism  checks negState
//!          with NTLM token       with next token     is done)   and mechListMIC
//! ```

use super::{
    AuthError, ClientConfig, ClientMechanism, MechanismStep, NegState, NegTokenInit, NegTokenResp,
    SessionKey, ntlm::NtlmClient,
};

/// What a client does next.
#[derive(Debug)]
pub enum ClientStep {
    /// Send this in the next SESSION_SETUP request.
    Send(Vec<u8>),
    /// The exchange has succeeded.
    Done(SessionKey),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    Offered,
    Waiting,
    Done,
}

/// The client's side of one authentication exchange.
///
/// Feed it the security buffers of the server's responses; send what it returns. A server that lets the client
/// in as guest or anonymous has no key: where the SESSION_SETUP response has one of these flags, the last token
/// need not be fed.
#[derive(Debug)]
pub struct ClientAuth {
    mechanism: Box<dyn ClientMechanism>,
    state: State,
    /// The MechTypeList that was sent, for the mechListMIC.
    mech_list: Vec<u8>,
    mic_required: bool,
}

impl ClientAuth {
    /// An exchange by NTLM.
    pub fn new(config: ClientConfig) -> Self {
        Self::with_mechanism(Box::new(NtlmClient::new(config)))
    }

    /// An exchange by another mechanism.
    pub fn with_mechanism(mechanism: Box<dyn ClientMechanism>) -> Self {
        Self { mechanism, state: State::Start, mech_list: Vec::new(), mic_required: false }
    }

    /// An exchange that waits for the server's last word.
    #[cfg(test)]
    pub(super) fn recorded(mechanism: Box<dyn ClientMechanism>, mech_list: Vec<u8>) -> Self {
        Self { state: State::Waiting, mech_list, ..Self::with_mechanism(mechanism) }
    }

    /// The first token. `hint` is the security buffer of the NEGOTIATE response; an empty one leaves the choice
    /// to the client ([MS-SMB2] 3.2.4.2.3).
    pub fn start(&mut self, hint: &[u8]) -> Result<Vec<u8>, AuthError> {
        if self.state != State::Start {
            return Err(AuthError::State);
        }
        let oid = self.mechanism.oid();
        if !hint.is_empty() && !NegTokenInit::parse(hint)?.mech_types.contains(&oid) {
            return Err(AuthError::NoCommonMechanism);
        }
        let token = match self.mechanism.step(&[])? {
            MechanismStep::Continue(token) => token,
            MechanismStep::Done(token) => token.ok_or(AuthError::State)?,
        };
        let init = NegTokenInit::new(vec![oid], Some(token));
        self.state = State::Offered;
        self.mech_list.clone_from(&init.mech_list_der);
        Ok(init.emit())
    }

    /// Takes the security buffer of a SESSION_SETUP response.
    pub fn step(&mut self, token: &[u8]) -> Result<ClientStep, AuthError> {
        match self.state {
            State::Offered => self.answer(NegTokenResp::parse(token)?),
            State::Waiting => self.finish(token),
            State::Start | State::Done => Err(AuthError::State),
        }
    }

    /// The key as soon as this side has it: before the server's last word, whose message it may sign.
    pub fn session_key(&self) -> Option<&SessionKey> {
        self.mechanism.session_key()
    }

    fn answer(&mut self, response: NegTokenResp) -> Result<ClientStep, AuthError> {
        self.check_state(&response)?;
        if response.neg_state == Some(NegState::ACCEPT_COMPLETED) {
            return Err(AuthError::Token("accepted before the exchange was over"));
        }
        let token = response.response_token.ok_or(AuthError::Token("no response token"))?;
        let (response_token, mech_list_mic) = match self.mechanism.step(&token)? {
            MechanismStep::Continue(token) => (Some(token), None),
            MechanismStep::Done(token) => {
                self.state = State::Waiting;
                (token, self.mechanism.sign(&self.mech_list))
            }
        };
        let answer = NegTokenResp { response_token, mech_list_mic, ..NegTokenResp::default() };
        Ok(ClientStep::Send(answer.emit()))
    }

    fn check_state(&mut self, response: &NegTokenResp) -> Result<(), AuthError> {
        match response.neg_state {
            Some(NegState::REJECT) => return Err(AuthError::Rejected),
            Some(NegState::REQUEST_MIC) => self.mic_required = true,
            Some(NegState::ACCEPT_COMPLETED | NegState::ACCEPT_INCOMPLETE) | None => (),
            Some(_) => return Err(AuthError::Token("unknown negState")),
        }
        match &response.supported_mech {
            Some(mech) if *mech != self.mechanism.oid() => Err(AuthError::NoCommonMechanism),
            _ => Ok(()),
        }
    }

    /// The server's last word. Some servers say nothing, or leave the mechListMIC out, which is allowed as only
    /// one mechanism was offered: there is nothing to choose between.
    fn finish(&mut self, token: &[u8]) -> Result<ClientStep, AuthError> {
        let response = match token {
            [] => NegTokenResp::default(),
            token => NegTokenResp::parse(token)?,
        };
        self.check_state(&response)?;
        match response.neg_state {
            Some(NegState::ACCEPT_COMPLETED) | None => (),
            _ => return Err(AuthError::Token("the server wants more than the mechanism has")),
        }
        match &response.mech_list_mic {
            Some(mic) if !self.mechanism.verify(&self.mech_list, mic) => {
                return Err(AuthError::BadMechListMic);
            }
            None if self.mic_required => return Err(AuthError::MissingMechListMic),
            _ => (),
        }
        self.state = State::Done;
        self.mechanism.session_key().cloned().map(ClientStep::Done).ok_or(AuthError::State)
    }
}
