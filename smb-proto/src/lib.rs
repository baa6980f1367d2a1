//! SMB2/3 messages, crypto and authentication: what the bytes mean, with no I/O attached.
//!
//! Nothing here opens a socket, reads a clock, draws a random number or spawns a task; all of that is an argument. A
//! client, a server, a dissector and a fuzzer use the same types.
//!
//! ```text
//!   frame ──▶ FrameKind ──▶ crypto::seal (open) ──▶ compress (expand) ──▶ compound::parts
//!                                                                              │
//!                    Header ── status, ids, credits ──▶ credit                 ▼
//!                    Body ───▶ Request / Response ──▶ msg ──▶ fscc (information, directories)
//!                                      │                └──▶ msg::context, msg::fsctl
//!                                      └─ SESSION_SETUP tokens ──▶ auth (SPNEGO, NTLM) ──▶ crypto::kdf
//! ```
//!
//! Read a frame, build the answer, and send it:
//!
//! ```
//! use smb_proto::{Command, EchoRequest, EchoResponse, Header, NtStatus, Request, compound};
//!
//! let frame = compound::single(&Header::request(Command::ECHO, 7), &EchoRequest);
//!
//! let part = compound::parts(&frame).next().ok_or("no message")??;
//! let answer = match Request::parse(&part.header, &part.body)? {
//!     Request::Echo(_) => compound::single(&part.header.response(NtStatus::SUCCESS), &EchoResponse),
//!     other => return Err(format!("not expected: {other:?}").into()),
//! };
//! assert_eq!(answer.len(), 68);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! - [`msg`]: a file per command, both directions; [`msg::context`] and [`msg::fsctl`] for what CREATE, NEGOTIATE and IOCTL
//!   carry.
//! - [`fscc`]: information classes and directory records; [`dtyp`]: security descriptors and who they let in.
//! - [`rpc`]: DCE/RPC for the list of shares, both ends of the pipe.
//! - [`compound`], [`frame`], [`transform`], [`mod@compress`]: what stands around a message.
//! - [`crypto`], [`auth`]: signing, sealing and their keys; who the user is.
//! - [`credit`]: who may send how much, and in what order.
//! - [`structures`]: every structure of the specification, and where it is.
//!
//! The crate's README shows more: parse, build, sign and seal, fuzz; the example `dump` shows captures.
//!
//! Parsing never panics, never allocates more than a small multiple of its input, and follows the peer's offsets only
//! inside the message ([`codec::Body`]). Values without a name survive: wire enums are newtypes with constants.

#![forbid(unsafe_code)]

pub mod auth;
pub mod codec;
pub mod command;
pub mod compound;
pub mod compress;
pub mod credit;
pub mod crypto;
pub mod dialect;
pub mod dtyp;
pub mod error;
pub mod frame;
pub mod fscc;
pub mod header;
pub mod msg;
pub mod rpc;
pub mod status;
pub mod transform;

#[doc = include_str!("../STRUCTURES.md")]
pub mod structures {}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub use codec::{Body, Message};
pub use command::Command;
pub use dialect::{Cipher, Dialect, SigningAlgorithm};
pub use error::{ParseError, PeerViolation, StatusError};
pub use header::{Header, HeaderFlags, Role, Route};
pub use msg::{EchoRequest, EchoResponse, FileId, Request, Response};
pub use status::NtStatus;
