//! SESSION_SETUP — [MS-SMB2] 3.3.5.5.

use crate::{
    config::{Config, Policy},
    core::{
        channel::Channel,
        connection::Exchange,
        lock,
        negotiate::Agreed,
        session::{NewSession, Owner, Sealing, Session},
    },
    driver::{Answer, Conn, HashInto, Outcome, Request, end_session},
    entropy,
};
use smb_proto::{
    auth::{Accounts, AuthError, Authenticated, NtHash, ServerAuth, ServerConfig, ServerStep, SessionKey},
    crypto::{
        kdf::SessionKeys,
        preauth::PreauthHash,
        seal::{NonceCounter, SealingKey},
        sign::SigningKey,
    },
    dialect::{Cipher, Dialect},
    msg::{
        FileTime, SecurityMode, SessionFlags, SessionSetupFlags, SessionSetupRequest, SessionSetupResponse,
    },
    status::NtStatus,
};
use std::{cell::RefCell, sync::Arc};

/// FILETIME units of a second.
const TICKS: u64 = 10_000_000;

/// Takes one step of an authentication.
pub(crate) async fn handle(request: &Request) -> Outcome {
    let setup: SessionSetupRequest = request.parse()?;
    let conn = &request.conn;
    let agreed = conn.agreed()?;
    if request.compound {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    if conn.shared.config.encryption == Policy::Required && agreed.cipher == Cipher::NONE {
        return Err(NtStatus::ACCESS_DENIED);
    }
    // Channels are not offered yet: SMB2_GLOBAL_CAP_MULTI_CHANNEL was not announced.
    if setup.flags.contains(SessionSetupFlags::BINDING) {
        return Err(NtStatus::REQUEST_NOT_ACCEPTED);
    }
    let (session_id, mut exchange) = find(request)?;
    let address = conn.info.peer.map(|peer| peer.ip());
    if exchange.begun
        && let Some(address) = address
    {
        let wait = lock(&conn.shared.throttle).admit(address, conn.shared.uptime());
        let wait = wait.ok_or(NtStatus::REQUEST_NOT_ACCEPTED)?;
        if !wait.is_zero() {
            tracing::info!(conn = conn.id, ?wait, "a log-on waits for the failed ones before it");
            tokio::time::sleep(wait).await;
        }
    }
    exchange.begun = true;
    exchange.preauth.update(&request.message);
    let (step, user) = step(&mut exchange, &setup.token, conn.shared.accounts.as_ref());
    match step {
        Ok(ServerStep::Continue(token)) => {
            lock(&conn.core).keep_exchange(session_id, exchange);
            let response = SessionSetupResponse { flags: SessionFlags::NONE, token };
            let answer = Answer::with_status(NtStatus::MORE_PROCESSING_REQUIRED, &response);
            Ok(Answer { session_id: Some(session_id), hash: Some(HashInto::Exchange(session_id)), ..answer })
        }
        Ok(ServerStep::Done(done)) => {
            let login = Login { conn, agreed: &agreed, setup: &setup, session_id };
            login.finish(exchange, done).await
        }
        Err(error) => {
            tracing::info!(conn = conn.id, %error, "authentication failed");
            // Who has named nobody has guessed no password.
            if let (Some(address), Some(user)) = (address, user.as_deref()) {
                lock(&conn.shared.throttle).failed(address, user, conn.shared.uptime());
            }
            // Who fails to prove again who he is has no session any more — [MS-SMB2] 3.3.5.5.3.
            if let Some(session) = &exchange.again {
                end_session(&conn.shared, session).await;
            }
            Err(error.status())
        }
    }
}

/// Those who may log on, and who it was that they were asked for.
struct Asked<'a> {
    accounts: &'a dyn Accounts,
    user: RefCell<Option<String>>,
}

