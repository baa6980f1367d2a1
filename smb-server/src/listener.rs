//! Accepts connections, within limits.

use crate::{
    driver::{self, Unproven},
    server::Handle,
};
use smb_transport::{Listener, Transport};
use std::time::Duration;

/// The pause after a listener's error, which would come again at once.
const PAUSE: Duration = Duration::from_millis(100);

/// Accepts until the server stops. Connections beyond the limit are closed at once: a client that waits in a queue
/// cannot tell a full server from a dead one. Those that do not log on make room for others (`core::doorway`).
pub(crate) async fn accept(handle: Handle, mut listener: Box<dyn Listener>) {
    loop {
        let accepted = tokio::select! {
            biased;
            () = handle.stopped() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok(transport) => start(&handle, transport),
            Err(error) => {
                tracing::warn!(%error, "cannot accept");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn start(handle: &Handle, transport: Box<dyn Transport>) {
    let shared = handle.shared.clone();
    let Ok(place) = shared.connections.clone().try_acquire_owned() else {
        tracing::warn!("too many connections");
        return;
    };
    let unproven = Unproven::enter(&shared.unauthenticated);
    let drain = handle.drain.subscribe();
    tokio::spawn(async move {
        driver::run(shared, transport, drain, Some(unproven)).await;
        drop(place);
    });
}
