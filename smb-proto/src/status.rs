//! NTSTATUS codes — [MS-ERREF] 2.3, those that SMB peers send ([MS-SMB2] 2.2.2 and the processing rules).

/// What a caller can do about a status that is not success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// Nothing is wrong.
    None,
    /// The same request may succeed a little later.
    Retry,
    /// The same request may succeed on another channel, or on this one after a reconnect.
    FailOver,
    /// The session or the share connection is gone: set up a new one.
    NewSession,
    /// The request itself cannot succeed: tell the user.
    GiveUp,
}

macro_rules! statuses {
    ($($name:ident = $value:literal, $text:literal;)*) => {
        /// An NTSTATUS value. Unknown ones survive and print as numbers.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
        pub struct NtStatus(pub u32);

        impl NtStatus {
            $(#[doc = concat!("STATUS_", stringify!($name), ": ", $text, ".")]
            pub const $name: Self = Self($value);)*

            /// The specification's name without `STATUS_`, where the value has one here.
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$name => Some(stringify!($name)),)*
                    _ => None,
                }
            }

            const fn text(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                    _ => "unknown status",
                }
            }

            #[cfg(test)]
            const ALL: &'static [Self] = &[$(Self::$name,)*];
        }
    };
}

impl NtStatus {
    /// Whether the severity is success (or informational).
    pub const fn is_success(self) -> bool {
        self.0 < 0x8000_0000
    }

    /// Whether the severity is error (0xC…): warnings such as `STATUS_BUFFER_OVERFLOW` are not.
    pub const fn is_error(self) -> bool {
        self.0 >= 0xc000_0000
    }

    /// What a caller can do about it.
    pub const fn advice(self) -> Advice {
        match self {
            status if status.is_success() => Advice::None,
            Self::FILE_NOT_AVAILABLE
            | Self::SHARING_VIOLATION
            | Self::INSUFFICIENT_RESOURCES
            | Self::INSUFF_SERVER_RESOURCES
            | Self::NO_MEMORY
            | Self::REQUEST_NOT_ACCEPTED
            | Self::PIPE_BUSY
            | Self::PIPE_NOT_AVAILABLE
            | Self::FILE_LOCK_CONFLICT
            | Self::LOCK_NOT_GRANTED => Advice::Retry,
            Self::CONNECTION_DISCONNECTED | Self::CONNECTION_RESET | Self::IO_TIMEOUT => Advice::FailOver,
            Self::USER_SESSION_DELETED
            | Self::NETWORK_SESSION_EXPIRED
            | Self::NETWORK_NAME_DELETED
            | Self::SERVER_UNAVAILABLE => Advice::NewSession,
            _ => Advice::GiveUp,
        }
    }
}

impl std::fmt::Display for NtStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{} (STATUS_{name})", self.text()),
            None => write!(f, "status {:#010x}", self.0),
        }
    }
}

impl std::fmt::Debug for NtStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "NtStatus({:#010x})", self.0),
        }
    }
}

