//! What the scenarios in `scenarios/` are built from.
//!
//! ```text
//!   House: a server with shares ◀── dial: Memory, with Faults, Metered, as wished ── Client (ours) or Raw (hand-made)
//! ```
//!
//! Nothing here measures time by the wall: scenarios run on paused time, or wait for an event within [`bounded`].

mod data;
mod house;
mod metered;
mod raw;
mod wait;

pub use data::{Random, pattern, random_bytes};
pub use house::{House, PASSWORD, USER, client};
pub use metered::{Meter, Metered};
pub use raw::{Raw, read, write};
pub use wait::{bounded, polled, until};
