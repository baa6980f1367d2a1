//! The protocol's decisions, by concern. Nothing here knows a socket, a task, a clock or a random number:
//! time and randomness are arguments, and what is to be done is returned.
//!
//! ```text
//!  negotiate ─▶ connection ─▶ session ─▶ tree ─▶ open ─▶ share_mode
//!               (window,       │ channel          │ access · path · pattern
//!                pending)      └ keys             │
//!                                     dispatch ───┘ what a command needs
//!                                     byte_lock · lock_sequence · watch · copychunk
//! ```
//!
//! Driving contract: a driver feeds each received message to the connection's core (window, then dispatch), runs the
//! handler it names, and emits the answer with the credits the core grants. Locks here are held for look-ups
//! only, never while bytes are hashed, sealed, copied or stored.

pub mod access;
pub mod byte_lock;
pub mod change;
pub mod channel;
pub mod connection;
pub mod copychunk;
pub mod dispatch;
pub mod doorway;
pub mod interfaces;
pub mod lock_sequence;
pub mod negotiate;
pub mod open;
pub mod path;
pub mod pattern;
pub mod pending;
pub mod placement;
pub mod quota;
pub mod security;
pub mod session;
pub mod share_mode;
pub mod throttle;
pub mod tree;
pub mod watch;
pub mod write_time;

use std::sync::{Mutex, PoisonError};

/// A lock that is held.
#[cfg(not(feature = "lock-times"))]
pub(crate) type Locked<'a, T> = std::sync::MutexGuard<'a, T>;
/// A lock that is held, and the time that is.
#[cfg(feature = "lock-times")]
pub(crate) type Locked<'a, T> = crate::lock_times::Timed<'a, T>;

/// Locks, whatever a task that died inside may have left: every critical section here leaves the state whole at
/// each step.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> Locked<'_, T> {
    let guard = mutex.lock().unwrap_or_else(PoisonError::into_inner);
    #[cfg(feature = "lock-times")]
    let guard = crate::lock_times::Timed::new(guard);
    guard
}