impl Accounts for Asked<'_> {
    fn nt_hash(&self, user: &str, domain: &str) -> Option<NtHash> {
        self.user.replace(Some(user.to_owned()));
        self.accounts.nt_hash(user, domain)
    }

    fn anonymous(&self) -> bool {
        self.accounts.anonymous()
    }

    fn guest(&self, user: &str, domain: &str) -> bool {
        self.accounts.guest(user, domain)
    }
}

/// Takes a client's token; also tells who the client says it is, where it got as far as that.
fn step(
    exchange: &mut Exchange,
    token: &[u8],
    accounts: &dyn Accounts,
) -> (Result<ServerStep, AuthError>, Option<String>) {
    let asked = Asked { accounts, user: RefCell::default() };
    let step = exchange.auth.step(token, &asked);
    (step, asked.user.into_inner())
}

/// The authentication that a request goes on with, or a new one.
fn find(request: &Request) -> Result<(u64, Exchange), NtStatus> {
    let conn = &request.conn;
    let session_id = request.header.session_id;
    let sessions = conn.sessions();
    let mut core = lock(&conn.core);
    if let Some(exchange) = core.take_exchange(session_id) {
        return Ok((session_id, exchange));
    }
    let again = request.channel.as_ref().map(|channel| channel.session.clone());
    if session_id != 0 && again.is_none() {
        return Err(NtStatus::USER_SESSION_DELETED);
    }
    if core.exchanges() + sessions >= conn.shared.config.limits.max_sessions {
        return Err(NtStatus::TOO_MANY_SESSIONS);
    }
    let session_id = if session_id == 0 { new_id() } else { session_id };
    let auth = ServerAuth::new(auth_config(&conn.shared.config));
    Ok((session_id, Exchange { auth, preauth: core.preauth(), again, begun: false }))
}

/// A new SessionId. It is no secret: a session is found from its own connection only. Of 32 bits, since smbtorture
/// keeps no more.
fn new_id() -> u64 {
    (entropy::random_id() >> 32).max(1)
}

fn auth_config(config: &Config) -> ServerConfig {
    ServerConfig {
        netbios_name: config.name.clone(),
        netbios_domain: config.name.clone(),
        dns_name: config.name.to_lowercase(),
        dns_domain: String::new(),
        now: entropy::now().0,
        challenge: entropy::random(),
        mic: config.mic,
    }
}

/// An authentication that came to a good end.
struct Login<'a> {
    conn: &'a Arc<Conn>,
    agreed: &'a Agreed,
    setup: &'a SessionSetupRequest,
    session_id: u64,
}

