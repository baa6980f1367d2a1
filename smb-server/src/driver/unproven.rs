//! Connections on which nobody has authenticated yet, and how they learn that they must make room.

use crate::core::doorway::{Doorway, Place};
use std::{convert::Infallible, sync::Arc};
use tokio::sync::oneshot;

/// What is dropped when a connection must make room.
pub(crate) type Token = oneshot::Sender<Infallible>;

/// A connection on which nobody has authenticated yet.
pub(crate) struct Unproven {
    _place: Place<Token>,
    must_go: oneshot::Receiver<Infallible>,
}

impl Unproven {
    /// Takes a place among them.
    pub(crate) fn enter(doorway: &Arc<Doorway<Token>>) -> Self {
        let (token, must_go) = oneshot::channel();
        Self { _place: doorway.enter(token), must_go }
    }

    /// Resolves when the connection is to make room; to be given up then.
    pub(super) async fn must_go(unproven: &mut Option<Self>) {
        match unproven {
            // Nothing is ever sent.
            Some(unproven) => _ = (&mut unproven.must_go).await,
            None => std::future::pending().await,
        }
    }
}
