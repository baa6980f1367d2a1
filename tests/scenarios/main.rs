//! Our client and our server together: what works, what is refused, what breaks, and what is left afterwards.

mod refusals;
