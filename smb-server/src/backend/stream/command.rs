//! Streams into a command: the bytes on its standard input, its exit status the confirmation.
//!
//! A command takes the end of its input for the end of the stream: `cat >disk.img` cannot tell a whole image from a
//! short one. So its input is closed only to commit. To abort, the command and whatever it started (its process group)
//! are killed and reaped while the input is still open. A partial file may stay behind, but nobody was told that it is
//! whole. What leaves the process group (`setsid`) leaves this protection too.

use super::{AbortReason, Sink, StreamConsumer};
use crate::backend::{Caller, Result};
use bytes::Bytes;
use rustix::process::{Pid, Signal, kill_process_group};
use smb_proto::status::NtStatus;
use smb_transport::BoxFuture;
use std::{ffi::OsString, io, os::fd::OwnedFd, process::Stdio};
use tokio::{
    io::AsyncWriteExt as _,
    process::{Child, ChildStdin, Command},
    select,
};

/// Runs a shell command for each stream: `sh -c COMMAND` in a process group of its own, the bytes on its standard input,
/// the stream's name in SMB_STREAM_NAME. Exit status 0 after it read all of its input confirms the stream; anything else
/// refuses it.
#[derive(Debug, Clone)]
pub struct CommandConsumer {
    command: OsString,
}

/// Bytes the pipe is asked to hold; the system may grant less.
const PIPE: usize = 1 << 20;
/// The command ended, or closed its input, before the stream did.
const ENDED_EARLY: NtStatus = NtStatus::PIPE_BROKEN;
/// The command said no.
const REFUSED: NtStatus = NtStatus::UNSUCCESSFUL;

impl CommandConsumer {
    /// Streams go to `command`, as the shell understands it.
    pub fn new(command: impl Into<OsString>) -> Self {
        Self { command: command.into() }
    }

    fn spawn(&self, name: &str) -> io::Result<CommandSink> {
        let mut child = Command::new("/bin/sh")
            .arg("-c")
            .arg(&self.command)
            .env("SMB_STREAM_NAME", name)
            .stdin(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let stdin = child.stdin.take();
        if let Some(stdin) = &stdin {
            // Fewer switches between the two; without it, it is just slower.
            let _ = rustix::pipe::fcntl_setpipe_size(stdin, PIPE);
        }
        let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        Ok(CommandSink { child, stdin, group })
    }
}

impl StreamConsumer for CommandConsumer {
    fn begin<'a>(&'a self, name: &'a str, _: &'a Caller) -> BoxFuture<'a, Result<Box<dyn Sink>>> {
        Box::pin(async move {
            let sink: Box<dyn Sink> = match self.spawn(name) {
                Ok(sink) => Box::new(sink),
                Err(error) => {
                    tracing::error!(%error, "the stream's command cannot be started");
                    return Err(NtStatus::INSUFFICIENT_RESOURCES);
                }
            };
            Ok(sink)
        })
    }
}

struct CommandSink {
    child: Child,
    /// Closed only to commit, or after the child was reaped.
    stdin: Option<ChildStdin>,
    /// The process group, until the child was reaped: after that its number may be somebody else's.
    group: Option<Pid>,
}

impl CommandSink {
    fn kill(&mut self) {
        if let Some(group) = self.group.take() {
            // It fails only where all are gone.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }

    /// The command ended while its input goes on: what it started and left behind must not outlive it.
    fn ended_early(&mut self) -> NtStatus {
        self.kill();
        tracing::warn!("the stream's command ended before its input did");
        ENDED_EARLY
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let stdin = self.stdin.as_mut().ok_or(ENDED_EARLY)?;
        let written = select! {
            biased;
            _ = self.child.wait() => false,
            written = stdin.write_all(bytes) => written.is_ok(),
        };
        if written { Ok(()) } else { Err(self.ended_early()) }
    }

    async fn finish(&mut self) -> Result<()> {
        if !matches!(self.child.try_wait(), Ok(None)) {
            return Err(self.ended_early());
        }
        let input = self.stdin.take().and_then(|stdin| Input::of(&stdin));
        let status = self.child.wait().await;
        self.group = None;
        match status {
            Ok(status) if !status.success() => {
                tracing::warn!(%status, "the stream's command refused it");
                Err(REFUSED)
            }
            Ok(_) if input.is_some_and(|input| input.has_unread()) => Err(ENDED_EARLY),
            Ok(_) => Ok(()),
            Err(_) => Err(REFUSED),
        }
    }
}

/// The pipe's other end, to see after the command's end whether it left anything in it.
struct Input(OwnedFd);

impl Input {
    /// Through `/proc`; where there is none, what is left unread goes unseen.
    fn of(stdin: &ChildStdin) -> Option<Self> {
        use rustix::fs::{Mode, OFlags, open};
        use std::os::fd::AsRawFd as _;
        let path = format!("/proc/self/fd/{}", stdin.as_raw_fd());
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        open(path, flags, Mode::empty()).ok().map(Self)
    }

    fn has_unread(&self) -> bool {
        matches!(rustix::io::read(&self.0, &mut [0; 1]), Ok(1..))
    }
}

impl Drop for CommandSink {
    /// The signal is on its way before the input, a field, is closed, and nothing of the group runs after it.
    fn drop(&mut self) {
        self.kill();
    }
}

impl Sink for CommandSink {
    fn data(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move { self.write(&bytes).await })
    }

    fn commit(&mut self) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.finish())
    }

    fn abort(mut self: Box<Self>, _: AbortReason) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            self.kill();
            let _ = self.child.wait().await;
            self.stdin = None;
        })
    }
}
