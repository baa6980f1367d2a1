//! Our client and our server together: what works, what is refused, what breaks, and what is left afterwards.

mod cuts;
mod hostile;
#[cfg(unix)]
mod killed;
mod lies;
mod namespace;
mod placement;
mod refusals;
mod shared;
mod siege;
mod stalls;
mod streams;
mod together;
mod transfers;
