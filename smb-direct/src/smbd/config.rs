//! What a connection is set up with — [MS-SMBD] 3.1.1.1.

use std::time::Duration;

/// Our side of a connection, before it is negotiated. Values out of range are brought into it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// The most receives posted for the peer (Connection.ReceiveCreditMax), but for one in reserve; at least 2.
    pub receive_credit_max: u16,
    /// Send credits to ask for (Connection.SendCreditTarget); at least 1.
    pub send_credit_target: u16,
    /// Bytes to put into one message (Connection.MaxSendSize); at least 128.
    pub max_send_size: u32,
    /// Bytes to take in one message (Connection.MaxReceiveSize); at least 512.
    pub max_receive_size: u32,
    /// Bytes of the longest upper-layer message to take (Connection.MaxFragmentedRecvSize); at least 131,072.
    pub max_fragmented_recv_size: u32,
    /// Bytes of the largest READ or WRITE to place (Connection.MaxReadWriteSize).
    pub max_read_write_size: u32,
    /// How long the peer may be silent before it is asked for an answer (Connection.KeepaliveInterval).
    pub keepalive_interval: Duration,
    /// How long it may take to give one.
    pub keepalive_timeout: Duration,
    /// How long the negotiation may take, for the side that connected.
    pub initiator_timeout: Duration,
    /// The same for the side that was connected to.
    pub responder_timeout: Duration,
    /// Sends and RDMA writes posted and not yet done; the rest waits here.
    pub send_queue_depth: usize,
    /// Upper-layer bytes that may be accepted and not yet posted before [`Engine::has_room`] says no.
    ///
    /// [`Engine::has_room`]: super::core::Engine::has_room
    pub send_queue_bytes: usize,
    /// Bytes of memory that delivered messages may hold before the peer gets no more credits.
    pub unread_bytes: usize,
}

impl Default for Config {
    /// What [MS-SMBD] gives for Windows, with larger sizes: 255 credits, messages of 8 KiB, 8 MiB and a bit reassembled, 8 MiB
    /// placed.
    fn default() -> Self {
        Self {
            receive_credit_max: 255,
            send_credit_target: 255,
            max_send_size: 8192,
            max_receive_size: 8192,
            max_fragmented_recv_size: (8 << 20) + (64 << 10),
            max_read_write_size: 8 << 20,
            keepalive_interval: Duration::from_secs(120),
            keepalive_timeout: Duration::from_secs(5),
            initiator_timeout: Duration::from_secs(120),
            responder_timeout: Duration::from_secs(5),
            send_queue_depth: 256,
            send_queue_bytes: 4 << 20,
            unread_bytes: 4 << 20,
        }
    }
}

/// The least a peer must take in one message — [MS-SMBD] 3.1.5.6.
pub(super) const LEAST_SIZE: u32 = 128;
/// The least a peer must reassemble — [MS-SMBD] 3.1.5.6.
pub(super) const LEAST_FRAGMENTED: u32 = 131_072;
/// The least a receive holds that is posted for the negotiation — [MS-SMBD] 3.1.4.1.
const LEAST_RECEIVE: u32 = 512;

impl Config {
    pub(super) fn in_range(mut self) -> Self {
        self.receive_credit_max = self.receive_credit_max.clamp(2, u16::MAX - 1);
        self.send_credit_target = self.send_credit_target.max(1);
        self.max_send_size = self.max_send_size.max(LEAST_SIZE);
        self.max_receive_size = self.max_receive_size.max(LEAST_RECEIVE);
        self.max_fragmented_recv_size = self.max_fragmented_recv_size.max(LEAST_FRAGMENTED);
        self.send_queue_depth = self.send_queue_depth.max(1);
        self
    }

    /// Bytes of the receive to be posted before anything can arrive — [MS-SMBD] 3.1.4.1.
    pub fn first_receive(&self) -> usize {
        usize::try_from(self.max_receive_size.max(LEAST_RECEIVE)).unwrap_or(usize::MAX)
    }

    /// Receives that may be posted at a time: what a receive queue must hold.
    pub fn receive_queue_depth(&self) -> usize {
        usize::from(self.receive_credit_max.max(2)).saturating_add(1)
    }
}
