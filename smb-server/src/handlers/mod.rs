//! One file per command: what it does once session, share connection and signature are checked.

mod change_notify;
mod close;
mod create;
mod extended;
mod flush;
mod info;
mod ioctl;
mod lock;
mod logoff;
pub(crate) mod negotiate;
mod pipe;
mod query_directory;
mod query_info;
mod read;
mod rename;
mod security;
mod session_setup;
mod set_info;
pub(crate) mod times;
mod tree_connect;
mod write;

use crate::driver::{Answer, Outcome, Request};
use smb_proto::{
    command::Command,
    msg::{EchoRequest, EchoResponse},
    status::NtStatus,
};

/// Runs the handler of a request's command.
pub(crate) async fn handle(request: Request) -> Outcome {
    match request.header.command {
        Command::NEGOTIATE => negotiate::handle(&request),
        Command::SESSION_SETUP => session_setup::handle(&request).await,
        Command::LOGOFF => logoff::handle(&request).await,
        Command::TREE_CONNECT => tree_connect::connect(&request),
        Command::TREE_DISCONNECT => tree_connect::disconnect(&request).await,
        Command::CREATE => create::handle(&request).await,
        Command::CLOSE => close::handle(&request).await,
        Command::FLUSH => flush::handle(&request).await,
        Command::READ => read::handle(&request).await,
        Command::WRITE => write::handle(request).await,
        Command::IOCTL => ioctl::handle(&request).await,
        Command::ECHO => request.parse::<EchoRequest>().map(|_| Answer::of(&EchoResponse)),
        Command::QUERY_DIRECTORY => query_directory::handle(&request).await,
        Command::QUERY_INFO => query_info::handle(&request).await,
        Command::SET_INFO => set_info::handle(&request).await,
        Command::LOCK => lock::handle(&request).await,
        Command::CHANGE_NOTIFY => change_notify::handle(&request).await,
        // Oplocks are not offered; Samba's and Linux' clients do without.
        Command::OPLOCK_BREAK => Err(NtStatus::INVALID_OPLOCK_PROTOCOL),
        _ => Err(NtStatus::INVALID_PARAMETER),
    }
}
