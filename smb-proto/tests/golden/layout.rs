//! Where a peer's layout legitimately differs from ours. Those messages are compared by meaning.

/// Why a message may come back with other bytes, and which.
pub struct Exception {
    pub reason: &'static str,
    pub applies: fn(&str) -> bool,
}

/// In each the specification leaves the choice, or has the receiver ignore the field.
pub const EXCEPTIONS: &[Exception] = &[
    Exception {
        reason: "smbclient fills OutputOffset of an IOCTL request (and InputOffset without input), we and Linux write 0",
        applies: |name| name.contains("-ioctl-") && name.contains("request"),
    },
    Exception {
        reason: "Linux fills InputBufferOffset of a QUERY_INFO without input, or ends the message before the buffer",
        applies: |name| name.contains("linux") && name.contains("query-info") && name.contains("request"),
    },
    Exception {
        reason: "smbclient pads a CREATE's name to four bytes, Linux its last create context to eight",
        applies: |name| name.contains("create") && name.contains("request"),
    },
    Exception {
        reason: "smbd and ksmbd pad the last message of a compound, too",
        applies: |name| name.contains("compound-") && name.contains("response"),
    },
    Exception {
        reason: "ksmbd pads the last message of a sealed compound, too",
        applies: |name| name.contains("linux") && name.contains("sealed-response"),
    },
    Exception {
        reason: "the padding of a message cut from a compound",
        applies: |name| name.contains("-part-"),
    },
    Exception {
        reason: "smbd leaves a stray byte in the empty data of an interim response",
        applies: |name| name.contains("-pending-"),
    },
    Exception {
        reason: "smbtorture fills the reserved field of a lock",
        applies: |name| name.contains("smbtorture") && name.contains("lock-1-1-request"),
    },
    Exception {
        reason: "sealed requests of smbclient (IOCTL and CREATE) as above",
        applies: |name| name.contains("sealed-request"),
    },
];
