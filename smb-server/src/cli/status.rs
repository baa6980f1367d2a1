//! What the server holds, told on SIGUSR1: to see whether it keeps what nobody uses any more.

use smb_server::Handle;
use std::io;
use tokio::signal::unix::{SignalKind, signal};

/// One line on standard error for each SIGUSR1.
pub fn tell_when_asked(server: Handle) -> io::Result<()> {
    let mut asked = signal(SignalKind::user_defined1())?;
    tokio::spawn(async move {
        while asked.recv().await.is_some() {
            eprintln!("{}", line(&server));
        }
    });
    Ok(())
}

fn line(server: &Handle) -> String {
    let (connections, sessions, files) = (server.connections(), server.sessions(), server.open_files());
    let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    format!("status: connections {connections}, sessions {sessions}, open files {files}, tasks {tasks}")
}
