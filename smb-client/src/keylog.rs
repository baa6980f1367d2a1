//! The key log: what Wireshark needs to read sealed traffic. Written only where the embedder asks for it.
//!
//! One line per session: `<session id>,<session key>,<server-to-client key>,<client-to-server key>`, in lower-case hex,
//! the id as it is on the wire. Wireshark reads the file as `smb2_seskey_list`.

use crate::{
    core::session::Established,
    error::{Error, TransferError},
};
use std::{
    fmt::Write as _,
    fs::OpenOptions,
    io::{self, Write as _},
    path::Path,
    sync::Arc,
};

/// Appends the keys of a session, which must be on disk before the first sealed message leaves.
pub(crate) fn append(path: &Path, established: &Established) -> Result<(), Error> {
    let Some(line) = line(established) else { return Ok(()) };
    write(path, &line).map_err(|error| TransferError::Sink { offset: 0, error: Arc::new(error) }.into())
}

fn line(established: &Established) -> Option<String> {
    let session_key = established.session_key.as_ref()?;
    let keys = established.keys.as_ref()?;
    let (mut to_client, mut to_server) = (String::new(), String::new());
    if let Some(cipher) = &keys.cipher {
        to_client = hex(cipher.server_to_client.as_bytes());
        to_server = hex(cipher.client_to_server.as_bytes());
    }
    let id = hex(&established.security.session_id.to_le_bytes());
    Some(format!("{id},{},{to_client},{to_server}\n", hex(session_key.as_bytes())))
}

fn write(path: &Path, line: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(line.as_bytes())?;
    file.flush()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        // Writing to a string cannot fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}