statuses! {
    SUCCESS = 0x00000000, "the operation succeeded";
    PENDING = 0x00000103, "the answer comes later";
    OPLOCK_BREAK_IN_PROGRESS = 0x00000108, "an oplock break is under way";
    NOTIFY_CLEANUP = 0x0000010b, "the directory handle was closed";
    NOTIFY_ENUM_DIR = 0x0000010c, "too many changes to list";
    BUFFER_OVERFLOW = 0x80000005, "the data was cut to fit";
    NO_MORE_FILES = 0x80000006, "the enumeration has ended";
    NO_MORE_EAS = 0x80000012, "there are no more extended attributes";
    INVALID_EA_NAME = 0x80000013, "the extended attribute's name is invalid";
    EA_LIST_INCONSISTENT = 0x80000014, "the list of extended attributes is inconsistent";
    STOPPED_ON_SYMLINK = 0x8000002d, "the path crosses a symbolic link";
    UNSUCCESSFUL = 0xc0000001, "the operation failed";
    NOT_IMPLEMENTED = 0xc0000002, "not implemented";
    INVALID_INFO_CLASS = 0xc0000003, "unknown information class";
    INFO_LENGTH_MISMATCH = 0xc0000004, "wrong length for the information class";
    INVALID_HANDLE = 0xc0000008, "no such open";
    INVALID_PARAMETER = 0xc000000d, "a parameter is invalid";
    NO_SUCH_DEVICE = 0xc000000e, "no such device";
    NO_SUCH_FILE = 0xc000000f, "no such file";
    INVALID_DEVICE_REQUEST = 0xc0000010, "not possible on this object";
    END_OF_FILE = 0xc0000011, "the offset is at or beyond the end of the file";
    MORE_PROCESSING_REQUIRED = 0xc0000016, "another authentication leg is needed";
    NO_MEMORY = 0xc0000017, "out of memory";
    INVALID_LOCK_SEQUENCE = 0xc000001e, "the lock sequence is invalid";
    INVALID_VIEW_SIZE = 0xc000001f, "the range is not within the file";
    ACCESS_DENIED = 0xc0000022, "access denied";
    BUFFER_TOO_SMALL = 0xc0000023, "the buffer is too small";
    OBJECT_TYPE_MISMATCH = 0xc0000024, "wrong type of object";
    OBJECT_NAME_INVALID = 0xc0000033, "the name is invalid";
    OBJECT_NAME_NOT_FOUND = 0xc0000034, "no object of that name";
    OBJECT_NAME_COLLISION = 0xc0000035, "an object of that name exists";
    OBJECT_PATH_INVALID = 0xc0000039, "a component of the path is not a directory";
    OBJECT_PATH_NOT_FOUND = 0xc000003a, "a component of the path does not exist";
    OBJECT_PATH_SYNTAX_BAD = 0xc000003b, "the path is malformed";
    DATA_ERROR = 0xc000003e, "the data is in error";
    CRC_ERROR = 0xc000003f, "a checksum does not match";
    SHARING_VIOLATION = 0xc0000043, "the share modes of two opens exclude each other";
    QUOTA_EXCEEDED = 0xc0000044, "the quota is used up";
    EAS_NOT_SUPPORTED = 0xc000004f, "extended attributes are not supported";
    EA_TOO_LARGE = 0xc0000050, "the extended attributes are too large";
    NONEXISTENT_EA_ENTRY = 0xc0000051, "there is no such extended attribute";
    NO_EAS_ON_FILE = 0xc0000052, "the file has no extended attributes";
    FILE_LOCK_CONFLICT = 0xc0000054, "the range is locked";
    LOCK_NOT_GRANTED = 0xc0000055, "the lock was not granted";
    DELETE_PENDING = 0xc0000056, "the file is about to be deleted";
    REVISION_MISMATCH = 0xc0000059, "the revision is unknown";
    INVALID_OWNER = 0xc000005a, "the owner is invalid";
    NO_SUCH_LOGON_SESSION = 0xc000005f, "no such log-on session";
    PRIVILEGE_NOT_HELD = 0xc0000061, "a privilege is missing";
    NO_SUCH_USER = 0xc0000064, "no such user";
    WRONG_PASSWORD = 0xc000006a, "wrong password";
    LOGON_FAILURE = 0xc000006d, "wrong user name or password";
    ACCOUNT_RESTRICTION = 0xc000006e, "the account is restricted";
    PASSWORD_EXPIRED = 0xc0000071, "the password has expired";
    ACCOUNT_DISABLED = 0xc0000072, "the account is disabled";
    INVALID_ACL = 0xc0000077, "the ACL is invalid";
    INVALID_SID = 0xc0000078, "the SID is invalid";
    INVALID_SECURITY_DESCR = 0xc0000079, "the security descriptor is invalid";
    RANGE_NOT_LOCKED = 0xc000007e, "the range is not locked";
    DISK_FULL = 0xc000007f, "the disk is full";
    SMB_TOO_MANY_GUIDS_REQUESTED = 0xc0000082, "too many GUIDs requested";
    INSUFFICIENT_RESOURCES = 0xc000009a, "the server is short of resources";
    DFS_EXIT_PATH_FOUND = 0xc000009b, "a DFS exit path was found";
    MEDIA_WRITE_PROTECTED = 0xc00000a2, "the medium is read-only";
    DEVICE_NOT_READY = 0xc00000a3, "the device is not ready";
    BAD_IMPERSONATION_LEVEL = 0xc00000a5, "bad impersonation level";
    PIPE_NOT_AVAILABLE = 0xc00000ac, "no instance of the pipe is free";
    INVALID_PIPE_STATE = 0xc00000ad, "the pipe is in the wrong state";
    PIPE_BUSY = 0xc00000ae, "the pipe is busy";
    PIPE_DISCONNECTED = 0xc00000b0, "the pipe is disconnected";
    PIPE_CLOSING = 0xc00000b1, "the pipe is closing";
    IO_TIMEOUT = 0xc00000b5, "the operation timed out";
    FILE_FORCED_CLOSED = 0xc00000b6, "the file was closed by force";
    FILE_IS_A_DIRECTORY = 0xc00000ba, "the object is a directory";
    NOT_SUPPORTED = 0xc00000bb, "not supported";
    NETWORK_NAME_DELETED = 0xc00000c9, "the share connection is gone";
    NETWORK_ACCESS_DENIED = 0xc00000ca, "network access denied";
    BAD_DEVICE_TYPE = 0xc00000cb, "the share is of another type";
    BAD_NETWORK_NAME = 0xc00000cc, "no share of that name";
    TOO_MANY_SESSIONS = 0xc00000ce, "too many sessions";
    REQUEST_NOT_ACCEPTED = 0xc00000d0, "the limit of connections is reached";
    NOT_SAME_DEVICE = 0xc00000d4, "on another volume";
    PIPE_EMPTY = 0xc00000d9, "the pipe is empty";
    OPLOCK_NOT_GRANTED = 0xc00000e2, "the oplock was not granted";
    INVALID_OPLOCK_PROTOCOL = 0xc00000e3, "the oplock acknowledgement does not fit";
    INTERNAL_ERROR = 0xc00000e5, "internal error";
    UNEXPECTED_IO_ERROR = 0xc00000e9, "unexpected I/O error";
    DIRECTORY_NOT_EMPTY = 0xc0000101, "the directory is not empty";
    NOT_A_DIRECTORY = 0xc0000103, "the object is not a directory";
    TOO_MANY_OPENED_FILES = 0xc000011f, "too many open files";
    CANCELLED = 0xc0000120, "the request was cancelled";
    CANNOT_DELETE = 0xc0000121, "the file cannot be deleted";
    FILE_DELETED = 0xc0000123, "the file has been deleted";
    FILE_CLOSED = 0xc0000128, "the open has been closed";
    INVALID_LEVEL = 0xc0000148, "invalid level";
    PIPE_BROKEN = 0xc000014b, "the pipe's other end is gone";
    LOGON_TYPE_NOT_GRANTED = 0xc000015b, "the user may not log on this way";
    ILLEGAL_CHARACTER = 0xc0000161, "a character is not allowed";
    INVALID_DEVICE_STATE = 0xc0000184, "the device is in the wrong state";
    IO_DEVICE_ERROR = 0xc0000185, "the device reported an error";
    SHORT_NAMES_NOT_ENABLED_ON_VOLUME = 0xc000019f, "short names are not kept on this volume";
    INVALID_LOCK_RANGE = 0xc00001a1, "a lock's range ends beyond 64 bits";
    USER_SESSION_DELETED = 0xc0000203, "the session is gone";
    INSUFF_SERVER_RESOURCES = 0xc0000205, "the server is short of resources";
    CONNECTION_DISCONNECTED = 0xc000020c, "the connection is gone";
    CONNECTION_RESET = 0xc000020d, "the connection was reset";
    NOT_FOUND = 0xc0000225, "not found";
    DUPLICATE_OBJECTID = 0xc000022a, "the object id exists";
    REQUEST_ABORTED = 0xc0000240, "the request was aborted";
    PATH_NOT_COVERED = 0xc0000257, "the path is on another server";
    VOLUME_DISMOUNTED = 0xc000026e, "the volume is gone";
    NOT_A_REPARSE_POINT = 0xc0000275, "not a reparse point";
    IO_REPARSE_TAG_INVALID = 0xc0000276, "the reparse tag is invalid";
    IO_REPARSE_TAG_MISMATCH = 0xc0000277, "the reparse tag differs";
    IO_REPARSE_DATA_INVALID = 0xc0000278, "the reparse data is invalid";
    DIRECTORY_IS_A_REPARSE_POINT = 0xc0000281, "the directory is a reparse point";
    NETWORK_SESSION_EXPIRED = 0xc000035c, "the session has expired and must be set up again";
    FILE_SYSTEM_LIMITATION = 0xc0000427, "a limit of the file system";
    NO_RANGES_PROCESSED = 0xc0000460, "no range was processed";
    INVALID_TOKEN = 0xc0000465, "the token is invalid";
    SERVER_UNAVAILABLE = 0xc0000466, "the server is unavailable";
    FILE_NOT_AVAILABLE = 0xc0000467, "an earlier request on this file still runs";
    SHARE_UNAVAILABLE = 0xc0000480, "the share is unavailable";
    BLOCK_TOO_MANY_REFERENCES = 0xc000048c, "too many references to a block";
    INVALID_SIGNATURE = 0xc000a000, "the signature is invalid";
    HMAC_NOT_SUPPORTED = 0xc000a001, "the HMAC is not supported";
    HASH_NOT_SUPPORTED = 0xc000a100, "hash not supported";
    HASH_NOT_PRESENT = 0xc000a101, "hash not present";
    OFFLOAD_READ_FILE_NOT_SUPPORTED = 0xc000a2a3, "offload read is not supported";
    OFFLOAD_WRITE_FILE_NOT_SUPPORTED = 0xc000a2a4, "offload write is not supported";
    SMB_NO_PREAUTH_INTEGRITY_HASH_OVERLAP = 0xc05d0000, "no common preauthentication hash";
    SMB_BAD_CLUSTER_DIALECT = 0xc05d0001, "not a dialect of the cluster";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_sorted_and_unique() {
        assert!(NtStatus::ALL.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn severity_and_text() {
        assert!(NtStatus::PENDING.is_success() && !NtStatus::PENDING.is_error());
        assert!(!NtStatus::BUFFER_OVERFLOW.is_success() && !NtStatus::BUFFER_OVERFLOW.is_error());
        assert!(NtStatus::ACCESS_DENIED.is_error());
        assert_eq!(NtStatus::ACCESS_DENIED.to_string(), "access denied (STATUS_ACCESS_DENIED)");
        assert_eq!(format!("{:?}", NtStatus(0xdead_beef)), "NtStatus(0xdeadbeef)");
    }
}
