//! From a connection to a session: NEGOTIATE, SESSION_SETUP, keys.

use super::{
    channel::{Channel, ChannelOptions, Owner},
    request::{Reply, Request},
};
use crate::{
    core::{
        negotiate::Offer,
        session::{Established, Identity, Leg, Policy, Setup},
    },
    error::{Error, UsageError},
    keylog,
    options::{Encryption, Options, Signing},
};
use smb_proto::{
    auth::{ClientAuth, ClientConfig, ClientEntropy, Credentials},
    codec::Message,
    command::Command,
    crypto::PreauthHash,
    error::{PeerViolation, StatusError},
    msg::{NegotiateResponse, SecurityMode, SessionSetupRequest, SessionSetupResponse},
    status::NtStatus,
};
use smb_transport::Transport;

/// A channel with a session, and what the next channels need to know.
#[derive(Debug)]
pub(crate) struct Connected {
    pub channel: Owner,
    pub offer: Offer,
    pub identity: Identity,
}

/// Who logs on where, and in place of what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Login<'a> {
    pub options: &'a Options,
    pub credentials: &'a Credentials,
    pub server_name: &'a str,
    /// What the server knows this client by; the same for all connections of a session.
    pub client_guid: [u8; 16],
    /// The session that was lost; 0 for none.
    pub previous_session_id: u64,
}

/// Negotiates and authenticates over `transport`.
pub(crate) async fn connect(transport: Box<dyn Transport>, login: Login<'_>) -> Result<Connected, Error> {
    let options = login.options;
    options.check()?;
    let offer = offer(&login)?;
    let channel = Channel::start(
        transport,
        ChannelOptions {
            timeout: options.timeout,
            credits: options.credits(),
            placement_threshold: options.placement_threshold,
            keep_alive: options.keep_alive,
        },
    );
    let outcome = set_up(&channel, &offer, login).await;
    match outcome {
        Ok(identity) => Ok(Connected { channel, offer, identity }),
        Err(error) => {
            channel.end(error.clone());
            Err(error)
        }
    }
}

async fn set_up(channel: &Owner, offer: &Offer, login: Login<'_>) -> Result<Identity, Error> {
    let Login { options, credentials, server_name, previous_session_id, .. } = login;
    let preauth = negotiate(channel, offer).await?;
    let agreed = channel.agreed().cloned().ok_or_else(|| channel.error())?;
    let auth = ClientAuth::new(ClientConfig {
        credentials: credentials.clone(),
        target: format!("cifs/{server_name}"),
        workstation: String::new(),
        channel_bindings: None,
        now: now(),
        entropy: ClientEntropy { challenge: random()?, session_key: random()? },
    });
    let setup = Setup::new(auth, preauth, agreed, policy(options), random()?).replacing(previous_session_id);
    let established = authenticate(channel, setup).await?;
    if let Some(path) = &options.keylog {
        keylog::append(path, &established)?;
    }
    let identity = established.identity;
    channel.set_security(established.security).await;
    Ok(identity)
}

fn offer(login: &Login<'_>) -> Result<Offer, Error> {
    let Login { options, server_name, client_guid, .. } = *login;
    let security_mode = match options.signing {
        Signing::Off => SecurityMode::NONE,
        Signing::Allowed => SecurityMode::SIGNING_ENABLED,
        Signing::Required => SecurityMode::SIGNING_ENABLED | SecurityMode::SIGNING_REQUIRED,
    };
    Ok(Offer {
        dialects: options.dialects.clone(),
        ciphers: options.ciphers.clone(),
        signing: options.signing_algorithms.clone(),
        security_mode,
        client_guid,
        salt: random()?,
        server_name: server_name.to_owned(),
    })
}

fn policy(options: &Options) -> Policy {
    Policy {
        require_signing: options.signing == Signing::Required,
        never_sign: options.signing == Signing::Off,
        require_sealing: options.encryption == Encryption::Required,
    }
}

/// Sends NEGOTIATE; returns the preauthentication hash of both messages.
async fn negotiate(channel: &Owner, offer: &Offer) -> Result<PreauthHash, Error> {
    let mut waiting = channel.submit_one(Request::new(&offer.request(), 0)).await?;
    let mut preauth = PreauthHash::new();
    preauth.update(&std::mem::take(&mut waiting.sent));
    let reply = waiting.answer().await?;
    preauth.update(&reply.message);
    channel.set_agreed(offer.check(&reply.parse::<NegotiateResponse>()?)?);
    Ok(preauth)
}

async fn authenticate(channel: &Owner, mut setup: Setup) -> Result<Box<Established>, Error> {
    let mut next = setup.first()?;
    loop {
        let reply = leg(channel, &mut setup, &next).await?;
        let answer = match reply.status() {
            NtStatus::SUCCESS | NtStatus::MORE_PROCESSING_REQUIRED => {
                SessionSetupResponse::parse(&reply.body()?)?
            }
            status => return Err(StatusError { command: Command::SESSION_SETUP, status }.into()),
        };
        match setup.answered(&reply.header, &reply.message, &answer)? {
            Leg::Send(request) => next = request,
            Leg::Established(established) => {
                verify_last(&established, reply)?;
                return Ok(established);
            }
        }
    }
}

async fn leg(channel: &Owner, setup: &mut Setup, request: &SessionSetupRequest) -> Result<Reply, Error> {
    let mut request = Request::new(request, 0);
    request.shape.session_id = Some(setup.session_id());
    let mut waiting = channel.submit_one(request).await?;
    setup.sent(&std::mem::take(&mut waiting.sent));
    waiting.answer().await
}

/// The last answer is signed with the key that it brought about: only whoever knows the password has it.
fn verify_last(established: &Established, mut reply: Reply) -> Result<(), Error> {
    match (&established.security.signing, established.verify_last) {
        (Some(key), true) => key
            .verify(&mut reply.message)
            .map_err(|_| PeerViolation::BadSignature(Command::SESSION_SETUP).into()),
        _ => Ok(()),
    }
}

/// Random bytes of the system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    // The fuzzers run one input as they did before.
    if cfg!(not(fuzzing)) {
        getrandom::fill(&mut bytes).map_err(|_| UsageError::NoEntropy)?;
    }
    Ok(bytes)
}

/// The time as a FILETIME.
fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
    smb_proto::msg::FileTime::from_unix(seconds, since.subsec_nanos()).0
}
