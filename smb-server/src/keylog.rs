//! The key log: what Wireshark needs to read sealed sessions. Only written where it is asked for.

use smb_proto::crypto::kdf::SessionKeys;
use std::{
    fmt::Write as _,
    fs::{File, OpenOptions},
    io::{self, Write},
    path::Path,
    sync::Mutex,
};

/// A file of session keys, one line per session:
/// `<session id>,<session key>,<server-to-client key>,<client-to-server key>`, all in hexadecimal, the id as it is on
/// the wire.
#[derive(Debug)]
pub struct KeyLog {
    file: Mutex<File>,
}

impl KeyLog {
    /// Appends to `path`, which only its owner may read.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.create(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        Ok(Self { file: Mutex::new(options.open(path)?) })
    }

    pub(crate) fn write(&self, session_id: u64, session_key: &[u8], keys: &SessionKeys) {
        let mut line = format!("{},{},", hex(&session_id.to_le_bytes()), hex(session_key));
        match &keys.cipher {
            Some(cipher) => {
                line += &hex(cipher.server_to_client.as_bytes());
                line.push(',');
                line += &hex(cipher.client_to_server.as_bytes());
            }
            None => line.push(','),
        }
        line.push('\n');
        if let Err(error) = crate::core::lock(&self.file).write_all(line.as_bytes()) {
            tracing::warn!(%error, "the key log cannot be written");
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
