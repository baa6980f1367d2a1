//! Keys, signatures and sealed frames of recorded sessions between Samba's client and server, and the Linux kernel's:
//! derived, verified and opened by us, with every provider.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use smb_proto::{
    crypto::{
        Key, PreauthHash, SealingKey, SessionKeys, SigningKey,
        provider::{Provider, default_provider, providers},
        sign::default_algorithm,
    },
    dialect::{Cipher, Dialect, SigningAlgorithm},
    transform::encryption::TransformHeader,
};
use std::{collections::HashMap, fs, path::PathBuf};

/// Bytes of hexadecimal text.
fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(&String::from_iter(pair), 16).unwrap()).collect()
}

/// One recorded session: messages in the order of the wire, and what the peer said its keys were.
struct Recording {
    name: &'static str,
    messages: Vec<(String, Vec<u8>)>,
    facts: HashMap<String, String>,
}

impl Recording {
    fn read(name: &'static str) -> Self {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/golden").join(name);
        let mut files: Vec<PathBuf> =
            fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.retain(|path| path.extension().is_some_and(|extension| extension == "hex"));
        files.sort();
        let message = |path: &PathBuf| {
            let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
            (stem, hex(&fs::read_to_string(path).unwrap()))
        };
        let session = fs::read_to_string(folder.join("session.txt")).unwrap();
        let facts = session.lines().filter_map(|line| line.split_once(' '));
        let facts = facts.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        Self { name, messages: files.iter().map(message).collect(), facts }
    }

    fn fact(&self, name: &str) -> Vec<u8> {
        hex(&self.facts[name])
    }

    /// The hash over NEGOTIATE and SESSION_SETUP but for the last answer.
    fn preauth(&self, provider: &dyn Provider) -> PreauthHash {
        let mut hash = PreauthHash::new();
        self.messages[..5].iter().for_each(|(_, message)| hash.update_with(provider, message));
        hash
    }

    fn keys(&self, provider: &dyn Provider, dialect: Dialect, cipher: Cipher) -> SessionKeys {
        let preauth = self.preauth(provider);
        SessionKeys::derive_with(provider, dialect, &self.fact("session-key"), Some(preauth.value()), cipher)
    }

    /// Whether the keys are the ones the peer logged.
    fn check_keys(&self, keys: &SessionKeys) {
        let same =
            |key: &Key, fact: &str| assert_eq!(key.as_bytes(), self.fact(fact), "{} {fact}", self.name);
        same(&keys.signing, "signing-key");
        same(&keys.application, "app-key");
        let cipher = keys.cipher.as_ref().unwrap();
        same(&cipher.client_to_server, "serverin-key");
        same(&cipher.server_to_client, "serverout-key");
    }

    /// Verifies all plain signed messages of the session, and signs them anew to the same bytes; returns how many.
    fn check_signatures(&self, key: &SigningKey) -> usize {
        let session: [u8; 8] = {
            let mut id = self.fact("session-id");
            id.reverse();
            id.try_into().unwrap()
        };
        let signed = |message: &[u8]| {
            message.starts_with(b"\xfeSMB") && message[16] & 8 != 0 && message[40..48] == session
        };
        let mut count = 0;
        for (name, message) in self.messages.iter().filter(|(_, message)| signed(message)) {
            let mut copy = message.clone();
            assert!(copy[20..24] == [0; 4], "{name} is a compound");
            assert_eq!(key.verify(&mut copy), Ok(()), "{} {name}", self.name);
            key.sign(&mut copy).unwrap();
            assert!(copy == *message, "{} {name}", self.name);
            copy[64] ^= 1;
            assert!(key.verify(&mut copy).is_err(), "{} {name}", self.name);
            count += 1;
        }
        count
    }

    /// Opens all sealed frames; returns how many.
    fn check_sealed(&self, client: &SealingKey, server: &SealingKey) -> usize {
        let mut count = 0;
        for (name, message) in self.messages.iter().filter(|(_, message)| TransformHeader::matches(message)) {
            let (ours, other) = if name.ends_with("request") { (client, server) } else { (server, client) };
            let mut copy = message.clone();
            assert!(
                other.open(&mut copy).is_err(),
                "{} {name} opens with the other direction's key",
                self.name
            );
            let mut copy = message.clone();
            let range = ours.open(&mut copy).unwrap_or_else(|error| panic!("{} {name}: {error}", self.name));
            assert!(copy[range].starts_with(b"\xfeSMB"), "{} {name}", self.name);
            count += 1;
        }
        count
    }
}

