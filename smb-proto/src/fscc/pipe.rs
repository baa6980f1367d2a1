//! Named pipes — [MS-FSCC] 2.4.36, 2.4.37.

use super::class::FileInformationClass;
use crate::codec::field::plain_information;

plain_information! {
    /// FilePipeInformation — [MS-FSCC] 2.4.36.
    PipeInformation: FILE FileInformationClass::PIPE, {
        /// FILE_PIPE_MESSAGE_MODE (1) or FILE_PIPE_BYTE_STREAM_MODE (0).
        read_mode: u32;
        /// FILE_PIPE_QUEUE_OPERATION (0) or FILE_PIPE_COMPLETE_OPERATION (1).
        completion_mode: u32;
    }
}

plain_information! {
    /// FilePipeLocalInformation — [MS-FSCC] 2.4.37.
    PipeLocalInformation: FILE FileInformationClass::PIPE_LOCAL, {
        /// FILE_PIPE_MESSAGE_TYPE (1) or FILE_PIPE_BYTE_STREAM_TYPE (0).
        pipe_type: u32;
        /// Inbound (0), outbound (1) or both (2), as the server sees it.
        configuration: u32;
        /// The most instances there may be.
        maximum_instances: u32;
        /// Instances there are.
        current_instances: u32;
        /// Bytes of the inbound buffer.
        inbound_quota: u32;
        /// Bytes in it to be read.
        read_data_available: u32;
        /// Bytes of the outbound buffer.
        outbound_quota: u32;
        /// Bytes of it that can be written.
        write_quota_available: u32;
        /// FILE_PIPE_*_STATE: 3 is connected.
        state: u32;
        /// FILE_PIPE_CLIENT_END (0) or FILE_PIPE_SERVER_END (1).
        end: u32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::field::testing::{check, hex};

    #[test]
    fn both_classes() {
        check(&PipeInformation { read_mode: 1, completion_mode: 0 }, &hex("01000000 00000000"));
        let local = PipeLocalInformation {
            pipe_type: 1,
            configuration: 2,
            maximum_instances: u32::MAX,
            current_instances: 4,
            inbound_quota: 5,
            read_data_available: 6,
            outbound_quota: 7,
            write_quota_available: 8,
            state: 3,
            end: 0,
        };
        let wire =
            "01000000 02000000 ffffffff 04000000 05000000 06000000 07000000 08000000 03000000 00000000";
        check(&local, &hex(wire));
    }
}
