#![allow(clippy::as_conversions)]

mod exchange;
mod recorded;
mod spnego;
mod tamper;

use super::*;

/// Bytes of a hexadecimal text; blanks are ignored.
pub(super) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(16)).collect();
    digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect()
}

pub(super) const NOW: u64 = 133_000_000_000_000_000;

pub(super) fn client(credentials: Credentials) -> ClientAuth {
    ClientAuth::new(client_config(credentials))
}

pub(super) fn client_config(credentials: Credentials) -> ClientConfig {
    ClientConfig {
        credentials,
        target: "cifs/server.example".into(),
        workstation: "LAPTOP".into(),
        channel_bindings: None,
        now: NOW,
        entropy: ClientEntropy { challenge: [0x11; 8], session_key: [0x22; 16] },
    }
}

pub(super) fn server_config() -> ServerConfig {
    ServerConfig {
        netbios_name: "SERVER".into(),
        netbios_domain: "WORKGROUP".into(),
        dns_name: "server.example".into(),
        dns_domain: "example".into(),
        now: NOW + 1,
        challenge: [0x33; 8],
        mic: MicPolicy::Required,
    }
}

pub(super) fn server() -> ServerAuth {
    ServerAuth::new(server_config())
}

/// One account, alice with password "secret".
pub(super) fn alice(user: &str, _domain: &str) -> Option<NtHash> {
    user.eq_ignore_ascii_case("alice").then(|| NtHash::from_password("secret"))
}
