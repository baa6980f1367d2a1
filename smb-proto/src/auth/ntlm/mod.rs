//! NTLM with NTLMv2 responses — [MS-NLMP].
//!
//! ```text
//! message.rs       what the three messages share     av.rs        AV pairs (TargetInfo)
//! negotiate.rs     NEGOTIATE_MESSAGE                 response.rs  NTLMv2 response
//! challenge.rs     CHALLENGE_MESSAGE                 keys.rs      sign and seal keys, MIC, signatures
//! authenticate.rs  AUTHENTICATE_MESSAGE              client.rs · server.rs   the two mechanisms
//! ```

mod authenticate;
mod av;
mod challenge;
mod client;
mod flags;
mod keys;
mod message;
mod negotiate;
mod response;
mod server;
#[cfg(test)]
mod tests;

pub use authenticate::Authenticate;
pub use av::{AvId, AvPair, TargetInfo};
pub use challenge::Challenge;
pub use client::NtlmClient;
pub use flags::NegotiateFlags;
pub use message::{Version, is_ntlmssp};
pub use negotiate::Negotiate;
pub use response::{ClientChallenge, Ntlmv2Response};
pub use server::NtlmServer;