/// The portable provider must have everything; another is skipped for what it lacks.
fn each_provider(check: impl Fn(&dyn Provider)) {
    providers().into_iter().chain([default_provider()]).for_each(check);
}

fn signed_session(name: &'static str, dialect: Dialect, algorithm: SigningAlgorithm) {
    let recording = Recording::read(name);
    each_provider(|provider| {
        // Samba's client offers CCM to 3.0 and chooses GCM at 3.1.1: the same length of key.
        let keys = recording.keys(provider, dialect, Cipher::AES_128_GCM);
        recording.check_keys(&keys);
        if let Ok(key) = SigningKey::with_provider(provider, algorithm, keys.signing.as_bytes()) {
            assert!(recording.check_signatures(&key) >= 10, "{name}");
        }
    });
}

#[test]
fn signed_sessions_of_3_0() {
    for (name, dialect) in
        [("samba-3.0-signed", Dialect::SMB_3_0), ("samba-3.0.2-signed", Dialect::SMB_3_0_2)]
    {
        signed_session(name, dialect, default_algorithm(dialect));
    }
}

#[test]
fn signed_sessions_of_3_1_1() {
    signed_session("samba-3.1.1-hmac", Dialect::SMB_3_1_1, SigningAlgorithm::HMAC_SHA256);
    signed_session("samba-3.1.1-cmac", Dialect::SMB_3_1_1, SigningAlgorithm::AES_CMAC);
    signed_session("samba-3.1.1-gmac", Dialect::SMB_3_1_1, SigningAlgorithm::AES_GMAC);
}

#[test]
fn sealed_sessions() {
    for (name, dialect, cipher) in [
        ("samba-3.0-sealed", Dialect::SMB_3_0, Cipher::AES_128_CCM),
        ("samba-3.1.1-aes-128-ccm", Dialect::SMB_3_1_1, Cipher::AES_128_CCM),
        ("samba-3.1.1-aes-128-gcm", Dialect::SMB_3_1_1, Cipher::AES_128_GCM),
        ("samba-3.1.1-aes-256-ccm", Dialect::SMB_3_1_1, Cipher::AES_256_CCM),
        ("samba-3.1.1-aes-256-gcm", Dialect::SMB_3_1_1, Cipher::AES_256_GCM),
    ] {
        let recording = Recording::read(name);
        each_provider(|provider| {
            let keys = recording.keys(provider, dialect, cipher);
            recording.check_keys(&keys);
            let keys = keys.cipher.unwrap();
            let client = SealingKey::with_provider(provider, cipher, keys.client_to_server.as_bytes());
            let server = SealingKey::with_provider(provider, cipher, keys.server_to_client.as_bytes());
            if let (Ok(client), Ok(server)) = (client, server) {
                assert!(recording.check_sealed(&client, &server) >= 10, "{name}");
            }
        });
    }
}

/// The kernel's client and ksmbd: the client tells the session key and what seals, not the keys that sign.
#[test]
fn the_linux_kernel_sealed() {
    let recording = Recording::read("linux-3.1.1-aes-128-gcm");
    let cipher = Cipher::AES_128_GCM;
    each_provider(|provider| {
        let keys = recording.keys(provider, Dialect::SMB_3_1_1, cipher).cipher.unwrap();
        assert_eq!(keys.client_to_server.as_bytes(), recording.fact("serverin-key"));
        assert_eq!(keys.server_to_client.as_bytes(), recording.fact("serverout-key"));
        let client = SealingKey::with_provider(provider, cipher, keys.client_to_server.as_bytes());
        let server = SealingKey::with_provider(provider, cipher, keys.server_to_client.as_bytes());
        if let (Ok(client), Ok(server)) = (client, server) {
            assert!(recording.check_sealed(&client, &server) >= 10);
        }
    });
}
