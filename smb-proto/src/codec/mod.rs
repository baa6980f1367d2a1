//! What every message is read and written with.

mod body;
pub(crate) mod chain;
pub(crate) mod field;
pub(crate) mod message;
pub(crate) mod num;
#[cfg(test)]
pub(crate) mod testing;
pub mod utf16;

pub use body::Body;
pub use message::Message;
