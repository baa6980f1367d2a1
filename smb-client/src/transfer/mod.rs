//! Bulk transfers: pipelined, bounded, verified, and never short in silence.

pub(crate) mod pipeline;