impl Login<'_> {
    async fn finish(self, exchange: Exchange, done: Authenticated) -> Outcome {
        let config = &self.conn.shared.config;
        let owner = Owner::of(&done.identity);
        let protected = config.signing == Policy::Required || config.encryption == Policy::Required;
        if owner.unproven() && protected {
            return Err(NtStatus::ACCESS_DENIED);
        }
        let channel = match &exchange.again {
            Some(session) => self.renew(session, &owner)?,
            None => self.establish(owner, done.session_key.as_ref(), &exchange.preauth)?,
        };
        let session = channel.session.clone();
        let response = SessionSetupResponse { flags: flags(&session), token: done.token };
        let answer =
            Answer { session_id: Some(session.id), sign: channel.signing.clone(), ..Answer::of(&response) };
        if exchange.again.is_none() {
            if !self.conn.shared.sessions.insert(session.clone()) {
                return Err(NtStatus::INSUFFICIENT_RESOURCES);
            }
            if !self.conn.add_channel(channel) {
                end_session(&self.conn.shared, &session).await;
                return Err(NtStatus::CONNECTION_DISCONNECTED);
            }
            self.end_previous(&session).await;
        }
        if let Some(peer) = self.conn.info.peer.filter(|_| !session.owner.unproven()) {
            lock(&self.conn.shared.throttle).succeeded(peer.ip(), &session.owner.user);
        }
        tracing::info!(conn = self.conn.id, session = session.id, user = %session.owner.user, "logged on");
        Ok(answer)
    }

    /// The same user again: the session goes on with its keys — [MS-SMB2] 3.3.5.5.2.
    fn renew(&self, session: &Arc<Session>, owner: &Owner) -> Result<Channel, NtStatus> {
        if session.owner != *owner {
            return Err(NtStatus::ACCESS_DENIED);
        }
        session.renew(self.expires());
        let channel = self.conn.channel(session.id).ok_or(NtStatus::USER_SESSION_DELETED)?;
        Ok(channel.as_ref().clone())
    }

    fn establish(
        &self,
        owner: Owner,
        key: Option<&SessionKey>,
        preauth: &PreauthHash,
    ) -> Result<Channel, NtStatus> {
        let config = &self.conn.shared.config;
        let client_requires = self.setup.security_mode.contains(SecurityMode::SIGNING_REQUIRED);
        let signing_required = !owner.unproven() && (config.signing == Policy::Required || client_requires);
        let keys = key.map(|key| self.keys(key, preauth));
        let (signing, sealing) = match &keys {
            Some(keys) => (Some(self.signing(keys)?), self.sealing(keys)?),
            None => (None, None),
        };
        let limits = &config.limits;
        let user_opens = self.conn.shared.all_opens.of(&owner.user);
        let session = Session::new(NewSession {
            id: self.session_id,
            owner,
            signing_required,
            encrypt: config.encryption == Policy::Required && sealing.is_some(),
            sealing,
            expires: self.expires(),
            max_trees: limits.max_trees,
            max_opens: limits.max_opens,
            user_opens,
        });
        Ok(Channel { session: Arc::new(session), signing })
    }

    fn keys(&self, key: &SessionKey, preauth: &PreauthHash) -> SessionKeys {
        let Agreed { dialect, cipher, .. } = *self.agreed;
        let preauth = (dialect == Dialect::SMB_3_1_1).then(|| preauth.value());
        let keys = SessionKeys::derive(dialect, key.as_bytes(), preauth, cipher);
        if let Some(log) = &self.conn.shared.keylog {
            log.write(self.session_id, key.as_bytes(), &keys);
        }
        keys
    }

    fn signing(&self, keys: &SessionKeys) -> Result<SigningKey, NtStatus> {
        SigningKey::new(self.agreed.signing, keys.signing.as_bytes()).map_err(|_| NtStatus::INTERNAL_ERROR)
    }

    fn sealing(&self, keys: &SessionKeys) -> Result<Option<Sealing>, NtStatus> {
        let Some(keys) = &keys.cipher else { return Ok(None) };
        let key =
            |bytes: &[u8]| SealingKey::new(self.agreed.cipher, bytes).map_err(|_| NtStatus::INTERNAL_ERROR);
        Ok(Some(Sealing {
            open: key(keys.client_to_server.as_bytes())?,
            seal: key(keys.server_to_client.as_bytes())?,
            nonces: NonceCounter::new(entropy::random()),
        }))
    }

    fn expires(&self) -> Option<FileTime> {
        let lifetime = self.conn.shared.config.limits.session_lifetime?;
        Some(FileTime(entropy::now().0.saturating_add(lifetime.as_secs().saturating_mul(TICKS))))
    }

    /// Ends the session of an earlier connection that the client says it has lost.
    async fn end_previous(&self, session: &Session) {
        let shared = &self.conn.shared;
        if let Some(previous) = shared.sessions.previous(self.setup.previous_session_id, session) {
            end_session(shared, &previous).await;
        }
    }
}

fn flags(session: &Session) -> SessionFlags {
    let mut flags = SessionFlags::NONE;
    if session.owner.guest {
        flags = flags.with(SessionFlags::IS_GUEST);
    }
    if session.owner.anonymous {
        flags = flags.with(SessionFlags::IS_NULL);
    }
    if session.encrypt {
        flags = flags.with(SessionFlags::ENCRYPT_DATA);
    }
    flags
}
