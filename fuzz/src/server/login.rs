//! A session as its client knows it.

use smb_proto::{
    auth::{ClientAuth, ClientConfig, ClientEntropy, Credentials},
    crypto::{
        kdf::SessionKeys,
        preauth::PreauthHash,
        seal::{NonceCounter, SealingKey},
        sign::{SigningKey, default_algorithm},
    },
    dialect::{Cipher, Dialect, SigningAlgorithm},
    msg::{NegotiateContext, NegotiateResponse, SessionFlags},
};

/// Seals requests and opens answers.
pub struct Sealer {
    pub seal: SealingKey,
    pub open: SealingKey,
    pub nonces: NonceCounter,
}

/// A session.
pub struct Login {
    pub id: u64,
    /// `None` for guests.
    pub key: Option<SigningKey>,
    pub sealer: Option<Sealer>,
    /// It must be sealed.
    pub encrypt: bool,
    /// It must be signed.
    pub must_sign: bool,
    /// It was logged off.
    pub over: bool,
}

/// What a NEGOTIATE agreed on.
#[derive(Clone)]
pub struct Agreed {
    pub dialect: Dialect,
    pub cipher: Cipher,
    pub signing: SigningAlgorithm,
    /// The server demands signatures.
    pub must_sign: bool,
}

impl Agreed {
    pub fn of(response: &NegotiateResponse) -> Self {
        let dialect = response.dialect;
        let mut cipher = if dialect.is_smb3() { Cipher::AES_128_CCM } else { Cipher::NONE };
        let mut signing = default_algorithm(dialect);
        if dialect == Dialect::SMB_3_1_1 {
            cipher = Cipher::NONE;
        }
        for context in &response.contexts {
            match context {
                NegotiateContext::Encryption(chosen) => cipher = chosen[0],
                NegotiateContext::Signing(chosen) => signing = chosen[0],
                _ => {}
            }
        }
        let must_sign = response.security_mode.contains(smb_proto::msg::SecurityMode::SIGNING_REQUIRED);
        Self { dialect, cipher, signing, must_sign }
    }

    /// The session that these keys and flags make.
    pub fn login(&self, id: u64, key: Option<&[u8]>, preauth: &PreauthHash, flags: SessionFlags) -> Login {
        let keys = key.map(|key| {
            let preauth = (self.dialect == Dialect::SMB_3_1_1).then(|| preauth.value());
            SessionKeys::derive(self.dialect, key, preauth, self.cipher)
        });
        let sealing = |bytes: &[u8]| SealingKey::new(self.cipher, bytes).expect("a key of the cipher");
        let sealer = keys.as_ref().and_then(|keys| keys.cipher.as_ref()).map(|pair| Sealer {
            seal: sealing(pair.client_to_server.as_bytes()),
            open: sealing(pair.server_to_client.as_bytes()),
            nonces: NonceCounter::new([0; 4]),
        });
        let signing = |bytes: &[u8]| SigningKey::new(self.signing, bytes).expect("a key of the algorithm");
        Login {
            id,
            key: keys.as_ref().map(|keys| signing(keys.signing.as_bytes())),
            sealer,
            encrypt: flags.contains(SessionFlags::ENCRYPT_DATA),
            must_sign: self.must_sign && keys.is_some(),
            over: false,
        }
    }
}

/// The client's side of an authentication.
pub fn auth(user: &str) -> ClientAuth {
    let credentials = if user.is_empty() {
        Credentials::Anonymous
    } else {
        Credentials::password(user, "", super::PASSWORD)
    };
    ClientAuth::new(ClientConfig {
        credentials,
        target: "cifs/server".into(),
        workstation: "PEER".into(),
        channel_bindings: None,
        now: 133_000_000_000_000_000,
        entropy: ClientEntropy { challenge: [1; 8], session_key: [2; 16] },
    })
}
