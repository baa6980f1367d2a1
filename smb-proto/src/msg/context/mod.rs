//! Contexts that extend NEGOTIATE and CREATE.
pub mod create;
pub mod negotiate;
