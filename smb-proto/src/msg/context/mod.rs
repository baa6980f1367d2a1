//! Create and negotiate contexts.
pub mod attributes;
pub mod create;
pub mod durable;
pub mod lease;
pub mod negotiate;
mod typed;

pub use typed::ContextData;
