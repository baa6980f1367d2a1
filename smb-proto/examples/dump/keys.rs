//! Key logs, and the frames they open.

use smb_proto::{crypto::SealingKey, dialect::Cipher, transform::encryption::TransformHeader};
use std::collections::HashMap;

/// The sealing keys of sessions, of both directions.
#[derive(Default)]
pub struct Keys {
    by_session: HashMap<u64, Vec<Vec<u8>>>,
}

impl Keys {
    /// Reads a key log: a line `<session id>,<session key>,<server-to-client key>,<client-to-server key>` for each session, in
    /// hexadecimal, the id as it is on the wire.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut by_session: HashMap<u64, Vec<Vec<u8>>> = HashMap::new();
        let lines = text.lines().map(str::trim).enumerate();
        for (number, line) in lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
            let wrong = || format!("line {} of the key log is none", number + 1);
            let mut fields = line.split(',').map(|field| field.trim().trim_matches('"'));
            let id = fields.next().and_then(|id| super::unhex(id.as_bytes()).ok()).ok_or_else(wrong)?;
            let id = u64::from_le_bytes(id.try_into().map_err(|_| wrong())?);
            for key in fields.skip(1).filter(|key| !key.is_empty()) {
                by_session.entry(id).or_default().push(super::unhex(key.as_bytes()).map_err(|_| wrong())?);
            }
        }
        Ok(Self { by_session })
    }

    /// The message inside a sealed frame. Direction and cipher are found by trial: only the right ones open it.
    pub fn open(&self, frame: &[u8]) -> Result<Vec<u8>, String> {
        let (header, _) = TransformHeader::parse(frame).map_err(|error| error.to_string())?;
        let id = header.session_id;
        let keys = self.by_session.get(&id).ok_or_else(|| format!("no key of session {id:#x}"))?;
        for key in keys {
            for cipher in [Cipher::AES_128_GCM, Cipher::AES_128_CCM, Cipher::AES_256_GCM, Cipher::AES_256_CCM]
            {
                if cipher.key_len() != key.len() {
                    continue;
                }
                let mut copy = frame.to_vec();
                let opened = SealingKey::new(cipher, key).ok().and_then(|key| key.open(&mut copy).ok());
                if let Some(inside) = opened.and_then(|range| copy.get(range)) {
                    return Ok(inside.to_vec());
                }
            }
        }
        Err(format!("the keys of session {id:#x} do not open it"))
    }
}
