//! Socket options.

use socket2::{SockRef, TcpKeepalive};
use std::{io, time::Duration};
use tokio::net::TcpStream;

/// How a TCP connection is set up. TCP_NODELAY is always on: a message is written whole, with its prefix.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TcpOptions {
    /// How long a connection attempt may take.
    pub connect_timeout: Duration,
    /// Probes on an idle connection, so that a peer that vanished is found.
    pub keep_alive: Option<KeepAlive>,
    /// How long sent bytes may stay unacknowledged, or the peer's window closed, before the connection fails
    /// (Linux; elsewhere the system's retransmission limit holds).
    pub user_timeout: Option<Duration>,
    /// Size of the socket's send buffer in bytes. `None` leaves it to the system, whose auto-tuning a fixed size
    /// turns off.
    pub send_buffer: Option<usize>,
    /// Size of the socket's receive buffer in bytes; `None` as above.
    pub receive_buffer: Option<usize>,
}

/// Keep-alive probes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeepAlive {
    /// Silence before the first probe.
    pub idle: Duration,
    /// Time between probes.
    pub interval: Duration,
    /// Unanswered probes before the connection fails.
    pub probes: u32,
}

impl Default for TcpOptions {
    /// Connects within 10 s; a silent peer is given up after 25 s, one that takes no bytes after 60 s.
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            keep_alive: Some(KeepAlive {
                idle: Duration::from_secs(10),
                interval: Duration::from_secs(5),
                probes: 3,
            }),
            user_timeout: Some(Duration::from_secs(60)),
            send_buffer: None,
            receive_buffer: None,
        }
    }
}

impl TcpOptions {
    /// Sets what can be set on a connected socket.
    pub(super) fn apply(&self, stream: &TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let socket = SockRef::from(stream);
        if let Some(keep) = self.keep_alive {
            socket.set_tcp_keepalive(&keep.to_socket())?;
        }
        #[cfg(any(target_os = "linux", target_os = "android"))]
        socket.set_tcp_user_timeout(self.user_timeout)?;
        self.apply_sizes(socket)
    }

    /// Sets the buffer sizes, which matter before the connection is made: the window scale follows from them.
    pub(super) fn apply_sizes(&self, socket: SockRef<'_>) -> io::Result<()> {
        if let Some(size) = self.send_buffer {
            socket.set_send_buffer_size(size)?;
        }
        if let Some(size) = self.receive_buffer {
            socket.set_recv_buffer_size(size)?;
        }
        Ok(())
    }
}

impl KeepAlive {
    fn to_socket(self) -> TcpKeepalive {
        let keep = TcpKeepalive::new().with_time(self.idle).with_interval(self.interval);
        #[cfg(unix)]
        let keep = keep.with_retries(self.probes);
        keep
    }
}
