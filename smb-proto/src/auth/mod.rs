//! Authentication: NTLMv2 in SPNEGO, both sides, as exchanges of tokens with no I/O, clock or RNG.
//!
//! ```text
//!   ClientAuth ── client.rs ┐                     ┌ ntlm/client.rs  NtlmClient
//!                           ├ spnego.rs · der.rs ─┤ mechanism.rs    the seam
//!   ServerAuth ── server.rs ┘                     └ ntlm/server.rs  NtlmServer
//! ```
//!
//! ```
//! use smb_proto::auth::*;
//!
//! let mut client = ClientAuth::new(ClientConfig {
//!     credentials: Credentials::password("alice", "", "secret"),
//!     target: "cifs/server".into(),
//!     workstation: "LAPTOP".into(),
//!     channel_bindings: None,
//!     now: 133_000_000_000_000_000,
//!     entropy: ClientEntropy { challenge: [1; 8], session_key: [2; 16] }, // random in real life
//! });
//! let mut server = ServerAuth::new(ServerConfig {
//!     netbios_name: "SERVER".into(),
//!     netbios_domain: "WORKGROUP".into(),
//!     dns_name: "server.example".into(),
//!     dns_domain: "example".into(),
//!     now: 133_000_000_000_000_000,
//!     challenge: [3; 8],
//!     mic: MicPolicy::Required,
//! });
//! let accounts = |user: &str, _domain: &str| (user == "alice").then(|| NtHash::from_password("secret"));
//!
//! let mut token = client.start(&ServerAuth::initial_token())?;
//! let authenticated = loop {
//!     match server.step(&token, &accounts)? {
//!         ServerStep::Continue(answer) => match client.step(&answer)? {
//!             ClientStep::Send(next) => token = next,
//!             ClientStep::Done(_) => unreachable!("the server has not accepted yet"),
//!         },
//!         ServerStep::Done(authenticated) => break authenticated,
//!     }
//! };
//! let ClientStep::Done(key) = client.step(&authenticated.token)? else { panic!("one token too many") };
//! assert_eq!(authenticated.session_key, Some(key));
//! # Ok::<(), AuthError>(())
//! ```

mod client;
mod config;
mod der;
mod error;
mod mechanism;
pub mod ntlm;
mod secret;
mod server;
mod spnego;
#[cfg(test)]
mod tests;

pub use client::{ClientAuth, ClientStep};
pub use config::{ClientConfig, ClientEntropy, Credentials, MicPolicy, ServerConfig};
pub use error::AuthError;
pub use mechanism::{Accounts, ClientMechanism, Identity, MechanismStep, ServerMechanism};
pub use secret::{NtHash, SessionKey};
pub use server::{Authenticated, ServerAuth, ServerStep};
pub use spnego::{NegState, NegTokenInit, NegTokenResp, Oid};
